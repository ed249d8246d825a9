/* SPDX-License-Identifier: GPL-2.0-or-later
 * -object and -numa: checking as they are read, and making what they ask for.
 */
#include "objects.h"

#include <string.h>

#include "hw/core/user-object.h"
#include "options.h"
#include "util/error.h"

static bool is_help(const char *text)
{
    return strcmp(text, "help") == 0 || strcmp(text, "?") == 0;
}

bool option_object(VmConfig *config, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_or_json(arg, "qom-type", error);
    const char *type = kv != NULL ? keyval_get(kv, "qom-type") : NULL;

    if (kv == NULL) {
        return false;
    }
    if (type != NULL && is_help(type)) {
        config->output = user_object_help();
        return true;
    }
    if (keyval_get(kv, "help") != NULL) {
        config->output = user_object_type_help(type != NULL ? type : "", error);
        return config->output != NULL;
    }
    g_ptr_array_add(config->objects, g_strdup(arg));
    return true;
}

bool objects_create(const VmConfig *config, GError **error)
{
    for (unsigned i = 0; i < config->objects->len; i++) {
        const char *text = g_ptr_array_index(config->objects, i);
        g_autoptr(KeyVal) kv = keyval_parse_or_json(text, "qom-type", error);

        if (kv == NULL || user_object_add(kv, error) == NULL) {
            g_prefix_error(error, "-object %s: ", text);
            return false;
        }
    }
    return true;
}

/* ---- -numa ---- */

static bool add_numa(Numa *numa, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_or_json(text, "type", error);

    return kv != NULL && numa_add(numa, kv, error);
}

bool option_numa(VmConfig *config, const char *arg, GError **error)
{
    if (strcmp(arg, "off") != 0) {
        g_ptr_array_add(config->numas, g_strdup(arg));
    }
    return true;
}

Numa *numa_from_config(const VmConfig *config, GError **error)
{
    g_autoptr(Numa) numa = numa_new();

    for (unsigned i = 0; i < config->numas->len; i++) {
        const char *text = g_ptr_array_index(config->numas, i);

        if (!add_numa(numa, text, error)) {
            g_prefix_error(error, "-numa %s: ", text);
            return NULL;
        }
    }
    return g_steal_pointer(&numa);
}
