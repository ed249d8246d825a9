/* SPDX-License-Identifier: GPL-2.0-or-later
 * Registers of virtio-mmio (virtio 1.2, section 4.2.2; version 1: section 4.2.4), feature
 * negotiation and device status (sections 2.1, 2.2, 3.1), the interrupt line, plugging.
 */
#include <string.h>

#include "hw/core/bus.h"
#include "util/error.h"
#include "virtio-driver.h"
#include "virtio-echo.h"

static const GuestKind *const modern = &guest_kinds[0], *const legacy = &guest_kinds[1];

static Guest *echo_guest(const GuestKind *kind)
{
    Guest *g = guest_new(kind);

    g_type_ensure(TYPE_VIRTIO_ECHO);
    guest_plug_ok(g, "virtio-echo-device", NULL);
    return g;
}

static VirtIOEcho *echo(Guest *g)
{
    return HUMPY_VIRTIO_ECHO(g->dev);
}

/* One request of 16 bytes there and back. */
static void echo_works(Guest *g, unsigned queue)
{
    uint64_t out = guest_alloc(g, 16, 16), in = guest_alloc(g, 16, 16);
    Buf bufs[] = { { out, 16, false }, { in, 16, true } };
    Used used;

    memcpy(guest_ptr(g, out), "0123456789abcdef", 16);
    guest_submit(g, queue, bufs, 2);
    used = guest_wait(g, queue);
    g_assert_cmpuint(used.len, ==, 16);
    g_assert_cmpmem(guest_ptr(g, in), 16, "0123456789abcdef", 16);
}

static void test_identity(void)
{
    Guest *g = echo_guest(modern);

    g_assert_cmphex(guest_rd(g, R_MAGIC), ==, 0x74726976);
    g_assert_cmpuint(guest_rd(g, R_VERSION), ==, 2);
    g_assert_cmpuint(guest_rd(g, R_DEVICE_ID), ==, ECHO_DEVICE_ID);
    guest_free(g);
    g = echo_guest(legacy);
    g_assert_cmphex(guest_rd(g, R_MAGIC), ==, 0x74726976);
    g_assert_cmpuint(guest_rd(g, R_VERSION), ==, 1);
    guest_free(g);
}

static void test_default_is_legacy(void)
{
    g_autoptr(Device) dev = NULL;
    g_autofree char *value = NULL;

    hw_register_types();
    dev = device_new("virtio-mmio", NULL);
    value = props_get_str(G_OBJECT(dev), "force-legacy");
    g_assert_cmpstr(value, ==, "on");
}

static void test_empty(void)
{
    Guest *g = guest_new(modern);

    g_assert_cmphex(guest_rd(g, R_MAGIC), ==, 0x74726976);
    g_assert_cmpuint(guest_rd(g, R_VERSION), ==, 2);
    for (unsigned reg = R_DEVICE_ID; reg < VIRTIO_MMIO_SIZE; reg += 4) {
        if (reg != R_VENDOR_ID) {
            guest_wr(g, reg, ~0u);
            g_assert_cmphex(guest_rd(g, reg), ==, 0);
        }
    }
    guest_free(g);
}

static void test_register_width(void)
{
    Guest *g = echo_guest(modern);
    uint64_t value;

    address_space_ld(g->as, MMIO_BASE + R_MAGIC, 1, &value);
    g_assert_cmphex(value, ==, 0);
    address_space_ld(g->as, MMIO_BASE + R_MAGIC, 2, &value);
    g_assert_cmphex(value, ==, 0);
    address_space_st(g->as, MMIO_BASE + R_STATUS, 1, 1);
    address_space_st(g->as, MMIO_BASE + R_STATUS, 2, 1);
    g_assert_cmphex(guest_rd(g, R_STATUS), ==, 0);
    guest_free(g);
}

static void test_garbage_everywhere(gconstpointer kind)
{
    static const uint32_t values[] = { 0, 1, 2, 0x80000000, 0xffffffff, 0x40000000 };
    Guest *g = echo_guest(kind);

    for (unsigned size = 1; size <= 8; size *= 2) {
        for (unsigned reg = 0; reg < VIRTIO_MMIO_SIZE; reg += size) {
            for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
                uint64_t value = (uint64_t)values[i] << 32 | values[i];

                g_assert_cmpuint(address_space_st(g->as, MMIO_BASE + reg, size, value), ==, 0);
                g_assert_cmpuint(address_space_ld(g->as, MMIO_BASE + reg, size, &value), ==, 0);
            }
        }
    }
    guest_start(g, UINT64_MAX);
    echo_works(g, 0);
    guest_free(g);
}

static void test_config_widths(gconstpointer kind)
{
    Guest *g = echo_guest(kind);
    uint64_t value;

    g_assert_cmpuint(address_space_ld(g->as, MMIO_BASE + R_CONFIG, 1, &value), ==, MEMTX_OK);
    g_assert_cmphex(value, ==, 'c');
    address_space_ld(g->as, MMIO_BASE + R_CONFIG + 2, 2, &value);
    g_assert_cmphex(value, ==, 'f' << 8 | 'n');
    address_space_ld(g->as, MMIO_BASE + R_CONFIG + 4, 4, &value);
    g_assert_cmphex(value, ==, '!' << 16 | 'g' << 8 | 'i'); /* the last byte is outside */
    address_space_ld(g->as, MMIO_BASE + R_CONFIG + 8, 4, &value);
    g_assert_cmphex(value, ==, 0);
    guest_free(g);
}

static void test_config_update(void)
{
    Guest *g = echo_guest(modern);
    uint32_t before = guest_rd(g, R_GENERATION);
    uint64_t value;

    virtio_config_update(HUMPY_VIRTIO_DEVICE(g->dev), 0, "C", 1);
    g_assert_cmpuint(guest_rd(g, R_GENERATION), ==, before + 1);
    g_assert_cmpint(guest_level(g), ==, 0); /* not before DRIVER_OK */
    guest_start(g, UINT64_MAX);
    virtio_config_update(HUMPY_VIRTIO_DEVICE(g->dev), 0, "D", 1);
    g_assert_cmpint(guest_level(g), ==, 1);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, ISR_USED | ISR_CONFIG); /* both, as QEMU */
    g_assert_cmpuint(guest_rd(g, R_GENERATION), ==, before + 2);
    address_space_ld(g->as, MMIO_BASE + R_CONFIG, 1, &value);
    g_assert_cmphex(value, ==, 'D');
    guest_wr(g, R_ACK, ISR_USED | ISR_CONFIG);
    virtio_config_update(HUMPY_VIRTIO_DEVICE(g->dev), 0, "D", 1);
    g_assert_cmpint(guest_level(g), ==, 0); /* nothing changed */
    guest_free(g);
}

static void test_shm_absent(void)
{
    Guest *g = echo_guest(modern);

    for (unsigned reg = R_SHM_LEN_LOW; reg < R_SHM_LEN_LOW + 16; reg += 4) {
        g_assert_cmphex(guest_rd(g, reg), ==, UINT32_MAX);
    }
    guest_free(g);
}

/* ---- features and status ---- */

static void test_offered(void)
{
    uint64_t both = 1ull << ECHO_F_ONE | 1ull << F_INDIRECT | 1ull << F_EVENT_IDX;
    Guest *g = echo_guest(modern);

    g_assert_cmphex(guest_offered(g), ==, both | 1ull << F_VERSION_1);
    guest_wr(g, R_DEVICE_FEATURES_SEL, 2);
    g_assert_cmphex(guest_rd(g, R_DEVICE_FEATURES), ==, 0);
    guest_free(g);
    g = echo_guest(legacy);
    g_assert_cmphex(guest_offered(g), ==, both | 1ull << F_NOTIFY_ON_EMPTY | 1ull << 27);
    guest_free(g);
}

static uint32_t status_after_features(Guest *g, uint64_t features)
{
    guest_wr(g, R_STATUS, 0);
    guest_wr(g, R_STATUS, S_ACKNOWLEDGE | S_DRIVER);
    guest_wr(g, R_DRIVER_FEATURES_SEL, 0);
    guest_wr(g, R_DRIVER_FEATURES, features);
    guest_wr(g, R_DRIVER_FEATURES_SEL, 1);
    guest_wr(g, R_DRIVER_FEATURES, features >> 32);
    guest_wr(g, R_STATUS, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK);
    return guest_rd(g, R_STATUS);
}

static void test_features_ok(void)
{
    Guest *g = echo_guest(modern);
    uint64_t v1 = 1ull << F_VERSION_1;

    g_assert_cmphex(status_after_features(g, v1) & S_FEATURES_OK, !=, 0);
    g_assert_cmphex(status_after_features(g, 0) & S_FEATURES_OK, ==, 0);
    g_assert_cmphex(status_after_features(g, v1 | 1ull << 4) & S_FEATURES_OK, ==, 0);
    g_assert_cmphex(status_after_features(g, v1 | 1ull << 63) & S_FEATURES_OK, ==, 0);
    g_assert_cmphex(status_after_features(g, v1 | 1ull << ECHO_F_ONE) & S_FEATURES_OK, !=, 0);
    guest_free(g);
}

static void test_features_fixed(void)
{
    Guest *g = echo_guest(modern);
    VirtIODevice *vdev = HUMPY_VIRTIO_DEVICE(g->dev);

    guest_negotiate(g, 1ull << ECHO_F_ONE);
    g_assert_true(virtio_has_feature(vdev, ECHO_F_ONE));
    guest_wr(g, R_DRIVER_FEATURES_SEL, 0);
    guest_wr(g, R_DRIVER_FEATURES, 0);
    g_assert_true(virtio_has_feature(vdev, ECHO_F_ONE));
    guest_wr(g, R_STATUS, 0);
    g_assert_false(virtio_has_feature(vdev, ECHO_F_ONE));
    guest_free(g);
}

static void test_driver_ok_needs_features_ok(void)
{
    Guest *g = echo_guest(modern);

    guest_wr(g, R_STATUS, S_ACKNOWLEDGE | S_DRIVER | S_DRIVER_OK);
    g_assert_cmphex(guest_rd(g, R_STATUS) & S_DRIVER_OK, ==, 0);
    g_assert_cmpint(g_atomic_int_get(&echo(g)->starts), ==, 0);
    guest_start(g, UINT64_MAX);
    g_assert_cmpint(g_atomic_int_get(&echo(g)->starts), ==, 1);
    guest_driver_ok(g);
    g_assert_cmpint(g_atomic_int_get(&echo(g)->starts), ==, 1);
    guest_free(g);
}

static void test_reset_clears(gconstpointer kind)
{
    Guest *g = echo_guest(kind);
    int resets;

    guest_start(g, UINT64_MAX);
    echo_works(g, 1);
    virtio_config_update(HUMPY_VIRTIO_DEVICE(g->dev), 0, "D", 1);
    g_assert_cmpint(guest_level(g), ==, 1);
    resets = g_atomic_int_get(&echo(g)->resets);
    guest_wr(g, R_STATUS, 0);
    g_assert_cmpint(g_atomic_int_get(&echo(g)->resets), ==, resets + 1);
    g_assert_cmphex(guest_rd(g, R_STATUS), ==, 0);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, 0);
    g_assert_cmpint(guest_level(g), ==, 0);
    for (unsigned q = 0; q < ECHO_QUEUES; q++) {
        guest_wr(g, R_QUEUE_SEL, q);
        g_assert_cmphex(guest_rd(g, R_QUEUE_READY), ==, 0);
        g_assert_cmphex(guest_rd(g, R_QUEUE_PFN), ==, 0);
    }
    guest_start(g, UINT64_MAX);
    echo_works(g, 0);
    device_reset(g->transport); /* machine reset does the same */
    g_assert_cmphex(guest_rd(g, R_STATUS), ==, 0);
    guest_free(g);
}

/* ---- queues ---- */

static void test_queue_num_max(gconstpointer kind)
{
    Guest *g = echo_guest(kind);

    guest_wr(g, R_QUEUE_SEL, 1);
    g_assert_cmpuint(guest_rd(g, R_QUEUE_NUM_MAX), ==, ECHO_QUEUE_SIZE);
    guest_wr(g, R_QUEUE_SEL, ECHO_QUEUES);
    g_assert_cmpuint(guest_rd(g, R_QUEUE_NUM_MAX), ==, 0);
    guest_wr(g, R_QUEUE_READY, 1);
    g_assert_cmpuint(guest_rd(g, R_QUEUE_READY), ==, 0);
    guest_wr(g, R_QUEUE_SEL, UINT32_MAX);
    g_assert_cmpuint(guest_rd(g, R_QUEUE_NUM_MAX), ==, 0);
    guest_free(g);
}

static void test_queue_ready(void)
{
    Guest *g = echo_guest(modern);

    guest_negotiate(g, UINT64_MAX);
    g_assert_cmpuint(guest_rd(g, R_QUEUE_READY), ==, 0);
    guest_setup_queue(g, 0, 4);
    g_assert_cmpuint(guest_rd(g, R_QUEUE_READY), ==, 1);
    guest_driver_ok(g);
    echo_works(g, 0);
    guest_wr(g, R_QUEUE_READY, 0);
    g_assert_cmpuint(guest_rd(g, R_QUEUE_READY), ==, 0);
    guest_setup_queue(g, 0, 8);
    echo_works(g, 0);
    guest_free(g);
}

static void test_legacy_page_size(void)
{
    Guest *g = echo_guest(legacy);
    GuestQueue *q = &g->queues[0];

    /* As QEMU's qtest clients do: pages of 512 bytes, used ring on the next 512. */
    guest_negotiate(g, 0);
    guest_wr(g, R_PAGE_SIZE, 512);
    guest_wr(g, R_QUEUE_SEL, 0);
    guest_wr(g, R_QUEUE_NUM, 8);
    guest_wr(g, R_QUEUE_ALIGN, 512);
    *q = (GuestQueue){ .size = 8, .desc = guest_alloc(g, 4096, 4096) + 512 };
    q->avail = q->desc + 8 * 16;
    q->used = q->desc + 512;
    guest_wr(g, R_QUEUE_PFN, q->desc / 512);
    g_assert_cmphex(guest_rd(g, R_QUEUE_PFN), ==, q->desc / 512);
    guest_driver_ok(g);
    echo_works(g, 0);
    guest_wr(g, R_QUEUE_PFN, 0);
    g_assert_cmphex(guest_rd(g, R_QUEUE_PFN), ==, 0);
    guest_free(g);
}

static void test_notify_out_of_range(gconstpointer kind)
{
    Guest *g = echo_guest(kind);

    guest_start(g, UINT64_MAX);
    guest_notify(g, ECHO_QUEUES);
    guest_notify(g, UINT32_MAX);
    echo_works(g, 1);
    guest_free(g);
}

/* ---- the interrupt line ---- */

static void test_line_follows_isr(gconstpointer kind)
{
    Guest *g = echo_guest(kind);
    uint64_t out = guest_alloc(g, 16, 16);

    guest_start(g, 0);
    g_assert_cmpint(guest_level(g), ==, 0);
    guest_submit(g, 0, &(Buf){ out, 16, false }, 1);
    guest_poll(g, 0);
    guest_barrier(g);
    virtio_config_update(HUMPY_VIRTIO_DEVICE(g->dev), 0, "D", 1);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, ISR_USED | ISR_CONFIG);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, ISR_USED | ISR_CONFIG); /* reading clears nothing */
    g_assert_cmpuint(guest_raised(g), ==, 1);
    guest_wr(g, R_ACK, ISR_USED);
    g_assert_cmphex(guest_rd(g, R_ISR), ==, ISR_CONFIG);
    g_assert_cmpint(guest_level(g), ==, 1);
    g_assert_cmpuint(guest_raised(g), ==, 2); /* an edge for what is still pending */
    guest_wr(g, R_ACK, ISR_CONFIG | 0xf0);
    g_assert_cmpint(guest_level(g), ==, 0);
    guest_wr(g, R_ACK, ISR_USED | ISR_CONFIG);
    g_assert_cmpuint(guest_raised(g), ==, 2);
    guest_free(g);
}

/* ---- plugging ---- */

static void test_plug_errors(void)
{
    Guest *g = guest_new(modern);
    Bus *bus = virtio_mmio_bus(HUMPY_VIRTIO_MMIO(g->transport));
    g_autoptr(Device) other = NULL;
    g_autoptr(Device) serial = device_new("pl011", NULL);
    g_autoptr(Device) failing = NULL;
    g_autoptr(GError) error = NULL;

    g_type_ensure(TYPE_VIRTIO_ECHO);
    g_assert_false(bus_add_device(bus, serial, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_clear_error(&error);
    failing = device_new("virtio-echo-device", NULL);
    g_assert_true(props_set_str(G_OBJECT(failing), "fail", "on", NULL));
    g_assert_false(bus_add_device(bus, failing, &error));
    g_assert_cmpstr(error->message, ==, "echo fails");
    g_clear_error(&error);
    g_assert_cmpuint(bus_n_devices(bus), ==, 0);
    guest_plug_ok(g, "virtio-echo-device", NULL);
    g_assert_true(bus_device(bus, 0) == g->dev);
    other = device_new("virtio-echo-device", NULL);
    g_assert_false(bus_add_device(bus, other, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    guest_free(g);
}

static void test_needs_a_bus(void)
{
    g_autoptr(Device) dev = NULL;
    g_autoptr(GError) error = NULL;

    g_type_ensure(TYPE_VIRTIO_ECHO);
    dev = device_new("virtio-echo-device", NULL);
    g_assert_false(device_realize(dev, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING);
    g_assert_cmpstr(error->message, ==, "virtio-echo-device needs a virtio-bus to be plugged into");
}

static void test_replug(gconstpointer kind)
{
    Guest *g = echo_guest(kind);

    guest_start(g, UINT64_MAX);
    echo_works(g, 0);
    guest_unplug(g);
    g_assert_cmpuint(guest_rd(g, R_DEVICE_ID), ==, 0);
    g_assert_cmpint(guest_level(g), ==, 0);
    guest_notify(g, 0);
    guest_plug_ok(g, "virtio-echo-device", NULL);
    guest_start(g, UINT64_MAX);
    echo_works(g, 0);
    guest_free(g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-mmio/identity", test_identity);
    g_test_add_func("/virtio-mmio/legacy-by-default", test_default_is_legacy);
    g_test_add_func("/virtio-mmio/empty-reads-device-id-0", test_empty);
    g_test_add_func("/virtio-mmio/registers-are-32-bits-wide", test_register_width);
    g_test_add_func("/virtio-mmio/config-update-steps-generation", test_config_update);
    g_test_add_func("/virtio-mmio/no-shared-memory", test_shm_absent);
    g_test_add_func("/virtio-mmio/features-offered", test_offered);
    g_test_add_func("/virtio-mmio/features-ok-only-if-acceptable", test_features_ok);
    g_test_add_func("/virtio-mmio/features-fixed-after-features-ok", test_features_fixed);
    g_test_add_func("/virtio-mmio/driver-ok-needs-features-ok", test_driver_ok_needs_features_ok);
    g_test_add_func("/virtio-mmio/queue-ready", test_queue_ready);
    g_test_add_func("/virtio-mmio/legacy-page-size", test_legacy_page_size);
    g_test_add_func("/virtio-mmio/plug-errors-change-nothing", test_plug_errors);
    g_test_add_func("/virtio-mmio/device-needs-a-bus", test_needs_a_bus);
    guest_add_test("/virtio-mmio", "garbage-in-every-register", test_garbage_everywhere);
    guest_add_test("/virtio-mmio", "config-widths", test_config_widths);
    guest_add_test("/virtio-mmio", "reset-clears-everything", test_reset_clears);
    guest_add_test("/virtio-mmio", "queue-num-max", test_queue_num_max);
    guest_add_test("/virtio-mmio", "notify-out-of-range-is-ignored", test_notify_out_of_range);
    guest_add_test("/virtio-mmio", "line-follows-isr", test_line_follows_isr);
    guest_add_test("/virtio-mmio", "replug", test_replug);
    return g_test_run();
}
