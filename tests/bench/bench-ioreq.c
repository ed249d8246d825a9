/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a trapped access costs once its IoRequest is filled: one MMIO read of a device that has a
 * lock, among the regions of a small machine; and how two vCPU threads on two devices scale. Both
 * sides run alternately in short slices. --json prints one object per line for scripts/bench.
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/ioreq.h"

enum { N_DEVICES = 40, SLICES = 41, PER_SLICE = 100000, COMPUTE = 30 };
#define DEVICE_BASE 0x0a000000
#define DEVICE_STEP 0x10000

typedef struct {
    MemoryRegion mr;
    MemoryLock lock;
    uint32_t reg;
} BenchDevice;

typedef struct {
    IoReqDispatcher *d;
    uint64_t addr;
    GThread *thread;
    int64_t start, end; /* us */
    bool compute;       /* the control: no dispatch, no shared memory */
    IoReqStats stats;
} Runner;

static BenchDevice devices[N_DEVICES];
static unsigned gate; /* threads still to arrive */

static uint64_t device_read(void *opaque, hwaddr offset, unsigned size)
{
    BenchDevice *dev = opaque;

    return dev->reg++;
}

static void device_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    BenchDevice *dev = opaque;

    dev->reg = value;
}

static const MemoryRegionOps device_ops = {
    .read = device_read,
    .write = device_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { 1, 8 },
    .impl = { 1, 8 },
};

static gpointer run_slice(gpointer data)
{
    Runner *r = data;
    IoRequest req = { .space = IOREQ_MMIO, .addr = r->addr, .size = 4, .count = 1, .step = 1 };
    uint64_t sum = 0;

    memory_thread_register();
    __atomic_sub_fetch(&gate, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&gate, __ATOMIC_SEQ_CST) != 0) {
    }
    r->start = g_get_monotonic_time();
    for (unsigned i = 0; r->compute && i < PER_SLICE * COMPUTE; i++) {
        sum = sum * 6364136223846793005u + i;
    }
    for (unsigned i = 0; !r->compute && i < PER_SLICE; i++) {
        ioreq_dispatch(r->d, &req, &r->stats);
        sum += req.data;
    }
    r->end = g_get_monotonic_time();
    memory_thread_unregister();
    return GSIZE_TO_POINTER(sum);
}

/* Rounds per second of n threads, each on its own device. */
static double throughput(Runner **runners, unsigned n, bool compute)
{
    int64_t start = INT64_MAX, end = 0;

    __atomic_store_n(&gate, n, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < n; i++) {
        runners[i]->compute = compute;
        runners[i]->thread = g_thread_new("bench", run_slice, runners[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        g_thread_join(runners[i]->thread);
        start = MIN(start, runners[i]->start);
        end = MAX(end, runners[i]->end);
    }
    return (double)n * PER_SLICE / ((double)(end - start) * 1e-6);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* goal 0: none. */
static double report(bool json, const char *name, const char *unit, double *values, bool at_most,
                     double goal, const char *note)
{
    double median, low, high;
    const char *met;

    qsort(values, SLICES, sizeof(*values), by_value);
    median = values[SLICES / 2];
    low = values[SLICES / 10];
    high = values[SLICES - 1 - SLICES / 10];
    met = (at_most ? median <= goal : median >= goal) ? "true" : "false";
    if (!json) {
        printf("%-40s %8.4g %s [%.4g .. %.4g]", name, median, unit, low, high);
        if (goal > 0) {
            printf("  goal %s %g: %s", at_most ? "<=" : ">=", goal, met);
        }
        printf("  (%s)\n", note);
        return median;
    }
    printf("{\"name\": \"%s\", \"unit\": \"%s\", \"value\": %.4g, \"spread\": [%.4g, %.4g], ", name,
           unit, median, low, high);
    if (goal > 0) {
        printf("\"goal\": \"%s %g\", \"met\": %s, ", at_most ? "<=" : ">=", goal, met);
    }
    printf("\"note\": \"%s\"}\n", note);
    return median;
}

int main(int argc, char **argv)
{
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    MemoryRegion root, ram;
    AddressSpace *as;
    Runner *runners[2];
    double cost[SLICES], scaling[SLICES], control[SLICES], host;
    g_autofree char *note = NULL;
    GError *error = NULL;

    memory_thread_register();
    memory_region_init(&root, NULL, "root", UINT64_MAX);
    if (!memory_region_init_ram(&ram, NULL, "ram", 1 << 20, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    memory_region_add_subregion(&root, 0x40000000, &ram);
    for (unsigned i = 0; i < N_DEVICES; i++) {
        memory_lock_init(&devices[i].lock);
        memory_region_init_io(&devices[i].mr, NULL, &device_ops, &devices[i], "device", 0x200);
        memory_region_set_lock(&devices[i].mr, &devices[i].lock);
        memory_region_add_subregion(&root, DEVICE_BASE + i * DEVICE_STEP, &devices[i].mr);
    }
    as = address_space_new(&root, "memory");
    for (unsigned i = 0; i < 2; i++) {
        runners[i] = g_aligned_alloc0(1, (sizeof(Runner) + 127) & ~127UL, 128);
        runners[i]->d = i == 0 ? ioreq_dispatcher_new(as, NULL) : runners[0]->d;
        runners[i]->addr = DEVICE_BASE + (3 + 30 * i) * DEVICE_STEP + 8;
    }
    throughput(runners, 2, false); /* warm up */
    for (unsigned i = 0; i < SLICES; i++) {
        double one, two, compute_one, compute_two;

        if (i % 2 == 0) {
            one = throughput(runners, 1, false);
            two = throughput(runners, 2, false);
            compute_one = throughput(runners, 1, true);
            compute_two = throughput(runners, 2, true);
        } else {
            compute_two = throughput(runners, 2, true);
            compute_one = throughput(runners, 1, true);
            two = throughput(runners, 2, false);
            one = throughput(runners, 1, false);
        }
        control[i] = compute_two / compute_one;
        cost[i] = 1e9 / one;
        scaling[i] = two / one;
    }
    report(json, "ioreq: one MMIO read dispatched", "ns", cost, true, 60,
           "filled IoRequest to answer, device with a lock, 41 ranges");
    host = report(json, "host: two threads of pure computation", "x", control, false, 0,
                  "what this host gives two threads over one, in the same slices");
    note =
        g_strdup_printf("two threads over one, paired slices; pure computation reaches %.3g", host);
    report(json, "ioreq: two vCPUs on two devices", "x", scaling, false, 1.9, note);
    memory_thread_unregister();
    return 0;
}
