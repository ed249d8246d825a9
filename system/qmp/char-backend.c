/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands that make, change and close character devices. What a client says is rewritten into
 * -chardev's text and read by the same code.
 */
#include <string.h>

#include "chardev/chardev.h"
#include "node.h"
#include "qapi-commands.h"
#include "util/error.h"

/* ",key=value" with value's commas doubled. */
static void add(GString *text, const char *key, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    g_autofree char *doubled = g_strjoinv(",,", parts);

    g_string_append_printf(text, ",%s=%s", key, doubled);
}

static void add_string(GString *text, JsonObject *data, const char *member, const char *key)
{
    if (json_object_has_member(data, member)) {
        add(text, key, json_object_get_string_member(data, member));
    }
}

static void add_bool(GString *text, JsonObject *data, const char *member)
{
    if (json_object_has_member(data, member)) {
        add(text, member, json_object_get_boolean_member(data, member) ? "on" : "off");
    }
}

static void add_int(GString *text, JsonObject *data, const char *member)
{
    if (json_object_has_member(data, member)) {
        g_string_append_printf(text, ",%s=%" G_GINT64_FORMAT, member,
                               json_object_get_int_member(data, member));
    }
}

static void add_socket(GString *text, JsonObject *data)
{
    JsonObject *addr = json_object_get_object_member(data, "addr");
    const char *type = json_object_get_string_member(addr, "type");
    JsonObject *where = json_object_get_object_member(addr, "data");
    bool server = json_object_get_boolean_member_with_default(data, "server", TRUE);

    if (strcmp(type, "fd") == 0) {
        add(text, "fd", json_object_get_string_member(where, "str"));
    }
    if (strcmp(type, "unix") == 0) {
        add(text, "path", json_object_get_string_member(where, "path"));
    }
    if (strcmp(type, "inet") == 0) {
        add(text, "host", json_object_get_string_member(where, "host"));
        add(text, "port", json_object_get_string_member(where, "port"));
    }
    add(text, "server", server ? "on" : "off");
    if (json_object_has_member(data, "wait")) {
        add_bool(text, data, "wait");
    } else if (server) {
        add(text, "wait", "off");
    }
    add_bool(text, data, "nodelay");
    add_int(text, data, "reconnect");
}

static char *backend_text(JsonObject *args)
{
    JsonObject *backend = json_object_get_object_member(args, "backend");
    const char *type = json_object_get_string_member(backend, "type");
    JsonObject *data = json_object_get_object_member(backend, "data");
    GString *text = g_string_new(type);

    if (strcmp(type, "socket") == 0) {
        add_socket(text, data);
    }
    add_string(text, data, "device", "path");
    add_string(text, data, "out", "path");
    add_string(text, data, "in", "input-path");
    add_bool(text, data, "append");
    add_string(text, data, "logfile", "logfile");
    add_bool(text, data, "logappend");
    add_bool(text, data, "signal");
    add_int(text, data, "size");
    return g_string_free(text, FALSE);
}

static JsonNode *result(Chardev *chr)
{
    JsonObject *info = json_object_new();

    if (chardev_pty_path(chr) != NULL) {
        json_object_set_string_member(info, "pty", chardev_pty_path(chr));
    }
    return node_object(info);
}

JsonNode *qmp_chardev_add(JsonObject *args, GError **error)
{
    g_autofree char *base = backend_text(args);
    g_autoptr(GString) text = g_string_new(base);
    Chardev *chr;

    add(text, "id", json_object_get_string_member(args, "id"));
    chr = chardev_new(text->str, error);
    return chr != NULL ? result(chr) : NULL;
}

JsonNode *qmp_chardev_change(JsonObject *args, GError **error)
{
    g_autofree char *text = backend_text(args);
    Chardev *chr = chardev_replace(json_object_get_string_member(args, "id"), text, error);

    return chr != NULL ? result(chr) : NULL;
}

JsonNode *qmp_chardev_remove(JsonObject *args, GError **error)
{
    chardev_remove(json_object_get_string_member(args, "id"), error);
    return NULL;
}

static Chardev *find(const char *id, GError **error)
{
    Chardev *chr = chardev_find(id);

    if (chr == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no chardev with id '%s'",
                    id);
    }
    return chr;
}

JsonNode *qmp_chardev_send_break(JsonObject *args, GError **error)
{
    Chardev *chr = find(json_object_get_string_member(args, "id"), error);

    if (chr != NULL) {
        chardev_send_break(chr);
    }
    return NULL;
}

/* ---- rings ---- */

static Chardev *find_ring(JsonObject *args, GError **error)
{
    const char *id = json_object_get_string_member(args, "device");
    Chardev *chr = find(id, error);

    if (chr != NULL && !chardev_is_ringbuf(chr)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "chardev '%s' is not a ringbuf", id);
        return NULL;
    }
    return chr;
}

static bool is_base64(JsonObject *args)
{
    return strcmp(json_object_get_string_member_with_default(args, "format", "utf8"), "base64") ==
           0;
}

JsonNode *qmp_ringbuf_write(JsonObject *args, GError **error)
{
    const char *data = json_object_get_string_member(args, "data");
    Chardev *chr = find_ring(args, error);
    g_autofree guchar *bytes = NULL;
    gsize len = strlen(data);

    if (chr == NULL) {
        return NULL;
    }
    if (is_base64(args) && len > 0) {
        bytes = g_base64_decode(data, &len);
        if (len == 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "data is not base64");
            return NULL;
        }
    }
    chardev_write(chr, bytes != NULL ? (const char *)bytes : data, len);
    return NULL;
}

JsonNode *qmp_ringbuf_read(JsonObject *args, GError **error)
{
    gint64 size = json_object_get_int_member(args, "size");
    Chardev *chr = find_ring(args, error);
    g_autoptr(GBytes) bytes = NULL;
    g_autofree char *text = NULL;
    JsonNode *node;
    gconstpointer data;
    gsize len;

    if (chr == NULL) {
        return NULL;
    }
    if (size <= 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "size is %" G_GINT64_FORMAT " but must be at least 1", size);
        return NULL;
    }
    bytes = chardev_ringbuf_read(chr, size);
    data = g_bytes_get_data(bytes, &len);
    text = is_base64(args) ? g_base64_encode(data, len) : g_utf8_make_valid(data, len);
    node = json_node_new(JSON_NODE_VALUE);
    json_node_set_string(node, text);
    return node;
}
