/* SPDX-License-Identifier: GPL-2.0-or-later
 * -blockdev and blockdev-add: a file, null-co or nbd node says where the bytes are, a raw node sits
 * on one, named or given in place. The two are one back end here, opened once under the upper
 * node's name. Also blkdebug with its image given in place.
 */
#include <string.h>

#include "drives-priv.h"
#include "options.h"
#include "util/error.h"
#include "util/props.h"

enum { MAX_NS = 1000000000 }; /* of null-co's latency */

typedef struct {
    char *text;            /* as typed, for messages */
    char *parent;          /* the raw node on it, or NULL */
    BlockOptions options;  /* node_name is set */
    GStringChunk *strings; /* of options */
} FileNode;

static const char *const file_keys[] = {
    "driver",  "node-name",    "filename",       "locking", "read-only", "auto-read-only",
    "discard", "cache.direct", "cache.no-flush", "aio",     NULL,
};
static const char *const null_keys[] = {
    "driver",         "node-name", "size",         "read-zeroes",    "latency-ns", "read-only",
    "auto-read-only", "discard",   "cache.direct", "cache.no-flush", NULL,
};
static const char *const blkdebug_keys[] = {
    "driver",         "node-name",         "config",           "image.driver",   "image.filename",
    "image.size",     "image.read-zeroes", "image.latency-ns", "image.locking",  "read-only",
    "auto-read-only", "discard",           "cache.direct",     "cache.no-flush", NULL,
};
static const char *const nbd_keys[] = {
    "driver",         "node-name",    "server.type", "server.path",    "server.host",
    "server.port",    "export",       "read-only",   "auto-read-only", "discard",
    "cache.no-flush", "cache.direct", NULL,
};
static const char *const raw_keys[] = {
    "driver",
    "node-name",
    "file",
    "file.driver",
    "file.filename",
    "file.locking",
    "file.aio",
    "read-only",
    "discard",
    "cache.direct",
    "cache.no-flush",
    "auto-read-only",
    "file.node-name",
    "file.size",
    "file.read-zeroes",
    "file.latency-ns",
    "file.server.type",
    "file.server.path",
    "file.server.host",
    "file.server.port",
    "file.export",
    NULL,
};

void file_node_free(gpointer data)
{
    FileNode *node = data;

    g_free(node->text);
    g_free(node->parent);
    g_string_chunk_free(node->strings);
    g_free(node);
}

static const char *take_node_name(Drives *drives, KeyVal *kv, GError **error)
{
    const char *name = keyval_take(kv, "node-name");

    if (name == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'node-name' is missing");
        return NULL;
    }
    if (!keyval_check_id(name, error)) {
        return NULL;
    }
    if (g_hash_table_contains(drives->files, name) || block_find(name) != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "node name '%s' is already used",
                    name);
        return NULL;
    }
    return name;
}

/* Notes a node that is opened later, unless a raw node takes it over. */
static void add_file_node(Drives *drives, const char *text, const BlockOptions *options)
{
    FileNode *node = g_new0(FileNode, 1);
    const char **strings[] = {
        &node->options.node_name, &node->options.filename, &node->options.nbd_path,
        &node->options.nbd_host,  &node->options.nbd_port, &node->options.nbd_export,
    };

    node->text = g_strdup(text);
    node->options = *options;
    node->strings = g_string_chunk_new(64);
    for (unsigned i = 0; i < G_N_ELEMENTS(strings); i++) {
        if (*strings[i] != NULL) {
            *strings[i] = g_string_chunk_insert(node->strings, *strings[i]);
        }
    }
    g_hash_table_insert(drives->files, g_strdup(options->node_name), node);
}

static bool read_file_node(Drives *drives, const char *text, KeyVal *kv, GError **error)
{
    BlockOptions options = BLOCK_OPTIONS_INIT;

    options.node_name = take_node_name(drives, kv, error);
    options.filename = keyval_take(kv, "filename");
    if (options.node_name == NULL || !drives_take_common(kv, &options, error) ||
        !drives_take_locking(kv, "locking", &options, error) ||
        !drives_take_aio(kv, "aio", &options, error)) {
        return false;
    }
    if (options.filename == NULL || *options.filename == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'filename' is missing");
        return false;
    }
    add_file_node(drives, text, &options);
    return true;
}

bool blockdev_take_null(KeyVal *kv, const char *prefix, BlockOptions *options, GError **error)
{
    g_autofree char *size_key = g_strconcat(prefix, "size", NULL);
    g_autofree char *zeroes_key = g_strconcat(prefix, "read-zeroes", NULL);
    g_autofree char *latency_key = g_strconcat(prefix, "latency-ns", NULL);
    const char *size = keyval_take(kv, size_key), *latency = keyval_take(kv, latency_key);

    if ((size != NULL && !props_parse_size(size, 0, &options->size, error)) ||
        !keyval_take_bool(kv, zeroes_key, &options->read_zeroes, error)) {
        return false;
    }
    if (latency != NULL &&
        (!props_parse_u64(latency, &options->latency_ns, NULL) || options->latency_ns > MAX_NS)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "%s is '%s' but must be 0 to %d",
                    latency_key, latency, MAX_NS);
        return false;
    }
    return true;
}

static bool missing(const char *prefix, const char *name, GError **error)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property '%s%s' is missing", prefix,
                name);
    return false;
}

bool blockdev_take_nbd(KeyVal *kv, const char *prefix, BlockOptions *options, GError **error)
{
    static const char *const types[] = { "inet", "unix", NULL };
    g_autofree char *type_key = g_strconcat(prefix, "server.type", NULL);
    g_autofree char *path_key = g_strconcat(prefix, "server.path", NULL);
    g_autofree char *host_key = g_strconcat(prefix, "server.host", NULL);
    g_autofree char *port_key = g_strconcat(prefix, "server.port", NULL);
    g_autofree char *export_key = g_strconcat(prefix, "export", NULL);
    const char *type = keyval_take(kv, type_key);

    options->driver = BLOCK_DRIVER_NBD;
    options->nbd_path = keyval_take(kv, path_key);
    options->nbd_host = keyval_take(kv, host_key);
    options->nbd_port = keyval_take(kv, port_key);
    options->nbd_export = keyval_take(kv, export_key);
    if (type == NULL) {
        return missing(prefix, "server.type", error);
    }
    if (!g_strv_contains(types, type)) {
        error_set_unknown(error, "server.type", type, types);
        return false;
    }
    if (strcmp(type, "unix") == 0) {
        return options->nbd_path != NULL || missing(prefix, "server.path", error);
    }
    options->nbd_path = NULL;
    if (options->nbd_host == NULL) {
        return missing(prefix, "server.host", error);
    }
    return options->nbd_port != NULL || missing(prefix, "server.port", error);
}

/* An image given in place: PREFIXdriver and what belongs to it. */
static bool take_inline(KeyVal *kv, const char *prefix, BlockOptions *options, GError **error)
{
    g_autofree char *driver_key = g_strconcat(prefix, "driver", NULL);
    g_autofree char *filename_key = g_strconcat(prefix, "filename", NULL);
    g_autofree char *locking_key = g_strconcat(prefix, "locking", NULL);
    g_autofree char *aio_key = g_strconcat(prefix, "aio", NULL);
    const char *driver = keyval_take(kv, driver_key), *filename = keyval_take(kv, filename_key);

    if (g_strcmp0(driver, "null-co") == 0) {
        options->driver = BLOCK_DRIVER_NULL;
        return blockdev_take_null(kv, prefix, options, error);
    }
    if (g_strcmp0(driver, "nbd") == 0) {
        return blockdev_take_nbd(kv, prefix, options, error);
    }
    if (driver != NULL && strcmp(driver, "file") != 0) {
        error_set_unknown(error, driver_key, driver,
                          (const char *const[]){ "file", "null-co", "nbd", NULL });
        return false;
    }
    if (filename == NULL || *filename == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property '%s' is missing",
                    filename_key);
        return false;
    }
    options->filename = filename;
    return drives_take_locking(kv, locking_key, options, error) &&
           drives_take_aio(kv, aio_key, options, error);
}

/* What is below a raw node: sets what options takes over from it. */
static bool find_child(Drives *drives, KeyVal *kv, const char *name, BlockOptions *options,
                       GError **error)
{
    const char *reference = keyval_take(kv, "file");
    const char *filename = keyval_get(kv, "file.filename");
    const char *driver = keyval_get(kv, "file.driver");
    FileNode *child;

    keyval_take(kv, "file.node-name");
    if (reference == NULL) {
        return take_inline(kv, "file.", options, error);
    }
    if (filename != NULL || driver != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "file and file.* exclude each other");
        return false;
    }
    child = g_hash_table_lookup(drives->files, reference);
    if (child == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "there is no node '%s' before it that a raw node can sit on", reference);
        return false;
    }
    if (child->parent != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "node '%s' is already used by node '%s'", reference, child->parent);
        return false;
    }
    if (!drives_drop(drives, reference, error)) {
        return false;
    }
    child->parent = g_strdup(name);
    *options = child->options;
    options->node_name = name;
    return true;
}

static bool read_raw_node(Drives *drives, KeyVal *kv, GError **error)
{
    BlockOptions options = BLOCK_OPTIONS_INIT;
    const char *name = take_node_name(drives, kv, error);
    const char *opened;

    options.node_name = name;
    return name != NULL && find_child(drives, kv, name, &options, error) &&
           drives_take_common(kv, &options, error) && drives_add(drives, &options, &opened, error);
}

static bool read_null_node(Drives *drives, const char *text, KeyVal *kv, GError **error)
{
    BlockOptions options = BLOCK_OPTIONS_INIT;

    options.driver = BLOCK_DRIVER_NULL;
    options.node_name = take_node_name(drives, kv, error);
    if (options.node_name == NULL || !blockdev_take_null(kv, "", &options, error) ||
        !drives_take_common(kv, &options, error)) {
        return false;
    }
    add_file_node(drives, text, &options);
    return true;
}

static bool read_nbd_node(Drives *drives, const char *text, KeyVal *kv, GError **error)
{
    BlockOptions options = BLOCK_OPTIONS_INIT;

    options.node_name = take_node_name(drives, kv, error);
    if (options.node_name == NULL || !blockdev_take_nbd(kv, "", &options, error) ||
        !drives_take_common(kv, &options, error)) {
        return false;
    }
    add_file_node(drives, text, &options);
    return true;
}

static bool read_blkdebug_node(Drives *drives, KeyVal *kv, DrivesReadFn read, GError **error)
{
    BlockOptions options = BLOCK_OPTIONS_INIT, image = BLOCK_OPTIONS_INIT;
    const char *config = keyval_take(kv, "config"), *opened;
    g_autofree char *rules = NULL;

    options.driver = BLOCK_DRIVER_BLKDEBUG;
    options.node_name = take_node_name(drives, kv, error);
    options.image = &image;
    if (options.node_name == NULL || !take_inline(kv, "image.", &image, error) ||
        !drives_take_common(kv, &image, error)) {
        return false;
    }
    if (config != NULL) {
        rules = read(config, error);
        if (rules == NULL) {
            return false;
        }
    }
    options.rules = rules;
    return drives_add(drives, &options, &opened, error);
}

static bool read_node(Drives *drives, const char *text, KeyVal *kv, DrivesReadFn read,
                      GError **error)
{
    static const struct {
        const char *name;
        const char *const *keys;
    } drivers[] = {
        { "blkdebug", blkdebug_keys }, { "file", file_keys }, { "null-co", null_keys },
        { "nbd", nbd_keys },           { "raw", raw_keys },
    };
    const char *driver = keyval_get(kv, "driver"), *name;
    unsigned i;

    if (driver != NULL && blockdev_is_image(driver)) {
        name = take_node_name(drives, kv, error);
        return name != NULL && blockdev_read_image(drives, kv, name, error);
    }
    keyval_take(kv, "driver");

    if (driver == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'driver' is missing");
        return false;
    }
    for (i = 0; i < G_N_ELEMENTS(drivers) && strcmp(drivers[i].name, driver) != 0; i++) {
    }
    if (i == G_N_ELEMENTS(drivers)) {
        blockdev_set_unknown(driver, error);
        return false;
    }
    if (!keyval_check_keys(kv, drivers[i].keys, error)) {
        return false;
    }
    switch (i) {
    case 0:
        return read_blkdebug_node(drives, kv, read, error);
    case 1:
        return read_file_node(drives, text, kv, error);
    case 2:
        return read_null_node(drives, text, kv, error);
    case 3:
        return read_nbd_node(drives, text, kv, error);
    default:
        return read_raw_node(drives, kv, error);
    }
}

static char *read_whole(const char *path, GError **error)
{
    g_autoptr(GError) cause = NULL;
    char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, &cause)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "%s", cause->message);
        return NULL;
    }
    return text;
}

bool blockdev_read(Drives *drives, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_or_json(text, "driver", error);

    return kv != NULL && read_node(drives, text, kv, read_whole, error);
}

static bool open_file(Drives *drives, const FileNode *node, GError **error)
{
    const char *opened;

    return drives_add(drives, &node->options, &opened, error);
}

bool blockdev_open_files(Drives *drives, GError **error)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, drives->files);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const FileNode *node = value;

        if (node->parent == NULL && !open_file(drives, node, error)) {
            g_prefix_error(error, "-blockdev %s: ", node->text);
            return false;
        }
    }
    return true;
}

/* ---- while the machine runs ---- */

bool drives_blockdev_add(Drives *drives, KeyVal *kv, DrivesReadFn read, GError **error)
{
    g_autofree char *name = g_strdup(keyval_get(kv, "node-name"));
    const FileNode *node;

    if (!read_node(drives, "", kv, read, error)) {
        return false;
    }
    node = g_hash_table_lookup(drives->files, name);
    if (node != NULL && !open_file(drives, node, error)) {
        g_hash_table_remove(drives->files, name);
        return false;
    }
    return true;
}

static FileNode *child_of(Drives *drives, const char *parent)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, drives->files);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        FileNode *node = value;

        if (g_strcmp0(node->parent, parent) == 0) {
            return node;
        }
    }
    return NULL;
}

bool drives_blockdev_del(Drives *drives, const char *name, GError **error)
{
    FileNode *own = g_hash_table_lookup(drives->files, name), *child = child_of(drives, name);
    g_autoptr(GError) cause = NULL;

    if (own != NULL && own->parent != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "node '%s' is used by node '%s'",
                    name, own->parent);
        return false;
    }
    if (own == NULL && block_find(name) == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no node '%s'", name);
        return false;
    }
    if (!drives_drop(drives, name, error)) {
        return false;
    }
    g_hash_table_remove(drives->files, name);
    if (child != NULL) { /* is a node of its own again */
        g_clear_pointer(&child->parent, g_free);
        if (!open_file(drives, child, &cause)) {
            g_warning("node '%s' is lost: %s", child->options.node_name, cause->message);
            g_hash_table_remove(drives->files, child->options.node_name);
        }
    }
    return true;
}
