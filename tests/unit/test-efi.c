/* SPDX-License-Identifier: GPL-2.0-or-later
 * UEFI firmware where no flash can be had: the volume that a driver is added to (PI 1.7 volume 3),
 * the store of variables and its drive, and where the virt machine puts all that.
 */
#include <glib/gstdio.h>
#include <libfdt.h>
#include <string.h>

#include "../../hw/arm/efi/store-params.h"
#include "../../hw/arm/efi/store.h"
#include "block/block.h"
#include "hw/arm/virt.h"
#include "test-accel-double.h"
#include "util/error.h"

#define MIB ((uint64_t)1 << 20)

enum {
    IMAGE = 2 << 20,
    VOLUME = 4096, /* offset of the volume */
    VOLUME_SIZE = IMAGE - VOLUME,
    HEADER = 0x48,
    FILE_SIZE = 0x1000,                 /* of the file that holds a volume */
    FREE = VOLUME + HEADER + FILE_SIZE, /* where the next one goes */
    CODE = 700,
    ENTRY = 40,
};

static void put(uint8_t *at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++) {
        at[i] = value >> i * 8;
    }
}

static uint64_t get(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)at[i] << i * 8;
    }
    return value;
}

static uint16_t sum16(const uint8_t *at, unsigned len)
{
    uint16_t sum = 0;

    for (unsigned i = 0; i < len; i += 2) {
        sum += get(at + i, 2);
    }
    return sum;
}

static void seal(uint8_t *image)
{
    put(image + VOLUME + 50, 2, 0);
    put(image + VOLUME + 50, 2, (uint16_t)-sum16(image + VOLUME, HEADER));
}

/* The least that counts as UEFI firmware. */
static uint8_t *make_image(void)
{
    uint8_t *image = g_malloc0(IMAGE), *fv = image + VOLUME, *file = fv + HEADER;

    memset(fv, 0xff, VOLUME_SIZE);
    memset(fv, 0, HEADER);
    put(fv + 32, 8, VOLUME_SIZE);
    memcpy(fv + 40, "_FVH", 4);
    put(fv + 44, 4, 0x800);
    put(fv + 48, 2, HEADER);
    memset(file, 0, FILE_SIZE);
    file[18] = 0x0b;
    put(file + 20, 3, FILE_SIZE);
    seal(image);
    return image;
}

/* ---- volume ---- */

static void finds_its_free_space(void)
{
    g_autofree uint8_t *image = make_image();
    EfiVolume v;

    g_assert_true(efi_volume_find(image, IMAGE, &v, NULL));
    g_assert_cmphex(v.at, ==, VOLUME);
    g_assert_cmphex(v.len, ==, VOLUME_SIZE);
    g_assert_cmphex(v.free_at, ==, FREE);
}

/* One field of the header or the file is changed, and the header's checksum made right. */
static void damage_is_no_volume(void)
{
    static const struct {
        unsigned at, bytes;
        uint64_t value;
        bool no_seal;
    } changes[] = {
        { 40, 1, 'X' },               /* signature */
        { 32, 8, VOLUME_SIZE + 1 },   /* longer than the image */
        { 32, 8, UINT64_MAX },        /* the same */
        { 32, 8, HEADER - 2 },        /* shorter than its header */
        { 48, 2, HEADER - 2 },        /* header too short */
        { 48, 2, HEADER + 1 },        /* odd */
        { 48, 2, 0xfffe },            /* its checksum is not over the zeroes there */
        { 44, 4, 0 },                 /* erases to 0 */
        { 52, 2, 0xfff0 },            /* extended header: what is there is no size */
        { 50, 2, 1, true },           /* checksum */
        { HEADER + 20, 3, 23 },       /* file shorter than its header */
        { HEADER + 20, 3, 0xfffffe }, /* longer than the volume */
        { HEADER + 19, 1, 1 },        /* large, with a size of 0 */
        { HEADER + 18, 1, 7 },        /* holds no volume */
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autofree uint8_t *image = make_image();
        g_autoptr(GError) error = NULL;
        EfiVolume v;

        put(image + VOLUME + changes[i].at, changes[i].bytes, changes[i].value);
        if (!changes[i].no_seal) {
            seal(image);
        }
        g_test_message("change %u", i);
        g_assert_false(efi_volume_find(image, IMAGE, &v, &error));
        g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED);
    }
}

static void a_cut_image_is_no_volume(void)
{
    g_autofree uint8_t *image = make_image();
    EfiVolume v;

    for (unsigned len = 0; len < VOLUME + HEADER + 64; len++) {
        g_autofree uint8_t *cut = g_memdup2(image, len); /* for the sanitizer */

        g_assert_false(efi_volume_find(cut, len, &v, NULL));
    }
}

static void a_driver_is_a_file(void)
{
    g_autofree uint8_t *image = make_image();
    uint8_t code[CODE], *file = image + FREE, *at, *pe, sum = 0;
    EfiVolume v;

    memset(code, 0xa5, sizeof(code));
    g_assert_true(efi_volume_find(image, IMAGE, &v, NULL));
    at = efi_volume_add_driver(image, &v, code, CODE, ENTRY, NULL);
    g_assert_nonnull(at);
    for (unsigned i = 0; i < 24; i++) {
        sum += i == 17 || i == 23 ? 0 : file[i];
    }
    g_assert_cmphex(sum, ==, 0);
    g_assert_cmphex(file[17], ==, 0xaa);
    g_assert_cmphex(file[18], ==, 7);
    g_assert_cmphex(file[23], ==, 0xf8);
    g_assert_cmphex(v.free_at, ==, FREE + ((get(file + 20, 3) + 7) & ~7u));
    g_assert_cmphex(image[v.free_at], ==, 0xff);

    g_assert_cmphex(file[27], ==, 0x13); /* condition: one protocol */
    g_assert_cmphex(get(file + 24, 3), ==, 22);
    g_assert_cmphex(file[28], ==, 2);
    g_assert_cmphex(file[45], ==, 8);
    g_assert_cmphex(file[51], ==, 0x10); /* the image follows at a multiple of 4 */
    pe = file + 52;
    g_assert_cmpmem(pe, 2, "MZ", 2);
    pe += get(pe + 0x3c, 4);
    g_assert_cmpmem(pe, 4, "PE\0", 4);
    g_assert_cmphex(get(pe + 4, 2), ==, 0xaa64);
    g_assert_cmphex(get(pe + 24, 2), ==, 0x20b);
    g_assert_cmphex(get(pe + 24 + 16, 4), ==, 0x10000 + ENTRY);
    g_assert_cmphex(get(pe + 24 + 68, 2), ==, 12);
    g_assert_true(at == file + 52 + get(pe + 24 + 240 + 20, 4));
    g_assert_cmpmem(at, CODE, code, CODE);

    g_assert_true(efi_volume_find(image, IMAGE, &v, NULL)); /* and is walked over */
    g_assert_cmphex(v.free_at, ==, FREE + ((get(file + 20, 3) + 7) & ~7u));
}

static void no_room_is_an_error(void)
{
    g_autofree uint8_t *image = make_image(), *code = g_malloc0(VOLUME_SIZE);
    g_autoptr(GError) error = NULL;
    EfiVolume v;

    g_assert_true(efi_volume_find(image, IMAGE, &v, NULL));
    g_assert_null(efi_volume_add_driver(image, &v, code, VOLUME_SIZE, 0, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    image[IMAGE - 1] = 0; /* not erased */
    g_assert_null(efi_volume_add_driver(image, &v, code, CODE, 0, NULL));
}

/* ---- board ---- */

typedef struct {
    Machine *m;
    MachineConfig config;
    char *dir, *firmware, *drive;
    BlockBackend *blk;
    AccelProtection protection; /* what the accelerator is to say */
    bool lent_only;
} Board;

static void set_up(Board *b, gconstpointer data)
{
    g_autofree uint8_t *image = make_image();

    b->dir = g_dir_make_tmp("efi-XXXXXX", NULL);
    b->firmware = g_build_filename(b->dir, "firmware", NULL);
    b->drive = g_build_filename(b->dir, "drive", NULL);
    g_assert_true(g_file_set_contents(b->firmware, (char *)image, IMAGE, NULL));
    g_assert_true(g_file_set_contents(b->drive, "", 0, NULL));
    g_assert_cmpint(truncate(b->drive, EFI_STORE_DRIVE_SIZE), ==, 0);
    b->m = machine_new("virt", NULL);
    b->config =
        (MachineConfig){ .firmware = b->firmware, .smp = 1, .name = "test", .ram_size = 64 * MIB };
}

static void tear_down(Board *b, gconstpointer data)
{
    machine_finish(b->m);
    g_object_unref(b->m);
    g_clear_pointer(&b->blk, block_unref);
    g_unlink(b->firmware);
    g_unlink(b->drive);
    g_rmdir(b->dir);
    g_free(b->firmware);
    g_free(b->drive);
    g_free(b->dir);
}

static void open_drive(Board *b)
{
    BlockOptions o = { .node_name = "vars", .filename = b->drive };
    GError *error = NULL;

    b->blk = block_open(&o, &error);
    g_assert_no_error(error);
    g_object_set(b->m, "pflash1", "vars", NULL);
}

static void boot(Board *b)
{
    g_autoptr(Accel) accel = accel_double_new("double");
    GError *error = NULL;

    accel_double.protection = b->protection;
    accel_double.lent_only = b->lent_only;
    machine_set_accel(b->m, accel);
    machine_set_config(b->m, &b->config);
    machine_init(b->m, &error);
    g_assert_no_error(error);
    machine_boot(b->m, &error);
    g_assert_no_error(error);
}

static void read_guest(Board *b, uint64_t gpa, void *to, unsigned len)
{
    g_assert_cmpint(address_space_read(machine_memory(b->m), gpa, to, len), ==, MEMTX_OK);
}

static void starts_at_0_with_two_trees(Board *b, gconstpointer data)
{
    g_autofree uint8_t *tree = g_malloc(64 << 10), *code = g_malloc(IMAGE);

    boot(b);
    g_assert_cmphex(accel_double.boot.entry, ==, 0);
    g_assert_cmphex(accel_double.boot.ram_base, ==, 0);
    g_assert_cmphex(accel_double.boot.dtb_gpa, ==, IMAGE);
    read_guest(b, IMAGE, tree, 64 << 10);
    g_assert_cmpint(fdt_check_header(tree), ==, 0);
    read_guest(b, VIRT_RAM, tree, 64 << 10);
    g_assert_cmpint(fdt_check_header(tree), ==, 0);
    g_assert_cmpint(fdt_path_offset(tree, "/flash@0"), <, 0);
    g_assert_cmpint(fdt_path_offset(tree, "/fw-cfg@9020000"), >=, 0);
    read_guest(b, 0, code, IMAGE);
    g_assert_cmphex(code[VOLUME + HEADER + 18], ==, 0x0b);
    g_assert_cmphex(code[FREE + 18], ==, 7);
}

static void the_store_starts_empty_and_valid(Board *b, gconstpointer data)
{
    uint8_t head[HEADER + 32];

    boot(b);
    read_guest(b, VIRT_FLASH_SIZE, head, sizeof(head));
    g_assert_cmpmem(head + 40, 4, "_FVH", 4);
    g_assert_cmphex(sum16(head, HEADER), ==, 0);
    g_assert_cmphex(get(head + 32, 8), ==, EFI_STORE_SIZE);
    g_assert_cmphex(get(head + HEADER + 16, 4), ==, EFI_STORE_BLOCK - HEADER);
    g_assert_cmphex(get(head + HEADER + 20, 2), ==, 0xfe5a);
    g_assert_cmphex(head[sizeof(head) - 1], ==, 0xff);
}

/* Sends a record as the driver does, with what follows it; the control word afterwards. */
static uint32_t send_all(Board *b, uint64_t key, const StoreRecord *r, const void *data,
                         unsigned len)
{
    const uint64_t at = VIRT_RAM + 32 * MIB;
    AddressSpace *as = machine_memory(b->m);
    uint8_t command[16];
    StoreRecord record = { GUINT64_TO_LE(r->offset), GUINT64_TO_LE(r->len),
                           GUINT64_TO_LE(r->erased) };
    uint32_t words[2] = { GUINT32_TO_BE(key << 16 | 0x18), GUINT32_TO_BE(sizeof(record) + len) };
    uint64_t address = GUINT64_TO_BE(at + 16), dma = GUINT64_TO_BE(at);

    memcpy(command, words, 8);
    memcpy(command + 8, &address, 8);
    address_space_write(as, at, command, 16);
    address_space_write(as, at + 16, &record, sizeof(record));
    address_space_write(as, at + 16 + sizeof(record), data, len);
    address_space_write(as, VIRT_FW_CFG + 16, &dma, 8);
    read_guest(b, at, words, 4);
    return GUINT32_FROM_BE(words[0]);
}

static uint32_t send(Board *b, uint64_t key, uint64_t offset, uint64_t len)
{
    const StoreRecord record = { .offset = offset, .len = len };

    return send_all(b, key, &record, "", 0);
}

/* From what the driver was told. */
static uint64_t record_key(Board *b)
{
    StoreParams params;

    read_guest(b, FREE + 52 + 0x200, &params, sizeof(params));
    g_assert_cmphex(params.store_base, ==, VIRT_FLASH_SIZE);
    g_assert_cmphex(params.store_size, ==, EFI_STORE_SIZE);
    g_assert_cmphex(params.block_size, ==, EFI_STORE_BLOCK);
    g_assert_cmphex(params.fw_cfg_base, ==, VIRT_FW_CFG);
    return params.fw_cfg_key;
}

/* A board with a drive, on which the guest runs; what its records go to. */
static uint64_t boot_with_drive(Board *b)
{
    open_drive(b);
    boot(b);
    return record_key(b);
}

static void a_record_brings_a_change_to_the_drive(Board *b, gconstpointer data)
{
    const StoreRecord record = { .offset = EFI_STORE_SIZE - 600, .len = 7 };
    uint8_t on_drive[1024];
    struct iovec iov = { on_drive, sizeof(on_drive) };
    uint64_t key;

    key = boot_with_drive(b);
    g_assert_cmphex(send_all(b, key, &record, "changed", 7), ==, 0);
    g_assert_cmpint(block_preadv(b->blk, EFI_STORE_SIZE - 1024, &iov, 1), ==, 0);
    g_assert_cmpmem(on_drive + 424, 7, "changed", 7);
    g_assert_cmphex(on_drive[423], ==, 0xff);
    g_assert_cmphex(on_drive[512], ==, 0); /* the next sector is as it was */
}

static void a_record_erases_on_the_drive(Board *b, gconstpointer data)
{
    const StoreRecord record = { .offset = 512, .len = EFI_STORE_SIZE - 512, .erased = 1 };
    const StoreRecord change = { .offset = 1024, .len = 2 };
    uint8_t on_drive[1024];
    struct iovec iov = { on_drive, sizeof(on_drive) };
    uint64_t key;

    key = boot_with_drive(b);
    g_assert_cmphex(send_all(b, key, &change, "no", 2), ==, 0);
    g_assert_cmphex(send_all(b, key, &record, "", 0), ==, 0);
    g_assert_cmpint(block_preadv(b->blk, 1024, &iov, 1), ==, 0);
    g_assert_cmphex(on_drive[0], ==, 0xff);
    g_assert_cmpmem(on_drive, 1023, on_drive + 1, 1023);
}

static void a_record_beyond_the_store_is_an_error(Board *b, gconstpointer data)
{
    uint64_t key;

    key = boot_with_drive(b);
    g_assert_cmphex(send(b, key, EFI_STORE_SIZE, 0), ==, 0);
    g_assert_cmphex(send(b, key, 0, STORE_CHUNK), ==, 0);
    g_assert_cmphex(send(b, key, 0, STORE_CHUNK + 1), ==, 1);
    g_assert_cmphex(send(b, key, EFI_STORE_SIZE, 1), ==, 1);
    g_assert_cmphex(send(b, key, 1, EFI_STORE_SIZE), ==, 1);
    g_assert_cmphex(send(b, key, 8, UINT64_MAX - 4), ==, 1);
    g_assert_cmphex(send(b, key, UINT64_MAX, 1), ==, 1);
}

/* ---- protected ---- */

enum {
    WINDOW = 16 << 20,
    WINDOW_BASE = 0x3ee00000 - WINDOW,
};

static void boot_protected(Board *b, AccelProtect mode, AccelWindow window, bool lent_only)
{
    b->config.ram_size = 128 * MIB;
    b->protection = (AccelProtection){ .mode = mode, .window = window, .window_size = WINDOW };
    b->lent_only = lent_only;
    boot(b);
}

static uint32_t cell(const void *fdt, int node, const char *name, unsigned n)
{
    int len;
    const fdt32_t *cells = fdt_getprop(fdt, node, name, &len);

    g_assert_nonnull(cells);
    g_assert_cmpint(len / 4, >, n);
    return fdt32_ld(cells + n);
}

static void window_is_among_the_devices(Board *b, gconstpointer data)
{
    g_autofree uint8_t *tree = g_malloc(64 << 10);
    int node;

    boot_protected(b, ACCEL_PROTECT_ON, ACCEL_WINDOW_AUTO, false);
    g_assert_cmphex(accel_double.info.window_base, ==, WINDOW_BASE);
    g_assert_cmphex(accel_double.info.window_size, ==, WINDOW);
    read_guest(b, VIRT_RAM, tree, 64 << 10);
    node = fdt_path_offset(tree, "/memory");
    g_assert_cmphex(cell(tree, node, "reg", 1), ==, VIRT_RAM);
    g_assert_cmphex(cell(tree, node, "reg", 3), ==, 128 * MIB - WINDOW);
    node = fdt_node_offset_by_compatible(tree, -1, "pci-host-ecam-generic");
    g_assert_cmphex(cell(tree, node, "ranges", 11), ==, 0x10000000);
    g_assert_cmphex(cell(tree, node, "ranges", 13), ==, WINDOW_BASE - 0x10000000);
    g_assert_cmphex(cell(tree, node, "dma-ranges", 2), ==, WINDOW_BASE);
    g_assert_cmphex(cell(tree, node, "dma-ranges", 6), ==, WINDOW);
    g_assert_cmpint(fdt_path_offset(tree, "/reserved-memory"), <, 0);
}

static void driver_knows_the_window(Board *b, gconstpointer data)
{
    StoreParams params;

    boot_protected(b, ACCEL_PROTECT_ON, ACCEL_WINDOW_AUTO, false);
    read_guest(b, FREE + 52 + 0x200, &params, sizeof(params));
    g_assert_true(accel_double.boot.protect);
    g_assert_cmphex(params.window_base, ==, WINDOW_BASE);
    g_assert_cmphex(params.window_size, ==, WINDOW);
    g_assert_cmphex(params.window_only, ==, 1);
}

/* The driver has the first 256 KiB; the hypervisor is told of parcels in other words. */
static void pool_leaves_the_drivers_part(Board *b, gconstpointer data)
{
    g_autofree uint8_t *tree = g_malloc(64 << 10);
    int node;

    boot_protected(b, ACCEL_PROTECT_ON, ACCEL_WINDOW_POOL, false);
    read_guest(b, VIRT_RAM, tree, 64 << 10);
    node = fdt_node_offset_by_compatible(tree, -1, "restricted-dma-pool");
    g_assert_cmphex(cell(tree, node, "reg", 1), ==, WINDOW_BASE + (256 << 10));
    g_assert_cmphex(cell(tree, node, "reg", 3), ==, WINDOW - (256 << 10));
    read_guest(b, IMAGE, tree, 64 << 10);
    g_assert_cmpint(fdt_path_offset(tree, "/reserved-memory"), <, 0);
}

/* Firmware would have the device read and write lent memory. */
static void dma_of_fw_cfg_is_not_told(Board *b, gconstpointer data)
{
    const uint16_t key = GUINT16_TO_BE(FW_CFG_KEY_ID);
    uint8_t features;

    boot_protected(b, ACCEL_PROTECT_ON, ACCEL_WINDOW_AUTO, false);
    address_space_write(machine_memory(b->m), VIRT_FW_CFG + 8, &key, 2);
    read_guest(b, VIRT_FW_CFG, &features, 1);
    g_assert_cmphex(features, ==, 1);
    g_assert_cmphex(send(b, record_key(b), 0, 0), ==, 0); /* but works */
}

static void auto_changes_the_one_driver(Board *b, gconstpointer data)
{
    g_autofree uint8_t *code = g_malloc(IMAGE);
    StoreParams params;
    EfiVolume v;

    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*lent memory only*protected guest*");
    boot_protected(b, ACCEL_PROTECT_AUTO, ACCEL_WINDOW_AUTO, true);
    g_test_assert_expected_messages();
    read_guest(b, 0, code, IMAGE);
    memcpy(&params, code + FREE + 52 + 0x200, sizeof(params));
    g_assert_true(accel_double.boot.protect);
    g_assert_cmphex(params.window_only, ==, 1);
    g_assert_true(efi_volume_find(code, IMAGE, &v, NULL));
    g_assert_cmphex(v.free_at, ==, FREE + ((get(code + FREE + 20, 3) + 7) & ~7u));
}

/* It is memory like the rest then. */
static void auto_that_shares_has_the_window_too(Board *b, gconstpointer data)
{
    g_autofree uint8_t *tree = g_malloc(64 << 10);
    StoreParams params;
    int node;

    boot_protected(b, ACCEL_PROTECT_AUTO, ACCEL_WINDOW_AUTO, false);
    g_assert_false(accel_double.boot.protect);
    read_guest(b, FREE + 52 + 0x200, &params, sizeof(params));
    g_assert_cmphex(params.window_base, ==, WINDOW_BASE);
    g_assert_cmphex(params.window_size, ==, WINDOW);
    g_assert_cmphex(params.window_only, ==, 0);
    read_guest(b, VIRT_RAM, tree, 64 << 10);
    node = fdt_node_offset_by_compatible(tree, -1, "pci-host-ecam-generic");
    g_assert_null(fdt_getprop(tree, node, "dma-ranges", NULL));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*body)(Board *b, gconstpointer data);
    } rules[] = {
        { "starts-at-0-with-two-trees", starts_at_0_with_two_trees },
        { "store-starts-empty-and-valid", the_store_starts_empty_and_valid },
        { "record-brings-a-change-to-the-drive", a_record_brings_a_change_to_the_drive },
        { "record-erases-on-the-drive", a_record_erases_on_the_drive },
        { "record-beyond-the-store-is-an-error", a_record_beyond_the_store_is_an_error },
        { "protected/window-is-among-the-devices", window_is_among_the_devices },
        { "protected/driver-knows-the-window", driver_knows_the_window },
        { "protected/pool-leaves-the-drivers-part", pool_leaves_the_drivers_part },
        { "protected/dma-of-fw-cfg-is-not-told", dma_of_fw_cfg_is_not_told },
        { "protected/auto-changes-the-one-driver", auto_changes_the_one_driver },
        { "protected/auto-that-shares-has-the-window-too", auto_that_shares_has_the_window_too },
    };

    g_test_init(&argc, &argv, NULL);
    g_type_ensure(TYPE_VIRT_MACHINE);
    g_test_add_func("/efi/volume/finds-its-free-space", finds_its_free_space);
    g_test_add_func("/efi/volume/damage-is-no-volume", damage_is_no_volume);
    g_test_add_func("/efi/volume/cut-image-is-no-volume", a_cut_image_is_no_volume);
    g_test_add_func("/efi/volume/driver-is-a-file", a_driver_is_a_file);
    g_test_add_func("/efi/volume/no-room-is-an-error", no_room_is_an_error);
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/efi/virt/", rules[i].rule, NULL);

        g_test_add(path, Board, NULL, set_up, rules[i].body, tear_down);
    }
    return g_test_run();
}
