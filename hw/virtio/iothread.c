/* SPDX-License-Identifier: GPL-2.0-or-later
 * The I/O thread: one epoll set, handlers called one at a time under the thread's lock, so that
 * ending a watch from outside waits for the handler and none runs afterwards. Watches are found by
 * number, never by pointer: an event that epoll reported before its watch ended finds nothing.
 */
#include "hw/virtio/iothread.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "memory/memory.h"
#include "util/error.h"
#include "util/fd.h"

typedef struct {
    uint64_t id;
    int fd;
    IoThreadFn fn;
    void *opaque;
} Watch;

struct IoThread {
    GThread *thread;
    int epoll_fd;
    uint64_t stop_id; /* the watch of stop_fd */
    int stop_fd;
    bool stopping; /* the thread's */
    IoThreadPolling polling;
    uint64_t poll_ns; /* how long to look now; the thread's */
    GRecMutex lock;   /* watches, next_id; held while a handler runs */
    GArray *watches;  /* of Watch: few, searched linearly */
    uint64_t next_id;
    pthread_mutex_t tid_lock;
    pthread_cond_t tid_known;
    pid_t tid; /* 0: not known yet */
};

static Watch *find_watch(IoThread *t, uint64_t id, unsigned *index)
{
    for (unsigned i = 0; i < t->watches->len; i++) {
        Watch *w = &g_array_index(t->watches, Watch, i);

        if (w->id == id) {
            *index = i;
            return w;
        }
    }
    return NULL;
}

static void dispatch(IoThread *t, uint64_t id)
{
    unsigned index;
    Watch *found;

    g_rec_mutex_lock(&t->lock);
    found = find_watch(t, id, &index);
    if (found != NULL) {
        Watch w = *found; /* the handler may end its own watch */

        w.fn(w.opaque);
    }
    g_rec_mutex_unlock(&t->lock);
}

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t iothread_next_poll_ns(const IoThreadPolling *polling, uint64_t poll_ns, uint64_t waited)
{
    enum { FIRST_NS = 4000 };
    uint64_t grow = polling->grow != 0 ? polling->grow : 2;

    if (waited <= poll_ns) {
        return poll_ns;
    }
    if (waited > polling->max_ns) {
        return polling->shrink != 0 ? poll_ns / polling->shrink : 0;
    }
    if (poll_ns == 0) {
        return MIN(FIRST_NS, polling->max_ns);
    }
    return poll_ns > polling->max_ns / grow ? polling->max_ns : poll_ns * grow;
}

static int wait_for_events(IoThread *t, struct epoll_event *events, int max)
{
    uint64_t began, waited = 0;
    int n = 0;

    if (t->polling.max_ns == 0) {
        return epoll_wait(t->epoll_fd, events, max, -1);
    }
    began = now_ns();
    while (n == 0 && waited < t->poll_ns) {
        n = epoll_wait(t->epoll_fd, events, max, 0);
        waited = now_ns() - began;
    }
    if (n == 0) {
        n = epoll_wait(t->epoll_fd, events, max, -1);
        waited = now_ns() - began;
    }
    t->poll_ns = iothread_next_poll_ns(&t->polling, t->poll_ns, waited);
    return n;
}

static void *iothread_main(void *opaque)
{
    enum { MAX_EVENTS = 16 };
    struct epoll_event events[MAX_EVENTS];
    IoThread *t = opaque;

    pthread_mutex_lock(&t->tid_lock);
    t->tid = gettid();
    pthread_cond_broadcast(&t->tid_known);
    pthread_mutex_unlock(&t->tid_lock);
    memory_thread_register();
    while (!t->stopping) {
        int n = wait_for_events(t, events, MAX_EVENTS);

        g_assert(n >= 0 || errno == EINTR);
        for (int i = 0; i < n; i++) {
            dispatch(t, events[i].data.u64);
        }
    }
    memory_thread_unregister();
    return NULL;
}

static void stop(void *opaque)
{
    IoThread *t = opaque;

    t->stopping = true;
}

static void iothread_destroy(IoThread *t)
{
    fd_clear(&t->epoll_fd);
    fd_clear(&t->stop_fd);
    g_array_unref(t->watches);
    g_rec_mutex_clear(&t->lock);
    pthread_cond_destroy(&t->tid_known);
    pthread_mutex_destroy(&t->tid_lock);
    g_free(t);
}

IoThread *iothread_new(const char *name, const IoThreadPolling *polling, GError **error)
{
    IoThread *t = g_new0(IoThread, 1);

    t->polling = polling != NULL ? *polling : (IoThreadPolling){ .max_ns = IOTHREAD_POLL_MAX_NS };
    g_rec_mutex_init(&t->lock);
    pthread_mutex_init(&t->tid_lock, NULL);
    pthread_cond_init(&t->tid_known, NULL);
    t->watches = g_array_new(FALSE, FALSE, sizeof(Watch));
    t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    t->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->epoll_fd < 0 || t->stop_fd < 0) {
        error_set_errno(error, errno, "cannot create an I/O thread");
        iothread_destroy(t);
        return NULL;
    }
    t->stop_id = iothread_watch(t, t->stop_fd, stop, t, error);
    if (t->stop_id != 0) {
        t->thread = g_thread_try_new(name, iothread_main, t, error);
    }
    if (t->thread == NULL) {
        iothread_destroy(t);
        return NULL;
    }
    return t;
}

void iothread_free(IoThread *t)
{
    if (t == NULL) {
        return;
    }
    g_assert(g_thread_self() != t->thread);
    if (eventfd_write(t->stop_fd, 1) != 0) {
        g_error("cannot wake an I/O thread: %s", g_strerror(errno));
    }
    g_thread_join(t->thread);
    g_assert(t->watches->len == 1);
    iothread_destroy(t);
}

pid_t iothread_tid(IoThread *t)
{
    pid_t tid;

    pthread_mutex_lock(&t->tid_lock);
    while (t->tid == 0) {
        pthread_cond_wait(&t->tid_known, &t->tid_lock);
    }
    tid = t->tid;
    pthread_mutex_unlock(&t->tid_lock);
    return tid;
}

uint64_t iothread_watch(IoThread *t, int fd, IoThreadFn fn, void *opaque, GError **error)
{
    struct epoll_event event = { .events = EPOLLIN };
    Watch w = { .fd = fd, .fn = fn, .opaque = opaque };

    g_rec_mutex_lock(&t->lock);
    w.id = ++t->next_id;
    event.data.u64 = w.id;
    if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) {
        g_array_append_val(t->watches, w);
    } else {
        error_set_errno(error, errno, "cannot watch a file descriptor");
        w.id = 0;
    }
    g_rec_mutex_unlock(&t->lock);
    return w.id;
}

void iothread_unwatch(IoThread *t, uint64_t id)
{
    unsigned index;
    Watch *w;

    if (id == 0) {
        return;
    }
    g_rec_mutex_lock(&t->lock);
    w = find_watch(t, id, &index);
    g_assert(w != NULL);
    epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    g_array_remove_index_fast(t->watches, index);
    g_rec_mutex_unlock(&t->lock);
}
