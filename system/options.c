/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reading argv with the table of options, and the texts made from the table. The table itself is
 * in option-table.c.
 */
#include "options.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "accel/accel-impl.h"
#include "chardev/chardev.h"
#include "hw/core/machine.h"
#include "util/error.h"
#include "util/outcome.h"
#include "util/target.h"

void options_set_program(VmConfig *config, Program program)
{
    if (program == PROGRAM_EXPORT) {
        target_set_program("humpy-export");
        option_sections = option_sections_export;
        config->machine = g_strdup("none");
        config->nodefaults = true;
        config->display_none = true;
    }
}

const Option *options_find(const char *name)
{
    for (const OptionSection *s = option_sections; s->title != NULL; s++) {
        for (const Option *o = s->options; o->name != NULL; o++) {
            if (strcmp(o->name, name) == 0 || g_strcmp0(o->alias, name) == 0) {
                return o;
            }
        }
    }
    return NULL;
}

static void set_unknown(GError **error, const char *typed, const char *name)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *near;

    for (const OptionSection *s = option_sections; s->title != NULL; s++) {
        for (const Option *o = s->options; o->name != NULL; o++) {
            g_ptr_array_add(names, (void *)o->name);
        }
    }
    g_ptr_array_add(names, NULL);
    near = error_nearest(name, (const char *const *)names->pdata);
    if (near != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "%s: there is no such option (did you mean '-%s'?)", typed, near);
    } else {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "%s: there is no such option (-help lists all)", typed);
    }
}

/* Every text that later ends up in one line of an error message. */
static bool check_text(const char *typed, const char *text, GError **error)
{
    if (!g_utf8_validate(text, -1, NULL)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "%s: its argument is not UTF-8 text",
                    typed);
        return false;
    }
    return true;
}

/* The word at *i if the option typed takes one, which *i then moves on to; else *arg is NULL. */
static bool take_argument(const char *typed, const char *synopsis, int argc, char **argv, int *i,
                          const char **arg, GError **error)
{
    *arg = NULL;
    if (synopsis == NULL) {
        return true;
    }
    if (*i + 1 == argc) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "%s: its argument is missing (%s)",
                    typed, synopsis);
        return false;
    }
    *arg = argv[++*i];
    return check_text(typed, *arg, error);
}

bool options_parse(VmConfig *config, int argc, char **argv, GError **error)
{
    for (int i = 1; i < argc; i++) {
        const char *typed = argv[i], *arg;
        const char *name = g_str_has_prefix(typed, "--") ? typed + 2 : typed + 1;
        const ForeignOption *foreign = NULL;
        const Option *option;

        if (*typed != '-' || *name == '\0') {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                        "'%s' is not an option (disks are given with -drive)", typed);
            return false;
        }
        option = options_find(name);
        if (option == NULL) {
            foreign = foreign_find(name);
        }
        if (option == NULL && foreign == NULL) {
            set_unknown(error, typed, name);
            return false;
        }
        if (!take_argument(typed, option != NULL ? option->arg : foreign->arg, argc, argv, &i, &arg,
                           error)) {
            return false;
        }
        if (option != NULL ? !option->handler(config, arg, error)
                           : !foreign_take(foreign, config, typed, arg, error)) {
            g_prefix_error(error, "%s%s%s: ", typed, arg != NULL ? " " : "",
                           arg != NULL ? arg : "");
            return false;
        }
        if (config->output != NULL) {
            return true;
        }
    }
    return true;
}

char *options_help(void)
{
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "usage: %s [options]\n", target_program());
    for (const OptionSection *s = option_sections; s->title != NULL; s++) {
        g_string_append_printf(out, "\n%s:\n", s->title);
        for (const Option *o = s->options; o->name != NULL; o++) {
            g_autofree char *head =
                g_strdup_printf("-%s%s%s%s%s", o->name, o->alias != NULL ? " or -" : "",
                                o->alias != NULL ? o->alias : "", o->arg != NULL ? " " : "",
                                o->arg != NULL ? o->arg : "");

            g_string_append_printf(out, strlen(head) < 24 ? "%-24s%s\n" : "%s\n%24s%s\n", head,
                                   strlen(head) < 24 ? o->summary : "", o->summary);
        }
    }
    if (options_find("serial") != NULL) {
        g_string_append(out, "\nCtrl-A h on the serial console lists its keys; Ctrl-A x leaves.\n");
    }
    return g_string_free(out, FALSE);
}

/* ---- the dump ---- */

static void add_string(JsonBuilder *b, const char *name, const char *value)
{
    if (value != NULL) {
        json_builder_set_member_name(b, name);
        json_builder_add_string_value(b, value);
    }
}

static void add_text(JsonBuilder *b, const char *name, char *taken)
{
    add_string(b, name, taken);
    g_free(taken);
}

static void dump_options(JsonBuilder *b)
{
    json_builder_set_member_name(b, "sections");
    json_builder_begin_array(b);
    for (const OptionSection *s = option_sections; s->title != NULL; s++) {
        json_builder_begin_object(b);
        add_string(b, "title", s->title);
        json_builder_set_member_name(b, "options");
        json_builder_begin_array(b);
        for (const Option *o = s->options; o->name != NULL; o++) {
            json_builder_begin_object(b);
            add_string(b, "name", o->name);
            add_string(b, "alias", o->alias);
            add_string(b, "arg", o->arg);
            add_string(b, "summary", o->summary);
            add_string(b, "detail", o->detail);
            json_builder_end_object(b);
        }
        json_builder_end_array(b);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
}

static const char *prop_kind(const Prop *row)
{
    switch (row->kind) {
    case PROP_KIND_BOOL:
        return "on|off";
    case PROP_KIND_U32:
    case PROP_KIND_U64:
        return "number";
    case PROP_KIND_SIZE:
        return "size";
    case PROP_KIND_STRING:
        return "text";
    case PROP_KIND_ENUM:
        return "choice";
    case PROP_KIND_ONOFFAUTO:
        return "on|off|auto";
    }
    g_assert_not_reached();
}

typedef struct {
    JsonBuilder *b;
    GObject *example; /* whose values are the defaults */
} PropDump;

static void dump_prop(const Prop *row, void *opaque)
{
    PropDump *dump = opaque;
    g_autofree char *value = props_get_str(dump->example, row->name);
    g_autofree char *choices = NULL;

    json_builder_begin_object(dump->b);
    add_string(dump->b, "name", row->name);
    add_string(dump->b, "kind", prop_kind(row));
    if (row->kind == PROP_KIND_ENUM) {
        choices = g_strjoinv("|", (char **)row->names);
        add_string(dump->b, "choices", choices);
    }
    add_string(dump->b, "default", value);
    add_string(dump->b, "help", row->help);
    json_builder_end_object(dump->b);
}

static void dump_type(JsonBuilder *b, const char *name, const char *summary, GType type)
{
    g_autoptr(GObject) example = g_object_new(type, NULL);
    PropDump dump = { b, example };

    json_builder_begin_object(b);
    add_string(b, "name", name);
    add_string(b, "summary", summary);
    json_builder_set_member_name(b, "properties");
    json_builder_begin_array(b);
    props_foreach(G_OBJECT_GET_CLASS(example), dump_prop, &dump);
    json_builder_end_array(b);
    json_builder_end_object(b);
}

static void dump_types_below(JsonBuilder *b, GType type)
{
    g_autofree GType *children = g_type_children(type, NULL);

    if (!G_TYPE_IS_ABSTRACT(type)) {
        gpointer klass = g_type_class_ref(type);

        if (g_type_is_a(type, TYPE_ACCEL)) {
            const AccelClass *ac = klass;

            if (target_offers(ac->targets)) {
                dump_type(b, ac->name, ac->summary, type);
            }
        } else if (g_type_is_a(type, TYPE_MACHINE)) {
            const MachineClass *mc = HUMPY_MACHINE_CLASS(klass);

            if (target_offers(mc->targets)) {
                dump_type(b, mc->name, mc->summary, type);
            }
        } else if (HUMPY_DEVICE_CLASS(klass)->user_creatable) {
            dump_type(b, g_type_name(type), HUMPY_DEVICE_CLASS(klass)->summary, type);
        }
        g_type_class_unref(klass);
    }
    for (GType *child = children; *child != 0; child++) {
        dump_types_below(b, *child);
    }
}

static void dump_types(JsonBuilder *b, const char *name, GType base)
{
    json_builder_set_member_name(b, name);
    json_builder_begin_array(b);
    dump_types_below(b, base);
    json_builder_end_array(b);
}

char *options_dump(void)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *text = NULL;

    json_builder_begin_object(b);
    add_string(b, "version", HUMPY_VERSION);
    add_string(b, "program", target_program());
    add_string(b, "target", target_name());
    dump_options(b);
    outcome_dump(b);
    add_text(b, "accel-help", accel_help()); /* registers the types, too */
    add_text(b, "chardev-help", chardev_help());
    dump_types(b, "accelerators", TYPE_ACCEL);
    dump_types(b, "machines", TYPE_MACHINE);
    dump_types(b, "devices", TYPE_DEVICE);
    json_builder_end_object(b);
    root = json_builder_get_root(b);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    text = json_generator_to_data(generator, NULL);
    return g_strconcat(text, "\n", NULL);
}
