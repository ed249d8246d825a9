/* SPDX-License-Identifier: GPL-2.0-or-later
 * Lines of the human monitor: finding the command, its words, help and completion.
 */
#include "hmp.h"

#include <string.h>

#include "monitor.h"
#include "qapi/qapi.h"
#include "util/error.h"

static bool is_name(const HmpCommand *command, const char *name)
{
    g_auto(GStrv) names = g_strsplit(command->name, "|", -1);

    return g_strv_contains((const char *const *)names, name);
}

const HmpCommand *hmp_find(const HmpCommand *table, const char *name)
{
    for (const HmpCommand *c = table; c->name != NULL; c++) {
        if (is_name(c, name)) {
            return c;
        }
    }
    return NULL;
}

static void set_unknown(GError **error, const HmpCommand *table, const char *prefix,
                        const char *name)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *near;

    for (const HmpCommand *c = table; c->name != NULL; c++) {
        g_ptr_array_add(names, g_strndup(c->name, strcspn(c->name, "|")));
    }
    g_ptr_array_add(names, NULL);
    near = error_nearest(name, (const char *const *)names->pdata);
    if (near != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "unknown command: '%s%.100s' (did you mean '%s%s'?)", prefix, name, prefix,
                    near);
    } else {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "unknown command: '%s%.100s' ('help%s%.*s' lists all)", prefix, name,
                    *prefix != '\0' ? " " : "", (int)strcspn(prefix, " "), prefix);
    }
}

/* ---- running ---- */

static bool split(HmpCall *call, GError **error)
{
    g_autoptr(GError) cause = NULL;
    int n = 0;

    if (*call->rest == '\0') {
        call->words = g_new0(char *, 1);
        return true;
    }
    if (!g_shell_parse_argv(call->rest, &n, &call->words, &cause)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "a quotation mark is not closed");
        return false;
    }
    call->n = n;
    return true;
}

static bool call_command(const HmpCommand *command, HmpCall *call, GError **error)
{
    if (command->max == HMP_REST && command->min == 0) {
        /* It reads rest, which may be in quotation marks as a whole. */
        if (*call->rest == '"' && split(call, NULL) && call->n == 1) {
            call->rest = call->words[0];
        }
        call->n = 0;
    } else if (!split(call, error)) {
        return false;
    }
    if (call->n < command->min || call->n > command->max) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "usage: %.*s%s%s",
                    (int)strcspn(command->name, "|"), command->name,
                    *command->args != '\0' ? " " : "", command->args);
        return false;
    }
    return command->fn(call, error);
}

/* The first word of *line, which moves on to the next one. */
static char *take_word(const char **line)
{
    const char *c = *line;
    char *word;
    size_t n = strcspn(c, " \t");

    /* As QEMU does it, x/4xw is x /4xw. */
    if (n > 1 && (c[0] == 'x' || c[0] == 'p')) {
        n = MIN(n, strcspn(c, "/"));
    }
    word = g_strndup(c, n);
    *line = c + n + strspn(c + n, " \t");
    return word;
}

static bool run(const char *line, GString *out, GError **error)
{
    g_autofree char *text = g_strstrip(g_strdup(line)), *name = NULL, *what = NULL;
    const HmpCommand *table = hmp_commands, *command;
    HmpCall call = { .rest = text, .out = out };
    const char *prefix = "";
    bool ok;

    if (*text == '\0') {
        return true;
    }
    name = take_word(&call.rest);
    if (strcmp(name, "info") == 0 && *call.rest != '\0') {
        what = take_word(&call.rest);
        table = hmp_infos;
        prefix = "info ";
    }
    command = hmp_find(table, what != NULL ? what : name);
    if (command == NULL) {
        set_unknown(error, table, prefix, what != NULL ? what : name);
        return false;
    }
    ok = call_command(command, &call, error);
    g_strfreev(call.words);
    return ok;
}

char *hmp_run(const char *line)
{
    g_autoptr(GError) error = NULL;
    GString *out = g_string_new(NULL);

    if (!run(line, out, &error)) {
        g_string_append_printf(
            out, "%s%s\n",
            g_str_has_prefix(error->message, "unknown command") ? "" : "Error: ", error->message);
    }
    return g_string_free(out, FALSE);
}

bool hmp_qmp(const char *name, JsonObject *args, JsonNode **value, GError **error)
{
    const QmpCommand *command = qmp_command_find(name);
    g_autoptr(JsonObject) taken = args != NULL ? args : json_object_new();
    g_autoptr(JsonNode) node = NULL;
    GError *cause = NULL;

    g_assert(command != NULL);
    if (monitors_phase() != MONITOR_READY && !(command->flags & QMP_ALLOW_PRECONFIG)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "the machine is not made yet");
        return false;
    }
    if (!qapi_check_args(command, taken, error)) {
        return false;
    }
    node = command->handler(taken, &cause);
    if (cause != NULL) {
        g_propagate_error(error, cause);
        return false;
    }
    if (value != NULL) {
        *value = g_steal_pointer(&node);
    }
    return true;
}

/* ---- help and completion ---- */

void hmp_list(GString *out, const HmpCommand *table, const char *prefix)
{
    for (const HmpCommand *c = table; c->name != NULL; c++) {
        g_string_append_printf(out, "%s%s%s%s -- %s\n", prefix, c->name,
                               *c->args != '\0' ? " " : "", c->args, c->help);
    }
}

static void add_names(const HmpCommand *table, const char *begun, GPtrArray *words)
{
    for (const HmpCommand *c = table; c->name != NULL; c++) {
        g_auto(GStrv) names = g_strsplit(c->name, "|", -1);

        for (char **name = names; *name != NULL; name++) {
            if (g_str_has_prefix(*name, begun)) {
                g_ptr_array_add(words, g_strdup(*name));
            }
        }
    }
}

void hmp_complete(const char *line, GPtrArray *words)
{
    g_auto(GStrv) parts = g_strsplit(line, " ", 3);
    const HmpCommand *command;

    if (parts[0] == NULL || parts[1] == NULL) {
        add_names(hmp_commands, parts[0] != NULL ? parts[0] : "", words);
    } else if (parts[2] == NULL && (strcmp(parts[0], "info") == 0)) {
        add_names(hmp_infos, parts[1], words);
    } else if (parts[2] == NULL && (strcmp(parts[0], "help") == 0)) {
        add_names(hmp_commands, parts[1], words);
    } else if (parts[2] == NULL) {
        command = hmp_find(hmp_commands, parts[0]);
        if (command != NULL && command->complete != NULL) {
            command->complete(parts[1], words);
        }
    }
}
