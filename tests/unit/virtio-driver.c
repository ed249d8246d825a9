/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virtio tests' guest, see virtio-driver.h.
 */
#include "virtio-driver.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hw/core/bus.h"
#include "util/error.h"

const GuestKind guest_kinds[4] = {
    { "modern", false, false, false },
    { "legacy", true, false, false },
    { "modern-no-ioeventfd", false, true, false },
    { "packed", false, false, true },
};

/* ---- the board ---- */

static uint64_t trap_read(void *opaque, hwaddr offset, unsigned size)
{
    g_atomic_int_inc(&((Guest *)opaque)->trapped);
    return 0;
}

static void trap_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    g_atomic_int_inc(&((Guest *)opaque)->trapped);
}

static const MemoryRegionOps trap_ops = {
    .read = trap_read,
    .write = trap_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static void line_changed(void *opaque, int n, int level)
{
    Guest *g = opaque;

    pthread_mutex_lock(&g->lock);
    g->raised += level && !g->level;
    g->level = level;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void set_prop(Device *dev, const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "=", 2);
    g_autoptr(GError) error = NULL;

    props_set_str(G_OBJECT(dev), parts[0], parts[1], &error);
    g_assert_no_error(error);
}

Guest *guest_new(const GuestKind *kind)
{
    Guest *g = g_new0(Guest, 1);
    g_autoptr(GError) error = NULL;

    hw_register_types();
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->changed, NULL);
    g->legacy = kind->legacy;
    g->offer_packed = kind->packed;
    g->next_free = RAM_BASE;
    memory_region_init(&g->root, NULL, "system", UINT64_MAX);
    memory_region_init_ram(&g->ram, NULL, "ram", RAM_SIZE, &error);
    g_assert_no_error(error);
    memory_region_init_ram(&g->ram2, NULL, "ram2", RAM2_SIZE, &error);
    g_assert_no_error(error);
    memory_region_init_rom(&g->rom, NULL, "rom", 65536, &error);
    g_assert_no_error(error);
    memory_region_init_io(&g->trap, NULL, &trap_ops, g, "trap", 65536);
    memory_region_add_subregion(&g->root, RAM_BASE, &g->ram);
    memory_region_add_subregion(&g->root, RAM2_BASE, &g->ram2);
    memory_region_add_subregion(&g->root, ROM_BASE, &g->rom);
    memory_region_add_subregion(&g->root, TRAP_BASE, &g->trap);
    g->as = address_space_new(&g->root, "memory");
    g->transport = device_new("virtio-mmio", &error);
    g_assert_no_error(error);
    set_prop(g->transport, kind->legacy ? "force-legacy=on" : "force-legacy=off");
    set_prop(g->transport, kind->no_ioeventfd ? "ioeventfd=off" : "ioeventfd=on");
    device_connect_irq(g->transport, 0, irq_new(line_changed, g, 0));
    g_assert_true(device_realize(g->transport, &error));
    virtio_mmio_set_dma(HUMPY_VIRTIO_MMIO(g->transport), g->as);
    device_map(g->transport, 0, &g->root, MMIO_BASE);
    return g;
}

bool guest_plug(Guest *g, const char *type, const char *const *props, GError **error)
{
    g_autoptr(Device) dev = device_new(type, error);

    g_assert_nonnull(dev);
    if (g->offer_packed) {
        set_prop(dev, "packed=on");
    }
    for (; props != NULL && *props != NULL; props++) {
        set_prop(dev, *props);
    }
    if (!bus_add_device(virtio_mmio_bus(HUMPY_VIRTIO_MMIO(g->transport)), dev, error)) {
        return false;
    }
    g->dev = dev;
    return true;
}

void guest_unplug(Guest *g)
{
    bus_remove_device(device_parent_bus(g->dev), g->dev);
}

void guest_plug_ok(Guest *g, const char *type, const char *const *props)
{
    g_autoptr(GError) error = NULL;

    guest_plug(g, type, props, &error);
    g_assert_no_error(error);
}

void guest_free(Guest *g)
{
    device_unrealize(g->transport);
    g_object_unref(g->transport);
    memory_region_del_subregion(&g->root, &g->ram);
    memory_region_del_subregion(&g->root, &g->ram2);
    memory_region_del_subregion(&g->root, &g->rom);
    memory_region_del_subregion(&g->root, &g->trap);
    address_space_free(g->as);
    memory_region_destroy(&g->trap);
    memory_region_destroy(&g->rom);
    memory_region_destroy(&g->ram2);
    memory_region_destroy(&g->ram);
    memory_region_destroy(&g->root);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->lock);
    g_free(g);
}

/* ---- registers ---- */

uint32_t guest_rd(Guest *g, unsigned reg)
{
    uint64_t value;

    g_assert_cmpuint(address_space_ld(g->as, MMIO_BASE + reg, 4, &value), ==, MEMTX_OK);
    return value;
}

void guest_wr(Guest *g, unsigned reg, uint32_t value)
{
    g_assert_cmpuint(address_space_st(g->as, MMIO_BASE + reg, 4, value), ==, MEMTX_OK);
}

uint64_t guest_offered(Guest *g)
{
    uint64_t low, high;

    guest_wr(g, R_DEVICE_FEATURES_SEL, 0);
    low = guest_rd(g, R_DEVICE_FEATURES);
    guest_wr(g, R_DEVICE_FEATURES_SEL, 1);
    high = guest_rd(g, R_DEVICE_FEATURES);
    return high << 32 | low;
}

void guest_negotiate(Guest *g, uint64_t wanted)
{
    if (g->legacy) {
        guest_wr(g, R_PAGE_SIZE, 4096); /* once, before the reset, as Linux does */
    }
    guest_wr(g, R_STATUS, 0);
    memset(g->queues, 0, sizeof(g->queues));
    guest_wr(g, R_STATUS, S_ACKNOWLEDGE);
    guest_wr(g, R_STATUS, S_ACKNOWLEDGE | S_DRIVER);
    g->features = guest_offered(g) & (wanted | (g->legacy ? 0 : 1ull << F_VERSION_1));
    g->event_idx = (g->features & 1ull << F_EVENT_IDX) != 0;
    g->packed = (g->features & 1ull << F_RING_PACKED) != 0;
    guest_wr(g, R_DRIVER_FEATURES_SEL, 0);
    guest_wr(g, R_DRIVER_FEATURES, g->features);
    if (g->legacy) {
        return;
    }
    guest_wr(g, R_DRIVER_FEATURES_SEL, 1);
    guest_wr(g, R_DRIVER_FEATURES, g->features >> 32);
    guest_wr(g, R_STATUS, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK);
    g_assert_cmphex(guest_rd(g, R_STATUS), ==, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK);
}

static void set_address(Guest *g, unsigned reg, uint64_t gpa)
{
    guest_wr(g, reg, gpa);
    guest_wr(g, reg + 4, gpa >> 32);
}

void guest_setup_queue(Guest *g, unsigned index, unsigned size)
{
    GuestQueue *q = &g->queues[index];
    uint64_t bytes = size * 16 + 4096 + size * 8 + 6 + 4096;

    *q = (GuestQueue){ .index = index, .size = size, .wrap = true, .used_wrap = true };
    q->desc = guest_alloc(g, bytes, 4096);
    memset(guest_ptr(g, q->desc), 0, bytes);
    q->avail = q->desc + size * 16;
    q->used = (q->avail + 6 + size * 2 + 4095) & ~4095ull;
    guest_wr(g, R_QUEUE_SEL, index);
    guest_wr(g, R_QUEUE_NUM, size);
    if (g->legacy) {
        guest_wr(g, R_QUEUE_ALIGN, 4096);
        guest_wr(g, R_QUEUE_PFN, q->desc / 4096);
        return;
    }
    set_address(g, R_DESC_LOW, q->desc);
    set_address(g, R_DRIVER_LOW, q->avail);
    set_address(g, R_DEVICE_LOW, q->used);
    guest_wr(g, R_QUEUE_READY, 1);
}

void guest_driver_ok(Guest *g)
{
    guest_wr(g, R_STATUS, guest_rd(g, R_STATUS) | S_DRIVER_OK);
}

void guest_start(Guest *g, uint64_t wanted)
{
    guest_negotiate(g, wanted);
    for (unsigned i = 0; i < G_N_ELEMENTS(g->queues); i++) {
        unsigned max;

        guest_wr(g, R_QUEUE_SEL, i);
        max = guest_rd(g, R_QUEUE_NUM_MAX);
        if (max != 0) {
            guest_setup_queue(g, i, max);
        }
    }
    guest_driver_ok(g);
}

/* ---- memory ---- */

uint64_t guest_alloc(Guest *g, uint64_t size, uint64_t align)
{
    uint64_t gpa = (g->next_free + align - 1) & ~(align - 1);

    g->next_free = gpa + size;
    g_assert_cmpuint(g->next_free, <=, RAM_BASE + RAM_SIZE);
    return gpa;
}

void *guest_ptr(Guest *g, uint64_t gpa)
{
    if (gpa >= RAM2_BASE) {
        return (char *)memory_region_get_ram_ptr(&g->ram2) + (gpa - RAM2_BASE);
    }
    return (char *)memory_region_get_ram_ptr(&g->ram) + (gpa - RAM_BASE);
}

void guest_fill(Guest *g, uint64_t gpa, uint8_t value, size_t len)
{
    memset(guest_ptr(g, gpa), value, len);
}

void guest_store16(Guest *g, uint64_t gpa, uint16_t value)
{
    /* Not a store: see store16() of hw/virtio/queue-split.c. */
    __atomic_exchange_n((uint16_t *)guest_ptr(g, gpa), GUINT16_TO_LE(value), __ATOMIC_SEQ_CST);
}

uint16_t guest_load16(Guest *g, uint64_t gpa)
{
    return GUINT16_FROM_LE(__atomic_load_n((uint16_t *)guest_ptr(g, gpa), __ATOMIC_SEQ_CST));
}

uint32_t guest_load32(Guest *g, uint64_t gpa)
{
    return GUINT32_FROM_LE(__atomic_load_n((uint32_t *)guest_ptr(g, gpa), __ATOMIC_SEQ_CST));
}

/* ---- rings ---- */

void guest_desc(Guest *g, uint64_t table, unsigned i, uint64_t gpa, uint32_t len, unsigned flags,
                unsigned next)
{
    uint64_t at = table + i * 16;

    __atomic_store_n((uint64_t *)guest_ptr(g, at), GUINT64_TO_LE(gpa), __ATOMIC_RELAXED);
    __atomic_store_n((uint32_t *)guest_ptr(g, at + 8), GUINT32_TO_LE(len), __ATOMIC_RELAXED);
    guest_store16(g, at + 12, flags);
    guest_store16(g, at + 14, next);
}

static void write_chain(Guest *g, uint64_t table, unsigned first, unsigned size, const Buf *bufs,
                        unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned flags = (bufs[i].write ? D_WRITE : 0) | (i + 1 < n ? D_NEXT : 0);

        guest_desc(g, table, (first + i) % size, bufs[i].gpa, bufs[i].len, flags,
                   (first + i + 1) % size);
    }
}

unsigned guest_chain(Guest *g, unsigned queue, const Buf *bufs, unsigned n)
{
    GuestQueue *q = &g->queues[queue];
    unsigned head = q->next_desc;

    if (g->packed) {
        return packed_chain(g, q, bufs, n);
    }
    write_chain(g, q->desc, head, q->size, bufs, n);
    q->next_desc = (head + n) % q->size;
    return head;
}

unsigned guest_chain_indirect(Guest *g, unsigned queue, const Buf *bufs, unsigned n)
{
    GuestQueue *q = &g->queues[queue];
    unsigned head = q->next_desc;
    uint64_t table;

    if (g->packed) {
        return packed_chain_indirect(g, q, bufs, n);
    }
    table = guest_alloc(g, n * 16, 16);
    write_chain(g, table, 0, n + 1, bufs, n);
    guest_desc(g, q->desc, head, table, n * 16, D_INDIRECT, 0);
    q->next_desc = (head + 1) % q->size;
    return head;
}

void guest_set_avail_idx(Guest *g, unsigned queue, uint16_t idx)
{
    guest_store16(g, g->queues[queue].avail + 2, idx);
}

void guest_publish(Guest *g, unsigned queue, unsigned head)
{
    GuestQueue *q = &g->queues[queue];

    if (g->packed) {
        packed_publish(g, q, head);
        return;
    }
    guest_store16(g, q->avail + 4 + 2 * (q->avail_idx % q->size), head);
    guest_set_avail_idx(g, queue, ++q->avail_idx);
}

void guest_notify(Guest *g, unsigned queue)
{
    guest_wr(g, R_QUEUE_NOTIFY, queue);
}

unsigned guest_submit(Guest *g, unsigned queue, const Buf *bufs, unsigned n)
{
    unsigned head = guest_chain(g, queue, bufs, n);

    guest_publish(g, queue, head);
    guest_notify(g, queue);
    return head;
}

uint16_t guest_used_idx(Guest *g, unsigned queue)
{
    GuestQueue *q = &g->queues[queue];

    return g->packed ? q->used_taken + packed_used_ahead(g, q) : guest_load16(g, q->used + 2);
}

typedef struct {
    int fd;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool passed;
} Barrier;

static void barrier_reached(void *opaque)
{
    Barrier *b = opaque;
    eventfd_t count;

    g_assert_cmpint(eventfd_read(b->fd, &count), ==, 0);
    pthread_mutex_lock(&b->lock);
    b->passed = true;
    pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

/* Descriptors are served in the order in which they became readable. */
void guest_barrier(Guest *g)
{
    IoThread *thread = virtio_iothread(HUMPY_VIRTIO_DEVICE(g->dev));
    Barrier b = { .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    g_autoptr(GError) error = NULL;
    uint64_t id;

    pthread_mutex_init(&b.lock, NULL);
    pthread_cond_init(&b.changed, NULL);
    id = iothread_watch(thread, b.fd, barrier_reached, &b, &error);
    g_assert_no_error(error);
    g_assert_cmpint(eventfd_write(b.fd, 1), ==, 0);
    pthread_mutex_lock(&b.lock);
    while (!b.passed) {
        pthread_cond_wait(&b.changed, &b.lock);
    }
    pthread_mutex_unlock(&b.lock);
    iothread_unwatch(thread, id);
    close(b.fd);
    pthread_cond_destroy(&b.changed);
    pthread_mutex_destroy(&b.lock);
}

static Used take_used(Guest *g, GuestQueue *q)
{
    uint64_t at;

    if (g->packed) {
        return packed_take(g, q);
    }
    at = q->used + 4 + 8 * (q->used_taken++ % q->size);
    if (g->event_idx) {
        guest_set_used_event(g, q->index, q->used_taken);
    }
    return (Used){ guest_load32(g, at), guest_load32(g, at + 4) };
}

Used guest_wait(Guest *g, unsigned queue)
{
    GuestQueue *q = &g->queues[queue];

    while (guest_used_idx(g, queue) == q->used_taken) {
        uint32_t isr;

        pthread_mutex_lock(&g->lock);
        while (!g->level) {
            pthread_cond_wait(&g->changed, &g->lock);
        }
        pthread_mutex_unlock(&g->lock);
        isr = guest_rd(g, R_ISR);
        guest_wr(g, R_ACK, isr & ISR_USED);
        g_assert_cmphex(guest_rd(g, R_STATUS) & S_NEEDS_RESET, ==, 0);
    }
    return take_used(g, q);
}

Used guest_poll(Guest *g, unsigned queue)
{
    GuestQueue *q = &g->queues[queue];

    while (guest_used_idx(g, queue) == q->used_taken) {
        g_thread_yield();
    }
    return take_used(g, q);
}

void guest_wait_isr(Guest *g, uint32_t bits)
{
    for (;;) {
        pthread_mutex_lock(&g->lock);
        while (!g->level) {
            pthread_cond_wait(&g->changed, &g->lock);
        }
        pthread_mutex_unlock(&g->lock);
        if ((guest_rd(g, R_ISR) & bits) == bits) {
            break;
        }
        g_thread_yield();
    }
    guest_wr(g, R_ACK, bits);
}

int guest_level(Guest *g)
{
    int level;

    pthread_mutex_lock(&g->lock);
    level = g->level;
    pthread_mutex_unlock(&g->lock);
    return level;
}

unsigned guest_raised(Guest *g)
{
    unsigned raised;

    pthread_mutex_lock(&g->lock);
    raised = g->raised;
    pthread_mutex_unlock(&g->lock);
    return raised;
}

void guest_set_used_event(Guest *g, unsigned queue, uint16_t event)
{
    GuestQueue *q = &g->queues[queue];

    if (g->packed) {
        packed_set_used_event(g, q, event);
        return;
    }
    guest_store16(g, q->avail + 4 + 2 * q->size, event);
}

uint16_t guest_avail_event(Guest *g, unsigned queue)
{
    GuestQueue *q = &g->queues[queue];

    return g->packed ? packed_avail_event(g, q) : guest_load16(g, q->used + 4 + 8 * q->size);
}

void guest_set_avail_flags(Guest *g, unsigned queue, uint16_t flags)
{
    guest_store16(g, g->queues[queue].avail + (g->packed ? 2 : 0), flags);
}

uint16_t guest_used_flags(Guest *g, unsigned queue)
{
    return guest_load16(g, g->queues[queue].used + (g->packed ? 2 : 0));
}

void guest_add_test(const char *group, const char *name, void (*fn)(gconstpointer kind))
{
    for (unsigned i = 0; i < G_N_ELEMENTS(guest_kinds); i++) {
        g_autofree char *path = g_strdup_printf("%s/%s/%s", group, guest_kinds[i].name, name);

        g_test_add_data_func(path, &guest_kinds[i], fn);
    }
}
