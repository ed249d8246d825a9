/* SPDX-License-Identifier: GPL-2.0-or-later
 * What only packed rings have (virtio 1.2, section 2.8): sizes, wrap counters at the end of the
 * ring, event structures, and rings that a hostile guest wrote. What both formats must do is in
 * test-virtio-queue.c, which runs with each.
 */
#include <string.h>

#include "hw/virtio/virtio-transport.h"
#include "virtio-echo-guest.h"

enum { AVAIL = 1 << 7, USED = 1 << 15, DATA = RAM_BASE + RAM_SIZE - 8192 };

static const GuestKind *const packed = &guest_kinds[3];

static Guest *started(void)
{
    Guest *g = echo_started(packed, UINT64_MAX);

    g_assert_true(g->packed);
    return g;
}

/* ---- negotiation and set-up ---- */

static void test_off_by_default(void)
{
    Guest *g = guest_new(&guest_kinds[0]);

    g_type_ensure(TYPE_VIRTIO_ECHO);
    guest_plug_ok(g, "virtio-echo-device", NULL);
    g_assert_cmphex(guest_offered(g) & 1ull << F_RING_PACKED, ==, 0);
    guest_free(g);
}

/* The driver has the choice. */
static void test_split_where_not_accepted(void)
{
    Guest *g = echo_guest(packed);

    guest_start(g, ~(1ull << F_RING_PACKED));
    g_assert_false(g->packed);
    guest_submit(g, 0, &(Buf){ DATA, 8, false }, 1);
    guest_wait(g, 0);
    guest_free(g);
}

/* Section 2.8.10.1: any number of entries; chains that cross the end at every place. */
static void test_any_size(void)
{
    for (unsigned size = 2; size <= ECHO_QUEUE_SIZE; size++) {
        Guest *g = echo_guest(packed);

        guest_negotiate(g, UINT64_MAX);
        guest_setup_queue(g, 0, size);
        guest_driver_ok(g);
        for (unsigned i = 0; i < 5 * size; i++) {
            echo_works(g, 0);
            if (i % 3 == 0) {
                echo_submit_one(g);
                guest_wait(g, 0);
            }
        }
        guest_free(g);
    }
}

/* A ring that another process served is taken up where that one was, in the second round. */
static void test_resume_at_place(void)
{
    Guest *g = echo_guest(packed);
    VirtIODevice *vdev = HUMPY_VIRTIO_DEVICE(g->dev);
    GuestQueue *q = &g->queues[0];

    guest_negotiate(g, UINT64_MAX);
    guest_setup_queue(g, 0, 8);
    for (unsigned i = 0; i < 8; i++) {
        packed_desc(g, q->desc, i, 0, 0, 0, AVAIL | USED); /* as after the first round */
    }
    q->next_desc = 5;
    q->next_used = 5;
    q->wrap = false;
    q->used_wrap = false;
    virtio_queue_set_avail_index(vdev, 0, 5);
    guest_driver_ok(g);
    echo_works(g, 0);
    g_assert_cmphex(virtio_queue_avail_index(vdev, 0), ==, 7);
    echo_works(g, 0);
    g_assert_cmphex(virtio_queue_avail_index(vdev, 0), ==, 0x8001);
    guest_free(g);
}

/* ---- event structures (section 2.8.14) ---- */

/* An event at a place in the middle of a chain fires when that chain is used. */
static void test_event_inside_chain(void)
{
    Guest *g = started();
    Buf bufs[] = { { DATA, 4, false }, { DATA + 8, 4, false }, { DATA + 4096, 4, true } };

    guest_set_used_event(g, 0, 2);
    echo_submit_one(g);
    guest_barrier(g);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, 0);
    guest_submit(g, 0, bufs, 3);
    guest_barrier(g);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, ISR_USED);
    guest_free(g);
}

/* An event in the next round is not one in this round. */
static void test_event_round(void)
{
    Guest *g = started();

    guest_set_used_event(g, 0, ECHO_QUEUE_SIZE + 1);
    for (unsigned i = 0; i < ECHO_QUEUE_SIZE + 2; i++) {
        g_assert_cmphex(guest_rd(g, R_ISR), ==, 0);
        echo_submit_one(g);
        guest_poll(g, 0);
        guest_set_used_event(g, 0, ECHO_QUEUE_SIZE + 1);
        guest_barrier(g);
    }
    g_assert_cmphex(guest_rd(g, R_ISR), ==, ISR_USED);
    guest_free(g);
}

static void test_bad_event_interrupts(void)
{
    Guest *g = started();

    guest_store16(g, g->queues[0].avail, 0x7fff); /* no such place */
    guest_set_avail_flags(g, 0, 2);
    echo_submit_one(g);
    guest_wait_isr(g, ISR_USED);
    guest_free(g);
}

/* ---- hostile rings ---- */

static const struct {
    const char *name;
    uint64_t gpa;
    uint32_t len;
    unsigned flags;
} bad_descs[] = {
    { "length 0", RAM_BASE, 0, 0 },
    { "length 4 GiB - 1", RAM_BASE, UINT32_MAX, 0 },
    { "length 4 GiB - 1 to write", RAM_BASE, UINT32_MAX, D_WRITE },
    { "address 0", 0, 16, 0 },
    { "end behind RAM", RAM2_BASE + RAM2_SIZE - 15, 16, D_WRITE },
    { "address wraps", UINT64_MAX - 7, 16, 0 },
    { "on MMIO", TRAP_BASE, 16, D_WRITE },
    { "ROM to write", ROM_BASE, 16, D_WRITE },
    { "indirect length 0", DATA, 0, D_INDIRECT },
    { "indirect length 17", DATA, 17, D_INDIRECT },
    { "indirect length 4 GiB - 16", RAM_BASE, UINT32_MAX - 15, D_INDIRECT },
    { "indirect in a list", DATA, 16, D_INDIRECT | D_NEXT },
    { "indirect not aligned", DATA + 4, 16, D_INDIRECT },
    { "indirect on MMIO", TRAP_BASE, 16, D_INDIRECT },
    { "indirect, entries of length 0", DATA + 4096, 32, D_INDIRECT },
    { "a chain as long as the ring and on", RAM_BASE, 16, D_NEXT },
};

static void test_bad_descriptors(void)
{
    Guest *g = started();

    echo_messages();
    for (unsigned i = 0; i < G_N_ELEMENTS(bad_descs); i++) {
        packed_desc(g, DATA, 0, RAM_BASE, 8, 0, 0);
        memset(guest_ptr(g, DATA + 4096), 0, 32);
        for (unsigned place = 1; place < ECHO_QUEUE_SIZE; place++) {
            packed_desc(g, g->queues[0].desc, place, RAM_BASE, 8, 0, D_NEXT | AVAIL);
        }
        packed_desc(g, g->queues[0].desc, 0, bad_descs[i].gpa, bad_descs[i].len, 0,
                    bad_descs[i].flags | AVAIL);
        guest_notify(g, 0);
        echo_needs_reset(g, bad_descs[i].name);
    }
    g_assert_cmpuint(echo_messages(), ==, 1);
    guest_free(g);
}

static void test_indirect_behind_direct(void)
{
    Guest *g = started();

    packed_desc(g, DATA, 0, RAM_BASE, 8, 0, 0);
    packed_desc(g, g->queues[0].desc, 1, DATA, 16, 0, D_INDIRECT | AVAIL);
    packed_desc(g, g->queues[0].desc, 0, RAM_BASE, 8, 0, D_NEXT | AVAIL);
    guest_notify(g, 0);
    echo_needs_reset(g, "indirect behind direct");
    guest_free(g);
}

static void test_ring_addresses(void)
{
    static const struct {
        const char *name;
        unsigned reg;
        uint64_t gpa;
    } bad[] = {
        { "ring not aligned", R_DESC_LOW, RAM_BASE + 8 },
        { "ring outside RAM", R_DESC_LOW, 0x1000 },
        { "ring in ROM", R_DESC_LOW, ROM_BASE },
        { "ring over the end of RAM", R_DESC_LOW, RAM2_BASE + RAM2_SIZE - 64 },
        { "driver event on MMIO", R_DRIVER_LOW, TRAP_BASE },
        { "device event not aligned", R_DEVICE_LOW, RAM_BASE + 2 },
        { "device event in ROM", R_DEVICE_LOW, ROM_BASE },
    };
    Guest *g = echo_guest(packed);

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        guest_negotiate(g, UINT64_MAX);
        guest_setup_queue(g, 1, ECHO_QUEUE_SIZE);
        guest_setup_queue(g, 0, ECHO_QUEUE_SIZE);
        guest_wr(g, R_QUEUE_READY, 0);
        guest_wr(g, bad[i].reg, bad[i].gpa);
        guest_wr(g, bad[i].reg + 4, bad[i].gpa >> 32);
        guest_wr(g, R_QUEUE_READY, 1);
        guest_driver_ok(g);
        echo_needs_reset(g, bad[i].name);
    }
    guest_free(g);
}

static void test_bad_place(void)
{
    static const uint16_t places[] = { ECHO_QUEUE_SIZE, 0x7fff, 0x8000 | ECHO_QUEUE_SIZE, 0xffff };
    Guest *g = echo_guest(packed);

    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        guest_negotiate(g, UINT64_MAX);
        guest_setup_queue(g, 1, ECHO_QUEUE_SIZE);
        guest_setup_queue(g, 0, ECHO_QUEUE_SIZE);
        virtio_queue_set_avail_index(HUMPY_VIRTIO_DEVICE(g->dev), 0, places[i]);
        guest_driver_ok(g);
        echo_needs_reset(g, "place behind the ring");
    }
    guest_free(g);
}

/* All is available all the time: what the device used is at once written over. */
static void *rewrite(void *opaque)
{
    Guest *g = opaque;

    for (unsigned i = 0; i < 20000; i++) {
        packed_desc(g, g->queues[0].desc, i % ECHO_QUEUE_SIZE, RAM_BASE, 8, i,
                    (i & 8 ? USED : AVAIL) | (i % 5 == 0 ? D_NEXT : 0) |
                        (i % 7 == 0 ? D_WRITE : 0));
    }
    return NULL;
}

static void test_changing_descriptors(void)
{
    Guest *g = started();
    GThread *thread = g_thread_new("rewrite", rewrite, g);

    for (unsigned i = 0; i < 200; i++) {
        guest_notify(g, 0);
        guest_barrier(g);
    }
    g_thread_join(thread);
    g->next_free = RAM_BASE;
    guest_start(g, UINT64_MAX);
    echo_works(g, 0);
    guest_free(g);
}

int main(int argc, char **argv)
{
    echo_test_init(&argc, &argv);
    g_test_add_func("/virtio-packed/off-by-default", test_off_by_default);
    g_test_add_func("/virtio-packed/driver-may-choose-split", test_split_where_not_accepted);
    g_test_add_func("/virtio-packed/any-size", test_any_size);
    g_test_add_func("/virtio-packed/resume-at-place", test_resume_at_place);
    g_test_add_func("/virtio-packed/event-inside-chain", test_event_inside_chain);
    g_test_add_func("/virtio-packed/event-of-next-round", test_event_round);
    g_test_add_func("/virtio-packed/impossible-event-interrupts", test_bad_event_interrupts);
    g_test_add_func("/virtio-packed/hostile/descriptors", test_bad_descriptors);
    g_test_add_func("/virtio-packed/hostile/indirect-behind-direct", test_indirect_behind_direct);
    g_test_add_func("/virtio-packed/hostile/ring-addresses", test_ring_addresses);
    g_test_add_func("/virtio-packed/hostile/place", test_bad_place);
    g_test_add_func("/virtio-packed/hostile/descriptors-change-under-device",
                    test_changing_descriptors);
    return g_test_run();
}
