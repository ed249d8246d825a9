/* SPDX-License-Identifier: GPL-2.0-or-later
 * -smp and -machine smp.*: how many CPUs, and how they are arranged in sockets, clusters, cores and
 * threads; and where they run.
 */
#include "options.h"
#include "util/error.h"
#include "util/props.h"
#include "vcpu-sched.h"

enum { SOCKETS, CLUSTERS, CORES, THREADS, LEVELS };

bool option_take_count(KeyVal *kv, const char *key, uint64_t *count, GError **error)
{
    const char *text = keyval_take(kv, key);

    if (text == NULL) {
        return true;
    }
    if (!props_parse_u64(text, count, error)) {
        g_prefix_error(error, "%s: ", key);
        return false;
    }
    if (*count == 0 || *count > UINT16_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "%s is '%s' but must be 1 to %d", key,
                    text, UINT16_MAX);
        return false;
    }
    return true;
}

/* What of the levels is not given (0) follows from the number of CPUs: cores first, then sockets.
 */
static void fill_in(uint64_t *level, uint64_t cpus)
{
    level[CLUSTERS] = MAX(level[CLUSTERS], 1);
    if (level[CORES] == 0) {
        level[SOCKETS] = MAX(level[SOCKETS], 1);
        level[THREADS] = MAX(level[THREADS], 1);
        level[CORES] = cpus / (level[SOCKETS] * level[CLUSTERS] * level[THREADS]);
    } else if (level[SOCKETS] == 0) {
        level[THREADS] = MAX(level[THREADS], 1);
        level[SOCKETS] = cpus / (level[CLUSTERS] * level[CORES] * level[THREADS]);
    } else if (level[THREADS] == 0) {
        level[THREADS] = cpus / (level[SOCKETS] * level[CLUSTERS] * level[CORES]);
    }
}

bool option_smp(VmConfig *config, const char *arg, GError **error)
{
    static const char *const keys[] = { "sockets", "clusters", "cores", "threads",
                                        "cpus",    "maxcpus",  NULL };
    g_autoptr(KeyVal) kv = keyval_parse(arg, "cpus", error);
    uint64_t cpus = 0, max = 0, given = 1, product = 1, level[LEVELS] = { 0 };

    if (kv == NULL || !keyval_check_keys(kv, keys, error) ||
        !option_take_count(kv, "cpus", &cpus, error) ||
        !option_take_count(kv, "maxcpus", &max, error)) {
        return false;
    }
    for (unsigned i = 0; i < LEVELS; i++) {
        if (!option_take_count(kv, keys[i], &level[i], error)) {
            return false;
        }
        given = MIN(given * MAX(level[i], 1), UINT32_MAX);
    }
    /* What is not given follows from what is: a bare topology is full of CPUs. */
    max = max != 0 ? max : cpus != 0 ? cpus : given;
    cpus = cpus != 0 ? cpus : max;
    if (cpus > max) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "cpus is %" G_GUINT64_FORMAT " but maxcpus only %" G_GUINT64_FORMAT, cpus, max);
        return false;
    }
    fill_in(level, max);
    for (unsigned i = 0; i < LEVELS; i++) {
        product = MIN(product * level[i], UINT32_MAX);
    }
    if (product != max) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "sockets * clusters * cores * threads cannot be %" G_GUINT64_FORMAT
                    " with those given, which make %" G_GUINT64_FORMAT,
                    max, given);
        return false;
    }
    config->smp = cpus;
    config->max_cpus = max;
    config->topology =
        (CpuTopology){ level[SOCKETS], level[CLUSTERS], level[CORES], level[THREADS] };
    return true;
}

bool option_vcpu_sched(VmConfig *config, const char *arg, GError **error)
{
    VcpuSched *sched = vcpu_sched_parse(arg, error);

    if (sched == NULL) {
        return false;
    }
    vcpu_sched_free(sched);
    g_free(config->vcpu_sched);
    config->vcpu_sched = g_strdup(arg);
    return true;
}
