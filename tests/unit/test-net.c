/* SPDX-License-Identifier: GPL-2.0-or-later
 * Wires and back ends, between a NIC that is only a list of packets and the host.
 */
#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/net.h"
#include "util/error.h"
#include "util/iov.h"

/* ---- a NIC ---- */

typedef struct {
    NetClient *nc;
    pthread_mutex_t lock; /* of what follows */
    GPtrArray *packets;   /* of GBytes */
    bool busy;
    unsigned refused, woken;
} Nic;

static NetVerdict nic_receive(void *opaque, unsigned queue, const struct iovec *iov, unsigned n)
{
    Nic *nic = opaque;
    NetVerdict verdict = NET_BUSY;
    size_t len = iov_size(iov, n);

    pthread_mutex_lock(&nic->lock);
    if (nic->busy) {
        nic->refused++;
    } else {
        uint8_t *copy = g_malloc(len);

        iov_to_buf(iov, n, 0, copy, len);
        g_ptr_array_add(nic->packets, g_bytes_new_take(copy, len));
        verdict = NET_TAKEN;
    }
    pthread_mutex_unlock(&nic->lock);
    g_main_context_wakeup(NULL);
    return verdict;
}

static void nic_peer_ready(void *opaque, unsigned queue)
{
    Nic *nic = opaque;

    pthread_mutex_lock(&nic->lock);
    nic->woken++;
    pthread_mutex_unlock(&nic->lock);
    g_main_context_wakeup(NULL);
}

static const NetOps nic_ops = {
    .type = "nic",
    .receive = nic_receive,
    .peer_ready = nic_peer_ready,
};

static Nic *nic_new(const char *name, const char *netdev)
{
    Nic *nic = g_new0(Nic, 1);
    g_autoptr(GError) error = NULL;

    pthread_mutex_init(&nic->lock, NULL);
    nic->packets = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    nic->nc = net_nic_new(&nic_ops, nic, name, netdev, NULL, &error);
    g_assert_no_error(error);
    return nic;
}

static void nic_free(Nic *nic)
{
    net_nic_free(nic->nc);
    g_ptr_array_unref(nic->packets);
    pthread_mutex_destroy(&nic->lock);
    g_free(nic);
}

static unsigned nic_count(Nic *nic)
{
    unsigned n;

    pthread_mutex_lock(&nic->lock);
    n = nic->packets->len;
    pthread_mutex_unlock(&nic->lock);
    return n;
}

/* The n-th packet, when it has come. */
static GBytes *nic_wait(Nic *nic, unsigned n)
{
    while (nic_count(nic) <= n) {
        g_main_context_iteration(NULL, TRUE);
    }
    return g_ptr_array_index(nic->packets, n);
}

static void check_packet(Nic *nic, unsigned n, const void *data, size_t len)
{
    gsize got_len;
    const void *got = g_bytes_get_data(nic_wait(nic, n), &got_len);

    g_assert_cmpmem(got, got_len, data, len);
}

static NetVerdict nic_send(Nic *nic, const void *data, size_t len)
{
    struct iovec iov = { (void *)data, len };

    return net_send(nic->nc, 0, &iov, 1);
}

static void nic_set_busy(Nic *nic, bool busy)
{
    pthread_mutex_lock(&nic->lock);
    nic->busy = busy;
    pthread_mutex_unlock(&nic->lock);
    if (!busy) {
        net_ready(nic->nc, 0);
    }
}

static void add(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void add(const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KeyVal) kv = NULL;
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, format);
    text = g_strdup_vprintf(format, ap);
    va_end(ap);
    kv = keyval_parse(text, "type", &error);
    g_assert_no_error(error);
    net_backend_add(kv, &error);
    g_assert_no_error(error);
}

static void check_refused(const char *text, HumpyError code, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KeyVal) kv = keyval_parse(text, "type", &error);

    g_assert_no_error(error);
    g_assert_false(net_backend_add(kv, &error));
    g_assert_error(error, HUMPY_ERROR, (int)code);
    g_assert_cmpstr(error->message, ==, message);
}

/* ---- wires ---- */

static void test_one_nic_each(void)
{
    g_autoptr(GError) error = NULL;
    Nic *nic, other = { 0 };

    add("hubport,id=h,hubid=0");
    nic = nic_new("a", "h");
    g_assert_null(net_nic_new(&nic_ops, &other, "b", "h", NULL, &error));
    g_assert_cmpstr(error->message, ==, "netdev 'h' is already used by 'a'");
    nic_free(nic);
    nic = nic_new("b", "h"); /* free again */
    nic_free(nic);
    net_cleanup();
}

static void test_deleted_backend_wakes(void)
{
    Nic *nic;

    add("hubport,id=h,hubid=0");
    nic = nic_new("a", "h");
    g_assert_true(net_link_is_up(nic->nc));
    g_assert_true(net_backend_del("h", NULL));
    g_assert_false(net_link_is_up(nic->nc));
    g_assert_cmpuint(nic->woken, >, 0);
    g_assert_cmpint(nic_send(nic, "x", 1), ==, NET_TAKEN);
    nic_free(nic);
    net_cleanup();
}

/* ---- hub ---- */

static void test_hub(void)
{
    Nic *a, *b, *c;

    for (unsigned i = 0; i < 3; i++) {
        add("hubport,id=h%u,hubid=7", i);
    }
    add("hubport,id=other,hubid=8");
    a = nic_new("a", "h0");
    b = nic_new("b", "h1");
    c = nic_new("c", "h2");
    g_assert_cmpint(nic_send(a, "hello", 5), ==, NET_TAKEN);
    check_packet(b, 0, "hello", 5);
    check_packet(c, 0, "hello", 5);
    g_assert_cmpuint(nic_count(a), ==, 0);
    nic_set_busy(b, true);
    g_assert_cmpint(nic_send(a, "one", 3), ==, NET_TAKEN); /* c has it */
    check_packet(c, 1, "one", 3);
    nic_set_busy(c, true);
    g_assert_cmpint(nic_send(a, "two", 3), ==, NET_BUSY);
    a->woken = 0;
    nic_set_busy(c, false);
    g_assert_cmpuint(a->woken, ==, 1);
    nic_free(a);
    nic_free(b);
    nic_free(c);
    net_cleanup();
}

static void test_hub_with_backend(void)
{
    int fds[2];
    Nic *nic;
    uint8_t got[9];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    add("socket,id=s,fd=%d", fds[0]);
    add("hubport,id=h0,hubid=1,netdev=s");
    add("hubport,id=h1,hubid=1");
    nic = nic_new("a", "h1");
    g_assert_cmpint(nic_send(nic, "hello", 5), ==, NET_TAKEN);
    g_assert_cmpint(recv(fds[1], got, 9, MSG_WAITALL), ==, 9);
    g_assert_cmpmem(got, 9, "\0\0\0\5hello", 9);
    check_refused("hubport,id=x,hubid=1,netdev=s", HUMPY_ERROR_CONFLICT,
                  "netdev 's' is already used");
    nic_free(nic);
    net_cleanup();
    close(fds[1]);
}

/* ---- streams ---- */

static void test_framing(void)
{
    static const char stream[] = "\0\0\0\3abc\0\0\0\0\0\0\0\5hello\0\0\0\1x";
    int fds[2];
    Nic *nic;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    add("socket,id=s,fd=%d", fds[0]);
    nic = nic_new("a", "s");
    for (unsigned i = 0; i < sizeof(stream) - 1; i++) {
        g_assert_cmpint(send(fds[1], stream + i, 1, 0), ==, 1);
        while (g_main_context_iteration(NULL, FALSE)) {
        }
    }
    g_assert_cmpint(send(fds[1], stream, sizeof(stream) - 1, 0), ==, sizeof(stream) - 1);
    for (unsigned i = 0; i < 2; i++) { /* an empty packet is none */
        check_packet(nic, 3 * i, "abc", 3);
        check_packet(nic, 3 * i + 1, "hello", 5);
        check_packet(nic, 3 * i + 2, "x", 1);
    }
    nic_free(nic);
    net_cleanup();
    close(fds[1]);
}

static void test_largest(void)
{
    g_autofree uint8_t *packet = g_malloc(4 + NET_MAX_PACKET);
    uint32_t length = htonl(NET_MAX_PACKET);
    int fds[2];
    Nic *nic;
    size_t sent = 0;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    add("socket,id=s,fd=%d", fds[0]);
    nic = nic_new("a", "s");
    memset(packet, 0x5a, 4 + NET_MAX_PACKET);
    memcpy(packet, &length, 4);
    for (unsigned i = 0; i < 5; i++) {
        for (sent = 0; sent < 4 + NET_MAX_PACKET;) {
            ssize_t part = send(fds[1], packet + sent, 4 + NET_MAX_PACKET - sent, MSG_DONTWAIT);

            sent += MAX(part, 0);
            g_main_context_iteration(NULL, FALSE);
        }
        check_packet(nic, i, packet + 4, NET_MAX_PACKET);
    }
    nic_free(nic);
    net_cleanup();
    close(fds[1]);
}

static void test_busy_stops_reading(void)
{
    int fds[2];
    Nic *nic;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    add("socket,id=s,fd=%d", fds[0]);
    nic = nic_new("a", "s");
    nic_set_busy(nic, true);
    g_assert_cmpint(send(fds[1], "\0\0\0\1x\0\0\0\1y", 10, 0), ==, 10);
    close(fds[1]); /* what was sent before counts */
    while (nic->refused == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_cmpuint(nic->refused, ==, 1); /* nobody tries in a loop */
    nic_set_busy(nic, false);
    check_packet(nic, 0, "x", 1);
    check_packet(nic, 1, "y", 1);
    nic_free(nic);
    net_cleanup();
}

/* Packets are lost until the two have found each other. */
static void ping(Nic *from, Nic *to)
{
    unsigned before = nic_count(to);

    while (nic_count(to) == before) {
        nic_send(from, "ping", 4);
        g_main_context_iteration(NULL, FALSE);
    }
}

static unsigned free_port(int type)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, type, 0);
    socklen_t len = sizeof(sin);

    g_assert_cmpint(bind(fd, (struct sockaddr *)&sin, len), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&sin, &len), ==, 0);
    close(fd);
    return ntohs(sin.sin_port);
}

static void test_tcp(void)
{
    unsigned port = free_port(SOCK_STREAM);
    Nic *a, *b;

    add("socket,id=l,listen=127.0.0.1:%u", port);
    add("socket,id=c,connect=127.0.0.1:%u", port);
    a = nic_new("a", "l");
    b = nic_new("b", "c");
    ping(a, b);
    ping(b, a);
    nic_free(a);
    nic_free(b);
    net_cleanup();
}

static void test_udp(void)
{
    unsigned one = free_port(SOCK_DGRAM), two = free_port(SOCK_DGRAM);
    Nic *a, *b;

    add("socket,id=a,udp=127.0.0.1:%u,localaddr=127.0.0.1:%u", one, two);
    add("dgram,id=b,local.type=inet,local.host=127.0.0.1,local.port=%u,remote.type=inet,"
        "remote.host=127.0.0.1,remote.port=%u",
        one, two);
    a = nic_new("a", "a");
    b = nic_new("b", "b");
    ping(a, b);
    ping(b, a);
    nic_free(a);
    nic_free(b);
    net_cleanup();
}

/* The one who comes first finds nobody; who leaves may come back. */
static void test_unix(void)
{
    g_autofree char *dir = g_dir_make_tmp("humpy-net-XXXXXX", NULL);
    Nic *a, *b;

    add("stream,id=s,server=on,addr.type=unix,addr.path=%s/s", dir);
    a = nic_new("a", "s");
    for (unsigned i = 0; i < 2; i++) {
        add("stream,id=c,addr.type=unix,addr.path=%s/s", dir);
        b = nic_new("b", "c");
        ping(a, b);
        ping(b, a);
        nic_free(b);
        g_assert_true(net_backend_del("c", NULL));
    }
    nic_free(a);
    net_cleanup();
    add("dgram,id=a,local.type=unix,local.path=%s/a,remote.type=unix,remote.path=%s/b", dir, dir);
    add("dgram,id=b,local.type=unix,local.path=%s/b,remote.type=unix,remote.path=%s/a", dir, dir);
    a = nic_new("a", "a");
    b = nic_new("b", "b");
    ping(a, b);
    ping(b, a);
    nic_free(a);
    nic_free(b);
    net_cleanup();
    g_assert_cmpint(g_rmdir(dir), ==, 0); /* the sockets are gone */
}

static void test_reconnect(void)
{
    g_autofree char *dir = g_dir_make_tmp("humpy-net-XXXXXX", NULL);
    Nic *a, *b;

    add("stream,id=c,addr.type=unix,addr.path=%s/s,reconnect=1", dir);
    b = nic_new("b", "c");
    add("stream,id=s,server=on,addr.type=unix,addr.path=%s/s", dir);
    a = nic_new("a", "s");
    ping(a, b);
    nic_free(a);
    nic_free(b);
    net_cleanup();
    g_rmdir(dir);
}

#ifdef HAVE_SLIRP
/* ---- user ---- */

/* RFC 826: who has 10.0.2.2? */
static void test_user_answers_arp(void)
{
    static const uint8_t request[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0,
                                         0x12, 0x34, 0x56, 8,    6,    0,    1,    8,    0,
                                         6,    4,    0,    1,    0x52, 0x54, 0,    0x12, 0x34,
                                         0x56, 10,   0,    2,    15,   0,    0,    0,    0,
                                         0,    0,    10,   0,    2,    2 };
    const uint8_t *reply;
    gsize len;
    Nic *nic;

    add("user,id=u,ipv6=off");
    nic = nic_new("a", "u");
    nic_set_busy(nic, true);
    g_assert_cmpint(nic_send(nic, request, sizeof(request)), ==, NET_TAKEN);
    while (true) {
        bool refused;

        pthread_mutex_lock(&nic->lock);
        refused = nic->refused > 0;
        pthread_mutex_unlock(&nic->lock);
        if (refused) {
            break;
        }
        g_thread_yield();
    }
    nic_set_busy(nic, false);
    reply = g_bytes_get_data(nic_wait(nic, 0), &len);
    g_assert_cmpuint(len, >=, 42);
    g_assert_cmpmem(reply, 6, request + 6, 6);
    g_assert_cmphex(reply[20] << 8 | reply[21], ==, 2);
    g_assert_cmpmem(reply + 28, 4, "\12\0\2\2", 4);
    nic_free(nic);
    net_cleanup();
}

static void test_user_options(void)
{
    check_refused("user,id=u,net=10.0.2.0/30", HUMPY_ERROR_RANGE,
                  "net is '10.0.2.0/30' but must be an IPv4 network, ADDRESS/4 to ADDRESS/28");
    check_refused("user,id=u,net=192.168.0.0/16,host=10.0.2.2", HUMPY_ERROR_RANGE,
                  "host is 10.0.2.2 but must be a host inside net, 192.168.0.0");
    check_refused("user,id=u,dns=10.0.2.2", HUMPY_ERROR_CONFLICT,
                  "host, dns and dhcpstart must be different addresses");
    check_refused("user,id=u,hostfwd=sctp::1-:2", HUMPY_ERROR_SYNTAX,
                  "hostfwd 'sctp::1-:2' is not [tcp|udp]:[HOST]:PORT-[GUEST]:PORT");
    check_refused("user,id=u,ipv4=off,ipv6=off", HUMPY_ERROR_CONFLICT, "ipv4=off and ipv6=off");
    add("user,id=u,net=192.168.7.0/24,hostname=guest,domainname=example.org,dnssearch=a.org,"
        "dnssearch=b.org,ipv6-net=fd00::/64,restrict=on");
    check_refused("user,id=u", HUMPY_ERROR_CONFLICT,
                  "Duplicate ID 'u' for netdev (it is used already)");
    net_cleanup();
}

#endif

/* ---- the rest ---- */

static void test_macs(void)
{
    uint8_t mac[6];

    g_assert_true(net_parse_mac("52:54:00:ab:CD:ef", mac, NULL));
    g_assert_cmpmem(mac, 6, "\x52\x54\x00\xab\xcd\xef", 6);
    for (const char *const *bad = (const char *const[]){ "", "52:54:00:12:34", "52:54:00:12:34:5",
                                                         "52:54:00:12:34:56:", "5254:00:12:34:56",
                                                         "gg:54:00:12:34:56", NULL };
         *bad != NULL; bad++) {
        g_assert_false(net_parse_mac(*bad, mac, NULL));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/wire/one-nic-for-each-back-end", test_one_nic_each);
    g_test_add_func("/net/wire/deleted-back-end-lets-the-nic-go-on", test_deleted_backend_wakes);
    g_test_add_func("/net/hub/passes-on-to-all-others", test_hub);
    g_test_add_func("/net/hub/back-end-on-a-port", test_hub_with_backend);
    g_test_add_func("/net/stream/framing", test_framing);
    g_test_add_func("/net/stream/largest-packets", test_largest);
    g_test_add_func("/net/stream/busy-nic-stops-the-reading", test_busy_stops_reading);
    g_test_add_func("/net/stream/unix", test_unix);
    g_test_add_func("/net/stream/reconnect", test_reconnect);
    g_test_add_func("/net/socket/tcp", test_tcp);
    g_test_add_func("/net/socket/udp", test_udp);
#ifdef HAVE_SLIRP
    g_test_add_func("/net/user/answers-arp-after-backpressure", test_user_answers_arp);
    g_test_add_func("/net/user/options", test_user_options);
#endif
    g_test_add_func("/net/mac-text", test_macs);
    return g_test_run();
}
