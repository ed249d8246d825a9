/* SPDX-License-Identifier: GPL-2.0-or-later
 * The items of the firmware configuration device: fixed keys, and files, which are sorted by name
 * so that a guest finds the same directory whatever the order of options. A new file moves the keys
 * of those behind it: files come before the guest runs.
 */
#include <string.h>

#include "fw-cfg-priv.h"
#include "util/error.h"

static void item_clear(FwCfgItem *item)
{
    g_clear_pointer(&item->bytes, g_bytes_unref);
    g_free(item->data);
    *item = (FwCfgItem){};
}

static void file_free(gpointer data)
{
    FwCfgFile *file = data;

    item_clear(&file->item);
    g_free(file->name);
    g_free(file);
}

void fw_cfg_items_init(FwCfg *fw)
{
    fw->files = g_ptr_array_new_with_free_func(file_free);
}

void fw_cfg_items_finalize(FwCfg *fw)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(fw->items); i++) {
        item_clear(&fw->items[i]);
    }
    g_ptr_array_unref(fw->files);
}

const uint8_t *fw_cfg_item_data(const FwCfgItem *item, size_t *size)
{
    if (item->bytes != NULL) {
        return g_bytes_get_data(item->bytes, size);
    }
    *size = item->size;
    return item->data;
}

FwCfgItem *fw_cfg_selected(FwCfg *fw)
{
    unsigned key = fw->key & FW_CFG_KEY_MASK;

    if (fw->key & FW_CFG_KEY_ARCH) {
        return NULL; /* no item is special to the architecture */
    }
    if (key < FW_CFG_KEY_FIRST_FILE) {
        return &fw->items[key];
    }
    key -= FW_CFG_KEY_FIRST_FILE;
    return key < fw->files->len ? &((FwCfgFile *)g_ptr_array_index(fw->files, key))->item : NULL;
}

static void put_be(GByteArray *out, uint32_t value, unsigned size)
{
    uint32_t be = GUINT32_TO_BE(value << (4 - size) * 8);

    g_byte_array_append(out, (const uint8_t *)&be, size);
}

/* A count, then for each file size, key, two reserved bytes and the name. */
static void update_directory(FwCfg *fw)
{
    GByteArray *out = g_byte_array_new();

    put_be(out, fw->files->len, 4);
    for (unsigned i = 0; i < fw->files->len; i++) {
        const FwCfgFile *file = g_ptr_array_index(fw->files, i);
        char name[FW_CFG_NAME_SIZE] = {};
        size_t size;

        fw_cfg_item_data(&file->item, &size);
        memcpy(name, file->name, strlen(file->name));
        put_be(out, size, 4);
        put_be(out, FW_CFG_KEY_FIRST_FILE + i, 2);
        put_be(out, 0, 2);
        g_byte_array_append(out, (const uint8_t *)name, sizeof(name));
    }
    item_clear(&fw->items[FW_CFG_KEY_DIRECTORY]);
    fw->items[FW_CFG_KEY_DIRECTORY].bytes = g_byte_array_free_to_bytes(out);
}

void fw_cfg_set_item(FwCfg *fw, unsigned key, GBytes *data)
{
    g_assert(key < FW_CFG_KEY_FIRST_FILE && key != FW_CFG_KEY_DIRECTORY);
    memory_lock(device_lock(HUMPY_DEVICE(fw)));
    item_clear(&fw->items[key]);
    fw->items[key].bytes = g_bytes_ref(data);
    memory_unlock(device_lock(HUMPY_DEVICE(fw)));
}

/* Where a file called name is or belongs. */
static unsigned place(const FwCfg *fw, const char *name, bool *found)
{
    unsigned i;
    int order = 1;

    for (i = 0; i < fw->files->len; i++) {
        order = strcmp(((FwCfgFile *)g_ptr_array_index(fw->files, i))->name, name);
        if (order >= 0) {
            break;
        }
    }
    *found = order == 0;
    return i;
}

static bool check_file(FwCfg *fw, const char *name, size_t size, GError **error)
{
    bool found;

    if (*name == '\0' || strlen(name) >= FW_CFG_NAME_SIZE) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "fw_cfg file name '%s' has %zu bytes but must have 1 to %d", name, strlen(name),
                    FW_CFG_NAME_SIZE - 1);
        return false;
    }
    if (size > UINT32_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "fw_cfg file '%s' has %zu bytes but can have at most %u", name, size,
                    UINT32_MAX);
        return false;
    }
    place(fw, name, &found);
    if (found) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "there already is a fw_cfg file '%s'",
                    name);
        return false;
    }
    if (fw->files->len == FW_CFG_MAX_FILES) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "fw_cfg file '%s' is one too many (there can be %d)", name, FW_CFG_MAX_FILES);
        return false;
    }
    return true;
}

static bool add(FwCfg *fw, const char *name, const FwCfgItem *item, GError **error)
{
    FwCfgFile *file;
    bool found;
    size_t size;

    fw_cfg_item_data(item, &size);
    if (!check_file(fw, name, size, error)) {
        return false;
    }
    file = g_new0(FwCfgFile, 1);
    file->name = g_strdup(name);
    file->item = *item;
    memory_lock(device_lock(HUMPY_DEVICE(fw)));
    g_ptr_array_insert(fw->files, place(fw, name, &found), file);
    update_directory(fw);
    memory_unlock(device_lock(HUMPY_DEVICE(fw)));
    return true;
}

bool fw_cfg_add_file(FwCfg *fw, const char *name, GBytes *data, GError **error)
{
    FwCfgItem item = { .bytes = g_bytes_ref(data) };

    if (!add(fw, name, &item, error)) {
        item_clear(&item);
        return false;
    }
    return true;
}

bool fw_cfg_add_writable(FwCfg *fw, const char *name, size_t size, FwCfgWritten written,
                         void *opaque, GError **error)
{
    FwCfgItem item = {
        .data = g_malloc0(size), .size = size, .written = written, .opaque = opaque
    };

    if (!add(fw, name, &item, error)) {
        item_clear(&item);
        return false;
    }
    return true;
}

unsigned fw_cfg_file_key(FwCfg *fw, const char *name)
{
    bool found;
    unsigned at;

    memory_lock(device_lock(HUMPY_DEVICE(fw)));
    at = place(fw, name, &found);
    memory_unlock(device_lock(HUMPY_DEVICE(fw)));
    return found ? FW_CFG_KEY_FIRST_FILE + at : 0;
}

void fw_cfg_remove_file(FwCfg *fw, const char *name)
{
    bool found;
    unsigned at;

    memory_lock(device_lock(HUMPY_DEVICE(fw)));
    at = place(fw, name, &found);
    if (found) {
        g_ptr_array_remove_index(fw->files, at);
        update_directory(fw);
    }
    memory_unlock(device_lock(HUMPY_DEVICE(fw)));
}
