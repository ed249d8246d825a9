/* SPDX-License-Identifier: GPL-2.0-or-later
 * Requests of Xen, in every form in which the hypervisor was seen to make them, from the slot to
 * the device and back.
 */
#include <string.h>

#include "accel/xen-abi.h"
#include "xen-world.h"

/* Every width, in memory and in ports: the bytes arrive, and come back. */
static void widths(World *w, gconstpointer data)
{
    world_run(w, "");
    for (unsigned size = 1; size <= 8; size *= 2) {
        uint64_t value = UINT64_C(0x8877665544332211) & (UINT64_MAX >> (64 - size * 8));

        xen_model_write(w->d, 0, WORLD_DEVICE + 16 * size, value, size);
        g_assert_cmphex(xen_model_read(w->d, 0, WORLD_DEVICE + 16 * size, size), ==, value);
        if (size <= 4) {
            xen_model_out(w->d, 0, WORLD_PORTS + 4 * size, value, size);
            g_assert_cmphex(xen_model_in(w->d, 0, WORLD_PORTS + 4 * size, size), ==, value);
        }
    }
    g_assert_cmpuint(world_accesses(w), ==, 14);
    g_assert_cmpuint(world_access(w, 0).size, ==, 1);
    g_assert_cmpuint(world_access(w, 13).size, ==, 8);
}

/* An access that crosses the end of a page comes as two. */
static void page_crossing(World *w, gconstpointer data)
{
    world_run(w, "");
    xen_model_write(w->d, 0, WORLD_DEVICE + 0xffe, 0x44332211, 4);
    g_assert_cmphex(xen_model_read(w->d, 0, WORLD_DEVICE + 0xffe, 4), ==, 0x44332211);
    g_assert_cmpuint(world_access(w, 0).size, ==, 2);
    g_assert_cmpuint(world_access(w, 1).offset, ==, 0x1000);
}

/* Outside of all ranges nobody is asked. */
static void unclaimed(World *w, gconstpointer data)
{
    world_run(w, "");
    g_assert_cmphex(xen_model_read(w->d, 0, WORLD_DEVICE - 8, 8), ==, UINT64_MAX);
    g_assert_cmphex(xen_model_in(w->d, 0, 0x80, 1), ==, 0xff);
    xen_model_out(w->d, 0, 0x80, 1, 1);
    g_assert_cmpuint(world_accesses(w), ==, 0);
}

/* rep movsl to the device, rep movsq from it, and both downwards. */
static void rep_movs(World *w, gconstpointer data)
{
    uint8_t *memory = xen_model_memory(w->d);
    XenModelRequest to = {
        .type = IOREQ_TYPE_COPY,
        .is_write = true,
        .data_is_ptr = true,
        .addr = WORLD_DEVICE + 0x100,
        .data = 0x5000,
        .size = 4,
        .count = 8,
    };
    XenModelRequest from = {
        .type = IOREQ_TYPE_COPY,
        .data_is_ptr = true,
        .addr = WORLD_DEVICE + 0x100,
        .data = 0x6000,
        .size = 8,
        .count = 4,
    };

    for (unsigned i = 0; i < 32; i++) {
        memory[0x5000 + i] = i + 1;
    }
    world_run(w, "");
    xen_model_request(w->d, 0, &to);
    g_assert_cmpmem(w->memory_bytes + 0x100, 32, memory + 0x5000, 32);
    xen_model_request(w->d, 0, &from);
    g_assert_cmpmem(memory + 0x6000, 32, memory + 0x5000, 32);
    to.df = from.df = true;
    to.addr = WORLD_DEVICE + 0x200 + 28;
    to.data = 0x5000 + 28;
    xen_model_request(w->d, 0, &to);
    g_assert_cmpmem(w->memory_bytes + 0x200, 32, memory + 0x5000, 32);
    from.addr = WORLD_DEVICE + 0x200 + 24;
    from.data = 0x7000 + 24;
    xen_model_request(w->d, 0, &from);
    g_assert_cmpmem(memory + 0x7000, 32, memory + 0x5000, 32);
}

/* std; rep stosl: the same datum, addr is the highest. */
static void rep_stos(World *w, gconstpointer data)
{
    static const uint32_t expected[] = { 0, 0xabcdef01, 0xabcdef01, 0xabcdef01, 0xabcdef01, 0 };
    XenModelRequest req = {
        .type = IOREQ_TYPE_COPY,
        .is_write = true,
        .df = true,
        .addr = WORLD_DEVICE + 0x310,
        .data = 0xabcdef01,
        .size = 4,
        .count = 4,
    };

    world_run(w, "");
    xen_model_request(w->d, 0, &req);
    g_assert_cmpmem(w->memory_bytes + 0x300, sizeof(expected), expected, sizeof(expected));
}

/* rep outsw and insw: the port stays, memory steps. */
static void rep_ports(World *w, gconstpointer data)
{
    uint8_t *memory = xen_model_memory(w->d);
    XenModelRequest req = {
        .type = IOREQ_TYPE_PIO,
        .is_write = true,
        .data_is_ptr = true,
        .addr = WORLD_PORTS + 2,
        .data = 0x8000,
        .size = 2,
        .count = 3,
    };

    memcpy(memory + 0x8000, "abcdef", 6);
    world_run(w, "");
    xen_model_request(w->d, 0, &req);
    g_assert_cmpuint(world_accesses(w), ==, 3);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmphex(world_access(w, i).offset, ==, 2);
        g_assert_cmphex(world_access(w, i).value, ==,
                        memory[0x8000 + 2 * i] | memory[0x8001 + 2 * i] << 8);
    }
    req.is_write = false;
    req.data = 0x9000;
    xen_model_request(w->d, 0, &req);
    g_assert_cmpmem(memory + 0x9000, 6, "efefef", 6);
}

/* A repetition whose memory is not there: ones, and the vCPU goes on. */
static void rep_without_memory(World *w, gconstpointer data)
{
    XenModelRequest req = {
        .type = IOREQ_TYPE_COPY,
        .is_write = true,
        .data_is_ptr = true,
        .addr = WORLD_DEVICE,
        .data = WORLD_MEMORY - 8,
        .size = 8,
        .count = 2,
    };

    world_run(w, "");
    xen_model_request(w->d, 0, &req);
    g_assert_cmphex(world_access(w, 1).value, ==, UINT64_MAX);
    req.is_write = false;
    xen_model_request(w->d, 0, &req);
    req.data = UINT64_MAX - 7;
    req.count = 1;
    xen_model_request(w->d, 0, &req);
    g_assert_cmphex(xen_model_read(w->d, 0, WORLD_DEVICE, 1), ==, 0);
}

/* Ports 0xcf8 and 0xcfc reach the functions that were claimed, and only those; the whole of 4 KiB
 * by requests of their own. */
static void pci_config(World *w, gconstpointer data)
{
    XenModelRequest req = {
        .type = IOREQ_TYPE_PCI_CONFIG,
        .addr = UINT64_C(0x18) << 32 | 0xffc,
        .size = 4,
        .count = 1,
    };
    g_autoptr(GError) error = NULL;

    memcpy(w->config, "\x34\x12\xe8\x11", 4);
    memcpy(w->config + 0xffc, "\x78\x56\x34\x12", 4);
    world_setup(w, "");
    g_assert_true(accel_pci_function(w->accel, 0, 0, 0x18, &error));
    world_start(w);
    g_assert_cmphex(xen_model_config_read(w->d, 0, 0x18, 0, 4), ==, 0x11e81234);
    g_assert_cmphex(xen_model_config_read(w->d, 0, 0x18, 2, 2), ==, 0x11e8);
    g_assert_cmphex(xen_model_config_read(w->d, 0, 0x18, 3, 1), ==, 0x11);
    g_assert_cmphex(xen_model_config_read(w->d, 0, 0x20, 0, 4), ==, 0xffffffff);
    xen_model_config_write(w->d, 0, 0x18, 0x3c, 0x5a, 1);
    g_assert_cmphex(w->config[0x3c], ==, 0x5a);
    g_assert_cmphex(xen_model_request(w->d, 0, &req), ==, 0x12345678);
    g_assert_false(accel_pci_function(w->accel, 0, 0, 0x18, &error));
    g_assert_nonnull(strstr(error->message, "0000:00:03.0"));
}

/* Answered like any other. */
static void no_accesses(World *w, gconstpointer data)
{
    ioreq_t offset = { .type = IOREQ_TYPE_TIMEOFFSET, .size = 8, .count = 1, .data = 3600 };

    world_run(w, "");
    xen_model_invalidate(w->d, 0);
    xen_model_raw_slot(w->d, 0, &offset);
    g_assert_true(xen_model_write_buffered(w->d, 0, IOREQ_TYPE_TIMEOFFSET, 0, 3600, 8));
    g_assert_cmphex(xen_model_read(w->d, 0, WORLD_DEVICE, 1), ==, 0);
    g_assert_cmpuint(world_accesses(w), ==, 1);
}

/* ---- buffered ---- */

/* All that was buffered has reached the device before the next request is answered. */
static void buffered_before_sync(World *w, gconstpointer data)
{
    world_run(w, "");
    xen_model_mute_ring(w->d);
    for (unsigned i = 0; i < 100; i++) {
        g_assert_true(xen_model_write_buffered(w->d, 0, IOREQ_TYPE_PIO, WORLD_PORTS, i, 1));
        g_assert_cmphex(xen_model_in(w->d, 0, WORLD_PORTS, 1), ==, i);
    }
}

/* Many rounds through the ring, also by Xen's setting back of both pointers; nothing is lost,
 * nothing comes twice, whatever the width. */
static void buffered_rounds(World *w, gconstpointer data)
{
    enum { N = 5000 };
    unsigned n = 0;

    world_run(w, "");
    for (unsigned i = 0; i < N; i++) {
        xen_model_write_buffered(w->d, 0, IOREQ_TYPE_PIO, WORLD_PORTS, i, 1 << i % 3);
    }
    xen_model_in(w->d, 0, WORLD_PORTS + 8, 1);
    g_assert_cmpuint(world_accesses(w), ==, N + 1);
    for (n = 0; n < N; n++) {
        WorldAccess access = world_access(w, n);

        g_assert_cmpuint(access.size, ==, 1 << n % 3);
        g_assert_cmphex(access.value, ==, n & (UINT64_MAX >> (64 - access.size * 8)));
    }
}

/* Without anybody waiting: the ring's own channel brings it to the device. */
static void buffered_alone(World *w, gconstpointer data)
{
    world_run(w, "");
    g_assert_true(xen_model_write_buffered(w->d, 0, IOREQ_TYPE_PIO, WORLD_PORTS, 0x77, 1));
    while (world_accesses(w) == 0) {
        g_thread_yield();
    }
    g_assert_cmphex(world_access(w, 0).value, ==, 0x77);
}

/* A ring that is full: the vCPU waits instead. */
static void buffered_full(World *w, gconstpointer data)
{
    world_setup(w, "");
    accel_pause(w->accel);
    world_start(w);
    for (unsigned i = 0; i < IOREQ_BUFFER_SLOT_NUM; i++) {
        g_assert_true(xen_model_write_buffered(w->d, 0, IOREQ_TYPE_PIO, WORLD_PORTS, 1, 1));
    }
    accel_resume(w->accel);
    xen_model_write_buffered(w->d, 0, IOREQ_TYPE_PIO, WORLD_PORTS, 2, 1);
    xen_model_in(w->d, 0, WORLD_PORTS, 1);
    g_assert_cmpuint(world_accesses(w), ==, IOREQ_BUFFER_SLOT_NUM + 2);
    g_assert_cmphex(w->port_bytes[0], ==, 2);
}

static void buffered_off(World *w, gconstpointer data)
{
    world_run(w, "buffered=off");
    g_assert_false(xen_model_write_buffered(w->d, 0, IOREQ_TYPE_PIO, WORLD_PORTS, 5, 1));
    g_assert_cmphex(w->port_bytes[0], ==, 5);
}

/* ---- vCPUs ---- */

typedef struct {
    World *w;
    unsigned vcpu;
} Guest;

static gpointer read_held(gpointer data)
{
    Guest *g = data;

    xen_model_read(g->w->d, g->vcpu, WORLD_DEVICE + WORLD_HOLD, 1);
    return NULL;
}

/* A vCPU that a device keeps waiting holds up no other one. */
static void independent(World *w, gconstpointer data)
{
    Guest g = { w, 0 };
    GThread *thread;

    world_domain(w, XENLIB_DOMAIN_PVH, 2);
    world_run(w, "");
    world_hold(w, true);
    thread = g_thread_new("vcpu", read_held, &g);
    world_wait_held(w);
    xen_model_write(w->d, 1, WORLD_DEVICE, 1, 1);
    g_assert_cmphex(xen_model_read(w->d, 1, WORLD_DEVICE, 1), ==, 1);
    world_hold(w, false);
    g_thread_join(thread);
}

/* More than a page of slots has room for. */
static void many_vcpus(World *w, gconstpointer data)
{
    world_domain(w, XENLIB_DOMAIN_PVH, 300);
    world_run(w, data);
    for (unsigned i = 0; i < 300; i += 13) {
        xen_model_write(w->d, i, WORLD_DEVICE + i, i, 1);
        g_assert_cmphex(xen_model_read(w->d, i, WORLD_DEVICE + i, 1), ==, i & 0xff);
    }
}

/* While paused a vCPU waits for its answer; then it gets it. */
static void paused(World *w, gconstpointer data)
{
    Guest g = { w, 0 };
    GThread *thread;

    world_run(w, "");
    accel_pause(w->accel);
    thread = g_thread_new("vcpu", read_held, &g);
    for (unsigned i = 0; i < 100; i++) {
        xen_model_spurious(w->d, 0);
        g_thread_yield();
    }
    g_assert_cmpuint(world_accesses(w), ==, 0);
    accel_resume(w->accel);
    g_thread_join(thread);
    g_assert_cmpuint(world_accesses(w), ==, 1);
}

/* Events without requests mean nothing. */
static void spurious(World *w, gconstpointer data)
{
    world_run(w, "");
    for (unsigned i = 0; i < 100; i++) {
        xen_model_spurious(w->d, 0);
    }
    g_assert_cmphex(xen_model_read(w->d, 0, WORLD_DEVICE, 4), ==, 0);
    g_assert_cmpuint(world_accesses(w), ==, 1);
}

/* ---- what no hypervisor may ask ---- */

typedef struct {
    ioreq_t slot;
    bool quiet; /* found wrong by the dispatcher, which only traces */
} Malformed;

static const Malformed malformed[] = {
    { { .type = 99, .addr = WORLD_DEVICE, .size = 4, .count = 1, .dir = 1 } },
    { { .type = IOREQ_TYPE_COPY, .addr = WORLD_DEVICE, .size = 0, .count = 1, .dir = 1 } },
    { { .type = IOREQ_TYPE_COPY, .addr = WORLD_DEVICE, .size = 3, .count = 1, .dir = 1 } },
    { { .type = IOREQ_TYPE_COPY, .addr = WORLD_DEVICE, .size = 1 << 31, .count = 1, .dir = 1 } },
    { { .type = IOREQ_TYPE_COPY, .addr = WORLD_DEVICE, .size = 8, .count = ~0u, .dir = 1 }, true },
    { { .type = IOREQ_TYPE_COPY, .addr = UINT64_MAX, .size = 8, .count = 2, .dir = 1 }, true },
    { { .type = IOREQ_TYPE_COPY, .addr = 0, .size = 8, .count = 2, .dir = 1, .df = 1 }, true },
    { { .type = IOREQ_TYPE_COPY, .addr = WORLD_DEVICE, .size = 8, .count = 0, .dir = 1 }, true },
    { { .type = IOREQ_TYPE_PIO, .addr = WORLD_PORTS, .size = 8, .count = 1, .dir = 1 } },
    { { .type = IOREQ_TYPE_PIO, .addr = 0x10000, .size = 1, .count = 1, .dir = 1 }, true },
    { { .type = IOREQ_TYPE_PCI_CONFIG, .addr = 0x1000, .size = 4, .count = 1, .dir = 1 } },
    { { .type = IOREQ_TYPE_PCI_CONFIG, .addr = 0xffe, .size = 4, .count = 1, .dir = 1 } },
    { { .type = IOREQ_TYPE_PCI_CONFIG, .addr = 0, .size = 4, .count = 2, .dir = 1 } },
    { { .type = IOREQ_TYPE_PCI_CONFIG, .size = 4, .count = 1, .dir = 1, .data_is_ptr = 1 } },
};

/* Ones, and the vCPU goes on. */
static void malformed_slot(World *w, gconstpointer data)
{
    const Malformed *m = data;
    uint64_t got;

    if (!m->quiet) {
        g_test_expect_message("humpy-xen", G_LOG_LEVEL_WARNING, "*cannot be served*");
    }
    world_run(w, "");
    got = xen_model_raw_slot(w->d, 0, &m->slot);
    if (!m->slot.data_is_ptr) {
        g_assert_cmphex(got & 0xff, ==, 0xff);
    }
    g_assert_cmpuint(world_accesses(w), ==, 0);
    xen_model_write(w->d, 0, WORLD_DEVICE, 7, 1);
    g_assert_cmphex(xen_model_read(w->d, 0, WORLD_DEVICE, 1), ==, 7);
    g_test_assert_expected_messages();
}

static void malformed_buffered(World *w, gconstpointer data)
{
    g_test_expect_message("humpy-xen", G_LOG_LEVEL_WARNING, "*type 99*cannot be served*");
    world_run(w, "");
    g_assert_true(xen_model_write_buffered(w->d, 0, 99, WORLD_PORTS, 1, 1));
    xen_model_out(w->d, 0, WORLD_PORTS, 7, 1);
    g_assert_cmpuint(world_accesses(w), ==, 1);
    g_test_assert_expected_messages();
}

#define ADD(name, data, fn)                                                                        \
    g_test_add("/xen/requests/" name, World, data, world_init, fn, world_clear)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("widths", NULL, widths);
    ADD("page-crossing", NULL, page_crossing);
    ADD("unclaimed", NULL, unclaimed);
    ADD("rep-movs", NULL, rep_movs);
    ADD("rep-stos-downwards", NULL, rep_stos);
    ADD("rep-ports", NULL, rep_ports);
    ADD("rep-without-memory", NULL, rep_without_memory);
    ADD("pci-config", NULL, pci_config);
    ADD("invalidate-and-time-offset", NULL, no_accesses);
    ADD("buffered/before-the-next-request", NULL, buffered_before_sync);
    ADD("buffered/rounds", NULL, buffered_rounds);
    ADD("buffered/alone", NULL, buffered_alone);
    ADD("buffered/full", NULL, buffered_full);
    ADD("buffered/off", NULL, buffered_off);
    ADD("buffered/malformed", NULL, malformed_buffered);
    ADD("vcpus/independent", NULL, independent);
    ADD("vcpus/300", "", many_vcpus);
    ADD("vcpus/300-unbuffered", "buffered=off", many_vcpus);
    ADD("vcpus/paused", NULL, paused);
    ADD("vcpus/spurious-events", NULL, spurious);
    for (unsigned i = 0; i < G_N_ELEMENTS(malformed); i++) {
        g_autofree char *name = g_strdup_printf("/xen/requests/malformed/%u", i);

        g_test_add(name, World, &malformed[i], world_init, malformed_slot, world_clear);
    }
    return g_test_run();
}
