/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands about network back ends and cards.
 */
#include "net/net.h"
#include "monitor/monitor.h"
#include "nets.h"
#include "node.h"
#include "options.h"
#include "qapi-commands.h"
#include "util/error.h"

JsonNode *qmp_netdev_add(JsonObject *args, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_from_json(args, error);

    if (kv != NULL) {
        nets_add(kv, error);
    }
    return NULL;
}

JsonNode *qmp_netdev_del(JsonObject *args, GError **error)
{
    net_backend_del(json_object_get_string_member(args, "id"), error);
    return NULL;
}

JsonNode *qmp_set_link(JsonObject *args, GError **error)
{
    net_set_link(json_object_get_string_member(args, "name"),
                 json_object_get_boolean_member(args, "up"), error);
    return NULL;
}

JsonNode *qmp_query_rx_filter(JsonObject *args, GError **error)
{
    JsonArray *all =
        net_rx_filters(json_object_get_string_member_with_default(args, "name", NULL), error);

    return all != NULL ? node_array(all) : NULL;
}

/* NULL-terminated, or NULL where there is no such member. */
static GStrv strings(JsonObject *args, const char *member)
{
    g_autoptr(GStrvBuilder) all = g_strv_builder_new();
    JsonArray *array;

    if (!json_object_has_member(args, member)) {
        return NULL;
    }
    array = json_object_get_array_member(args, member);
    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        g_strv_builder_add(all, json_array_get_string_element(array, i));
    }
    return g_strv_builder_end(all);
}

JsonNode *qmp_announce_self(JsonObject *args, GError **error)
{
    g_auto(GStrv) interfaces = strings(args, "interfaces");
    NetAnnounce params = {
        .initial = json_object_get_int_member(args, "initial"),
        .max = json_object_get_int_member(args, "max"),
        .step = json_object_get_int_member(args, "step"),
        .rounds = json_object_get_int_member(args, "rounds"),
        .id = json_object_get_string_member_with_default(args, "id", NULL),
        .interfaces = (const char *const *)interfaces,
    };

    net_announce(&params);
    return NULL;
}
