/* SPDX-License-Identifier: GPL-2.0-or-later
 * 'vm list' and 'vm info': what is known of running VMs, from the file that was written when they
 * were started and from their monitors.
 */
#include <stdio.h>
#include <string.h>

#include "place.h"
#include "qmp.h"
#include "run.h"
#include "util/error.h"
#include "verbs.h"

enum { LIST_PATIENCE_MS = 500, INFO_PATIENCE_MS = 5000 };

/* The file, or an empty object. */
static JsonObject *read_info(const Place *p)
{
    g_autofree char *text = NULL;
    g_autoptr(JsonNode) root = NULL;

    if (g_file_get_contents(p->info, &text, NULL, NULL)) {
        root = json_from_string(text, NULL);
    }
    if (root == NULL || !JSON_NODE_HOLDS_OBJECT(root)) {
        return json_object_new();
    }
    return json_node_dup_object(root);
}

static char *ask_status(Qmp *qmp)
{
    g_autoptr(JsonNode) node = qmp_run(qmp, "query-status", NULL);

    if (node == NULL || !JSON_NODE_HOLDS_OBJECT(node)) {
        return g_strdup("no-answer");
    }
    return g_strdup(json_object_get_string_member_with_default(json_node_get_object(node), "status",
                                                               "no-answer"));
}

static JsonObject *describe(const Place *p, Qmp *qmp)
{
    g_autoptr(JsonObject) file = read_info(p);
    JsonObject *info = json_object_new();
    g_autofree char *status = qmp != NULL ? ask_status(qmp) : g_strdup("no-answer");
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;

    json_object_set_string_member(info, "name", p->name);
    json_object_set_int_member(info, "pid", place_pid(p));
    json_object_set_string_member(info, "status", status);
    json_object_set_string_member(info, "directory", p->dir);
    json_object_iter_init_ordered(&iter, file);
    while (json_object_iter_next_ordered(&iter, &name, &node)) {
        if (!json_object_has_member(info, name)) {
            json_object_set_member(info, name, json_node_copy(node));
        }
    }
    return info;
}

static void print_json(JsonNode *node)
{
    g_autofree char *text = json_to_string(node, TRUE);

    puts(text);
}

static void print_row(JsonObject *vm)
{
    gint64 started = json_object_get_int_member_with_default(vm, "started", 0);
    gint64 up = MAX(g_get_real_time() / G_USEC_PER_SEC - started, 0);
    g_autofree char *time =
        g_strdup_printf("%d:%02d:%02d", (int)(up / 3600), (int)(up / 60 % 60), (int)(up % 60));

    printf("%-16s %8d  %-12s %-8s %4d %8d  %-9s %9s\n", json_object_get_string_member(vm, "name"),
           (int)json_object_get_int_member(vm, "pid"), json_object_get_string_member(vm, "status"),
           json_object_get_string_member_with_default(vm, "arch", "?"),
           (int)json_object_get_int_member_with_default(vm, "cpus", 0),
           (int)json_object_get_int_member_with_default(vm, "memory_mib", 0),
           json_object_get_boolean_member_with_default(vm, "protected", false) ? "yes" : "no",
           time);
}

int run_list(Request *r, GError **error)
{
    g_autoptr(GPtrArray) places = place_list(error);
    g_autoptr(JsonNode) root = NULL;
    JsonArray *all;

    if (places == NULL) {
        return -1;
    }
    all = json_array_new();
    for (unsigned i = 0; i < places->len; i++) {
        const Place *p = g_ptr_array_index(places, i);
        g_autoptr(Qmp) qmp = qmp_open(p->qmp, LIST_PATIENCE_MS, NULL);

        json_array_add_object_element(all, describe(p, qmp));
    }
    root = json_node_init_array(json_node_alloc(), all);
    json_array_unref(all);
    if (r->json) {
        print_json(root);
        return 0;
    }
    printf("%-16s %8s  %-12s %-8s %4s %8s  %-9s %9s\n", "NAME", "PID", "STATUS", "ARCH", "CPUS",
           "MIB", "PROTECTED", "UP");
    for (unsigned i = 0; i < json_array_get_length(all); i++) {
        print_row(json_array_get_object_element(all, i));
    }
    return 0;
}

/* ---- vm info ---- */

static void print_value(const char *name, JsonNode *node, int indent);

static void print_members(JsonObject *object, int indent)
{
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;

    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &name, &node)) {
        print_value(name, node, indent);
    }
}

static bool is_texts(JsonArray *array)
{
    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        if (json_node_get_value_type(json_array_get_element(array, i)) != G_TYPE_STRING) {
            return false;
        }
    }
    return json_array_get_length(array) > 0;
}

/* On one line, as a shell takes it. */
static void print_command(const char *name, JsonArray *array, int indent)
{
    printf("%*s%s:", indent, "", name);
    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        g_autofree char *word = run_quote(json_array_get_string_element(array, i));

        printf(" %s", word);
    }
    putchar('\n');
}

static void print_value(const char *name, JsonNode *node, int indent)
{
    if (JSON_NODE_HOLDS_OBJECT(node)) {
        printf("%*s%s:\n", indent, "", name);
        print_members(json_node_get_object(node), indent + 2);
    } else if (JSON_NODE_HOLDS_ARRAY(node) && is_texts(json_node_get_array(node))) {
        print_command(name, json_node_get_array(node), indent);
    } else if (JSON_NODE_HOLDS_ARRAY(node)) {
        JsonArray *array = json_node_get_array(node);

        for (unsigned i = 0; i < json_array_get_length(array); i++) {
            g_autofree char *element = g_strdup_printf("%s[%u]", name, i);

            print_value(element, json_array_get_element(array, i), indent);
        }
    } else {
        g_autofree char *text =
            JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
                ? json_node_dup_string(node)
                : json_to_string(node, FALSE);

        printf("%*s%s: %s\n", indent, "", name, text);
    }
}

static void readable_time(JsonObject *info)
{
    gint64 started = json_object_get_int_member_with_default(info, "started", 0);
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(started);
    g_autofree char *text = time != NULL ? g_date_time_format(time, "%F %T") : NULL;

    if (text != NULL && started != 0) {
        json_object_set_string_member(info, "started", text);
    }
}

int run_info(Request *r, GError **error)
{
    static const char *const queries[] = { "query-version",
                                           "query-block",
                                           "query-cpus-fast",
                                           "query-chardev",
                                           "query-memory-size-summary",
                                           "query-blockstats",
                                           "query-balloon" };
    g_autoptr(Place) p = place_find(g_ptr_array_index(r->words, 0), error);
    g_autoptr(Qmp) qmp = NULL;
    g_autoptr(GError) cause = NULL;
    g_autoptr(JsonNode) root = NULL;
    JsonObject *info;

    if (p == NULL) {
        return -1;
    }
    qmp = qmp_open(p->qmp, INFO_PATIENCE_MS, &cause);
    info = describe(p, qmp);
    root = json_node_init_object(json_node_alloc(), info);
    json_object_unref(info);
    if (qmp == NULL) {
        g_warning("%s", cause->message);
    }
    for (unsigned i = 0; qmp != NULL && i < G_N_ELEMENTS(queries); i++) {
        JsonNode *answer = qmp_run(qmp, queries[i], NULL);

        if (answer != NULL) { /* a VM need not have a balloon */
            json_object_set_member(info, queries[i] + strlen("query-"), answer);
        }
    }
    if (r->json) {
        print_json(root);
    } else {
        readable_time(info);
        print_members(info, 0);
    }
    return 0;
}
