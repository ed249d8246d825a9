/* SPDX-License-Identifier: GPL-2.0-or-later
 * The firmware configuration device through the memory API, against QEMU's docs/specs/fw_cfg.txt.
 */
#include "hw/nvram/fw-cfg.h"

#include <string.h>

#include "util/error.h"

enum {
    BASE = 0x9020000,
    DATA = BASE,
    SELECTOR = BASE + 8,
    DMA = BASE + 16,
    PORT = 0x510,
    RAM = 0x40000000,
    RAM_SIZE = 0x10000,
    COMMAND = RAM,
    BUFFER = RAM + 0x100,

    CTL_ERROR = 1,
    CTL_READ = 2,
    CTL_SKIP = 4,
    CTL_SELECT = 8,
    CTL_WRITE = 16,
};

typedef struct {
    MemoryRegion root, ram;
    AddressSpace *as;
    FwCfg *fw;
    unsigned n_written;
    bool refuse; /* what is written */
    uint8_t written[4];
} Bench;

static void set_up(Bench *b, gconstpointer data)
{
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    g_assert_true(memory_region_init_ram(&b->ram, NULL, "ram", RAM_SIZE, NULL));
    memory_region_add_subregion(&b->root, RAM, &b->ram);
    b->fw = HUMPY_FW_CFG(device_new("fw_cfg_mem", NULL));
    fw_cfg_set_dma(b->fw, b->as);
    g_assert_true(device_realize(HUMPY_DEVICE(b->fw), NULL));
    device_map(HUMPY_DEVICE(b->fw), 0, &b->root, BASE);
}

static void tear_down(Bench *b, gconstpointer data)
{
    device_unrealize(HUMPY_DEVICE(b->fw));
    g_object_unref(b->fw);
    memory_region_del_subregion(&b->root, &b->ram);
    memory_region_destroy(&b->ram);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
}

static void add(Bench *b, const char *name, const char *content)
{
    g_autoptr(GBytes) bytes = g_bytes_new(content, strlen(content));

    g_assert_true(fw_cfg_add_file(b->fw, name, bytes, NULL));
}

static void select_key(Bench *b, uint16_t key)
{
    uint16_t be = GUINT16_TO_BE(key);

    g_assert_cmpuint(address_space_write(b->as, SELECTOR, &be, 2), ==, MEMTX_OK);
}

/* As a guest reads a string: byte after byte from the same register. */
static void read_bytes(Bench *b, void *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        g_assert_cmpuint(address_space_read(b->as, DATA, (uint8_t *)buf + i, 1), ==, MEMTX_OK);
    }
}

/* The key of a file as the directory says, or 0. */
static uint16_t find(Bench *b, const char *name, uint32_t *size)
{
    uint32_t count;

    select_key(b, FW_CFG_KEY_DIRECTORY);
    read_bytes(b, &count, 4);
    for (uint32_t i = 0; i < GUINT32_FROM_BE(count); i++) {
        struct {
            uint32_t size;
            uint16_t key, reserved;
            char name[FW_CFG_NAME_SIZE];
        } entry;

        read_bytes(b, &entry, sizeof(entry));
        if (strcmp(entry.name, name) == 0) {
            *size = GUINT32_FROM_BE(entry.size);
            return GUINT16_FROM_BE(entry.key);
        }
    }
    return 0;
}

/* Runs a command and returns the control word it ends with. */
static uint32_t dma_at(Bench *b, uint32_t control, uint32_t length, uint64_t address, hwaddr where)
{
    struct {
        uint32_t control, length;
        uint64_t address;
    } cmd = { GUINT32_TO_BE(control), GUINT32_TO_BE(length), GUINT64_TO_BE(address) };
    uint64_t be = GUINT64_TO_BE(where);
    uint32_t outcome;

    address_space_write(b->as, where, &cmd, sizeof(cmd));
    g_assert_cmpuint(address_space_write(b->as, DMA, &be, 8), ==, MEMTX_OK);
    address_space_read(b->as, where, &outcome, 4);
    return GUINT32_FROM_BE(outcome);
}

static uint32_t dma(Bench *b, uint32_t control, uint32_t length, uint64_t address)
{
    return dma_at(b, control, length, address, COMMAND);
}

static void assert_ram(Bench *b, hwaddr addr, const void *want, size_t len)
{
    g_autofree uint8_t *got = g_malloc(len);

    address_space_read(b->as, addr, got, len);
    g_assert_cmpmem(got, len, want, len);
}

static void signature_and_id(Bench *b, gconstpointer data)
{
    char text[4];
    uint32_t id;

    read_bytes(b, text, 4); /* key 0 is selected at power-on */
    g_assert_cmpmem(text, 4, "QEMU", 4);
    select_key(b, FW_CFG_KEY_ID);
    read_bytes(b, &id, 4);
    g_assert_cmpuint(GUINT32_FROM_LE(id), ==, 3);
}

static void wide_reads_keep_byte_order(Bench *b, gconstpointer data)
{
    uint32_t size;
    char text[9] = {};

    add(b, "opt/a", "abcdefghijklmno");
    select_key(b, find(b, "opt/a", &size));
    g_assert_cmpuint(address_space_read(b->as, DATA, text, 8), ==, MEMTX_OK);
    g_assert_cmpstr(text, ==, "abcdefgh");
    g_assert_cmpuint(address_space_read(b->as, DATA, text, 2), ==, MEMTX_OK);
    g_assert_cmpstr(text, ==, "ijcdefgh");
    g_assert_cmpuint(address_space_read(b->as, DATA, text, 4), ==, MEMTX_OK);
    g_assert_cmpstr(text, ==, "klmnefgh");
}

static void behind_the_end_reads_zero(Bench *b, gconstpointer data)
{
    uint32_t size;
    char text[8];

    add(b, "opt/a", "abc");
    select_key(b, find(b, "opt/a", &size));
    g_assert_cmpuint(size, ==, 3);
    g_assert_cmpuint(address_space_read(b->as, DATA, text, 8), ==, MEMTX_OK);
    g_assert_cmpmem(text, 8, "abc\0\0\0\0\0", 8);
    read_bytes(b, text, 2);
    g_assert_cmpmem(text, 2, "\0\0", 2);
}

static void unknown_keys_read_zero(Bench *b, gconstpointer data)
{
    static const uint16_t keys[] = { 0x02, 0x1f, 0x20, 0x3fff, 0x8000, 0x8019, 0xffff };
    char text[4];

    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        select_key(b, keys[i]);
        read_bytes(b, text, 4);
        g_assert_cmpmem(text, 4, "\0\0\0\0", 4);
    }
}

static void directory_is_sorted(Bench *b, gconstpointer data)
{
    uint32_t size;

    add(b, "opt/b", "2");
    add(b, "opt/c", "3");
    add(b, "etc/a", "1");
    g_assert_cmpuint(find(b, "etc/a", &size), ==, 0x20);
    g_assert_cmpuint(find(b, "opt/b", &size), ==, 0x21);
    g_assert_cmpuint(find(b, "opt/c", &size), ==, 0x22);
    fw_cfg_remove_file(b->fw, "opt/b");
    g_assert_cmpuint(find(b, "opt/c", &size), ==, 0x21);
    g_assert_cmpuint(find(b, "opt/b", &size), ==, 0);
}

static void bad_names_are_refused(Bench *b, gconstpointer data)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static("x", 1);
    g_autofree char *longest = g_strnfill(FW_CFG_NAME_SIZE - 1, 'n');
    g_autofree char *longer = g_strnfill(FW_CFG_NAME_SIZE, 'n');
    GError *error = NULL;
    uint32_t size;

    g_assert_true(fw_cfg_add_file(b->fw, longest, bytes, NULL));
    g_assert_cmpuint(find(b, longest, &size), ==, 0x20);
    g_assert_false(fw_cfg_add_file(b->fw, longer, bytes, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    g_clear_error(&error);
    g_assert_false(fw_cfg_add_file(b->fw, "", bytes, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    g_clear_error(&error);
    g_assert_false(fw_cfg_add_file(b->fw, longest, bytes, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_clear_error(&error);
}

static void dma_signature(Bench *b, gconstpointer data)
{
    assert_ram(b, DMA, "QEMU CFG", 8);
    assert_ram(b, DMA + 4, " CFG", 4);
}

static void dma_reads(Bench *b, gconstpointer data)
{
    uint32_t size;
    uint16_t key;

    add(b, "opt/a", "abcdef");
    key = find(b, "opt/a", &size);
    address_space_set(b->as, BUFFER, 0xee, 16);
    g_assert_cmphex(dma(b, key << 16 | CTL_SELECT | CTL_READ, 4, BUFFER), ==, 0);
    assert_ram(b, BUFFER, "abcd\xee", 5);
    g_assert_cmphex(dma(b, CTL_READ, 4, BUFFER), ==, 0); /* goes on, then zeroes */
    assert_ram(b, BUFFER, "ef\0\0\xee", 5);
}

static void dma_in_two_halves(Bench *b, gconstpointer data)
{
    uint32_t command[4] = { GUINT32_TO_BE(CTL_SELECT | CTL_READ), GUINT32_TO_BE(4), 0,
                            GUINT32_TO_BE(BUFFER) };
    uint32_t high = 0, low = GUINT32_TO_BE(COMMAND);

    address_space_write(b->as, COMMAND, command, sizeof(command));
    address_space_write(b->as, DMA, &high, 4);
    assert_ram(b, BUFFER, "\0\0\0\0", 4);
    address_space_write(b->as, DMA + 4, &low, 4);
    assert_ram(b, BUFFER, "QEMU", 4);
}

static void dma_skips(Bench *b, gconstpointer data)
{
    uint32_t size;
    uint16_t key;

    add(b, "opt/a", "abcdef");
    key = find(b, "opt/a", &size);
    g_assert_cmphex(dma(b, key << 16 | CTL_SELECT | CTL_SKIP, 2, 0), ==, 0);
    g_assert_cmphex(dma(b, CTL_READ, 2, BUFFER), ==, 0);
    assert_ram(b, BUFFER, "cd", 2);
    for (unsigned i = 0; i < 3; i++) { /* far behind the end, not round to its start */
        g_assert_cmphex(dma(b, CTL_SKIP, UINT32_MAX, 0), ==, 0);
    }
    g_assert_cmphex(dma(b, CTL_READ, 2, BUFFER), ==, 0);
    assert_ram(b, BUFFER, "\0\0", 2);
}

static bool note_write(void *opaque, const uint8_t *data, size_t size)
{
    Bench *b = opaque;

    g_assert_cmpuint(size, ==, sizeof(b->written));
    memcpy(b->written, data, size);
    b->n_written++;
    return !b->refuse;
}

static void dma_writes_what_is_writable(Bench *b, gconstpointer data)
{
    uint32_t size;
    uint16_t key, fixed;

    add(b, "opt/fixed", "abcd");
    g_assert_true(fw_cfg_add_writable(b->fw, "etc/w", 4, note_write, b, NULL));
    key = find(b, "etc/w", &size);
    fixed = find(b, "opt/fixed", &size);
    address_space_write(b->as, BUFFER, "wxyz", 4);
    g_assert_cmphex(dma(b, key << 16 | CTL_SELECT | CTL_WRITE, 4, BUFFER), ==, 0);
    g_assert_cmpuint(b->n_written, ==, 1);
    g_assert_cmpmem(b->written, 4, "wxyz", 4);
    g_assert_cmphex(dma(b, CTL_WRITE, 1, BUFFER), ==, CTL_ERROR); /* is full */
    g_assert_cmphex(dma(b, key << 16 | CTL_SELECT | CTL_WRITE, 5, BUFFER), ==, CTL_ERROR);
    g_assert_cmphex(dma(b, fixed << 16 | CTL_SELECT | CTL_WRITE, 1, BUFFER), ==, CTL_ERROR);
    g_assert_cmphex(dma(b, 0x3fffu << 16 | CTL_SELECT | CTL_WRITE, 1, BUFFER), ==, CTL_ERROR);
    g_assert_cmpuint(b->n_written, ==, 1);
    b->refuse = true;
    g_assert_cmphex(dma(b, key << 16 | CTL_SELECT | CTL_WRITE, 4, BUFFER), ==, CTL_ERROR);
    g_assert_cmpuint(b->n_written, ==, 2);
    g_assert_cmpuint(fw_cfg_file_key(b->fw, "etc/w"), ==, key);
    g_assert_cmpuint(fw_cfg_file_key(b->fw, "etc/v"), ==, 0);
}

static void dma_to_nowhere_is_an_error(Bench *b, gconstpointer data)
{
    g_assert_cmphex(dma(b, CTL_SELECT | CTL_READ, 4, 0x1000), ==, CTL_ERROR);
    g_assert_cmphex(dma(b, CTL_SELECT | CTL_READ, UINT32_MAX, BUFFER), ==, CTL_ERROR);
    g_assert_cmphex(dma(b, CTL_SELECT | CTL_READ, 4, UINT64_MAX - 1), ==, CTL_ERROR);
    g_assert_cmphex(dma(b, CTL_SELECT | CTL_READ, 4, DATA), ==, CTL_ERROR); /* into itself */
    dma_at(b, CTL_SELECT | CTL_READ, 4, BUFFER, 0x1000);     /* nothing to tell, nothing breaks */
    dma_at(b, CTL_SELECT | CTL_READ, 4, BUFFER, UINT64_MAX); /* ... */
    g_assert_cmphex(dma(b, CTL_SELECT | CTL_READ, 4, BUFFER), ==, 0);
}

static void reset_selects_the_signature(Bench *b, gconstpointer data)
{
    char text[4];

    select_key(b, FW_CFG_KEY_ID);
    device_reset(HUMPY_DEVICE(b->fw));
    read_bytes(b, text, 4);
    g_assert_cmpmem(text, 4, "QEMU", 4);
}

static void data_cannot_be_written(Bench *b, gconstpointer data)
{
    char text[4];

    address_space_write(b->as, DATA, "XXXXXXXX", 8);
    read_bytes(b, text, 4);
    g_assert_cmpmem(text, 4, "QEMU", 4);
}

/* ---- at ports ---- */

static void set_up_io(Bench *b, gconstpointer data)
{
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    g_assert_true(memory_region_init_ram(&b->ram, NULL, "ram", RAM_SIZE, NULL));
    memory_region_add_subregion(&b->root, RAM, &b->ram);
    b->fw = HUMPY_FW_CFG(g_object_new(TYPE_FW_CFG_IO, NULL));
    fw_cfg_set_dma(b->fw, b->as);
    g_assert_true(device_realize(HUMPY_DEVICE(b->fw), NULL));
    device_map(HUMPY_DEVICE(b->fw), 0, &b->root, PORT);
    add(b, "opt/a", "hello");
}

static void io_registers(Bench *b, gconstpointer data)
{
    char text[6] = "";

    address_space_stw_le(b->as, PORT, FW_CFG_KEY_SIGNATURE, NULL);
    for (unsigned i = 0; i < 4; i++) {
        text[i] = address_space_ldub(b->as, PORT + 1, NULL);
    }
    g_assert_cmpstr(text, ==, "QEMU");
    address_space_stw_le(b->as, PORT, FW_CFG_KEY_FIRST_FILE, NULL);
    for (unsigned i = 0; i < 5; i++) {
        text[i] = address_space_ldub(b->as, PORT + 1, NULL);
    }
    g_assert_cmpstr(text, ==, "hello");
    g_assert_cmphex(address_space_ldub(b->as, PORT + 1, NULL), ==, 0);
    address_space_read(b->as, PORT + 4, text, 4);
    g_assert_cmpmem(text, 4, "QEMU", 4);
    address_space_read(b->as, PORT + 8, text, 4);
    g_assert_cmpmem(text, 4, " CFG", 4);
    g_assert_cmphex(address_space_ldub(b->as, PORT + 5, NULL), ==, 'E');
}

static void io_dma(Bench *b, gconstpointer data)
{
    struct {
        uint32_t control, length;
        uint64_t address;
    } cmd = { GUINT32_TO_BE(FW_CFG_KEY_FIRST_FILE << 16 | CTL_SELECT | CTL_READ), GUINT32_TO_BE(5),
              GUINT64_TO_BE(BUFFER) };
    uint32_t high = 0, low = GUINT32_TO_BE(COMMAND), outcome;
    char text[5];

    address_space_write(b->as, COMMAND, &cmd, sizeof(cmd));
    address_space_write(b->as, PORT + 4, &high, 4);
    address_space_write(b->as, PORT + 8, &low, 4);
    address_space_read(b->as, COMMAND, &outcome, 4);
    g_assert_cmphex(outcome, ==, 0);
    address_space_read(b->as, BUFFER, text, 5);
    g_assert_cmpmem(text, 5, "hello", 5);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "items/signature-and-id", signature_and_id },
        { "items/unknown-keys-read-zero", unknown_keys_read_zero },
        { "data/wide-reads-keep-byte-order", wide_reads_keep_byte_order },
        { "data/behind-the-end-reads-zero", behind_the_end_reads_zero },
        { "data/cannot-be-written", data_cannot_be_written },
        { "files/directory-is-sorted", directory_is_sorted },
        { "files/bad-names-are-refused", bad_names_are_refused },
        { "dma/signature", dma_signature },
        { "dma/reads-on-and-then-zeroes", dma_reads },
        { "dma/in-two-halves", dma_in_two_halves },
        { "dma/skips", dma_skips },
        { "dma/writes-what-is-writable", dma_writes_what_is_writable },
        { "dma/to-nowhere-is-an-error", dma_to_nowhere_is_an_error },
        { "reset/selects-the-signature", reset_selects_the_signature },
    };

    g_test_init(&argc, &argv, NULL);
    g_type_ensure(TYPE_FW_CFG);
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/fw-cfg/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    g_test_add("/fw-cfg/io/registers", Bench, NULL, set_up_io, io_registers, tear_down);
    g_test_add("/fw-cfg/io/dma", Bench, NULL, set_up_io, io_dma, tear_down);
    return g_test_run();
}
