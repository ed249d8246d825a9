/* SPDX-License-Identifier: GPL-2.0-or-later
 * Split virtqueues (virtio 1.2, section 2.7) between the tests' guest and a device that echoes:
 * data path, both kinds of notification suppression, stopping in the middle of a request. Rings
 * that a hostile guest wrote are in test-virtio-queue-hostile.c.
 */
#include <string.h>

#include "hw/virtio/virtio-transport.h"
#include "virtio-echo-guest.h"

static const GuestKind *const modern = &guest_kinds[0];

static void fill_pattern(Guest *g, uint64_t gpa, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        *(uint8_t *)guest_ptr(g, gpa + i) = i * 3 + 1;
    }
}

static void check_pattern(Guest *g, uint64_t gpa, unsigned from, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        g_assert_cmpuint(*(uint8_t *)guest_ptr(g, gpa + i), ==, (uint8_t)((from + i) * 3 + 1));
    }
}

/* ---- data path ---- */

static void test_chain(gconstpointer kind)
{
    Guest *g = echo_started(kind, UINT64_MAX);
    uint64_t out = guest_alloc(g, 4096, 1), in = guest_alloc(g, 4096, 1);
    Buf bufs[] = { { out, 10, false },
                   { out + 10, 990, false },
                   { in, 1, true },
                   { in + 1, 600, true },
                   { in + 601, 500, true } };
    unsigned head;
    Used used;

    fill_pattern(g, out, 1000);
    head = guest_submit(g, 0, bufs, 5);
    used = guest_wait(g, 0);
    g_assert_cmpuint(used.id, ==, head);
    g_assert_cmpuint(used.len, ==, 1000);
    check_pattern(g, in, 0, 1000);
    guest_free(g);
}

static void test_indirect(gconstpointer kind)
{
    Guest *g = echo_started(kind, UINT64_MAX);
    uint64_t out = guest_alloc(g, 4096, 1), in = guest_alloc(g, 4096, 1);
    enum { PIECES = 40 }; /* more than the ring has */
    Buf bufs[PIECES];

    for (unsigned i = 0; i < PIECES / 2; i++) {
        bufs[i] = (Buf){ out + i * 50, 50, false };
        bufs[PIECES / 2 + i] = (Buf){ in + i * 50, 50, true };
    }
    fill_pattern(g, out, 1000);
    guest_publish(g, 0, guest_chain_indirect(g, 0, bufs, PIECES));
    guest_notify(g, 0);
    g_assert_cmpuint(guest_wait(g, 0).len, ==, 1000);
    check_pattern(g, in, 0, 1000);
    guest_free(g);
}

static void test_indirect_behind_direct(void)
{
    Guest *g = echo_started(modern, UINT64_MAX);
    uint64_t out = guest_alloc(g, 256, 1), in = guest_alloc(g, 256, 1);
    uint64_t table = guest_alloc(g, 32, 16), desc = g->queues[0].desc;

    fill_pattern(g, out, 200);
    guest_desc(g, desc, 5, out, 100, D_NEXT, 2);
    guest_desc(g, desc, 2, table, 32, D_INDIRECT, 0);
    guest_desc(g, table, 0, out + 100, 100, D_NEXT, 1);
    guest_desc(g, table, 1, in, 200, D_WRITE, 0);
    guest_publish(g, 0, 5);
    guest_notify(g, 0);
    g_assert_cmpuint(guest_wait(g, 0).len, ==, 200);
    check_pattern(g, in, 0, 200);
    guest_free(g);
}

static void test_longest_chain(void)
{
    Guest *g = echo_started(modern, UINT64_MAX);
    enum { N = VIRTIO_QUEUE_MAX };
    g_autofree Buf *bufs = g_new(Buf, N);
    uint64_t mem = guest_alloc(g, N, 1);

    for (unsigned i = 0; i < N; i++) {
        bufs[i] = (Buf){ mem + i, 1, i >= N / 2 };
    }
    fill_pattern(g, mem, N / 2);
    guest_publish(g, 0, guest_chain_indirect(g, 0, bufs, N));
    guest_notify(g, 0);
    g_assert_cmpuint(guest_wait(g, 0).len, ==, N / 2);
    check_pattern(g, mem + N / 2, 0, N / 2);
    guest_free(g);
}

static void test_buffer_over_two_regions(gconstpointer kind)
{
    Guest *g = echo_started(kind, UINT64_MAX);
    uint64_t out = guest_alloc(g, 2000, 1), in = RAM2_BASE - 700;
    Buf bufs[] = { { out, 2000, false }, { in, 2000, true } };

    fill_pattern(g, out, 2000);
    guest_submit(g, 0, bufs, 2);
    g_assert_cmpuint(guest_wait(g, 0).len, ==, 2000);
    check_pattern(g, in, 0, 700);
    check_pattern(g, RAM2_BASE, 700, 1300);
    guest_free(g);
}

static void test_readable_rom(void)
{
    Guest *g = echo_started(modern, UINT64_MAX);
    uint64_t in = guest_alloc(g, 16, 1);
    Buf bufs[] = { { ROM_BASE, 16, false }, { in, 16, true } };

    memcpy(memory_region_get_ram_ptr(&g->rom), "read-only memory", 16);
    guest_submit(g, 0, bufs, 2);
    guest_wait(g, 0);
    g_assert_cmpmem(guest_ptr(g, in), 16, "read-only memory", 16);
    guest_free(g);
}

static void test_index_wrap(gconstpointer kind)
{
    Guest *g = echo_started(kind, UINT64_MAX);
    uint64_t out = guest_alloc(g, 8, 8), in = guest_alloc(g, 8, 8);
    Buf bufs[] = { { out, 8, false }, { in, 8, true } };
    enum { ROUNDS = 65536 / 4 + 10, BATCH = 4 };

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned heads[BATCH];

        for (unsigned j = 0; j < BATCH; j++) {
            heads[j] = guest_chain(g, 0, bufs, 2);
            guest_publish(g, 0, heads[j]);
        }
        guest_notify(g, 0);
        for (unsigned j = 0; j < BATCH; j++) {
            Used used = guest_poll(g, 0);

            g_assert_cmpuint(used.id, ==, heads[j]);
            g_assert_cmpuint(used.len, ==, 8);
        }
    }
    g_assert_cmpuint(guest_used_idx(g, 0), ==, (uint16_t)(ROUNDS * BATCH));
    guest_free(g);
}

static void test_both_queues(gconstpointer kind)
{
    Guest *g = echo_started(kind, UINT64_MAX);

    for (unsigned i = 0; i < 20; i++) {
        echo_works(g, i % 2);
    }
    guest_free(g);
}

static void test_unmap(void)
{
    Guest *g = echo_started(modern, UINT64_MAX);

    echo_works(g, 0);
    virtio_queue_unmap(HUMPY_VIRTIO_DEVICE(g->dev), 0);
    echo_works(g, 0);
    g_assert_cmpuint(virtio_queue_avail_index(HUMPY_VIRTIO_DEVICE(g->dev), 0), ==, 2);
    echo_works(g, 0);
    guest_free(g);
}

/* A ring that another process served before is taken up where that one was. */
static void test_resume_at_index(void)
{
    Guest *g = echo_guest(modern);

    guest_negotiate(g, UINT64_MAX);
    guest_setup_queue(g, 0, 8);
    g->queues[0].avail_idx = 65534;
    g->queues[0].used_taken = 65534;
    guest_set_avail_idx(g, 0, 65534);
    virtio_queue_set_avail_index(HUMPY_VIRTIO_DEVICE(g->dev), 0, 65534);
    *(uint16_t *)guest_ptr(g, g->queues[0].used + 2) = GUINT16_TO_LE(65534);
    guest_driver_ok(g);
    for (unsigned i = 0; i < 4; i++) {
        echo_works(g, 0);
    }
    g_assert_cmpuint(guest_used_idx(g, 0), ==, 2);
    guest_free(g);
}

/* ---- notifications ---- */

static void test_no_interrupt_flag(gconstpointer kind)
{
    Guest *g = echo_started(kind, ~(1ull << F_EVENT_IDX | 1ull << F_NOTIFY_ON_EMPTY));

    guest_set_avail_flags(g, 0, 1);
    echo_submit_one(g);
    guest_barrier(g);
    g_assert_cmpuint(guest_used_idx(g, 0), ==, 1);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, 0);
    guest_set_avail_flags(g, 0, 0);
    echo_submit_one(g);
    guest_barrier(g);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, ISR_USED);
    guest_free(g);
}

static void test_notify_on_empty(void)
{
    Guest *g = echo_started(&guest_kinds[1], 1ull << F_NOTIFY_ON_EMPTY);

    guest_set_avail_flags(g, 0, 1);
    echo_submit_one(g);
    guest_barrier(g);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, ISR_USED);
    guest_free(g);
}

static void test_used_event(gconstpointer kind)
{
    Guest *g = echo_started(kind, ~(1ull << F_NOTIFY_ON_EMPTY));

    guest_set_used_event(g, 0, 3);
    for (unsigned i = 0; i < 3; i++) {
        echo_submit_one(g);
        guest_barrier(g);
        g_assert_cmpuint(guest_used_idx(g, 0), ==, i + 1);
        g_assert_cmphex(guest_rd(g, R_ISR), ==, 0);
    }
    echo_submit_one(g);
    guest_barrier(g);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, ISR_USED);
    guest_wr(g, R_ACK, ISR_USED);
    echo_submit_one(g); /* the event is passed: silence until it is moved */
    guest_barrier(g);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, 0);
    guest_free(g);
}

static void test_avail_event(gconstpointer kind)
{
    Guest *g = echo_started(kind, UINT64_MAX);

    for (unsigned i = 0; i < 5; i++) {
        guest_barrier(g);
        g_assert_cmpuint(guest_avail_event(g, 0), ==, i);
        echo_submit_one(g);
    }
    guest_free(g);
}

static void test_no_notify_flag(gconstpointer kind)
{
    Guest *g = echo_started(kind, ~(1ull << F_EVENT_IDX));

    echo_hold(echo(g));
    echo_submit_one(g);
    echo_wait_inside(echo(g));
    g_assert_cmphex(guest_used_flags(g, 0), ==, 1); /* busy: will look again by itself */
    guest_publish(g, 0, guest_chain(g, 0, &(Buf){ RAM_BASE, 8, false }, 1)); /* no notify */
    echo_release(echo(g));
    guest_wait(g, 0);
    guest_poll(g, 0);
    guest_barrier(g);
    g_assert_cmphex(guest_used_flags(g, 0), ==, 0);
    guest_free(g);
}

/* What comes between the last look at the ring and the wish for notifications is not lost. */
static void test_no_lost_request(gconstpointer kind)
{
    Guest *g = echo_started(kind, UINT64_MAX);

    guest_barrier(g);
    echo_hold_end(echo(g));
    echo_submit_one(g);
    echo_wait_inside(echo(g));
    guest_publish(g, 0, guest_chain(g, 0, &(Buf){ RAM_BASE, 8, false }, 1)); /* no notify */
    echo_release(echo(g));
    guest_wait(g, 0);
    guest_poll(g, 0);
    guest_free(g);
}

static void test_before_driver_ok(gconstpointer kind)
{
    Guest *g = echo_guest(kind);

    guest_negotiate(g, UINT64_MAX);
    guest_setup_queue(g, 0, 8);
    echo_submit_one(g);
    guest_barrier(g);
    g_assert_cmpint(g_atomic_int_get(&echo(g)->handled), ==, 0);
    g_assert_cmphex(guest_rd(g, R_STATUS) & S_NEEDS_RESET, ==, 0);
    guest_driver_ok(g);
    guest_wait(g, 0); /* served at DRIVER_OK */
    echo_works(g, 0);
    guest_free(g);
}

static void test_not_ready(void)
{
    Guest *g = echo_guest(modern);

    guest_negotiate(g, UINT64_MAX);
    guest_setup_queue(g, 0, 8);
    guest_wr(g, R_QUEUE_READY, 0);
    guest_driver_ok(g);
    echo_submit_one(g);
    guest_barrier(g);
    g_assert_cmpint(g_atomic_int_get(&echo(g)->handled), ==, 0);
    g_assert_cmphex(guest_rd(g, R_STATUS) & S_NEEDS_RESET, ==, 0);
    guest_free(g);
}

/* ---- stopping in the middle of a request ---- */

typedef struct {
    Guest *g;
    void (*stop)(Guest *g);
    gint about_to_stop; /* atomic */
    bool inside_after;
} Stopper;

static void *stop_thread(void *opaque)
{
    Stopper *s = opaque;

    memory_thread_register();
    g_atomic_int_set(&s->about_to_stop, 1);
    s->stop(s->g);
    s->inside_after = echo_is_inside(echo(s->g));
    memory_thread_unregister();
    return NULL;
}

/* stop must not return while a request is inside the device. */
static void check_waits(Guest *g, void (*stop)(Guest *g))
{
    Stopper s = { .g = g, .stop = stop };
    G_GNUC_UNUSED g_autoptr(Device) keep = g_object_ref(g->dev);
    GThread *thread;

    echo_hold(echo(g));
    echo_submit_one(g);
    echo_submit_one(g);
    echo_wait_inside(echo(g));
    thread = g_thread_new("stop", stop_thread, &s);
    while (!g_atomic_int_get(&s.about_to_stop)) {
        g_thread_yield();
    }
    for (unsigned i = 0; i < 2000; i++) {
        g_thread_yield(); /* lets a stop that does not wait be caught */
    }
    echo_release(echo(g));
    g_thread_join(thread);
    g_assert_false(s.inside_after);
}

static void stop_by_status(Guest *g)
{
    guest_wr(g, R_STATUS, 0);
}

static void stop_by_machine(Guest *g)
{
    device_reset(g->transport);
}

static void stop_by_queue(Guest *g)
{
    guest_wr(g, R_QUEUE_SEL, 0);
    guest_wr(g, g->legacy ? R_QUEUE_PFN : R_QUEUE_READY, 0);
}

static void stop_by_unplug(Guest *g)
{
    guest_unplug(g);
}

static void test_reset_waits(gconstpointer kind)
{
    static void (*const stops[])(Guest *) = { stop_by_status, stop_by_machine, stop_by_queue };

    for (unsigned i = 0; i < G_N_ELEMENTS(stops); i++) {
        Guest *g = echo_started(kind, UINT64_MAX);

        check_waits(g, stops[i]);
        guest_start(g, UINT64_MAX);
        echo_works(g, 0);
        guest_free(g);
    }
}

static void test_unplug_waits(gconstpointer kind)
{
    Guest *g = echo_started(kind, UINT64_MAX);

    check_waits(g, stop_by_unplug);
    guest_free(g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    guest_add_test("/virtio-queue", "chain", test_chain);
    guest_add_test("/virtio-queue", "indirect", test_indirect);
    guest_add_test("/virtio-queue", "buffer-over-two-regions", test_buffer_over_two_regions);
    guest_add_test("/virtio-queue", "indices-wrap", test_index_wrap);
    guest_add_test("/virtio-queue", "both-queues", test_both_queues);
    guest_add_test("/virtio-queue", "no-interrupt-flag", test_no_interrupt_flag);
    guest_add_test("/virtio-queue", "used-event-suppresses-interrupts", test_used_event);
    guest_add_test("/virtio-queue", "avail-event-asks-for-next", test_avail_event);
    guest_add_test("/virtio-queue", "no-notify-flag-while-busy", test_no_notify_flag);
    guest_add_test("/virtio-queue", "request-without-notify-is-not-lost", test_no_lost_request);
    guest_add_test("/virtio-queue", "notify-before-driver-ok-is-ignored", test_before_driver_ok);
    guest_add_test("/virtio-queue", "reset-waits-for-request", test_reset_waits);
    guest_add_test("/virtio-queue", "unplug-waits-for-request", test_unplug_waits);
    g_test_add_func("/virtio-queue/indirect-behind-direct", test_indirect_behind_direct);
    g_test_add_func("/virtio-queue/longest-chain", test_longest_chain);
    g_test_add_func("/virtio-queue/rom-is-readable", test_readable_rom);
    g_test_add_func("/virtio-queue/unmap-and-go-on", test_unmap);
    g_test_add_func("/virtio-queue/resume-at-index", test_resume_at_index);
    g_test_add_func("/virtio-queue/notify-on-empty", test_notify_on_empty);
    g_test_add_func("/virtio-queue/queue-not-ready-is-ignored", test_not_ready);
    return g_test_run();
}
