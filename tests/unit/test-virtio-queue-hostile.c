/* SPDX-License-Identifier: GPL-2.0-or-later
 * Split virtqueues (virtio 1.2, section 2.7) that a hostile guest wrote: descriptors, indices,
 * addresses, and all of them changing while the device reads. What a good one does is in
 * test-virtio-queue.c.
 */
#include <string.h>

#include "virtio-echo-guest.h"

static const GuestKind *const modern = &guest_kinds[0];

/* Four descriptors that are fine by themselves: wrong turns end in a request that works. */
enum { GOOD_TABLE = RAM_BASE + RAM_SIZE - 12288 };

static void write_good_table(Guest *g, uint64_t table)
{
    for (unsigned i = 0; i < 4; i++) {
        guest_desc(g, table, i, RAM_BASE + RAM_SIZE - 8192, 8, 0, 0);
    }
}

typedef struct {
    const char *name;
    uint64_t gpa;
    uint32_t len;
    unsigned flags, next;
} BadDesc;

static const BadDesc bad_descs[] = {
    { "next beyond table", RAM_BASE, 8, D_NEXT, ECHO_QUEUE_SIZE },
    { "next far beyond table", RAM_BASE, 8, D_NEXT, 65535 },
    { "next is itself", RAM_BASE, 8, D_NEXT, 0 },
    { "length 0", RAM_BASE, 0, 0, 0 },
    { "length 0 to write", RAM_BASE, 0, D_WRITE, 0 },
    { "length 4 GiB - 1", RAM_BASE, UINT32_MAX, 0, 0 },
    { "length 4 GiB - 1 to write", RAM_BASE, UINT32_MAX, D_WRITE, 0 },
    { "length 2 GiB", RAM_BASE, 0x80000000, D_WRITE, 0 },
    { "address 0", 0, 16, 0, 0 },
    { "one byte before RAM", RAM_BASE - 1, 16, 0, 0 },
    { "end behind RAM", RAM2_BASE + RAM2_SIZE - 15, 16, D_WRITE, 0 },
    { "address wraps", UINT64_MAX - 7, 16, 0, 0 },
    { "last byte", UINT64_MAX, 1, D_WRITE, 0 },
    { "end wraps to 0", UINT64_MAX - 15, 16, D_WRITE, 0 },
    { "on MMIO", TRAP_BASE, 16, 0, 0 },
    { "on MMIO to write", TRAP_BASE, 16, D_WRITE, 0 },
    { "on its own registers", MMIO_BASE + R_STATUS, 4, D_WRITE, 0 },
    { "ROM to write", ROM_BASE, 16, D_WRITE, 0 },
    { "indirect length 0", RAM_BASE, 0, D_INDIRECT, 0 },
    { "indirect length 17", GOOD_TABLE, 17, D_INDIRECT, 0 },
    { "indirect length 8", GOOD_TABLE, 8, D_INDIRECT, 0 },
    { "indirect length 4 GiB - 16", RAM_BASE, UINT32_MAX - 15, D_INDIRECT, 0 },
    { "indirect with next", GOOD_TABLE, 16, D_INDIRECT | D_NEXT, 1 },
    { "indirect not aligned", RAM_BASE + 4, 16, D_INDIRECT, 0 },
    { "indirect outside RAM", 0, 16, D_INDIRECT, 0 },
    { "indirect on MMIO", TRAP_BASE, 16, D_INDIRECT, 0 },
    { "indirect over two regions", RAM2_BASE - 16, 32, D_INDIRECT, 0 },
};

static void test_bad_descriptors(void)
{
    Guest *g = echo_started(modern, UINT64_MAX);

    echo_messages();
    for (unsigned i = 0; i < G_N_ELEMENTS(bad_descs); i++) {
        const BadDesc *d = &bad_descs[i];

        write_good_table(g, GOOD_TABLE);
        guest_desc(g, g->queues[0].desc, 0, d->gpa, d->len, d->flags, d->next);
        guest_publish(g, 0, 0);
        guest_notify(g, 0);
        echo_needs_reset(g, d->name);
    }
    g_assert_cmpuint(echo_messages(), ==, 1);
    guest_free(g);
}

static void test_bad_indirect_entries(void)
{
    Guest *g = echo_started(modern, UINT64_MAX);

    for (unsigned i = 0; i < G_N_ELEMENTS(bad_descs); i++) {
        const BadDesc *d = &bad_descs[i];
        uint64_t table = RAM_BASE + RAM_SIZE - 4096;

        write_good_table(g, GOOD_TABLE);
        write_good_table(g, table + ECHO_QUEUE_SIZE * 16);
        guest_desc(g, g->queues[0].desc, 0, table, ECHO_QUEUE_SIZE * 16, D_INDIRECT, 0);
        guest_desc(g, table, 0, RAM_BASE, 4, D_NEXT, 1);
        guest_desc(g, table, 1, d->gpa, d->len, d->flags, d->next);
        guest_publish(g, 0, 0);
        guest_notify(g, 0);
        echo_needs_reset(g, d->name);
    }
    guest_free(g);
}

static void test_loop(void)
{
    Guest *g = echo_started(modern, UINT64_MAX);
    g_autofree char *message = NULL;

    for (unsigned i = 0; i < ECHO_QUEUE_SIZE; i++) {
        guest_desc(g, g->queues[0].desc, i, RAM_BASE, 8, D_NEXT, (i + 1) % ECHO_QUEUE_SIZE);
    }
    guest_publish(g, 0, 3);
    guest_notify(g, 0);
    echo_needs_reset(g, "loop through the whole table");
    message = echo_last_message();
    g_assert_nonnull(strstr(message, "has a loop"));
    guest_free(g);
}

static void test_nested_indirect(void)
{
    Guest *g = echo_started(modern, UINT64_MAX);
    uint64_t table = RAM_BASE + RAM_SIZE - 4096;

    write_good_table(g, GOOD_TABLE);
    guest_desc(g, g->queues[0].desc, 0, table, 16, D_INDIRECT, 0);
    guest_desc(g, table, 0, GOOD_TABLE, 64, D_INDIRECT, 0);
    guest_publish(g, 0, 0);
    guest_notify(g, 0);
    echo_needs_reset(g, "indirect table inside an indirect table");
    guest_free(g);
}

static void test_order(void)
{
    Guest *g = echo_started(modern, UINT64_MAX);
    Buf bufs[] = { { RAM_BASE, 8, true }, { RAM_BASE, 8, false } };

    guest_submit(g, 0, bufs, 2);
    echo_needs_reset(g, "readable behind writable");
    guest_free(g);
}

static void test_too_long_chain(void)
{
    Guest *g = echo_started(modern, UINT64_MAX);
    enum { N = VIRTIO_QUEUE_MAX + 1 };
    g_autofree Buf *bufs = g_new(Buf, N);

    for (unsigned i = 0; i < N; i++) {
        bufs[i] = (Buf){ RAM_BASE, 1, false };
    }
    guest_publish(g, 0, guest_chain_indirect(g, 0, bufs, N));
    guest_notify(g, 0);
    echo_needs_reset(g, "chain of 1025 buffers");
    guest_free(g);
}

static void test_bad_head(void)
{
    static const uint16_t heads[] = { ECHO_QUEUE_SIZE, ECHO_QUEUE_SIZE + 1, 65535 };
    Guest *g = echo_started(modern, UINT64_MAX);

    for (unsigned i = 0; i < G_N_ELEMENTS(heads); i++) {
        guest_publish(g, 0, heads[i]);
        guest_notify(g, 0);
        echo_needs_reset(g, "head out of range");
    }
    guest_free(g);
}

static void test_bad_avail_idx(void)
{
    static const uint16_t indices[] = { ECHO_QUEUE_SIZE + 1, 32768, 65535 };
    Guest *g = echo_started(modern, UINT64_MAX);

    for (unsigned i = 0; i < G_N_ELEMENTS(indices); i++) {
        guest_barrier(g);
        guest_set_avail_idx(g, 0, g->queues[0].avail_idx + indices[i]);
        guest_notify(g, 0);
        echo_needs_reset(g, "available index jumps");
    }
    guest_free(g);
}

static void test_indirect_not_negotiated(void)
{
    Guest *g = echo_started(modern, ~(1ull << F_INDIRECT));

    guest_publish(g, 0, guest_chain_indirect(g, 0, &(Buf){ RAM_BASE, 8, false }, 1));
    guest_notify(g, 0);
    echo_needs_reset(g, "indirect without the feature");
    guest_free(g);
}

static void test_bad_ring_addresses(void)
{
    static const struct {
        const char *name;
        unsigned reg;
        uint64_t gpa;
    } rows[] = {
        { "table outside RAM", R_DESC_LOW, 0 },
        { "table on MMIO", R_DESC_LOW, TRAP_BASE },
        { "table wraps", R_DESC_LOW, UINT64_MAX - 15 },
        { "table not aligned", R_DESC_LOW, RAM_BASE + 8 },
        { "table ends behind RAM", R_DESC_LOW, RAM2_BASE + RAM2_SIZE - 16 },
        { "available ring outside RAM", R_DRIVER_LOW, 0x10000 },
        { "available ring on MMIO", R_DRIVER_LOW, TRAP_BASE },
        { "available ring not aligned", R_DRIVER_LOW, RAM_BASE + 1 },
        { "used ring outside RAM", R_DEVICE_LOW, 0xffff00000000 },
        { "used ring on MMIO", R_DEVICE_LOW, TRAP_BASE },
        { "used ring on ROM", R_DEVICE_LOW, ROM_BASE },
        { "used ring not aligned", R_DEVICE_LOW, RAM_BASE + 2 },
        { "used ring over two regions", R_DEVICE_LOW, RAM2_BASE - 16 },
    };
    Guest *g = echo_guest(modern);

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        guest_negotiate(g, UINT64_MAX);
        guest_setup_queue(g, 1, 8);
        guest_setup_queue(g, 0, 8);
        guest_wr(g, R_QUEUE_READY, 0);
        guest_wr(g, rows[i].reg, rows[i].gpa);
        guest_wr(g, rows[i].reg + 4, rows[i].gpa >> 32);
        guest_wr(g, R_QUEUE_READY, 1);
        guest_driver_ok(g);
        echo_needs_reset(g, rows[i].name);
    }
    guest_free(g);
}

static void test_bad_queue_size(void)
{
    static const uint32_t sizes[] = { 0, 3, 7, ECHO_QUEUE_SIZE * 2, 0x10000, UINT32_MAX };
    Guest *g = echo_guest(modern);

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        guest_negotiate(g, UINT64_MAX);
        guest_setup_queue(g, 1, 8);
        guest_setup_queue(g, 0, 8);
        guest_wr(g, R_QUEUE_READY, 0);
        guest_wr(g, R_QUEUE_NUM, sizes[i]);
        guest_wr(g, R_QUEUE_READY, 1);
        guest_driver_ok(g);
        echo_needs_reset(g, "queue size");
    }
    guest_free(g);
}

/* A legacy driver has no DEVICE_NEEDS_RESET: the device only falls silent. */
static void test_legacy_broken(void)
{
    Guest *g = echo_started(&guest_kinds[1], UINT64_MAX);

    guest_publish(g, 0, 65535);
    guest_notify(g, 0);
    guest_barrier(g);
    g_assert_cmphex(guest_rd(g, R_STATUS) & S_NEEDS_RESET, ==, 0);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, 0);
    guest_set_avail_flags(g, 0, 0);
    echo_submit_one(g);
    guest_barrier(g);
    g_assert_cmpint(g_atomic_int_get(&echo(g)->handled), ==, 0);
    guest_start(g, UINT64_MAX);
    echo_works(g, 0);
    guest_free(g);
}

typedef struct {
    Guest *g;
    uint64_t desc;
    gint stop; /* atomic */
} Changer;

/* A second vCPU that rewrites the descriptor the device is reading. */
static void *change_thread(void *opaque)
{
    static const BadDesc variants[] = {
        { NULL, RAM_BASE + RAM_SIZE - 8192, 8, 0, 0 },
        { NULL, TRAP_BASE, 8, D_WRITE, 0 },
        { NULL, RAM_BASE + RAM_SIZE - 8192, UINT32_MAX, 0, 0 },
        { NULL, RAM_BASE + RAM_SIZE - 8192, 16, D_INDIRECT, 0 },
        { NULL, RAM_BASE + RAM_SIZE - 8192, 4096, D_WRITE | D_NEXT, 0 },
    };
    Changer *c = opaque;

    for (unsigned i = 0; !g_atomic_int_get(&c->stop); i++) {
        const BadDesc *v = &variants[i % G_N_ELEMENTS(variants)];

        guest_desc(c->g, c->desc, 0, v->gpa, v->len, v->flags, v->next);
    }
    return NULL;
}

static void test_changing_descriptors(void)
{
    Guest *g = echo_started(modern, UINT64_MAX);
    Changer c = { .g = g, .desc = guest_alloc(g, 4096, 4096) };
    GThread *thread = g_thread_new("change", change_thread, &c);

    for (unsigned i = 0; i < 300; i++) {
        uint64_t table = c.desc;

        /* The queue's table is the page that changes. */
        guest_negotiate(g, UINT64_MAX);
        guest_setup_queue(g, 0, 8);
        guest_wr(g, R_QUEUE_READY, 0);
        guest_wr(g, R_DESC_LOW, table);
        guest_wr(g, R_DESC_LOW + 4, table >> 32);
        guest_wr(g, R_QUEUE_READY, 1);
        guest_driver_ok(g);
        for (unsigned j = 0; j < 8; j++) {
            guest_publish(g, 0, 0);
        }
        guest_notify(g, 0);
        guest_barrier(g);
        g->next_free = c.desc + 4096;
    }
    g_atomic_int_set(&c.stop, 1);
    g_thread_join(thread);
    g_assert_cmpint(g_atomic_int_get(&g->trapped), ==, 0);
    guest_start(g, UINT64_MAX);
    echo_works(g, 0);
    guest_free(g);
}

int main(int argc, char **argv)
{
    echo_test_init(&argc, &argv);
    g_test_add_func("/virtio-queue/hostile/descriptors", test_bad_descriptors);
    g_test_add_func("/virtio-queue/hostile/indirect-entries", test_bad_indirect_entries);
    g_test_add_func("/virtio-queue/hostile/loop", test_loop);
    g_test_add_func("/virtio-queue/hostile/indirect-inside-indirect", test_nested_indirect);
    g_test_add_func("/virtio-queue/hostile/readable-behind-writable", test_order);
    g_test_add_func("/virtio-queue/hostile/chain-too-long", test_too_long_chain);
    g_test_add_func("/virtio-queue/hostile/head-out-of-range", test_bad_head);
    g_test_add_func("/virtio-queue/hostile/available-index-jumps", test_bad_avail_idx);
    g_test_add_func("/virtio-queue/hostile/indirect-not-negotiated", test_indirect_not_negotiated);
    g_test_add_func("/virtio-queue/hostile/ring-addresses", test_bad_ring_addresses);
    g_test_add_func("/virtio-queue/hostile/queue-size", test_bad_queue_size);
    g_test_add_func("/virtio-queue/hostile/legacy-falls-silent", test_legacy_broken);
    g_test_add_func("/virtio-queue/hostile/descriptors-change-under-device",
                    test_changing_descriptors);
    return g_test_run();
}
