/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for what a guest and the network can do to the network device: rings and buffers
 * of all three queues, negotiated features, packets from the host. The device must neither crash
 * nor hang nor touch an I/O region, and must work again after a reset. Input: 8 bytes of choices, 8
 * descriptors of 7 bytes for each queue and as many for indirect tables, a packet (a length byte
 * first), the content of guest memory. Run: tests/fuzz/fuzz-virtio-net -max_len=8192 CORPUS
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/net.h"
#include "util/keyval.h"
#include "virtio-driver.h"

enum {
    CHOICE_LEGACY = 1,
    QUEUES = 3,
    QUEUE_SIZE = 8,
    TABLE = RAM_BASE + 0x4000, /* descriptors that are not in a queue's own table */
    BUFFERS = RAM_BASE + 0x8000,
    BUFFERS_SIZE = 0x8000,
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    Guest *g;
    int host;
} Card;

static GLogWriterOutput drop_message(GLogLevelFlags level, const GLogField *fields, gsize n,
                                     gpointer opaque)
{
    return (level & G_LOG_LEVEL_MESSAGE) != 0 ? G_LOG_WRITER_HANDLED
                                              : g_log_writer_default(level, fields, n, opaque);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    g_log_set_writer_func(drop_message, NULL, NULL);
    return 0;
}

static Card *card_for(unsigned legacy)
{
    static Card cards[2];
    Card *card = &cards[legacy];

    if (card->g == NULL) {
        g_autofree char *text = NULL, *prop = g_strdup_printf("netdev=n%u", legacy);
        g_autoptr(KeyVal) kv = NULL;
        int fds[2];

        g_assert(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) == 0);
        text = g_strdup_printf("socket,id=n%u,fd=%d", legacy, fds[0]);
        kv = keyval_parse(text, "type", NULL);
        g_assert(net_backend_add(kv, NULL));
        card->host = fds[1];
        card->g = guest_new(&guest_kinds[legacy]);
        guest_plug_ok(card->g, "virtio-net-device", (const char *[]){ prop, NULL });
    }
    return card;
}

/* What is left of the input; zeroes behind its end. */
typedef struct {
    const uint8_t *data;
    size_t size;
} Input;

static void take(Input *in, void *room, size_t n)
{
    size_t have = MIN(n, in->size);

    memset(room, 0, n);
    memcpy(room, in->data, have);
    in->data += have;
    in->size -= have;
}

static void write_descriptor(Guest *g, uint64_t table, unsigned i, Input *in)
{
    static const uint64_t areas[] = { BUFFERS,   BUFFERS,  BUFFERS,   TABLE,
                                      RAM_BASE,  ROM_BASE, TRAP_BASE, RAM2_BASE - 32,
                                      RAM2_BASE, 0,        MMIO_BASE, UINT64_MAX - 32 };
    static const uint32_t lengths[] = { 1, 2, 6, 10, 12, 64, 1526, 16 };
    uint8_t d[7];
    uint32_t len;

    take(in, d, sizeof(d));
    len = (d[5] & 8) == 0 ? lengths[d[3] % G_N_ELEMENTS(lengths)]
                          : (uint32_t)(d[3] | d[4] << 8) << (d[5] >> 4);
    guest_desc(g, table, i, areas[d[0] % G_N_ELEMENTS(areas)] + (d[1] | d[2] << 8), len, d[5] & 7,
               d[6]);
}

static void serve_main(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    uint8_t head[8], packet[256], drained[256], length;
    Card *card;
    Guest *g;

    take(&in, head, sizeof(head));
    card = card_for(head[0] & CHOICE_LEGACY);
    g = card->g;
    g->next_free = RAM_BASE;
    guest_negotiate(g, ~((uint64_t)head[1] << 15 | (uint64_t)(head[0] & 2) << 28));
    for (unsigned q = 0; q < QUEUES; q++) {
        guest_setup_queue(g, q, QUEUE_SIZE);
        for (unsigned i = 0; i < QUEUE_SIZE; i++) {
            write_descriptor(g, g->queues[q].desc, i, &in);
        }
        take(&in, guest_ptr(g, g->queues[q].avail + 4), QUEUE_SIZE);
        guest_set_avail_idx(g, q, head[2 + q] % (QUEUE_SIZE + 2));
    }
    for (unsigned i = 0; i < QUEUE_SIZE; i++) {
        write_descriptor(g, TABLE, i, &in);
    }
    take(&in, &length, 1);
    take(&in, packet, length);
    take(&in, guest_ptr(g, BUFFERS), BUFFERS_SIZE);
    guest_driver_ok(g);
    for (unsigned q = 0; q < QUEUES; q++) {
        guest_notify(g, q);
    }
    guest_barrier(g);
    for (unsigned i = 0; i < 2; i++) {
        /* EAGAIN: earlier ones still wait for a driver. */
        send(card->host, packet, length, MSG_DONTWAIT);
        serve_main();
    }
    guest_set_avail_idx(g, head[5] % QUEUES, head[6]);
    guest_notify(g, head[5] % QUEUES);
    guest_barrier(g);
    serve_main();
    while (recv(card->host, drained, sizeof(drained), MSG_DONTWAIT) >= 0) {
    }
    guest_wr(g, R_STATUS, 0);
    g_assert(guest_rd(g, R_STATUS) == 0);
    g_assert(g_atomic_int_get(&g->trapped) == 0);
    return 0;
}
