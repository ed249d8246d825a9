/* SPDX-License-Identifier: GPL-2.0-or-later
 * Output into a file, new or appended to; input, if wanted, from another one up to its end.
 */
#include "chardev-priv.h"

#include <errno.h>
#include <fcntl.h>

#include "util/error.h"
#include "util/fd.h"

typedef struct {
    Fd out, in;
} File;

static bool open_input(File *f, const char *path, GError **error)
{
    f->in = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (f->in < 0) {
        error_set_errno(error, errno, "cannot open '%s' for reading", path);
        return false;
    }
    return true;
}

static bool file_open(Chardev *chr, KeyVal *kv, GError **error)
{
    const char *path = chardev_take_required(kv, "path", error);
    const char *input = keyval_take(kv, "input-path");
    File *f = g_new(File, 1);
    bool append = false;

    *f = (File){ -1, -1 };
    chr->state = f;
    if (path == NULL || !keyval_take_bool(kv, "append", &append, error)) {
        return false;
    }
    if (input != NULL && !open_input(f, input, error)) {
        return false;
    }
    /* O_NONBLOCK: a FIFO that nobody reads is an error, not something to wait for. */
    f->out =
        open(path,
             O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (append ? O_APPEND : O_TRUNC),
             0666);
    if (f->out < 0) {
        error_set_errno(error, errno, "cannot open '%s' for writing", path);
        return false;
    }
    chr->opened = true;
    if (f->in >= 0) {
        chardev_input_start(chr, f->in);
    }
    return true;
}

static size_t file_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    return chardev_fd_write(chr, ((const File *)chr->state)->out, buf, len);
}

static void file_close(Chardev *chr)
{
    File *f = chr->state;

    fd_clear(&f->in);
    fd_clear(&f->out);
    g_free(f);
}

const ChardevOps chardev_file_ops = {
    .name = "file",
    .summary = "writes to a file",
    .keys = (const char *const[]){ "path", "append", "input-path", NULL },
    .open = file_open,
    .write = file_write,
    .close = file_close,
};
