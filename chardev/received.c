/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reading from a descriptor, with the descriptors that a peer sends along over a UNIX socket
 * (unix(7), SCM_RIGHTS). They are kept only for a front end that asked for them.
 */
#include "chardev-priv.h"

#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FDS = 16 }; /* kept at a time */

static void keep(Chardev *chr, const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (chr->fds->len < MAX_FDS) {
            g_array_append_val(chr->fds, fds[i]);
        } else {
            close(fds[i]);
        }
    }
}

static void keep_all(Chardev *chr, struct msghdr *msg)
{
    pthread_mutex_lock(&chr->lock);
    if (chr->fds == NULL) {
        chr->fds = g_array_new(FALSE, FALSE, sizeof(int));
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            keep(chr, (const int *)CMSG_DATA(c), (c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        }
    }
    pthread_mutex_unlock(&chr->lock);
}

ssize_t chardev_receive(Chardev *chr, int fd, void *buf, size_t len)
{
    struct iovec iov = { buf, len };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
    } control;
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t n;

    if (!chr->is_socket || !chr->keeps_fds) {
        return read(fd, buf, len);
    }
    msg.msg_control = control.bytes;
    msg.msg_controllen = sizeof(control.bytes);
    n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n >= 0 && msg.msg_controllen > 0) {
        keep_all(chr, &msg);
    }
    return n;
}

void chardev_keep_fds(Chardev *chr)
{
    chr->keeps_fds = true;
}

int chardev_take_fd(Chardev *chr)
{
    int fd = -1;

    pthread_mutex_lock(&chr->lock);
    if (chr->fds != NULL && chr->fds->len > 0) {
        fd = g_array_index(chr->fds, int, 0);
        g_array_remove_index(chr->fds, 0);
    }
    pthread_mutex_unlock(&chr->lock);
    return fd;
}

void chardev_drop_fds(Chardev *chr)
{
    int fd;

    while ((fd = chardev_take_fd(chr)) >= 0) {
        close(fd);
    }
}
