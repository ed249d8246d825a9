/* SPDX-License-Identifier: GPL-2.0-or-later
 * Output into a file, new or appended to. No input.
 */
#include "chardev-priv.h"

#include <errno.h>
#include <fcntl.h>

#include "util/error.h"
#include "util/fd.h"

static bool file_open(Chardev *chr, KeyVal *kv, GError **error)
{
    const char *path = chardev_take_required(kv, "path", error);
    bool append = false;
    int fd;

    if (path == NULL || !keyval_take_bool(kv, "append", &append, error)) {
        return false;
    }
    /* O_NONBLOCK: a FIFO that nobody reads is an error, not something to wait for. */
    fd =
        open(path,
             O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (append ? O_APPEND : O_TRUNC),
             0666);
    if (fd < 0) {
        error_set_errno(error, errno, "cannot open '%s' for writing", path);
        return false;
    }
    chr->state = GINT_TO_POINTER(fd + 1);
    chr->opened = true;
    return true;
}

static size_t file_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    return chardev_fd_write(chr, GPOINTER_TO_INT(chr->state) - 1, buf, len);
}

static void file_close(Chardev *chr)
{
    Fd fd = GPOINTER_TO_INT(chr->state) - 1; /* -1 if it was never opened */

    fd_clear(&fd);
    chr->state = NULL;
}

const ChardevOps chardev_file_ops = {
    .name = "file",
    .summary = "writes to a file",
    .keys = (const char *const[]){ "path", "append", NULL },
    .open = file_open,
    .write = file_write,
    .close = file_close,
};
