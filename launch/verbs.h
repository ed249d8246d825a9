/* SPDX-License-Identifier: GPL-2.0-or-later
 * What 'humpy' can be told. One table (verbs-table.c) says everything about each command and each
 * of its options: help, manual page, completion and the docs test come from it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan.h"

/* What the words of one command line say. */
typedef struct {
    Plan *plan;
    GPtrArray *words;       /* of char *: those that are no options; borrowed from argv */
    bool json, force, help; /* help: only tell */
    unsigned timeout;       /* seconds */
    const char *type;       /* of create-partition */
    const char *device;     /* that vm check looks at, or NULL */
} Request;

typedef struct {
    const char *name;    /* without dashes */
    const char *letter;  /* "m" for -m, or NULL */
    const char *arg;     /* synopsis of the value; NULL: takes none */
    const char *summary; /* one line */
    /* Errors state the fact; the reader puts the option in front. value NULL where arg is. */
    bool (*take)(Request *r, const char *value, GError **error);
} VerbOption;

typedef struct Verb Verb;
struct Verb {
    const char *group, *name; /* "vm", "run"; group NULL: a word of its own */
    const char *words;        /* synopsis of what else follows, or NULL */
    unsigned min_words, max_words;
    const char *summary;
    const char *detail;               /* paragraph for the manual */
    const VerbOption *const *options; /* arrays, each up to one without a name; up to NULL */
    /* Does it; the exit status, or -1 with *error. */
    int (*run)(Request *r, GError **error);
    /* (optional) Reads the words in its own way: everything behind the verb. */
    bool (*read)(Request *r, int argc, char **argv, GError **error);
    /* (optional) What only shows when all words are read. */
    bool (*check)(Request *r, GError **error);
};

extern const Verb verbs[]; /* up to one without a name */

bool verb_is_group(const char *word); /* "vm", "crosvm" */
/* The verb that argv names; *used is how many words that took. NULL: UNKNOWN. */
const Verb *verb_find(int argc, char **argv, int *used, GError **error);
/* Reads what follows into r. */
bool verb_read(const Verb *verb, Request *r, int argc, char **argv, GError **error);

/* ---- help.c ---- */
char *help_all(const char *group); /* of one group, or NULL */
char *help_verb(const Verb *verb);
char *help_dump(void); /* JSON of the table */

/* ---- verbs, by file ---- */
int run_vm(Request *r, GError **error);               /* run.c */
int run_vm_config(Request *r, GError **error);        /* run.c */
int run_vm_linux(Request *r, GError **error);         /* run.c */
bool check_vm_linux(Request *r, GError **error);      /* run.c */
int run_list(Request *r, GError **error);             /* list.c */
int run_info(Request *r, GError **error);             /* list.c */
int run_console(Request *r, GError **error);          /* console.c */
int run_stop(Request *r, GError **error);             /* stop.c */
int run_check(Request *r, GError **error);            /* check.c */
int run_create_partition(Request *r, GError **error); /* partition.c */
