/* SPDX-License-Identifier: GPL-2.0-or-later
 * Property tables on GObject: the row is found from the GParamSpec, the field from the row.
 */
#include "util/props.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "util/error.h"

static const char *const onoffauto_names[] = { "auto", "on", "off", NULL };

static GQuark row_quark(void)
{
    return g_quark_from_static_string("humpy-prop-row");
}

static void *field(GObject *obj, const Prop *row)
{
    return (char *)obj + row->offset;
}

static const char *const *row_names(const Prop *row)
{
    return row->kind == PROP_KIND_ONOFFAUTO ? onoffauto_names : row->names;
}

static void set_property(GObject *obj, guint id, const GValue *value, GParamSpec *spec)
{
    const Prop *row = g_param_spec_get_qdata(spec, row_quark());

    switch (row->kind) {
    case PROP_KIND_BOOL:
        *(bool *)field(obj, row) = g_value_get_boolean(value);
        break;
    case PROP_KIND_U32:
        *(uint32_t *)field(obj, row) = g_value_get_uint(value);
        break;
    case PROP_KIND_U64:
    case PROP_KIND_SIZE:
        *(uint64_t *)field(obj, row) = g_value_get_uint64(value);
        break;
    case PROP_KIND_STRING:
        g_free(*(char **)field(obj, row));
        *(char **)field(obj, row) = g_value_dup_string(value);
        break;
    case PROP_KIND_ENUM:
    case PROP_KIND_ONOFFAUTO:
        *(int *)field(obj, row) = g_value_get_int(value);
        break;
    }
}

static void get_property(GObject *obj, guint id, GValue *value, GParamSpec *spec)
{
    const Prop *row = g_param_spec_get_qdata(spec, row_quark());

    switch (row->kind) {
    case PROP_KIND_BOOL:
        g_value_set_boolean(value, *(bool *)field(obj, row));
        break;
    case PROP_KIND_U32:
        g_value_set_uint(value, *(uint32_t *)field(obj, row));
        break;
    case PROP_KIND_U64:
    case PROP_KIND_SIZE:
        g_value_set_uint64(value, *(uint64_t *)field(obj, row));
        break;
    case PROP_KIND_STRING:
        g_value_set_string(value, *(char **)field(obj, row));
        break;
    case PROP_KIND_ENUM:
    case PROP_KIND_ONOFFAUTO:
        g_value_set_int(value, *(int *)field(obj, row));
        break;
    }
}

static GParamSpec *make_spec(const Prop *row)
{
    /* Not STATIC_NAME: GObject writes its own "-" for the "_" that some of QEMU's names have. */
    GParamFlags flags =
        G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_NICK | G_PARAM_STATIC_BLURB;

    switch (row->kind) {
    case PROP_KIND_BOOL:
        return g_param_spec_boolean(row->name, NULL, row->help, row->def != 0, flags);
    case PROP_KIND_U32:
        return g_param_spec_uint(row->name, NULL, row->help, row->min, row->max, row->def, flags);
    case PROP_KIND_U64:
    case PROP_KIND_SIZE:
        return g_param_spec_uint64(row->name, NULL, row->help, row->min, row->max, row->def, flags);
    case PROP_KIND_STRING:
        return g_param_spec_string(row->name, NULL, row->help, row->def_str, flags);
    case PROP_KIND_ENUM:
    case PROP_KIND_ONOFFAUTO:
        return g_param_spec_int(row->name, NULL, row->help, 0,
                                g_strv_length((char **)row_names(row)) - 1, row->def, flags);
    }
    g_assert_not_reached();
}

void props_install(GObjectClass *klass, const Prop *rows, unsigned n)
{
    klass->set_property = set_property;
    klass->get_property = get_property;
    for (unsigned i = 0; i < n; i++) {
        GParamSpec *spec = make_spec(&rows[i]);

        g_param_spec_set_qdata(spec, row_quark(), (void *)&rows[i]);
        g_object_class_install_property(klass, i + 1, spec);
    }
}

void props_foreach(GObjectClass *klass, PropsFn fn, void *opaque)
{
    guint n;
    g_autofree GParamSpec **specs = g_object_class_list_properties(klass, &n);

    for (guint i = 0; i < n; i++) {
        const Prop *row = g_param_spec_get_qdata(specs[i], row_quark());

        if (row != NULL) {
            fn(row, opaque);
        }
    }
}

static void add_name(const Prop *row, void *opaque)
{
    g_ptr_array_add(opaque, (void *)row->name);
}

const Prop *props_find(GObjectClass *klass, const char *name)
{
    GParamSpec *spec = g_object_class_find_property(klass, name);

    return spec != NULL ? g_param_spec_get_qdata(spec, row_quark()) : NULL;
}

static const Prop *find_row(GObjectClass *klass, const char *name, GError **error)
{
    const Prop *row = props_find(klass, name);

    if (row == NULL) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();

        props_foreach(klass, add_name, names);
        g_ptr_array_add(names, NULL);
        error_set_unknown(error, "property", name, (const char *const *)names->pdata);
    }
    return row;
}

bool props_parse_u64(const char *text, uint64_t *value, GError **error)
{
    char *end = NULL;
    uint64_t v = 0;

    errno = 0;
    if (g_ascii_isdigit(*text)) { /* no sign, no blanks */
        v = g_ascii_strtoull(text, &end, 0);
    }
    if (errno != 0 || end == NULL || *end != '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "'%s' is not a number", text);
        return false;
    }
    *value = v;
    return true;
}

/* A number, its decimal fraction, and the rest of text. */
static bool take_number(const char *text, uint64_t *whole, double *fraction, const char **rest)
{
    bool hex = text[0] == '0' && g_ascii_tolower(text[1]) == 'x';
    g_autofree char *digits = NULL;
    char *end;
    size_t n;

    *fraction = 0;
    if (!g_ascii_isdigit(*text)) {
        return false;
    }
    errno = 0;
    *whole = g_ascii_strtoull(text, &end, hex ? 16 : 10);
    if (errno == 0 && *end == '.' && !hex) {
        n = strspn(end + 1, "0123456789");
        if (n == 0) {
            return false;
        }
        digits = g_strndup(end, n + 1); /* else strtod() would take an exponent, too */
        *fraction = g_ascii_strtod(digits, NULL);
        end += n + 1;
    }
    *rest = end;
    return errno == 0;
}

bool props_parse_size(const char *text, char suffix, uint64_t *bytes, GError **error)
{
    static const char letters[] = "BKMGTPE";
    int shift = suffix != '\0' ? (int)(strchr(letters, suffix) - letters) * 10 : 0;
    const char *rest;
    uint64_t whole, part;
    double fraction;

    if (!take_number(text, &whole, &fraction, &rest)) {
        goto syntax;
    }
    if (*rest != '\0') {
        const char *at = strchr(letters, g_ascii_toupper(*rest));

        if (at == NULL) {
            goto syntax;
        }
        shift = (int)(at - letters) * 10;
        rest++;
        if (shift > 0 && g_ascii_strcasecmp(rest, "iB") == 0) {
            rest += 2;
        }
    }
    if (*rest != '\0' || (fraction > 0 && shift == 0)) {
        goto syntax;
    }
    part = (uint64_t)ldexp(fraction, shift); /* at most 2^60 */
    if (whole > (UINT64_MAX >> shift) || part > UINT64_MAX - (whole << shift)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "size '%s' does not fit in 64 bits",
                    text);
        return false;
    }
    *bytes = (whole << shift) + part;
    return true;
syntax:
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                "'%s' is not a size (a number with an optional suffix K, M, G or T)", text);
    return false;
}

bool props_parse_bool(const char *text, bool *value)
{
    static const char *const yes[] = { "on", "yes", "true", "y", NULL };
    static const char *const no[] = { "off", "no", "false", "n", NULL };

    if (g_strv_contains(yes, text)) {
        *value = true;
        return true;
    }
    *value = false;
    return g_strv_contains(no, text);
}

static bool parse_name(const Prop *row, const char *value, int *index, GError **error)
{
    const char *const *names = row_names(row);
    g_autofree char *all = NULL;

    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], value) == 0) {
            *index = i;
            return true;
        }
    }
    all = g_strjoinv(", ", (char **)names);
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "%s is '%s' but must be one of: %s",
                row->name, value, all);
    return false;
}

bool props_set_str(GObject *obj, const char *name, const char *value, GError **error)
{
    const Prop *row = find_row(G_OBJECT_GET_CLASS(obj), name, error);
    uint64_t number;
    bool flag;
    int index;

    if (row == NULL) {
        return false;
    }
    switch (row->kind) {
    case PROP_KIND_BOOL:
        if (!props_parse_bool(value, &flag)) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "%s is '%s' but must be on or off",
                        name, value);
            return false;
        }
        g_object_set(obj, name, (gboolean)flag, NULL);
        return true;
    case PROP_KIND_U32:
    case PROP_KIND_U64:
    case PROP_KIND_SIZE:
        if (row->kind == PROP_KIND_SIZE ? !props_parse_size(value, '\0', &number, error)
                                        : !props_parse_u64(value, &number, error)) {
            g_prefix_error(error, "%s: ", name);
            return false;
        }
        if (number < row->min || number > row->max) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                        "%s is %s but must be %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, name,
                        value, row->min, row->max);
            return false;
        }
        if (row->kind == PROP_KIND_U32) {
            g_object_set(obj, name, (guint)number, NULL);
        } else {
            g_object_set(obj, name, (guint64)number, NULL);
        }
        return true;
    case PROP_KIND_STRING:
        g_object_set(obj, name, value, NULL);
        return true;
    case PROP_KIND_ENUM:
    case PROP_KIND_ONOFFAUTO:
        if (!parse_name(row, value, &index, error)) {
            return false;
        }
        g_object_set(obj, name, index, NULL);
        return true;
    }
    g_assert_not_reached();
}

char *props_get_str(GObject *obj, const char *name)
{
    const Prop *row = find_row(G_OBJECT_GET_CLASS(obj), name, NULL);

    if (row == NULL) {
        return NULL;
    }
    switch (row->kind) {
    case PROP_KIND_BOOL:
        return g_strdup(*(bool *)field(obj, row) ? "on" : "off");
    case PROP_KIND_U32:
        return g_strdup_printf("%u", *(uint32_t *)field(obj, row));
    case PROP_KIND_U64:
    case PROP_KIND_SIZE:
        return g_strdup_printf("%" G_GUINT64_FORMAT, *(uint64_t *)field(obj, row));
    case PROP_KIND_STRING:
        return g_strdup(*(char **)field(obj, row));
    case PROP_KIND_ENUM:
    case PROP_KIND_ONOFFAUTO:
        return g_strdup(row_names(row)[*(int *)field(obj, row)]);
    }
    g_assert_not_reached();
}

char *props_default_str(const Prop *row)
{
    switch (row->kind) {
    case PROP_KIND_BOOL:
        return g_strdup(row->def ? "on" : "off");
    case PROP_KIND_U32:
    case PROP_KIND_U64:
    case PROP_KIND_SIZE:
        return g_strdup_printf("%" G_GUINT64_FORMAT, row->def);
    case PROP_KIND_STRING:
        return g_strdup(row->def_str);
    case PROP_KIND_ENUM:
    case PROP_KIND_ONOFFAUTO:
        return g_strdup(row_names(row)[row->def]);
    }
    g_assert_not_reached();
}

static void help_line(const Prop *row, void *opaque)
{
    GString *out = opaque;
    g_autofree char *def = props_default_str(row);
    g_autofree char *names = NULL;
    g_autofree char *head = NULL;

    switch (row->kind) {
    case PROP_KIND_BOOL:
        head = g_strdup_printf("%s=<bool>", row->name);
        break;
    case PROP_KIND_U32:
        head = g_strdup_printf("%s=<uint32>", row->name);
        break;
    case PROP_KIND_U64:
        head = g_strdup_printf("%s=<uint64>", row->name);
        break;
    case PROP_KIND_SIZE:
        head = g_strdup_printf("%s=<size>", row->name);
        break;
    case PROP_KIND_STRING:
        head = g_strdup_printf("%s=<str>", row->name);
        break;
    case PROP_KIND_ENUM:
    case PROP_KIND_ONOFFAUTO:
        names = g_strjoinv("|", (char **)row_names(row));
        head = g_strdup_printf("%s=%s", row->name, names);
        break;
    }
    g_string_append_printf(out, "  %-24s - %s", head, row->help);
    if (def != NULL) {
        g_string_append_printf(out, " (default: %s)", def);
    }
    g_string_append_c(out, '\n');
}

char *props_help(GObjectClass *klass)
{
    GString *out = g_string_new(NULL);

    props_foreach(klass, help_line, out);
    return g_string_free(out, FALSE);
}

static void clear_string(const Prop *row, void *opaque)
{
    if (row->kind == PROP_KIND_STRING) {
        g_clear_pointer((char **)field(opaque, row), g_free);
    }
}

void props_clear(GObject *obj)
{
    props_foreach(G_OBJECT_GET_CLASS(obj), clear_string, obj);
}
