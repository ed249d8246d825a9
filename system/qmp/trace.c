/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands that switch trace events.
 */
#include "util/trace.h"

#include "node.h"
#include "qapi-commands.h"
#include "util/error.h"

static void set_unknown(const char *name, GError **error)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no trace event '%s'", name);
}

JsonNode *qmp_trace_event_get_state(JsonObject *args, GError **error)
{
    const char *name = json_object_get_string_member(args, "name");
    JsonArray *all;

    if (!trace_is_known(name)) {
        set_unknown(name, error);
        return NULL;
    }
    all = json_array_new();
    for (unsigned i = 0; i < TRACE_N_EVENTS; i++) {
        JsonObject *info;

        if (!g_pattern_match_simple(name, trace_name(i))) {
            continue;
        }
        info = json_object_new();
        json_object_set_string_member(info, "name", trace_name(i));
        json_object_set_string_member(
            info, "state",
            __atomic_load_n(&trace_state[i], __ATOMIC_RELAXED) ? "enabled" : "disabled");
        json_object_set_boolean_member(info, "vcpu", FALSE);
        json_array_add_object_element(all, info);
    }
    return node_array(all);
}

JsonNode *qmp_trace_event_set_state(JsonObject *args, GError **error)
{
    const char *name = json_object_get_string_member(args, "name");

    if (trace_set(name, json_object_get_boolean_member(args, "enable")) == 0 &&
        !json_object_get_boolean_member_with_default(args, "ignore-unavailable", FALSE)) {
        set_unknown(name, error);
    }
    return NULL;
}
