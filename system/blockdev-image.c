/* SPDX-License-Identifier: GPL-2.0-or-later
 * -blockdev for images that are more than a file: sparse, overlay, composite, and the formats that
 * qemu-nbd reads. They are given whole, one inside the other: an overlay's backing, a composite
 * disk's partitions.N.image. What they say lives in an arena until the image is open.
 */
#include <string.h>

#include "drives-priv.h"
#include "util/error.h"
#include "util/props.h"

enum { MAX_PARTS = 128, DEEPEST = 4 };

static const char *const served[] = { "qcow2", "qcow", "qed", "vdi", "vhdx", "vmdk", "vpc", NULL };
static const char *const drivers[] = { "blkdebug", "composite", "file", "nbd", "null-co", "overlay",
                                       "qcow2",    "qcow",      "qed",  "raw", "sparse",  "vdi",
                                       "vhdx",     "vmdk",      "vpc",  NULL };

static bool blockdev_is_served(const char *format)
{
    return g_strv_contains(served, format);
}

void blockdev_set_unknown(const char *driver, GError **error)
{
    error_set_unknown(error, "driver", driver, drivers);
}

bool blockdev_is_image(const char *driver)
{
    return strcmp(driver, "composite") == 0 || strcmp(driver, "overlay") == 0 ||
           strcmp(driver, "sparse") == 0 || blockdev_is_served(driver);
}

static bool read_image(KeyVal *kv, const char *prefix, GPtrArray *arena, unsigned depth,
                       BlockOptions *options, GError **error);

/* Members of a node below another; the arena keeps it. */
static const BlockOptions *read_child(KeyVal *kv, const char *prefix, GPtrArray *arena,
                                      unsigned depth, GError **error)
{
    BlockOptions *options = g_new(BlockOptions, 1);

    *options = (BlockOptions)BLOCK_OPTIONS_INIT;
    g_ptr_array_add(arena, options);
    if (depth > DEEPEST) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "property '%s': images are nested more than %d deep", prefix, DEEPEST);
        return NULL;
    }
    return read_image(kv, prefix, arena, depth, options, error) ? options : NULL;
}

static const char *take(KeyVal *kv, const char *prefix, const char *name)
{
    g_autofree char *key = g_strconcat(prefix, name, NULL);

    return keyval_take(kv, key);
}

static bool take_bool(KeyVal *kv, const char *prefix, const char *name, bool *value, GError **error)
{
    g_autofree char *key = g_strconcat(prefix, name, NULL);

    return keyval_take_bool(kv, key, value, error);
}

static bool missing(const char *prefix, const char *name, GError **error)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property '%s%s' is missing", prefix,
                name);
    return false;
}

/* filename, or file.filename of a node that is a file. */
static bool take_file(KeyVal *kv, const char *prefix, BlockOptions *options, GError **error)
{
    const char *driver = take(kv, prefix, "file.driver");
    const char *direct = take(kv, prefix, "filename"), *below = take(kv, prefix, "file.filename");

    if (driver != NULL && strcmp(driver, "file") != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%sfile.driver is '%s' but such an image can only be in a file", prefix,
                    driver);
        return false;
    }
    options->filename = below != NULL ? below : direct;
    return take_bool(kv, prefix, "file.locking", &options->locking, error) &&
           (options->filename != NULL && *options->filename != '\0'
                ? true
                : missing(prefix, "file.filename", error));
}

/* ---- composite ---- */

static bool has_part(const KeyVal *kv, const char *prefix)
{
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (g_str_has_prefix(pair->key, prefix)) {
            return true;
        }
    }
    return false;
}

static bool read_part(KeyVal *kv, const char *prefix, GPtrArray *arena, unsigned depth,
                      BlockPart *part, GError **error)
{
    g_autofree char *image = g_strconcat(prefix, "image.", NULL);
    const char *size = take(kv, prefix, "size");

    part->label = take(kv, prefix, "label");
    part->guid = take(kv, prefix, "guid");
    part->type_guid = take(kv, prefix, "type-guid");
    if (part->label == NULL) {
        return missing(prefix, "label", error);
    }
    if (size != NULL && !props_parse_size(size, 0, &part->size, error)) {
        g_prefix_error(error, "%ssize: ", prefix);
        return false;
    }
    part->image = read_child(kv, image, arena, depth, error);
    return part->image != NULL;
}

static bool read_composite(KeyVal *kv, const char *prefix, GPtrArray *arena, unsigned depth,
                           BlockOptions *options, GError **error)
{
    BlockPart *parts = g_new0(BlockPart, MAX_PARTS);
    unsigned n = 0;

    g_ptr_array_add(arena, parts);
    options->driver = BLOCK_DRIVER_COMPOSITE;
    options->parts = parts;
    for (; n <= MAX_PARTS; n++) {
        g_autofree char *part = g_strdup_printf("%spartitions.%u.", prefix, n);

        if (!has_part(kv, part)) {
            break;
        }
        if (n == MAX_PARTS) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "a disk has at most %d partitions",
                        MAX_PARTS);
            return false;
        }
        if (!read_part(kv, part, arena, depth + 1, &parts[n], error)) {
            return false;
        }
    }
    options->n_parts = n;
    return n > 0 || missing(prefix, "partitions.0.label", error);
}

static bool read_overlay(KeyVal *kv, const char *prefix, GPtrArray *arena, unsigned depth,
                         BlockOptions *options, GError **error)
{
    g_autofree char *backing = g_strconcat(prefix, "backing.", NULL);

    options->driver = BLOCK_DRIVER_OVERLAY;
    options->filename = take(kv, prefix, "filename");
    options->image = read_child(kv, backing, arena, depth + 1, error);
    return options->image != NULL && take_bool(kv, prefix, "locking", &options->locking, error);
}

static bool read_driver(KeyVal *kv, const char *prefix, const char *driver, GPtrArray *arena,
                        unsigned depth, BlockOptions *options, GError **error)
{
    if (strcmp(driver, "composite") == 0) {
        return read_composite(kv, prefix, arena, depth, options, error);
    }
    if (strcmp(driver, "overlay") == 0) {
        return read_overlay(kv, prefix, arena, depth, options, error);
    }
    if (strcmp(driver, "nbd") == 0) {
        return blockdev_take_nbd(kv, prefix, options, error);
    }
    if (strcmp(driver, "null-co") == 0) {
        options->driver = BLOCK_DRIVER_NULL;
        return blockdev_take_null(kv, prefix, options, error);
    }
    if (strcmp(driver, "sparse") == 0) {
        options->driver = BLOCK_DRIVER_SPARSE;
    } else if (blockdev_is_served(driver)) {
        options->driver = BLOCK_DRIVER_SERVED;
        options->format = driver;
    } else if (strcmp(driver, "raw") != 0 && strcmp(driver, "file") != 0) {
        g_autofree char *key = g_strconcat(prefix, "driver", NULL);

        error_set_unknown(error, key, driver, drivers + 1); /* blkdebug is outermost */
        return false;
    }
    return take_file(kv, prefix, options, error);
}

static bool take_discard(KeyVal *kv, const char *prefix, BlockOptions *options, GError **error)
{
    const char *text = take(kv, prefix, "discard");

    if (text != NULL && strcmp(text, "unmap") != 0 && strcmp(text, "ignore") != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%sdiscard is '%s' but must be one of: ignore, unmap", prefix, text);
        return false;
    }
    options->discard_unmap = g_strcmp0(text, "unmap") == 0;
    return true;
}

static bool read_image(KeyVal *kv, const char *prefix, GPtrArray *arena, unsigned depth,
                       BlockOptions *options, GError **error)
{
    const char *driver = take(kv, prefix, "driver");

    if (driver == NULL) {
        return missing(prefix, "driver", error);
    }
    return take_bool(kv, prefix, "read-only", &options->read_only, error) &&
           take_bool(kv, prefix, "auto-read-only", &options->auto_read_only, error) &&
           take_bool(kv, prefix, "cache.direct", &options->cache_direct, error) &&
           take_bool(kv, prefix, "cache.no-flush", &options->cache_no_flush, error) &&
           take_discard(kv, prefix, options, error) &&
           read_driver(kv, prefix, driver, arena, depth, options, error);
}

bool blockdev_read_image(Drives *drives, KeyVal *kv, const char *node_name, GError **error)
{
    g_autoptr(GPtrArray) arena = g_ptr_array_new_with_free_func(g_free);
    BlockOptions options = BLOCK_OPTIONS_INIT;
    const char *opened, *unused;

    options.node_name = node_name;
    if (!read_image(kv, "", arena, 0, &options, error)) {
        return false;
    }
    unused = keyval_unused(kv);
    if (unused != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "property '%s' is not known here",
                    unused);
        return false;
    }
    return drives_add(drives, &options, &opened, error);
}
