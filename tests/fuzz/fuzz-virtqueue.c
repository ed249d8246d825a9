/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for what a guest can write to a virtio device: ring memory, ring addresses and
 * registers. The device must neither crash nor hang nor touch an I/O region, and must work again
 * after a reset. Input: one byte of choices, one byte N, N register writes of 6 bytes, then the
 * content of guest memory. Run: tests/fuzz/fuzz-virtqueue -max_len=8192 CORPUS
 */
#include <string.h>
#include <sys/mman.h>

#include "block/block.h"
#include "virtio-driver.h"

enum {
    CHOICE_LEGACY = 1,
    CHOICE_RNG = 2,
    CHOICE_NO_EVENT_IDX = 4,
    CHOICE_PACKED = 16,    /* modern only */
    CHOICE_KEEP_QUEUE = 8, /* do not let the register writes reach the queue's set-up */
    QUEUE_SIZE = 8,
    TABLE = RAM_BASE + 0x4000, /* descriptors that are not in the queue's own table */
    BUFFERS = RAM_BASE + 0x8000,
    BUFFERS_SIZE = 0x8000,
    DISK_SIZE = 64 * 1024,
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static GLogWriterOutput drop_message(GLogLevelFlags level, const GLogField *fields, gsize n,
                                     gpointer opaque)
{
    return (level & G_LOG_LEVEL_MESSAGE) != 0 ? G_LOG_WRITER_HANDLED
                                              : g_log_writer_default(level, fields, n, opaque);
}

static Guest *make_guest(unsigned which)
{
    Guest *g = guest_new(&guest_kinds[(which & CHOICE_LEGACY) != 0   ? 1
                                      : (which & CHOICE_PACKED) != 0 ? 3
                                                                     : 0]);
    g_autofree char *drive = g_strdup_printf("drive=disk%u", which);

    if ((which & CHOICE_RNG) != 0) {
        guest_plug_ok(g, "virtio-rng-device", NULL);
    } else {
        int fd = memfd_create("disk", MFD_CLOEXEC);
        g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", fd);
        BlockOptions o = BLOCK_OPTIONS_INIT;

        g_assert(fd >= 0 && ftruncate(fd, DISK_SIZE) == 0);
        o.filename = name;
        o.node_name = drive + strlen("drive=");
        o.discard_unmap = true;
        g_assert(block_open(&o, NULL) != NULL);
        guest_plug_ok(g, "virtio-blk-device", (const char *[]){ drive, "queue-size=8", NULL });
    }
    return g;
}

static Guest *guest_for(uint8_t choices)
{
    static Guest *guests[CHOICE_PACKED * 2];
    unsigned which = choices & (CHOICE_LEGACY | CHOICE_RNG | CHOICE_PACKED);

    if (guests[which] == NULL) {
        guests[which] = make_guest(which);
    }
    return guests[which];
}

static bool sets_up_queue(unsigned reg)
{
    return (reg >= R_PAGE_SIZE && reg < R_QUEUE_NOTIFY) || (reg >= R_STATUS && reg < R_GENERATION);
}

static void write_register(Guest *g, const uint8_t *op, uint8_t choices)
{
    unsigned reg = (op[0] | op[1] << 8) % VIRTIO_MMIO_SIZE;
    uint32_t value;

    memcpy(&value, op + 2, sizeof(value));
    if (reg < R_CONFIG) {
        reg &= ~3u;
        if ((choices & CHOICE_KEEP_QUEUE) == 0 || !sets_up_queue(reg)) {
            guest_wr(g, reg, value);
            guest_rd(g, reg);
        }
    } else {
        uint64_t read;

        address_space_st(g->as, MMIO_BASE + reg, 1, value & 0xff);
        address_space_ld(g->as, MMIO_BASE + reg, 1, &read);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    g_log_set_writer_func(drop_message, NULL, NULL);
    return 0;
}

/* What is left of the input; zeroes behind its end. */
typedef struct {
    const uint8_t *data;
    size_t size;
} Input;

static const uint8_t *take(Input *in, size_t n, uint8_t *room)
{
    size_t have = MIN(n, in->size);

    memset(room, 0, n);
    memcpy(room, in->data, have);
    in->data += have;
    in->size -= have;
    return room;
}

/* 7 bytes: area, offset (2), length (2) or one of those that devices expect, flags and length
 * scale, next. Packed: next is the round, AVAIL and USED bits, and the buffer id. */
static void write_descriptor(Guest *g, unsigned i, Input *in)
{
    static const uint64_t areas[] = { BUFFERS,   BUFFERS,  BUFFERS,   TABLE,
                                      RAM_BASE,  ROM_BASE, TRAP_BASE, RAM2_BASE - 32,
                                      RAM2_BASE, 0,        MMIO_BASE, UINT64_MAX - 32 };
    static const uint32_t lengths[] = { 1, 16, 32, 512, 1024, 4096, 20, 513 };
    uint8_t d[7];
    uint32_t len;
    uint64_t table = i < QUEUE_SIZE ? g->queues[0].desc : TABLE;

    take(in, sizeof(d), d);
    len = (d[5] & 8) == 0 ? lengths[d[3] % G_N_ELEMENTS(lengths)]
                          : (uint32_t)(d[3] | d[4] << 8) << (d[5] >> 4);
    if (g->packed) {
        packed_desc(g, table, i % QUEUE_SIZE,
                    areas[d[0] % G_N_ELEMENTS(areas)] + (d[1] | d[2] << 8), len, d[6],
                    (d[5] & 7) | (d[6] & 2 ? 0 : 1 << 7) | (d[6] & 1) << 15);
        return;
    }
    guest_desc(g, table, i % QUEUE_SIZE, areas[d[0] % G_N_ELEMENTS(areas)] + (d[1] | d[2] << 8),
               len, d[5] & 7, d[6]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    uint8_t head[4], op[6];
    Guest *g;

    take(&in, sizeof(head), head);
    g = guest_for(head[0]);
    g->next_free = RAM_BASE;
    guest_negotiate(g, (head[0] & CHOICE_NO_EVENT_IDX) != 0 ? ~(1ull << F_EVENT_IDX) : UINT64_MAX);
    guest_setup_queue(g, 0, QUEUE_SIZE);
    for (unsigned i = 0; i < 2 * QUEUE_SIZE; i++) {
        write_descriptor(g, i, &in);
    }
    if (g->packed) {
        take(&in, 4, guest_ptr(g, g->queues[0].avail)); /* the event structure */
    } else {
        guest_set_avail_idx(g, 0, head[1] % (QUEUE_SIZE + 2));
        take(&in, QUEUE_SIZE, guest_ptr(g, g->queues[0].avail + 4)); /* as many heads as fit */
    }
    guest_driver_ok(g);
    for (unsigned i = 0; i < head[2] % 16; i++) {
        write_register(g, take(&in, sizeof(op), op), head[0]);
    }
    take(&in, BUFFERS_SIZE, guest_ptr(g, BUFFERS));
    guest_notify(g, 0);
    guest_barrier(g);
    if (g->packed) {
        write_descriptor(g, head[3] % QUEUE_SIZE, &in); /* over what may be used by now */
    } else {
        guest_set_avail_idx(g, 0, head[3]);
    }
    guest_notify(g, 0);
    guest_barrier(g);
    guest_wr(g, R_STATUS, 0);
    g_assert(guest_rd(g, R_STATUS) == 0);
    g_assert(g_atomic_int_get(&g->trapped) == 0);
    return 0;
}
