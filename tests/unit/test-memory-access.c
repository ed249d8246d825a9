/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a device gets to see of an access: valid and impl sizes, alignment, splitting, widening,
 * endianness (QEMU's docs/devel/memory, "MMIO Operations"), and what RAM, ROM, ROM devices and
 * holes answer.
 */
#include "memory/memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A device whose registers are plain bytes, accessed at any width in its own byte order. Whatever
 * the widths, a guest must then find each byte at its address. */
typedef struct {
    MemoryRegionOps ops;
    MemoryRegion root, mr;
    AddressSpace *as;
    uint8_t bytes[32];
    GString *log; /* r4@8, w2@2=1234 */
    MemTxResult answer;
} Dev;

static uint64_t dev_read(void *opaque, hwaddr offset, unsigned size)
{
    Dev *d = opaque;
    uint64_t value = 0;

    g_assert_cmpuint(offset + size, <=, sizeof(d->bytes));
    g_string_append_printf(d->log, "%sr%u@%u", d->log->len ? " " : "", size, (unsigned)offset);
    for (unsigned i = 0; i < size; i++) {
        unsigned shift = d->ops.endianness == DEVICE_BIG_ENDIAN ? size - 1 - i : i;

        value |= (uint64_t)d->bytes[offset + i] << shift * 8;
    }
    return value;
}

static void dev_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Dev *d = opaque;

    g_assert_cmpuint(offset + size, <=, sizeof(d->bytes));
    g_string_append_printf(d->log, "%sw%u@%u=%" G_GINT64_MODIFIER "x", d->log->len ? " " : "", size,
                           (unsigned)offset, value);
    for (unsigned i = 0; i < size; i++) {
        unsigned shift = d->ops.endianness == DEVICE_BIG_ENDIAN ? size - 1 - i : i;

        d->bytes[offset + i] = value >> shift * 8;
    }
}

static MemTxResult dev_read_result(void *opaque, hwaddr offset, uint64_t *value, unsigned size)
{
    *value = dev_read(opaque, offset, size);
    return ((Dev *)opaque)->answer;
}

static MemTxResult dev_write_result(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    dev_write(opaque, offset, value, size);
    return ((Dev *)opaque)->answer;
}

static void dev_init(Dev *d, MemoryRegionOps ops)
{
    memset(d, 0, sizeof(*d));
    d->ops = ops;
    if (ops.read_with_result == NULL) {
        d->ops.read = dev_read;
        d->ops.write = dev_write;
    }
    for (unsigned i = 0; i < sizeof(d->bytes); i++) {
        d->bytes[i] = 0x10 + i;
    }
    d->log = g_string_new(NULL);
    memory_region_init(&d->root, NULL, "root", UINT64_MAX);
    memory_region_init_io(&d->mr, NULL, &d->ops, d, "dev", sizeof(d->bytes));
    memory_region_add_subregion(&d->root, 0x1000, &d->mr);
    d->as = address_space_new(&d->root, "test");
}

static void dev_clear(Dev *d)
{
    memory_region_del_subregion(&d->root, &d->mr);
    address_space_free(d->as);
    memory_region_destroy(&d->mr);
    memory_region_destroy(&d->root);
    g_string_free(d->log, TRUE);
}

/* ---- exact calls ---- */

typedef struct {
    const char *rule;
    unsigned valid_min, valid_max, valid_unaligned;
    unsigned impl_min, impl_max, impl_unaligned;
    enum device_endian endian;
    bool is_write;
    hwaddr offset;
    unsigned size;
    uint64_t value; /* written or expected */
    MemTxResult result;
    const char *calls;
} Row;

#define LE  DEVICE_LITTLE_ENDIAN
#define BE  DEVICE_BIG_ENDIAN
#define NAT DEVICE_NATIVE_ENDIAN
#define NO  MEMTX_ACCESS_ERROR
static const Row rows[] = {
    { "default-takes-1", 0, 0, 0, 0, 0, 0, LE, 0, 3, 1, 0x13, MEMTX_OK, "r1@3" },
    { "default-takes-4", 0, 0, 0, 0, 0, 0, LE, 0, 4, 4, 0x17161514, MEMTX_OK, "r4@4" },
    { "default-refuses-8", 0, 0, 0, 0, 0, 0, LE, 0, 0, 8, UINT64_MAX, NO, "" },
    { "default-refuses-unaligned", 0, 0, 0, 0, 0, 0, LE, 0, 1, 2, 0xffff, NO, "" },
    { "valid-min-refuses-narrow", 4, 4, 0, 0, 0, 0, LE, 0, 0, 2, 0xffff, NO, "" },
    { "valid-max-refuses-wide", 1, 2, 0, 0, 0, 0, LE, 0, 0, 4, 0xffffffff, NO, "" },
    { "valid-refuses-writes-too", 4, 4, 0, 0, 0, 0, LE, 1, 0, 1, 0x55, NO, "" },
    { "valid-max-8-splits-into-default-impl", 1, 8, 0, 0, 0, 0, LE, 0, 8, 8, 0x1f1e1d1c1b1a1918,
      MEMTX_OK, "r4@8 r4@12" },
    { "impl-max-splits-reads-ascending", 1, 4, 0, 1, 1, 0, LE, 0, 4, 4, 0x17161514, MEMTX_OK,
      "r1@4 r1@5 r1@6 r1@7" },
    { "impl-max-splits-writes-ascending", 1, 4, 0, 1, 2, 0, LE, 1, 4, 4, 0xaabbccdd, MEMTX_OK,
      "w2@4=ccdd w2@6=aabb" },
    { "impl-min-widens-read", 1, 4, 0, 4, 4, 0, LE, 0, 6, 1, 0x16, MEMTX_OK, "r4@4" },
    { "impl-min-widens-write-with-zero-lanes", 1, 4, 0, 4, 4, 0, LE, 1, 6, 1, 0xab, MEMTX_OK,
      "w4@4=ab0000" },
    { "impl-8-widens-4", 1, 8, 0, 8, 8, 0, LE, 0, 12, 4, 0x1f1e1d1c, MEMTX_OK, "r8@8" },
    { "unaligned-becomes-aligned-pieces", 1, 4, 1, 1, 4, 0, LE, 0, 3, 4, 0x16151413, MEMTX_OK,
      "r1@3 r2@4 r1@6" },
    { "unaligned-write-becomes-aligned-pieces", 1, 4, 1, 1, 4, 0, LE, 1, 2, 4, 0xaabbccdd, MEMTX_OK,
      "w2@2=ccdd w2@4=aabb" },
    { "unaligned-across-registers-reads-both", 1, 4, 1, 4, 4, 0, LE, 0, 2, 4, 0x15141312, MEMTX_OK,
      "r4@0 r4@4" },
    { "impl-unaligned-is-passed-on", 1, 4, 1, 1, 4, 1, LE, 0, 3, 4, 0x16151413, MEMTX_OK, "r4@3" },
    { "native-is-little", 1, 4, 0, 1, 4, 0, NAT, 0, 0, 4, 0x13121110, MEMTX_OK, "r4@0" },
    { "big-endian-register-is-swapped", 1, 4, 0, 1, 4, 0, BE, 0, 0, 4, 0x13121110, MEMTX_OK,
      "r4@0" },
    { "big-endian-write-is-swapped", 1, 4, 0, 1, 4, 0, BE, 1, 0, 4, 0x11223344, MEMTX_OK,
      "w4@0=44332211" },
    { "big-endian-split-keeps-bytes-in-place", 1, 8, 0, 1, 2, 0, BE, 1, 0, 4, 0x11223344, MEMTX_OK,
      "w2@0=4433 w2@2=2211" },
    { "big-endian-widened-read", 1, 4, 0, 4, 4, 0, BE, 0, 1, 1, 0x11, MEMTX_OK, "r4@0" },
    { "big-endian-widened-write", 1, 4, 0, 4, 4, 0, BE, 1, 1, 1, 0xab, MEMTX_OK, "w4@0=ab0000" },
    { "value-is-cut-to-size", 1, 4, 0, 1, 4, 0, LE, 1, 0, 1, 0x1ff, MEMTX_OK, "w1@0=ff" },
};

static void test_row(gconstpointer data)
{
    const Row *row = data;
    MemoryRegionOps ops = {
        .endianness = row->endian,
        .valid = { row->valid_min, row->valid_max, row->valid_unaligned },
        .impl = { row->impl_min, row->impl_max, row->impl_unaligned },
    };
    uint64_t value = 0;
    MemTxResult result;
    Dev d;

    dev_init(&d, ops);
    if (row->is_write) {
        result = address_space_st(d.as, 0x1000 + row->offset, row->size, row->value);
    } else {
        result = address_space_ld(d.as, 0x1000 + row->offset, row->size, &value);
        g_assert_cmphex(value, ==, row->value);
    }
    g_assert_cmpuint(result, ==, row->result);
    g_assert_cmpstr(d.log->str, ==, row->calls);
    dev_clear(&d);
}

/* ---- the invariant, over every combination ---- */

static void test_bytes_stay_in_place(void)
{
    static const unsigned sizes[] = { 1, 2, 4, 8 };

    for (unsigned c = 0; c < 4 * 4 * 2 * 3; c++) {
        unsigned min = sizes[c % 4], max = sizes[c / 4 % 4];
        MemoryRegionOps ops = { .valid = { 1, 8, true }, .endianness = c / 32 };
        Dev d;

        ops.impl.min_access_size = min;
        ops.impl.max_access_size = max;
        ops.impl.unaligned = c / 16 % 2;
        if (min > max) {
            continue;
        }
        dev_init(&d, ops);
        for (hwaddr at = 0; at < 16; at++) {
            for (unsigned s = 0; s < 4; s++) {
                uint64_t value, want = 0;
                uint8_t before[32];

                for (unsigned i = 0; i < sizes[s]; i++) {
                    want |= (uint64_t)d.bytes[at + i] << i * 8;
                }
                g_assert_cmpuint(address_space_ld(d.as, 0x1000 + at, sizes[s], &value), ==, 0);
                g_assert_cmphex(value, ==, want);

                memcpy(before, d.bytes, sizeof(before));
                value = g_test_rand_int() | (uint64_t)g_test_rand_int() << 32;
                g_assert_cmpuint(address_space_st(d.as, 0x1000 + at, sizes[s], value), ==, 0);
                for (unsigned i = 0; i < sizeof(before); i++) {
                    if (i >= at && i < at + sizes[s]) {
                        g_assert_cmphex(d.bytes[i], ==, (uint8_t)(value >> (i - at) * 8));
                    } else if (min == 1) {
                        g_assert_cmphex(d.bytes[i], ==, before[i]);
                    }
                }
                g_string_truncate(d.log, 0);
            }
        }
        dev_clear(&d);
    }
}

/* ---- results ---- */

static void test_device_error_is_reported(void)
{
    MemoryRegionOps ops = { .read_with_result = dev_read_result,
                            .write_with_result = dev_write_result };
    uint64_t value;
    Dev d;

    dev_init(&d, ops);
    d.answer = MEMTX_ERROR;
    g_assert_cmpuint(address_space_ld(d.as, 0x1000, 4, &value), ==, MEMTX_ERROR);
    g_assert_cmphex(value, ==, 0xffffffff);
    g_assert_cmpuint(address_space_st(d.as, 0x1000, 4, 0), ==, MEMTX_ERROR);
    d.answer = MEMTX_OK;
    g_assert_cmpuint(address_space_ld(d.as, 0x1004, 4, &value), ==, MEMTX_OK);
    g_assert_cmphex(value, ==, 0x17161514);
    dev_clear(&d);
}

static void test_hole_reads_ones_and_counts(void)
{
    uint64_t reads = memory_unassigned_reads(), writes = memory_unassigned_writes(), value = 0;
    Dev d;

    dev_init(&d, (MemoryRegionOps){ 0 });
    g_assert_cmpuint(address_space_ld(d.as, 0x2000, 2, &value), ==, MEMTX_DECODE_ERROR);
    g_assert_cmphex(value, ==, 0xffff);
    g_assert_cmpuint(address_space_st(d.as, 0x2000, 8, 0), ==, MEMTX_DECODE_ERROR);
    g_assert_cmpuint(memory_unassigned_reads(), ==, reads + 1);
    g_assert_cmpuint(memory_unassigned_writes(), ==, writes + 1);
    dev_clear(&d);
}

static void test_access_across_ranges_is_split(void)
{
    uint64_t value;
    Dev d;

    dev_init(&d, (MemoryRegionOps){ 0 });
    g_assert_cmpuint(address_space_ld(d.as, 0x1000 + 30, 4, &value), ==, MEMTX_DECODE_ERROR);
    g_assert_cmphex(value, ==, 0xffff2f2e);
    g_assert_cmpstr(d.log->str, ==, "r2@30");
    dev_clear(&d);
}

static void test_odd_size_is_refused(void)
{
    uint64_t value;
    Dev d;

    dev_init(&d, (MemoryRegionOps){ 0 });
    g_assert_cmpuint(address_space_ld(d.as, 0x1000, 3, &value), ==, MEMTX_ACCESS_ERROR);
    g_assert_cmpuint(address_space_st(d.as, 0x1000, 16, 0), ==, MEMTX_ACCESS_ERROR);
    g_assert_cmpuint(address_space_st(d.as, 0x1000, 0, 0), ==, MEMTX_ACCESS_ERROR);
    g_assert_cmpstr(d.log->str, ==, "");
    dev_clear(&d);
}

static void test_block_uses_widest_valid_accesses(void)
{
    uint8_t buf[14];
    Dev d;

    dev_init(&d, (MemoryRegionOps){ 0 });
    g_assert_cmpuint(address_space_read(d.as, 0x1001, buf, sizeof(buf)), ==, MEMTX_OK);
    g_assert_cmpstr(d.log->str, ==, "r1@1 r2@2 r4@4 r4@8 r2@12 r1@14");
    for (unsigned i = 0; i < sizeof(buf); i++) {
        g_assert_cmphex(buf[i], ==, 0x11 + i);
    }
    dev_clear(&d);
}

static void test_block_beyond_the_last_address_ends(void)
{
    uint8_t buf[4096];
    MemoryRegion root, ram, top;
    AddressSpace *as;

    memory_region_init(&root, NULL, "root", UINT64_MAX);
    g_assert_true(memory_region_init_ram(&ram, NULL, "ram", 4096, NULL));
    memory_region_add_subregion(&root, 0, &ram);
    as = address_space_new(&root, "test");
    memset(buf, 0, sizeof(buf));
    g_assert_cmpuint(address_space_read(as, UINT64_MAX - 7, buf, 32), ==, MEMTX_DECODE_ERROR);
    for (unsigned i = 0; i < 32; i++) {
        g_assert_cmphex(buf[i], ==, 0xff); /* not the RAM at 0 */
    }
    g_assert_cmpuint(address_space_write(as, UINT64_MAX - 7, buf, 32), ==, MEMTX_DECODE_ERROR);
    g_assert_cmphex(*(uint8_t *)memory_region_get_ram_ptr(&ram), ==, 0);
    g_assert_false(address_space_access_valid(as, UINT64_MAX, 2, false));

    /* The same when something is at the last address. */
    memory_region_init_alias(&top, NULL, "top", &ram, 0, 4096);
    memory_region_add_subregion(&root, UINT64_MAX - 4095, &top);
    memset(memory_region_get_ram_ptr(&ram), 0x11, 4096);
    g_assert_cmpuint(address_space_read(as, UINT64_MAX - 15, buf, 32), ==, MEMTX_DECODE_ERROR);
    g_assert_cmphex(buf[15], ==, 0x11);
    g_assert_cmphex(buf[16], ==, 0xff);
    memset(buf, 0x22, sizeof(buf));
    g_assert_cmpuint(address_space_write(as, UINT64_MAX - 15, buf, 32), ==, MEMTX_DECODE_ERROR);
    g_assert_cmphex(address_space_ldub(as, 0, NULL), ==, 0x11);
    g_assert_cmpuint(address_space_set(as, UINT64_MAX - 15, 0x33, 1024), ==, MEMTX_DECODE_ERROR);
    g_assert_cmphex(address_space_ldub(as, 0x200, NULL), ==, 0x11);
    g_assert_false(address_space_access_valid(as, UINT64_MAX, 2, false));
    memory_region_del_subregion(&root, &top);
    memory_region_destroy(&top);
    memory_region_del_subregion(&root, &ram);
    address_space_free(as);
    memory_region_destroy(&ram);
    memory_region_destroy(&root);
}

/* ---- memory ---- */

typedef struct {
    MemoryRegion root, ram, rom, flash;
    MemoryRegionOps ops;
    AddressSpace *as;
    GString *log;
} Mem;

static uint64_t flash_read(void *opaque, hwaddr offset, unsigned size)
{
    return 0x80; /* a status register, not the array */
}

static void flash_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    g_string_append_printf(((Mem *)opaque)->log, "w%u@%x=%x", size, (unsigned)offset,
                           (unsigned)value);
}

/* RAM at 0x10000, ROM at 0x20000, a ROM device at 0x30000; a page each. */
static void mem_setup(Mem *m, gconstpointer data)
{
    m->log = g_string_new(NULL);
    m->ops = (MemoryRegionOps){ .read = flash_read, .write = flash_write };
    memory_region_init(&m->root, NULL, "root", UINT64_MAX);
    g_assert_true(memory_region_init_ram(&m->ram, NULL, "ram", 4096, NULL));
    g_assert_true(memory_region_init_rom(&m->rom, NULL, "rom", 4096, NULL));
    g_assert_true(memory_region_init_rom_device(&m->flash, NULL, &m->ops, m, "flash", 4096, NULL));
    memory_region_add_subregion(&m->root, 0x10000, &m->ram);
    memory_region_add_subregion(&m->root, 0x20000, &m->rom);
    memory_region_add_subregion(&m->root, 0x30000, &m->flash);
    m->as = address_space_new(&m->root, "test");
    memcpy(memory_region_get_ram_ptr(&m->rom), "rom", 3);
    memcpy(memory_region_get_ram_ptr(&m->flash), "flash", 5);
}

static void mem_teardown(Mem *m, gconstpointer data)
{
    memory_region_del_subregion(&m->root, &m->ram);
    memory_region_del_subregion(&m->root, &m->rom);
    memory_region_del_subregion(&m->root, &m->flash);
    address_space_free(m->as);
    memory_region_destroy(&m->ram);
    memory_region_destroy(&m->rom);
    memory_region_destroy(&m->flash);
    memory_region_destroy(&m->root);
    g_string_free(m->log, TRUE);
}

static void test_ram_is_little_endian(Mem *m, gconstpointer data)
{
    const uint8_t *host = memory_region_get_ram_ptr(&m->ram);
    MemTxResult r;

    address_space_stl_le(m->as, 0x10001, 0x44332211, &r); /* unaligned is fine in RAM */
    g_assert_cmpuint(r, ==, MEMTX_OK);
    g_assert_cmpmem(host, 6, "\0\x11\x22\x33\x44\0", 6);
    address_space_stq_le(m->as, 0x10008, 0x8877665544332211, NULL);
    g_assert_cmphex(address_space_ldub(m->as, 0x10008, NULL), ==, 0x11);
    g_assert_cmphex(address_space_lduw_le(m->as, 0x1000a, NULL), ==, 0x4433);
    g_assert_cmphex(address_space_ldl_le(m->as, 0x1000c, NULL), ==, 0x88776655);
    g_assert_cmphex(address_space_ldq_le(m->as, 0x10008, &r), ==, 0x8877665544332211);
    address_space_stb(m->as, 0x10008, 0xab, NULL);
    address_space_stw_le(m->as, 0x1000a, 0xcdef, NULL);
    g_assert_cmphex(address_space_ldq_le(m->as, 0x10008, &r), ==, 0x88776655cdef22ab);
}

static void test_ram_set_fills(Mem *m, gconstpointer data)
{
    const uint8_t *host = memory_region_get_ram_ptr(&m->ram);

    g_assert_cmpuint(address_space_set(m->as, 0x10001, 0x5a, 4094), ==, MEMTX_OK);
    g_assert_cmphex(host[0], ==, 0);
    g_assert_cmphex(host[1], ==, 0x5a);
    g_assert_cmphex(host[4094], ==, 0x5a);
    g_assert_cmphex(host[4095], ==, 0);
    g_assert_cmpuint(address_space_set(m->as, 0x10fff, 1, 2), ==, MEMTX_DECODE_ERROR);
}

static void test_ram_is_shared_by_fd(Mem *m, gconstpointer data)
{
    uint8_t *other =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory_region_get_fd(&m->ram), 0);

    g_assert_true(other != MAP_FAILED);
    other[8] = 0x77;
    g_assert_cmphex(address_space_ldub(m->as, 0x10008, NULL), ==, 0x77);
    munmap(other, 4096);
}

static void test_ram_size_is_checked(Mem *m, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    MemoryRegion mr;

    g_assert_false(memory_region_init_ram(&mr, NULL, "odd", 4097, &error));
    g_assert_nonnull(strstr(error->message, "4097"));
    g_clear_error(&error);
    g_assert_false(memory_region_init_ram(&mr, NULL, "none", 0, &error));
    g_clear_error(&error);
    g_assert_false(memory_region_init_ram(&mr, NULL, "huge", UINT64_MAX - 4095, &error));
    memory_region_destroy(&mr); /* a failed init leaves nothing, and this is fine */
}

static void test_rom_write_vanishes_with_access_error(Mem *m, gconstpointer data)
{
    uint8_t buf[3];

    g_assert_cmpuint(address_space_st(m->as, 0x20000, 4, 0), ==, MEMTX_ACCESS_ERROR);
    g_assert_cmpuint(address_space_write(m->as, 0x20000, "xyz", 3), ==, MEMTX_ACCESS_ERROR);
    g_assert_cmpuint(address_space_read(m->as, 0x20000, buf, 3), ==, MEMTX_OK);
    g_assert_cmpmem(buf, 3, "rom", 3);
}

static void test_readonly_ram_write_vanishes(Mem *m, gconstpointer data)
{
    memory_region_set_readonly(&m->ram, true);
    g_assert_cmpuint(address_space_st(m->as, 0x10000, 4, 1), ==, MEMTX_ACCESS_ERROR);
    memory_region_set_readonly(&m->ram, false);
    g_assert_cmphex(address_space_ldl_le(m->as, 0x10000, NULL), ==, 0);
    g_assert_cmpuint(address_space_st(m->as, 0x10000, 4, 1), ==, MEMTX_OK);
}

static void test_romd_reads_memory_writes_device(Mem *m, gconstpointer data)
{
    g_assert_cmphex(address_space_ldub(m->as, 0x30000, NULL), ==, 'f');
    g_assert_cmpuint(address_space_st(m->as, 0x30004, 1, 0x40), ==, MEMTX_OK);
    g_assert_cmpstr(m->log->str, ==, "w1@4=40");
    g_assert_cmphex(address_space_ldub(m->as, 0x30004, NULL), ==, 'h');
}

static void test_romd_off_reads_device(Mem *m, gconstpointer data)
{
    memory_region_rom_device_set_romd(&m->flash, false);
    g_assert_cmphex(address_space_ldub(m->as, 0x30000, NULL), ==, 0x80);
    g_assert_false(memory_region_is_romd(&m->flash));
    memory_region_rom_device_set_romd(&m->flash, true);
    g_assert_cmphex(address_space_ldub(m->as, 0x30000, NULL), ==, 'f');
}

static void test_map_gives_host_memory(Mem *m, gconstpointer data)
{
    uint64_t len = 8192;
    uint8_t *host = address_space_map(m->as, 0x10010, &len, true);

    g_assert_true(host == (uint8_t *)memory_region_get_ram_ptr(&m->ram) + 0x10);
    g_assert_cmpuint(len, ==, 4096 - 0x10);
    address_space_unmap(m->as, host, len, true);
}

static void test_map_refuses_what_is_not_memory(Mem *m, gconstpointer data)
{
    static const struct {
        hwaddr addr;
        bool is_write, ok;
    } cases[] = {
        { 0x20000, true, false }, { 0x20000, false, true },  { 0x30000, true, false },
        { 0x30000, false, true }, { 0x40000, false, false }, { 0x40000, true, false },
        { 0x10000, true, true },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t len = 16;
        void *host = address_space_map(m->as, cases[i].addr, &len, cases[i].is_write);

        g_assert_cmpint(host != NULL, ==, cases[i].ok);
        g_assert_cmpuint(len, ==, cases[i].ok ? 16 : 0);
        g_assert_cmpint(address_space_access_valid(m->as, cases[i].addr, 16, cases[i].is_write), ==,
                        cases[i].ok);
        address_space_unmap(m->as, host, len, cases[i].is_write);
    }
    g_assert_false(address_space_access_valid(m->as, 0x10ff0, 0x11, false));
    g_assert_true(address_space_access_valid(m->as, 0x10ff0, 0x10, false));
}

/* The host's page tables refuse lent memory: no access may get as far as them. */
static void test_lent_ram_is_not_touched(Mem *m, gconstpointer data)
{
    uint8_t *host = memory_region_get_ram_ptr(&m->ram);
    uint64_t value = 0, len = 16;
    uint8_t bytes[4] = { 0 };

    memory_region_set_lent(&m->ram, memory_region_size(&m->ram));
    g_assert_cmpint(mprotect(host, 4096, PROT_NONE), ==, 0);
    g_assert_cmpuint(address_space_ld(m->as, 0x10000, 4, &value), ==, MEMTX_ACCESS_ERROR);
    g_assert_cmphex(value, ==, 0xffffffff);
    g_assert_cmpuint(address_space_st(m->as, 0x10000, 4, 1), ==, MEMTX_ACCESS_ERROR);
    g_assert_cmpuint(address_space_read(m->as, 0x10000, bytes, 4), ==, MEMTX_ACCESS_ERROR);
    g_assert_cmphex(bytes[3], ==, 0xff);
    g_assert_cmpuint(address_space_write(m->as, 0x10000, bytes, 4), ==, MEMTX_ACCESS_ERROR);
    g_assert_cmpuint(address_space_set(m->as, 0x10000, 0, 4), ==, MEMTX_ACCESS_ERROR);
    g_assert_null(address_space_map(m->as, 0x10000, &len, false));
    g_assert_false(address_space_access_valid(m->as, 0x10000, 4, false));
    g_assert_cmpint(mprotect(host, 4096, PROT_READ | PROT_WRITE), ==, 0);
    memory_region_set_lent(&m->ram, 0);
    g_assert_cmpuint(address_space_st(m->as, 0x10000, 4, 7), ==, MEMTX_OK);
    g_assert_cmphex(host[0], ==, 7);
}

/* A guest keeps the start of RAM to itself and shares the rest; what spans both fails. */
static void test_part_of_ram_is_lent(void)
{
    MemoryRegion root, ram;
    AddressSpace *as;
    uint8_t bytes[8] = { 0 };
    uint64_t len = 8192;
    uint8_t *host;

    memory_region_init(&root, NULL, "root", UINT64_MAX);
    g_assert_true(memory_region_init_ram(&ram, NULL, "ram", 8192, NULL));
    memory_region_add_subregion(&root, 0x10000, &ram);
    as = address_space_new(&root, "as");
    host = memory_region_get_ram_ptr(&ram);
    memory_region_set_lent(&ram, 4096);
    g_assert_cmpint(mprotect(host, 4096, PROT_NONE), ==, 0);
    g_assert_cmpuint(address_space_st(as, 0x11000, 4, 7), ==, MEMTX_OK);
    g_assert_cmphex(host[4096], ==, 7);
    g_assert_cmpuint(address_space_read(as, 0x10ffc, bytes, 8), ==, MEMTX_ACCESS_ERROR);
    g_assert_cmphex(bytes[3], ==, 0xff);
    g_assert_null(address_space_map(as, 0x10ffc, &len, false));
    len = 8192;
    g_assert_true(address_space_map(as, 0x11000, &len, true) == host + 4096);
    g_assert_cmpuint(len, ==, 4096);
    address_space_unmap(as, host + 4096, len, true);
    memory_region_set_lent(&ram, 0);
    g_assert_cmpint(mprotect(host, 4096, PROT_READ | PROT_WRITE), ==, 0);
    g_assert_cmpuint(address_space_read(as, 0x10ffc, bytes, 8), ==, MEMTX_OK);
    memory_region_del_subregion(&root, &ram);
    address_space_free(as);
    memory_region_destroy(&ram);
    memory_region_destroy(&root);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("/mem/access/%s", rows[i].rule);

        g_test_add_data_func(path, &rows[i], test_row);
    }
#define ADD(name, fn)     g_test_add_func("/mem/access/" name, fn)
#define ADD_MEM(name, fn) g_test_add("/mem/" name, Mem, NULL, mem_setup, fn, mem_teardown)
    ADD("bytes-stay-in-place-at-any-width-and-order", test_bytes_stay_in_place);
    ADD("device-error-is-reported-and-reads-ones", test_device_error_is_reported);
    ADD("hole-reads-ones-and-counts", test_hole_reads_ones_and_counts);
    ADD("access-across-ranges-is-split", test_access_across_ranges_is_split);
    ADD("odd-size-is-refused", test_odd_size_is_refused);
    ADD("block-uses-widest-valid-accesses", test_block_uses_widest_valid_accesses);
    ADD("block-beyond-the-last-address-ends", test_block_beyond_the_last_address_ends);
    ADD_MEM("ram/is-little-endian", test_ram_is_little_endian);
    ADD_MEM("ram/set-fills", test_ram_set_fills);
    ADD_MEM("ram/is-shared-by-fd", test_ram_is_shared_by_fd);
    ADD_MEM("ram/size-is-checked", test_ram_size_is_checked);
    ADD_MEM("ram/readonly-write-vanishes-with-access-error", test_readonly_ram_write_vanishes);
    g_test_add_func("/mem/ram/part-is-lent", test_part_of_ram_is_lent);
    ADD_MEM("ram/lent-is-not-touched", test_lent_ram_is_not_touched);
    ADD_MEM("rom/write-vanishes-with-access-error", test_rom_write_vanishes_with_access_error);
    ADD_MEM("rom-device/reads-memory-writes-device", test_romd_reads_memory_writes_device);
    ADD_MEM("rom-device/romd-off-reads-device", test_romd_off_reads_device);
    ADD_MEM("map/gives-host-memory-cut-to-the-range", test_map_gives_host_memory);
    ADD_MEM("map/refuses-what-is-not-memory", test_map_refuses_what_is_not_memory);
    return g_test_run();
}
