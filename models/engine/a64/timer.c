/* SPDX-License-Identifier: GPL-2.0-or-later
 * The generic timer: one counter (62.5 MHz, from the host's monotonic clock, virtual = physical),
 * two timers per vCPU on PPIs 27 and 30. One thread per VM interrupts running vCPUs when a
 * timer is due and at slices; a sleeping vCPU waits for its own deadline.
 */
#include "a64.h"

#include "util/error.h"

#include <errno.h>
#include <time.h>

static const unsigned timer_ppi[2] = { 27, 30 };

uint64_t timer_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t timer_count(void)
{
    return timer_now_ns() / TIMER_NS_PER_TICK;
}

bool timer_condition(const A64Vcpu *v, unsigned t)
{
    /* All 64 bits count, unsigned: the last value is far away, not just over. */
    return v->sys.cnt_ctl[t] & 1 && timer_count() >= v->sys.cnt_cval[t];
}

void timer_update(A64Vcpu *v)
{
    A64Vm *vm = v->vm;
    uint64_t deadline = UINT64_MAX;

    for (unsigned t = 0; t < 2; t++) {
        bool due = timer_condition(v, t);
        bool masked = v->sys.cnt_ctl[t] & 2;

        gicv3_set_ppi(vm->gic, v->index, timer_ppi[t], due && !masked);
        if ((v->sys.cnt_ctl[t] & 3) == 1 && !due) {
            uint64_t cval = v->sys.cnt_cval[t];
            uint64_t at =
                cval > UINT64_MAX / TIMER_NS_PER_TICK ? UINT64_MAX : cval * TIMER_NS_PER_TICK;
            deadline = MIN(deadline, at);
        }
    }
    STORE_RELEASE(&v->deadline, deadline);
    pthread_mutex_lock(&vm->timer_lock);
    if (deadline < vm->timer_wake) {
        vm->timer_wake = deadline;
        pthread_cond_signal(&vm->timer_cond);
    }
    pthread_mutex_unlock(&vm->timer_lock);
}

/* The thread's next look: the earliest deadline, or a slice from now while somebody runs. */
static uint64_t scan(A64Vm *vm, uint64_t now, bool slice_due)
{
    uint64_t next = now + TIMER_SLICE_NS;

    for (unsigned i = 0; i < vm->config.n_vcpus; i++) {
        A64Vcpu *v = LOAD_ACQUIRE(&vm->vcpu[i]);
        uint64_t deadline;

        if (!v || !LOAD_SEQ(&v->in_guest)) {
            continue;
        }
        deadline = LOAD_ACQUIRE(&v->deadline);
        if (slice_due || deadline <= now) {
            vcpu_notify(v, EVENT_TICK);
        } else if (deadline < next) {
            next = deadline;
        }
    }
    return next;
}

static bool anybody_runs(A64Vm *vm)
{
    for (unsigned i = 0; i < vm->config.n_vcpus; i++) {
        A64Vcpu *v = LOAD_ACQUIRE(&vm->vcpu[i]);

        if (v && LOAD_SEQ(&v->in_guest)) {
            return true;
        }
    }
    return false;
}

/* Either the thread sees in_guest after it has set timer_idle, or the vCPU sees timer_idle after it
 * has set in_guest and takes the lock to say so. */
static void sleep_while_idle(A64Vm *vm)
{
    STORE_SEQ(&vm->timer_idle, 1);
    while (!vm->timer_stop && !anybody_runs(vm)) {
        pthread_cond_wait(&vm->timer_cond, &vm->timer_lock);
    }
    STORE_SEQ(&vm->timer_idle, 0);
}

void timer_thread_wake(A64Vm *vm)
{
    pthread_mutex_lock(&vm->timer_lock);
    pthread_cond_signal(&vm->timer_cond);
    pthread_mutex_unlock(&vm->timer_lock);
}

static void *timer_main(void *opaque)
{
    A64Vm *vm = opaque;
    uint64_t slice = 0;

    pthread_mutex_lock(&vm->timer_lock);
    while (!vm->timer_stop) {
        struct timespec at;
        bool slice_due;
        uint64_t now;

        if (!anybody_runs(vm)) {
            sleep_while_idle(vm);
            continue;
        }
        now = timer_now_ns();
        slice_due = now >= slice;
        if (slice_due) {
            slice = now + TIMER_SLICE_NS;
        }
        vm->timer_wake = MIN(scan(vm, now, slice_due), slice);
        at.tv_sec = (time_t)(vm->timer_wake / 1000000000);
        at.tv_nsec = (long)(vm->timer_wake % 1000000000);
        pthread_cond_timedwait(&vm->timer_cond, &vm->timer_lock, &at);
    }
    pthread_mutex_unlock(&vm->timer_lock);
    return NULL;
}

bool timer_thread_start(A64Vm *vm, GError **error)
{
    pthread_condattr_t attr;
    int err;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&vm->timer_cond, &attr);
    pthread_condattr_destroy(&attr);
    err = pthread_create(&vm->timer_thread, NULL, timer_main, vm);
    if (err) {
        error_set_errno(error, err, "cannot start the guest's timer thread");
        return false;
    }
    vm->timer_started = true;
    return true;
}

void timer_thread_stop(A64Vm *vm)
{
    if (!vm->timer_started) {
        return;
    }
    pthread_mutex_lock(&vm->timer_lock);
    vm->timer_stop = true;
    pthread_cond_signal(&vm->timer_cond);
    pthread_mutex_unlock(&vm->timer_lock);
    pthread_join(vm->timer_thread, NULL);
    vm->timer_started = false;
}
