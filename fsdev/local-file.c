/* SPDX-License-Identifier: GPL-2.0-or-later
 * Open files and directories of a local export.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "local-priv.h"
#include "util/iov.h"

FsFile *local_file_new(int fd)
{
    LocalFile *f = g_new0(LocalFile, 1);

    f->fd = fd;
    f->lock_fd = -1;
    pthread_mutex_init(&f->lock, NULL);
    return &f->file;
}

void local_close(FsFile *file)
{
    LocalFile *f = (LocalFile *)file;

    if (f->dir != NULL) {
        closedir(f->dir);
    } else {
        close(f->fd);
    }
    fd_clear(&f->lock_fd);
    pthread_mutex_destroy(&f->lock);
    g_free(f);
}

static int open_dir(int place, int flags, FsFile **file)
{
    int fd;

    if ((flags & O_ACCMODE) != O_RDONLY) {
        return -EISDIR;
    }
    fd = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    *file = local_file_new(fd);
    ((LocalFile *)*file)->dir = fdopendir(fd);
    if (((LocalFile *)*file)->dir == NULL) {
        int result = -errno;

        local_close(*file);
        return result;
    }
    return 0;
}

int local_open(FsDev *fs, const char *path, int flags, FsFile **file)
{
    enum { TAKEN = O_ACCMODE | O_APPEND | O_TRUNC | O_DSYNC | O_SYNC };
    Local *l = (Local *)fs;
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    struct stat st;
    int result = local_find(l, path, &place);

    if (result == 0) {
        result = local_stat_place(l, &place, &st);
    }
    if (result != 0) {
        return result;
    }
    if (S_ISDIR(st.st_mode)) {
        return open_dir(place.fd, flags, file);
    }
    if ((flags & O_DIRECTORY) != 0) {
        return -ENOTDIR;
    }
    if (!S_ISREG(st.st_mode)) { /* nor a host's FIFO or device */
        return S_ISLNK(st.st_mode) ? -ELOOP : -ENXIO;
    }
    result = local_reopen(place.fd, flags & TAKEN);
    if (result < 0) {
        return result;
    }
    *file = local_file_new(result);
    return 0;
}

int local_fstat(FsFile *file, struct stat *st)
{
    LocalFile *f = (LocalFile *)file;
    Local *l = (Local *)file->fs;
    LocalMeta meta;
    int result;

    if (l->model == LOCAL_MAPPED_FILE) {
        return -EOPNOTSUPP; /* the record is found by name only */
    }
    if (fstat(f->fd, st) != 0) {
        return -errno;
    }
    if (l->model != LOCAL_MAPPED_XATTR) {
        return 0;
    }
    result = local_meta_get_fd(l, f->fd, &meta);
    if (result == 0) {
        local_meta_apply(&meta, st);
    }
    return result;
}

ssize_t local_preadv(FsFile *file, const struct iovec *iov, unsigned n, uint64_t offset)
{
    LocalFile *f = (LocalFile *)file;
    ssize_t got;

    if (f->dir != NULL) {
        return -EISDIR;
    }
    do {
        got = preadv(f->fd, iov, MIN(n, IOV_MAX), offset);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t local_pwritev(FsFile *file, const struct iovec *iov, unsigned n, uint64_t offset,
                      FsCall *call)
{
    LocalFile *f = (LocalFile *)file;
    Local *l = (Local *)file->fs;
    ssize_t done;

    do {
        done = pwritev(f->fd, iov, MIN(n, IOV_MAX), offset);
    } while (done < 0 && errno == EINTR);
    if (done > 0 && l->writeout) {
        /* Starts the write-back; like the page cache's own, it answers for nothing: that is what
         * fsync is for. */
        sync_file_range(f->fd, offset, done, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE);
    }
    return done < 0 ? -errno : done;
}

int local_ftruncate(FsFile *file, uint64_t size)
{
    return ftruncate(((LocalFile *)file)->fd, size) == 0 ? 0 : -errno;
}

int local_fsync(FsFile *file, bool data_only)
{
    LocalFile *f = (LocalFile *)file;

    return (data_only ? fdatasync(f->fd) : fsync(f->fd)) == 0 ? 0 : -errno;
}

/* Locks have a descriptor of their own: a guest's flock() may take an exclusive lock through a file
 * that it opened for reading, the host's locks may not. */
static int lock_descriptor(LocalFile *f)
{
    int fd;

    if (f->dir != NULL) {
        return -EBADF;
    }
    pthread_mutex_lock(&f->lock);
    if (f->lock_fd < 0) {
        f->lock_fd = local_reopen(f->fd, O_RDWR);
        if (f->lock_fd < 0) {
            f->lock_fd = local_reopen(f->fd, O_RDONLY);
        }
    }
    fd = f->lock_fd;
    pthread_mutex_unlock(&f->lock);
    return fd;
}

static int do_lock(FsFile *file, int command, struct flock *lock)
{
    int fd = lock_descriptor((LocalFile *)file);

    if (fd < 0) {
        return fd;
    }
    lock->l_pid = 0; /* as these locks want it */
    if (fcntl(fd, command, lock) == 0) {
        return 0;
    }
    return errno == EACCES ? -EAGAIN : errno == EBADF ? -ENOLCK : -errno;
}

int local_lock(FsFile *file, struct flock *lock)
{
    return do_lock(file, F_OFD_SETLK, lock);
}

int local_getlock(FsFile *file, struct flock *lock)
{
    return do_lock(file, F_OFD_GETLK, lock);
}

/* What the guest takes the entry for; *unique too, which a mount point's own entry does not tell.
 */
static void fill_entry(Local *l, LocalFile *f, const struct dirent *d, FsDirEntry *entry)
{
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    struct stat st;

    entry->name = d->d_name;
    entry->next = d->d_off;
    entry->type = d->d_type;
    entry->unique = d->d_ino;
    if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
        (!local_is_mapped(l) && d->d_type != DT_DIR && d->d_type != DT_UNKNOWN)) {
        return;
    }
    place.name = d->d_name;
    place.fd = openat(f->fd, d->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    place.dir = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    if (place.fd >= 0 && place.dir >= 0 && local_stat_place(l, &place, &st) == 0) {
        entry->type = IFTODT(st.st_mode);
        entry->unique = fs_unique(&l->fs, st.st_dev, st.st_ino);
    }
}

int local_readdir(FsFile *file, uint64_t offset, FsDirEntryFn fn, void *opaque)
{
    LocalFile *f = (LocalFile *)file;
    Local *l = (Local *)file->fs;
    const struct dirent *d;
    bool taken = true;
    int result = 0;

    if (f->dir == NULL) {
        return -ENOTDIR;
    }
    pthread_mutex_lock(&f->lock);
    if (offset == 0) {
        rewinddir(f->dir);
    } else if (offset != f->dir_offset) {
        seekdir(f->dir, offset);
    }
    f->dir_offset = offset;
    do {
        FsDirEntry entry;

        errno = 0;
        d = readdir(f->dir);
        if (d == NULL) {
            result = -errno;
            break;
        }
        fill_entry(l, f, d, &entry);
        taken = fn(&entry, opaque);
        if (taken) {
            f->dir_offset = entry.next;
        }
    } while (taken);
    if (d == NULL || !taken) {
        seekdir(f->dir, f->dir_offset);
    }
    pthread_mutex_unlock(&f->lock);
    return result;
}
