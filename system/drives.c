/* SPDX-License-Identifier: GPL-2.0-or-later
 * -drive: one option for image, format and device. What -blockdev does is in blockdev.c; reading
 * and locking files is block/'s.
 */
#include "drives.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "block/block.h"
#include "drives-priv.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/props.h"

#define PFLASH "pflash"

static void drive_device_free(gpointer data)
{
    DriveDevice *d = data;

    g_free(d->option);
    g_free(d->device);
    g_free(d);
}

void drives_close(Drives *drives)
{
    if (drives == NULL) {
        return;
    }
    for (unsigned i = 0; i < DRIVES_N_PFLASH; i++) {
        g_free(drives->pflash[i]);
    }
    g_ptr_array_unref(drives->devices);
    g_hash_table_unref(drives->ids);
    g_hash_table_unref(drives->files);
    g_ptr_array_unref(drives->backends);
    g_free(drives);
}

const char *drives_node_name(const Drives *drives, const char *name)
{
    const char *node = g_hash_table_lookup(drives->ids, name);

    return node != NULL ? node : name;
}

const char *drives_pflash(const Drives *drives, unsigned unit)
{
    return drives->pflash[unit];
}

const GPtrArray *drives_devices(const Drives *drives)
{
    return drives->devices;
}

bool drives_add(Drives *drives, const BlockOptions *options, const char **node_name, GError **error)
{
    BlockBackend *blk = block_open(options, error);

    if (blk == NULL) {
        return false;
    }
    g_ptr_array_add(drives->backends, blk);
    *node_name = block_node_name(blk);
    return true;
}

static bool has_id(const Drives *drives, const char *node_name)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, drives->ids);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (strcmp(value, node_name) == 0) {
            return true;
        }
    }
    return false;
}

bool drives_drop(Drives *drives, const char *node_name, GError **error)
{
    BlockBackend *blk = block_find(node_name);

    if (blk == NULL) {
        return true;
    }
    if (block_user(blk) != NULL || has_id(drives, node_name)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "node '%s' is used by %s", node_name,
                    block_user(blk) != NULL ? block_user(blk) : "a -drive");
        return false;
    }
    g_ptr_array_remove(drives->backends, blk);
    return true;
}

/* ---- reading options ---- */

/* text is what key says, or NULL. */
static bool parse_discard(const char *text, BlockOptions *options, GError **error)
{
    if (text == NULL) {
        return true;
    }
    options->discard_unmap = strcmp(text, "unmap") == 0 || strcmp(text, "on") == 0;
    if (!options->discard_unmap && strcmp(text, "ignore") != 0 && strcmp(text, "off") != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "discard is '%s' but must be one of: ignore, unmap", text);
        return false;
    }
    return true;
}

bool drives_take_locking(KeyVal *kv, const char *key, BlockOptions *options, GError **error)
{
    const char *text = keyval_take(kv, key);

    if (text != NULL && strcmp(text, "auto") == 0) {
        return true;
    }
    return keyval_take_bool(kv, key, &options->locking, error);
}

bool drives_take_aio(KeyVal *kv, const char *key, BlockOptions *options, GError **error)
{
    static const struct {
        const char *name;
        BlockAio aio;
    } kinds[] = {
        { "threads", BLOCK_AIO_THREADS },
        { "native", BLOCK_AIO_NATIVE },
        { "io_uring", BLOCK_AIO_IO_URING },
    };
    const char *text = keyval_take(kv, key);

    if (text == NULL) {
        return true;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kinds[i].name, text) == 0) {
            options->aio = kinds[i].aio;
            return true;
        }
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                "%s is '%s' but must be one of: threads, native, io_uring", key, text);
    return false;
}

bool drives_take_common(KeyVal *kv, BlockOptions *options, GError **error)
{
    return keyval_take_bool(kv, "read-only", &options->read_only, error) &&
           keyval_take_bool(kv, "auto-read-only", &options->auto_read_only, error) &&
           keyval_take_bool(kv, "cache.direct", &options->cache_direct, error) &&
           keyval_take_bool(kv, "cache.no-flush", &options->cache_no_flush, error) &&
           parse_discard(keyval_take(kv, "discard"), options, error);
}

static const char *const drive_keys[] = {
    "file",
    "if",
    "unit",
    "index",
    "id",
    "format",
    "driver",
    "node-name",
    "readonly",
    "read-only",
    "auto-read-only",
    "cache",
    "cache.direct",
    "discard",
    "media",
    "cache.no-flush",
    "cache.writeback",
    "snapshot",
    "file.locking",
    "file.aio",
    "aio",
    "file.filename",
    "file.driver",
    "file.size",
    "file.read-zeroes",
    "file.latency-ns",
    "file.server.type",
    "file.server.path",
    "file.server.host",
    "file.server.port",
    "file.export",
    "rerror",
    "werror",
    NULL,
};

static bool take_cache(KeyVal *kv, BlockOptions *options, GError **error)
{
    const char *mode = keyval_take(kv, "cache");
    bool writeback;

    if (mode != NULL && !block_options_set_cache(options, mode, error)) {
        return false;
    }
    writeback = !options->writethrough;
    if (!keyval_take_bool(kv, "cache.writeback", &writeback, error)) {
        return false;
    }
    options->writethrough = !writeback;
    return true;
}

/* QEMU's rule: only a disk with errors to report has them, and only a write finds the disk full. */
static bool take_on_error(KeyVal *kv, const char *key, const char *interface,
                          BlockOnError *on_error, GError **error)
{
    bool is_read = strcmp(key, "rerror") == 0;
    const char *value = keyval_take(kv, key);

    if (value == NULL) {
        return true;
    }
    if (g_strcmp0(interface, PFLASH) == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%s is not supported with if=pflash (only with if=virtio and if=none)", key);
        return false;
    }
    for (unsigned i = BLOCK_ON_ERROR_REPORT; block_on_error_names[i] != NULL; i++) {
        if (strcmp(value, block_on_error_names[i]) == 0 &&
            !(is_read && i == BLOCK_ON_ERROR_ENOSPC)) {
            *on_error = i;
            return true;
        }
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                "%s is '%s' but must be report, ignore%s stop%s", key, value, is_read ? " or" : ",",
                is_read ? "" : " or enospc");
    return false;
}

/* What this version does not do, but would be wrong to ignore. */
static bool check_refused(KeyVal *kv, GError **error)
{
    const char *media = keyval_take(kv, "media");

    if (media != NULL && strcmp(media, "disk") != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "media=%s is not supported (only media=disk)", media);
        return false;
    }
    return true;
}

static void set_other_format(GError **error, const char *filename, const char *name,
                             const char *const *known)
{
    if (g_strv_contains(known, name)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "'%s' looks like a %s image (format=%s uses it as one, format=raw as it is)",
                    filename, name, name);
        return;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                "'%s' looks like a %s image, which cannot be used (format=raw uses it as it is)",
                filename, name);
}

/* FALSE if format is not raw, or was not given and the file looks like something else. */
static bool drives_check_format(const char *filename, const char *format, GError **error)
{
    static const struct {
        const char *magic;
        const char *name;
    } others[] = {
        { "QFI\xfb", "qcow2" },     { "QED", "qed" },      { "KDMV", "vmdk" },
        { "COWD", "vmdk" },         { "conectix", "vpc" }, { "vhdxfile", "vhdx" },
        { "LUKS\xba\xbe", "luks" }, { "<<< ", "vdi" },     { "\x3a\xff\x26\xed", "sparse" },
    };
    static const char *const known[] = { "raw", "sparse", "qcow2", "qcow", "qed",
                                         "vdi", "vhdx",   "vmdk",  "vpc",  NULL };
    g_auto(Fd) fd = -1;
    char head[8] = {};

    if (format != NULL) {
        if (!g_strv_contains(known, format)) {
            error_set_unknown(error, "format", format, known);
            return false;
        }
        return true;
    }
    if (filename == NULL) {
        return true; /* no file of the host's */
    }
    fd = open(filename, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || pread(fd, head, sizeof(head), 0) < 0) {
        return true; /* opening it for real says what is wrong */
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
        if (memcmp(head, others[i].magic, strlen(others[i].magic)) == 0) {
            set_other_format(error, filename, others[i].name, known);
            return false;
        }
    }
    return true;
}

/* Notes node as the content of the flash that unit= (or index=, which means the same) names, or of
 * the first without one. */
static bool take_pflash(Drives *drives, const char *unit, const char *node, GError **error)
{
    uint64_t n = 0;

    if (unit == NULL) {
        while (n < DRIVES_N_PFLASH - 1 && drives->pflash[n] != NULL) {
            n++;
        }
    } else if (!props_parse_u64(unit, &n, NULL) || n >= DRIVES_N_PFLASH) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "unit is '%s' but must be 0 to %d for if=pflash", unit, DRIVES_N_PFLASH - 1);
        return false;
    }
    if (drives->pflash[n] != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "flash %u already has the drive '%s'",
                    (unsigned)n, drives->pflash[n]);
        return false;
    }
    drives->pflash[n] = g_strdup(node);
    return true;
}

/* The device for if=, or NULL. FALSE: no such interface. */
static bool interface_device(const char *interface, const char **device, GError **error)
{
    static const char *const names[] = { "virtio", "pflash", "none", NULL };

    *device = NULL;
    if (interface == NULL || strcmp(interface, "virtio") == 0) {
        *device = "virtio-blk-device";
        return true;
    }
    if (strcmp(interface, "none") == 0 || strcmp(interface, PFLASH) == 0) {
        return true;
    }
    error_set_unknown(error, "interface", interface, names);
    return false;
}

static bool take_id(Drives *drives, KeyVal *kv, const char **id, BlockOptions *options,
                    GError **error)
{
    *id = keyval_take(kv, "id");
    options->node_name = keyval_take(kv, "node-name");
    if (options->node_name != NULL && !keyval_check_id(options->node_name, error)) {
        return false;
    }
    if (*id == NULL) {
        return true;
    }
    if (!keyval_check_id(*id, error)) {
        return false;
    }
    if (g_hash_table_contains(drives->ids, *id) || block_find(*id) != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "id '%s' is already used by another drive", *id);
        return false;
    }
    if (options->node_name == NULL) {
        options->node_name = *id;
    }
    return true;
}

static void add_device(Drives *drives, const char *text, const char *device, const char *node)
{
    DriveDevice *d = g_new0(DriveDevice, 1);

    d->option = g_strdup_printf("-drive %s", text);
    d->device = g_strdup_printf("%s,drive=%s", device, node);
    g_ptr_array_add(drives->devices, d);
}

static const char *take_filename(KeyVal *kv, GError **error)
{
    const char *file = keyval_take(kv, "file");
    const char *filename = keyval_take(kv, "file.filename");

    if (file != NULL && filename != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "file and file.filename are the same thing");
        return NULL;
    }
    file = file != NULL ? file : filename;
    if (file == NULL || *file == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'file' is missing");
        return NULL;
    }
    return file;
}

/* The driver that file=URI names, or NULL. */
static const char *protocol_of(const char *file)
{
    static const struct {
        const char *prefix, *driver;
    } protocols[] = {
        { "null-co://", "null-co" },
        { "nbd://", "nbd" },
        { "nbd+unix://", "nbd" },
    };

    for (unsigned i = 0; file != NULL && i < G_N_ELEMENTS(protocols); i++) {
        if (g_str_has_prefix(file, protocols[i].prefix)) {
            return protocols[i].driver;
        }
    }
    return NULL;
}

/* What is below the format: a file of the host, or what file=URI or file.driver= names. */
static bool take_file(KeyVal *kv, BlockOptions *options, GError **error)
{
    static const char *const names[] = { "file", "null-co", "nbd", NULL };
    const char *protocol = protocol_of(keyval_get(kv, "file"));
    const char *driver = keyval_take(kv, "file.driver");

    driver = driver != NULL ? driver : protocol;
    if (driver == NULL || strcmp(driver, "file") == 0) {
        options->filename = take_filename(kv, error);
        return options->filename != NULL;
    }
    if (strcmp(driver, "null-co") == 0) {
        keyval_take(kv, "file");
        options->driver = BLOCK_DRIVER_NULL;
        return blockdev_take_null(kv, "file.", options, error);
    }
    if (strcmp(driver, "nbd") == 0) {
        options->driver = BLOCK_DRIVER_NBD;
        options->filename = keyval_take(kv, "file");
        return options->filename != NULL || blockdev_take_nbd(kv, "file.", options, error);
    }
    error_set_unknown(error, "file.driver", driver, names);
    return false;
}

/* Whether an image looks like another format: only a file can be looked at. */
static bool check_format(const BlockOptions *options, const char *format, GError **error)
{
    bool is_file = options->driver == BLOCK_DRIVER_RAW;

    return drives_check_format(is_file ? options->filename : NULL, format, error);
}

/* What reads the file, if it is not the raw driver. */
static bool apply_format(BlockOptions *options, const char *format, GError **error)
{
    if (format == NULL || strcmp(format, "raw") == 0) {
        return true;
    }
    if (options->driver != BLOCK_DRIVER_RAW) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "format=%s is only supported for a file", format);
        return false;
    }
    options->driver = strcmp(format, "sparse") == 0 ? BLOCK_DRIVER_SPARSE : BLOCK_DRIVER_SERVED;
    options->format = format;
    return true;
}

/* snapshot=on: what is written is lost at the end. */
static bool add_drive(Drives *drives, const BlockOptions *options, bool snapshot, const char **node,
                      GError **error)
{
    BlockOptions overlay = *options, image = *options;

    if (!snapshot) {
        return drives_add(drives, options, node, error);
    }
    overlay.driver = BLOCK_DRIVER_OVERLAY;
    overlay.filename = NULL;
    overlay.image = &image;
    image.read_only = true;
    return drives_add(drives, &overlay, node, error);
}

static bool open_drive(Drives *drives, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, "file", error);
    BlockOptions options = BLOCK_OPTIONS_INIT;
    const char *id, *format, *driver, *interface, *unit, *index, *device, *node;
    bool snapshot = false;

    if (kv == NULL || !keyval_check_keys(kv, drive_keys, error) ||
        !take_id(drives, kv, &id, &options, error)) {
        return false;
    }
    interface = keyval_take(kv, "if");
    unit = keyval_take(kv, "unit");
    index = keyval_take(kv, "index");
    if (!interface_device(interface, &device, error) || !take_cache(kv, &options, error) ||
        !drives_take_common(kv, &options, error) ||
        !keyval_take_bool(kv, "readonly", &options.read_only, error) ||
        !drives_take_locking(kv, "file.locking", &options, error) ||
        !drives_take_aio(kv, "file.aio", &options, error) ||
        !drives_take_aio(kv, "aio", &options, error) ||
        !take_on_error(kv, "rerror", interface, &options.rerror, error) ||
        !take_on_error(kv, "werror", interface, &options.werror, error) ||
        !keyval_take_bool(kv, "snapshot", &snapshot, error) || !check_refused(kv, error)) {
        return false;
    }
    format = keyval_take(kv, "format");
    driver = keyval_take(kv, "driver");
    format = format != NULL ? format : driver;
    if (!take_file(kv, &options, error) || !check_format(&options, format, error) ||
        !apply_format(&options, format, error) ||
        !add_drive(drives, &options, snapshot, &node, error)) {
        return false;
    }
    if (g_strcmp0(interface, PFLASH) == 0 &&
        !take_pflash(drives, unit != NULL ? unit : index, node, error)) {
        return false;
    }
    if (id != NULL) {
        g_hash_table_insert(drives->ids, g_strdup(id), g_strdup(node));
    }
    if (device != NULL) {
        add_device(drives, text, device, node);
    }
    return true;
}

/* ---- all ---- */

static Drives *drives_new(void)
{
    Drives *drives = g_new0(Drives, 1);

    drives->backends = g_ptr_array_new_with_free_func((GDestroyNotify)block_unref);
    drives->devices = g_ptr_array_new_with_free_func(drive_device_free);
    drives->ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    drives->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, file_node_free);
    return drives;
}

Drives *drives_open(const VmConfig *config, GError **error)
{
    g_autoptr(Drives) drives = drives_new();

    for (unsigned i = 0; i < config->blockdevs->len; i++) {
        const char *text = g_ptr_array_index(config->blockdevs, i);

        if (!blockdev_read(drives, text, error)) {
            g_prefix_error(error, "-blockdev %s: ", text);
            return NULL;
        }
    }
    if (!blockdev_open_files(drives, error)) {
        return NULL;
    }
    for (unsigned i = 0; i < config->drives->len; i++) {
        const char *text = g_ptr_array_index(config->drives, i);

        if (!open_drive(drives, text, error)) {
            g_prefix_error(error, "-drive %s: ", text);
            return NULL;
        }
    }
    return g_steal_pointer(&drives);
}
