/* SPDX-License-Identifier: GPL-2.0-or-later
 * Who may have an image open at the same time: one writer, or many readers. The scheme is the one
 * that QEMU's tools keep, so a disk cannot be in use by both at once: for each permission p, byte
 * 100 + p is read-locked by everyone who uses p and byte 200 + p by everyone who does not want
 * others to use p. Locks are taken first and looked at afterwards: of two that come at once at
 * least one sees the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "block-priv.h"
#include "util/error.h"

enum { PERM_READ = 0, PERM_WRITE = 1, PERM_RESIZE = 3 };
enum { USED_BASE = 100, UNSHARED_BASE = 200 };

static struct flock lock_byte(short type, off_t byte)
{
    return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
}

static int take(int fd, off_t byte)
{
    struct flock lock = lock_byte(F_RDLCK, byte);

    return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

/* EAGAIN if another open file has byte locked. */
static int look(int fd, off_t byte)
{
    struct flock lock = lock_byte(F_WRLCK, byte);

    if (fcntl(fd, F_OFD_GETLK, &lock) != 0) {
        return errno;
    }
    return lock.l_type == F_UNLCK ? 0 : EAGAIN;
}

static int lock_all(int fd, bool writer)
{
    static const int used[] = { PERM_READ, PERM_WRITE, PERM_RESIZE };
    static const int unshared[] = { PERM_WRITE, PERM_RESIZE };
    unsigned n_used = writer ? G_N_ELEMENTS(used) : 1;
    int err = 0;

    for (unsigned i = 0; i < n_used && err == 0; i++) {
        err = take(fd, USED_BASE + used[i]);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(unshared) && err == 0; i++) {
        err = take(fd, UNSHARED_BASE + unshared[i]);
    }
    for (unsigned i = 0; i < n_used && err == 0; i++) {
        err = look(fd, UNSHARED_BASE + used[i]);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(unshared) && err == 0; i++) {
        err = look(fd, USED_BASE + unshared[i]);
    }
    return err;
}

bool raw_lock(int fd, const char *filename, bool writer, GError **error)
{
    int err = lock_all(fd, writer);

    if (err == EAGAIN || err == EACCES) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "'%s' is locked: it is in use by another process or drive%s", filename,
                    writer ? " (read-only drives can share it)" : " that writes to it");
        return false;
    }
    if (err != 0) {
        error_set_errno(error, err, "cannot lock '%s' (locking=off does without)", filename);
        return false;
    }
    return true;
}
