/* SPDX-License-Identifier: GPL-2.0-or-later
 * The dispatcher: which memory-API accesses an IoRequest becomes, what it answers, what it counts.
 * One recording device at 0x1000 and RAM at 0x10000 make up the address space.
 */
#include "accel/ioreq.h"

#include <glib.h>
#include <string.h>

#define DEVICE     0x1000
#define RAM        0x10000
#define PORT       0x60
#define NOWHERE    0x900000
#define REG_REFUSE 0x800 /* the device refuses accesses from here on */

typedef struct {
    hwaddr offset;
    uint64_t value;
    unsigned size;
    bool is_write;
} Access;

typedef struct {
    MemoryRegion root, device, ram, rom, ports, port;
    AddressSpace *mem, *pio;
    IoReqDispatcher *d;
    IoReqStats stats;
    GArray *log; /* of Access */
    uint64_t next;
    IoRequest req;
} World;

static MemTxResult device_read(void *opaque, hwaddr offset, uint64_t *value, unsigned size)
{
    World *w = opaque;
    Access a = { .offset = offset, .size = size };

    g_array_append_val(w->log, a);
    *value = w->next++;
    return offset >= REG_REFUSE ? MEMTX_ERROR : MEMTX_OK;
}

static MemTxResult device_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    World *w = opaque;
    Access a = { .offset = offset, .size = size, .value = value, .is_write = true };

    g_array_append_val(w->log, a);
    return offset >= REG_REFUSE ? MEMTX_ERROR : MEMTX_OK;
}

static const MemoryRegionOps device_ops = {
    .read_with_result = device_read,
    .write_with_result = device_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { 1, 8, true },
    .impl = { 1, 8, true },
};

static void setup(World *w, gconstpointer data)
{
    memset(w, 0, sizeof(*w));
    w->log = g_array_new(false, false, sizeof(Access));
    w->next = 0x1122334455667700;
    memory_region_init(&w->root, NULL, "root", UINT64_MAX);
    memory_region_init_io(&w->device, NULL, &device_ops, w, "device", 0x1000);
    memory_region_add_subregion(&w->root, DEVICE, &w->device);
    g_assert_true(memory_region_init_ram(&w->ram, NULL, "ram", 0x2000, NULL));
    memory_region_add_subregion(&w->root, RAM, &w->ram);
    g_assert_true(memory_region_init_rom(&w->rom, NULL, "rom", 0x1000, NULL));
    memory_region_add_subregion(&w->root, 0x20000, &w->rom);
    memory_region_init(&w->ports, NULL, "ports", 0x10000);
    memory_region_init_io(&w->port, NULL, &device_ops, w, "port", 8);
    memory_region_add_subregion(&w->ports, PORT, &w->port);
    w->mem = address_space_new(&w->root, "memory");
    w->pio = address_space_new(&w->ports, "io");
    w->d = ioreq_dispatcher_new(w->mem, w->pio);
    w->req = (IoRequest){ .space = IOREQ_MMIO, .addr = DEVICE, .size = 4, .count = 1, .step = 1 };
}

static void teardown(World *w, gconstpointer data)
{
    ioreq_dispatcher_free(w->d);
    address_space_free(w->mem);
    address_space_free(w->pio);
    memory_region_del_subregion(&w->root, &w->device);
    memory_region_del_subregion(&w->root, &w->ram);
    memory_region_del_subregion(&w->root, &w->rom);
    memory_region_del_subregion(&w->ports, &w->port);
    memory_region_destroy(&w->device);
    memory_region_destroy(&w->ram);
    memory_region_destroy(&w->rom);
    memory_region_destroy(&w->port);
    memory_region_destroy(&w->root);
    memory_region_destroy(&w->ports);
    g_array_unref(w->log);
}

static void go(World *w)
{
    ioreq_dispatch(w->d, &w->req, &w->stats);
}

static void assert_access(World *w, unsigned i, hwaddr offset, unsigned size, uint64_t value)
{
    const Access *a = &g_array_index(w->log, Access, i);

    g_assert_cmpuint(i, <, w->log->len);
    g_assert_cmphex(a->offset, ==, offset);
    g_assert_cmpuint(a->size, ==, size);
    g_assert_cmphex(a->value, ==, value);
}

static void assert_faulted_without_access(World *w)
{
    g_assert_cmpint(w->req.result, ==, IOREQ_FAULT);
    g_assert_cmphex(w->req.data, ==, UINT64_MAX);
    g_assert_cmpuint(w->log->len, ==, 0);
    g_assert_cmpuint(w->stats.faults, ==, 1);
}

static void plain_read(World *w, gconstpointer data)
{
    static const uint64_t mask[] = { [1] = 0xff, [2] = 0xffff, [4] = 0xffffffff, [8] = UINT64_MAX };

    for (unsigned size = 1; size <= 8; size *= 2) {
        uint64_t expected = w->next & mask[size];

        w->req.size = size;
        go(w);
        g_assert_cmpint(w->req.result, ==, IOREQ_HANDLED);
        g_assert_cmphex(w->req.data, ==, expected);
    }
    g_assert_cmpuint(w->stats.reads, ==, 4);
    g_assert_cmpuint(w->stats.writes, ==, 0);
    g_assert_cmpuint(w->stats.by_space[IOREQ_MMIO], ==, 4);
    g_assert_cmpuint(w->stats.unclaimed_reads + w->stats.faults, ==, 0);
}

static void plain_write(World *w, gconstpointer data)
{
    w->req.is_write = true;
    w->req.addr = DEVICE + 0x10;
    w->req.size = 8;
    w->req.data = 0x8877665544332211;
    go(w);
    g_assert_cmpint(w->req.result, ==, IOREQ_HANDLED);
    g_assert_cmpuint(w->log->len, ==, 1);
    assert_access(w, 0, 0x10, 8, 0x8877665544332211);
    g_assert_cmpuint(w->stats.writes, ==, 1);
}

static void unclaimed_read(World *w, gconstpointer data)
{
    w->req.addr = NOWHERE;
    w->req.size = 2;
    w->req.data = 0;
    go(w);
    g_assert_cmpint(w->req.result, ==, IOREQ_HANDLED);
    g_assert_cmphex(w->req.data, ==, 0xffff);
    g_assert_cmpuint(w->stats.unclaimed_reads, ==, 1);
    g_assert_cmpuint(w->stats.unclaimed_writes, ==, 0);
}

static void unclaimed_write(World *w, gconstpointer data)
{
    w->req.addr = NOWHERE;
    w->req.is_write = true;
    go(w);
    g_assert_cmpint(w->req.result, ==, IOREQ_HANDLED);
    g_assert_cmpuint(w->stats.unclaimed_writes, ==, 1);
    g_assert_cmpuint(w->stats.faults, ==, 0);
}

static void refused_read(World *w, gconstpointer data)
{
    w->req.addr = DEVICE + REG_REFUSE;
    w->req.size = 1;
    go(w);
    g_assert_cmpint(w->req.result, ==, IOREQ_FAULT);
    g_assert_cmphex(w->req.data, ==, 0xff);
    g_assert_cmpuint(w->stats.faults, ==, 1);
    g_assert_cmpuint(w->stats.unclaimed_reads, ==, 0);
}

static void bad_sizes(World *w, gconstpointer data)
{
    static const uint8_t sizes[] = { 0, 3, 5, 16, 255 };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        memset(&w->stats, 0, sizeof(w->stats));
        w->req.size = sizes[i];
        w->req.data = 0;
        go(w);
        assert_faulted_without_access(w);
    }
}

static void bad_space(World *w, gconstpointer data)
{
    w->req.space = IOREQ_N_SPACES;
    go(w);
    assert_faulted_without_access(w);
}

/* rep stos: one datum, stepping addresses, downward with the direction flag. */
static void rep_value_steps_down(World *w, gconstpointer data)
{
    w->req.is_write = true;
    w->req.addr = DEVICE + 0x20;
    w->req.count = 3;
    w->req.step = -1;
    w->req.data = 0xabcd;
    go(w);
    g_assert_cmpuint(w->log->len, ==, 3);
    assert_access(w, 0, 0x20, 4, 0xabcd);
    assert_access(w, 1, 0x1c, 4, 0xabcd);
    assert_access(w, 2, 0x18, 4, 0xabcd);
    g_assert_cmpuint(w->stats.writes, ==, 3);
    g_assert_cmpuint(w->stats.by_space[IOREQ_MMIO], ==, 1);
}

/* rep movs from memory to a device: both sides step. */
static void pointer_write(World *w, gconstpointer data)
{
    static const uint16_t words[] = { 0x1111, 0x2222, 0x3333 };

    address_space_write(w->mem, RAM + 8, words, sizeof(words));
    w->req.is_write = true;
    w->req.size = 2;
    w->req.count = 3;
    w->req.kind = IOREQ_GUEST_PTR;
    w->req.data_gpa = RAM + 8;
    go(w);
    g_assert_cmpuint(w->log->len, ==, 3);
    assert_access(w, 0, 0, 2, 0x1111);
    assert_access(w, 1, 2, 2, 0x2222);
    assert_access(w, 2, 4, 2, 0x3333);
}

static void pointer_read(World *w, gconstpointer data)
{
    uint32_t words[2];

    w->next = 7;
    w->req.count = 2;
    w->req.kind = IOREQ_GUEST_PTR;
    w->req.data_gpa = RAM + 4;
    w->req.step = -1;
    w->req.addr = DEVICE + 4;
    w->req.data = 99;
    go(w);
    address_space_read(w->mem, RAM, words, sizeof(words));
    g_assert_cmpuint(words[1], ==, 7);
    g_assert_cmpuint(words[0], ==, 8);
    g_assert_cmpuint(w->req.data, ==, 99);
}

static void port_does_not_step(World *w, gconstpointer data)
{
    uint8_t bytes[3];

    w->next = 1;
    w->req.space = IOREQ_PIO;
    w->req.addr = PORT;
    w->req.size = 1;
    w->req.count = 3;
    w->req.kind = IOREQ_GUEST_PTR;
    w->req.data_gpa = RAM;
    go(w);
    address_space_read(w->mem, RAM, bytes, sizeof(bytes));
    g_assert_cmpuint(w->log->len, ==, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_access(w, i, 0, 1, 0);
        g_assert_cmpuint(bytes[i], ==, i + 1);
    }
    g_assert_cmpuint(w->stats.by_space[IOREQ_PIO], ==, 1);
}

static void no_port_space(World *w, gconstpointer data)
{
    IoReqDispatcher *d = ioreq_dispatcher_new(w->mem, NULL);
    uint8_t bytes[2] = { 0 };

    w->req.space = IOREQ_PIO;
    w->req.addr = PORT;
    w->req.size = 2;
    ioreq_dispatch(d, &w->req, &w->stats);
    g_assert_cmphex(w->req.data, ==, 0xffff);
    w->req.kind = IOREQ_GUEST_PTR;
    w->req.data_gpa = RAM;
    ioreq_dispatch(d, &w->req, &w->stats);
    address_space_read(w->mem, RAM, bytes, sizeof(bytes));
    g_assert_cmphex(bytes[0] << 8 | bytes[1], ==, 0xffff);
    g_assert_cmpuint(w->stats.unclaimed_reads, ==, 2);
    ioreq_dispatcher_free(d);
}

static void bad_ports(World *w, gconstpointer data)
{
    w->req.space = IOREQ_PIO;
    w->req.addr = 0x10000;
    go(w);
    assert_faulted_without_access(w);
    memset(&w->stats, 0, sizeof(w->stats));
    w->req.addr = PORT;
    w->req.size = 8;
    go(w);
    assert_faulted_without_access(w);
}

/* A hypervisor that asks for more than a page of repetitions is not believed. */
static void bounded_count(World *w, gconstpointer data)
{
    w->req.is_write = true;
    w->req.count = 4096 / 4 + 1;
    go(w);
    assert_faulted_without_access(w);
    memset(&w->stats, 0, sizeof(w->stats));
    w->req.count = UINT32_MAX;
    go(w);
    assert_faulted_without_access(w);
    memset(&w->stats, 0, sizeof(w->stats));
    w->req.count = 0;
    go(w);
    assert_faulted_without_access(w);
    w->req.count = 4096 / 4;
    go(w);
    g_assert_cmpuint(w->log->len, ==, 1024);
}

static void no_wrap(World *w, gconstpointer data)
{
    static const struct {
        uint64_t addr, gpa;
        int8_t step;
    } cases[] = {
        { UINT64_MAX - 6, RAM, 1 },
        { 4, RAM + 0x100, -1 },
        { DEVICE, UINT64_MAX - 6, 1 },
        { DEVICE + 0x100, 4, -1 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        memset(&w->stats, 0, sizeof(w->stats));
        w->req.addr = cases[i].addr;
        w->req.count = 3;
        w->req.step = cases[i].step;
        w->req.kind = IOREQ_GUEST_PTR;
        w->req.data_gpa = cases[i].gpa;
        go(w);
        assert_faulted_without_access(w);
    }
}

static void source_missing(World *w, gconstpointer data)
{
    w->req.is_write = true;
    w->req.kind = IOREQ_GUEST_PTR;
    w->req.data_gpa = NOWHERE;
    go(w);
    assert_access(w, 0, 0, 4, 0xffffffff);
    g_assert_cmpint(w->req.result, ==, IOREQ_HANDLED);
}

static void write_protect(World *w, gconstpointer data)
{
    uint32_t value = 1;

    w->req.space = IOREQ_WRITE_PROTECT;
    w->req.is_write = true;
    w->req.addr = 0x20000;
    w->req.data = 5;
    go(w);
    address_space_read(w->mem, 0x20000, &value, sizeof(value));
    g_assert_cmpuint(value, ==, 0);
    w->req.addr = DEVICE;
    go(w);
    assert_access(w, 0, 0, 4, 5);
    g_assert_cmpint(w->req.result, ==, IOREQ_HANDLED);
    g_assert_cmpuint(w->stats.by_space[IOREQ_WRITE_PROTECT], ==, 2);
}

static void not_an_access(World *w, gconstpointer data)
{
    static const IoReqSpace handled[] = { IOREQ_INVALIDATE, IOREQ_TIME_OFFSET, IOREQ_VM_STATUS };

    w->req.size = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(handled); i++) {
        w->req.space = handled[i];
        w->req.result = IOREQ_FAULT;
        go(w);
        g_assert_cmpint(w->req.result, ==, IOREQ_HANDLED);
        g_assert_cmpuint(w->stats.by_space[handled[i]], ==, 1);
    }
    w->req.space = IOREQ_PAGE_FAULT;
    go(w);
    g_assert_cmpint(w->req.result, ==, IOREQ_RETRY);
    g_assert_cmpuint(w->log->len, ==, 0);
    g_assert_cmpuint(w->stats.reads + w->stats.writes + w->stats.faults, ==, 0);
}

static IoReqResult config_space(void *opaque, IoRequest *req)
{
    World *w = opaque;
    Access a = { .offset = req->pci.reg, .size = req->size, .value = req->pci.dev };

    g_array_append_val(w->log, a);
    req->data = 0x1af4;
    return req->pci.dev == 31 ? IOREQ_FAULT : IOREQ_HANDLED;
}

static void pci_config(World *w, gconstpointer data)
{
    w->req.space = IOREQ_PCI_CONFIG;
    w->req.size = 2;
    w->req.pci.dev = 3;
    w->req.pci.reg = 0x40;
    go(w);
    g_assert_cmphex(w->req.data, ==, 0xffff);
    g_assert_cmpuint(w->stats.unclaimed_reads, ==, 1);
    ioreq_dispatcher_set_pci_config(w->d, config_space, w);
    go(w);
    g_assert_cmphex(w->req.data, ==, 0x1af4);
    assert_access(w, 0, 0x40, 2, 3);
    w->req.pci.dev = 31;
    go(w);
    g_assert_cmpint(w->req.result, ==, IOREQ_FAULT);
    g_assert_cmphex(w->req.data, ==, 0xffff);
    g_array_set_size(w->log, 0);
    memset(&w->stats, 0, sizeof(w->stats));
    w->req.count = 2;
    go(w);
    assert_faulted_without_access(w);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    memory_thread_register();
#define ADD(name, fn) g_test_add("/accel/ioreq/" name, World, NULL, setup, fn, teardown)
    ADD("plain-read-is-one-access-of-its-size", plain_read);
    ADD("plain-write-is-one-access-of-its-size", plain_write);
    ADD("unclaimed-read-gives-all-ones-of-its-size", unclaimed_read);
    ADD("unclaimed-write-vanishes-and-is-counted", unclaimed_write);
    ADD("refused-access-is-a-fault-with-all-ones", refused_read);
    ADD("size-must-be-1-2-4-8", bad_sizes);
    ADD("unknown-space-is-a-fault", bad_space);
    ADD("rep-value-repeats-one-datum-and-steps", rep_value_steps_down);
    ADD("pointer-write-moves-elements-to-the-device", pointer_write);
    ADD("pointer-read-moves-elements-to-memory", pointer_read);
    ADD("port-does-not-step", port_does_not_step);
    ADD("no-port-space-is-unclaimed", no_port_space);
    ADD("port-beyond-16-bits-or-4-bytes-is-a-fault", bad_ports);
    ADD("count-is-bounded-by-a-page", bounded_count);
    ADD("repetition-never-wraps", no_wrap);
    ADD("pointer-to-nowhere-reads-all-ones", source_missing);
    ADD("write-protect-is-a-write-that-rom-drops", write_protect);
    ADD("events-are-answered-without-access", not_an_access);
    ADD("pci-config-goes-to-its-handler", pci_config);
    status = g_test_run();
    memory_thread_unregister();
    return status;
}
