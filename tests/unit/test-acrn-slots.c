/* SPDX-License-Identifier: GPL-2.0-or-later
 * accel/acrn: what is in a slot becomes the right access, or a refusal; which slots are touched at
 * all; no device holds up a vCPU that is in another one; and no slot's content does harm, however
 * it changes meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "acrn-world.h"

enum { R = ACRN_IOREQ_DIR_READ, W = ACRN_IOREQ_DIR_WRITE, N_VCPUS = 4 };

typedef struct acrn_io_request Slot;

static Slot pci(uint32_t direction, uint32_t bus, uint32_t dev, uint32_t fn, uint32_t reg,
                uint64_t size, uint32_t value)
{
    return (Slot){ .type = ACRN_IOREQ_TYPE_PCICFG,
                   .reqs.pci_request = { .direction = direction,
                                         .size = size,
                                         .value = value,
                                         .bus = bus,
                                         .dev = dev,
                                         .func = fn,
                                         .reg = reg } };
}

static uint64_t ask(unsigned vcpu, Slot slot)
{
    return fake_hsm_ask(vcpu, &slot);
}

static uint32_t ask32(unsigned vcpu, Slot slot)
{
    return (uint32_t)fake_hsm_ask(vcpu, &slot);
}

static void assert_written(World *w, unsigned n, uint64_t addr, uint64_t value)
{
    pthread_mutex_lock(&w->lock);
    g_assert_cmpuint(w->n_writes, ==, n);
    g_assert_cmphex(w->last_addr, ==, addr);
    g_assert_cmphex(w->last_value, ==, value);
    pthread_mutex_unlock(&w->lock);
}

/* ---- good requests ---- */

static void memory(World *w, gconstpointer data)
{
    static const unsigned sizes[] = { 1, 2, 4, 8 };

    world_run(w, 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        uint64_t value = UINT64_C(0x8877665544332211) & UINT64_MAX >> (64 - sizes[i] * 8);

        g_assert_cmphex(ask(0, fake_mmio(R, WORLD_DEVICE + i, sizes[i], 99)), ==,
                        world_device_value(i, sizes[i]));
        ask(0, fake_mmio(W, WORLD_DEVICE + 8 * i, sizes[i], value));
        assert_written(w, i + 1, 8 * i, value);
    }
    g_assert_cmphex(ask(0, fake_mmio(R, 0xe0000000, 8, 0)), ==, UINT64_MAX); /* nobody there */
    g_assert_cmphex(ask(0, fake_mmio(R, UINT64_MAX - 8, 8, 0)), ==, UINT64_MAX);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->by_space[IOREQ_MMIO], ==, 10);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->reads, ==, 6);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->writes, ==, 4);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->unclaimed_reads, ==, 2);
}

static void ports(World *w, gconstpointer data)
{
    world_run(w, 1);
    for (unsigned size = 1; size <= 4; size *= 2) {
        g_assert_cmphex(ask32(0, fake_pio(R, WORLD_PORTS + 4, size, 99)), ==,
                        world_device_value(4, size));
        ask(0, fake_pio(W, WORLD_PORTS + 8, size, 0x5a));
        assert_written(w, size == 4 ? 3 : size, 8, 0x5a);
    }
    g_assert_cmphex(ask32(0, fake_pio(R, 0xffff, 1, 0)), ==, 0xff);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->by_space[IOREQ_PIO], ==, 7);
}

static void pci_config(World *w, gconstpointer data)
{
    world_run(w, 1);
    g_assert_cmphex(ask32(0, pci(R, 1, 31, 7, 4092, 4, 0)), ==,
                    world_config_value(1, 31, 7, 4092, 4));
    g_assert_cmphex(ask32(0, pci(R, 255, 0, 0, 4095, 1, 0)), ==,
                    world_config_value(255, 0, 0, 4095, 1));
    ask(0, pci(W, 0, 2, 0, 0x10, 2, 0xbeef));
    g_assert_cmphex(w->last_addr, ==, 0x10);
    g_assert_cmphex(w->last_value, ==, 0xbeef);
    g_assert_cmpuint(w->n_config, ==, 3);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->by_space[IOREQ_PCI_CONFIG], ==, 3);
}

/* A write to a page that the guest may only read goes where the page's region says. */
static void write_protect(World *w, gconstpointer data)
{
    Slot slot = fake_mmio(W, WORLD_DEVICE + 0x20, 4, 0x1234);

    world_run(w, 1);
    slot.type = ACRN_IOREQ_TYPE_WP;
    ask(0, slot);
    assert_written(w, 1, 0x20, 0x1234);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->by_space[IOREQ_WRITE_PROTECT], ==, 1);
}

static void polling(World *w, gconstpointer data)
{
    Slot slot = fake_mmio(R, WORLD_DEVICE, 4, 0);

    world_setup(w, ",completion-polling=on", 1);
    g_assert_cmphex(fake_hsm.creation.vm_flag, ==, ACRN_VM_FLAG_IO_COMPLETION_POLLING);
    world_start(w);
    slot.completion_polling = 1;
    g_assert_cmphex(ask(0, slot), ==, world_device_value(0, 4));
}

/* What the hypervisor writes for a guest that had a triple fault, and what looks like it. */
static void triple_fault(World *w, gconstpointer data)
{
    world_run(w, 1);
    ask(0, fake_pio(W, 0x404, 4, 0x3400));
    ask(0, fake_pio(W, 0x404, 2, 0x1400)); /* the sleep state, without its enable bit */
    ask(0, fake_pio(R, 0x404, 2, 0x3400));
    g_assert_cmpuint(w->n_events, ==, 0);
    ask(0, fake_pio(W, 0x404, 2, 0x3400));
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_SHUTDOWN);
    g_assert_nonnull(strstr(w->message, "triple fault"));
}

/* ---- slots that are not ours ---- */

static void kernel_handled(World *w, gconstpointer data)
{
    Slot slot = fake_mmio(W, WORLD_DEVICE, 4, 1);

    world_run(w, 2);
    slot.kernel_handled = 1;
    fake_hsm_post(0, &slot);
    ask(1, fake_mmio(R, WORLD_DEVICE, 4, 0));
    ask(1, fake_mmio(R, WORLD_DEVICE, 4, 0));
    g_assert_cmpuint(fake_hsm.finished[0], ==, 0);
    g_assert_cmpuint(w->n_writes, ==, 0);
}

static void other_states(World *w, gconstpointer state)
{
    Slot *slot;

    world_run(w, 2);
    slot = &fake_hsm.page->req_slot[0];
    slot->reqs.mmio_request.address = WORLD_DEVICE;
    slot->reqs.mmio_request.size = 4;
    slot->type = ACRN_IOREQ_TYPE_MMIO;
    slot->reqs.mmio_request.direction = W;
    __atomic_store_n(&slot->processed, GPOINTER_TO_UINT(state), __ATOMIC_RELEASE);
    ask(1, fake_mmio(R, WORLD_DEVICE, 4, 0));
    ask(1, fake_mmio(R, WORLD_DEVICE, 4, 0));
    g_assert_cmpuint(fake_hsm.finished[0], ==, 0);
    g_assert_cmpuint(w->n_writes, ==, 0);
    g_assert_cmpuint(slot->processed, ==, GPOINTER_TO_UINT(state));
}

/* A slot beyond the VM's vCPUs is never looked at. */
static void vcpu_out_of_range(World *w, gconstpointer data)
{
    Slot slot = fake_mmio(W, WORLD_DEVICE, 4, 1);

    world_run(w, 2);
    for (unsigned i = 2; i < ACRN_IO_REQUEST_MAX; i++) {
        fake_hsm_post(i, &slot);
    }
    ask(1, fake_mmio(R, WORLD_DEVICE, 4, 0));
    ask(0, fake_mmio(R, WORLD_DEVICE, 4, 0));
    g_assert_cmpuint(w->n_writes, ==, 0);
}

/* ---- garbage ---- */

static void garbage(World *w, gconstpointer data)
{
    static const uint64_t sizes[] = { 0, 3, 5, 16, UINT64_C(1) << 63, UINT64_MAX };
    Slot rows[64];
    unsigned n = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        rows[n++] = fake_mmio(R, WORLD_DEVICE, sizes[i], 0);
        rows[n++] = fake_mmio(W, WORLD_DEVICE, sizes[i], 0);
        rows[n++] = fake_pio(R, WORLD_PORTS, sizes[i], 0);
        rows[n++] = pci(R, 0, 0, 0, 0, sizes[i], 0);
    }
    rows[n++] = fake_mmio(7, WORLD_DEVICE, 4, 0);
    rows[n++] = fake_pio(UINT32_MAX, WORLD_PORTS, 4, 0);
    rows[n++] = fake_mmio(W, UINT64_MAX - 3, 8, 0);
    rows[n++] = fake_pio(W, WORLD_PORTS, 8, 0);
    rows[n++] = fake_pio(W, 0xffff, 2, 0);
    rows[n++] = fake_pio(W, UINT64_MAX, 1, 0);
    rows[n++] = fake_pio(W, 0x10000 + WORLD_PORTS, 1, 0);
    rows[n++] = pci(W, 256, 0, 0, 0, 4, 0);
    rows[n++] = pci(W, 0, 32, 0, 0, 4, 0);
    rows[n++] = pci(W, 0, 0, 8, 0, 4, 0);
    rows[n++] = pci(W, 0, 0, 0, 4096, 1, 0);
    rows[n++] = pci(W, 0, 0, 0, 4094, 4, 0);
    rows[n++] = pci(W, 0, 0, 0, UINT32_MAX, 4, 0);
    rows[n++] = (Slot){ .type = 4, .reqs.mmio_request = { .size = 4 } };
    rows[n++] = (Slot){ .type = UINT32_MAX, .reqs.mmio_request = { .size = 4 } };
    g_assert_cmpuint(n, <=, G_N_ELEMENTS(rows));

    world_run(w, 2);
    g_test_expect_message("humpy-acrn", G_LOG_LEVEL_WARNING, "*vCPU 0*cannot be served*");
    for (unsigned i = 0; i < n; i++) {
        uint64_t answer = ask(0, rows[i]);

        g_test_assert_expected_messages(); /* one line, by the first of them */
        g_assert_cmphex((uint32_t)answer, ==, UINT32_MAX);
        if (rows[i].type == ACRN_IOREQ_TYPE_MMIO) {
            g_assert_cmphex(answer, ==, UINT64_MAX);
        }
        g_assert_cmphex(ask(1, fake_mmio(R, WORLD_DEVICE, 8, 0)), ==, world_device_value(0, 8));
        g_assert_cmpuint(fake_hsm.finished[0], ==, i + 1);
    }
    g_assert_cmpuint(w->n_writes + w->n_config + w->n_events, ==, 0);
}

/* ---- several vCPUs ---- */

/* All vCPUs but one are in a device that does not answer; the last goes on. */
static void held_up(World *w, gconstpointer data)
{
    world_run(w, N_VCPUS);
    for (unsigned n = 1; n < N_VCPUS; n++) {
        world_hold(w, UINT32_MAX);
        for (unsigned i = 0; i < n; i++) {
            Slot slot = fake_mmio(R, WORLD_DEVICE + WORLD_HOLD + 8 * i, 8, 0);

            fake_hsm_post(i, &slot);
        }
        world_wait_held(w, n);
        for (unsigned i = 0; i < 20; i++) {
            g_assert_cmphex(ask(n, fake_mmio(R, WORLD_DEVICE + i, 8, 0)), ==,
                            world_device_value(i, 8));
        }
        world_hold(w, 0);
        for (unsigned i = 0; i < n; i++) {
            g_assert_cmphex(fake_hsm_answer(i), ==, world_device_value(WORLD_HOLD + 8 * i, 8));
        }
    }
}

static void spurious(World *w, gconstpointer data)
{
    world_run(w, 1);
    pthread_mutex_lock(&fake_hsm.lock);
    fake_hsm.spurious = 3;
    pthread_cond_broadcast(&fake_hsm.changed);
    while (fake_hsm.spurious > 0) {
        pthread_cond_wait(&fake_hsm.changed, &fake_hsm.lock);
    }
    pthread_mutex_unlock(&fake_hsm.lock);
    g_assert_cmphex(ask(0, fake_mmio(R, WORLD_DEVICE, 8, 0)), ==, world_device_value(0, 8));
    g_assert_cmpuint(fake_hsm.finished[0], ==, 1);
}

/* ---- a driver that fails ---- */

/* The write is done once, the VM is over, the others are served still. */
static void cannot_finish(World *w, gconstpointer data)
{
    Slot slot = fake_mmio(W, WORLD_DEVICE, 4, 1);

    world_run(w, 2);
    fake_hsm_fail(ACRN_IOCTL_NOTIFY_REQUEST_FINISH, EPERM, 0);
    fake_hsm_post(0, &slot);
    world_wait_event(w);
    fake_hsm_fail(0, 0, 0);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_CRASH);
    g_assert_nonnull(strstr(w->message, "cannot finish the request of vCPU 0"));
    for (unsigned i = 0; i < 10; i++) {
        ask(1, fake_mmio(R, WORLD_DEVICE, 4, 0));
    }
    g_assert_cmpuint(w->n_writes, ==, 1);
    g_assert_cmpuint(w->n_events, ==, 1);
    accel_pause(w->accel); /* does not wait for it */
}

static void cannot_wait(World *w, gconstpointer data)
{
    world_setup(w, "", 1);
    fake_hsm_fail(ACRN_IOCTL_ATTACH_IOREQ_CLIENT, EIO, 0);
    world_start(w);
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_CRASH);
    g_assert_nonnull(strstr(w->message, "cannot wait for requests"));
}

/* ---- at random ---- */

typedef struct {
    World *w;
    unsigned vcpu, rounds;
    uint32_t seed;
} Player;

/* What vCPU asks next, and what it must hear if it reads; *wild: anything may come back. */
static Slot random_slot(GRand *rand, uint64_t *answer, bool *wild)
{
    unsigned size = 1U << g_rand_int_range(rand, 0, 4);
    uint64_t offset = (uint64_t)g_rand_int_range(rand, 0, WORLD_HOLD - 8);
    uint64_t *raw;
    Slot slot;

    *wild = false;
    switch (g_rand_int_range(rand, 0, 8)) {
    case 0:
        slot = fake_pio(R, WORLD_PORTS + offset % 12, MIN(size, 4), 0);
        *answer = world_device_value(offset % 12, MIN(size, 4));
        return slot;
    case 1:
        slot = pci(R, offset % 256, offset % 32, offset % 8, offset & ~3, MIN(size, 4), 0);
        *answer =
            world_config_value(offset % 256, offset % 32, offset % 8, offset & ~3, MIN(size, 4));
        return slot;
    case 2:
        *wild = true;
        slot = (Slot){ .type = g_rand_int_range(rand, 0, 6) };
        raw = (uint64_t *)slot.reqs.data;
        for (unsigned i = 0; i < 8; i++) {
            raw[i] = g_rand_boolean(rand) ? g_rand_int(rand) % 9
                                          : (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
        }
        return slot;
    default:
        *answer = world_device_value(offset, size);
        return fake_mmio(R, WORLD_DEVICE + offset, size, 0);
    }
}

static void *play(void *opaque)
{
    Player *p = opaque;
    GRand *rand = g_rand_new_with_seed(p->seed);

    for (unsigned i = 0; i < p->rounds; i++) {
        uint64_t want = 0, got;
        bool wild;
        Slot slot = random_slot(rand, &want, &wild);

        got = fake_hsm_ask(p->vcpu, &slot);
        if (slot.type != ACRN_IOREQ_TYPE_MMIO) {
            got = (uint32_t)got;
        }
        if (!wild && got != want) {
            g_error("vCPU %u, round %u: 0x%" G_GINT64_MODIFIER "x, not 0x%" G_GINT64_MODIFIER "x",
                    p->vcpu, i, got, want);
        }
    }
    g_rand_free(rand);
    return NULL;
}

static gboolean not_fatal(const char *domain, GLogLevelFlags level, const char *text, gpointer data)
{
    return (level & G_LOG_LEVEL_WARNING) == 0;
}

static void drop(const char *domain, GLogLevelFlags level, const char *text, gpointer data)
{
}

/* Warnings of the accelerator are neither shown nor fatal. */
static unsigned begin_quiet(void)
{
    g_test_log_set_fatal_handler(not_fatal, NULL);
    return g_log_set_handler("humpy-acrn", G_LOG_LEVEL_WARNING | G_LOG_FLAG_FATAL, drop, NULL);
}

static void end_quiet(unsigned handler)
{
    g_log_remove_handler("humpy-acrn", handler);
    g_test_log_set_fatal_handler(NULL, NULL);
}

static void random_requests(World *w, gconstpointer data)
{
    Player players[N_VCPUS];
    pthread_t threads[N_VCPUS];
    unsigned handler = begin_quiet();

    world_run(w, N_VCPUS);
    for (unsigned i = 0; i < N_VCPUS; i++) {
        players[i] = (Player){ w, i, 3000, g_test_rand_int() };
        pthread_create(&threads[i], NULL, play, &players[i]);
    }
    for (unsigned i = 0; i < N_VCPUS; i++) {
        pthread_join(threads[i], NULL);
    }
    g_assert_cmpuint(w->n_events, ==, 0);
    for (unsigned i = 0; i < N_VCPUS; i++) {
        g_assert_cmpuint(fake_hsm.finished[i], ==, 3000);
    }
    end_quiet(handler);
}

/* ---- while it is being served ---- */

typedef struct {
    uint32_t seed;
    int stop; /* atomic */
} Attacker;

/* Writes all over vCPU 0's slot. */
static void *attack(void *opaque)
{
    Attacker *a = opaque;
    GRand *rand = g_rand_new_with_seed(a->seed);
    Slot *slot = &fake_hsm.page->req_slot[0];

    while (!g_atomic_int_get(&a->stop)) {
        uint32_t r = g_rand_int(rand);

        __atomic_store_n(&slot->reqs.data[r % 8], r & 0x100 ? r >> 9 & 15 : (uint64_t)r << 40 | r,
                         __ATOMIC_RELAXED);
        switch (r >> 28) {
        case 0:
            __atomic_store_n(&slot->type, r & 3, __ATOMIC_RELAXED);
            break;
        case 1:
            __atomic_store_n(&slot->kernel_handled, r & 1, __ATOMIC_RELAXED);
            break;
        case 2:
            __atomic_store_n(&slot->processed, r & 7, __ATOMIC_RELEASE);
            break;
        case 3:
            __atomic_store_n(&slot->completion_polling, r, __ATOMIC_RELAXED);
            break;
        case 4: /* wakes the client with nothing in particular to do */
            pthread_mutex_lock(&fake_hsm.lock);
            fake_hsm.open_slots |= 1;
            pthread_cond_broadcast(&fake_hsm.changed);
            pthread_mutex_unlock(&fake_hsm.lock);
            break;
        }
    }
    __atomic_store_n(&slot->processed, ACRN_IOREQ_STATE_FREE, __ATOMIC_RELEASE);
    g_rand_free(rand);
    return NULL;
}

static void changing_content(World *w, gconstpointer data)
{
    Attacker a = { g_test_rand_int(), 0 };
    Player players[N_VCPUS];
    pthread_t attacker, threads[N_VCPUS];
    unsigned handler = begin_quiet();

    world_run(w, N_VCPUS);
    pthread_create(&attacker, NULL, attack, &a);
    for (unsigned i = 1; i < N_VCPUS; i++) {
        players[i] = (Player){ w, i, 1000, g_test_rand_int() };
        pthread_create(&threads[i], NULL, play, &players[i]);
    }
    for (unsigned i = 1; i < N_VCPUS; i++) {
        pthread_join(threads[i], NULL);
    }
    g_atomic_int_set(&a.stop, 1);
    pthread_join(attacker, NULL);
    accel_pause(w->accel);
    end_quiet(handler);
    g_assert_cmpuint(w->n_events, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(path, arg, fn) g_test_add("/acrn/slots/" path, World, arg, world_init, fn, world_clear)
    ADD("memory-accesses", NULL, memory);
    ADD("port-accesses", NULL, ports);
    ADD("pci-configuration", NULL, pci_config);
    ADD("write-to-a-read-only-page", NULL, write_protect);
    ADD("completion-polling", NULL, polling);
    ADD("triple-fault-powers-off", NULL, triple_fault);
    ADD("kernel-handled-is-left-alone", NULL, kernel_handled);
    ADD("pending-is-left-alone", GUINT_TO_POINTER(ACRN_IOREQ_STATE_PENDING), other_states);
    ADD("complete-is-left-alone", GUINT_TO_POINTER(ACRN_IOREQ_STATE_COMPLETE), other_states);
    ADD("unknown-state-is-left-alone", GUINT_TO_POINTER(77), other_states);
    ADD("slots-without-a-vcpu-are-left-alone", NULL, vcpu_out_of_range);
    ADD("garbage-reads-as-ones-with-one-line", NULL, garbage);
    ADD("a-slow-device-holds-up-nobody-else", NULL, held_up);
    ADD("attach-may-return-for-nothing", NULL, spurious);
    ADD("what-cannot-be-finished-is-served-once", NULL, cannot_finish);
    ADD("no-more-requests-ends-the-vm", NULL, cannot_wait);
    ADD("random-requests", NULL, random_requests);
    ADD("content-that-changes-meanwhile", NULL, changing_content);
    return g_test_run();
}
