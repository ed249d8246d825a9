/* SPDX-License-Identifier: GPL-2.0-or-later
 * What each model of a kernel's node has beside its interface: knobs from the environment or from
 * a test, the kernel's log, and counters. The knobs themselves are the model's (its knobs.c).
 */
#pragma once

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *name;     /* before each line that goes to stderr */
    const char *variable; /* of the environment */
    /* Sets knobs (of knobs_size) from text, "" for the defaults. FALSE: *error names the knob. */
    bool (*parse)(const char *text, void *knobs, GError **error);
    void *knobs;
    size_t knobs_size;
    bool *echo; /* the knob that says whether the log goes to stderr */

    pthread_mutex_t lock; /* knobs and what follows */
    bool configured;
    GString *log;
    char *newest; /* line since it is followed, or NULL */
} ModelState;

/* Replaces all knobs; NULL: those of the environment. FALSE: *error says why and nothing has
 * changed. [any] */
bool model_configure(ModelState *state, const char *text, GError **error);

/* Copies the knobs; the environment is read when nothing was configured. FALSE: what it says cannot
 * be understood, which must not be taken for the defaults; a line on stderr says so. [any] */
bool model_knobs(ModelState *state, void *knobs);

void model_logf(ModelState *state, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The same, and to stderr whatever the knob says: nothing else tells why the guest stands still. */
void model_fatalf(ModelState *state, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
char *model_take_log(ModelState *state);
/* The newest line since follow was called, also if the log was taken; NULL: none. New string. */
void model_log_follow(ModelState *state);
char *model_log_newest(ModelState *state);

/* Counters are unsigned, in a struct of which tests get copies. */
#define MODEL_ADD(counter)  ((void)__atomic_fetch_add(&(counter), 1, __ATOMIC_RELAXED))
#define MODEL_READ(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)
