/* SPDX-License-Identifier: GPL-2.0-or-later
 * -netdev user: a network of the guest's own behind a TCP/IP stack in this program (libslirp),
 * which needs no rights. The stack is not for several threads at once: one thread of ours polls its
 * sockets, and whoever else wants something of it takes its lock. Packets wait between that thread
 * and the others in two bounded queues.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "memory/memory.h"
#include "user-priv.h"
#include "util/error.h"
#include "util/iov.h"

enum {
    FROM_GUEST_MAX = 1024, /* packets; then the guest waits */
    TO_GUEST_MAX = 4096,   /* then they are lost, and TCP sends them again */
};

typedef struct {
    UserNet user; /* first */
    GThread *thread;
    int wake_fd;
    gint stopping, ready;        /* atomic */
    GArray *polls;               /* of struct pollfd; the thread's; the first is wake_fd */
    GPtrArray *timers;           /* of Timer; user.lock */
    pthread_mutex_t q_lock;      /* leaf, of: */
    GQueue from_guest, to_guest; /* of GBytes */
    bool guest_waits;
} Stack;

typedef struct {
    SlirpTimerId id;
    void *opaque;
    int64_t when; /* ms; -1: not set */
} Timer;

/* ---- what the stack calls, user.lock held ---- */

static ssize_t cb_send_packet(const void *buf, size_t len, void *opaque)
{
    Stack *s = opaque;

    pthread_mutex_lock(&s->q_lock);
    if (g_queue_get_length(&s->to_guest) < TO_GUEST_MAX && len > 0) {
        g_queue_push_tail(&s->to_guest, g_bytes_new(buf, len));
    }
    pthread_mutex_unlock(&s->q_lock);
    return len;
}

static void cb_guest_error(const char *msg, void *opaque)
{
    /* The guest can cause it at will: not for the log. */
    g_debug("%s", msg);
}

static int64_t cb_clock(void *opaque)
{
    return g_get_monotonic_time() * 1000;
}

static void *cb_timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
    Stack *s = opaque;
    Timer *timer = g_new0(Timer, 1);

    timer->id = id;
    timer->opaque = cb_opaque;
    timer->when = -1;
    g_ptr_array_add(s->timers, timer);
    return timer;
}

static void cb_timer_free(void *timer, void *opaque)
{
    g_ptr_array_remove(((Stack *)opaque)->timers, timer);
}

static void cb_timer_mod(void *timer, int64_t when, void *opaque)
{
    ((Timer *)timer)->when = when;
    net_user_wake(opaque);
}

static void cb_poll_fd(int fd, void *opaque)
{
    /* Which descriptors count is asked for before each poll. */
}

static void cb_notify(void *opaque)
{
    net_user_wake(opaque);
}

static const SlirpCb callbacks = {
    .send_packet = cb_send_packet,
    .guest_error = cb_guest_error,
    .clock_get_ns = cb_clock,
    .timer_new_opaque = cb_timer_new,
    .timer_free = cb_timer_free,
    .timer_mod = cb_timer_mod,
    .register_poll_fd = cb_poll_fd,
    .unregister_poll_fd = cb_poll_fd,
    .notify = cb_notify,
};

/* ---- the thread ---- */

static const struct {
    int slirp, poll;
} poll_bits[] = {
    { SLIRP_POLL_IN, POLLIN },   { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI },
    { SLIRP_POLL_ERR, POLLERR }, { SLIRP_POLL_HUP, POLLHUP },
};

static int add_poll(int fd, int events, void *opaque)
{
    Stack *s = opaque;
    struct pollfd p = { .fd = fd };

    for (unsigned i = 0; i < G_N_ELEMENTS(poll_bits); i++) {
        p.events |= (events & poll_bits[i].slirp) ? poll_bits[i].poll : 0;
    }
    g_array_append_val(s->polls, p);
    return s->polls->len - 1;
}

static int get_revents(int index, void *opaque)
{
    Stack *s = opaque;
    int revents, events = 0;

    if (index < 1 || (unsigned)index >= s->polls->len) {
        return 0;
    }
    revents = g_array_index(s->polls, struct pollfd, index).revents;
    for (unsigned i = 0; i < G_N_ELEMENTS(poll_bits); i++) {
        events |= (revents & poll_bits[i].poll) ? poll_bits[i].slirp : 0;
    }
    return events;
}

/* [user.lock] Milliseconds until the first timer, at most max. */
static int run_timers(Stack *s, uint32_t max)
{
    int64_t now = cb_clock(NULL) / 1000000;

    for (unsigned i = 0; i < s->timers->len; i++) {
        Timer *timer = g_ptr_array_index(s->timers, i);

        if (timer->when >= 0 && timer->when <= now) {
            timer->when = -1;
            slirp_handle_timer(s->user.slirp, timer->id, timer->opaque);
        }
    }
    for (unsigned i = 0; i < s->timers->len; i++) {
        const Timer *timer = g_ptr_array_index(s->timers, i);

        if (timer->when >= 0) {
            max = MIN(max, (uint32_t)CLAMP(timer->when - now, 0, 1000000));
        }
    }
    return max > INT32_MAX ? -1 : (int)max;
}

/* Packets of the guest into the stack. */
static void take_from_guest(Stack *s)
{
    GQueue all;
    GBytes *packet;
    bool tell;

    pthread_mutex_lock(&s->q_lock);
    all = s->from_guest;
    g_queue_init(&s->from_guest);
    tell = s->guest_waits;
    s->guest_waits = false;
    pthread_mutex_unlock(&s->q_lock);
    if (tell) {
        net_ready(s->user.nc, 0);
    }
    pthread_mutex_lock(&s->user.lock);
    while ((packet = g_queue_pop_head(&all)) != NULL) {
        gsize len;
        const uint8_t *data = g_bytes_get_data(packet, &len);

        slirp_input(s->user.slirp, data, len);
        g_bytes_unref(packet);
    }
    pthread_mutex_unlock(&s->user.lock);
}

/* Only the thread takes out, so what is at the head stays there meanwhile. */
static GBytes *next_to_guest(Stack *s, bool drop_first)
{
    GBytes *packet;

    pthread_mutex_lock(&s->q_lock);
    if (drop_first) {
        g_bytes_unref(g_queue_pop_head(&s->to_guest));
    }
    packet = g_queue_peek_head(&s->to_guest);
    pthread_mutex_unlock(&s->q_lock);
    return packet;
}

static void give_to_guest(Stack *s)
{
    GBytes *packet = next_to_guest(s, false);

    while (packet != NULL) {
        struct iovec iov;
        gsize len;

        iov.iov_base = (void *)g_bytes_get_data(packet, &len);
        iov.iov_len = len;
        g_atomic_int_set(&s->ready, 0);
        if (net_send(s->user.nc, 0, &iov, 1) == NET_BUSY) {
            if (!g_atomic_int_get(&s->ready)) {
                return;
            }
            continue;
        }
        packet = next_to_guest(s, true);
    }
}

static void *user_thread(void *opaque)
{
    Stack *s = opaque;

    memory_thread_register();
    while (!g_atomic_int_get(&s->stopping)) {
        uint32_t timeout = UINT32_MAX;
        eventfd_t count;
        int ms, n;

        g_array_set_size(s->polls, 1);
        pthread_mutex_lock(&s->user.lock);
        while (s->user.visitors > 0) {
            pthread_cond_wait(&s->user.changed, &s->user.lock);
        }
        slirp_pollfds_fill(s->user.slirp, &timeout, add_poll, s);
        ms = run_timers(s, timeout);
        s->user.sleeping = true;
        pthread_mutex_unlock(&s->user.lock);
        give_to_guest(s);
        n = poll((struct pollfd *)s->polls->data, s->polls->len, ms);
        if (n > 0 && eventfd_read(s->wake_fd, &count) != 0) {
            g_assert(errno == EAGAIN);
        }
        pthread_mutex_lock(&s->user.lock);
        s->user.sleeping = false;
        pthread_cond_broadcast(&s->user.changed);
        slirp_pollfds_poll(s->user.slirp, n < 0, get_revents, s);
        pthread_mutex_unlock(&s->user.lock);
        take_from_guest(s);
        net_user_guestfwds_ready(&s->user);
        give_to_guest(s);
    }
    memory_thread_unregister();
    return NULL;
}

/* ---- the back end ---- */

void net_user_wake(UserNet *user)
{
    if (eventfd_write(((Stack *)user)->wake_fd, 1) != 0) {
        g_assert(errno == EAGAIN);
    }
}

void net_user_enter(UserNet *user)
{
    pthread_mutex_lock(&user->lock);
    user->visitors++;
    while (user->sleeping) {
        net_user_wake(user);
        pthread_cond_wait(&user->changed, &user->lock);
    }
}

void net_user_leave(UserNet *user)
{
    user->visitors--;
    pthread_cond_broadcast(&user->changed);
    pthread_mutex_unlock(&user->lock);
}

static NetVerdict user_receive(void *opaque, unsigned queue, const struct iovec *iov, unsigned n)
{
    Stack *s = opaque;
    uint64_t size = iov_size(iov, n);
    uint8_t *copy;
    bool was_empty;

    if (size < NET_ETH_HEADER || size > NET_MAX_PACKET) {
        return NET_TAKEN;
    }
    pthread_mutex_lock(&s->q_lock);
    if (g_queue_get_length(&s->from_guest) >= FROM_GUEST_MAX) {
        s->guest_waits = true;
        pthread_mutex_unlock(&s->q_lock);
        return NET_BUSY;
    }
    copy = g_malloc(size);
    iov_to_buf(iov, n, 0, copy, size);
    was_empty = g_queue_is_empty(&s->from_guest);
    g_queue_push_tail(&s->from_guest, g_bytes_new_take(copy, size));
    pthread_mutex_unlock(&s->q_lock);
    if (was_empty) {
        net_user_wake(&s->user);
    }
    return NET_TAKEN;
}

static void user_peer_ready(void *opaque, unsigned queue)
{
    Stack *s = opaque;

    g_atomic_int_set(&s->ready, 1);
    net_user_wake(&s->user);
}

static void user_close(void *opaque)
{
    Stack *s = opaque;

    if (s->thread != NULL) {
        g_atomic_int_set(&s->stopping, 1);
        net_user_wake(&s->user);
        g_thread_join(s->thread);
    }
    if (s->user.slirp != NULL) {
        slirp_cleanup(s->user.slirp);
    }
    net_user_free_guestfwds(&s->user);
    g_queue_clear_full(&s->to_guest, (GDestroyNotify)g_bytes_unref);
    g_queue_clear_full(&s->from_guest, (GDestroyNotify)g_bytes_unref);
    fd_clear(&s->wake_fd);
    g_array_unref(s->polls);
    g_ptr_array_unref(s->timers);
    pthread_mutex_destroy(&s->q_lock);
    pthread_cond_destroy(&s->user.changed);
    pthread_mutex_destroy(&s->user.lock);
    g_free(s->user.id);
    g_free(s);
}

const NetOps net_user_ops = {
    .type = "user",
    .receive = user_receive,
    .peer_ready = user_peer_ready,
    .close = user_close,
};

UserNet *net_user_of(NetClient *nc)
{
    return nc->ops == &net_user_ops ? nc->opaque : NULL;
}

NetClient *net_user_start(const char *id, const SlirpConfig *config, const char *info,
                          UserNet **user, GError **error)
{
    Stack *s = g_new0(Stack, 1);
    struct pollfd first = { .events = POLLIN };

    s->user.id = g_strdup(id);
    s->user.guest = config->vdhcp_start;
    s->user.ipv6 = config->in6_enabled;
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->timers = g_ptr_array_new_with_free_func(g_free);
    s->polls = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
    first.fd = s->wake_fd;
    g_array_append_val(s->polls, first);
    g_queue_init(&s->to_guest);
    g_queue_init(&s->from_guest);
    pthread_mutex_init(&s->user.lock, NULL);
    pthread_mutex_init(&s->q_lock, NULL);
    pthread_cond_init(&s->user.changed, NULL);
    s->user.nc = net_backend_new(&net_user_ops, s, id, 1, false, info);
    *user = &s->user;
    if (s->wake_fd < 0) {
        error_set_errno(error, errno, "cannot make an eventfd");
        net_client_free(s->user.nc);
        return NULL;
    }
    s->user.slirp = slirp_new(config, &callbacks, s);
    if (s->user.slirp == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "libslirp refuses this network");
        net_client_free(s->user.nc);
        return NULL;
    }
    s->thread = g_thread_try_new("user-net", user_thread, s, error);
    if (s->thread == NULL) {
        net_client_free(s->user.nc);
        return NULL;
    }
    return s->user.nc;
}
