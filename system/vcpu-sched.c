/* SPDX-License-Identifier: GPL-2.0-or-later
 * Placing vCPU threads: affinity (sched_setaffinity), utilization clamps (sched_setattr) and core
 * scheduling (prctl PR_SCHED_CORE). All three are done to the thread by its number, before it has
 * entered the guest for the first time.
 */
#include "vcpu-sched.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/error.h"
#include "util/keyval.h"
#include "util/props.h"

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#endif

enum {
    MAX_VCPU = 1023,
    UCLAMP_MAX = 1024,
    CORE_CREATE = 1,         /* PR_SCHED_CORE_CREATE */
    CORE_SCOPE_THREAD = 0,   /* PR_SCHED_CORE_SCOPE_THREAD */
    CORE_SCOPE_PROCESS = 1,  /* PR_SCHED_CORE_SCOPE_THREAD_GROUP */
    FLAG_KEEP_POLICY = 0x08, /* SCHED_FLAG_* of the kernel's sched_setattr() */
    FLAG_KEEP_PARAMS = 0x10,
    FLAG_UTIL_MIN = 0x20,
    FLAG_UTIL_MAX = 0x40,
};

/* The kernel's struct sched_attr, second version; the C library has none. */
typedef struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
} SchedAttr;
G_STATIC_ASSERT(sizeof(SchedAttr) == 56);

typedef struct {
    unsigned vcpu;
    cpu_set_t cpus;
    char *text;
} Affinity;

typedef enum { CORE_OFF, CORE_VCPU, CORE_VM } CoreMode;

struct VcpuSched {
    GArray *affinities; /* of Affinity */
    bool has_all;
    Affinity all; /* of vCPUs that are not in it */
    bool has_min, has_max;
    uint64_t util_min, util_max;
    int core; /* CoreMode */
};

static void affinity_clear(void *affinity)
{
    g_free(((Affinity *)affinity)->text);
}

void vcpu_sched_free(VcpuSched *sched)
{
    if (sched != NULL) {
        g_array_unref(sched->affinities);
        affinity_clear(&sched->all);
        g_free(sched);
    }
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VcpuSched, vcpu_sched_free)

/* ---- reading ---- */

/* "3" or "0-3" */
static bool parse_range(const char *text, cpu_set_t *cpus)
{
    g_auto(GStrv) ends = g_strsplit(text, "-", 2);
    uint64_t first, last;

    if (ends[0] == NULL || !props_parse_u64(ends[0], &first, NULL)) {
        return false;
    }
    last = first;
    if ((ends[1] != NULL && !props_parse_u64(ends[1], &last, NULL)) || last < first ||
        last >= CPU_SETSIZE) {
        return false;
    }
    for (uint64_t cpu = first; cpu <= last; cpu++) {
        CPU_SET(cpu, cpus);
    }
    return true;
}

static bool parse_cpus(const char *key, const char *text, Affinity *affinity, GError **error)
{
    g_auto(GStrv) ranges = g_strsplit_set(text, ":,", -1);

    CPU_ZERO(&affinity->cpus);
    for (char **range = ranges; *range != NULL; range++) {
        if (!parse_range(*range, &affinity->cpus)) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                        "%s is '%s' but must be CPUs of the host such as 0-3:6", key, text);
            return false;
        }
    }
    affinity->text = g_strdup(text);
    return true;
}

static bool parse_affinity(VcpuSched *sched, const KeyValPair *pair, GError **error)
{
    const char *number = pair->key + strlen("affinity");
    Affinity affinity = { 0 };
    uint64_t vcpu;

    if (*number == '\0') {
        affinity_clear(&sched->all);
        sched->has_all = true;
        return parse_cpus(pair->key, pair->value, &sched->all, error);
    }
    if (*number != '.' || !props_parse_u64(number + 1, &vcpu, NULL) || vcpu > MAX_VCPU) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "'%s' is not affinity.N with the number of a vCPU", pair->key);
        return false;
    }
    if (!parse_cpus(pair->key, pair->value, &affinity, error)) {
        return false;
    }
    affinity.vcpu = vcpu;
    g_array_append_val(sched->affinities, affinity);
    return true;
}

static bool take_clamp(KeyVal *kv, const char *key, bool *given, uint64_t *value, GError **error)
{
    const char *text = keyval_take(kv, key);

    *given = text != NULL;
    if (text != NULL && (!props_parse_u64(text, value, NULL) || *value > UCLAMP_MAX)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "%s is '%s' but must be 0 to %d", key,
                    text, UCLAMP_MAX);
        return false;
    }
    return true;
}

static bool take_core(KeyVal *kv, int *core, GError **error)
{
    static const char *const modes[] = { "off", "vcpu", "vm", NULL };
    const char *text = keyval_take(kv, "core");

    for (int i = 0; text != NULL && modes[i] != NULL; i++) {
        if (strcmp(text, modes[i]) == 0) {
            *core = i;
            return true;
        }
    }
    if (text != NULL) {
        error_set_unknown(error, "core", text, modes);
    }
    return text == NULL;
}

static bool take_affinities(VcpuSched *sched, KeyVal *kv, GError **error)
{
    static const char *const keys[] = { "affinity", "uclamp-min", "uclamp-max", "core", NULL };

    for (unsigned i = 0; i < kv->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (g_str_has_prefix(pair->key, "affinity")) {
            if (!parse_affinity(sched, pair, error)) {
                return false;
            }
        } else if (!g_strv_contains(keys, pair->key)) {
            error_set_unknown(error, "property", pair->key, keys);
            return false;
        }
    }
    return true;
}

VcpuSched *vcpu_sched_parse(const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, NULL, error);
    g_autoptr(VcpuSched) sched = g_new0(VcpuSched, 1);

    sched->affinities = g_array_new(FALSE, TRUE, sizeof(Affinity));
    g_array_set_clear_func(sched->affinities, affinity_clear);
    if (kv == NULL || !take_affinities(sched, kv, error) ||
        !take_clamp(kv, "uclamp-min", &sched->has_min, &sched->util_min, error) ||
        !take_clamp(kv, "uclamp-max", &sched->has_max, &sched->util_max, error) ||
        !take_core(kv, &sched->core, error)) {
        return NULL;
    }
    if (sched->has_min && sched->has_max && sched->util_min > sched->util_max) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "uclamp-min is %" G_GUINT64_FORMAT ", above uclamp-max, %" G_GUINT64_FORMAT,
                    sched->util_min, sched->util_max);
        return NULL;
    }
    return g_steal_pointer(&sched);
}

/* ---- doing ---- */

static const Affinity *affinity_of(const VcpuSched *sched, unsigned vcpu)
{
    for (unsigned i = sched->affinities->len; i-- > 0;) { /* the last one counts */
        const Affinity *affinity = &g_array_index(sched->affinities, Affinity, i);

        if (affinity->vcpu == vcpu) {
            return affinity;
        }
    }
    return sched->has_all ? &sched->all : NULL;
}

static bool pin(const Affinity *affinity, unsigned vcpu, pid_t tid, GError **error)
{
    if (sched_setaffinity(tid, sizeof(affinity->cpus), &affinity->cpus) == 0) {
        return true;
    }
    error_set_errno(error, errno, "affinity=%s of vCPU %u%s", affinity->text, vcpu,
                    errno == EINVAL ? " (none of these CPUs is online, or all are outside this "
                                      "program's cpuset)"
                                    : "");
    return false;
}

static const char *clamp_advice(int cause)
{
    switch (cause) {
    case EOPNOTSUPP:
        return " (this kernel was built without CONFIG_UCLAMP_TASK)";
    case E2BIG:
        return " (this kernel is older than utilization clamps, 5.3)";
    case EPERM:
        return " (it takes CAP_SYS_NICE to ask for more)";
    }
    return "";
}

static bool clamp(const VcpuSched *sched, unsigned vcpu, pid_t tid, GError **error)
{
    SchedAttr attr = {
        .size = sizeof(attr),
        .flags = FLAG_KEEP_POLICY | FLAG_KEEP_PARAMS | (sched->has_min ? FLAG_UTIL_MIN : 0) |
                 (sched->has_max ? FLAG_UTIL_MAX : 0),
        .util_min = sched->util_min,
        .util_max = sched->util_max,
    };

    if (syscall(SYS_sched_setattr, tid, &attr, 0) == 0) {
        return true;
    }
    error_set_errno(error, errno, "uclamp-min, uclamp-max of vCPU %u%s", vcpu, clamp_advice(errno));
    return false;
}

/* A host without SMT (ENODEV) has nobody to keep away: what was asked for is so. */
static bool isolate(pid_t tid, int scope, GError **error)
{
    if (prctl(PR_SCHED_CORE, CORE_CREATE, tid, scope, 0) == 0 || errno == ENODEV) {
        return true;
    }
    error_set_errno(error, errno, "core%s",
                    errno == EINVAL ? " (this kernel was built without CONFIG_SCHED_CORE)" : "");
    return false;
}

bool vcpu_sched_apply(const VcpuSched *sched, Accel *accel, GError **error)
{
    unsigned n = accel_n_vcpus(accel);

    for (unsigned i = 0; i < sched->affinities->len; i++) {
        const Affinity *affinity = &g_array_index(sched->affinities, Affinity, i);

        if (affinity->vcpu >= n) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                        "affinity.%u: the VM has vCPUs 0 to %u", affinity->vcpu, MAX(n, 1) - 1);
            return false;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        const Affinity *affinity = affinity_of(sched, i);
        pid_t tid = accel_vcpu_tid(accel, i);

        if (tid == 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        "accelerator '%s' runs vCPUs without threads of this program",
                        accel_name(accel));
            return false;
        }
        if ((affinity != NULL && !pin(affinity, i, tid, error)) ||
            ((sched->has_min || sched->has_max) && !clamp(sched, i, tid, error)) ||
            (sched->core == CORE_VCPU && !isolate(tid, CORE_SCOPE_THREAD, error))) {
            return false;
        }
    }
    return sched->core != CORE_VM || isolate(0, CORE_SCOPE_PROCESS, error);
}
