/* SPDX-License-Identifier: GPL-2.0-or-later
 * The program humpy: starts, lists and stops virtual machines. It builds the words for
 * humpy-system-* and becomes it; nothing of a VM itself is here.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/outcome.h"
#include "verbs.h"

/* Always one line, whatever a file or a name in the message holds. */
static void print_line(const char *prefix, const char *message)
{
    g_autofree char *line = g_strdup(message);

    for (char *c = line; *c != '\0'; c++) {
        *c = g_ascii_iscntrl(*c) ? '?' : *c;
    }
    fprintf(stderr, "humpy: %s%s\n", prefix, line);
}

static void log_line(const char *domain, GLogLevelFlags level, const char *message, void *opaque)
{
    print_line(level & G_LOG_LEVEL_WARNING ? "warning: " : "", message);
}

static bool is_word(const char *arg, const char *word)
{
    return arg != NULL &&
           (strcmp(arg, word) == 0 || (g_str_has_prefix(arg, "--") && strcmp(arg + 2, word) == 0));
}

static bool asks_help(const char *arg)
{
    return is_word(arg, "help") || g_strcmp0(arg, "-h") == 0;
}

/* What only prints; NULL: something else is asked for. */
static char *print_only(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : NULL;

    if (is_word(first, "version")) {
        return g_strdup("humpy version " HUMPY_VERSION "\n");
    }
    if (is_word(first, "dump-commands")) {
        return help_dump();
    }
    if (argc == 2 && asks_help(first)) {
        return help_all(NULL);
    }
    if (argc == 3 && asks_help(argv[2]) && verb_is_group(first)) {
        return help_all(first);
    }
    return argc == 3 && asks_help(first) && verb_is_group(argv[2]) ? help_all(argv[2]) : NULL;
}

static bool is_usage(const GError *error)
{
    return g_error_matches(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX) ||
           g_error_matches(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN) ||
           g_error_matches(error, HUMPY_ERROR, HUMPY_ERROR_MISSING) ||
           g_error_matches(error, HUMPY_ERROR, HUMPY_ERROR_RANGE) ||
           g_error_matches(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
}

static int fail(const GError *error, bool usage)
{
    print_line("", error->message);
    return outcome_row(usage && is_usage(error) ? OUTCOME_USAGE : OUTCOME_ERROR)->detailed;
}

static int run(int argc, char **argv)
{
    Request r = {};
    g_autoptr(Plan) plan = plan_new();
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    bool help = argc > 0 && is_word(argv[0], "help");
    const Verb *verb;
    int used, status;

    argc -= help;
    argv += help;
    verb = verb_find(argc, argv, &used, &error);
    if (verb == NULL) {
        return fail(error, true);
    }
    r.plan = plan;
    r.words = words;
    r.help = help;
    if (!help && !verb_read(verb, &r, argc - used, argv + used, &error)) {
        g_prefix_error(&error, "%s%s%s: ", verb->group != NULL ? verb->group : "",
                       verb->group != NULL ? " " : "", verb->name);
        return fail(error, true);
    }
    if (r.help) {
        g_autofree char *text = help_verb(verb);

        fputs(text, stdout);
        return EXIT_SUCCESS;
    }
    status = verb->run(&r, &error);
    return status < 0 ? fail(error, false) : status;
}

int main(int argc, char **argv)
{
    g_autofree char *text = NULL;

    setlocale(LC_CTYPE, "");
    g_log_set_default_handler(log_line, NULL);
    text = argc > 1 ? print_only(argc, argv) : NULL;
    if (text != NULL) {
        fputs(text, stdout);
        return EXIT_SUCCESS;
    }
    return run(argc - 1, argv + 1);
}
