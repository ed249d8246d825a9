/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reading a command line by the table: --option VALUE, --option=VALUE, -x VALUE, words, and
 * everything behind "--" as it is.
 */
#include "verbs.h"

#include <string.h>

#include "util/error.h"

static bool is_verb(const Verb *v, int argc, char **argv, int *used)
{
    *used = v->group != NULL ? 2 : 1;
    return argc >= *used && (v->group == NULL || strcmp(argv[0], v->group) == 0) &&
           strcmp(argv[*used - 1], v->name) == 0;
}

/* Words that can follow those before: groups, or the verbs of a group. */
static GPtrArray *possible(const char *group)
{
    GPtrArray *names = g_ptr_array_new();

    for (const Verb *v = verbs; v->name != NULL; v++) {
        const char *name = v->group == NULL || group != NULL ? v->name : v->group;

        if ((group == NULL || g_strcmp0(v->group, group) == 0) &&
            !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL)) {
            g_ptr_array_add(names, (void *)name);
        }
    }
    g_ptr_array_add(names, NULL);
    return names;
}

bool verb_is_group(const char *word)
{
    for (const Verb *v = verbs; v->name != NULL; v++) {
        if (g_strcmp0(word, v->group) == 0) {
            return true;
        }
    }
    return false;
}

const Verb *verb_find(int argc, char **argv, int *used, GError **error)
{
    g_autoptr(GPtrArray) groups = possible(NULL);
    g_autoptr(GPtrArray) names = NULL;

    for (const Verb *v = verbs; v->name != NULL; v++) {
        if (is_verb(v, argc, argv, used)) {
            return v;
        }
    }
    if (argc == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "a command is missing (humpy help lists them)");
        return NULL;
    }
    if (!g_strv_contains((const char *const *)groups->pdata, argv[0])) {
        error_set_unknown(error, "command", argv[0], (const char *const *)groups->pdata);
        return NULL;
    }
    names = possible(argv[0]);
    if (argc == 1) {
        g_autofree char *list = g_strjoinv(", ", (char **)names->pdata);

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "%s what: %s", argv[0], list);
        return NULL;
    }
    error_set_unknown(error, "command", argv[1], (const char *const *)names->pdata);
    return NULL;
}

/* ---- options ---- */

/* name_len bytes of name, which may be a letter. */
static const VerbOption *find_option(const Verb *verb, const char *name, size_t name_len,
                                     bool letter)
{
    for (const VerbOption *const *array = verb->options; *array != NULL; array++) {
        for (const VerbOption *o = *array; o->name != NULL; o++) {
            const char *have = letter ? o->letter : o->name;

            if (have != NULL && strlen(have) == name_len && strncmp(have, name, name_len) == 0) {
                return o;
            }
        }
    }
    return NULL;
}

static void set_unknown_option(const Verb *verb, const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (const VerbOption *const *array = verb->options; *array != NULL; array++) {
        for (const VerbOption *o = *array; o->name != NULL; o++) {
            g_ptr_array_add(names, (void *)o->name);
        }
    }
    g_ptr_array_add(names, NULL);
    error_set_unknown(error, "option", name, (const char *const *)names->pdata);
}

/* One option; *at is moved behind its value. */
static bool read_option(const Verb *verb, Request *r, int argc, char **argv, int *at,
                        GError **error)
{
    const char *typed = argv[*at];
    bool letter = typed[1] != '-';
    const char *name = typed + (letter ? 1 : 2);
    size_t len = letter ? strlen(name) : strcspn(name, "=");
    const VerbOption *o = find_option(verb, name, len, letter);
    const char *value = !letter && name[len] == '=' ? name + len + 1 : NULL;

    if (o == NULL) {
        set_unknown_option(verb, name, error);
        return false;
    }
    if (o->arg == NULL && value != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "--%s takes no value", o->name);
        return false;
    }
    if (o->arg != NULL && value == NULL) {
        if (*at + 1 >= argc) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "--%s %s: the value is missing",
                        o->name, o->arg);
            return false;
        }
        value = argv[++*at];
    }
    if (!o->take(r, value, error)) {
        g_prefix_error(error, "--%s %s: ", o->name, value != NULL ? value : "");
        return false;
    }
    return true;
}

static bool check_words(const Verb *verb, Request *r, GError **error)
{
    if (r->words->len < verb->min_words) {
        g_auto(GStrv) names = g_strsplit(verb->words, " ", -1);

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "%s is missing", names[r->words->len]);
        return false;
    }
    if (r->words->len > verb->max_words) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "'%s' is one word too many",
                    (char *)g_ptr_array_index(r->words, verb->max_words));
        return false;
    }
    return verb->check == NULL || verb->check(r, error);
}

bool verb_read(const Verb *verb, Request *r, int argc, char **argv, GError **error)
{
    if (verb->read != NULL) {
        return verb->read(r, argc, argv, error);
    }
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            while (++i < argc) {
                g_ptr_array_add(r->plan->words, g_strdup(argv[i]));
            }
        } else if (argv[i][0] != '-' || argv[i][1] == '\0') {
            g_ptr_array_add(r->words, argv[i]);
        } else if (!read_option(verb, r, argc, argv, &i, error)) {
            return false;
        }
    }
    return r->help || check_words(verb, r, error);
}
