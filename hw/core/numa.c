/* SPDX-License-Identifier: GPL-2.0-or-later
 * -numa: taking the options apart, and checking that together they describe a machine. Who uses the
 * result: machine-ram.c for the memory, boards for what they tell the guest.
 */
#include "hw/core/numa.h"

#include <string.h>

#include "hw/core/hostmem.h"
#include "util/error.h"
#include "util/props.h"

/* -numa cpu: a node for all CPUs that match; a level that is not given matches all. */
typedef struct {
    uint64_t node;
    uint64_t level[4]; /* socket, cluster, core, thread; UINT64_MAX: not given */
    char *text;
} NumaPlace;

static const char *const level_keys[] = { "socket-id", "cluster-id", "core-id", "thread-id" };

static void place_free(gpointer data)
{
    NumaPlace *p = data;

    g_free(p->text);
    g_free(p);
}

CpuPlace cpu_place(const CpuTopology *t, unsigned index)
{
    return (CpuPlace){
        .thread_id = index % t->threads,
        .core_id = index / t->threads % t->cores,
        .cluster_id = index / t->threads / t->cores % t->clusters,
        .socket_id = index / t->threads / t->cores / t->clusters % t->sockets,
    };
}

Numa *numa_new(void)
{
    Numa *numa = g_new0(Numa, 1);

    memset(numa->cpu_node, -1, sizeof(numa->cpu_node));
    numa->places = g_ptr_array_new_with_free_func(place_free);
    return numa;
}

void numa_free(Numa *numa)
{
    if (numa == NULL) {
        return;
    }
    for (unsigned i = 0; i < NUMA_MAX_NODES; i++) {
        g_free(numa->nodes[i].memdev);
    }
    g_ptr_array_unref(numa->places);
    g_free(numa);
}

/* ---- reading ---- */

static bool bad(GError **error, HumpyError code, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

static bool bad(GError **error, HumpyError code, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error_literal(error, HUMPY_ERROR, code, text);
    return false;
}

/* Takes a number below limit into *value, which stays where key was not given. */
static bool take(KeyVal *kv, const char *key, uint64_t limit, uint64_t *value, GError **error)
{
    const char *text = keyval_take(kv, key);
    uint64_t v;

    if (text == NULL) {
        return true;
    }
    if (!props_parse_u64(text, &v, error)) {
        g_prefix_error(error, "%s: ", key);
        return false;
    }
    if (v >= limit) {
        return bad(error, HUMPY_ERROR_RANGE,
                   "%s is %" G_GUINT64_FORMAT " but must be 0 to %" G_GUINT64_FORMAT, key, v,
                   limit - 1);
    }
    *value = v;
    return true;
}

static bool require(uint64_t value, const char *key, GError **error)
{
    return value != UINT64_MAX || bad(error, HUMPY_ERROR_MISSING, "property '%s' is missing", key);
}

/* "3" or "0-3". */
static bool take_cpus(Numa *numa, unsigned node, const char *text, GError **error)
{
    g_auto(GStrv) ends = g_strsplit(text, "-", 2);
    uint64_t first, last;

    if (!props_parse_u64(ends[0] != NULL ? ends[0] : "", &first, error) ||
        !props_parse_u64(ends[0] != NULL && ends[1] != NULL ? ends[1] : ends[0], &last, error)) {
        g_prefix_error(error, "cpus: ");
        return false;
    }
    if (first > last || last >= NUMA_MAX_CPUS) {
        return bad(error, HUMPY_ERROR_RANGE, "cpus is %s but must be FIRST-LAST below %d", text,
                   NUMA_MAX_CPUS);
    }
    for (uint64_t i = first; i <= last; i++) {
        if (numa->cpu_node[i] >= 0 && numa->cpu_node[i] != (int)node) {
            return bad(error, HUMPY_ERROR_CONFLICT,
                       "CPU %" G_GUINT64_FORMAT " is on node %d already", i, numa->cpu_node[i]);
        }
        numa->cpu_node[i] = node;
        numa->has_cpus = true;
    }
    return true;
}

static bool add_node(Numa *numa, KeyVal *kv, GError **error)
{
    static const char *const keys[] = { "type", "nodeid", "memdev", "cpus", "mem", NULL };
    uint64_t id = numa->n_nodes;
    NumaNode *node;

    if (!keyval_check_keys(kv, keys, error) || !take(kv, "nodeid", NUMA_MAX_NODES, &id, error)) {
        return false;
    }
    if (id >= NUMA_MAX_NODES) {
        return bad(error, HUMPY_ERROR_RANGE, "there are at most %d nodes", NUMA_MAX_NODES);
    }
    if (keyval_get(kv, "mem") != NULL) {
        return bad(error, HUMPY_ERROR_UNSUPPORTED,
                   "mem= cuts up memory that is one piece (use memdev=)");
    }
    node = &numa->nodes[id];
    if (node->present) {
        return bad(error, HUMPY_ERROR_CONFLICT, "node %" G_GUINT64_FORMAT " is there already", id);
    }
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (strcmp(pair->key, "cpus") == 0 && !take_cpus(numa, id, pair->value, error)) {
            return false;
        }
    }
    node->present = true;
    node->memdev = g_strdup(keyval_take(kv, "memdev"));
    numa->n_nodes++;
    return true;
}

static bool add_cpu(Numa *numa, KeyVal *kv, GError **error)
{
    static const char *const keys[] = { "type",    "node-id",   "socket-id", "cluster-id",
                                        "core-id", "thread-id", NULL };
    g_autofree NumaPlace *place = g_new(NumaPlace, 1);

    *place = (NumaPlace){ .node = UINT64_MAX };
    if (!keyval_check_keys(kv, keys, error) ||
        !take(kv, "node-id", NUMA_MAX_NODES, &place->node, error) ||
        !require(place->node, "node-id", error)) {
        return false;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(level_keys); i++) {
        place->level[i] = UINT64_MAX;
        if (!take(kv, level_keys[i], NUMA_MAX_CPUS, &place->level[i], error)) {
            return false;
        }
    }
    if (!numa->nodes[place->node].present) {
        return bad(error, HUMPY_ERROR_UNKNOWN,
                   "node %" G_GUINT64_FORMAT " is not there (-numa node comes first)", place->node);
    }
    place->text = g_strdup(kv->text);
    g_ptr_array_add(numa->places, g_steal_pointer(&place));
    return true;
}

static bool add_distance(Numa *numa, KeyVal *kv, GError **error)
{
    static const char *const keys[] = { "type", "src", "dst", "val", NULL };
    uint64_t src = UINT64_MAX, dst = UINT64_MAX, val = UINT64_MAX;

    if (!keyval_check_keys(kv, keys, error) || !take(kv, "src", NUMA_MAX_NODES, &src, error) ||
        !take(kv, "dst", NUMA_MAX_NODES, &dst, error) || !take(kv, "val", 256, &val, error) ||
        !require(src, "src", error) || !require(dst, "dst", error) || !require(val, "val", error)) {
        return false;
    }
    if (!numa->nodes[src].present || !numa->nodes[dst].present) {
        return bad(error, HUMPY_ERROR_UNKNOWN,
                   "node %" G_GUINT64_FORMAT " is not there (-numa node comes first)",
                   numa->nodes[src].present ? dst : src);
    }
    if (val < NUMA_DISTANCE_LOCAL || (src == dst && val != NUMA_DISTANCE_LOCAL)) {
        return bad(error, HUMPY_ERROR_RANGE,
                   "val is %" G_GUINT64_FORMAT " but must be %d to %d, and %d to itself", val,
                   NUMA_DISTANCE_LOCAL, NUMA_DISTANCE_UNREACHABLE, NUMA_DISTANCE_LOCAL);
    }
    numa->nodes[src].distance[dst] = val;
    numa->has_distances = true;
    return true;
}

bool numa_add(Numa *numa, KeyVal *kv, GError **error)
{
    static const char *const types[] = { "node", "cpu", "dist", NULL };
    const char *type = keyval_take(kv, "type");

    if (g_strcmp0(type, "node") == 0) {
        return add_node(numa, kv, error);
    }
    if (g_strcmp0(type, "cpu") == 0) {
        return add_cpu(numa, kv, error);
    }
    if (g_strcmp0(type, "dist") == 0) {
        return add_distance(numa, kv, error);
    }
    error_set_unknown(error, "type", type != NULL ? type : "", types);
    return false;
}

/* ---- checking ---- */

static bool complete_memory(Numa *numa, GError **error)
{
    for (unsigned i = 0; i < numa->n_nodes; i++) {
        NumaNode *node = &numa->nodes[i];
        UserObject *backend;

        if (!node->present) {
            return bad(error, HUMPY_ERROR_MISSING, "-numa: node %u is missing of %u", i,
                       numa->n_nodes);
        }
        node->size = 0;
        if (node->memdev == NULL) {
            continue;
        }
        backend = user_object_find(node->memdev, TYPE_MEMORY_BACKEND, error);
        if (backend == NULL) {
            g_prefix_error(error, "-numa node,nodeid=%u,memdev=%s: ", i, node->memdev);
            return false;
        }
        node->size = memory_backend_size(HUMPY_MEMORY_BACKEND(backend));
    }
    return true;
}

/* A distance given one way holds for both, until one pair is given both ways: then all must be. */
static bool complete_distances(Numa *numa, GError **error)
{
    bool asymmetric = false;

    for (unsigned i = 0; i < numa->n_nodes; i++) {
        for (unsigned k = 0; k < i; k++) {
            uint8_t there = numa->nodes[i].distance[k], back = numa->nodes[k].distance[i];

            asymmetric |= there != 0 && back != 0 && there != back;
        }
    }
    for (unsigned i = 0; i < numa->n_nodes; i++) {
        for (unsigned k = 0; k < numa->n_nodes; k++) {
            uint8_t *there = &numa->nodes[i].distance[k], back = numa->nodes[k].distance[i];

            if (i == k) {
                *there = NUMA_DISTANCE_LOCAL;
            } else if (!numa->has_distances) {
                *there = NUMA_DISTANCE_REMOTE;
            } else if (*there == 0 && back != 0 && !asymmetric) {
                *there = back;
            } else if (*there == 0) {
                return bad(error, HUMPY_ERROR_MISSING,
                           "-numa dist: the distance from node %u to node %u is missing%s", i, k,
                           asymmetric ? " (it is not the same both ways everywhere)" : "");
            }
        }
    }
    return true;
}

static bool matches(const NumaPlace *p, const CpuPlace *at)
{
    const unsigned ids[] = { at->socket_id, at->cluster_id, at->core_id, at->thread_id };

    for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
        if (p->level[i] != UINT64_MAX && p->level[i] != ids[i]) {
            return false;
        }
    }
    return true;
}

static bool place_cpus(Numa *numa, const CpuTopology *topology, unsigned n_cpus, GError **error)
{
    for (unsigned i = 0; i < numa->places->len; i++) {
        const NumaPlace *p = g_ptr_array_index(numa->places, i);
        bool any = false;

        for (unsigned cpu = 0; cpu < n_cpus; cpu++) {
            CpuPlace at = cpu_place(topology, cpu);

            if (!matches(p, &at)) {
                continue;
            }
            if (numa->cpu_node[cpu] >= 0 && numa->cpu_node[cpu] != (int)p->node) {
                return bad(error, HUMPY_ERROR_CONFLICT, "-numa %s: CPU %u is on node %d already",
                           p->text, cpu, numa->cpu_node[cpu]);
            }
            numa->cpu_node[cpu] = p->node;
            any = true;
        }
        if (!any) {
            return bad(error, HUMPY_ERROR_RANGE, "-numa %s: there is no such CPU", p->text);
        }
        numa->has_cpus = true;
    }
    return true;
}

static bool complete_cpus(Numa *numa, const CpuTopology *topology, unsigned n_cpus,
                          unsigned *unplaced, GError **error)
{
    for (unsigned i = n_cpus; i < NUMA_MAX_CPUS; i++) {
        if (numa->cpu_node[i] >= 0) {
            return bad(error, HUMPY_ERROR_RANGE, "-numa node,cpus=%u: the machine has %u CPUs", i,
                       n_cpus);
        }
    }
    if (!place_cpus(numa, topology, n_cpus, error)) {
        return false;
    }
    for (unsigned i = 0; i < n_cpus; i++) {
        if (numa->cpu_node[i] < 0 && numa->has_cpus) {
            numa->cpu_node[i] = 0;
            ++*unplaced;
        } else if (numa->cpu_node[i] < 0) {
            numa->cpu_node[i] = cpu_place(topology, i).socket_id % numa->n_nodes;
        }
    }
    return true;
}

bool numa_complete(Numa *numa, const CpuTopology *topology, unsigned n_cpus, unsigned *unplaced,
                   GError **error)
{
    unsigned unused;

    unplaced = unplaced != NULL ? unplaced : &unused;
    *unplaced = 0;
    return numa->n_nodes == 0 || (complete_memory(numa, error) && complete_distances(numa, error) &&
                                  complete_cpus(numa, topology, n_cpus, unplaced, error));
}

void numa_print(const Numa *numa, unsigned n_cpus, GString *out)
{
    g_string_append_printf(out, "%u nodes\n", numa->n_nodes);
    for (unsigned i = 0; i < numa->n_nodes; i++) {
        g_string_append_printf(out, "node %u cpus:", i);
        for (unsigned cpu = 0; cpu < n_cpus; cpu++) {
            if (numa->cpu_node[cpu] == (int)i) {
                g_string_append_printf(out, " %u", cpu);
            }
        }
        g_string_append_printf(out, "\nnode %u size: %" G_GUINT64_FORMAT " MB\n", i,
                               numa->nodes[i].size >> 20);
        g_string_append_printf(out, "node %u plugged: 0 MB\n", i);
    }
}
