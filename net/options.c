/* SPDX-License-Identifier: GPL-2.0-or-later
 * The types of back ends, and making one from -netdev's text.
 */
#include <string.h>

#include "net-priv.h"
#include "util/error.h"

static const NetType *const types[] = {
    &net_type_dgram, &net_type_hubport, &net_type_socket, &net_type_stream, &net_type_tap,
#ifdef HAVE_SLIRP
    &net_type_user,
#endif
};

static const NetType *find_type(const char *name, GError **error)
{
    const char *names[G_N_ELEMENTS(types) + 1] = { 0 };

    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        if (strcmp(types[i]->name, name) == 0) {
            return types[i];
        }
        names[i] = types[i]->name;
    }
    error_set_unknown(error, "netdev type", name, names);
    return NULL;
}

char *net_backend_help(void)
{
    GString *out = g_string_new("Available netdev backend types:\n");

    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        g_string_append_printf(out, "%s\n", types[i]->name);
    }
    return g_string_free(out, FALSE);
}

char *net_backend_type_help(const char *name, GError **error)
{
    const NetType *type = find_type(name, error);
    g_autofree char *keys = NULL;

    if (type == NULL) {
        return NULL;
    }
    keys = g_strjoinv("\n  ", (char **)type->keys);
    return g_strdup_printf("%s: %s\n  id\n  %s\n", type->name, type->summary, keys);
}

static bool check_keys(const KeyVal *kv, const NetType *type, GError **error)
{
    g_autoptr(GPtrArray) valid = g_ptr_array_new();

    g_ptr_array_add(valid, (void *)"type");
    g_ptr_array_add(valid, (void *)"id");
    for (const char *const *key = type->keys; *key != NULL; key++) {
        g_ptr_array_add(valid, (void *)*key);
    }
    g_ptr_array_add(valid, NULL);
    return keyval_check_keys(kv, (const char *const *)valid->pdata, error);
}

/* "hostfwd.0.str" and "hostfwd.0", an element of a list in JSON, to "hostfwd": a key that is given
 * more than once is what lists are in the other form. */
static void flatten_lists(KeyVal *kv)
{
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        KeyValPair *pair = g_ptr_array_index(kv->pairs, i);
        char *dot = strchr(pair->key, '.');
        size_t digits = dot != NULL ? strspn(dot + 1, "0123456789") : 0;

        if (digits > 0 && (dot[1 + digits] == '\0' || strcmp(dot + 1 + digits, ".str") == 0)) {
            *dot = '\0';
        }
    }
}

bool net_backend_add(KeyVal *kv, GError **error)
{
    const char *name = keyval_take(kv, "type"), *id = keyval_take(kv, "id");
    const NetType *type;

    flatten_lists(kv);
    if (name == NULL || id == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "Parameter '%s' is missing",
                    name == NULL ? "type" : "id");
        return false;
    }
    type = find_type(name, error);
    if (type == NULL || !check_keys(kv, type, error) ||
        (*id != '#' && !keyval_check_id(id, error))) {
        return false;
    }
    if (net_backend_find(id) != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "Duplicate ID '%s' for netdev (it is used already)", id);
        return false;
    }
    return type->open(id, kv, error) != NULL;
}
