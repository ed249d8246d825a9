/* SPDX-License-Identifier: GPL-2.0-or-later
 * NUMA nodes of a machine (-numa): which memory back end and which CPUs are each node's, and how
 * far they are from each other; and where a CPU is in the machine (-smp). system/ reads the options
 * into a Numa, machine_init() checks and completes it.
 *
 * Threads: [main] until machine_init(); constant afterwards.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/keyval.h"

enum {
    NUMA_MAX_NODES = 128,
    NUMA_MAX_CPUS = 512,
    NUMA_DISTANCE_LOCAL = 10,
    NUMA_DISTANCE_REMOTE = 20,
    NUMA_DISTANCE_UNREACHABLE = 255,
};

typedef struct {
    unsigned sockets, clusters, cores, threads; /* their product is the number of CPUs at most */
} CpuTopology;

/* Where CPU index is. */
typedef struct {
    unsigned socket_id, cluster_id, core_id, thread_id;
} CpuPlace;

CpuPlace cpu_place(const CpuTopology *topology, unsigned index);

typedef struct {
    bool present;
    char *memdev;  /* id of its memory back end, or NULL: no memory */
    uint64_t size; /* after numa_complete() */
    uint8_t distance[NUMA_MAX_NODES];
} NumaNode;

typedef struct {
    unsigned n_nodes; /* 0: the machine is not divided */
    NumaNode nodes[NUMA_MAX_NODES];
    bool has_distances;
    int16_t cpu_node[NUMA_MAX_CPUS]; /* -1: not said; none after numa_complete() */
    bool has_cpus;                   /* some CPU has been given a node */
    GPtrArray *places;               /* of -numa cpu, until numa_complete() */
} Numa;

Numa *numa_new(void);
void numa_free(Numa *numa); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Numa, numa_free)

/* One -numa, taken apart with "type" as the implied key. FALSE: errors state the fact. */
bool numa_add(Numa *numa, KeyVal *kv, GError **error);
/* All are there: nodes without gaps, distances for all pairs or none, back ends that exist, every
 * CPU on a node. *unplaced, if not NULL, gets the number of CPUs that node 0 took in for want of
 * another. */
bool numa_complete(Numa *numa, const CpuTopology *topology, unsigned n_cpus, unsigned *unplaced,
                   GError **error);
/* Text of info numa. */
void numa_print(const Numa *numa, unsigned n_cpus, GString *out);
