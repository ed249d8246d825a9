/* SPDX-License-Identifier: GPL-2.0-or-later
 * ioeventfds, a client of the driver's own that answers writes by signalling, and irqfds, which
 * turn a signal into an MSI.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "acrn-priv.h"
#include "util/fd.h"

/* 0, or what eventfd_ctx_fdget() says of fd. */
static long check_eventfd(int fd)
{
    char path[48], target[64];
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    n = readlink(path, target, sizeof(target) - 1);
    if (n < 0) {
        return -EBADF;
    }
    target[n] = '\0';
    return g_str_has_prefix(target, "anon_inode:[eventfd]") ? 0 : -EINVAL;
}

/* All eventfds share one anonymous inode: two descriptors are one eventfd if a signal on the one
 * shows on the other, which the number in fdinfo tells without a signal. */
static uint64_t eventfd_number(int fd)
{
    char path[48], line[128];
    uint64_t id = UINT64_MAX;
    unsigned value;
    FILE *info;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    info = fopen(path, "re");
    while (info && fgets(line, sizeof(line), info)) {
        if (sscanf(line, "eventfd-id: %u", &value) == 1) {
            id = value;
        }
    }
    if (info) {
        fclose(info);
    }
    return id;
}

static bool same_eventfd(int a, int b)
{
    return eventfd_number(a) == eventfd_number(b);
}

/* ---- ioeventfds ---- */

static bool conflicts(const Ioeventfd *old, const struct acrn_ioeventfd *args)
{
    bool pio = args->flags & ACRN_IOEVENTFD_FLAG_PIO;
    bool wildcard = !(args->flags & ACRN_IOEVENTFD_FLAG_DATAMATCH);

    return same_eventfd(old->fd, (int)args->fd) && old->addr == args->addr && old->pio == pio &&
           (old->wildcard || wildcard || old->data == args->data);
}

static long ioeventfd_add(Hsm *hsm, const struct acrn_ioeventfd *args)
{
    Ioeventfd one = {
        .pio = args->flags & ACRN_IOEVENTFD_FLAG_PIO,
        .wildcard = !(args->flags & ACRN_IOEVENTFD_FLAG_DATAMATCH),
        .addr = args->addr,
        .len = args->len,
        .data = args->data,
    };

    if (args->len != 1 && args->len != 2 && args->len != 4 && args->len != 8) {
        return -EINVAL;
    }
    for (guint i = 0; i < hsm->ioeventfds->len; i++) {
        if (conflicts(&g_array_index(hsm->ioeventfds, Ioeventfd, i), args)) {
            return -EEXIST;
        }
    }
    one.fd = fcntl((int)args->fd, F_DUPFD_CLOEXEC, 0);
    if (one.fd < 0) {
        return -ENOMEM;
    }
    g_array_append_val(hsm->ioeventfds, one);
    return 0;
}

/* The first of this eventfd's goes, whatever else is said. */
static void ioeventfd_remove(Hsm *hsm, int fd)
{
    for (guint i = 0; i < hsm->ioeventfds->len; i++) {
        int own = g_array_index(hsm->ioeventfds, Ioeventfd, i).fd;

        if (same_eventfd(own, fd)) {
            g_array_remove_index(hsm->ioeventfds, i);
            close(own);
            return;
        }
    }
}

long hsm_ioeventfd(Hsm *hsm, const struct acrn_ioeventfd *args)
{
    long ret;

    if (args->reserved) {
        return -EINVAL;
    }
    if (args->flags & ACRN_IOEVENTFD_FLAG_DEASSIGN) {
        ret = check_eventfd((int)args->fd);
        if (ret == 0) {
            ioeventfd_remove(hsm, (int)args->fd);
        }
        return ret;
    }
    if (args->addr + args->len < args->addr) {
        return -EINVAL;
    }
    ret = check_eventfd((int)args->fd);
    return ret == 0 ? ioeventfd_add(hsm, args) : ret;
}

static bool in_range(const Ioeventfd *one, bool pio, uint64_t addr, uint64_t size)
{
    return one->pio == pio && addr >= one->addr && size <= one->len &&
           addr - one->addr <= one->len - size;
}

bool hsm_ioeventfd_serve(Hsm *hsm, struct acrn_io_request *req)
{
    const bool pio = req->type == ACRN_IOREQ_TYPE_PORTIO;
    const struct acrn_mmio_request *mmio = &req->reqs.mmio_request;
    uint64_t value = pio ? req->reqs.pio_request.value : mmio->value;
    const uint64_t one = 1;
    bool ours = false;

    if (req->type != ACRN_IOREQ_TYPE_PORTIO && req->type != ACRN_IOREQ_TYPE_MMIO) {
        return false;
    }
    for (guint i = 0; i < hsm->ioeventfds->len && !ours; i++) {
        ours =
            in_range(&g_array_index(hsm->ioeventfds, Ioeventfd, i), pio, mmio->address, mmio->size);
    }
    if (!ours) {
        return false;
    }
    if (mmio->direction == ACRN_IOREQ_DIR_READ) {
        req->reqs.mmio_request.value = 0;
        return true;
    }
    for (guint i = 0; i < hsm->ioeventfds->len; i++) {
        const Ioeventfd *e = &g_array_index(hsm->ioeventfds, Ioeventfd, i);

        if (e->pio == pio && e->addr == mmio->address && e->len >= mmio->size &&
            (e->wildcard || e->data == value)) {
            if (write(e->fd, &one, sizeof(one)) < 0) {
                acrn_log("hsm: ioeventfd at 0x%" G_GINT64_MODIFIER "x: %s", e->addr,
                         g_strerror(errno));
            }
            return true;
        }
    }
    ACRN_COUNT(swallowed);
    return true;
}

/* ---- irqfds ---- */

static void inject(Hsm *hsm, const Irqfd *irqfd)
{
    hv_call(ACRN_HC_INJECT_MSI, hsm->vmid, (uintptr_t)&irqfd->msi);
}

/* Under the VM's lock the list is asked again: a removed one is not found any more. */
static void signalled(Hsm *hsm, int epoll)
{
    struct epoll_event event;

    pthread_mutex_lock(&hsm->lock);
    for (guint i = 0; i < hsm->irqfds->len; i++) {
        const Irqfd *irqfd = &g_array_index(hsm->irqfds, Irqfd, i);

        if (irqfd->epoll == epoll && epoll_wait(epoll, &event, 1, 0) > 0) {
            inject(hsm, irqfd);
        }
    }
    pthread_mutex_unlock(&hsm->lock);
}

static gpointer irq_thread(gpointer data)
{
    Hsm *hsm = data;
    struct epoll_event events[16];

    for (;;) {
        int n = epoll_wait(hsm->irq_epoll, events, G_N_ELEMENTS(events), -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == hsm->irq_stop) {
                return NULL;
            }
            signalled(hsm, events[i].data.fd);
        }
    }
}

static bool watch(int set, int fd, uint32_t how)
{
    struct epoll_event event = { .events = how, .data.fd = fd };

    return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool start_irq_thread(Hsm *hsm)
{
    sigset_t all, old;

    if (hsm->irq_thread) {
        return true;
    }
    hsm->irq_epoll = epoll_create1(EPOLL_CLOEXEC);
    hsm->irq_stop = eventfd(0, EFD_CLOEXEC);
    if (hsm->irq_epoll < 0 || hsm->irq_stop < 0 || !watch(hsm->irq_epoll, hsm->irq_stop, EPOLLIN)) {
        return false;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    hsm->irq_thread = g_thread_new("acrn-irqfd", irq_thread, hsm);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return true;
}

static void irqfd_close(const Irqfd *irqfd)
{
    close(irqfd->epoll);
    close(irqfd->fd);
}

static void irqfd_remove(Hsm *hsm, int fd)
{
    for (guint i = 0; i < hsm->irqfds->len; i++) {
        Irqfd irqfd = g_array_index(hsm->irqfds, Irqfd, i);

        if (same_eventfd(irqfd.fd, fd)) {
            g_array_remove_index(hsm->irqfds, i);
            irqfd_close(&irqfd);
            return;
        }
    }
}

static long irqfd_add(Hsm *hsm, const struct acrn_irqfd *args)
{
    Irqfd irqfd = { .msi = args->msi };
    g_auto(Fd) fd = -1, epoll = -1;

    for (guint i = 0; i < hsm->irqfds->len; i++) {
        if (same_eventfd(g_array_index(hsm->irqfds, Irqfd, i).fd, args->fd)) {
            return -EBUSY;
        }
    }
    fd = fcntl(args->fd, F_DUPFD_CLOEXEC, 0);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0 || epoll < 0 || !start_irq_thread(hsm)) {
        return -ENOMEM;
    }
    /* Edge triggered: each write is one event, and the counter is left alone. What is there
     * already is the first. */
    if (!watch(epoll, fd, EPOLLIN | EPOLLET) || !watch(hsm->irq_epoll, epoll, EPOLLIN)) {
        return -ENOMEM;
    }
    irqfd.fd = fd_steal(&fd);
    irqfd.epoll = fd_steal(&epoll);
    g_array_append_val(hsm->irqfds, irqfd);
    return 0;
}

long hsm_irqfd(Hsm *hsm, const struct acrn_irqfd *args)
{
    long ret = check_eventfd(args->fd);

    if (ret != 0) {
        return ret;
    }
    if (args->flags & ACRN_IRQFD_FLAG_DEASSIGN) {
        irqfd_remove(hsm, args->fd);
        return 0;
    }
    return irqfd_add(hsm, args);
}

void hsm_eventfds_close(Hsm *hsm)
{
    const uint64_t one = 1;

    if (hsm->irq_thread) {
        if (write(hsm->irq_stop, &one, sizeof(one)) < 0) {
            g_error("acrn model: cannot stop a thread: %s", g_strerror(errno));
        }
        g_clear_pointer(&hsm->irq_thread, g_thread_join);
    }
    pthread_mutex_lock(&hsm->lock);
    for (guint i = 0; i < hsm->irqfds->len; i++) {
        irqfd_close(&g_array_index(hsm->irqfds, Irqfd, i));
    }
    g_array_set_size(hsm->irqfds, 0);
    for (guint i = 0; i < hsm->ioeventfds->len; i++) {
        close(g_array_index(hsm->ioeventfds, Ioeventfd, i).fd);
    }
    g_array_set_size(hsm->ioeventfds, 0);
    if (hsm->irq_epoll >= 0) {
        close(hsm->irq_epoll);
    }
    if (hsm->irq_stop >= 0) {
        close(hsm->irq_stop);
    }
    hsm->irq_epoll = hsm->irq_stop = -1;
    pthread_mutex_unlock(&hsm->lock);
}
