/* SPDX-License-Identifier: GPL-2.0-or-later
 * Connections of the socket device and the host's side of them. A guest that connects to port P of
 * the host reaches the UNIX socket PATH_P; a program on the host connects to PATH, writes "CONNECT
 * P\n" and reads "OK N\n" once the guest has accepted. All sockets are non-blocking and watched by
 * one epoll descriptor, which the I/O thread watches.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "util/error.h"
#include "util/iov.h"
#include "virtio-vsock-priv.h"

enum {
    FIRST_PORT = 1 << 30,
    LISTENER_ID = 0,
};

/* ---- the list ---- */

static uint64_t ports_key(uint32_t host_port, uint32_t guest_port)
{
    return (uint64_t)host_port << 32 | guest_port;
}

VsockConn *vsock_find(VirtIOVsock *s, uint32_t host_port, uint32_t guest_port)
{
    uint64_t key = ports_key(host_port, guest_port);

    return g_hash_table_lookup(s->by_ports, &key);
}

static void add_ports(VirtIOVsock *s, VsockConn *c)
{
    uint64_t key = ports_key(c->host_port, c->guest_port);

    g_hash_table_insert(s->by_ports, g_memdup2(&key, sizeof(key)), c);
}

static void drop_ports(VirtIOVsock *s, VsockConn *c)
{
    uint64_t key = ports_key(c->host_port, c->guest_port);

    if (g_hash_table_lookup(s->by_ports, &key) == c) {
        g_hash_table_remove(s->by_ports, &key);
    }
}

static void conn_destroy(gpointer data)
{
    VsockConn *c = data;

    fd_clear(&c->fd);
    g_free(c->pending);
    g_free(c);
}

static void watch_listener(VirtIOVsock *s, bool on)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = LISTENER_ID };

    if (s->listener >= 0 && s->accepting != on) {
        s->accepting = on;
        epoll_ctl(s->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, s->listener, &event);
    }
}

static void close_fd(VirtIOVsock *s, VsockConn *c)
{
    if (c->fd >= 0) {
        epoll_ctl(s->epoll, EPOLL_CTL_DEL, c->fd, NULL);
        fd_clear(&c->fd);
    }
}

void vsock_conn_free(VirtIOVsock *s, VsockConn *c)
{
    close_fd(s, c);
    drop_ports(s, c);
    if (c->queued) {
        g_queue_remove(&s->ready, c);
    }
    g_hash_table_remove(s->by_id, &c->id);
    if (s->running) {
        watch_listener(s, true);
    }
}

/* Makes room by giving up one whose end the guest has not confirmed. */
static bool evict(VirtIOVsock *s)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, s->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        VsockConn *c = value;

        if (c->state == VSOCK_LINGERING && !c->queued) {
            vsock_conn_free(s, c);
            return true;
        }
    }
    return false;
}

static bool has_room(VirtIOVsock *s)
{
    return g_hash_table_size(s->by_id) < VSOCK_MAX_CONNS || evict(s);
}

/* Takes fd. */
static VsockConn *conn_new(VirtIOVsock *s, VsockState state, int fd)
{
    VsockConn *c = g_new0(VsockConn, 1);
    struct epoll_event event = { .data.u64 = ++s->next_id };

    c->id = s->next_id;
    c->state = state;
    c->fd = fd;
    c->guest_reads = true;
    c->guest_writes = true;
    c->host_writes = true;
    g_hash_table_insert(s->by_id, &c->id, c);
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        vsock_conn_free(s, c);
        return NULL;
    }
    return c;
}

void vsock_make_ready(VirtIOVsock *s, VsockConn *c)
{
    if (!c->queued) {
        c->queued = true;
        g_queue_push_tail(&s->ready, c);
    }
    virtio_queue_kick(s->rx);
}

void vsock_break(VirtIOVsock *s, VsockConn *c)
{
    if (c->state == VSOCK_HELLO) { /* the guest knows nothing of it */
        vsock_conn_free(s, c);
        return;
    }
    close_fd(s, c);
    c->state = VSOCK_LINGERING;
    c->rst = true;
    vsock_make_ready(s, c);
}

void vsock_host_gone(VirtIOVsock *s, VsockConn *c)
{
    close_fd(s, c);
    c->state = VSOCK_LINGERING;
    c->gone = true;
    vsock_make_ready(s, c);
}

bool vsock_is_hung_up(const VsockConn *c)
{
    struct pollfd pfd = { .fd = c->fd };

    return poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLHUP | POLLERR)) != 0;
}

/* ---- sockets ---- */

void vsock_update_watch(VirtIOVsock *s, VsockConn *c)
{
    struct epoll_event event = { .data.u64 = c->id };

    if (c->fd < 0) {
        return;
    }
    if (c->state == VSOCK_HELLO ||
        (c->state == VSOCK_ESTABLISHED && c->host_writes && c->guest_reads && !c->readable)) {
        event.events |= EPOLLIN;
    }
    if (c->pending_used > 0) {
        event.events |= EPOLLOUT;
    }
    if (event.events == 0) {
        event.events = EPOLLET; /* a hang-up is told in any case: once is enough */
    }
    if (event.events != c->watched) {
        c->watched = event.events;
        epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &event);
    }
}

static bool unix_address(struct sockaddr_un *address, const char *path, const uint32_t *port)
{
    int n = port != NULL
                ? snprintf(address->sun_path, sizeof(address->sun_path), "%s_%u", path, *port)
                : snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);

    address->sun_family = AF_UNIX;
    return n > 0 && (size_t)n < sizeof(address->sun_path);
}

VsockConn *vsock_connect(VirtIOVsock *s, uint32_t host_port, uint32_t guest_port)
{
    g_auto(Fd) fd = -1;
    struct sockaddr_un address = { 0 };
    VsockConn *c;

    if (!has_room(s) || !unix_address(&address, s->path, &host_port)) {
        return NULL;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        return NULL;
    }
    c = conn_new(s, VSOCK_ESTABLISHED, fd_steal(&fd));
    if (c != NULL) {
        c->host_port = host_port;
        c->guest_port = guest_port;
        add_ports(s, c);
    }
    return c;
}

static void accept_one(VirtIOVsock *s)
{
    g_auto(Fd) fd = -1;
    VsockConn *c;

    if (!has_room(s)) {
        watch_listener(s, false); /* they wait in the listener's queue */
        return;
    }
    fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    c = conn_new(s, VSOCK_HELLO, fd_steal(&fd));
    if (c != NULL) {
        vsock_update_watch(s, c);
    }
}

static uint32_t choose_port(VirtIOVsock *s, uint32_t guest_port)
{
    do {
        s->next_port = FIRST_PORT | ((s->next_port + 1) & (FIRST_PORT - 1));
    } while (vsock_find(s, s->next_port, guest_port) != NULL);
    return s->next_port;
}

/* FALSE: not a line that says whom it wants. */
static bool parse_hello(VsockConn *c)
{
    static const char word[] = "CONNECT ";
    char *digits = c->hello + strlen(word), *end;
    guint64 port;

    c->hello[c->hello_len - 1] = '\0'; /* was the newline */
    if (strncmp(c->hello, word, strlen(word)) != 0 || !g_ascii_isdigit(*digits)) {
        return false;
    }
    port = g_ascii_strtoull(digits, &end, 10);
    c->guest_port = port;
    return *end == '\0' && port <= UINT32_MAX;
}

/* Byte by byte: what follows the line is the guest's. */
static void read_hello(VirtIOVsock *s, VsockConn *c)
{
    ssize_t n;

    do {
        n = recv(c->fd, &c->hello[c->hello_len], 1, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        c->hello_len += MAX(n, 0);
    } while (n > 0 && c->hello_len < sizeof(c->hello) && c->hello[c->hello_len - 1] != '\n');
    if (n <= 0 || c->hello[c->hello_len - 1] != '\n' || !parse_hello(c)) {
        vsock_conn_free(s, c);
        return;
    }
    c->host_port = choose_port(s, c->guest_port);
    c->state = VSOCK_REQUESTED;
    c->request = true;
    add_ports(s, c);
    vsock_update_watch(s, c);
    vsock_make_ready(s, c);
}

void vsock_accepted(VirtIOVsock *s, VsockConn *c)
{
    char line[32];
    int n = snprintf(line, sizeof(line), "OK %u\n", c->host_port);

    c->state = VSOCK_ESTABLISHED;
    if (send(c->fd, line, n, MSG_NOSIGNAL | MSG_DONTWAIT) != n) { /* it is empty: gone */
        vsock_break(s, c);
        return;
    }
    vsock_update_watch(s, c);
}

/* ---- bytes to the host ---- */

static void consumed(VirtIOVsock *s, VsockConn *c, size_t n)
{
    c->fwd_cnt += n;
    if (c->fwd_cnt - c->told_fwd_cnt >= VSOCK_BUF_ALLOC / 2) {
        c->credit_update = true;
        vsock_make_ready(s, c);
    }
}

/* All that the guest wrote is with the host. */
static void drained(VirtIOVsock *s, VsockConn *c)
{
    if (c->guest_writes) {
        return;
    }
    shutdown(c->fd, SHUT_WR);
    if (!c->guest_reads) {
        vsock_break(s, c); /* section 5.10.6.5: confirms that both ways are shut */
    }
}

/* TRUE: still there. */
static bool check_sent(VirtIOVsock *s, VsockConn *c, ssize_t n)
{
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        vsock_break(s, c);
        return false;
    }
    if (n > 0) {
        consumed(s, c, n);
    }
    return true;
}

static void flush_pending(VirtIOVsock *s, VsockConn *c)
{
    size_t run = MIN(c->pending_used, VSOCK_BUF_ALLOC - c->pending_head);
    ssize_t n = send(c->fd, c->pending + c->pending_head, run, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (!check_sent(s, c, n)) {
        return;
    }
    n = MAX(n, 0);
    c->pending_head = (c->pending_head + n) % VSOCK_BUF_ALLOC;
    c->pending_used -= n;
    if (c->pending_used == 0) {
        g_clear_pointer(&c->pending, g_free);
        c->pending_head = 0;
        drained(s, c);
    }
}

/* The caller has checked that the guest kept to its credit: it fits. */
static void keep(VsockConn *c, const struct iovec *iov, unsigned n, size_t offset, size_t len)
{
    if (c->pending == NULL) {
        c->pending = g_malloc(VSOCK_BUF_ALLOC);
    }
    while (len > 0) {
        size_t at = (c->pending_head + c->pending_used) % VSOCK_BUF_ALLOC;
        size_t run = MIN(len, VSOCK_BUF_ALLOC - at);

        g_assert(c->pending_used + run <= VSOCK_BUF_ALLOC);
        iov_to_buf(iov, n, offset, c->pending + at, run);
        c->pending_used += run;
        offset += run;
        len -= run;
    }
}

void vsock_write(VirtIOVsock *s, VsockConn *c, const struct iovec *iov, unsigned n, size_t len)
{
    enum { MAX_IOV = 64 };
    size_t done = 0;

    if (c->pending_used == 0) {
        struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = MIN(n, MAX_IOV) };
        ssize_t sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (!check_sent(s, c, sent)) {
            return;
        }
        done = MAX(sent, 0);
    }
    if (done < len) {
        keep(c, iov, n, done, len - done);
    }
    vsock_update_watch(s, c);
}

void vsock_guest_shutdown(VirtIOVsock *s, VsockConn *c, bool no_read, bool no_write)
{
    c->guest_reads = c->guest_reads && !no_read;
    c->guest_writes = c->guest_writes && !no_write;
    if (c->fd < 0) {
        return; /* broken, and the RST is on its way */
    }
    if (c->pending_used == 0) {
        drained(s, c);
    }
    vsock_update_watch(s, c);
}

/* ---- events ---- */

static void conn_event(VirtIOVsock *s, VsockConn *c, uint32_t events)
{
    if (c->state == VSOCK_HELLO) {
        read_hello(s, c);
        return;
    }
    if (c->state == VSOCK_REQUESTED) {
        if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
            vsock_break(s, c); /* it did not wait for the answer */
        }
        return;
    }
    if ((events & EPOLLOUT) != 0 && c->pending_used > 0) {
        flush_pending(s, c);
    }
    if (c->fd < 0 || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
        vsock_update_watch(s, c);
        return;
    }
    if (c->host_writes && c->guest_reads) {
        c->readable = true; /* or at its end, which reading finds out */
        vsock_make_ready(s, c);
        vsock_update_watch(s, c);
    } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        vsock_host_gone(s, c);
    }
}

static void sockets_ready(void *opaque)
{
    enum { MAX_EVENTS = 16 };
    struct epoll_event events[MAX_EVENTS];
    VirtIOVsock *s = opaque;
    int n;

    pthread_mutex_lock(&s->lock);
    n = epoll_wait(s->epoll, events, MAX_EVENTS, 0);
    for (int i = 0; i < n; i++) {
        VsockConn *c = g_hash_table_lookup(s->by_id, &events[i].data.u64);

        if (events[i].data.u64 == LISTENER_ID) {
            accept_one(s);
        } else if (c != NULL) { /* not just freed */
            conn_event(s, c, events[i].events);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- life cycle ---- */

static bool listen_on(VirtIOVsock *s, GError **error)
{
    struct sockaddr_un address = { 0 };
    struct stat st;

    if (!unix_address(&address, s->path, &(uint32_t){ UINT32_MAX }) ||
        !unix_address(&address, s->path, NULL)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "path '%s' with a port behind it is too long for a UNIX socket", s->path);
        return false;
    }
    if (lstat(s->path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        unlink(s->path); /* left behind by one that was killed */
    }
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(s->listener, SOMAXCONN) != 0) {
        error_set_errno(error, errno, "cannot listen on '%s'", s->path);
        return false;
    }
    if (lstat(s->path, &st) == 0) {
        s->inode = st.st_ino;
    }
    return true;
}

bool vsock_host_open(VirtIOVsock *s, GError **error)
{
    s->by_id = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, conn_destroy);
    s->by_ports = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    g_queue_init(&s->ready);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0) {
        error_set_errno(error, errno, "cannot watch sockets");
    } else if (listen_on(s, error)) {
        s->watch = iothread_watch(virtio_iothread(HUMPY_VIRTIO_DEVICE(s)), s->epoll, sockets_ready,
                                  s, error);
    }
    if (s->watch == 0) {
        vsock_host_close(s);
        return false;
    }
    return true;
}

void vsock_host_close(VirtIOVsock *s)
{
    struct stat st;

    if (s->watch != 0) {
        iothread_unwatch(virtio_iothread(HUMPY_VIRTIO_DEVICE(s)), s->watch);
        s->watch = 0;
    }
    vsock_host_reset(s);
    if (s->inode != 0 && lstat(s->path, &st) == 0 && st.st_ino == s->inode) {
        unlink(s->path);
    }
    s->inode = 0;
    fd_clear(&s->listener);
    fd_clear(&s->epoll);
    g_clear_pointer(&s->by_ports, g_hash_table_unref);
    g_clear_pointer(&s->by_id, g_hash_table_unref);
}

void vsock_host_reset(VirtIOVsock *s)
{
    s->running = false;
    watch_listener(s, false);
    g_queue_clear(&s->ready);
    g_hash_table_remove_all(s->by_ports);
    g_hash_table_remove_all(s->by_id);
    s->n_orphans = 0;
}

void vsock_host_start(VirtIOVsock *s)
{
    s->running = true;
    watch_listener(s, true);
}
