/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which knobs the model has (include/models/gunyah-model.h). How knobs, dmesg and counters are kept
 * is common/log.c.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "gunyah-priv.h"
#include "util/error.h"
#include "util/keyval.h"
#include "util/props.h"

typedef struct {
    const char *name;
    int value;
} Word;

static const Word revisions[] = { { "0xb2", REV_B2 },
                                  { "android14", REV_ANDROID14 },
                                  { "android15", REV_ANDROID15 },
                                  { "v17", REV_V17 },
                                  {} };
static const Word policies[] = {
    { "any", POLICY_ANY }, { "lend", POLICY_LEND }, { "share", POLICY_SHARE }, {}
};
static const Word steps[] = {
    { "vmid", STEP_VMID },           { "parcel", STEP_PARCEL },
    { "configure", STEP_CONFIGURE }, { "authenticate", STEP_AUTHENTICATE },
    { "init", STEP_INIT },           { "resources", STEP_RESOURCES },
    { "start", STEP_START },         {}
};
static const Word pins[] = { { "enomem", ENOMEM }, { "efault", EFAULT }, {} };
static const Word hazards[] = {
    { "h1", HAZARD_H1 }, { "h2", HAZARD_H2 }, { "h3", HAZARD_H3 }, { "eagain", HAZARD_EAGAIN }, {}
};
/* The hypervisor's replies to RUN, as the kernel translates them. */
static const Word run_errors[] = { { "nomem", ENOMEM },
                                   { "denied", EACCES },
                                   { "cspace", EACCES },
                                   { "busy", EBUSY },
                                   { "idle", EBUSY },
                                   { "irq", EIO },
                                   { "msgq", EIO },
                                   { "unimplemented", EOPNOTSUPP },
                                   { "retry", EOPNOTSUPP },
                                   { "arg", EINVAL },
                                   {} };
static const Word ends[] = { { "off", END_OFF },
                             { "watchdog", END_WATCHDOG },
                             { "abort", END_ABORT },
                             { "stopped", END_STOPPED },
                             { "crash", END_CRASH },
                             { "load", END_LOAD },
                             {} };
static const Word trusted[] = {
    { "off", TRUSTED_OFF }, { "check", TRUSTED_CHECK }, { "accept", TRUSTED_ACCEPT }, {}
};
static const Word on_off[] = { { "on", 1 }, { "off", 0 }, {} };

static bool find_word(const char *knob, const char *text, const Word *words, int *value,
                      GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (const Word *word = words; word->name; word++) {
        if (g_str_equal(word->name, text)) {
            *value = word->value;
            return true;
        }
        g_ptr_array_add(names, (char *)word->name);
    }
    g_ptr_array_add(names, NULL);
    error_set_unknown(error, knob, text, (const char *const *)names->pdata);
    return false;
}

static bool find_number(const char *knob, const char *text, uint64_t max, uint64_t *value,
                        GError **error)
{
    if (!props_parse_u64(text, value, NULL) || *value > max) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "%s=%s: it is 0 to %" G_GUINT64_FORMAT,
                    knob, text, max);
        return false;
    }
    return true;
}

static bool set_hazards(const char *text, Knobs *knobs, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "+", -1);

    for (char **part = parts; *part; part++) {
        int bit;

        if (!find_word("hazard", *part, hazards, &bit, error)) {
            return false;
        }
        knobs->hazards |= (unsigned)bit;
    }
    return true;
}

/* "init:3", "init:unimplemented", "init" */
static bool set_fail(const char *text, Knobs *knobs, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", 2);
    uint64_t code = RM_INVALID;
    int step;

    if (!parts[0] || !find_word("fail", parts[0], steps, &step, error)) {
        return false;
    }
    knobs->fail_step = (Step)step;
    if (parts[1] && g_str_equal(parts[1], "unimplemented")) {
        code = (uint32_t)RM_UNIMPLEMENTED;
    } else if (parts[1] && !find_number("fail", parts[1], UINT32_MAX, &code, error)) {
        return false;
    }
    knobs->fail_code = (uint32_t)code;
    return true;
}

typedef bool (*SetFn)(const char *text, Knobs *knobs, GError **error);

#define WORD_KNOB(fn, knob, words, field, type)                                                    \
    static bool fn(const char *text, Knobs *knobs, GError **error)                                 \
    {                                                                                              \
        int value;                                                                                 \
                                                                                                   \
        if (!find_word(knob, text, words, &value, error)) {                                        \
            return false;                                                                          \
        }                                                                                          \
        knobs->field = (type)value;                                                                \
        return true;                                                                               \
    }
#define NUMBER_KNOB(fn, knob, max, field, type)                                                    \
    static bool fn(const char *text, Knobs *knobs, GError **error)                                 \
    {                                                                                              \
        uint64_t value;                                                                            \
                                                                                                   \
        if (!find_number(knob, text, max, &value, error)) {                                        \
            return false;                                                                          \
        }                                                                                          \
        knobs->field = (type)value;                                                                \
        return true;                                                                               \
    }

WORD_KNOB(set_rev, "rev", revisions, rev, Revision)
WORD_KNOB(set_policy, "policy", policies, policy, int)
WORD_KNOB(set_pin, "pin", pins, pin_errno, int)
WORD_KNOB(set_run_error, "run-error", run_errors, run_errno, int)
WORD_KNOB(set_end, "end", ends, end, int)
WORD_KNOB(set_share_exec, "share-exec", on_off, share_exec, bool)
WORD_KNOB(set_trusted, "trusted-vm", trusted, trusted, int)
WORD_KNOB(set_auth_einval, "auth-einval", on_off, auth_einval, bool)
WORD_KNOB(set_log, "log", on_off, log, bool)
NUMBER_KNOB(set_teardown, "teardown-ms", 60000, teardown_ms, unsigned)
NUMBER_KNOB(set_capacity, "capacity", UINT32_MAX, capacity, unsigned)
NUMBER_KNOB(set_capacity_code, "capacity-code", UINT32_MAX, capacity_code, uint32_t)
NUMBER_KNOB(set_page_faults, "page-fault", UINT32_MAX, page_faults, unsigned)
NUMBER_KNOB(set_extension, "extension", INT32_MAX, extension, int)

static bool set_memlock(const char *text, Knobs *knobs, GError **error)
{
    return props_parse_size(text, 0, &knobs->memlock, error);
}

static bool set_cma(const char *text, Knobs *knobs, GError **error)
{
    if (!props_parse_size(text, 0, &knobs->cma, error)) {
        return false;
    }
    if (knobs->cma % (uint64_t)sysconf(_SC_PAGESIZE) != 0 || knobs->cma > INT64_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "cma=%s: it must be whole pages", text);
        return false;
    }
    return true;
}

static bool set_engine(const char *text, Knobs *knobs, GError **error)
{
    g_strlcpy(knobs->engine, text, sizeof(knobs->engine));
    return true;
}

static bool set_pvmfw(const char *text, Knobs *knobs, GError **error)
{
    if (g_strlcpy(knobs->pvmfw, text, sizeof(knobs->pvmfw)) >= sizeof(knobs->pvmfw)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "pvmfw=%s: the path is too long", text);
        return false;
    }
    if (g_str_equal(text, "off")) {
        knobs->pvmfw[0] = '\0';
    }
    return true;
}

static const struct {
    const char *name;
    SetFn set;
} knob_table[] = {
    { "rev", set_rev },
    { "engine", set_engine },
    { "memlock", set_memlock },
    { "teardown-ms", set_teardown },
    { "capacity", set_capacity },
    { "capacity-code", set_capacity_code },
    { "policy", set_policy },
    { "share-exec", set_share_exec },
    { "fail", set_fail },
    { "pin", set_pin },
    { "run-error", set_run_error },
    { "end", set_end },
    { "hazard", set_hazards },
    { "page-fault", set_page_faults },
    { "extension", set_extension },
    { "cma", set_cma },
    { "pvmfw", set_pvmfw },
    { "trusted-vm", set_trusted },
    { "auth-einval", set_auth_einval },
    { "log", set_log },
};

static bool set_knob(const char *name, const char *value, Knobs *knobs, GError **error)
{
    const char *names[G_N_ELEMENTS(knob_table) + 1] = { NULL };

    for (unsigned i = 0; i < G_N_ELEMENTS(knob_table); i++) {
        if (g_str_equal(name, knob_table[i].name)) {
            return knob_table[i].set(value, knobs, error);
        }
        names[i] = knob_table[i].name;
    }
    error_set_unknown(error, "knob", name, names);
    return false;
}

static bool parse(const char *text, void *opaque, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, NULL, error);
    Knobs *knobs = opaque;

    *knobs = (Knobs){ .rev = REV_ANDROID14,
                      .memlock = UINT64_MAX,
                      .capacity = UINT32_MAX,
                      .capacity_code = RM_NO_RESOURCE };
    for (guint i = 0; kv && i < kv->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (!set_knob(pair->key, pair->value, knobs, error)) {
            return false;
        }
    }
    return kv != NULL;
}

static Knobs current;

ModelState gunyah_model = {
    .name = "gunyah model",
    .variable = "HUMPY_MODEL_GUNYAH",
    .parse = parse,
    .knobs = &current,
    .knobs_size = sizeof(current),
    .echo = &current.log,
    .lock = PTHREAD_MUTEX_INITIALIZER,
};
GunyahModelStats gunyah_model_counters;

bool gunyah_model_configure(const char *text, GError **error)
{
    return model_configure(&gunyah_model, text, error);
}

char *gunyah_model_take_dmesg(void)
{
    return model_take_log(&gunyah_model);
}

void gunyah_model_stats(GunyahModelStats *out)
{
    *out = (GunyahModelStats){
        .vms = vm_live_count(),
        .hidden_exits = MODEL_READ(gunyah_model_counters.hidden_exits),
        .lost_answers = MODEL_READ(gunyah_model_counters.lost_answers),
        .premature_bells = MODEL_READ(gunyah_model_counters.premature_bells),
        .dangling_irqfds = MODEL_READ(gunyah_model_counters.dangling_irqfds),
        .dangling_writes = MODEL_READ(gunyah_model_counters.dangling_writes),
    };
}
