/* SPDX-License-Identifier: GPL-2.0-or-later
 * The IRQFD function: each write to an eventfd rings the doorbell of that label. As the kernel,
 * the model hooks itself to the eventfd without keeping its file open: an epoll set per irqfd that
 * was given a temporary duplicate. A thread per VM waits on those sets.
 *
 * On android14 a record that never met its doorbell stays hooked when the function is removed
 * (facts 1.3, eventfd lifetime hazard): such ones go to a list that reports every later write.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gunyah-priv.h"
#include "util/fd.h"

static pthread_mutex_t dangling_lock = PTHREAD_MUTEX_INITIALIZER;
static int dangling_epoll = -1;

/* An event since the last look. */
static bool rang(int epoll)
{
    struct epoll_event event;

    return epoll_wait(epoll, &event, 1, 0) > 0;
}

/* With fn_lock. */
static void handle_ring(Irqfd *irqfd)
{
    if (!rang(irqfd->epoll)) {
        return;
    }
    if (!irqfd->bound) {
        MODEL_COUNT(premature_bells);
        model_log("irqfd %u: premature injection of interrupt", irqfd->label);
        return;
    }
    irqfd->vm->ops->vm_pend_spi(irqfd->vm->engine, irqfd->spi);
}

static gpointer irq_thread(gpointer opaque)
{
    GhVm *vm = opaque;

    for (;;) {
        struct pollfd fds[2] = { { vm->irq_epoll, POLLIN, 0 }, { vm->irq_stop, POLLIN, 0 } };
        struct epoll_event events[16];
        int n;

        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            return NULL;
        }
        if (fds[1].revents) {
            return NULL;
        }
        /* Asked again under the lock: START and REMOVE must see no event half taken. */
        pthread_mutex_lock(&vm->fn_lock);
        n = epoll_wait(vm->irq_epoll, events, G_N_ELEMENTS(events), 0);
        for (int i = 0; i < n; i++) {
            handle_ring(events[i].data.ptr);
        }
        pthread_mutex_unlock(&vm->fn_lock);
    }
}

static int start_thread(GhVm *vm)
{
    sigset_t all, old;

    if (vm->irq_thread) {
        return 0;
    }
    vm->irq_epoll = epoll_create1(EPOLL_CLOEXEC);
    vm->irq_stop = eventfd(0, EFD_CLOEXEC);
    if (vm->irq_epoll < 0 || vm->irq_stop < 0) {
        return -ENOMEM;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    vm->irq_thread = g_thread_new("gunyah-irqfd", irq_thread, vm);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return 0;
}

/* A set that reports each write to fd once, and does not hold fd's file. */
static int watch_eventfd(int fd)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLET };
    g_auto(Fd) epoll = epoll_create1(EPOLL_CLOEXEC);
    g_auto(Fd) copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (epoll < 0 || copy < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, copy, &event) < 0) {
        return -ENOMEM;
    }
    return fd_steal(&epoll);
}

/* The doorbell with this label, if START has made it. */
static void populate(Irqfd *irqfd)
{
    const GArray *bells = irqfd->vm->config && irqfd->vm->engine ? irqfd->vm->config->bells : NULL;

    for (guint i = 0; bells && i < bells->len; i++) {
        const RmBell *bell = &g_array_index(bells, RmBell, i);

        if (bell->label == irqfd->label) {
            irqfd->spi = bell->spi;
            irqfd->bound = true;
        }
    }
}

static bool label_taken(GhVm *vm, uint32_t label)
{
    for (guint i = 0; i < vm->irqfds->len; i++) {
        if (((Irqfd *)g_ptr_array_index(vm->irqfds, i))->label == label) {
            return true;
        }
    }
    return false;
}

int irqfd_add(GhVm *vm, const void *data, uint32_t size)
{
    const struct gh_fn_irqfd_arg *arg = data;
    struct epoll_event event = { .events = EPOLLIN };
    Irqfd *irqfd;
    int ret;

    if (size != sizeof(*arg) || arg->flags & ~GH_IRQFD_FLAGS_LEVEL) {
        return -EINVAL;
    }
    ret = eventfd_check((int)arg->fd);
    if (ret < 0) {
        return ret;
    }
    if (label_taken(vm, arg->label)) {
        return -EEXIST;
    }
    ret = start_thread(vm);
    if (ret < 0) {
        return ret;
    }
    ret = watch_eventfd((int)arg->fd);
    if (ret < 0) {
        return ret;
    }
    irqfd = g_new0(Irqfd, 1);
    irqfd->vm = vm;
    irqfd->label = arg->label;
    irqfd->level = arg->flags & GH_IRQFD_FLAGS_LEVEL;
    irqfd->epoll = ret;
    /* What it already counts is dropped, whether or not the doorbell is there. */
    handle_ring(irqfd);
    populate(irqfd);
    event.data.ptr = irqfd;
    if (epoll_ctl(vm->irq_epoll, EPOLL_CTL_ADD, irqfd->epoll, &event) < 0) {
        close(irqfd->epoll);
        g_free(irqfd);
        return -ENOMEM;
    }
    g_ptr_array_add(vm->irqfds, irqfd);
    return 0;
}

void irqfd_populate(GhVm *vm)
{
    for (guint i = 0; i < vm->irqfds->len; i++) {
        Irqfd *irqfd = g_ptr_array_index(vm->irqfds, i);

        handle_ring(irqfd);
        populate(irqfd);
        if (!irqfd->bound) {
            model_log("irqfd %u: no doorbell of this label in the device tree", irqfd->label);
        }
    }
}

/* ---- the hazard ---- */

static gpointer dangling_thread(gpointer unused)
{
    for (;;) {
        struct epoll_event event;

        if (epoll_wait(dangling_epoll, &event, 1, -1) == 1) {
            while (rang((int)(event.data.u64 >> 32))) {
                MODEL_COUNT(dangling_writes);
                model_log("irqfd %u: its eventfd was written after the function was removed: "
                          "the kernel uses freed memory here",
                          (uint32_t)event.data.u64);
            }
        }
    }
    return NULL;
}

/* The file is still open somewhere as long as the set lists it. */
static bool still_open(int epoll)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fdinfo/%d", epoll);
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) && strstr(text, "tfd:");
}

static void leave_dangling(const Irqfd *irqfd)
{
    struct epoll_event event = { .events = EPOLLIN };

    MODEL_COUNT(dangling_irqfds);
    model_log("irqfd %u: removed without a doorbell while its eventfd is open: the kernel leaves "
              "a freed record on the eventfd (close the eventfd first)",
              irqfd->label);
    pthread_mutex_lock(&dangling_lock);
    if (dangling_epoll < 0) {
        dangling_epoll = epoll_create1(EPOLL_CLOEXEC);
        if (dangling_epoll >= 0) {
            sigset_t all, old;

            sigfillset(&all);
            pthread_sigmask(SIG_SETMASK, &all, &old);
            g_thread_unref(g_thread_new("gunyah-dangling", dangling_thread, NULL));
            pthread_sigmask(SIG_SETMASK, &old, NULL);
        }
    }
    event.data.u64 = (uint64_t)irqfd->epoll << 32 | irqfd->label;
    if (dangling_epoll < 0 || epoll_ctl(dangling_epoll, EPOLL_CTL_ADD, irqfd->epoll, &event) < 0) {
        close(irqfd->epoll);
    }
    pthread_mutex_unlock(&dangling_lock);
}

static void irqfd_free(Irqfd *irqfd)
{
    epoll_ctl(irqfd->vm->irq_epoll, EPOLL_CTL_DEL, irqfd->epoll, NULL);
    if (irqfd->vm->knobs.rev == REV_ANDROID14 && !irqfd->bound && still_open(irqfd->epoll)) {
        leave_dangling(irqfd);
    } else {
        close(irqfd->epoll);
    }
    g_free(irqfd);
}

bool irqfd_remove(GhVm *vm, uint32_t label)
{
    for (guint i = 0; i < vm->irqfds->len; i++) {
        Irqfd *irqfd = g_ptr_array_index(vm->irqfds, i);

        if (irqfd->label == label) {
            handle_ring(irqfd);
            g_ptr_array_remove_index_fast(vm->irqfds, i);
            irqfd_free(irqfd);
            return true;
        }
    }
    return false;
}

/* Teardown: nobody else reaches this VM any more, except its thread. */
void irqfd_remove_all(GhVm *vm)
{
    const uint64_t one = 1;

    if (!vm->irq_thread) {
        return;
    }
    if (write(vm->irq_stop, &one, sizeof(one)) == sizeof(one)) {
        g_thread_join(vm->irq_thread);
    }
    for (guint i = 0; i < vm->irqfds->len; i++) {
        irqfd_free(g_ptr_array_index(vm->irqfds, i));
    }
    g_ptr_array_set_size(vm->irqfds, 0);
    close(vm->irq_stop);
    close(vm->irq_epoll);
}
