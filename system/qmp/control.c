/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands about the monitor itself: negotiation and introspection.
 */
#include "monitor/json-stream.h"
#include "monitor/qmp-monitor.h"
#include "monitor/qmp-request.h"
#include "node.h"
#include "qapi-commands.h"
#include "util/error.h"

JsonNode *qmp_qmp_capabilities(JsonObject *args, GError **error)
{
    bool oob = json_object_has_member(args, "enable") &&
               json_array_get_length(json_object_get_array_member(args, "enable")) > 0;

    /* Without a monitor of its own: one inside human-monitor-command. */
    if (monitor_current() == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_COMMAND_NOT_FOUND, "there is no QMP client");
        return NULL;
    }
    qmp_monitor_negotiate(monitor_current(), oob, error);
    return NULL;
}

JsonNode *qmp_query_version(JsonObject *args, GError **error)
{
    return qmp_version();
}

JsonNode *qmp_query_commands(JsonObject *args, GError **error)
{
    JsonArray *all = json_array_new();

    for (unsigned i = 0; i < qmp_n_commands; i++) {
        JsonObject *one = json_object_new();

        json_object_set_string_member(one, "name", qmp_commands[i].name);
        json_array_add_object_element(all, one);
    }
    return node_array(all);
}

JsonNode *qmp_query_qmp_schema(JsonObject *args, GError **error)
{
    return json_stream_parse(qmp_schema_text, error);
}
