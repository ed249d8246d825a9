/* SPDX-License-Identifier: GPL-2.0-or-later
 * NOR flash through the memory API: two chips of 16 bits on a bus of 32, as the virt machine has
 * them, against JESD68 (query) and JEP137 command set 1.
 */
#include "hw/block/pflash-cfi01.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "block/block.h"
#include "util/error.h"

enum {
    BLOCK = 64 * 1024,
    N_BLOCKS = 4,
    SIZE = N_BLOCKS * BLOCK,
    BUFFER = 2048,

    READY = 0x00800080,
    ERASE_ERROR = 0x00200020,
    PROGRAM_ERROR = 0x00100010,
    LOCKED = 0x00020002,
};

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    Device *dev;
    char *path;
    BlockBackend *blk;
} Bench;

static Device *make(const char *drive)
{
    Device *dev = device_new("cfi_pflash01", NULL);

    g_object_set(dev, "name", "flash", "num-blocks", N_BLOCKS, "sector-length", (guint64)BLOCK,
                 "width", 4, "device-width", 2, "id0", 0x89, "id1", 0x18, "drive", drive, NULL);
    return dev;
}

static void open_drive(Bench *b, bool read_only)
{
    BlockOptions o = BLOCK_OPTIONS_INIT;

    o.filename = b->path;
    o.node_name = "flash0";
    o.read_only = read_only;
    b->blk = block_open(&o, NULL);
    g_assert_nonnull(b->blk);
}

static void plug(Bench *b)
{
    b->dev = make("flash0");
    g_assert_true(device_realize(b->dev, NULL));
    device_map(b->dev, 0, &b->root, 0);
}

static void unplug(Bench *b)
{
    device_unrealize(b->dev);
    g_object_unref(b->dev);
    block_unref(b->blk);
}

static void set_up(Bench *b, gconstpointer data)
{
    int fd = g_file_open_tmp("flash-XXXXXX", &b->path, NULL);

    g_assert_cmpint(ftruncate(fd, SIZE), ==, 0);
    g_assert_cmpint(pwrite(fd, "first words", 11, 0), ==, 11);
    close(fd);
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    open_drive(b, data != NULL);
    plug(b);
}

static void tear_down(Bench *b, gconstpointer data)
{
    unplug(b);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
    g_unlink(b->path);
    g_free(b->path);
}

static uint32_t rd(Bench *b, hwaddr at)
{
    uint64_t value = 0;

    g_assert_cmpuint(address_space_ld(b->as, at, 4, &value), ==, MEMTX_OK);
    return value;
}

static void wr(Bench *b, hwaddr at, uint32_t value)
{
    g_assert_cmpuint(address_space_st(b->as, at, 4, value), ==, MEMTX_OK);
}

static void cmd(Bench *b, hwaddr at, uint8_t c)
{
    wr(b, at, c | c << 16);
}

static void erase(Bench *b, hwaddr at)
{
    cmd(b, at, 0x20);
    cmd(b, at, 0xd0);
}

static void word(Bench *b, hwaddr at, uint32_t value)
{
    cmd(b, at, 0x40);
    wr(b, at, value);
}

/* What the file has, through the page cache. */
static uint32_t in_file(Bench *b, hwaddr at)
{
    g_autofree char *data = NULL;
    gsize len;
    uint32_t value;

    g_assert_true(g_file_get_contents(b->path, &data, &len, NULL));
    g_assert_cmpuint(len, ==, SIZE);
    memcpy(&value, data + at, 4);
    return value;
}

static void reads_as_memory(Bench *b, gconstpointer data)
{
    MemoryRegionSection section;
    char text[11];

    g_assert_cmpuint(address_space_read(b->as, 0, text, 11), ==, MEMTX_OK);
    g_assert_cmpmem(text, 11, "first words", 11);
    g_assert_true(memory_region_find(b->as, 0, &section));
    g_assert_true(memory_region_is_romd(section.mr));
}

static void query(Bench *b, gconstpointer data)
{
    cmd(b, 0x55 * 4, 0x98);
    g_assert_cmphex(rd(b, 0x10 * 4), ==, 'Q' | 'Q' << 16);
    g_assert_cmphex(rd(b, 0x11 * 4), ==, 'R' | 'R' << 16);
    g_assert_cmphex(rd(b, 0x12 * 4), ==, 'Y' | 'Y' << 16);
    g_assert_cmphex(rd(b, 0x13 * 4), ==, 0x00010001);
    g_assert_cmphex(rd(b, 0x27 * 4), ==, 17 | 17 << 16); /* 128 KiB in each chip */
    g_assert_cmphex(rd(b, 0x2a * 4), ==, 10 | 10 << 16);
    g_assert_cmphex(rd(b, 0x2d * 4), ==, (N_BLOCKS - 1) | (N_BLOCKS - 1) << 16);
    g_assert_cmphex(rd(b, 0x2f * 4), ==, 0x80 | 0x80 << 16); /* 32 KiB in units of 256 */
    g_assert_cmphex(rd(b, 0x31 * 4), ==, 'P' | 'P' << 16);
    cmd(b, 0, 0xff);
    g_assert_cmphex(rd(b, 0), ==, 0x73726966);
}

static void identify(Bench *b, gconstpointer data)
{
    cmd(b, 0, 0x90);
    g_assert_cmphex(rd(b, 0), ==, 0x89188918);
    g_assert_cmphex(rd(b, 8), ==, 0);
    cmd(b, 0, 0x60);
    cmd(b, BLOCK, 0x01);
    cmd(b, 0, 0x90);
    g_assert_cmphex(rd(b, BLOCK + 8), ==, 0x00010001);
    g_assert_cmphex(rd(b, 8), ==, 0);
}

static void narrow_reads_take_their_part(Bench *b, gconstpointer data)
{
    uint64_t value;

    cmd(b, 0, 0x90);
    g_assert_cmpuint(address_space_ld(b->as, 1, 1, &value), ==, MEMTX_OK);
    g_assert_cmphex(value, ==, 0x89);
    g_assert_cmpuint(address_space_ld(b->as, 2, 2, &value), ==, MEMTX_OK);
    g_assert_cmphex(value, ==, 0x8918);
}

static void erase_sets_one_block(Bench *b, gconstpointer data)
{
    erase(b, BLOCK + 0x100);
    g_assert_cmphex(rd(b, BLOCK), ==, READY);
    cmd(b, 0, 0xff);
    g_assert_cmphex(rd(b, BLOCK), ==, UINT32_MAX);
    g_assert_cmphex(rd(b, 2 * BLOCK - 4), ==, UINT32_MAX);
    g_assert_cmphex(rd(b, BLOCK - 4), ==, 0);
    g_assert_cmphex(rd(b, 2 * BLOCK), ==, 0);
    g_assert_cmphex(in_file(b, BLOCK), ==, UINT32_MAX);
    g_assert_cmphex(in_file(b, 2 * BLOCK), ==, 0);
}

static void programming_clears_bits_only(Bench *b, gconstpointer data)
{
    erase(b, 0);
    word(b, 0x40, 0xff00ff0f);
    g_assert_cmphex(rd(b, 0x40), ==, READY);
    word(b, 0x40, 0x0ff0ffff);
    cmd(b, 0, 0xff);
    g_assert_cmphex(rd(b, 0x40), ==, 0x0f00ff0f);
    g_assert_cmphex(rd(b, 0x44), ==, UINT32_MAX);
    g_assert_cmphex(in_file(b, 0x40), ==, 0x0f00ff0f);
}

static void buffered_write(Bench *b, gconstpointer data)
{
    erase(b, 0);
    cmd(b, BUFFER, 0xe8);
    g_assert_cmphex(rd(b, BUFFER), ==, READY);
    wr(b, BUFFER, 0x00020002); /* three words */
    wr(b, BUFFER + 8, 0x11111111);
    wr(b, BUFFER + 12, 0x22222222);
    wr(b, BUFFER + 16, 0x33333333);
    cmd(b, BUFFER, 0xd0);
    g_assert_cmphex(rd(b, 0), ==, READY);
    cmd(b, 0, 0xff);
    g_assert_cmphex(rd(b, BUFFER + 8), ==, 0x11111111);
    g_assert_cmphex(rd(b, BUFFER + 16), ==, 0x33333333);
    g_assert_cmphex(rd(b, BUFFER + 4), ==, UINT32_MAX);
    g_assert_cmphex(rd(b, BUFFER + 20), ==, UINT32_MAX);
    g_assert_cmphex(in_file(b, BUFFER + 12), ==, 0x22222222);
}

static void whole_buffer(Bench *b, gconstpointer data)
{
    erase(b, 0);
    cmd(b, 0, 0xe8);
    wr(b, 0, (BUFFER / 4 - 1) * 0x10001);
    for (unsigned i = 0; i < BUFFER; i += 4) {
        wr(b, i, i);
    }
    cmd(b, 0, 0xd0);
    g_assert_cmphex(rd(b, 0), ==, READY);
    cmd(b, 0, 0xff);
    g_assert_cmphex(rd(b, BUFFER - 4), ==, BUFFER - 4);
}

static void bad_sequences_change_nothing(Bench *b, gconstpointer data)
{
    const uint32_t sequence = READY | ERASE_ERROR | PROGRAM_ERROR;

    cmd(b, 0, 0x20); /* erase, not confirmed */
    cmd(b, 0, 0x55);
    g_assert_cmphex(rd(b, 0), ==, sequence);
    cmd(b, 0, 0x50);
    cmd(b, 0, 0xe8); /* too many words */
    wr(b, 0, 0xffff);
    g_assert_cmphex(rd(b, 0), ==, sequence);
    cmd(b, 0, 0x50);
    cmd(b, 0, 0xe8); /* outside the buffer */
    wr(b, 0, 0x00010001);
    wr(b, 0, 0);
    wr(b, BUFFER, 0);
    g_assert_cmphex(rd(b, 0), ==, sequence);
    cmd(b, 0, 0x50);
    cmd(b, 0, 0xe8); /* not confirmed */
    wr(b, 0, 0);
    wr(b, 0, 0);
    cmd(b, 0, 0xff);
    g_assert_cmphex(rd(b, 0), ==, sequence);
    cmd(b, 0, 0x50);
    g_assert_cmphex(rd(b, 0), ==, 0x73726966);
}

static void locked_block_keeps_its_content(Bench *b, gconstpointer data)
{
    cmd(b, 0, 0x60);
    cmd(b, 0, 0x01);
    erase(b, 0);
    g_assert_cmphex(rd(b, 0), ==, READY | ERASE_ERROR | LOCKED);
    cmd(b, 0, 0x50);
    word(b, 0, 0);
    g_assert_cmphex(rd(b, 0), ==, READY | PROGRAM_ERROR | LOCKED);
    cmd(b, 0, 0x50);
    g_assert_cmphex(rd(b, 0), ==, 0x73726966);
    cmd(b, 0, 0x60);
    cmd(b, 0, 0xd0);
    erase(b, 0);
    g_assert_cmphex(rd(b, 0), ==, READY);
}

static void read_only_drive_is_locked(Bench *b, gconstpointer data)
{
    erase(b, 0);
    g_assert_cmphex(rd(b, 0), ==, READY | ERASE_ERROR | LOCKED);
    cmd(b, 0, 0xff);
    g_assert_cmphex(rd(b, 0), ==, 0x73726966);
}

static void content_survives(Bench *b, gconstpointer data)
{
    erase(b, BLOCK);
    word(b, BLOCK, 0x12345678);
    unplug(b);
    open_drive(b, false);
    plug(b);
    g_assert_cmphex(rd(b, BLOCK), ==, 0x12345678);
}

static void reset_reads_as_memory(Bench *b, gconstpointer data)
{
    cmd(b, 0, 0x60);
    cmd(b, 0, 0x01);
    cmd(b, 0, 0x98);
    device_reset(b->dev);
    g_assert_cmphex(rd(b, 0), ==, 0x73726966);
    erase(b, 0);
    g_assert_cmphex(rd(b, 0), ==, READY); /* lock bits are gone */
}

static void refuse(Device *dev, HumpyError code)
{
    GError *error = NULL;

    g_assert_false(device_realize(dev, &error));
    g_assert_error(error, HUMPY_ERROR, (int)code);
    g_clear_error(&error);
    g_object_unref(dev);
}

static void bad_set_up_is_refused(Bench *b, gconstpointer data)
{
    Device *dev = make("nosuch");

    refuse(dev, HUMPY_ERROR_UNKNOWN);
    dev = make("flash0");
    refuse(dev, HUMPY_ERROR_CONFLICT); /* the other flash has it */
    dev = make("flash0");
    g_object_set(dev, "num-blocks", 8, NULL);
    refuse(dev, HUMPY_ERROR_RANGE); /* the image is too small */
    dev = make(NULL);
    g_object_set(dev, "num-blocks", 3, NULL);
    refuse(dev, HUMPY_ERROR_RANGE);
    dev = make(NULL);
    g_object_set(dev, "width", 2, "device-width", 4, NULL);
    refuse(dev, HUMPY_ERROR_RANGE);
    dev = make(NULL);
    g_object_set(dev, "name", NULL, NULL);
    refuse(dev, HUMPY_ERROR_MISSING);
}

static void load_is_bounded(Bench *b, gconstpointer data)
{
    g_autofree char *bytes = g_strnfill(SIZE + 1, 'x');
    GError *error = NULL;

    g_assert_true(pflash_load(HUMPY_PFLASH_CFI01(b->dev), bytes, SIZE, NULL));
    g_assert_cmphex(rd(b, SIZE - 4), ==, 0x78787878);
    g_assert_cmphex(in_file(b, SIZE - 4), ==, 0);
    g_assert_false(pflash_load(HUMPY_PFLASH_CFI01(b->dev), bytes, SIZE + 1, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    g_clear_error(&error);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
        const char *read_only;
    } rules[] = {
        { "array/reads-as-memory", reads_as_memory, NULL },
        { "query/describes-two-chips", query, NULL },
        { "identify/tells-maker-and-locks", identify, NULL },
        { "identify/narrow-reads-take-their-part", narrow_reads_take_their_part, NULL },
        { "erase/sets-one-block", erase_sets_one_block, NULL },
        { "program/clears-bits-only", programming_clears_bits_only, NULL },
        { "buffer/writes-where-the-words-say", buffered_write, NULL },
        { "buffer/takes-its-whole-size", whole_buffer, NULL },
        { "hostile/bad-sequences-change-nothing", bad_sequences_change_nothing, NULL },
        { "lock/block-keeps-its-content", locked_block_keeps_its_content, NULL },
        { "drive/read-only-is-locked", read_only_drive_is_locked, "read-only" },
        { "drive/content-survives", content_survives, NULL },
        { "drive/bad-set-up-is-refused", bad_set_up_is_refused, NULL },
        { "load/is-bounded", load_is_bounded, NULL },
        { "reset/reads-as-memory", reset_reads_as_memory, NULL },
    };

    g_test_init(&argc, &argv, NULL);
    g_type_ensure(TYPE_PFLASH_CFI01);
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/pflash/", rules[i].rule, NULL);

        g_test_add(path, Bench, rules[i].read_only, set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
