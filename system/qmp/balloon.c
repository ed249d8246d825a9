/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands for the memory balloon.
 */
#include "hw/virtio/virtio-balloon.h"
#include "node.h"
#include "qapi-commands.h"
#include "util/error.h"

static bool need_balloon(GError **error)
{
    if (!balloon_is_active()) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_DEVICE_NOT_ACTIVE,
                    "No balloon device has been activated");
        return false;
    }
    return true;
}

JsonNode *qmp_balloon(JsonObject *args, GError **error)
{
    gint64 value = json_object_get_int_member(args, "value");

    if (!need_balloon(error)) {
        return NULL;
    }
    if (value <= 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "value is %" G_GINT64_FORMAT " but must be at least 1 byte", value);
        return NULL;
    }
    balloon_set_target(value);
    return NULL;
}

JsonNode *qmp_query_balloon(JsonObject *args, GError **error)
{
    JsonObject *info;

    if (!need_balloon(error)) {
        return NULL;
    }
    info = json_object_new();
    json_object_set_int_member(info, "actual", balloon_actual());
    return node_object(info);
}
