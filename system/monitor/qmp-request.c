/* SPDX-License-Identifier: GPL-2.0-or-later
 * Messages of QMP: what a request must look like, which commands may be run when, and replies.
 */
#include "qmp-request.h"

#include <string.h>

#include "util/error.h"
#include "util/trace.h"

/* ---- requests ---- */

static bool refuse(GError **error, const char *text)
{
    g_set_error_literal(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, text);
    return false;
}

static bool is_string(JsonNode *node)
{
    return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING;
}

static bool take_command(QmpRequest *r, const char *key, JsonNode *value, GError **error)
{
    if (r->name != NULL) {
        return refuse(error, "members 'execute' and 'exec-oob' exclude each other");
    }
    if (!is_string(value)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "member '%s' must be a string", key);
        return false;
    }
    r->name = json_node_dup_string(value);
    r->oob = strcmp(key, "exec-oob") == 0;
    return true;
}

static bool take_member(QmpRequest *r, const char *key, JsonNode *value, GError **error)
{
    if (strcmp(key, "execute") == 0 || strcmp(key, "exec-oob") == 0) {
        return take_command(r, key, value, error);
    }
    if (strcmp(key, "arguments") == 0) {
        if (!JSON_NODE_HOLDS_OBJECT(value)) {
            return refuse(error, "member 'arguments' must be an object");
        }
        r->args = json_node_dup_object(value);
        return true;
    }
    if (strcmp(key, "id") == 0) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "member '%.100s' is not known here", key);
    return false;
}

static bool take_message(QmpRequest *r, JsonNode *message, GError **error)
{
    JsonObjectIter iter;
    JsonObject *object;
    JsonNode *value;
    const char *key;

    if (!JSON_NODE_HOLDS_OBJECT(message)) {
        return refuse(error, "a request must be an object");
    }
    object = json_node_get_object(message);
    if (json_object_has_member(object, "id")) {
        r->id = json_object_dup_member(object, "id");
    }
    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &key, &value)) {
        if (!take_member(r, key, value, error)) {
            return false;
        }
    }
    if (r->name == NULL) {
        return refuse(error, "member 'execute' is missing");
    }
    if (r->args == NULL) {
        r->args = json_object_new();
    }
    return true;
}

QmpRequest *qmp_request_new(JsonNode *message, GError *error)
{
    QmpRequest *r = g_new0(QmpRequest, 1);

    r->error = error;
    if (message != NULL) {
        take_message(r, message, &r->error);
        json_node_unref(message);
    }
    return r;
}

void qmp_request_free(QmpRequest *r)
{
    if (r == NULL) {
        return;
    }
    g_clear_pointer(&r->id, json_node_unref);
    g_clear_pointer(&r->args, json_object_unref);
    g_clear_error(&r->error);
    g_free(r->name);
    g_free(r);
}

/* ---- running ---- */

static void set_not_found(GError **error, const char *fmt, const char *name)
{
    g_autofree char *text = g_strdup_printf("%.100s", name);

    /* fmt is one of this file's, with one %s. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_COMMAND_NOT_FOUND, fmt, text);
#pragma GCC diagnostic pop
}

const QmpCommand *qmp_request_check(const QmpRequest *r, const QmpRules *rules, GError **error)
{
    const QmpCommand *command;
    bool negotiates;

    if (r->error != NULL) {
        g_propagate_error(error, g_error_copy(r->error));
        return NULL;
    }
    if (r->oob && !rules->oob) {
        refuse(error, "exec-oob was not enabled with qmp_capabilities");
        return NULL;
    }
    negotiates = strcmp(r->name, "qmp_capabilities") == 0;
    command = qmp_command_find(r->name);
    if (!rules->negotiated && !negotiates) {
        set_not_found(error, "command '%s' must wait until qmp_capabilities has been run", r->name);
        return NULL;
    }
    if (command == NULL) {
        set_not_found(error, "there is no command '%s'", r->name);
        return NULL;
    }
    if (rules->negotiated && negotiates) {
        set_not_found(error, "command '%s' has been run already", r->name);
        return NULL;
    }
    if (r->oob && !(command->flags & QMP_ALLOW_OOB)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "command '%s' cannot be run with exec-oob", r->name);
        return NULL;
    }
    if (rules->preconfig && !(command->flags & QMP_ALLOW_PRECONFIG)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "command '%s' needs the machine, which x-exit-preconfig makes", r->name);
        return NULL;
    }
    if (!qapi_check_args(command, r->args, error)) {
        return NULL;
    }
    return command;
}

static JsonNode *new_reply(const QmpRequest *r, const char *member, JsonNode *value)
{
    JsonObject *object = json_object_new();
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);

    json_object_set_member(object, member, value);
    if (r->id != NULL) {
        json_object_set_member(object, "id", json_node_copy(r->id));
    }
    json_node_take_object(node, object);
    return node;
}

JsonNode *qmp_request_run(const QmpRequest *r, const QmpRules *rules)
{
    g_autoptr(GError) error = NULL;
    const QmpCommand *command = qmp_request_check(r, rules, &error);
    JsonNode *value;

    TRACE(handle_qmp_command, "%s%s", r->name != NULL ? r->name : "(no request)",
          r->oob ? " out of band" : "");
    value = command != NULL ? command->handler(r->args, &error) : NULL;

    if (error != NULL) {
        g_clear_pointer(&value, json_node_unref);
        return qmp_error_reply(r, error);
    }
    if (value == NULL) {
        value = json_node_new(JSON_NODE_OBJECT);
        json_node_take_object(value, json_object_new());
    }
    return new_reply(r, "return", value);
}

/* ---- messages to the client ---- */

static const char *error_class(const GError *error)
{
    if (error->domain == HUMPY_ERROR) {
        switch (error->code) {
        case HUMPY_ERROR_COMMAND_NOT_FOUND:
            return "CommandNotFound";
        case HUMPY_ERROR_DEVICE_NOT_FOUND:
            return "DeviceNotFound";
        case HUMPY_ERROR_DEVICE_NOT_ACTIVE:
            return "DeviceNotActive";
        default:
            break;
        }
    }
    return "GenericError";
}

JsonNode *qmp_error_reply(const QmpRequest *r, const GError *error)
{
    JsonObject *object = json_object_new();
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);
    g_autofree char *text = g_utf8_make_valid(error->message, -1);

    json_object_set_string_member(object, "class", error_class(error));
    json_object_set_string_member(object, "desc", text);
    json_node_take_object(node, object);
    return new_reply(r, "error", node);
}

JsonNode *qmp_version(void)
{
    g_autoptr(JsonBuilder) b = json_builder_new();

    json_builder_begin_object(b);
    json_builder_set_member_name(b, "qemu");
    json_builder_begin_object(b);
    json_builder_set_member_name(b, "micro");
    json_builder_add_int_value(b, 0);
    json_builder_set_member_name(b, "minor");
    json_builder_add_int_value(b, 2);
    json_builder_set_member_name(b, "major");
    json_builder_add_int_value(b, 7);
    json_builder_end_object(b);
    json_builder_set_member_name(b, "package");
    json_builder_add_string_value(b, "Humpy " HUMPY_VERSION);
    json_builder_end_object(b);
    return json_builder_get_root(b);
}

JsonNode *qmp_greeting(bool oob)
{
    g_autoptr(JsonBuilder) b = json_builder_new();

    json_builder_begin_object(b);
    json_builder_set_member_name(b, "QMP");
    json_builder_begin_object(b);
    json_builder_set_member_name(b, "version");
    json_builder_add_value(b, qmp_version());
    json_builder_set_member_name(b, "capabilities");
    json_builder_begin_array(b);
    if (oob) {
        json_builder_add_string_value(b, "oob");
    }
    json_builder_end_array(b);
    json_builder_end_object(b);
    json_builder_end_object(b);
    return json_builder_get_root(b);
}

JsonNode *qmp_event(const char *name, JsonObject *data, gint64 us)
{
    JsonObject *event = json_object_new(), *stamp = json_object_new();
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);

    json_object_set_int_member(stamp, "seconds", us / G_USEC_PER_SEC);
    json_object_set_int_member(stamp, "microseconds", us % G_USEC_PER_SEC);
    json_object_set_object_member(event, "timestamp", stamp);
    json_object_set_string_member(event, "event", name);
    if (data != NULL) {
        json_object_set_object_member(event, "data", json_object_ref(data));
    }
    json_node_take_object(node, event);
    return node;
}

char *qmp_text(JsonNode *message, bool pretty, size_t *len)
{
    g_autoptr(JsonGenerator) generator = json_generator_new();
    GString *out = g_string_new(NULL);

    json_generator_set_root(generator, message);
    json_generator_set_pretty(generator, pretty);
    json_generator_set_indent(generator, 4);
    json_generator_to_gstring(generator, out);
    g_string_append(out, "\r\n");
    *len = out->len;
    return g_string_free(out, FALSE);
}
