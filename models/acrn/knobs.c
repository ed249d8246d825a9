/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which knobs the ACRN model has (include/models/acrn-model.h). How knobs, log and counters are
 * kept is common/log.c.
 */
#include <string.h>

#include "acrn-priv.h"
#include "util/error.h"
#include "util/keyval.h"
#include "util/props.h"

static bool parse(const char *text, void *opaque, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, NULL, error);
    AcrnKnobs *knobs = opaque;
    static const char *const names[] = { "engine", "cpus", "page", "log", NULL };
    const char *engine, *cpus, *page;
    uint64_t n = ACRN_MAX_CPUS;

    if (!kv || !keyval_check_keys(kv, names, error) ||
        !keyval_take_bool(kv, "log", &knobs->log, error)) {
        return false;
    }
    engine = keyval_take(kv, "engine");
    cpus = keyval_take(kv, "cpus");
    page = keyval_take(kv, "page");
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

static AcrnKnobs knobs;

ModelState acrn_model = {
    .name = "acrn model",
    .variable = "HUMPY_MODEL_ACRN",
    .parse = parse,
    .knobs = &knobs,
    .knobs_size = sizeof(knobs),
    .echo = &knobs.log,
    .lock = PTHREAD_MUTEX_INITIALIZER,
};
AcrnModelStats acrn_model_counters;

bool acrn_model_configure(const char *text, GError **error)
{
    return model_configure(&acrn_model, text, error);
}

char *acrn_model_take_log(void)
{
    return model_take_log(&acrn_model);
}

void acrn_model_stats(AcrnModelStats *stats)
{
    *stats = (AcrnModelStats){
        .vms = hv_n_vms(),
        .hypercalls = MODEL_READ(acrn_model_counters.hypercalls),
        .closed_running = MODEL_READ(acrn_model_counters.closed_running),
        .stuck_slots = MODEL_READ(acrn_model_counters.stuck_slots),
        .swallowed = MODEL_READ(acrn_model_counters.swallowed),
        .answered = MODEL_READ(acrn_model_counters.answered),
    };
}
