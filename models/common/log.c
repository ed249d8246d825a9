/* SPDX-License-Identifier: GPL-2.0-or-later
 * Knobs, log and counters that all models share; see log.h.
 */
#include "log.h"

#include <stdio.h>
#include <string.h>

enum { LOG_MAX = 1 << 16 };

/* With the lock held. */
static bool configure(ModelState *state, const char *text, GError **error)
{
    g_autofree void *knobs = g_malloc0(state->knobs_size);

    if (!state->parse(text ? text : "", knobs, error)) {
        g_prefix_error(error, "%s: ", state->name);
        return false;
    }
    memcpy(state->knobs, knobs, state->knobs_size);
    state->configured = true;
    return true;
}

bool model_configure(ModelState *state, const char *text, GError **error)
{
    bool ok;

    pthread_mutex_lock(&state->lock);
    ok = configure(state, text ? text : g_getenv(state->variable), error);
    pthread_mutex_unlock(&state->lock);
    return ok;
}

bool model_knobs(ModelState *state, void *knobs)
{
    g_autoptr(GError) error = NULL;
    bool ok;

    pthread_mutex_lock(&state->lock);
    ok = state->configured || configure(state, g_getenv(state->variable), &error);
    if (ok) {
        memcpy(knobs, state->knobs, state->knobs_size);
    }
    pthread_mutex_unlock(&state->lock);
    if (!ok) {
        fprintf(stderr, "%s: %s\n", state->variable, error->message);
    }
    return ok;
}

static void G_GNUC_PRINTF(3, 0)
    add_line(ModelState *state, bool echo, const char *fmt, va_list args)
{
    g_autofree char *line = g_strdup_vprintf(fmt, args);

    pthread_mutex_lock(&state->lock);
    if (!state->log) {
        state->log = g_string_new(NULL);
    }
    g_string_append_printf(state->log, "%s\n", line);
    g_free(state->newest);
    state->newest = g_strdup(line);
    if (state->log->len > LOG_MAX) {
        g_string_erase(state->log, 0, LOG_MAX / 2);
    }
    if (echo || *state->echo) {
        fprintf(stderr, "%s: %s\n", state->name, line);
    }
    pthread_mutex_unlock(&state->lock);
}

void model_logf(ModelState *state, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add_line(state, false, fmt, args);
    va_end(args);
}

void model_fatalf(ModelState *state, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add_line(state, true, fmt, args);
    va_end(args);
}

char *model_take_log(ModelState *state)
{
    char *text;

    pthread_mutex_lock(&state->lock);
    text = state->log ? g_string_free(state->log, FALSE) : g_strdup("");
    state->log = NULL;
    pthread_mutex_unlock(&state->lock);
    return text;
}

void model_log_follow(ModelState *state)
{
    pthread_mutex_lock(&state->lock);
    g_clear_pointer(&state->newest, g_free);
    pthread_mutex_unlock(&state->lock);
}

char *model_log_newest(ModelState *state)
{
    char *line;

    pthread_mutex_lock(&state->lock);
    line = g_strdup(state->newest);
    pthread_mutex_unlock(&state->lock);
    return line;
}
