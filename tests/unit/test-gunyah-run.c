/* SPDX-License-Identifier: GPL-2.0-or-later
 * accel/gunyah's run loop and interrupt lines against a scripted vCPU: what it leaves in the run
 * page, the driver's hazards H1 to H3, how VMs end, and when doorbells ring.
 */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "../../accel/gunyah/gunyah-priv.h"
#include "fake-gunyah-world.h"

static FakeGunyah *const k = &fake_gunyah;

static FakeTurn read_turn(uint64_t addr, uint32_t len)
{
    return (FakeTurn){ .reason = GH_VCPU_EXIT_MMIO, .mmio = { .addr = addr, .len = len } };
}

static FakeTurn write_turn(uint64_t addr, uint32_t len, uint64_t data)
{
    return (FakeTurn){ .reason = GH_VCPU_EXIT_MMIO,
                       .mmio = { .addr = addr, .len = len, .data = data, .is_write = true } };
}

static FakeTurn status_turn(uint32_t status, uint16_t type)
{
    return (FakeTurn){ .reason = GH_VCPU_EXIT_STATUS,
                       .status = { .status = status, .type = type } };
}

static void script(const FakeTurn *turns, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        fake_gunyah_add_turn(&turns[i]);
    }
}

#define SCRIPT(...)                                                                                \
    do {                                                                                           \
        FakeTurn turns[] = { __VA_ARGS__ };                                                        \
        script(turns, G_N_ELEMENTS(turns));                                                        \
    } while (0)

/* Runs the script and one RUN more, in which the vCPU sleeps. */
static void run_script(World *w)
{
    world_setup(w, "", 1);
    world_start(w);
    fake_gunyah_wait_turn(k->turns->len + 1);
}

static FakeSeen seen(unsigned i)
{
    FakeSeen s;

    pthread_mutex_lock(&k->lock);
    g_assert_cmpuint(i, <, k->seen->len);
    s = g_array_index(k->seen, FakeSeen, i);
    pthread_mutex_unlock(&k->lock);
    return s;
}

/* ---- MMIO ---- */

static void mmio_write(World *w, gconstpointer data)
{
    SCRIPT(write_turn(DEVICE_BASE + 4, 2, 0xffffffffffff1234));
    run_script(w);
    g_assert_cmpuint(w->writes, ==, 1);
    g_assert_cmpuint(w->size, ==, 2);
    g_assert_cmphex(w->written, ==, 0x1234);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->writes, ==, 1);
}

static void mmio_read(World *w, gconstpointer data)
{
    static const uint8_t expected[8] = { 0x44, 0x33, 0x22, 0x11, 0, 0, 0, 0 };
    FakeSeen s;

    w->to_read = 0x8877665511223344;
    SCRIPT(read_turn(DEVICE_BASE, 4));
    run_script(w);
    s = seen(1);
    g_assert_cmpmem(s.data, 8, expected, 8);
}

static void mmio_unclaimed(World *w, gconstpointer data)
{
    static const uint8_t expected[8] = { 0xff, 0xff, 0, 0, 0, 0, 0, 0 };
    FakeSeen s;

    SCRIPT(read_turn(0x1000, 2), write_turn(0x1000, 4, 1));
    run_script(w);
    s = seen(1);
    g_assert_cmpmem(s.data, 8, expected, 8);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->unclaimed_reads, ==, 1);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->unclaimed_writes, ==, 1);
}

static void fault_on_newer(World *w, gconstpointer data)
{
    w->refuses = true;
    k->reclaim = true;
    SCRIPT(read_turn(DEVICE_BASE, 4));
    run_script(w);
    g_assert_cmpuint(seen(1).mmio_resume, ==, GH_VCPU_RESUME_FAULT);
}

static void no_fault_on_android14(World *w, gconstpointer data)
{
    w->refuses = true;
    SCRIPT(read_turn(DEVICE_BASE, 4));
    run_script(w);
    g_assert_cmpuint(seen(1).mmio_resume, ==, 0);
    g_assert_cmphex(seen(1).data[0], ==, 0xff);
}

static void bad_length(World *w, gconstpointer data)
{
    SCRIPT(read_turn(DEVICE_BASE, 3));
    world_setup(w, "", 1);
    world_start(w);
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_HYPERVISOR);
    g_assert_cmpstr(w->message, ==, "vCPU 0: MMIO exit of 3 bytes at 0xa000000");
}

/* ---- hazards ---- */

/* H1: the exit is on the page although RUN says EINTR; the next entry must not come first. */
static void hidden_exit(World *w, gconstpointer data)
{
    FakeTurn hidden_write = write_turn(DEVICE_BASE, 4, 77);
    FakeTurn hidden_read = read_turn(DEVICE_BASE, 4);

    hidden_write.err = hidden_read.err = EINTR;
    w->to_read = 0x55;
    SCRIPT(hidden_write, hidden_read);
    run_script(w);
    g_assert_cmpuint(w->writes, ==, 1);
    g_assert_cmphex(w->written, ==, 77);
    g_assert_cmpuint(w->reads, ==, 1);
    g_assert_cmphex(seen(2).data[0], ==, 0x55);
}

static void hidden_status(World *w, gconstpointer data)
{
    FakeTurn status = status_turn(GH_VM_STATUS_EXITED, GH_RM_EXIT_TYPE_PSCI_SYSTEM_OFF);

    status.err = EINTR;
    SCRIPT(status);
    world_setup(w, "", 1);
    world_start(w);
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_SHUTDOWN);
}

/* Without it an old exit would be served again after an EINTR. */
static void exit_reason_cleared(World *w, gconstpointer data)
{
    FakeTurn nothing = { .err = EINTR };

    SCRIPT(write_turn(DEVICE_BASE, 4, 1), nothing, nothing);
    run_script(w);
    g_assert_cmpuint(w->writes, ==, 1);
    for (unsigned i = 0; i < 4; i++) {
        g_assert_cmpuint(seen(i).exit_reason, ==, 0);
    }
}

/* H2: the entry that carries an answer, and every other, has immediate_exit clear. */
static void immediate_exit_clear(World *w, gconstpointer data)
{
    SCRIPT(read_turn(DEVICE_BASE, 4), read_turn(DEVICE_BASE, 1), write_turn(DEVICE_BASE, 1, 0));
    world_setup(w, "", 1);
    world_start(w);
    accel_pause(w->accel);
    accel_resume(w->accel);
    fake_gunyah_wait_turn(4);
    accel_pause(w->accel);
    for (unsigned i = 0; i < k->seen->len; i++) {
        g_assert_cmpuint(seen(i).immediate_exit, ==, 0);
    }
}

/* An answer that waits out a pause is delivered afterwards. */
static void answer_survives_pause(World *w, gconstpointer data)
{
    FakeTurn turn = read_turn(DEVICE_BASE, 4);

    /* The exit comes together with the kick, so the thread parks with the answer in hand. */
    turn.sleep_first = true;
    turn.err = EINTR;
    w->to_read = 0x77;
    SCRIPT(turn);
    world_setup(w, "", 1);
    world_start(w);
    fake_gunyah_wait_turn(1);
    accel_pause(w->accel);
    g_assert_cmpuint(w->reads, ==, 1);
    g_assert_cmpuint(__atomic_load_n(&k->turn, __ATOMIC_SEQ_CST), ==, 1);
    accel_resume(w->accel);
    fake_gunyah_wait_turn(2);
    g_assert_cmphex(seen(1).data[0], ==, 0x77);
}

/* H3: vCPUs asleep in the kernel leave for a pause and for teardown. */
static void sleepers(World *w, gconstpointer data)
{
    world_setup(w, "", 4);
    world_start(w);
    fake_gunyah_wait_turn(1);
    accel_pause(w->accel);
    accel_resume(w->accel);
    accel_teardown(w->accel);
    g_assert_cmpuint(w->n_events, ==, 0);
}

static void again(World *w, gconstpointer data)
{
    FakeTurn eagain = { .err = EAGAIN };

    SCRIPT(eagain, eagain, write_turn(DEVICE_BASE, 4, 5));
    run_script(w);
    g_assert_cmphex(w->written, ==, 5);
    g_assert_cmpuint(w->n_events, ==, 0);
}

/* ---- ends ---- */

static void ends_with(World *w, const FakeTurn *turn, AccelEvent event, const char *message)
{
    world_clear(w, NULL);
    world_init(w, NULL);
    fake_gunyah_add_turn(turn);
    world_setup(w, "", 2);
    world_start(w);
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, event);
    g_assert_cmpstr(w->message, ==, message);
    /* Never RUN again: not after the event, not after a pause. */
    accel_pause(w->accel);
    accel_resume(w->accel);
    accel_teardown(w->accel);
    g_assert_cmpuint(k->turn, ==, 1);
    g_assert_cmpuint(w->n_events, ==, 1);
}

static void status_table(World *w, gconstpointer data)
{
    static const struct {
        uint16_t type;
        AccelEvent event;
        const char *message;
    } rows[] = {
        { GH_RM_EXIT_TYPE_VM_EXIT, ACCEL_EVENT_SHUTDOWN, "the guest exited" },
        { GH_RM_EXIT_TYPE_PSCI_SYSTEM_OFF, ACCEL_EVENT_SHUTDOWN, "PSCI SYSTEM_OFF" },
        { GH_RM_EXIT_TYPE_PSCI_SYSTEM_RESET, ACCEL_EVENT_RESET, "PSCI SYSTEM_RESET" },
        { GH_RM_EXIT_TYPE_PSCI_SYSTEM_RESET2, ACCEL_EVENT_RESET, "PSCI SYSTEM_RESET2" },
        { GH_RM_EXIT_TYPE_WDT_BITE, ACCEL_EVENT_WATCHDOG, "the watchdog bit" },
        { GH_RM_EXIT_TYPE_HYP_ERROR, ACCEL_EVENT_HYPERVISOR, "hypervisor error" },
        { GH_RM_EXIT_TYPE_ASYNC_EXT_ABORT, ACCEL_EVENT_HYPERVISOR, "asynchronous external abort" },
        { GH_RM_EXIT_TYPE_VM_FORCE_STOPPED, ACCEL_EVENT_STOPPED, "force-stopped" },
        { 8, ACCEL_EVENT_HYPERVISOR, "the VM ended with unknown exit type 8" },
    };
    FakeTurn turn;

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        turn = status_turn(GH_VM_STATUS_EXITED, rows[i].type);
        ends_with(w, &turn, rows[i].event, rows[i].message);
    }
    turn = status_turn(GH_VM_STATUS_LOAD_FAILED, 0);
    ends_with(w, &turn, ACCEL_EVENT_LOAD_FAILED, "the resource manager could not load the VM");
    turn = status_turn(GH_VM_STATUS_CRASHED, 0);
    ends_with(w, &turn, ACCEL_EVENT_CRASH, "the VM crashed");
    turn = status_turn(9, 0);
    ends_with(w, &turn, ACCEL_EVENT_HYPERVISOR, "the VM is in unknown status 9");
}

static void reason_bytes(World *w, gconstpointer data)
{
    FakeTurn turn = status_turn(GH_VM_STATUS_EXITED, GH_RM_EXIT_TYPE_HYP_ERROR);

    turn.status.reason_size = 1000; /* more than there are */
    turn.status.reason[1] = 0xab;
    ends_with(w, &turn, ACCEL_EVENT_HYPERVISOR, "hypervisor error, reason 00ab000000000000");
}

static void run_errors(World *w, gconstpointer data)
{
    FakeTurn turn = { .err = ENODEV };

    ends_with(
        w, &turn, ACCEL_EVENT_HYPERVISOR,
        "vCPU 0: cannot run: No such device (the device tree's /cpus has no such vCPU, or the "
        "VM is gone; look for gunyah and gh_ in dmesg)");
    turn.err = EIO;
    ends_with(w, &turn, ACCEL_EVENT_HYPERVISOR,
              "vCPU 0: cannot run: Input/output error (the hypervisor met an error of an interrupt "
              "or message queue; look for gunyah and gh_ in dmesg)");
    turn = (FakeTurn){ .reason = 17 };
    ends_with(w, &turn, ACCEL_EVENT_HYPERVISOR, "vCPU 0: unknown exit reason 17");
    turn = (FakeTurn){ .reason = 0 };
    ends_with(w, &turn, ACCEL_EVENT_HYPERVISOR, "vCPU 0: unknown exit reason 0");
}

static FakeTurn fault_turn(uint64_t addr)
{
    return (FakeTurn){ .reason = GH_VCPU_EXIT_PAGE_FAULT,
                       .fault = { .addr = addr, .attempt = -ENOMEM } };
}

static void page_fault_bounded(World *w, gconstpointer data)
{
    for (unsigned i = 0; i < 100; i++) {
        SCRIPT(fault_turn(0x40001000));
    }
    k->reclaim = true;
    world_setup(w, "", 1);
    world_start(w);
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_HYPERVISOR);
    g_assert_true(g_str_has_prefix(w->message, "vCPU 0: no page for the guest at 0x40001000 after "
                                               "16 attempts: Cannot allocate memory"));
    g_assert_cmpuint(seen(1).fault_resume, ==, GH_VCPU_RESUME_RETRY);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->by_space[IOREQ_PAGE_FAULT], ==, 17);
}

static void page_fault_elsewhere(World *w, gconstpointer data)
{
    for (unsigned i = 0; i < 40; i++) {
        SCRIPT(fault_turn(0x40001000 + i % 2 * 0x1000));
    }
    run_script(w);
    g_assert_cmpuint(w->n_events, ==, 0);
}

static void page_fault_progress(World *w, gconstpointer data)
{
    for (unsigned i = 0; i < 40; i++) {
        SCRIPT(fault_turn(0x40001000));
        if (i % 10 == 9) {
            SCRIPT(write_turn(DEVICE_BASE, 4, 0));
        }
    }
    run_script(w);
    g_assert_cmpuint(w->n_events, ==, 0);
}

/* ---- interrupts ---- */

static void edge(World *w, gconstpointer data)
{
    world_setup(w, "", 1);
    world_connect(w, 5, ACCEL_IRQ_EDGE);
    world_start(w);
    accel_irq_set(w->accel, 5, true);
    accel_irq_set(w->accel, 5, true);
    accel_irq_set(w->accel, 5, false);
    g_assert_cmpuint(fake_gunyah_take_bell(5), ==, 1);
    accel_irq_set(w->accel, 5, false);
    g_assert_cmpuint(fake_gunyah_take_bell(5), ==, 0);
    accel_irq_set(w->accel, 5, true);
    accel_irq_set(w->accel, 5, false);
    accel_irq_set(w->accel, 5, true);
    g_assert_cmpuint(fake_gunyah_take_bell(5), ==, 2);
}

/* Written before START, an eventfd's ring is dropped by the driver. */
static void before_start(World *w, gconstpointer data)
{
    world_setup(w, "", 1);
    world_connect(w, 5, ACCEL_IRQ_EDGE);
    world_connect(w, 6, ACCEL_IRQ_LEVEL);
    world_connect(w, 7, ACCEL_IRQ_LEVEL);
    accel_irq_set(w->accel, 5, true);
    accel_irq_set(w->accel, 5, false);
    accel_irq_set(w->accel, 6, true);
    accel_irq_set(w->accel, 7, true);
    accel_irq_set(w->accel, 7, false);
    world_start(w);
    g_assert_cmpuint(fake_gunyah_take_bell(5), ==, 1);
    g_assert_cmpuint(fake_gunyah_wait_bell(6), >=, 1);
    g_assert_cmpuint(fake_gunyah_take_bell(7), ==, 0);
}

/* The guest's handler has touched the device and left the line high: it must interrupt again. */
static void level_again(World *w, gconstpointer data)
{
    FakeTurn turn = write_turn(DEVICE_BASE, 4, 1);

    gunyah_irq_idle_us = G_TIME_SPAN_DAY;
    turn.sleep_first = true;
    turn.err = EINTR;
    SCRIPT(turn);
    world_setup(w, "", 1);
    world_connect(w, 6, ACCEL_IRQ_LEVEL);
    world_start(w);
    fake_gunyah_wait_turn(1);
    accel_irq_set(w->accel, 6, true);
    g_assert_cmpuint(fake_gunyah_wait_bell(6), ==, 1);
    accel_pause(w->accel); /* the kick makes the script go on: the guest writes */
    g_assert_cmpuint(w->writes, ==, 1);
    g_assert_cmpuint(fake_gunyah_wait_bell(6), ==, 1);
}

static void level_acknowledged(World *w, gconstpointer data)
{
    FakeTurn turn = write_turn(DEVICE_BASE, 4, 1);

    gunyah_irq_idle_us = 1000;
    turn.sleep_first = true;
    turn.err = EINTR;
    SCRIPT(turn);
    w->lower_spi = 6;
    world_setup(w, "", 1);
    world_connect(w, 6, ACCEL_IRQ_LEVEL);
    world_connect(w, 7, ACCEL_IRQ_LEVEL);
    world_start(w);
    fake_gunyah_wait_turn(1);
    accel_irq_set(w->accel, 6, true);
    accel_pause(w->accel);
    g_assert_cmpuint(w->writes, ==, 1);
    fake_gunyah_take_bell(6);
    /* Another line's second ring shows that the re-check has been at work since. */
    accel_irq_set(w->accel, 7, true);
    fake_gunyah_wait_bell(7);
    fake_gunyah_wait_bell(7);
    g_assert_cmpuint(fake_gunyah_take_bell(6), ==, 0);
}

static void level_forgotten(World *w, gconstpointer data)
{
    gunyah_irq_idle_us = 1000;
    world_setup(w, "", 1);
    world_connect(w, 6, ACCEL_IRQ_LEVEL);
    world_start(w);
    accel_irq_set(w->accel, 6, true);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpuint(fake_gunyah_wait_bell(6), >=, 1);
    }
}

static void edge_held(World *w, gconstpointer data)
{
    gunyah_irq_idle_us = 1000;
    world_setup(w, "", 1);
    world_connect(w, 5, ACCEL_IRQ_EDGE);
    world_connect(w, 6, ACCEL_IRQ_LEVEL);
    world_start(w);
    accel_irq_set(w->accel, 5, true);
    accel_irq_set(w->accel, 6, true);
    for (unsigned i = 0; i < 4; i++) { /* the re-check is at work */
        fake_gunyah_wait_bell(6);
    }
    g_assert_cmpuint(fake_gunyah_take_bell(5), ==, 1);
}

static gpointer hammer(gpointer data)
{
    World *w = data;

    for (unsigned i = 0; i < 2000; i++) {
        accel_irq_set(w->accel, 6, i % 2 == 0);
        accel_irq_set(w->accel, 5, i % 2 == 0);
    }
    return NULL;
}

/* Devices drive lines from their own threads, right through start and teardown. */
static void any_thread(World *w, gconstpointer data)
{
    GThread *thread;

    world_setup(w, "", 2);
    world_connect(w, 5, ACCEL_IRQ_EDGE);
    world_connect(w, 6, ACCEL_IRQ_LEVEL);
    thread = g_thread_new("device", hammer, w);
    world_start(w);
    g_thread_join(thread);
    thread = g_thread_new("device", hammer, w);
    accel_teardown(w->accel);
    g_thread_join(thread);
    accel_irq_set(w->accel, 5, true);
    g_assert_false(k->eventfds_open_at_close);
}

static void unconnected(World *w, gconstpointer data)
{
    world_setup(w, "", 1);
    accel_irq_set(w->accel, 5, true);
    accel_irq_set(w->accel, 100000, true);
    world_start(w);
    g_assert_cmpuint(k->n_irqfds, ==, 0);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    memory_thread_register();
#define ADD(name, fn) g_test_add("/gunyah/" name, World, NULL, world_init, fn, world_clear)
    ADD("mmio/write-is-cut-to-its-length", mmio_write);
    ADD("mmio/read-answers-len-little-endian-bytes", mmio_read);
    ADD("mmio/unclaimed-is-all-ones-and-ignored", mmio_unclaimed);
    ADD("mmio/refused-faults-where-the-kernel-can", fault_on_newer);
    ADD("mmio/resume-action-untouched-on-android14", no_fault_on_android14);
    ADD("mmio/odd-length-stops-the-vm", bad_length);
    ADD("h1/exit-behind-eintr-is-served", hidden_exit);
    ADD("h1/status-behind-eintr-is-served", hidden_status);
    ADD("h1/exit-reason-is-cleared-before-each-run", exit_reason_cleared);
    ADD("h2/immediate-exit-is-never-set", immediate_exit_clear);
    ADD("h2/answer-survives-a-pause", answer_survives_pause);
    ADD("h3/sleepers-leave", sleepers);
    ADD("run/eagain-is-tolerated", again);
    ADD("run/status-table-and-never-run-again", status_table);
    ADD("run/reason-bytes-are-bounded", reason_bytes);
    ADD("run/errors-stop-the-vm-and-explain", run_errors);
    ADD("page-fault/repeats-are-bounded", page_fault_bounded);
    ADD("page-fault/other-addresses-start-anew", page_fault_elsewhere);
    ADD("page-fault/progress-starts-anew", page_fault_progress);
    ADD("irq/edge-rings-once-per-rise", edge);
    ADD("irq/raised-before-start-rings-after", before_start);
    ADD("irq/level-rings-again-after-an-access", level_again);
    ADD("irq/level-acknowledged-stays-quiet", level_acknowledged);
    ADD("irq/level-untouched-rings-now-and-then", level_forgotten);
    ADD("irq/edge-held-high-rings-once", edge_held);
    ADD("irq/any-thread-through-start-and-teardown", any_thread);
    ADD("irq/unconnected-line-is-ignored", unconnected);
    status = g_test_run();
    memory_thread_unregister();
    return status;
}
