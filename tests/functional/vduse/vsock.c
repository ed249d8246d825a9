/* SPDX-License-Identifier: GPL-2.0-or-later
 * vhost-vsock-device below the real vhost_vsock module: the virtio driver of the unit tests plays
 * the guest, AF_VSOCK sockets of this process are the host's programs. Needs /dev/vhost-vsock.
 */
#include <linux/vm_sockets.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/error.h"
#include "virtio-driver.h"

enum {
    RX,
    TX,
    CID = 42,
    HOST_PORT = 1234,
    GUEST_PORT = 99,
    HDR = 44,
    REQUEST = 1,
    RESPONSE,
    RST,
    SHUTDOWN,
    RW,
    RX_SIZE = 1500, /* smaller than the kernel's packets */
    AMOUNT = 60000,
};

typedef struct __attribute__((packed)) {
    uint64_t src_cid, dst_cid;
    uint32_t src_port, dst_port, len;
    uint16_t type, op;
    uint32_t flags, buf_alloc, fwd_cnt;
} Packet;

static void send_packet(Guest *g, unsigned op, uint32_t port, uint32_t host_port, const void *data,
                        uint32_t len)
{
    uint64_t at = guest_alloc(g, HDR + len, 8);
    Packet *p = guest_ptr(g, at);

    *p = (Packet){ .src_cid = CID,
                   .dst_cid = VMADDR_CID_HOST,
                   .src_port = port,
                   .dst_port = host_port,
                   .len = len,
                   .type = 1,
                   .op = op,
                   .buf_alloc = 1 << 20 };
    memcpy((char *)p + HDR, data, len);
    guest_submit(g, TX, &(Buf){ at, HDR + len, false }, 1);
    guest_wait(g, TX);
}

/* The next packet of this operation; others (credit) are passed over. Its payload follows it. */
static const Packet *receive(Guest *g, unsigned op)
{
    while (true) {
        uint64_t at = guest_alloc(g, RX_SIZE, 8);
        const Packet *p = guest_ptr(g, at);
        Used used;

        guest_submit(g, RX, &(Buf){ at, RX_SIZE, true }, 1);
        used = guest_wait(g, RX);
        g_assert_cmpuint(used.len, ==, HDR + p->len);
        g_assert_cmpuint(p->op, !=, op == RST ? 0 : RST);
        if (p->op == op) {
            g_assert_cmpuint(p->src_cid, ==, VMADDR_CID_HOST);
            g_assert_cmpuint(p->dst_cid, ==, CID);
            return p;
        }
    }
}

static void converse(Guest *g, int host, uint32_t guest_port, uint32_t host_port)
{
    g_autofree char *data = g_malloc(AMOUNT), *got = g_malloc(AMOUNT);
    size_t n = 0;

    for (unsigned i = 0; i < AMOUNT; i++) {
        data[i] = (char)(i * 7 + i / 251);
    }
    send_packet(g, RW, guest_port, host_port, data, AMOUNT);
    g_assert_cmpint(recv(host, got, AMOUNT, MSG_WAITALL), ==, AMOUNT);
    g_assert_cmpmem(got, AMOUNT, data, AMOUNT);
    g_assert_cmpint(send(host, data, AMOUNT, 0), ==, AMOUNT);
    memset(got, 0, AMOUNT);
    while (n < AMOUNT) {
        const Packet *p = receive(g, RW);

        g_assert_cmpuint(p->len, <=, AMOUNT - n);
        memcpy(got + n, p + 1, p->len);
        n += p->len;
    }
    g_assert_cmpmem(got, AMOUNT, data, AMOUNT);
}

static Guest *start(void)
{
    Guest *g = guest_new(&guest_kinds[0]);

    guest_plug_ok(g, "vhost-vsock-device", (const char *[]){ "guest-cid=42", NULL });
    guest_start(g, UINT64_MAX);
    return g;
}

static int listen_at(uint32_t port)
{
    struct sockaddr_vm address = { .svm_family = AF_VSOCK,
                                   .svm_cid = VMADDR_CID_ANY,
                                   .svm_port = port };
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    return fd;
}

static void guest_connects(void)
{
    int listener = listen_at(HOST_PORT);
    Guest *g = start();
    int host;

    send_packet(g, REQUEST, GUEST_PORT, HOST_PORT, "", 0);
    g_assert_cmpuint(receive(g, RESPONSE)->dst_port, ==, GUEST_PORT);
    host = accept(listener, NULL, NULL);
    g_assert_cmpint(host, >=, 0);
    converse(g, host, GUEST_PORT, HOST_PORT);
    close(host);
    receive(g, SHUTDOWN);
    close(listener);
    guest_free(g);
}

/* After a reset of the device the kernel takes new rings, and nobody listens: RST. */
static void reset_and_nobody(void)
{
    Guest *g = start();

    send_packet(g, REQUEST, GUEST_PORT, HOST_PORT + 1, "", 0);
    receive(g, RST);
    guest_start(g, UINT64_MAX);
    send_packet(g, REQUEST, GUEST_PORT, HOST_PORT + 1, "", 0);
    receive(g, RST);
    guest_free(g);
}

static void address_in_use(void)
{
    Guest *first = start(), *second = guest_new(&guest_kinds[0]);
    g_autoptr(GError) error = NULL;

    g_assert_false(
        guest_plug(second, "vhost-vsock-device", (const char *[]){ "guest-cid=42", NULL }, &error));
    g_assert_nonnull(strstr(error->message, "guest-cid=42 (another VM of this host has it)"));
    guest_free(second);
    guest_free(first);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-vsock-real/guest-connects", guest_connects);
    g_test_add_func("/vhost-vsock-real/reset-and-nobody-listens", reset_and_nobody);
    g_test_add_func("/vhost-vsock-real/address-in-use", address_in_use);
    return g_test_run();
}
