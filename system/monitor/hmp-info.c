/* SPDX-License-Identifier: GPL-2.0-or-later
 * info: what query commands of QMP tell, as lines for humans.
 */
#include <string.h>

#include "accel/accel.h"
#include "hmp-commands.h"
#include "hmp-monitor.h"
#include "memory/memory.h"
#include "util/error.h"
#include "vm.h"

/* The object or array that command returns, or NULL. */
static JsonNode *ask(const char *command, GError **error)
{
    JsonNode *value = NULL;

    return hmp_qmp(command, NULL, &value, error) ? value : NULL;
}

static JsonObject *element(JsonNode *list, unsigned n)
{
    return json_array_get_object_element(json_node_get_array(list), n);
}

static unsigned length(JsonNode *list)
{
    return json_array_get_length(json_node_get_array(list));
}

static const char *text(JsonObject *object, const char *member)
{
    return json_object_get_string_member_with_default(object, member, "");
}

bool hmp_info_version(HmpCall *call, GError **error)
{
    g_string_append(call->out, "Humpy " HUMPY_VERSION "\n");
    return true;
}

bool hmp_info_name(HmpCall *call, GError **error)
{
    g_autoptr(JsonNode) info = ask("query-name", error);
    const char *name;

    if (info == NULL) {
        return false;
    }
    name = text(json_node_get_object(info), "name");
    if (*name != '\0') {
        g_string_append_printf(call->out, "%s\n", name);
    }
    return true;
}

bool hmp_info_uuid(HmpCall *call, GError **error)
{
    g_autoptr(JsonNode) info = ask("query-uuid", error);

    if (info == NULL) {
        return false;
    }
    g_string_append_printf(call->out, "%s\n", text(json_node_get_object(info), "UUID"));
    return true;
}

bool hmp_info_status(HmpCall *call, GError **error)
{
    g_autoptr(JsonNode) info = ask("query-status", error);
    JsonObject *status;
    bool running;

    if (info == NULL) {
        return false;
    }
    status = json_node_get_object(info);
    running = json_object_get_boolean_member(status, "running");
    g_string_append_printf(call->out, "VM status: %s", running ? "running" : "paused");
    if (!running && strcmp(text(status, "status"), "paused") != 0) {
        g_string_append_printf(call->out, " (%s)", text(status, "status"));
    }
    g_string_append_c(call->out, '\n');
    return true;
}

static void append_stats(GString *out, JsonObject *vcpu)
{
    g_autoptr(GList) members = json_object_get_members(vcpu);

    g_string_append_printf(out, "vCPU %" G_GINT64_FORMAT ":",
                           json_object_get_int_member(vcpu, "cpu-index"));
    for (GList *m = members->next; m != NULL; m = m->next) {
        gint64 n = json_object_get_int_member(vcpu, m->data);

        if (n != 0) {
            g_string_append_printf(out, " %s %" G_GINT64_FORMAT, (const char *)m->data, n);
        }
    }
    g_string_append_c(out, '\n');
}

static void append_device(GString *out, JsonObject *d)
{
    gint64 accesses = json_object_get_int_member(d, "accesses");
    gint64 rings = json_object_get_int_member(d, "rings");

    if (accesses != 0 || rings != 0) {
        g_string_append_printf(out,
                               "%016" G_GINT64_MODIFIER "x %s: %" G_GINT64_FORMAT
                               " accesses, %" G_GINT64_FORMAT " doorbells, %" G_GINT64_FORMAT
                               " rings\n",
                               (guint64)json_object_get_int_member(d, "addr"), text(d, "name"),
                               accesses, json_object_get_int_member(d, "ioeventfds"), rings);
    }
}

bool hmp_info_accel(HmpCall *call, GError **error)
{
    g_autoptr(JsonNode) info = ask("x-query-accel-stats", error);
    JsonArray *vcpus, *devices;

    if (info == NULL) {
        return false;
    }
    g_string_append_printf(call->out, "accelerator: %s\n",
                           text(json_node_get_object(info), "accel"));
    vcpus = json_object_get_array_member(json_node_get_object(info), "vcpus");
    for (unsigned i = 0; i < json_array_get_length(vcpus); i++) {
        append_stats(call->out, json_array_get_object_element(vcpus, i));
    }
    devices = json_object_get_array_member(json_node_get_object(info), "devices");
    for (unsigned i = 0; i < json_array_get_length(devices); i++) {
        append_device(call->out, json_array_get_object_element(devices, i));
    }
    return true;
}

bool hmp_info_irq(HmpCall *call, GError **error)
{
    g_autoptr(JsonNode) info = ask("x-query-accel-stats", error);

    if (info == NULL) {
        return false;
    }
    g_string_append_printf(call->out,
                           "%" G_GINT64_FORMAT " lines into the accelerator, %" G_GINT64_FORMAT
                           " changes of level\n",
                           json_object_get_int_member(json_node_get_object(info), "irq-lines"),
                           json_object_get_int_member(json_node_get_object(info), "irq-changes"));
    return true;
}

bool hmp_info_kvm(HmpCall *call, GError **error)
{
    g_autoptr(JsonNode) info = ask("query-kvm", error);
    JsonObject *kvm;

    if (info == NULL) {
        return false;
    }
    kvm = json_node_get_object(info);
    g_string_append_printf(call->out, "kvm support: %s\n",
                           json_object_get_boolean_member(kvm, "enabled")   ? "enabled"
                           : json_object_get_boolean_member(kvm, "present") ? "disabled"
                                                                            : "not compiled");
    return true;
}

bool hmp_info_mtree(HmpCall *call, GError **error)
{
    bool flat = false;

    for (unsigned i = 0; i < call->n; i++) {
        if (strcmp(call->words[i], "-f") != 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "'%s' is no flag (-f is one)",
                        call->words[i]);
            return false;
        }
        flat = true;
    }
    memory_print_tree(call->out, flat);
    return true;
}

bool hmp_info_cpus(HmpCall *call, GError **error)
{
    g_autoptr(JsonNode) list = ask("query-cpus-fast", error);

    if (list == NULL) {
        return false;
    }
    for (unsigned i = 0; i < length(list); i++) {
        JsonObject *cpu = element(list, i);

        g_string_append_printf(call->out,
                               "%c CPU #%" G_GINT64_FORMAT ": thread_id=%" G_GINT64_FORMAT "\n",
                               i == 0 ? '*' : ' ', json_object_get_int_member(cpu, "cpu-index"),
                               json_object_get_int_member(cpu, "thread-id"));
    }
    return true;
}

static void append_disk(GString *out, JsonObject *disk)
{
    JsonObject *inserted = json_object_get_object_member(disk, "inserted");
    JsonObject *cache = json_object_get_object_member(inserted, "cache");
    bool writeback = json_object_get_boolean_member(cache, "writeback");
    bool direct = json_object_get_boolean_member(cache, "direct");

    g_string_append_printf(out, "%s (%s): %s (%s%s)\n", text(disk, "device"),
                           text(inserted, "node-name"), text(inserted, "file"),
                           text(inserted, "drv"),
                           json_object_get_boolean_member(inserted, "ro") ? ", read-only" : "");
    if (json_object_has_member(disk, "qdev")) {
        g_string_append_printf(out, "    Attached to:      %s\n", text(disk, "qdev"));
    }
    g_string_append_printf(out, "    Cache mode:       %s%s%s\n",
                           writeback ? "writeback" : "writethrough", direct ? ", direct" : "",
                           json_object_get_boolean_member(cache, "no-flush") ? ", ignore flushes"
                                                                             : "");
}

bool hmp_info_block(HmpCall *call, GError **error)
{
    g_autoptr(JsonNode) list = ask("query-block", error);

    if (list == NULL) {
        return false;
    }
    for (unsigned i = 0; i < length(list); i++) {
        append_disk(call->out, element(list, i));
    }
    return true;
}

bool hmp_info_chardev(HmpCall *call, GError **error)
{
    g_autoptr(JsonNode) list = ask("query-chardev", error);

    if (list == NULL) {
        return false;
    }
    for (unsigned i = 0; i < length(list); i++) {
        g_string_append_printf(call->out, "%s: filename=%s\n", text(element(list, i), "label"),
                               text(element(list, i), "filename"));
    }
    return true;
}

bool hmp_info_memory_size(HmpCall *call, GError **error)
{
    g_autoptr(JsonNode) info = ask("query-memory-size-summary", error);

    if (info == NULL) {
        return false;
    }
    g_string_append_printf(call->out, "base memory: %" G_GINT64_FORMAT "\n",
                           json_object_get_int_member(json_node_get_object(info), "base-memory"));
    return true;
}

bool hmp_info_trace_events(HmpCall *call, GError **error)
{
    JsonObject *args = json_object_new();
    JsonNode *value = NULL;
    g_autoptr(JsonNode) list = NULL;

    json_object_set_string_member(args, "name", call->n > 0 ? call->words[0] : "*");
    if (!hmp_qmp("trace-event-get-state", args, &value, error)) {
        return false;
    }
    list = value;
    for (unsigned i = 0; i < length(list); i++) {
        g_string_append_printf(call->out, "%s : state %d\n", text(element(list, i), "name"),
                               strcmp(text(element(list, i), "state"), "enabled") == 0);
    }
    return true;
}

bool hmp_info_history(HmpCall *call, GError **error)
{
    const char *line;

    for (unsigned i = 0; (line = hmp_monitor_history(i)) != NULL; i++) {
        g_string_append_printf(call->out, "%u: '%s'\n", i, line);
    }
    return true;
}
