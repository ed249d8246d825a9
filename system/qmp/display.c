/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands for displays. Pictures and formats are display/'s.
 */
#include "display/display.h"
#include "displays.h"
#include "node.h"
#include "qapi-commands.h"
#include "util/error.h"

JsonNode *qmp_screendump(JsonObject *args, GError **error)
{
    const char *device = json_object_get_string_member_with_default(args, "device", NULL);
    const char *format = json_object_get_string_member_with_default(args, "format", "ppm");
    unsigned head = json_object_get_int_member_with_default(args, "head", 0);
    pixman_image_t *image;
    Console *con;

    if (device == NULL && json_object_has_member(args, "head")) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "'head' must be specified together "
                    "with 'device'");
        return NULL;
    }
    con = console_find(device, head, error);
    if (con == NULL) {
        return NULL;
    }
    image = console_snapshot(con);
    if (image == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "no memory for the picture");
        return NULL;
    }
    screendump_write(image, json_object_get_string_member(args, "filename"),
                     g_str_equal(format, "png") ? SCREENDUMP_PNG : SCREENDUMP_PPM, error);
    pixman_image_unref(image);
    return NULL;
}

/* ---- VNC ---- */

static void add_address(JsonObject *object, const VncServer *server)
{
    json_object_set_string_member(object, "host", vnc_server_host(server));
    json_object_set_string_member(object, "service", vnc_server_service(server));
    json_object_set_string_member(object, "family", vnc_server_family(server));
    json_object_set_string_member(object, "auth", "none");
}

/* libvncserver keeps to itself where clients come from; loopback or the socket, that is sure. */
static JsonArray *clients(VncServer *server)
{
    JsonArray *array = json_array_new();

    for (unsigned n = vnc_server_clients(server); n > 0; n--) {
        JsonObject *client = json_object_new();

        json_object_set_string_member(client, "host", vnc_server_host(server));
        json_object_set_string_member(client, "service", "");
        json_object_set_string_member(client, "family", vnc_server_family(server));
        json_object_set_boolean_member(client, "websocket", FALSE);
        json_array_add_object_element(array, client);
    }
    return array;
}

/* The server, or NULL with an error: as on a QEMU that was built without one. */
static VncServer *need_server(GError **error)
{
    VncServer *server = displays_vnc();

    if (server == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "there is no VNC server (-vnc)");
    }
    return server;
}

JsonNode *qmp_query_vnc(JsonObject *args, GError **error)
{
    VncServer *server = need_server(error);
    JsonObject *info;

    if (server == NULL) {
        return NULL;
    }
    info = json_object_new();
    json_object_set_boolean_member(info, "enabled", TRUE);
    add_address(info, server);
    json_object_set_array_member(info, "clients", clients(server));
    return node_object(info);
}

JsonNode *qmp_query_vnc_servers(JsonObject *args, GError **error)
{
    VncServer *server = need_server(error);
    JsonObject *info, *address;
    JsonArray *list, *addresses;

    if (server == NULL) {
        return NULL;
    }
    address = json_object_new();
    add_address(address, server);
    json_object_set_boolean_member(address, "websocket", FALSE);
    addresses = json_array_new();
    json_array_add_object_element(addresses, address);
    info = json_object_new();
    json_object_set_string_member(info, "id", "default");
    json_object_set_array_member(info, "server", addresses);
    json_object_set_array_member(info, "clients", clients(server));
    json_object_set_string_member(info, "auth", "none");
    list = json_array_new();
    json_array_add_object_element(list, info);
    return node_array(list);
}
