/* SPDX-License-Identifier: GPL-2.0-or-later
 * What an access costs when there are many devices: loads spread at random over 4 and over 96 of
 * them, by turns.
 */
#include <glib.h>
#include <string.h>
#include <time.h>

#include "memory/memory.h"
#include "report.h"

enum { FEW = 4, MANY = 96, STEP = 0x1000, LOADS = 20000, ROUNDS = 41 };

typedef struct {
    unsigned n;
    MemoryRegion root, devices[MANY];
    MemoryLock locks[MANY];
    AddressSpace *as;
} Board;

static uint64_t device_read(void *opaque, hwaddr addr, unsigned size)
{
    return addr;
}

static const MemoryRegionOps device_ops = { .read = device_read };

static void board_init(Board *b, unsigned n)
{
    b->n = n;
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    for (unsigned i = 0; i < n; i++) {
        memory_lock_init(&b->locks[i]);
        memory_region_init_io(&b->devices[i], NULL, &device_ops, b, "device", STEP / 8);
        memory_region_set_lock(&b->devices[i], &b->locks[i]);
        memory_region_add_subregion(&b->root, (hwaddr)i * STEP, &b->devices[i]);
    }
    b->as = address_space_new(&b->root, "memory");
}

/* Nanoseconds of processor time for a load. */
static double loads(Board *b)
{
    struct timespec before, after;
    uint32_t random = 1;
    uint64_t value;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    for (unsigned i = 0; i < LOADS; i++) {
        random = random * 1664525 + 1013904223;
        address_space_ld(b->as, (hwaddr)(random >> 16) % b->n * STEP + 8, 4, &value);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    return ((after.tv_sec - before.tv_sec) * 1e9 + (after.tv_nsec - before.tv_nsec)) / LOADS;
}

int main(int argc, char **argv)
{
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    Board *few = g_new0(Board, 1), *many = g_new0(Board, 1);
    double times[ROUNDS], ratios[ROUNDS];

    memory_thread_register();
    board_init(few, FEW);
    board_init(many, MANY);
    loads(few);
    loads(many);
    for (unsigned i = 0; i < ROUNDS; i++) {
        double a = i % 2 == 0 ? loads(few) : 0, b = loads(many);

        a = i % 2 == 0 ? a : loads(few);
        times[i] = b;
        ratios[i] = b / a;
    }
    report(json, &(ReportRow){ "memory: load from one of 96 devices", "ns", "CPU time, at random" },
           times, ROUNDS);
    report(json,
           &(ReportRow){ "memory: load from one of 96 devices against one of 4", "x",
                         "what is left is cache and branch misses", false, 1.5 },
           ratios, ROUNDS);
    memory_thread_unregister();
    return 0;
}
