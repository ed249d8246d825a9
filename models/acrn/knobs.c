/* SPDX-License-Identifier: GPL-2.0-or-later
 * Knobs, log and counters of the ACRN model; see include/models/acrn-model.h.
 */
#include <stdio.h>
#include <string.h>

#include "acrn-priv.h"
#include "util/error.h"
#include "util/keyval.h"
#include "util/props.h"

enum { LOG_MAX = 1 << 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static AcrnKnobs current;
static bool configured;
static GString *log_text;
static AcrnModelStats counters;

static bool parse(KeyVal *kv, AcrnKnobs *knobs, GError **error)
{
    static const char *const names[] = { "engine", "cpus", "page", "log", NULL };
    const char *engine = keyval_take(kv, "engine");
    const char *cpus = keyval_take(kv, "cpus");
    const char *page = keyval_take(kv, "page");
    uint64_t n = ACRN_MAX_CPUS;

    if (!keyval_check_keys(kv, names, error) || !keyval_take_bool(kv, "log", &knobs->log, error)) {
        return false;
    }
    if (engine &&
        g_strlcpy(knobs->engine, engine, sizeof(knobs->engine)) >= sizeof(knobs->engine)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "engine=%s: no engine's name is so long",
                    engine);
        return false;
    }
    if (cpus && (!props_parse_u64(cpus, &n, NULL) || n < 1 || n > ACRN_MAX_CPUS)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "cpus=%s: it is 1 to %d", cpus,
                    ACRN_MAX_CPUS);
        return false;
    }
    knobs->cpus = n;
    if (page && (!props_parse_size(page, '\0', &knobs->page, NULL) ||
                 (knobs->page != 4 << 10 && knobs->page != 2 << 20 && knobs->page != 1 << 30))) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "page=%s: it is 4K, 2M or 1G", page);
        return false;
    }
    return true;
}

bool acrn_model_configure(const char *text, GError **error)
{
    const char *from = text ? text : g_getenv("HUMPY_MODEL_ACRN");
    g_autoptr(KeyVal) kv = keyval_parse(from ? from : "", NULL, error);
    AcrnKnobs knobs = { 0 };

    if (!kv || !parse(kv, &knobs, error)) {
        return false;
    }
    pthread_mutex_lock(&lock);
    current = knobs;
    configured = true;
    pthread_mutex_unlock(&lock);
    return true;
}

void acrn_knobs_get(AcrnKnobs *knobs)
{
    g_autoptr(GError) error = NULL;
    bool need;

    pthread_mutex_lock(&lock);
    need = !configured;
    pthread_mutex_unlock(&lock);
    if (need && !acrn_model_configure(NULL, &error)) {
        g_error("HUMPY_MODEL_ACRN: %s", error->message);
    }
    pthread_mutex_lock(&lock);
    *knobs = current;
    pthread_mutex_unlock(&lock);
}

void acrn_log(const char *fmt, ...)
{
    g_autofree char *line = NULL;
    va_list args;

    va_start(args, fmt);
    line = g_strdup_vprintf(fmt, args);
    va_end(args);
    pthread_mutex_lock(&lock);
    if (!log_text) {
        log_text = g_string_new(NULL);
    }
    g_string_append_printf(log_text, "%s\n", line);
    if (log_text->len > LOG_MAX) {
        g_string_erase(log_text, 0, LOG_MAX / 2);
    }
    if (current.log) {
        fprintf(stderr, "acrn model: %s\n", line);
    }
    pthread_mutex_unlock(&lock);
}

char *acrn_model_take_log(void)
{
    char *text;

    pthread_mutex_lock(&lock);
    text = log_text ? g_string_free(log_text, FALSE) : g_strdup("");
    log_text = NULL;
    pthread_mutex_unlock(&lock);
    return text;
}

void acrn_count(size_t offset)
{
    __atomic_fetch_add((unsigned *)((char *)&counters + offset), 1, __ATOMIC_RELAXED);
}

void acrn_model_stats(AcrnModelStats *stats)
{
    *stats = (AcrnModelStats){
        .vms = hv_n_vms(),
        .hypercalls = __atomic_load_n(&counters.hypercalls, __ATOMIC_RELAXED),
        .closed_running = __atomic_load_n(&counters.closed_running, __ATOMIC_RELAXED),
        .stuck_slots = __atomic_load_n(&counters.stuck_slots, __ATOMIC_RELAXED),
        .swallowed = __atomic_load_n(&counters.swallowed, __ATOMIC_RELAXED),
        .answered = __atomic_load_n(&counters.answered, __ATOMIC_RELAXED),
    };
}
