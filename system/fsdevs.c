/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reading -fsdev and -virtfs; what a file system back end is, is fsdev/'s business.
 */
#include "fsdevs.h"

#include <string.h>

#include "util/error.h"

struct Fsdevs {
    GPtrArray *all; /* of FsDev */
};

static const char *const keys[] = {
    "fsdriver", "id",    "path",  "security_model", "readonly",
    "writeout", "fmode", "dmode", "multidevs",      NULL,
};

static bool take_mode(KeyVal *kv, const char *key, mode_t *mode, GError **error)
{
    const char *text = keyval_take(kv, key);
    guint64 value;

    if (text == NULL) {
        return true;
    }
    if (!g_ascii_string_to_unsigned(text, 8, 1, 0777, &value, NULL)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "%s is '%s' but must be octal, 1 to 777",
                    key, text);
        return false;
    }
    *mode = value;
    return true;
}

static bool take_writeout(KeyVal *kv, bool *immediate, GError **error)
{
    const char *text = keyval_take(kv, "writeout");

    *immediate = text != NULL;
    if (text != NULL && strcmp(text, "immediate") != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "writeout is '%s' but can only be immediate", text);
        return false;
    }
    return true;
}

static FsDev *open_one(const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, "fsdriver", error);
    FsDevOptions o = { 0 };

    if (kv == NULL || !keyval_check_keys(kv, keys, error) ||
        !keyval_take_bool(kv, "readonly", &o.readonly, error) ||
        !take_writeout(kv, &o.writeout_immediate, error) ||
        !take_mode(kv, "fmode", &o.file_mode, error) ||
        !take_mode(kv, "dmode", &o.dir_mode, error)) {
        return NULL;
    }
    o.driver = keyval_take(kv, "fsdriver");
    o.id = keyval_take(kv, "id");
    o.path = keyval_take(kv, "path");
    o.security_model = keyval_take(kv, "security_model");
    o.multidevs = keyval_take(kv, "multidevs");
    if (o.driver == NULL || o.id == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property '%s' is missing",
                    o.driver == NULL ? "fsdriver" : "id");
        return NULL;
    }
    return keyval_check_id(o.id, error) ? fsdev_open(&o, error) : NULL;
}

void fsdevs_close(Fsdevs *fsdevs)
{
    if (fsdevs != NULL) {
        g_ptr_array_unref(fsdevs->all);
        g_free(fsdevs);
    }
}

Fsdevs *fsdevs_open(const VmConfig *config, GError **error)
{
    g_autoptr(Fsdevs) fsdevs = g_new0(Fsdevs, 1);

    fsdevs->all = g_ptr_array_new_with_free_func((GDestroyNotify)fsdev_unref);
    for (unsigned i = 0; i < config->fsdevs->len; i++) {
        const char *text = g_ptr_array_index(config->fsdevs, i);
        FsDev *fs = open_one(text, error);

        if (fs == NULL) {
            g_prefix_error(error, "-fsdev %s: ", text);
            return NULL;
        }
        g_ptr_array_add(fsdevs->all, fs);
    }
    return g_steal_pointer(&fsdevs);
}

/* Adds key=value with the commas in value doubled. */
static void add_pair(GString *text, const char *key, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    g_autofree char *quoted = g_strjoinv(",,", parts);

    g_string_append_printf(text, ",%s=%s", key, quoted);
}

bool fsdevs_split_virtfs(const char *text, unsigned number, char **fsdev, char **device,
                         GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, "fsdriver", error);
    g_autofree char *made_id = g_strdup_printf("virtfs%u", number);
    const char *driver, *id, *tag;
    GString *fs, *dev;

    if (kv == NULL) {
        return false;
    }
    driver = keyval_take(kv, "fsdriver");
    id = keyval_take(kv, "id");
    tag = keyval_take(kv, "mount_tag");
    if (driver == NULL || tag == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property '%s' is missing",
                    driver == NULL ? "fsdriver" : "mount_tag");
        return false;
    }
    id = id != NULL ? id : made_id;
    fs = g_string_new(driver);
    add_pair(fs, "id", id);
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (!pair->used) {
            add_pair(fs, pair->key, pair->value);
        }
    }
    dev = g_string_new("virtio-9p-device");
    add_pair(dev, "fsdev", id);
    add_pair(dev, "mount_tag", tag);
    *fsdev = g_string_free(fs, FALSE);
    *device = g_string_free(dev, FALSE);
    return true;
}
