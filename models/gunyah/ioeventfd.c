/* SPDX-License-Identifier: GPL-2.0-or-later
 * The IOEVENTFD function: guest writes that the driver turns into an eventfd signal before user
 * space sees them. Without DATAMATCH the width is ignored.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gunyah-priv.h"

int eventfd_check(int fd)
{
    char path[32], target[64];
    ssize_t n;

    if (fcntl(fd, F_GETFD) < 0) {
        return -EBADF;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    n = readlink(path, target, sizeof(target) - 1);
    if (n < 0) {
        return -EBADF;
    }
    target[n] = '\0';
    return g_str_has_prefix(target, "anon_inode:[eventfd") ? 0 : -EINVAL;
}

static bool has_datamatch(const struct gh_fn_ioeventfd_arg *arg)
{
    return arg->flags & GH_IOEVENTFD_FLAGS_DATAMATCH;
}

static bool collide(const struct gh_fn_ioeventfd_arg *a, const struct gh_fn_ioeventfd_arg *b)
{
    if (a->addr != b->addr) {
        return false;
    }
    if (!has_datamatch(a) || !has_datamatch(b)) {
        return true;
    }
    return a->len == b->len && a->datamatch == b->datamatch;
}

static int check_arg(const struct gh_fn_ioeventfd_arg *arg)
{
    if (arg->len > 8 || (arg->len & (arg->len - 1))) {
        return -EINVAL;
    }
    if (arg->addr + arg->len < arg->addr) {
        return -EINVAL;
    }
    if (!arg->len && has_datamatch(arg)) {
        return -EINVAL;
    }
    return arg->flags & ~GH_IOEVENTFD_FLAGS_DATAMATCH ? -EINVAL : eventfd_check(arg->fd);
}

int ioeventfd_add(GhVm *vm, const void *data, uint32_t size)
{
    const struct gh_fn_ioeventfd_arg *arg = data;
    Ioeventfd *io;
    int ret;

    if (size != sizeof(*arg)) {
        return -EINVAL;
    }
    ret = check_arg(arg);
    if (ret < 0) {
        return ret;
    }
    for (guint i = 0; i < vm->ioeventfds->len; i++) {
        const Ioeventfd *other = g_ptr_array_index(vm->ioeventfds, i);

        if (collide(arg, &other->arg)) {
            return -EEXIST;
        }
    }
    io = g_new0(Ioeventfd, 1);
    io->arg = *arg;
    io->fd = fcntl(arg->fd, F_DUPFD_CLOEXEC, 0);
    if (io->fd < 0) {
        ret = -errno;
        g_free(io);
        return ret;
    }
    pthread_rwlock_wrlock(&vm->io_lock);
    g_ptr_array_add(vm->ioeventfds, io);
    pthread_rwlock_unlock(&vm->io_lock);
    return 0;
}

static bool is_key(const struct gh_fn_ioeventfd_arg *arg, const struct gh_fn_ioeventfd_arg *key)
{
    return arg->addr == key->addr && arg->len == key->len && arg->flags == key->flags &&
           (!has_datamatch(arg) || arg->datamatch == key->datamatch);
}

bool ioeventfd_remove(GhVm *vm, const struct gh_fn_ioeventfd_arg *key)
{
    bool found = false;

    pthread_rwlock_wrlock(&vm->io_lock);
    for (guint i = vm->ioeventfds->len; i-- > 0;) {
        Ioeventfd *io = g_ptr_array_index(vm->ioeventfds, i);

        if (is_key(&io->arg, key)) {
            g_ptr_array_remove_index_fast(vm->ioeventfds, i);
            close(io->fd);
            g_free(io);
            found = true;
        }
    }
    pthread_rwlock_unlock(&vm->io_lock);
    return found;
}

void ioeventfd_remove_all(GhVm *vm)
{
    for (guint i = 0; i < vm->ioeventfds->len; i++) {
        Ioeventfd *io = g_ptr_array_index(vm->ioeventfds, i);

        close(io->fd);
        g_free(io);
    }
    g_ptr_array_set_size(vm->ioeventfds, 0);
}

static bool takes(const struct gh_fn_ioeventfd_arg *arg, uint64_t addr, uint32_t len, uint64_t data)
{
    return arg->addr == addr &&
           (!has_datamatch(arg) || (arg->len == len && arg->datamatch == data));
}

/* A kernel's signal never blocks; a full counter stays full. */
static void signal_eventfd(int fd)
{
    struct pollfd pfd = { .fd = fd, .events = POLLOUT };
    const uint64_t one = 1;

    if (poll(&pfd, 1, 0) == 1 && write(fd, &one, sizeof(one)) < 0) {
        model_log("ioeventfd: %s", g_strerror(errno));
    }
}

bool ioeventfd_write(GhVm *vm, uint64_t addr, uint32_t len, uint64_t data)
{
    bool taken = false;

    pthread_rwlock_rdlock(&vm->io_lock);
    for (guint i = 0; i < vm->ioeventfds->len && !taken; i++) {
        const Ioeventfd *io = g_ptr_array_index(vm->ioeventfds, i);

        if (takes(&io->arg, addr, len, data)) {
            signal_eventfd(io->fd);
            taken = true;
        }
    }
    pthread_rwlock_unlock(&vm->io_lock);
    return taken;
}
