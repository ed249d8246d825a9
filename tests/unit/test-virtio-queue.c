/* SPDX-License-Identifier: GPL-2.0-or-later
 * Split virtqueues (virtio 1.2, section 2.7) between the tests' guest and a device that echoes:
 * data path, both kinds of notification suppression, stopping in the middle of a request, and
 * rings that a hostile guest wrote.
 */
#include <string.h>

#include "hw/virtio/virtio-transport.h"
#include "virtio-driver.h"
#include "virtio-echo.h"

static const GuestKind *const modern = &guest_kinds[0];

static Guest *echo_guest(const GuestKind *kind)
{
    Guest *g = guest_new(kind);

    g_type_ensure(TYPE_VIRTIO_ECHO);
    guest_plug_ok(g, "virtio-echo-device", NULL);
    return g;
}

static Guest *started(const GuestKind *kind, uint64_t features)
{
    Guest *g = echo_guest(kind);

    guest_start(g, features);
    return g;
}

static VirtIOEcho *echo(Guest *g)
{
    return HUMPY_VIRTIO_ECHO(g->dev);
}

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

static void echo_works(Guest *g, unsigned queue)
{
    uint64_t out = RAM_BASE + RAM_SIZE - 8192, in = out + 4096;
    Buf bufs[] = { { out, 100, false }, { in, 100, true } };

    fill_pattern(g, out, 100);
    guest_fill(g, in, 0, 100);
    guest_submit(g, queue, bufs, 2);
    g_assert_cmpuint(guest_wait(g, queue).len, ==, 100);
    check_pattern(g, in, 0, 100);
}

/* ---- data path ---- */

static void test_chain(gconstpointer kind)
{
    Guest *g = started(kind, UINT64_MAX);
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
    Guest *g = started(kind, UINT64_MAX);
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
    Guest *g = started(modern, UINT64_MAX);
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
    Guest *g = started(modern, UINT64_MAX);
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
    Guest *g = started(kind, UINT64_MAX);
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
    Guest *g = started(modern, UINT64_MAX);
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
    Guest *g = started(kind, UINT64_MAX);
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
    Guest *g = started(kind, UINT64_MAX);

    for (unsigned i = 0; i < 20; i++) {
        echo_works(g, i % 2);
    }
    guest_free(g);
}

static void test_unmap(void)
{
    Guest *g = started(modern, UINT64_MAX);

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

static void submit_one(Guest *g)
{
    uint64_t out = RAM_BASE + RAM_SIZE - 64;

    guest_submit(g, 0, &(Buf){ out, 8, false }, 1);
}

static void test_no_interrupt_flag(gconstpointer kind)
{
    Guest *g = started(kind, ~(1ull << F_EVENT_IDX | 1ull << F_NOTIFY_ON_EMPTY));

    guest_set_avail_flags(g, 0, 1);
    submit_one(g);
    guest_barrier(g);
    g_assert_cmpuint(guest_used_idx(g, 0), ==, 1);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, 0);
    guest_set_avail_flags(g, 0, 0);
    submit_one(g);
    guest_barrier(g);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, ISR_USED);
    guest_free(g);
}

static void test_notify_on_empty(void)
{
    Guest *g = started(&guest_kinds[1], 1ull << F_NOTIFY_ON_EMPTY);

    guest_set_avail_flags(g, 0, 1);
    submit_one(g);
    guest_barrier(g);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, ISR_USED);
    guest_free(g);
}

static void test_used_event(gconstpointer kind)
{
    Guest *g = started(kind, ~(1ull << F_NOTIFY_ON_EMPTY));

    guest_set_used_event(g, 0, 3);
    for (unsigned i = 0; i < 3; i++) {
        submit_one(g);
        guest_barrier(g);
        g_assert_cmpuint(guest_used_idx(g, 0), ==, i + 1);
        g_assert_cmphex(guest_rd(g, R_ISR), ==, 0);
    }
    submit_one(g);
    guest_barrier(g);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, ISR_USED);
    guest_wr(g, R_ACK, ISR_USED);
    submit_one(g); /* the event is passed: silence until it is moved */
    guest_barrier(g);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, 0);
    guest_free(g);
}

static void test_avail_event(gconstpointer kind)
{
    Guest *g = started(kind, UINT64_MAX);

    for (unsigned i = 0; i < 5; i++) {
        guest_barrier(g);
        g_assert_cmpuint(guest_avail_event(g, 0), ==, i);
        submit_one(g);
    }
    guest_free(g);
}

static void test_no_notify_flag(gconstpointer kind)
{
    Guest *g = started(kind, ~(1ull << F_EVENT_IDX));

    echo_hold(echo(g));
    submit_one(g);
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
    Guest *g = started(kind, UINT64_MAX);

    guest_barrier(g);
    echo_hold_end(echo(g));
    submit_one(g);
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
    submit_one(g);
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
    submit_one(g);
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
    submit_one(g);
    submit_one(g);
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
        Guest *g = started(kind, UINT64_MAX);

        check_waits(g, stops[i]);
        guest_start(g, UINT64_MAX);
        echo_works(g, 0);
        guest_free(g);
    }
}

static void test_unplug_waits(gconstpointer kind)
{
    Guest *g = started(kind, UINT64_MAX);

    check_waits(g, stop_by_unplug);
    guest_free(g);
}

/* ---- hostile rings ---- */

/* Four descriptors that are fine by themselves: wrong turns end in a request that works. */
enum { GOOD_TABLE = RAM_BASE + RAM_SIZE - 12288 };

static void write_good_table(Guest *g, uint64_t table)
{
    for (unsigned i = 0; i < 4; i++) {
        guest_desc(g, table, i, RAM_BASE + RAM_SIZE - 8192, 8, 0, 0);
    }
}

static unsigned messages;
static char *last_message;
static pthread_mutex_t messages_lock = PTHREAD_MUTEX_INITIALIZER;

static GLogWriterOutput count_messages(GLogLevelFlags level, const GLogField *fields, gsize n,
                                       gpointer data)
{
    if ((level & G_LOG_LEVEL_MESSAGE) != 0) {
        pthread_mutex_lock(&messages_lock);
        messages++;
        g_free(last_message);
        last_message = g_log_writer_format_fields(level, fields, n, FALSE);
        pthread_mutex_unlock(&messages_lock);
        return G_LOG_WRITER_HANDLED;
    }
    return g_log_writer_default(level, fields, n, data);
}

/* The broken state is seen by the driver, stays, stops both queues, and ends with a reset. */
static void check_needs_reset(Guest *g, const char *what)
{
    int handled;

    g_test_message("%s", what);
    guest_wait_isr(g, ISR_CONFIG);
    g_assert_cmphex(guest_rd(g, R_STATUS) & S_NEEDS_RESET, !=, 0);
    handled = g_atomic_int_get(&echo(g)->handled);
    guest_publish(g, 1, guest_chain(g, 1, &(Buf){ RAM_BASE, 8, false }, 1));
    guest_notify(g, 1);
    guest_driver_ok(g);
    guest_barrier(g);
    g_assert_cmpint(g_atomic_int_get(&echo(g)->handled), ==, handled);
    g_assert_cmphex(guest_rd(g, R_STATUS) & S_NEEDS_RESET, !=, 0);
    g_assert_cmpint(g_atomic_int_get(&g->trapped), ==, 0);
    g->next_free = RAM_BASE;
    guest_start(g, UINT64_MAX);
    echo_works(g, 0);
    echo_works(g, 1);
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
    Guest *g;

    messages = 0;
    g = started(modern, UINT64_MAX);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad_descs); i++) {
        const BadDesc *d = &bad_descs[i];

        write_good_table(g, GOOD_TABLE);
        guest_desc(g, g->queues[0].desc, 0, d->gpa, d->len, d->flags, d->next);
        guest_publish(g, 0, 0);
        guest_notify(g, 0);
        check_needs_reset(g, d->name);
    }
    g_assert_cmpuint(messages, ==, 1);
    guest_free(g);
}

static void test_bad_indirect_entries(void)
{
    Guest *g = started(modern, UINT64_MAX);

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
        check_needs_reset(g, d->name);
    }
    guest_free(g);
}

static void test_loop(void)
{
    Guest *g = started(modern, UINT64_MAX);

    for (unsigned i = 0; i < ECHO_QUEUE_SIZE; i++) {
        guest_desc(g, g->queues[0].desc, i, RAM_BASE, 8, D_NEXT, (i + 1) % ECHO_QUEUE_SIZE);
    }
    guest_publish(g, 0, 3);
    guest_notify(g, 0);
    check_needs_reset(g, "loop through the whole table");
    g_assert_nonnull(strstr(last_message, "has a loop"));
    guest_free(g);
}

static void test_nested_indirect(void)
{
    Guest *g = started(modern, UINT64_MAX);
    uint64_t table = RAM_BASE + RAM_SIZE - 4096;

    write_good_table(g, GOOD_TABLE);
    guest_desc(g, g->queues[0].desc, 0, table, 16, D_INDIRECT, 0);
    guest_desc(g, table, 0, GOOD_TABLE, 64, D_INDIRECT, 0);
    guest_publish(g, 0, 0);
    guest_notify(g, 0);
    check_needs_reset(g, "indirect table inside an indirect table");
    guest_free(g);
}

static void test_order(void)
{
    Guest *g = started(modern, UINT64_MAX);
    Buf bufs[] = { { RAM_BASE, 8, true }, { RAM_BASE, 8, false } };

    guest_submit(g, 0, bufs, 2);
    check_needs_reset(g, "readable behind writable");
    guest_free(g);
}

static void test_too_long_chain(void)
{
    Guest *g = started(modern, UINT64_MAX);
    enum { N = VIRTIO_QUEUE_MAX + 1 };
    g_autofree Buf *bufs = g_new(Buf, N);

    for (unsigned i = 0; i < N; i++) {
        bufs[i] = (Buf){ RAM_BASE, 1, false };
    }
    guest_publish(g, 0, guest_chain_indirect(g, 0, bufs, N));
    guest_notify(g, 0);
    check_needs_reset(g, "chain of 1025 buffers");
    guest_free(g);
}

static void test_bad_head(void)
{
    static const uint16_t heads[] = { ECHO_QUEUE_SIZE, ECHO_QUEUE_SIZE + 1, 65535 };
    Guest *g = started(modern, UINT64_MAX);

    for (unsigned i = 0; i < G_N_ELEMENTS(heads); i++) {
        guest_publish(g, 0, heads[i]);
        guest_notify(g, 0);
        check_needs_reset(g, "head out of range");
    }
    guest_free(g);
}

static void test_bad_avail_idx(void)
{
    static const uint16_t indices[] = { ECHO_QUEUE_SIZE + 1, 32768, 65535 };
    Guest *g = started(modern, UINT64_MAX);

    for (unsigned i = 0; i < G_N_ELEMENTS(indices); i++) {
        guest_barrier(g);
        guest_set_avail_idx(g, 0, g->queues[0].avail_idx + indices[i]);
        guest_notify(g, 0);
        check_needs_reset(g, "available index jumps");
    }
    guest_free(g);
}

static void test_indirect_not_negotiated(void)
{
    Guest *g = started(modern, ~(1ull << F_INDIRECT));

    guest_publish(g, 0, guest_chain_indirect(g, 0, &(Buf){ RAM_BASE, 8, false }, 1));
    guest_notify(g, 0);
    check_needs_reset(g, "indirect without the feature");
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
        check_needs_reset(g, rows[i].name);
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
        check_needs_reset(g, "queue size");
    }
    guest_free(g);
}

/* A legacy driver has no DEVICE_NEEDS_RESET: the device only falls silent. */
static void test_legacy_broken(void)
{
    Guest *g = started(&guest_kinds[1], UINT64_MAX);

    guest_publish(g, 0, 65535);
    guest_notify(g, 0);
    guest_barrier(g);
    g_assert_cmphex(guest_rd(g, R_STATUS) & S_NEEDS_RESET, ==, 0);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, 0);
    guest_set_avail_flags(g, 0, 0);
    submit_one(g);
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
    Guest *g = started(modern, UINT64_MAX);
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

static void add(const char *name, void (*fn)(gconstpointer))
{
    for (unsigned i = 0; i < G_N_ELEMENTS(guest_kinds); i++) {
        g_autofree char *path = g_strdup_printf("/virtio-queue/%s/%s", guest_kinds[i].name, name);

        g_test_add_data_func(path, &guest_kinds[i], fn);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_writer_func(count_messages, NULL, NULL);
    add("chain", test_chain);
    add("indirect", test_indirect);
    add("buffer-over-two-regions", test_buffer_over_two_regions);
    add("indices-wrap", test_index_wrap);
    add("both-queues", test_both_queues);
    add("no-interrupt-flag", test_no_interrupt_flag);
    add("used-event-suppresses-interrupts", test_used_event);
    add("avail-event-asks-for-next", test_avail_event);
    add("no-notify-flag-while-busy", test_no_notify_flag);
    add("request-without-notify-is-not-lost", test_no_lost_request);
    add("notify-before-driver-ok-is-ignored", test_before_driver_ok);
    add("reset-waits-for-request", test_reset_waits);
    add("unplug-waits-for-request", test_unplug_waits);
    g_test_add_func("/virtio-queue/indirect-behind-direct", test_indirect_behind_direct);
    g_test_add_func("/virtio-queue/longest-chain", test_longest_chain);
    g_test_add_func("/virtio-queue/rom-is-readable", test_readable_rom);
    g_test_add_func("/virtio-queue/unmap-and-go-on", test_unmap);
    g_test_add_func("/virtio-queue/resume-at-index", test_resume_at_index);
    g_test_add_func("/virtio-queue/notify-on-empty", test_notify_on_empty);
    g_test_add_func("/virtio-queue/queue-not-ready-is-ignored", test_not_ready);
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
