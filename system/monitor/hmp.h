/* SPDX-License-Identifier: GPL-2.0-or-later
 * The monitor for humans: a table of commands with their help, run from a line of text into a text.
 * Where the lines come from (a terminal, human-monitor-command) is not known here.
 *
 * Threads: [main] only.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

typedef struct {
    char **words;     /* behind the command's name, quotes taken off; NULL-terminated */
    unsigned n;       /* of them */
    const char *rest; /* the same as typed, without space around it */
    GString *out;
} HmpCall;

typedef struct {
    const char *name;  /* aliases behind it, with '|' between: "cont|c" */
    const char *args;  /* synopsis, "" for none */
    const char *help;  /* a line */
    unsigned min, max; /* number of words; max HMP_REST: any */
    /* Writes to call->out. FALSE: *error is shown. */
    bool (*fn)(HmpCall *call, GError **error);
    /* (optional) Adds to words (char *, owned) what the first word may be. */
    void (*complete)(const char *begun, GPtrArray *words);
} HmpCommand;

enum { HMP_REST = ~0u };

/* Up to one without a name. hmp-table.c */
extern const HmpCommand hmp_commands[], hmp_infos[];

/* Runs a line; errors are part of the text. Newly allocated. */
char *hmp_run(const char *line);
void hmp_complete(const char *line, GPtrArray *words);
const HmpCommand *hmp_find(const HmpCommand *table, const char *name);
/* "name args -- help" lines. */
void hmp_list(GString *out, const HmpCommand *table, const char *prefix);

/* ---- for commands that a QMP command does ---- */
/* Runs it with args (taken, NULL: none), checked as QMP's are. FALSE: *error. *value (may be NULL)
 * is what it returned, NULL for nothing. */
bool hmp_qmp(const char *command, JsonObject *args, JsonNode **value, GError **error);
