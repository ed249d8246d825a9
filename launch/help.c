/* SPDX-License-Identifier: GPL-2.0-or-later
 * Help and the description of the table for other programs (manual, completion, tests).
 */
#include <json-glib/json-glib.h>

#include "config-json.h"
#include "crosvm.h"
#include "util/outcome.h"
#include "verbs.h"

static char *full_name(const Verb *v)
{
    return v->group != NULL ? g_strdup_printf("%s %s", v->group, v->name) : g_strdup(v->name);
}

static void add_summary(GString *out, const Verb *v)
{
    g_autofree char *name = full_name(v);
    g_autofree char *usage = g_strdup_printf("%s%s%s", name, v->words != NULL ? " " : "",
                                             v->words != NULL ? v->words : "");

    g_string_append_printf(out, "  %-36s %s\n", usage, v->summary);
}

char *help_all(const char *group)
{
    GString *out = g_string_new("Usage: humpy COMMAND [options]\n\n");

    for (const Verb *v = verbs; v->name != NULL; v++) {
        if (group == NULL || g_strcmp0(group, v->group) == 0) {
            add_summary(out, v);
        }
    }
    if (group == NULL) {
        g_string_append_printf(out, "  %-36s %s\n", "version", "say which version this is");
    }
    g_string_append(out, "\n'humpy COMMAND --help' tells the options of one.\n");
    return g_string_free(out, FALSE);
}

char *help_verb(const Verb *v)
{
    g_autofree char *name = full_name(v);
    GString *out = g_string_new(NULL);

    g_string_printf(out, "Usage: humpy %s [options]%s%s\n\n", name, v->words != NULL ? " " : "",
                    v->words != NULL ? v->words : "");
    g_string_append_printf(out, "%c%s.%s%s\n\n", g_ascii_toupper(*v->summary), v->summary + 1,
                           v->detail != NULL ? " " : "", v->detail != NULL ? v->detail : "");
    for (const VerbOption *const *array = v->options; *array != NULL; array++) {
        for (const VerbOption *o = *array; o->name != NULL; o++) {
            g_autofree char *usage =
                g_strdup_printf("%s%s%s--%s%s%s", o->letter != NULL ? "-" : "",
                                o->letter != NULL ? o->letter : "", o->letter != NULL ? ", " : "",
                                o->name, o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");

            g_string_append_printf(out, "  %s\n        %s\n", usage, o->summary);
        }
    }
    return g_string_free(out, FALSE);
}

static void add_text(JsonBuilder *b, const char *name, const char *value)
{
    if (value != NULL) {
        json_builder_set_member_name(b, name);
        json_builder_add_string_value(b, value);
    }
}

static void dump_verb(JsonBuilder *b, const Verb *v)
{
    g_autofree char *name = full_name(v);

    json_builder_begin_object(b);
    add_text(b, "name", name);
    add_text(b, "words", v->words);
    add_text(b, "summary", v->summary);
    add_text(b, "detail", v->detail);
    json_builder_set_member_name(b, "options");
    json_builder_begin_array(b);
    for (const VerbOption *const *array = v->options; *array != NULL; array++) {
        for (const VerbOption *o = *array; o->name != NULL; o++) {
            json_builder_begin_object(b);
            add_text(b, "name", o->name);
            add_text(b, "letter", o->letter);
            add_text(b, "arg", o->arg);
            add_text(b, "summary", o->summary);
            json_builder_end_object(b);
        }
    }
    json_builder_end_array(b);
    json_builder_end_object(b);
}

static void dump_crosvm(JsonBuilder *b)
{
    static const char *const fates[] = { "taken", "ignored", "refused" };

    json_builder_set_member_name(b, "crosvm");
    json_builder_begin_array(b);
    for (const CrosvmFlag *f = crosvm_flags; f->name != NULL; f++) {
        json_builder_begin_object(b);
        add_text(b, "name", f->name);
        add_text(b, "letter", f->letter);
        add_text(b, "arg", f->arg);
        add_text(b, "fate", fates[f->fate]);
        add_text(b, "what", f->what);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
}

static void dump_members(JsonBuilder *b)
{
    g_autoptr(GPtrArray) names = config_json_members();

    json_builder_set_member_name(b, "members");
    json_builder_begin_array(b);
    for (unsigned i = 0; i < names->len; i++) {
        json_builder_add_string_value(b, g_ptr_array_index(names, i));
    }
    json_builder_end_array(b);
}

char *help_dump(void)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *text = NULL;

    json_builder_begin_object(b);
    add_text(b, "program", "humpy");
    add_text(b, "version", HUMPY_VERSION);
    json_builder_set_member_name(b, "commands");
    json_builder_begin_array(b);
    for (const Verb *v = verbs; v->name != NULL; v++) {
        dump_verb(b, v);
    }
    json_builder_end_array(b);
    dump_crosvm(b);
    dump_members(b);
    outcome_dump(b);
    json_builder_end_object(b);
    root = json_builder_get_root(b);
    text = json_to_string(root, TRUE);
    return g_strconcat(text, "\n", NULL);
}
