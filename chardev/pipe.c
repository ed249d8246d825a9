/* SPDX-License-Identifier: GPL-2.0-or-later
 * Named pipes: PATH.in for input and PATH.out for output, or PATH for both. They are opened for
 * reading and writing, so that nobody has to be at the other end, and nobody's leaving ends it.
 */
#include "chardev-priv.h"

#include <errno.h>
#include <fcntl.h>

#include "util/error.h"
#include "util/fd.h"

typedef struct {
    Fd in, out;
} Pipe;

static int open_pipe(const char *path)
{
    return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

static bool pipe_open(Chardev *chr, KeyVal *kv, GError **error)
{
    const char *path = chardev_take_required(kv, "path", error);
    g_autofree char *in = NULL, *out = NULL;
    Pipe *p = g_new(Pipe, 1);

    *p = (Pipe){ -1, -1 };
    chr->state = p;
    if (path == NULL) {
        return false;
    }
    in = g_strconcat(path, ".in", NULL);
    out = g_strconcat(path, ".out", NULL);
    p->in = open_pipe(in);
    p->out = open_pipe(out);
    if (p->in < 0 && p->out < 0) {
        p->in = open_pipe(path);
        if (p->in < 0) {
            error_set_errno(error, errno, "cannot open '%s', nor '%s' and '%s'", path, in, out);
            return false;
        }
    } else if (p->in < 0 || p->out < 0) {
        error_set_errno(error, errno, "cannot open '%s'", p->in < 0 ? in : out);
        return false;
    }
    chr->opened = true;
    chardev_input_start(chr, p->in);
    return true;
}

static int pipe_output_fd(const Chardev *chr)
{
    const Pipe *p = chr->state;

    return p->out >= 0 ? p->out : p->in;
}

static size_t pipe_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    return chardev_fd_write(chr, pipe_output_fd(chr), buf, len);
}

static void pipe_close(Chardev *chr)
{
    Pipe *p = chr->state;

    fd_clear(&p->in);
    fd_clear(&p->out);
    g_free(p);
}

const ChardevOps chardev_pipe_ops = {
    .name = "pipe",
    .summary = "named pipes PATH.in and PATH.out, or PATH for both ways",
    .keys = (const char *const[]){ "path", NULL },
    .open = pipe_open,
    .write = pipe_write,
    .output_fd = pipe_output_fd,
    .close = pipe_close,
};
