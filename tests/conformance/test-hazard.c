/* SPDX-License-Identifier: GPL-2.0-or-later
 * What bites an accelerator: H1 an exit hidden behind EINTR, H2 a read's answer lost, H3 sleepers
 * that only a signal wakes, SA_RESTART, and an eventfd that outlives its irqfd (facts 1.3).
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gunyah.h"

static int handled; /* atomic */

static void on_kick(int sig)
{
    g_atomic_int_inc(&handled);
}

static void install(int sig, int flags)
{
    const struct sigaction action = { .sa_handler = on_kick, .sa_flags = flags };

    sigaction(sig, &action, NULL);
    g_atomic_int_set(&handled, 0);
}

/* A signal pending for this thread the moment RUN begins to look. */
static void block(int sig, sigset_t *old)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, sig);
    pthread_sigmask(SIG_BLOCK, &set, old);
}

typedef struct {
    Vm *vm;
    unsigned vcpu;
    int ret, err;
    int done; /* atomic */
} Runner;

static gpointer runner(gpointer opaque)
{
    Runner *r = opaque;

    r->ret = run(r->vm, r->vcpu);
    r->err = errno;
    g_atomic_int_set(&r->done, 1);
    return NULL;
}

/* Kicks until it is acknowledged, as an accelerator must: one signal may come too early. */
static void kick_until_done(Runner *r, pthread_t thread, int sig)
{
    while (!g_atomic_int_get(&r->done)) {
        pthread_kill(thread, sig);
        g_thread_yield();
    }
}

typedef struct {
    pthread_t id;
    Runner r;
} Thread;

static void *thread_main(void *opaque)
{
    runner(opaque);
    return NULL;
}

static void thread_start(Thread *t, Vm *vm, unsigned vcpu)
{
    t->r = (Runner){ .vm = vm, .vcpu = vcpu };
    g_assert_cmpint(pthread_create(&t->id, NULL, thread_main, &t->r), ==, 0);
}

/* ---- H1 ---- */

static void test_h1(void)
{
    g_autoptr(Vm) vm = NULL;
    GunyahModelStats before, after;

    if (model_only()) {
        return;
    }
    gunyah_model_stats(&before);
    vm = vm_new("hazard=h1");
    start(vm, NULL, "w4 0x9000000 0x55; r4 0x9000004; off");
    vm->run[0]->exit_reason = 0;
    assert_errno(run(vm, 0), EINTR);
    g_assert_cmpuint(vm->run[0]->exit_reason, ==, GH_VCPU_EXIT_MMIO); /* the write is here */
    g_assert_cmphex(vm->run[0]->mmio.data[0], ==, 0x55);
    assert_errno(run(vm, 0), EINTR);
    memcpy(vm->run[0]->mmio.data, "\x77\0\0\0", 4);
    assert_ok(run(vm, 0)); /* STATUS is not hidden: the VM is over either way */
    assert_guest_saw("0 r4 0x9000004 = 0x77");
    gunyah_model_stats(&after);
    g_assert_cmpuint(after.hidden_exits - before.hidden_exits, ==, 2);
}

/* ---- H2 ---- */

static void test_h2_immediate_exit(void)
{
    g_autoptr(Vm) vm = NULL;
    GunyahModelStats before, after;

    if (model_only()) {
        return;
    }
    gunyah_model_stats(&before);
    vm = vm_new(NULL);
    start(vm, NULL, "r4 0x9000000; w4 0x9000004 1");
    assert_ok(run(vm, 0));
    memcpy(vm->run[0]->mmio.data, "\x77\0\0\0", 4);
    vm->run[0]->immediate_exit = 1; /* KVM's way of completing an exit */
    assert_errno(run(vm, 0), EINTR);
    vm->run[0]->immediate_exit = 0;
    assert_ok(run(vm, 0));
    assert_guest_saw("0 r4 0x9000000 = 0x0");
    gunyah_model_stats(&after);
    g_assert_cmpuint(after.lost_answers - before.lost_answers, ==, 1);
}

static void test_h2_signal(void)
{
    g_autoptr(Vm) vm = NULL;
    Thread t;

    if (model_only()) {
        return;
    }
    install(SIGUSR1, 0);
    vm = vm_new("hazard=h2");
    start(vm, NULL, "r4 0x9000000; w4 0x9000004 1; spin");
    assert_ok(run(vm, 0));
    memcpy(vm->run[0]->mmio.data, "\x77\0\0\0", 4);
    thread_start(&t, vm, 0);
    kick_until_done(&t.r, t.id, SIGUSR1);
    pthread_join(t.id, NULL);
    if (t.r.ret == 0) {
        g_test_skip("no kick fell into the window");
        return;
    }
    g_assert_cmpint(t.r.err, ==, EINTR);
    assert_ok(run(vm, 0));
    assert_guest_saw("0 r4 0x9000000 = 0x0");
}

/* Without a kick the same re-entry is fine. */
static void test_no_loss(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new("hazard=h2");
    start(vm, NULL, "r4 0x9000000; w4 0x9000004 1");
    assert_ok(run(vm, 0));
    memcpy(vm->run[0]->mmio.data, "\x77\0\0\0", 4);
    assert_ok(run(vm, 0));
    assert_guest_saw("0 r4 0x9000000 = 0x77");
}

/* ---- H3 ---- */

static void check_sleeper(const char *script, unsigned vcpu)
{
    const DtSpec dt = { .n_cpus = 2 };
    g_autoptr(Vm) vm = vm_new(NULL);
    Thread t;

    install(SIGUSR1, 0);
    start(vm, &dt, script);
    thread_start(&t, vm, vcpu);
    kick_until_done(&t.r, t.id, SIGUSR1);
    pthread_join(t.id, NULL);
    g_assert_cmpint(t.r.ret, ==, -1);
    g_assert_cmpint(t.r.err, ==, EINTR);
    g_assert_cmpint(g_atomic_int_get(&handled), >, 0); /* the handler ran before the return */
}

static void test_h3_wfi(void)
{
    if (!model_only()) {
        check_sleeper("wfi", 0);
    }
}

static void test_h3_powered_off(void)
{
    if (!model_only()) {
        check_sleeper("off", 1);
    }
}

static void test_h3_spinning(void)
{
    if (!model_only()) {
        check_sleeper("spin", 0);
    }
}

static const DtSpec one_bell = { .n_cpus = 1, .bells = { 40 }, .n_bells = 1 };
static const char in_guest[] = "w4 0x80000000 1; wfi; w4 0x9000000 1; wfi";

/* vCPU 0 in a thread that is known to be in the call, asleep in the guest or about to be. */
static void thread_in_guest(Thread *t, Vm *vm)
{
    thread_start(t, vm, 0);
    while (!guest_saw("0 w4 0x80000000 0x1")) {
        g_thread_yield();
    }
}

static void ring_and_join(Vm *vm, Thread *t)
{
    const uint64_t one = 1;
    int fd = eventfd(0, EFD_CLOEXEC);

    assert_ok(add_irqfd(vm, fd, 40, 0));
    g_assert_cmpint(write(fd, &one, sizeof(one)), ==, sizeof(one));
    pthread_join(t->id, NULL);
    close(fd);
}

/* With SA_RESTART the handler runs and the call goes on as if nothing had been. */
static void test_restart(void)
{
    g_autoptr(Vm) vm = NULL;
    Thread t;

    if (model_only()) {
        return;
    }
    install(SIGUSR1, SA_RESTART);
    vm = vm_new(NULL);
    start(vm, &one_bell, in_guest);
    thread_in_guest(&t, vm);
    pthread_kill(t.id, SIGUSR1);
    while (!g_atomic_int_get(&handled)) {
        g_thread_yield();
    }
    ring_and_join(vm, &t);
    g_assert_cmpint(t.r.ret, ==, 0);
    g_assert_cmphex(vm->run[0]->mmio.phys_addr, ==, DEVICE);
}

/* A second RUN of a vCPU waits for the first, and a signal ends the wait. */
static void test_two_runs(void)
{
    g_autoptr(Vm) vm = NULL;
    Thread first, second;

    if (model_only()) {
        return;
    }
    install(SIGUSR1, 0);
    vm = vm_new(NULL);
    start(vm, &one_bell, in_guest);
    thread_in_guest(&first, vm);
    thread_start(&second, vm, 0);
    kick_until_done(&second.r, second.id, SIGUSR1);
    pthread_join(second.id, NULL);
    g_assert_cmpint(second.r.err, ==, EINTR);
    g_assert_false(g_atomic_int_get(&first.r.done));
    ring_and_join(vm, &first);
    g_assert_cmpint(first.r.ret, ==, 0);
}

/* immediate_exit alone wakes nobody; when the guest's own interrupt does, the flag is seen (and
 * with h3 not even then). */
static void check_flag_alone(const char *knobs, int ret)
{
    g_autoptr(Vm) vm = vm_new(knobs);
    Thread t;

    start(vm, &one_bell, in_guest);
    thread_in_guest(&t, vm);
    vm->run[0]->immediate_exit = 1;
    ring_and_join(vm, &t);
    g_assert_cmpint(t.r.ret, ==, ret);
}

static void test_h3_flag_alone(void)
{
    if (!model_only()) {
        check_flag_alone("hazard=h3", 0);
    }
}

/* ---- signals ---- */

static void check_pending(int sig, int flags, int expected)
{
    g_autoptr(Vm) vm = vm_new(NULL);
    sigset_t old;
    int ret;

    install(sig, flags);
    start(vm, NULL, "w4 0x9000000 1");
    block(sig, &old);
    pthread_kill(pthread_self(), sig);
    ret = run(vm, 0); /* blocked: nobody looks at it */
    g_assert_cmpint(ret, ==, expected);
    g_assert_cmpint(g_atomic_int_get(&handled), ==, 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    g_assert_cmpint(g_atomic_int_get(&handled), ==, 1);
}

static void test_blocked_signal(void)
{
    if (!model_only()) {
        check_pending(SIGUSR1, 0, 0);
    }
}

static void test_ignored_signal(void)
{
    g_autoptr(Vm) vm = NULL;
    struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
    Thread t;

    if (model_only()) {
        return;
    }
    vm = vm_new(NULL);
    start(vm, &one_bell, in_guest);
    sigaction(SIGUSR2, &ignore, &old);
    thread_in_guest(&t, vm);
    pthread_kill(t.id, SIGUSR2);
    pthread_kill(t.id, SIGWINCH); /* ignored by default */
    ring_and_join(vm, &t);
    g_assert_cmpint(t.r.ret, ==, 0);
    sigaction(SIGUSR2, &old, NULL);
}

static void test_eagain(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new("hazard=eagain");
    start(vm, NULL, "w4 0x9000000 1");
    assert_errno(run(vm, 0), EAGAIN);
    assert_ok(run(vm, 0));
}

/* ---- eventfd lifetime ---- */

static void check_dangling(bool close_first, bool started, unsigned expected)
{
    const struct gh_fn_irqfd_arg key = { .label = 40 };
    const uint64_t one = 1;
    GunyahModelStats before, after;
    int fd = eventfd(0, EFD_CLOEXEC);
    g_autoptr(Vm) vm = vm_new(NULL);

    gunyah_model_stats(&before);
    assert_ok(add_irqfd(vm, fd, 40, 0));
    if (started) {
        start(vm, &(DtSpec){ .n_cpus = 1, .bells = { 40 }, .n_bells = 1 }, "off");
    }
    if (close_first) {
        close(fd);
    }
    assert_ok(remove_function(vm, GH_FN_IRQFD, &key, sizeof(key)));
    gunyah_model_stats(&after);
    g_assert_cmpuint(after.dangling_irqfds - before.dangling_irqfds, ==, expected);
    if (!close_first) {
        g_assert_cmpint(write(fd, &one, sizeof(one)), ==, sizeof(one));
        while (expected && after.dangling_writes == before.dangling_writes) {
            g_thread_yield();
            gunyah_model_stats(&after);
        }
        close(fd);
    }
}

static void test_dangling(void)
{
    if (!model_only()) {
        check_dangling(false, false, 1);
    }
}

static void test_dangling_closed_first(void)
{
    if (!model_only()) {
        check_dangling(true, false, 0);
    }
}

static void test_dangling_bound(void)
{
    if (!model_only()) {
        check_dangling(false, true, 0);
    }
}

void add_hazard_tests(void)
{
    add_for_all("hazard/h1-exit-behind-eintr", test_h1);
    add_for_all("hazard/h2-immediate-exit-loses-the-answer", test_h2_immediate_exit);
    add_for_all("hazard/h2-signal-loses-the-answer", test_h2_signal);
    add_for_all("hazard/h2-quiet-re-entry-keeps-it", test_no_loss);
    add_for_all("hazard/h3-wfi-ends-by-signal", test_h3_wfi);
    add_for_all("hazard/h3-powered-off-ends-by-signal", test_h3_powered_off);
    add_for_all("hazard/h3-busy-guest-ends-by-signal", test_h3_spinning);
    add_for_all("hazard/h3-flag-alone-wakes-nobody", test_h3_flag_alone);
    add_for_all("hazard/one-run-at-a-time", test_two_runs);
    add_for_all("hazard/sa-restart-is-silent", test_restart);
    add_for_all("hazard/blocked-signal-does-not-stop", test_blocked_signal);
    add_for_all("hazard/ignored-signal-does-not-stop", test_ignored_signal);
    add_for_all("hazard/eagain", test_eagain);
    g_test_add_func("/android14/hazard/irqfd-dangles-on-its-eventfd", test_dangling);
    add_for_all("hazard/irqfd-closed-first-is-safe", test_dangling_closed_first);
    add_for_all("hazard/irqfd-with-doorbell-is-safe", test_dangling_bound);
}
