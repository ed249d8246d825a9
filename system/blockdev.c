/* SPDX-License-Identifier: GPL-2.0-or-later
 * -blockdev: a driver=file node names a file, a driver=raw node sits on one, named or given in
 * place. The two are one back end here, opened once under the upper node's name.
 */
#include <string.h>

#include "drives-priv.h"
#include "options.h"
#include "util/error.h"

typedef struct {
    char *text; /* as typed, for messages */
    char *filename;
    char *parent; /* the raw node on it, or NULL */
    BlockOptions options;
    char *node_name;
} FileNode;

static const char *const file_keys[] = {
    "driver",         "node-name", "filename",     "locking",        "read-only",
    "auto-read-only", "discard",   "cache.direct", "cache.no-flush", NULL,
};
static const char *const raw_keys[] = {
    "driver",         "node-name",      "file",    "file.driver",  "file.filename",
    "file.locking",   "read-only",      "discard", "cache.direct", "cache.no-flush",
    "auto-read-only", "file.node-name", NULL,
};

void file_node_free(gpointer data)
{
    FileNode *node = data;

    g_free(node->text);
    g_free(node->filename);
    g_free(node->parent);
    g_free(node->node_name);
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

static bool read_file_node(Drives *drives, const char *text, KeyVal *kv, GError **error)
{
    BlockOptions options = BLOCK_OPTIONS_INIT;
    const char *name = take_node_name(drives, kv, error);
    const char *filename = keyval_take(kv, "filename");
    FileNode *node;

    if (name == NULL || !drives_take_common(kv, &options, error) ||
        !drives_take_locking(kv, "locking", &options, error)) {
        return false;
    }
    if (filename == NULL || *filename == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'filename' is missing");
        return false;
    }
    node = g_new0(FileNode, 1);
    node->text = g_strdup(text);
    node->filename = g_strdup(filename);
    node->node_name = g_strdup(name);
    node->options = options;
    node->options.filename = node->filename;
    node->options.node_name = node->node_name;
    g_hash_table_insert(drives->files, g_strdup(name), node);
    return true;
}

/* The file below a raw node: sets what options takes over from it. */
static bool find_child(Drives *drives, KeyVal *kv, const char *name, BlockOptions *options,
                       GError **error)
{
    const char *reference = keyval_take(kv, "file");
    const char *filename = keyval_take(kv, "file.filename");
    const char *driver = keyval_take(kv, "file.driver");
    FileNode *child;

    keyval_take(kv, "file.node-name");
    if (reference == NULL) {
        if (driver != NULL && strcmp(driver, "file") != 0) {
            error_set_unknown(error, "file.driver", driver, (const char *const[]){ "file", NULL });
            return false;
        }
        if (filename == NULL || *filename == '\0') {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                        "property 'file' or 'file.filename' is missing");
            return false;
        }
        options->filename = filename;
        return drives_take_locking(kv, "file.locking", options, error);
    }
    if (filename != NULL || driver != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "file and file.* exclude each other");
        return false;
    }
    child = g_hash_table_lookup(drives->files, reference);
    if (child == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "there is no driver=file node '%s' before it", reference);
        return false;
    }
    if (child->parent != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "node '%s' is already used by node '%s'", reference, child->parent);
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

bool blockdev_read(Drives *drives, const char *text, GError **error)
{
    static const char *const names[] = { "file", "raw", NULL };
    g_autoptr(KeyVal) kv = keyval_parse_or_json(text, "driver", error);
    const char *driver;

    if (kv == NULL) {
        return false;
    }
    driver = keyval_take(kv, "driver");
    if (driver == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'driver' is missing");
        return false;
    }
    if (strcmp(driver, "raw") == 0) {
        return keyval_check_keys(kv, raw_keys, error) && read_raw_node(drives, kv, error);
    }
    if (strcmp(driver, "file") == 0) {
        return keyval_check_keys(kv, file_keys, error) && read_file_node(drives, text, kv, error);
    }
    error_set_unknown(error, "driver", driver, names);
    return false;
}

bool blockdev_open_files(Drives *drives, GError **error)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, drives->files);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const FileNode *node = value;
        const char *opened;

        if (node->parent == NULL && !drives_add(drives, &node->options, &opened, error)) {
            g_prefix_error(error, "-blockdev %s: ", node->text);
            return false;
        }
    }
    return true;
}
