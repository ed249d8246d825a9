/* SPDX-License-Identifier: GPL-2.0-or-later
 * Threads: devices' locks, re-entry through DMA, ops that block or change the topology, lifetimes,
 * and readers running against commits. Meant to be run under the thread sanitizer too; ordering is
 * by gates below (pthread, which the sanitizer sees), never by time.
 */
#include "memory/memory.h"
#include "probe.h"

#include <malloc.h>
#include <sched.h>
#include <string.h>

/* Opened once; everybody who waits passes. */
typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    unsigned n;
} Flag;

#define FLAG_INIT                                                                                  \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                                     \
    }

static void flag_raise(Flag *f)
{
    pthread_mutex_lock(&f->mutex);
    f->n++;
    pthread_cond_broadcast(&f->cond);
    pthread_mutex_unlock(&f->mutex);
}

static void flag_wait(Flag *f, unsigned n)
{
    pthread_mutex_lock(&f->mutex);
    while (f->n < n) {
        pthread_cond_wait(&f->cond, &f->mutex);
    }
    pthread_mutex_unlock(&f->mutex);
}

static unsigned flag_value(Flag *f)
{
    unsigned n;

    pthread_mutex_lock(&f->mutex);
    n = f->n;
    pthread_mutex_unlock(&f->mutex);
    return n;
}

static pthread_t thread_start(void *(*fn)(void *), void *arg)
{
    pthread_t thread;

    g_assert_cmpint(pthread_create(&thread, NULL, fn, arg), ==, 0);
    return thread;
}

/* A device whose one action on a write is given by the test. */
typedef struct Dev {
    MemoryRegion mr;
    MemoryLock lock;
    void (*act)(struct Dev *d, uint64_t value);
    struct World *world;
    uint64_t count; /* not atomic: the device's lock protects it */
    hwaddr dma;
    MemTxResult dma_result;
    bool dma_done;
    GObject *owner;
} Dev;

typedef struct World {
    MemoryRegion root;
    AddressSpace *as;
    Dev dev[2];
    Flag inside, go;
} World;

static uint64_t dev_read(void *opaque, hwaddr offset, unsigned size)
{
    return ++((Dev *)opaque)->count;
}

static void dev_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Dev *d = opaque;

    if (d->act != NULL) {
        d->act(d, value);
    }
}

static const MemoryRegionOps dev_ops = { .read = dev_read, .write = dev_write };

static void world_setup(World *w, gconstpointer data)
{
    static const Flag fresh = FLAG_INIT;

    w->inside = w->go = fresh;
    memory_region_init(&w->root, NULL, "root", UINT64_MAX);
    for (unsigned i = 0; i < 2; i++) {
        Dev *d = &w->dev[i];

        d->world = w;
        memory_lock_init(&d->lock);
        memory_region_init_io(&d->mr, NULL, &dev_ops, d, i == 0 ? "dev0" : "dev1", 0x100);
        memory_region_set_lock(&d->mr, &d->lock);
        memory_region_add_subregion(&w->root, 0x1000 * (i + 1), &d->mr);
    }
    w->as = address_space_new(&w->root, "test");
}

static void world_teardown(World *w, gconstpointer data)
{
    for (unsigned i = 0; i < 2; i++) {
        if (w->dev[i].mr.container != NULL) {
            memory_region_del_subregion(&w->root, &w->dev[i].mr);
        }
        memory_region_destroy(&w->dev[i].mr);
        memory_lock_destroy(&w->dev[i].lock);
    }
    address_space_free(w->as);
    memory_region_destroy(&w->root);
    memory_drain();
}

/* ---- locks and re-entry ---- */

static void act_dma(Dev *d, uint64_t value)
{
    g_assert_true(d->mr.lock == NULL || memory_lock_held(d->mr.lock));
    d->dma_result = address_space_st(d->world->as, d->dma, 4, value);
    d->dma_done = true;
}

static void test_own_dma_is_refused(World *w, gconstpointer data)
{
    w->dev[0].act = act_dma;
    w->dev[0].dma = 0x1000;
    g_assert_cmpuint(address_space_st(w->as, 0x1000, 4, 1), ==, MEMTX_OK);
    g_assert_true(w->dev[0].dma_done);
    g_assert_cmpuint(w->dev[0].dma_result, ==, MEMTX_ACCESS_ERROR);
    g_assert_false(memory_lock_held(&w->dev[0].lock));
}

static void test_other_region_same_lock_is_refused(World *w, gconstpointer data)
{
    memory_region_set_lock(&w->dev[1].mr, &w->dev[0].lock);
    w->dev[0].act = act_dma;
    w->dev[0].dma = 0x2000;
    address_space_st(w->as, 0x1000, 4, 1);
    g_assert_cmpuint(w->dev[0].dma_result, ==, MEMTX_ACCESS_ERROR);
}

static void test_dma_from_own_thread_is_refused(World *w, gconstpointer data)
{
    uint64_t value;

    memory_lock(&w->dev[0].lock); /* as a timer does */
    g_assert_true(memory_lock_held(&w->dev[0].lock));
    g_assert_cmpuint(address_space_ld(w->as, 0x1000, 4, &value), ==, MEMTX_ACCESS_ERROR);
    g_assert_cmphex(value, ==, 0xffffffff);
    g_assert_cmpuint(address_space_ld(w->as, 0x2000, 4, &value), ==, MEMTX_OK);
    memory_unlock(&w->dev[0].lock);
    g_assert_cmpuint(address_space_ld(w->as, 0x1000, 4, &value), ==, MEMTX_OK);
}

static void test_dma_into_another_device_works(World *w, gconstpointer data)
{
    w->dev[0].act = act_dma;
    w->dev[0].dma = 0x2000;
    w->dev[1].act = act_dma;
    w->dev[1].dma = 0x1000; /* and back: refused */
    address_space_st(w->as, 0x1000, 4, 1);
    g_assert_cmpuint(w->dev[0].dma_result, ==, MEMTX_OK);
    g_assert_cmpuint(w->dev[1].dma_result, ==, MEMTX_ACCESS_ERROR);
}

static void test_lockless_region_is_not_reentered(World *w, gconstpointer data)
{
    memory_region_set_lock(&w->dev[0].mr, NULL);
    memory_region_set_lock(&w->dev[1].mr, NULL);
    w->dev[0].act = w->dev[1].act = act_dma;
    w->dev[0].dma = 0x2000;
    w->dev[1].dma = 0x1000;
    address_space_st(w->as, 0x1000, 4, 1);
    g_assert_cmpuint(w->dev[0].dma_result, ==, MEMTX_OK);
    g_assert_cmpuint(w->dev[1].dma_result, ==, MEMTX_ACCESS_ERROR);
}

static void test_chain_of_dma_is_bounded(World *w, gconstpointer data)
{
    enum { N = 100 };
    Dev *chain = g_new0(Dev, N);
    unsigned reached = 0;

    for (unsigned i = 0; i < N; i++) {
        chain[i].world = w;
        chain[i].act = act_dma;
        chain[i].dma = 0x10000 + 0x100 * (i + 1);
        memory_region_init_io(&chain[i].mr, NULL, &dev_ops, &chain[i], "link", 0x100);
        memory_region_add_subregion(&w->root, 0x10000 + 0x100 * i, &chain[i].mr);
    }
    g_assert_cmpuint(address_space_st(w->as, 0x10000, 4, 1), ==, MEMTX_OK);
    while (chain[reached].dma_done && chain[reached].dma_result == MEMTX_OK) {
        reached++;
    }
    g_assert_cmpuint(chain[reached].dma_result, ==, MEMTX_ACCESS_ERROR);
    g_assert_cmpuint(reached, <, 32);
    for (unsigned i = 0; i < N; i++) {
        memory_region_del_subregion(&w->root, &chain[i].mr);
        memory_region_destroy(&chain[i].mr);
    }
    g_free(chain);
}

/* Both threads are inside their device before either goes for the other's. */
static void act_meet_then_dma(Dev *d, uint64_t value)
{
    if (value == 2) {
        return; /* somebody's DMA */
    }
    flag_raise(&d->world->inside);
    flag_wait(&d->world->inside, 2);
    d->dma_result = address_space_st(d->world->as, d->dma, 4, 2);
}

static void *poke_second(void *opaque)
{
    address_space_st(((World *)opaque)->as, 0x2000, 4, 1);
    return NULL;
}

static void test_circle_of_dma_is_broken(World *w, gconstpointer data)
{
    pthread_t thread;

    w->dev[0].act = w->dev[1].act = act_meet_then_dma;
    w->dev[0].dma = 0x2000;
    w->dev[1].dma = 0x1000;
    thread = thread_start(poke_second, w);
    address_space_st(w->as, 0x1000, 4, 1);
    pthread_join(thread, NULL);
    /* One was refused, whichever came second; the other went through. */
    g_assert_cmpuint(w->dev[0].dma_result + w->dev[1].dma_result, ==, MEMTX_ACCESS_ERROR);
}

enum { ROUNDS = 2000 };

static void *count_up(void *opaque)
{
    World *w = opaque;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t value;

        g_assert_cmpuint(address_space_ld(w->as, 0x1000, 4, &value), ==, MEMTX_OK);
    }
    return NULL;
}

static void test_lock_excludes(World *w, gconstpointer data)
{
    pthread_t a = thread_start(count_up, w), b = thread_start(count_up, w);

    for (unsigned i = 0; i < ROUNDS; i++) {
        memory_lock(&w->dev[0].lock);
        w->dev[0].count++;
        memory_unlock(&w->dev[0].lock);
    }
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    g_assert_cmpuint(w->dev[0].count, ==, 3 * ROUNDS);
}

static void test_double_lock_aborts(void)
{
    if (g_test_subprocess()) {
        MemoryLock lock;

        memory_lock_init(&lock);
        memory_lock(&lock);
        memory_lock(&lock);
        return;
    }
    if (!can_start_self()) {
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*lock that it holds already*");
}

/* ---- ops that block and that change the topology ---- */

static void act_block(Dev *d, uint64_t value)
{
    flag_raise(&d->world->inside);
    flag_wait(&d->world->go, 1);
}

static void *poke_first(void *opaque)
{
    address_space_st(((World *)opaque)->as, 0x1000, 4, 1);
    return NULL;
}

static void test_blocked_op_holds_up_nobody(World *w, gconstpointer data)
{
    pthread_t thread;
    uint64_t value;

    w->dev[0].act = act_block;
    thread = thread_start(poke_first, w);
    flag_wait(&w->inside, 1);
    /* Commits, grace periods, other devices, even moving the device itself. */
    memory_region_set_address(&w->dev[0].mr, 0x8000);
    memory_drain();
    g_assert_cmpuint(address_space_ld(w->as, 0x2000, 4, &value), ==, MEMTX_OK);
    g_assert_cmpuint(address_space_ld(w->as, 0x1000, 4, &value), ==, MEMTX_DECODE_ERROR);
    memory_region_del_subregion(&w->root, &w->dev[1].mr);
    memory_region_destroy(&w->dev[1].mr);
    flag_raise(&w->go);
    pthread_join(thread, NULL);
}

static void act_move(Dev *d, uint64_t value)
{
    memory_region_transaction_begin();
    memory_region_set_address(&d->mr, value);
    memory_region_transaction_commit();
}

static void test_op_moves_its_own_region(World *w, gconstpointer data)
{
    uint64_t value;

    w->dev[0].act = act_move;
    g_assert_cmpuint(address_space_st(w->as, 0x1000, 4, 0x7000), ==, MEMTX_OK);
    g_assert_cmpuint(address_space_ld(w->as, 0x1000, 4, &value), ==, MEMTX_DECODE_ERROR);
    g_assert_cmpuint(address_space_ld(w->as, 0x7000, 4, &value), ==, MEMTX_OK);
}

static void act_destroy_other(Dev *d, uint64_t value)
{
    Dev *other = &d->world->dev[1];

    memory_region_del_subregion(&d->world->root, &other->mr);
    memory_region_destroy(&other->mr);
}

static void test_op_destroys_another_region(World *w, gconstpointer data)
{
    uint64_t value;

    w->dev[0].act = act_destroy_other;
    address_space_st(w->as, 0x1000, 4, 1);
    g_assert_cmpuint(address_space_ld(w->as, 0x2000, 4, &value), ==, MEMTX_DECODE_ERROR);
}

typedef struct {
    World *w;
    Flag started, done;
} Destroyer;

static Destroyer *destroyer;

static void *destroy_first(void *opaque)
{
    Destroyer *d = opaque;

    memory_region_del_subregion(&d->w->root, &d->w->dev[0].mr);
    flag_raise(&d->started);
    memory_region_destroy(&d->w->dev[0].mr);
    flag_raise(&d->done);
    return NULL;
}

static void act_outlast(Dev *d, uint64_t value)
{
    flag_raise(&d->world->inside);
    flag_wait(&destroyer->started, 1);
    for (unsigned i = 0; i < 2000; i++) {
        sched_yield();
    }
    g_assert_cmpuint(flag_value(&destroyer->done), ==, 0);
}

static void test_destroy_waits_for_accesses(World *w, gconstpointer data)
{
    Destroyer d = { w, FLAG_INIT, FLAG_INIT };
    pthread_t a, b;

    destroyer = &d;
    w->dev[0].act = act_outlast;
    a = thread_start(poke_first, w);
    flag_wait(&w->inside, 1);
    b = thread_start(destroy_first, &d);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}

static void *destroy_ram(void *opaque)
{
    Destroyer *d = opaque;

    flag_raise(&d->started);
    memory_region_destroy(&d->w->dev[0].mr);
    flag_raise(&d->done);
    return NULL;
}

static void test_destroy_waits_for_maps(World *w, gconstpointer data)
{
    Destroyer d = { w, FLAG_INIT, FLAG_INIT };
    Dev *dev = &w->dev[0];
    uint64_t len = 16;
    pthread_t thread;
    uint8_t *host;

    memory_region_del_subregion(&w->root, &dev->mr);
    memory_region_destroy(&dev->mr);
    g_assert_true(memory_region_init_ram(&dev->mr, NULL, "ram", 4096, NULL));
    memory_region_add_subregion(&w->root, 0x1000, &dev->mr);
    host = address_space_map(w->as, 0x1000, &len, true);
    memory_region_del_subregion(&w->root, &dev->mr);
    thread = thread_start(destroy_ram, &d);
    flag_wait(&d.started, 1);
    for (unsigned i = 0; i < 2000; i++) {
        sched_yield();
    }
    g_assert_cmpuint(flag_value(&d.done), ==, 0);
    memset(host, 1, len);
    address_space_unmap(w->as, host, len, true);
    pthread_join(thread, NULL);
}

/* ---- owners ---- */

typedef struct {
    GObject parent;
    Dev dev;
} Owner;

typedef struct {
    GObjectClass parent;
} OwnerClass;

static unsigned n_finalized;

static GType owner_get_type(void);
G_DEFINE_TYPE(Owner, owner, G_TYPE_OBJECT)

static void owner_finalize(GObject *object)
{
    Owner *owner = (Owner *)object;
    uint64_t value;

    /* A finalizer may use memory, whichever thread it is in, liburcu's among them. */
    address_space_ld(owner->dev.world->as, 0x2000, 4, &value);
    memory_region_destroy(&owner->dev.mr);
    memory_lock_destroy(&owner->dev.lock);
    __atomic_fetch_add(&n_finalized, 1, __ATOMIC_SEQ_CST);
    G_OBJECT_CLASS(owner_parent_class)->finalize(object);
}

static void owner_class_init(OwnerClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = owner_finalize;
}

static void owner_init(Owner *owner)
{
    memory_lock_init(&owner->dev.lock);
}

static unsigned finalized(void)
{
    return __atomic_load_n(&n_finalized, __ATOMIC_SEQ_CST);
}

static Owner *owner_new(World *w)
{
    Owner *owner = g_object_new(owner_get_type(), NULL);

    n_finalized = 0;
    owner->dev.world = w;
    owner->dev.owner = G_OBJECT(owner);
    memory_region_init_io(&owner->dev.mr, G_OBJECT(owner), &dev_ops, &owner->dev, "owned", 0x100);
    memory_region_set_lock(&owner->dev.mr, &owner->dev.lock);
    memory_region_add_subregion(&w->root, 0x5000, &owner->dev.mr);
    return owner;
}

static void test_view_keeps_owner(World *w, gconstpointer data)
{
    Owner *owner = owner_new(w);
    uint64_t value;

    g_object_unref(owner); /* the view's is left */
    g_assert_cmpuint(address_space_ld(w->as, 0x5000, 4, &value), ==, MEMTX_OK);
    memory_region_del_subregion(&w->root, &owner->dev.mr);
    memory_drain();
    g_assert_cmpuint(finalized(), ==, 1);
}

static void act_unplug_self(Dev *d, uint64_t value)
{
    memory_region_del_subregion(&d->world->root, &d->mr);
    g_object_unref(d->owner);
    memory_drain(); /* the view is gone, the access is what keeps the device */
    g_assert_cmpuint(finalized(), ==, 0);
    d->count = 1;
}

static void test_access_keeps_owner(World *w, gconstpointer data)
{
    Owner *owner = owner_new(w);

    owner->dev.act = act_unplug_self;
    g_assert_cmpuint(address_space_st(w->as, 0x5000, 4, 1), ==, MEMTX_OK);
    g_assert_cmpuint(finalized(), ==, 1);
}

static void test_map_keeps_owner(World *w, gconstpointer data)
{
    Owner *owner = owner_new(w);
    uint64_t len = 4096;
    void *host;

    memory_region_del_subregion(&w->root, &owner->dev.mr);
    memory_region_destroy(&owner->dev.mr);
    g_assert_true(memory_region_init_ram(&owner->dev.mr, G_OBJECT(owner), "ram", 4096, NULL));
    memory_region_add_subregion(&w->root, 0x5000, &owner->dev.mr);
    host = address_space_map(w->as, 0x5000, &len, true);
    memory_region_del_subregion(&w->root, &owner->dev.mr);
    g_object_unref(owner);
    memory_drain();
    g_assert_cmpuint(finalized(), ==, 0);
    memset(host, 1, len);
    address_space_unmap(w->as, host, len, true);
    g_assert_cmpuint(finalized(), ==, 1);
}

/* ---- readers against commits ---- */

enum { RACE_RAM = 256 << 10 };

typedef struct {
    World *w;
    bool stop;
    uint64_t reads;
} Race;

static void *read_until_stopped(void *opaque)
{
    Race *r = opaque;
    g_autofree uint8_t *block = g_malloc(RACE_RAM);
    uint64_t n = 0;

    while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
        uint64_t value;

        /* dev0 moves between 0x1000 and 0x1100; dev1 is always where it is. */
        g_assert_cmpuint(address_space_ld(r->w->as, 0x2000, 4, &value), ==, MEMTX_OK);
        g_assert_cmpuint(address_space_ld(r->w->as, 0x3000, 1, &value) & ~MEMTX_DECODE_ERROR, ==,
                         MEMTX_OK);
        if (n % 64 == 0) {
            uint64_t len = 16;
            void *host = address_space_map(r->w->as, 0x10000, &len, false);

            address_space_unmap(r->w->as, host, len, false);
            /* Long enough to be under way when the RAM is destroyed. */
            address_space_read(r->w->as, 0x10000, block, RACE_RAM);
        }
        n++;
    }
    __atomic_fetch_add(&r->reads, n, __ATOMIC_RELAXED);
    return NULL;
}

static void test_readers_against_commits(World *w, gconstpointer data)
{
    Race race = { .w = w };
    pthread_t readers[3];
    MemoryRegion ram;

    for (unsigned i = 0; i < G_N_ELEMENTS(readers); i++) {
        readers[i] = thread_start(read_until_stopped, &race);
    }
    for (unsigned i = 0; i < 300; i++) {
        Dev *d = g_new0(Dev, 1); /* comes, is read or not, and goes */

        memory_lock_init(&d->lock);
        memory_region_init_io(&d->mr, NULL, &dev_ops, d, "guest", 0x100);
        memory_region_set_lock(&d->mr, &d->lock);
        g_assert_true(memory_region_init_ram(&ram, NULL, "ram", RACE_RAM, NULL));
        memory_region_transaction_begin();
        memory_region_add_subregion(&w->root, 0x3000, &d->mr);
        memory_region_add_subregion(&w->root, 0x10000, &ram);
        memory_region_transaction_commit();
        memory_region_set_address(&w->dev[0].mr, i % 2 ? 0x1000 : 0x1100);
        memory_region_del_subregion(&w->root, &ram);
        memory_region_destroy(&ram);
        memory_region_del_subregion(&w->root, &d->mr);
        memory_region_destroy(&d->mr);
        memory_lock_destroy(&d->lock);
        memset(d, 0xa5, sizeof(*d));
        g_free(d);
    }
    __atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < G_N_ELEMENTS(readers); i++) {
        pthread_join(readers[i], NULL);
    }
}

static void *commit_often(void *opaque)
{
    Dev *d = opaque;
    hwaddr home = d->mr.addr;

    for (unsigned i = 0; i < 300; i++) {
        uint64_t value;

        memory_region_transaction_begin();
        memory_region_set_enabled(&d->mr, false);
        memory_region_set_address(&d->mr, home + 0x200);
        memory_region_set_enabled(&d->mr, true);
        memory_region_transaction_commit();
        g_assert_cmpuint(address_space_ld(d->world->as, home + 0x200, 4, &value), ==, MEMTX_OK);
        memory_region_set_address(&d->mr, home);
        g_assert_cmpuint(address_space_ld(d->world->as, home, 4, &value), ==, MEMTX_OK);
    }
    return NULL;
}

static void test_commits_from_several_threads(World *w, gconstpointer data)
{
    pthread_t thread = thread_start(commit_often, &w->dev[1]);

    commit_often(&w->dev[0]);
    pthread_join(thread, NULL);
}

/* A guest that moves a BAR in a loop must not make the monitor grow. */
static void test_commits_in_a_loop_are_bounded(World *w, gconstpointer data)
{
    enum { N = 1000, MIB = 1 << 20 };
    MemoryRegion *many = g_new0(MemoryRegion, N);
    size_t before, now;

    memory_region_transaction_begin();
    for (unsigned i = 0; i < N; i++) {
        memory_region_init_io(&many[i], NULL, &dev_ops, NULL, "many", 0x100);
        memory_region_add_subregion(&w->root, 0x100000 + 0x1000 * i, &many[i]);
    }
    memory_region_transaction_commit();
    memory_drain();
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (unsigned i = 0; i < 4000; i++) { /* a view is 64 KB: 250 MB */
        memory_region_set_address(&w->dev[0].mr, i % 2 ? 0x1000 : 0x1100);
        if (i % 100 == 0) {
            now = mallinfo2().uordblks + mallinfo2().hblkhd;
            g_assert_cmpuint(now, <, before + 24 * MIB);
        }
    }
    for (unsigned i = 0; i < N; i++) {
        memory_region_del_subregion(&w->root, &many[i]);
        memory_region_destroy(&many[i]);
    }
    g_free(many);
}

static void *come_and_go(void *opaque)
{
    uint64_t value;

    memory_thread_register();
    address_space_ld(((World *)opaque)->as, 0x9000, 1, &value);
    memory_thread_unregister();
    address_space_ld(((World *)opaque)->as, 0x9000, 1, &value); /* forgot: is registered again */
    return NULL;
}

static void test_threads_come_and_go(World *w, gconstpointer data)
{
    uint64_t before = memory_unassigned_reads();

    for (unsigned i = 0; i < 20; i++) {
        pthread_join(thread_start(come_and_go, w), NULL);
        memory_region_set_enabled(&w->dev[0].mr, i % 2);
        memory_drain(); /* would follow a dead thread's pointer */
    }
    g_assert_cmpuint(memory_unassigned_reads(), ==, before + 40);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, fn) g_test_add("/mem/" name, World, NULL, world_setup, fn, world_teardown)
    ADD("lock/own-dma-is-refused", test_own_dma_is_refused);
    ADD("lock/other-region-of-same-lock-is-refused", test_other_region_same_lock_is_refused);
    ADD("lock/dma-of-a-timer-into-its-own-device-is-refused", test_dma_from_own_thread_is_refused);
    ADD("lock/dma-into-another-device-works", test_dma_into_another_device_works);
    ADD("lock/lockless-region-is-not-reentered", test_lockless_region_is_not_reentered);
    ADD("lock/chain-of-dma-is-bounded", test_chain_of_dma_is_bounded);
    ADD("lock/circle-of-dma-is-broken", test_circle_of_dma_is_broken);
    ADD("lock/excludes", test_lock_excludes);
    g_test_add_func("/mem/lock/taking-it-twice-aborts", test_double_lock_aborts);
    ADD("ops/blocked-op-holds-up-nobody", test_blocked_op_holds_up_nobody);
    ADD("ops/may-move-their-own-region", test_op_moves_its_own_region);
    ADD("ops/may-destroy-another-region", test_op_destroys_another_region);
    ADD("life/destroy-waits-for-accesses", test_destroy_waits_for_accesses);
    ADD("life/destroy-waits-for-maps", test_destroy_waits_for_maps);
    ADD("life/view-keeps-owner", test_view_keeps_owner);
    ADD("life/access-keeps-owner", test_access_keeps_owner);
    ADD("life/map-keeps-owner", test_map_keeps_owner);
    ADD("race/readers-against-commits", test_readers_against_commits);
    ADD("race/commits-from-several-threads", test_commits_from_several_threads);
    ADD("race/threads-come-and-go", test_threads_come_and_go);
    ADD("race/commits-in-a-loop-are-bounded", test_commits_in_a_loop_are_bounded);
    return g_test_run();
}
