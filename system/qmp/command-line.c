/* SPDX-License-Identifier: GPL-2.0-or-later
 * query-command-line-options: the table of options, with the parameters their synopses name.
 */
#include <string.h>

#include "node.h"
#include "options.h"
#include "qapi-commands.h"
#include "util/error.h"

static bool is_word(char c)
{
    return g_ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
}

/* The word that ends before end. */
static char *word_before(const char *start, const char *end)
{
    const char *c = end;

    while (c > start && is_word(c[-1])) {
        c--;
    }
    return g_strndup(c, end - c);
}

static void add_parameter(JsonArray *all, const char *name, const char *value)
{
    JsonObject *info = json_object_new();

    json_object_set_string_member(info, "name", name);
    json_object_set_string_member(info, "type",
                                  g_str_has_prefix(value, "on|off") ? "boolean" : "string");
    json_array_add_object_element(all, info);
}

/* Each "word=" or "[word=]" of a synopsis in lower case: "[size=]SIZE,slots=N". */
static JsonArray *parameters_of(const Option *option)
{
    JsonArray *all = json_array_new();
    const char *synopsis = option->arg != NULL ? option->arg : "";

    for (const char *c = strchr(synopsis, '='); c != NULL; c = strchr(c + 1, '=')) {
        g_autofree char *word = word_before(synopsis, c);

        if (*word != '\0' && !g_ascii_isupper(*word)) {
            add_parameter(all, word, c + 1 + (c[1] == ']'));
        }
    }
    return all;
}

JsonNode *qmp_query_command_line_options(JsonObject *args, GError **error)
{
    const char *wanted = json_object_get_string_member_with_default(args, "option", NULL);
    JsonArray *all = json_array_new();

    for (const OptionSection *s = option_sections; s->title != NULL; s++) {
        for (const Option *o = s->options; o->name != NULL; o++) {
            JsonObject *info;

            if (wanted != NULL && strcmp(o->name, wanted) != 0) {
                continue;
            }
            info = json_object_new();
            json_object_set_string_member(info, "option", o->name);
            json_object_set_array_member(info, "parameters", parameters_of(o));
            json_array_add_object_element(all, info);
        }
    }
    if (wanted != NULL && json_array_get_length(all) == 0) {
        json_array_unref(all);
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no option '%s'", wanted);
        return NULL;
    }
    return node_array(all);
}
