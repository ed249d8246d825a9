/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the memory API costs: a load from a device with a lock and from RAM, how two threads on two
 * devices scale, and what a topology commit costs per section and tells its listeners. All sides of
 * a comparison run alternately in short slices. --json prints one object per line for
 * scripts/bench.
 */
#include "memory/memory.h"

#include <string.h>
#include <time.h>

#include "report.h"

enum { SLICES = 31, PER_SLICE = 200000, N_DEVICES = 40, COMPUTE = 20 };
#define DEVICE_BASE 0x0a000000
#define DEVICE_STEP 0x10000
#define RAM_BASE    0x40000000

static bool json;

static double seconds(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return ts.tv_sec + ts.tv_nsec * 1e-9;
}

/* What one thread spends: not disturbed by other processes on a busy machine. */
static double spent(void)
{
    return seconds(CLOCK_THREAD_CPUTIME_ID);
}

/* ---- accesses ---- */

typedef struct {
    MemoryRegion mr;
    MemoryLock lock;
    uint32_t reg;
    char apart[128]; /* devices are allocations of their own in a machine */
} BenchDevice;

typedef enum { RUN_DEVICE, RUN_RAM, RUN_COMPUTE } RunKind;

typedef struct {
    AddressSpace *as;
    hwaddr addr;
    RunKind kind;
    pthread_barrier_t *start;
    double begin, end; /* wall clock: this is what has to scale */
    double cost;       /* CPU time */
    char apart[128];
} Runner;

static volatile uint64_t sink;

static uint64_t device_read(void *opaque, hwaddr offset, unsigned size)
{
    return ((BenchDevice *)opaque)->reg++;
}

static const MemoryRegionOps device_ops = { .read = device_read };

static void *run_slice(void *opaque)
{
    Runner *r = opaque;
    uint64_t sum = 0, value;
    double cost;

    memory_thread_register();
    pthread_barrier_wait(r->start);
    r->begin = seconds(CLOCK_MONOTONIC);
    cost = spent();
    for (unsigned i = 0; r->kind == RUN_COMPUTE && i < PER_SLICE * COMPUTE; i++) {
        sum = sum * 6364136223846793005u + i;
    }
    for (unsigned i = 0; r->kind != RUN_COMPUTE && i < PER_SLICE; i++) {
        address_space_ld(r->as, r->addr, 4, &value);
        sum += value;
    }
    r->cost = (spent() - cost) * 1e9 / PER_SLICE;
    r->end = seconds(CLOCK_MONOTONIC);
    sink = sum;
    memory_thread_unregister();
    return NULL;
}

/* Nanoseconds of wall time per round of n threads taken together. */
static double slice(Runner *runners, unsigned n, RunKind kind)
{
    pthread_barrier_t start;
    pthread_t threads[2];
    double begin = 1e18, end = 0;

    pthread_barrier_init(&start, NULL, n);
    for (unsigned i = 0; i < n; i++) {
        runners[i].start = &start;
        runners[i].kind = kind;
        runners[i].addr =
            kind == RUN_RAM ? RAM_BASE + 0x1000 * i : DEVICE_BASE + (3 + 30 * i) * DEVICE_STEP + 8;
        if (pthread_create(&threads[i], NULL, run_slice, &runners[i]) != 0) {
            g_error("bench: cannot start a thread");
        }
    }
    for (unsigned i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        begin = MIN(begin, runners[i].begin);
        end = MAX(end, runners[i].end);
    }
    pthread_barrier_destroy(&start);
    return (end - begin) * 1e9 / PER_SLICE / n;
}

static void bench_accesses(void)
{
    BenchDevice *devices = g_new0(BenchDevice, N_DEVICES);
    double device[SLICES], ram_cost[SLICES], scaling[SLICES], control[SLICES];
    g_autofree char *note = NULL;
    Runner runners[2] = { 0 };
    GError *error = NULL;
    MemoryRegion root, ram;
    AddressSpace *as;

    memory_region_init(&root, NULL, "root", UINT64_MAX);
    if (!memory_region_init_ram(&ram, NULL, "ram", 1 << 20, &error)) {
        g_error("%s", error->message);
    }
    memory_region_add_subregion(&root, RAM_BASE, &ram);
    for (unsigned i = 0; i < N_DEVICES; i++) {
        memory_lock_init(&devices[i].lock);
        memory_region_init_io(&devices[i].mr, NULL, &device_ops, &devices[i], "device", 0x200);
        memory_region_set_lock(&devices[i].mr, &devices[i].lock);
        memory_region_add_subregion(&root, DEVICE_BASE + i * DEVICE_STEP, &devices[i].mr);
    }
    as = address_space_new(&root, "memory");
    runners[0].as = runners[1].as = as;

    slice(runners, 2, RUN_DEVICE); /* warm up */
    for (unsigned i = 0; i < SLICES; i++) {
        double one, two;

        if (i % 2 == 0) {
            one = slice(runners, 1, RUN_DEVICE);
            device[i] = runners[0].cost;
            two = slice(runners, 2, RUN_DEVICE);
        } else {
            two = slice(runners, 2, RUN_DEVICE);
            one = slice(runners, 1, RUN_DEVICE);
            device[i] = runners[0].cost;
        }
        scaling[i] = one / two;
        control[i] = slice(runners, 1, RUN_COMPUTE);
        control[i] /= slice(runners, 2, RUN_COMPUTE);
        slice(runners, 1, RUN_RAM);
        ram_cost[i] = runners[0].cost;
    }
    report(json,
           &(ReportRow){ "memory: load from a device with a lock", "ns", "CPU time, 41 ranges",
                         false, 60 },
           device, SLICES);
    report(json, &(ReportRow){ "memory: load from RAM", "ns", NULL }, ram_cost, SLICES);
    note = g_strdup_printf("two threads over one; pure computation in the same slices: %.3g",
                           report(json,
                                  &(ReportRow){ "memory: host, two threads of pure computation",
                                                "x", "what this host has to give" },
                                  control, SLICES));
    report(json, &(ReportRow){ "memory: two threads on two devices", "x", note, true, 1.9 },
           scaling, SLICES);

    for (unsigned i = 0; i < N_DEVICES; i++) {
        memory_region_del_subregion(&root, &devices[i].mr);
        memory_region_destroy(&devices[i].mr);
        memory_lock_destroy(&devices[i].lock);
    }
    memory_region_del_subregion(&root, &ram);
    address_space_free(as);
    memory_region_destroy(&ram);
    memory_region_destroy(&root);
    g_free(devices);
}

/* ---- commits ---- */

typedef struct {
    unsigned n;
    MemoryRegion root;
    MemoryRegion *regions;
    uint32_t *order;
    AddressSpace *as;
    MemoryListener listener;
} Plant;

static unsigned n_told;

static void told(MemoryListener *l, const MemoryRegionSection *section)
{
    n_told++;
}

static void plant_init(Plant *p, unsigned n)
{
    p->n = n;
    p->regions = g_new0(MemoryRegion, n);
    p->order = g_new(uint32_t, n);
    memory_region_init(&p->root, NULL, "root", UINT64_MAX);
    for (unsigned i = 0; i < n; i++) {
        memory_region_init_io(&p->regions[i], NULL, &device_ops, NULL, "region", 0x800);
        p->order[i] = i;
    }
    for (unsigned i = n - 1; i > 0; i--) {
        unsigned k = (unsigned)rand() % (i + 1), swap = p->order[i];

        p->order[i] = p->order[k];
        p->order[k] = swap;
    }
    p->as = address_space_new(&p->root, "plant");
    p->listener = (MemoryListener){ .name = "bench", .region_add = told, .region_del = told };
    memory_listener_register(&p->listener, p->as);
}

/* Adds every region in one transaction; shuffled: in no order. Returns what its commit took. */
static double plant_fill(Plant *p, bool shuffled, double *adding)
{
    double begin = spent(), filled;

    memory_region_transaction_begin();
    for (unsigned i = 0; i < p->n; i++) {
        unsigned k = shuffled ? p->order[i] : i;

        memory_region_add_subregion(&p->root, (hwaddr)k * 0x1000, &p->regions[k]);
    }
    filled = spent();
    memory_region_transaction_commit();
    *adding = filled - begin;
    return spent() - filled;
}

static void plant_empty(Plant *p)
{
    memory_region_transaction_begin();
    for (unsigned i = 0; i < p->n; i++) {
        memory_region_del_subregion(&p->root, &p->regions[i]);
    }
    memory_region_transaction_commit();
    memory_drain();
}

/* Moves one region of a full plant to and fro: one commit each. */
static double plant_nudge(Plant *p)
{
    MemoryRegion *mr = &p->regions[p->n / 2];
    unsigned rounds = MAX(2, 2000 / p->n) & ~1u;
    double begin = spent();

    for (unsigned i = 0; i < rounds; i++) {
        memory_region_set_address(mr, (hwaddr)(p->n / 2) * 0x1000 + (i % 2 ? 0 : 0x800));
    }
    return (spent() - begin) / rounds;
}

static void plant_clear(Plant *p)
{
    memory_listener_unregister(&p->listener);
    address_space_free(p->as);
    for (unsigned i = 0; i < p->n; i++) {
        memory_region_destroy(&p->regions[i]);
    }
    memory_region_destroy(&p->root);
    g_free(p->regions);
    g_free(p->order);
}

enum { N_SIZES = 4, ROUNDS = 21 };
static const unsigned sizes[N_SIZES] = { 10, 100, 1000, 10000 };

/* All in ns, by rounds. */
typedef struct {
    double add[ROUNDS], commit[ROUNDS], shuffled[ROUNDS], nudge[ROUNDS], calls[ROUNDS];
} Costs;

static void measure(Plant *p, Costs *c, unsigned round)
{
    double adding;

    c->shuffled[round] = plant_fill(p, true, &adding) * 1e9 / p->n;
    plant_empty(p);
    c->commit[round] = plant_fill(p, false, &adding) * 1e9 / p->n;
    c->add[round] = adding * 1e9 / p->n;
    n_told = 0;
    memory_region_set_enabled(&p->regions[1], false);
    memory_region_set_enabled(&p->regions[1], true);
    c->calls[round] = n_told / 2.0;
    c->nudge[round] = plant_nudge(p) * 1e9;
    memory_drain();
    plant_empty(p);
}

static void report_size(unsigned n, Costs *c)
{
    const struct {
        const char *text, *unit, *note;
        double *values, goal;
    } rows[] = {
        { "memory: %u regions, adding one", "ns", NULL, c->add, 0 },
        { "memory: %u regions, commit of all, per section", "ns", "listener included", c->commit,
          n == 10000 ? 50 : 0 },
        { "memory: %u regions, the same in random order", "ns", NULL, c->shuffled, 0 },
        { "memory: %u regions, commit of one that moved", "ns", NULL, c->nudge,
          n >= 100 ? n * 50.0 : 0 },
        { "memory: %u regions, listener calls for one", "calls", NULL, c->calls, 1 },
    };

    for (unsigned r = 0; r < G_N_ELEMENTS(rows); r++) {
        g_autofree char *name = g_strdup_printf(rows[r].text, n);
        ReportRow row = { name, rows[r].unit, rows[r].note, false, rows[r].goal };

        report(json, &row, rows[r].values, ROUNDS);
    }
}

static void bench_commits(void)
{
    Costs *costs = g_new0(Costs, N_SIZES);
    double slope[ROUNDS], fixed[ROUNDS];
    Plant plants[N_SIZES];

    for (unsigned s = 0; s < N_SIZES; s++) {
        plant_init(&plants[s], sizes[s]);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned s = 0; s < N_SIZES; s++) {
            measure(&plants[s], &costs[s], i);
        }
        /* The straight line through the smallest and the largest of this round. */
        slope[i] =
            (costs[N_SIZES - 1].commit[i] * sizes[N_SIZES - 1] - costs[0].commit[i] * sizes[0]) /
            (sizes[N_SIZES - 1] - sizes[0]);
        fixed[i] = (costs[0].commit[i] - slope[i]) * sizes[0] * 1e-3;
    }
    report(json,
           &(ReportRow){ "memory: commit, slope from 10 to 10000 regions", "ns",
                         "CPU time per section of the committing thread", false, 50 },
           slope, ROUNDS);
    report(json,
           &(ReportRow){ "memory: commit, fixed part", "us",
                         "after a pause: mostly waking liburcu's reclaim thread" },
           fixed, ROUNDS);
    for (unsigned s = 0; s < N_SIZES; s++) {
        report_size(sizes[s], &costs[s]);
        plant_clear(&plants[s]);
    }
    g_free(costs);
}

int main(int argc, char **argv)
{
    json = argc > 1 && strcmp(argv[1], "--json") == 0;
    bench_accesses();
    bench_commits();
    return 0;
}
