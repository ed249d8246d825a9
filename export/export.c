/* SPDX-License-Identifier: GPL-2.0-or-later
 * The list of exports. What each does is its type's.
 */
#include <string.h>

#include "export-priv.h"
#include "util/error.h"
#include "util/event.h"

typedef struct {
    char *id;
    const ExportType *type;
    void *data;
} Entry;

static const ExportType *const types[] = { &vduse_blk_export, &vduse_net_export };
static GPtrArray *entries; /* of Entry, in the order made; NULL: none yet */
static bool default_attach;
static void (*lost_handler)(const char *id, const char *why);

static Entry *find(const char *id)
{
    for (unsigned i = 0; entries != NULL && i < entries->len; i++) {
        Entry *e = g_ptr_array_index(entries, i);

        if (strcmp(e->id, id) == 0) {
            return e;
        }
    }
    return NULL;
}

static const ExportType *find_type(const char *name, GError **error)
{
    const char *names[G_N_ELEMENTS(types) + 1] = {};

    if (name == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'type' is missing");
        return NULL;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        if (strcmp(types[i]->name, name) == 0) {
            return types[i];
        }
        names[i] = types[i]->name;
    }
    error_set_unknown(error, "type", name, names);
    return NULL;
}

static bool check_id(const char *id, GError **error)
{
    if (id == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'id' is missing");
        return false;
    }
    if (!keyval_check_id(id, error)) {
        return false;
    }
    if (find(id) != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "id '%s' is another export's", id);
        return false;
    }
    return true;
}

bool export_add(KeyVal *kv, GError **error)
{
    const ExportType *type = find_type(keyval_take(kv, "type"), error);
    const char *id = keyval_take(kv, "id");
    void *data;
    Entry *e;

    if (type == NULL || !check_id(id, error) || !keyval_check_keys(kv, type->keys, error)) {
        return false;
    }
    data = type->open(id, kv, error);
    if (data == NULL) {
        return false;
    }
    e = g_new(Entry, 1);
    *e = (Entry){ .id = g_strdup(id), .type = type, .data = data };
    if (entries == NULL) {
        entries = g_ptr_array_new();
    }
    g_ptr_array_add(entries, e);
    return true;
}

static void end(Entry *e, bool detach)
{
    JsonObject *data = json_object_new();

    g_ptr_array_remove(entries, e);
    e->type->close(e->data, detach);
    json_object_set_string_member(data, "id", e->id);
    event_emit("BLOCK_EXPORT_DELETED", data);
    g_free(e->id);
    g_free(e);
}

bool export_del(const char *id, ExportDelMode mode, GError **error)
{
    Entry *e = find(id);

    if (e == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no export '%s'", id);
        return false;
    }
    if (mode == EXPORT_DEL_SAFE && !e->type->may_close(e->data, error)) {
        return false;
    }
    end(e, true);
    return true;
}

void export_foreach(void (*fn)(const ExportDescription *d, void *opaque), void *opaque)
{
    for (unsigned i = 0; entries != NULL && i < entries->len; i++) {
        const Entry *e = g_ptr_array_index(entries, i);
        ExportDescription d = { .id = e->id, .type = e->type->name };

        e->type->describe(e->data, &d);
        fn(&d, opaque);
    }
}

void exports_close(void)
{
    while (entries != NULL && entries->len > 0) {
        end(g_ptr_array_index(entries, entries->len - 1), false);
    }
    g_clear_pointer(&entries, g_ptr_array_unref);
}

void export_set_default_attach(bool attach)
{
    default_attach = attach;
}

bool export_default_attach(void)
{
    return default_attach;
}

void export_set_lost_handler(void (*fn)(const char *id, const char *why))
{
    lost_handler = fn;
}

void export_lost(void *export, const char *why)
{
    for (unsigned i = 0; entries != NULL && i < entries->len; i++) {
        Entry *e = g_ptr_array_index(entries, i);
        g_autofree char *id = g_strdup(e->id);

        if (e->data == export) {
            end(e, true);
            if (lost_handler != NULL) {
                lost_handler(id, why);
            }
            return;
        }
    }
}

char *export_help(void)
{
    GString *out = g_string_new("Types of exports:\n");

    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        g_string_append_printf(out, "  %-12s %s\n", types[i]->name, types[i]->summary);
    }
    return g_string_free(out, FALSE);
}
