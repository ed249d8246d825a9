/* SPDX-License-Identifier: GPL-2.0-or-later
 * The model's knobs (include/models/gunyah-model.h), what it counts, and its dmesg.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gunyah-priv.h"
#include "util/error.h"
#include "util/keyval.h"
#include "util/props.h"

enum { DMESG_MAX = 64 * 1024 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Knobs current;
static bool configured;
static GString *dmesg;
static GunyahModelStats stats;

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
static const Word steps[] = { { "vmid", STEP_VMID },
                              { "parcel", STEP_PARCEL },
                              { "configure", STEP_CONFIGURE },
                              { "init", STEP_INIT },
                              { "resources", STEP_RESOURCES },
                              { "start", STEP_START },
                              {} };
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
WORD_KNOB(set_share_exec, "share-exec", on_off, share_exec, bool)
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

static bool set_engine(const char *text, Knobs *knobs, GError **error)
{
    g_strlcpy(knobs->engine, text, sizeof(knobs->engine));
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
    { "hazard", set_hazards },
    { "page-fault", set_page_faults },
    { "extension", set_extension },
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

static bool parse(const char *text, Knobs *knobs, GError **error)
{
    g_autoptr(KeyVal) kv = NULL;

    *knobs = (Knobs){ .rev = REV_ANDROID14,
                      .memlock = UINT64_MAX,
                      .capacity = UINT32_MAX,
                      .capacity_code = RM_NO_RESOURCE };
    if (!text || !*text) {
        return true;
    }
    kv = keyval_parse(text, NULL, error);
    for (guint i = 0; kv && i < kv->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (!set_knob(pair->key, pair->value, knobs, error)) {
            return false;
        }
    }
    return kv != NULL;
}

bool gunyah_model_configure(const char *text, GError **error)
{
    Knobs knobs;

    if (!parse(text ? text : g_getenv("HUMPY_MODEL_GUNYAH"), &knobs, error)) {
        g_prefix_error(error, "gunyah model: ");
        return false;
    }
    pthread_mutex_lock(&lock);
    current = knobs;
    configured = true;
    pthread_mutex_unlock(&lock);
    return true;
}

/* A variable that cannot be understood must not be taken for the defaults: the first open says so
 * and every VM is refused by a resource manager that knows nothing. */
void knobs_get(Knobs *knobs)
{
    g_autoptr(GError) error = NULL;

    pthread_mutex_lock(&lock);
    if (!configured) {
        configured = true;
        if (!parse(g_getenv("HUMPY_MODEL_GUNYAH"), &current, &error)) {
            fprintf(stderr, "HUMPY_MODEL_GUNYAH: %s\n", error->message);
            current.capacity = 0;
        }
    }
    *knobs = current;
    pthread_mutex_unlock(&lock);
}

void model_log(const char *fmt, ...)
{
    g_autofree char *line = NULL;
    va_list args;

    va_start(args, fmt);
    line = g_strdup_vprintf(fmt, args);
    va_end(args);
    pthread_mutex_lock(&lock);
    if (!dmesg) {
        dmesg = g_string_new(NULL);
    }
    g_string_append_printf(dmesg, "%s\n", line);
    if (dmesg->len > DMESG_MAX) {
        g_string_erase(dmesg, 0, DMESG_MAX / 2);
    }
    if (current.log) {
        fprintf(stderr, "gunyah model: %s\n", line);
    }
    pthread_mutex_unlock(&lock);
}

char *gunyah_model_take_dmesg(void)
{
    char *text;

    pthread_mutex_lock(&lock);
    text = dmesg ? g_string_free(dmesg, FALSE) : g_strdup("");
    dmesg = NULL;
    pthread_mutex_unlock(&lock);
    return text;
}

void model_count(size_t offset)
{
    pthread_mutex_lock(&lock);
    (*(unsigned *)((char *)&stats + offset))++;
    pthread_mutex_unlock(&lock);
}

void gunyah_model_stats(GunyahModelStats *out)
{
    pthread_mutex_lock(&lock);
    *out = stats;
    pthread_mutex_unlock(&lock);
    out->vms = vm_live_count();
}
