/* SPDX-License-Identifier: GPL-2.0-or-later
 * See nbd-link.h. A thread moves the bytes of all requests; who sent one waits until its last
 * answer has come. A server that answers nothing for a minute is given up: the connection is
 * closed, after which nothing touches the requests' buffers any more.
 */
#include "nbd-link.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/error.h"

enum { NBD_TIMEOUT_MS = 60 * 1000 };

static int64_t now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

static void wake(NbdLink *link)
{
    if (eventfd_write(link->wake_fd, 1) != 0) {
        g_assert(errno == EAGAIN); /* it is readable then */
    }
}

/* ---- the thread ---- */

static void give_up(NbdLink *link)
{
    nbd_close(link->nbd);
    link->nbd = NULL;
    link->dead = true;
    for (guint i = 0; i < link->requests->len; i++) {
        NbdRequest *r = g_ptr_array_index(link->requests, i);

        r->result = -ETIMEDOUT;
        r->pending = 0;
    }
    g_ptr_array_set_size(link->requests, 0);
    pthread_cond_broadcast(&link->changed);
}

/* The directions were asked for before poll(); a command that was sent meanwhile changes them. */
static void notify(NbdLink *link, short revents)
{
    unsigned direction = nbd_aio_get_direction(link->nbd);

    if (direction & LIBNBD_AIO_DIRECTION_READ && revents & (POLLIN | POLLHUP | POLLERR)) {
        nbd_aio_notify_read(link->nbd);
    } else if (direction & LIBNBD_AIO_DIRECTION_WRITE && revents & (POLLOUT | POLLHUP | POLLERR)) {
        nbd_aio_notify_write(link->nbd);
    }
}

/* With the lock held but while it sleeps. FALSE: there is nothing to look at any more. */
static bool turn(NbdLink *link)
{
    struct pollfd fds[2] = { { .fd = link->wake_fd, .events = POLLIN }, { .fd = -1 } };
    unsigned direction;
    int timeout = -1;
    eventfd_t count;

    link->dead |= nbd_aio_is_dead(link->nbd) || nbd_aio_is_closed(link->nbd);
    if (link->dead) {
        return false;
    }
    direction = nbd_aio_get_direction(link->nbd);
    fds[1].fd = nbd_aio_get_fd(link->nbd);
    fds[1].events = (direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
                    (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0);
    if (link->requests->len > 0) {
        timeout = MAX(link->progress + NBD_TIMEOUT_MS - now_ms(), 0);
    }
    pthread_mutex_unlock(&link->lock);
    if (poll(fds, G_N_ELEMENTS(fds), timeout) < 0) {
        g_assert(errno == EINTR);
        fds[1].revents = 0;
    }
    if (eventfd_read(link->wake_fd, &count) != 0) {
        g_assert(errno == EAGAIN);
    }
    pthread_mutex_lock(&link->lock);
    if (fds[1].revents != 0) {
        notify(link, fds[1].revents);
    } else if (link->requests->len > 0 && now_ms() >= link->progress + NBD_TIMEOUT_MS) {
        give_up(link);
        return false;
    }
    return true;
}

static void *run(void *opaque)
{
    NbdLink *link = opaque;

    pthread_mutex_lock(&link->lock);
    while (!link->stopping && turn(link)) {
    }
    pthread_mutex_unlock(&link->lock);
    return NULL;
}

/* ---- requests ---- */

void nbd_request_begin(NbdRequest *r, NbdLink *link)
{
    *r = (NbdRequest){ .link = link };
    pthread_mutex_lock(&link->lock);
    if (link->dead) {
        r->result = -ESHUTDOWN;
        return;
    }
    if (link->requests->len == 0) {
        link->progress = now_ms();
    }
    g_ptr_array_add(link->requests, r);
}

/* Called inside libnbd's functions, so under the lock; also when the connection has broken. */
static int answered(void *opaque, int *error)
{
    NbdRequest *r = opaque;

    r->link->progress = now_ms();
    if (*error != 0 && r->result == 0) {
        r->result = -*error;
    }
    if (--r->pending == 0) {
        pthread_cond_broadcast(&r->link->changed);
    }
    return 1; /* the command is done with */
}

nbd_completion_callback nbd_request_callback(NbdRequest *r)
{
    r->pending++; /* at once: the answer may be there before the function returns */
    return (nbd_completion_callback){ .callback = answered, .user_data = r };
}

void nbd_request_sent(NbdRequest *r, int64_t cookie)
{
    int error = cookie < 0 ? nbd_get_errno() : 0;

    if (cookie < 0) {
        r->pending--;
        r->result = error > 0 ? -error : -EIO;
    }
}

int nbd_request_end(NbdRequest *r)
{
    NbdLink *link = r->link;

    if (r->pending > 0) {
        wake(link);
    }
    while (r->pending > 0) {
        pthread_cond_wait(&link->changed, &link->lock);
    }
    g_ptr_array_remove_fast(link->requests, r);
    pthread_mutex_unlock(&link->lock);
    return r->result;
}

/* ---- life ---- */

bool nbd_link_start(NbdLink *link, struct nbd_handle *nbd, GError **error)
{
    *link = (NbdLink){ .nbd = nbd, .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    pthread_mutex_init(&link->lock, NULL);
    pthread_cond_init(&link->changed, NULL);
    link->requests = g_ptr_array_new();
    if (link->wake_fd < 0) {
        error_set_errno(error, errno, "cannot create an eventfd");
        return false;
    }
    link->thread = g_thread_try_new("nbd", run, link, error);
    return link->thread != NULL;
}

void nbd_link_stop(NbdLink *link)
{
    if (link->thread != NULL) {
        pthread_mutex_lock(&link->lock);
        link->stopping = true;
        pthread_mutex_unlock(&link->lock);
        wake(link);
        g_thread_join(link->thread);
    }
    if (link->nbd != NULL) {
        if (!link->dead) {
            nbd_shutdown(link->nbd, 0);
        }
        nbd_close(link->nbd);
    }
    if (link->wake_fd >= 0) {
        close(link->wake_fd);
    }
    g_ptr_array_unref(link->requests);
    pthread_cond_destroy(&link->changed);
    pthread_mutex_destroy(&link->lock);
}
