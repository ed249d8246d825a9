/* SPDX-License-Identifier: GPL-2.0-or-later
 * A file descriptor that closes itself: g_auto(Fd) fd = -1; hand it on with fd_steal(&fd).
 */
#pragma once

#include <errno.h>
#include <glib.h>
#include <unistd.h>

typedef int Fd;

static inline void fd_clear(Fd *fd)
{
    int saved = errno;

    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
    errno = saved;
}

static inline int fd_steal(Fd *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fd, fd_clear)
