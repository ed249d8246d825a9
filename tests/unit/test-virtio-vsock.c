/* SPDX-License-Identifier: GPL-2.0-or-later
 * The socket device (virtio 1.2, section 5.10): connections both ways, credit, ends, and packets
 * that break rules.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "expect-read.h"
#include "util/error.h"
#include "util/fd.h"
#include "virtio-driver.h"

enum {
    RX,
    TX,
    CID = 42,
    HDR = 44,
    RX_SIZE = 4096,
    REQUEST = 1,
    RESPONSE,
    RST,
    SHUTDOWN,
    RW,
    CREDIT_UPDATE,
    CREDIT_REQUEST,
    NO_READ = 1,
    NO_WRITE = 2,
    CREDIT = 64 * 1024, /* that the guest gives */
    DEVICE_CREDIT = 256 * 1024,
};

typedef struct __attribute__((packed)) {
    uint64_t src_cid, dst_cid;
    uint32_t src_port, dst_port, len;
    uint16_t type, op;
    uint32_t flags, buf_alloc, fwd_cnt;
} Packet;

static char *scratch, *path;

static Guest *vsock_guest(const GuestKind *kind)
{
    g_autofree char *prop = g_strdup_printf("path=%s", path);
    Guest *g = guest_new(kind);

    guest_plug_ok(g, "virtio-vsock-device", (const char *[]){ "guest-cid=42", prop, NULL });
    guest_start(g, UINT64_MAX);
    return g;
}

static void offer(Guest *g, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t at = guest_alloc(g, RX_SIZE, 8);

        guest_publish(g, RX, guest_chain(g, RX, &(Buf){ at, RX_SIZE, true }, 1));
    }
    guest_notify(g, RX);
}

static void send_packet(Guest *g, const Packet *p, const void *data)
{
    uint64_t at = guest_alloc(g, sizeof(*p) + p->len, 8);

    memcpy(guest_ptr(g, at), p, sizeof(*p));
    if (data != NULL) {
        memcpy((char *)guest_ptr(g, at) + sizeof(*p), data, p->len);
    }
    guest_submit(g, TX, &(Buf){ at, sizeof(*p) + (data != NULL ? p->len : 0), false }, 1);
    guest_wait(g, TX);
}

static Packet packet(unsigned op, uint32_t guest_port, uint32_t host_port)
{
    return (Packet){ .src_cid = CID,
                     .dst_cid = 2,
                     .src_port = guest_port,
                     .dst_port = host_port,
                     .type = 1,
                     .op = op,
                     .buf_alloc = CREDIT };
}

static void say(Guest *g, unsigned op, uint32_t guest_port, uint32_t host_port, uint32_t flags)
{
    Packet p = packet(op, guest_port, host_port);

    p.flags = flags;
    send_packet(g, &p, NULL);
}

static void say_data(Guest *g, uint32_t guest_port, uint32_t host_port, const void *data,
                     size_t len)
{
    Packet p = packet(RW, guest_port, host_port);

    p.len = len;
    send_packet(g, &p, data);
}

/* The next packet from the device, which is of this operation; its payload follows it. */
static const Packet *expect(Guest *g, unsigned op, uint32_t guest_port, uint32_t host_port)
{
    Used used = guest_wait(g, RX);
    const Packet *p;
    uint64_t at;

    memcpy(&at, guest_ptr(g, g->queues[RX].desc + used.id * 16), 8);
    p = guest_ptr(g, at);
    g_assert_cmpuint(p->op, ==, op);
    g_assert_cmpuint(p->type, ==, 1);
    g_assert_cmpuint(p->src_cid, ==, 2);
    g_assert_cmpuint(p->dst_cid, ==, CID);
    g_assert_cmpuint(p->dst_port, ==, guest_port);
    if (host_port != 0) {
        g_assert_cmpuint(p->src_port, ==, host_port);
    }
    g_assert_cmpuint(used.len, ==, sizeof(*p) + p->len);
    return p;
}

static void expect_nothing(Guest *g)
{
    guest_barrier(g);
    guest_barrier(g);
    g_assert_cmpuint(guest_used_idx(g, RX), ==, g->queues[RX].used_taken);
}

static void address_of(struct sockaddr_un *address, const char *suffix)
{
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    g_snprintf(address->sun_path, sizeof(address->sun_path), "%s%s", path, suffix);
}

static int listen_at(const char *suffix)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address;

    address_of(&address, suffix);
    unlink(address.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(fd, 4), ==, 0);
    return fd;
}

static int host_connect(const char *hello)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address;

    address_of(&address, "");
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(write(fd, hello, strlen(hello)), ==, strlen(hello));
    return fd;
}

static void expect_eof(int fd)
{
    char byte;

    g_assert_cmpint(read(fd, &byte, 1), <=, 0);
}

/* An established connection from guest port 1000 to host port 5; the host's end of it. */
static int connected(Guest *g)
{
    g_auto(Fd) listener = listen_at("_5");
    int fd;

    say(g, REQUEST, 1000, 5, 0);
    expect(g, RESPONSE, 1000, 5);
    fd = accept(listener, NULL, NULL);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

/* ---- tests ---- */

static void test_guest_connects(gconstpointer kind)
{
    Guest *g = vsock_guest(kind);
    g_auto(Fd) fd = -1;
    const Packet *p;

    g_assert_cmpuint(guest_rd(g, R_DEVICE_ID), ==, 19);
    g_assert_cmpuint(guest_rd(g, R_CONFIG), ==, CID);
    offer(g, 8);
    fd = connected(g);
    say_data(g, 1000, 5, "from the guest", 14);
    expect_read(fd, "from the guest");
    g_assert_cmpint(write(fd, "from the host", 13), ==, 13);
    p = expect(g, RW, 1000, 5);
    g_assert_cmpmem(p + 1, p->len, "from the host", 13);
    g_assert_cmpuint(p->buf_alloc, ==, DEVICE_CREDIT);
    g_assert_cmpuint(p->fwd_cnt, ==, 14);
    guest_free(g);
}

static void test_host_connects(gconstpointer kind)
{
    Guest *g = vsock_guest(kind);
    g_auto(Fd) fd = host_connect("CONNECT 7000\nearly");
    g_autofree char *ok = NULL;
    const Packet *p;
    uint32_t port;

    offer(g, 8);
    port = expect(g, REQUEST, 7000, 0)->src_port;
    g_assert_cmpuint(port, >=, 1024);
    say(g, RESPONSE, 7000, port, 0);
    ok = g_strdup_printf("OK %u\n", port);
    expect_read(fd, ok);
    p = expect(g, RW, 7000, port);
    g_assert_cmpmem(p + 1, p->len, "early", 5);
    guest_free(g);
}

static void test_nobody_listens(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    g_auto(Fd) fd = host_connect("CONNECT 7000\n");
    uint32_t port;

    offer(g, 8);
    port = expect(g, REQUEST, 7000, 0)->src_port;
    say(g, RST, 7000, port, 0);
    expect_eof(fd);
    say(g, REQUEST, 1000, 6, 0);
    expect(g, RST, 1000, 6);
    guest_free(g);
}

static void test_bad_greetings_are_hung_up_on(void)
{
    static const char *const bad[] = { "CONNECT \n",    "CONNECT 4294967296\n",
                                       "HELLO 5\n",     "CONNECT 5 \n",
                                       "CONNECT -5\n",  "CONNECT 00000000000000000000000005\n",
                                       "CONNECT 0x10\n" };
    Guest *g = vsock_guest(&guest_kinds[0]);

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_auto(Fd) fd = host_connect(bad[i]);

        expect_eof(fd);
    }
    guest_free(g);
}

static void test_packets_for_nobody_are_reset(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    Packet p;

    offer(g, 8);
    say(g, RW, 1, 2, 0);
    expect(g, RST, 1, 2);
    say(g, SHUTDOWN, 1, 2, 3);
    expect(g, RST, 1, 2);
    say(g, RST, 1, 2, 0);
    p = packet(REQUEST, 1, 2);
    p.src_cid = CID + 1;
    send_packet(g, &p, NULL);
    p = packet(REQUEST, 1, 2);
    p.dst_cid = 3;
    send_packet(g, &p, NULL);
    expect_nothing(g);
    guest_free(g);
}

static void test_odd_packets_break_the_connection(void)
{
    static const unsigned ops[] = { 0, REQUEST, RESPONSE, 77 };
    Guest *g = vsock_guest(&guest_kinds[0]);

    offer(g, 64);
    for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
        g_auto(Fd) fd = connected(g);

        say(g, ops[i], 1000, 5, 0);
        expect(g, RST, 1000, 5);
        expect_eof(fd);
    }
    guest_free(g);
}

static void test_length_is_checked(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    g_auto(Fd) fd = -1;
    Packet p = packet(RW, 1000, 5);
    uint64_t at = guest_alloc(g, 64, 8);

    offer(g, 8);
    fd = connected(g);
    p.len = 21;
    memcpy(guest_ptr(g, at), &p, sizeof(p));
    guest_submit(g, TX, &(Buf){ at, sizeof(p) + 20, false }, 1); /* one byte less */
    expect(g, RST, 1000, 5);
    guest_submit(g, TX, &(Buf){ at, sizeof(p) - 1, false }, 1);
    guest_submit(g, TX, &(Buf){ at, 64, true }, 1);
    expect_nothing(g);
    guest_free(g);
}

static void test_guests_credit_is_kept_to(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    g_autofree char *bytes = g_malloc0(CREDIT + 1);
    g_auto(Fd) fd = -1;
    size_t got = 0;
    Packet p;

    offer(g, 64);
    fd = connected(g);
    g_assert_cmpint(write(fd, bytes, CREDIT + 1), ==, CREDIT + 1);
    while (got < CREDIT) {
        got += expect(g, RW, 1000, 5)->len;
    }
    g_assert_cmpuint(got, ==, CREDIT);
    expect(g, CREDIT_REQUEST, 1000, 5);
    expect_nothing(g);
    p = packet(CREDIT_UPDATE, 1000, 5);
    p.fwd_cnt = 100;
    send_packet(g, &p, NULL);
    g_assert_cmpuint(expect(g, RW, 1000, 5)->len, ==, 1);
    guest_free(g);
}

/* The packet that the last used buffer of the device holds. */
static const Packet *last_packet(Guest *g)
{
    Used used = guest_wait(g, RX);
    uint64_t at;

    memcpy(&at, guest_ptr(g, g->queues[RX].desc + used.id * 16), 8);
    return guest_ptr(g, at);
}

static void test_devices_credit_is_enforced(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    g_autofree char *bytes = g_malloc0(32 * 1024);
    g_auto(Fd) fd = -1;
    unsigned op = 0;

    offer(g, 100);
    fd = connected(g);
    for (unsigned n = 0; op != RST;
         n++) { /* a guest that does not care, to one who does not read */
        g->next_free = RAM_BASE + (2 << 20);
        say_data(g, 1000, 5, bytes, 32 * 1024);
        guest_barrier(g);
        while (op != RST && guest_used_idx(g, RX) != g->queues[RX].used_taken) {
            op = last_packet(g)->op;
            g_assert_true(op == RST || op == CREDIT_UPDATE);
        }
        g_assert_cmpuint(n, <, 1000);
    }
    guest_free(g);
}

static void test_credit_is_given_back(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    g_autofree char *bytes = g_malloc0(32 * 1024), *buf = g_malloc(32 * 1024);
    g_auto(Fd) fd = -1;

    offer(g, 8);
    fd = connected(g);
    for (unsigned sent = 0; sent < DEVICE_CREDIT / 2; sent += 32 * 1024) {
        g->next_free = RAM_BASE + (2 << 20);
        say_data(g, 1000, 5, bytes, 32 * 1024);
        for (ssize_t n = 0; n < 32 * 1024;) {
            n += read(fd, buf, 32 * 1024);
        }
    }
    g_assert_cmpuint(expect(g, CREDIT_UPDATE, 1000, 5)->fwd_cnt, ==, DEVICE_CREDIT / 2);
    say(g, CREDIT_REQUEST, 1000, 5, 0);
    expect(g, CREDIT_UPDATE, 1000, 5);
    guest_free(g);
}

static void test_slow_reader_gets_everything(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    g_autofree uint8_t *bytes = g_malloc(64 * 1024), *buf = g_malloc(4096);
    g_auto(Fd) fd = -1;
    size_t total = 0, got = 0;
    int small = 4096;

    for (unsigned i = 0; i < 64 * 1024; i++) {
        bytes[i] = i % 251;
    }
    offer(g, 8);
    fd = connected(g);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    for (; total < DEVICE_CREDIT; total += 64 * 1024) {
        g->next_free = RAM_BASE + (2 << 20);
        say_data(g, 1000, 5, bytes, 64 * 1024);
    }
    say(g, SHUTDOWN, 1000, 5, NO_WRITE);
    for (;;) {
        ssize_t n = read(fd, buf, 4096);

        g_assert_cmpint(n, >=, 0);
        for (ssize_t i = 0; i < n; i++) {
            g_assert_cmpint(buf[i], ==, bytes[(got + i) % (64 * 1024)]);
        }
        got += n;
        if (n == 0) {
            break;
        }
    }
    g_assert_cmpuint(got, ==, total);
    guest_free(g);
}

static void test_half_closed_by_the_host(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    g_auto(Fd) fd = -1;

    offer(g, 8);
    fd = connected(g);
    shutdown(fd, SHUT_WR);
    g_assert_cmpuint(expect(g, SHUTDOWN, 1000, 5)->flags, ==, NO_WRITE);
    say_data(g, 1000, 5, "still", 5);
    expect_read(fd, "still");
    fd_clear(&fd);
    g_assert_cmpuint(expect(g, SHUTDOWN, 1000, 5)->flags, ==, NO_READ | NO_WRITE);
    say(g, RST, 1000, 5, 0);
    expect_nothing(g);
    guest_free(g);
}

static void test_closed_by_the_host_after_its_last_bytes(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    g_auto(Fd) fd = -1;

    fd = -1;
    offer(g, 1);
    fd = connected(g);
    g_assert_cmpint(write(fd, "bye", 3), ==, 3);
    fd_clear(&fd);
    offer(g, 4);
    g_assert_cmpuint(expect(g, RW, 1000, 5)->len, ==, 3);
    g_assert_cmpuint(expect(g, SHUTDOWN, 1000, 5)->flags, ==, NO_READ | NO_WRITE);
    guest_free(g);
}

static void test_closed_by_the_guest(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    g_auto(Fd) fd = -1;

    offer(g, 8);
    fd = connected(g);
    say(g, SHUTDOWN, 1000, 5, NO_READ | NO_WRITE);
    expect(g, RST, 1000, 5);
    expect_eof(fd);
    guest_free(g);
}

static void test_answers_do_not_pile_up(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    Packet p = packet(RW, 1, 2);
    uint64_t at = guest_alloc(g, sizeof(p), 8);
    unsigned n = 0;

    memcpy(guest_ptr(g, at), &p, sizeof(p));
    for (unsigned i = 0; i < 100; i++) { /* with no buffer for answers */
        guest_submit(g, TX, &(Buf){ at, sizeof(p), false }, 1);
        guest_barrier(g);
    }
    g_assert_cmpuint(guest_used_idx(g, TX), ==, 64);
    offer(g, 100);
    while (n < 100) {
        expect(g, RST, 1, 2);
        n++;
    }
    guest_free(g);
}

static void test_connections_are_limited(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    g_auto(Fd) listener = listen_at("_5");
    int fds[256];

    for (unsigned i = 0; i < 300; i++) {
        g->next_free = RAM_BASE + (2 << 20);
        offer(g, 1);
        say(g, REQUEST, 1000 + i, 5, 0);
        expect(g, i < 256 ? RESPONSE : RST, 1000 + i, 5);
        if (i < 256) {
            fds[i] = accept(listener, NULL, NULL);
        }
    }
    g->next_free = RAM_BASE + (2 << 20);
    offer(g, 2);
    close(fds[0]);
    expect(g, SHUTDOWN, 1000, 5);
    say(g, REQUEST, 999, 5, 0); /* one that lingers makes room */
    expect(g, RESPONSE, 999, 5);
    for (unsigned i = 1; i < 256; i++) {
        close(fds[i]);
    }
    guest_free(g);
}

static void test_reset_ends_connections(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    g_auto(Fd) fd = -1, second = -1;

    offer(g, 8);
    fd = connected(g);
    g_assert_cmpint(write(fd, "x", 1), ==, 1);
    guest_start(g, UINT64_MAX);
    expect_eof(fd);
    offer(g, 8);
    second = connected(g);
    guest_free(g);
}

static void test_tiny_buffers_need_a_reset(void)
{
    Guest *g = vsock_guest(&guest_kinds[0]);
    uint64_t at = guest_alloc(g, 64, 8);
    Packet p = packet(RW, 1, 2);

    guest_submit(g, RX, &(Buf){ at, HDR, true }, 1);
    memcpy(guest_ptr(g, at), &p, sizeof(p));
    guest_submit(g, TX, &(Buf){ at, sizeof(p), false }, 1);
    guest_wait_isr(g, ISR_CONFIG);
    g_assert_true(guest_rd(g, R_STATUS) & S_NEEDS_RESET);
    guest_free(g);
}

static void check_refused(const char *const *props, const char *message)
{
    Guest *g = guest_new(&guest_kinds[0]);
    g_autoptr(GError) error = NULL;

    g_assert_false(guest_plug(g, "virtio-vsock-device", props, &error));
    g_assert_cmpstr(error->message, ==, message);
    guest_free(g);
}

static void test_errors_name_the_cause(void)
{
    check_refused((const char *[]){ "guest-cid=2", "path=x", NULL },
                  "guest-cid is 2 but must be 3 to 4294967294");
    check_refused((const char *[]){ "guest-cid=3", NULL },
                  "path is missing: the UNIX socket for programs on the host");
    check_refused((const char *[]){ "guest-cid=3", "path=/nonexistent/x", NULL },
                  "cannot listen on '/nonexistent/x': No such file or directory");
}

int main(int argc, char **argv)
{
    g_autofree char *left = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    scratch = g_dir_make_tmp("humpy-vsock-XXXXXX", NULL);
    path = g_build_filename(scratch, "v", NULL);
    guest_add_test("/virtio-vsock", "guest-connects", test_guest_connects);
    guest_add_test("/virtio-vsock", "host-connects", test_host_connects);
    g_test_add_func("/virtio-vsock/nobody-listens", test_nobody_listens);
    g_test_add_func("/virtio-vsock/bad-greetings-are-hung-up-on",
                    test_bad_greetings_are_hung_up_on);
    g_test_add_func("/virtio-vsock/packets-for-nobody-are-reset",
                    test_packets_for_nobody_are_reset);
    g_test_add_func("/virtio-vsock/odd-packets-break-the-connection",
                    test_odd_packets_break_the_connection);
    g_test_add_func("/virtio-vsock/length-is-checked", test_length_is_checked);
    g_test_add_func("/virtio-vsock/guests-credit-is-kept-to", test_guests_credit_is_kept_to);
    g_test_add_func("/virtio-vsock/devices-credit-is-enforced", test_devices_credit_is_enforced);
    g_test_add_func("/virtio-vsock/credit-is-given-back", test_credit_is_given_back);
    g_test_add_func("/virtio-vsock/slow-reader-gets-everything", test_slow_reader_gets_everything);
    g_test_add_func("/virtio-vsock/half-closed-by-the-host", test_half_closed_by_the_host);
    g_test_add_func("/virtio-vsock/closed-by-the-host-after-its-last-bytes",
                    test_closed_by_the_host_after_its_last_bytes);
    g_test_add_func("/virtio-vsock/closed-by-the-guest", test_closed_by_the_guest);
    g_test_add_func("/virtio-vsock/answers-do-not-pile-up", test_answers_do_not_pile_up);
    g_test_add_func("/virtio-vsock/connections-are-limited", test_connections_are_limited);
    g_test_add_func("/virtio-vsock/reset-ends-connections", test_reset_ends_connections);
    g_test_add_func("/virtio-vsock/tiny-buffers-need-a-reset", test_tiny_buffers_need_a_reset);
    g_test_add_func("/virtio-vsock/errors-name-the-cause", test_errors_name_the_cause);
    status = g_test_run();
    left = g_strdup_printf("%s_5", path);
    g_unlink(left);
    g_rmdir(scratch);
    g_free(path);
    g_free(scratch);
    return status;
}
