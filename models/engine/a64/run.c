/* SPDX-License-Identifier: GPL-2.0-or-later
 * The run loop of one vCPU: events from other threads, interrupts, sleep, exits, and the choice
 * between interpreter and JIT.
 */
#include "a64.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

void vcpu_notify(A64Vcpu *v, uint32_t events)
{
    static const uint64_t one = 1;
    A64Jit *j;
    int saved = errno;

    __atomic_fetch_or(&v->events, events, __ATOMIC_SEQ_CST);
    j = LOAD_SEQ(&v->running_jit);
    if (j) {
        jit_halt(j);
    }
    if (LOAD_SEQ(&v->sleeping) && write(v->wake_fd, &one, sizeof(one)) < 0) {
        /* EAGAIN: the counter is full, so the sleeper wakes anyway. */
    }
    errno = saved;
}

/* Sleeps until an event, the hooks' descriptor or the next timer. */
static void sleep_until_event(A64Vcpu *v, const EngineRunHooks *hooks)
{
    uint64_t deadline = LOAD_ACQUIRE(&v->deadline), now = timer_now_ns(), count;
    bool off = LOAD_ACQUIRE(&v->power) != POWER_ON;
    struct pollfd fds[2] = { { v->wake_fd, POLLIN, 0 },
                             { hooks ? hooks->wake_fd : -1, POLLIN, 0 } };
    struct timespec timeout = { 0, 0 };
    bool forever = off || deadline == UINT64_MAX;

    if (!forever && deadline > now) {
        timeout.tv_sec = (time_t)((deadline - now) / 1000000000);
        timeout.tv_nsec = (long)((deadline - now) % 1000000000);
    }
    inval_leave_guest(v);
    STORE_SEQ(&v->sleeping, 1);
    if (!LOAD_SEQ(&v->events) && (forever || deadline > now)) {
        ppoll(fds, 2, forever ? NULL : &timeout, NULL);
    }
    STORE_SEQ(&v->sleeping, 0);
    while (read(v->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
    inval_enter_guest(v);
    /* Whoever woke us may be known to the hooks only. */
    __atomic_fetch_or(&v->events, EVENT_TICK, __ATOMIC_SEQ_CST);
}

/* TRUE: the caller wants the thread back. */
static bool handle_events(A64Vcpu *v, const EngineRunHooks *hooks)
{
    uint32_t events;

    if (!LOAD_ACQUIRE(&v->events)) {
        return false;
    }
    events = EXCHANGE(&v->events, 0);
    inval_process(v);
    if (events & EVENT_TICK) {
        timer_update(v);
        if (hooks && hooks->interrupted && hooks->interrupted(hooks->opaque)) {
            return true;
        }
    }
    return events & EVENT_KICK;
}

/* TRUE: the vCPU is on. */
static bool power_up(A64Vcpu *v)
{
    A64Vm *vm = v->vm;

    if (LIKELY(LOAD_ACQUIRE(&v->power) == POWER_ON)) {
        return true;
    }
    pthread_mutex_lock(&vm->power_lock);
    if (LOAD_ACQUIRE(&v->power) == POWER_ON_PENDING) {
        sysreg_reset(v);
        v->pc = v->boot_pc;
        v->x[0] = v->boot_x0;
        inval_local(v, INVAL_STAGE2, 0);
        STORE_RELEASE(&v->power, POWER_ON);
    }
    pthread_mutex_unlock(&vm->power_lock);
    return LOAD_ACQUIRE(&v->power) == POWER_ON;
}

/* TRUE: *exit says why the VM ends. */
static bool handle_stop(A64Vcpu *v, EngineExit *exit, const EngineRunHooks *hooks)
{
    A64Stop stop = v->stop;

    v->stop = STOP_NONE;
    switch (stop) {
    case STOP_NONE:
        return false;
    case STOP_WFI:
        timer_update(v);
        if (!LOAD_ACQUIRE(&v->irq_line) && !LOAD_ACQUIRE(&v->fiq_line)) {
            sleep_until_event(v, hooks);
            timer_update(v);
        }
        return false;
    case STOP_CPU_OFF:
        v->sys.cnt_ctl[0] = v->sys.cnt_ctl[1] = 0;
        timer_update(v);
        pthread_mutex_lock(&v->vm->power_lock);
        STORE_RELEASE(&v->power, POWER_OFF);
        pthread_mutex_unlock(&v->vm->power_lock);
        return false;
    case STOP_SYSTEM_OFF:
        exit->kind = ENGINE_EXIT_SYSTEM_OFF;
        return true;
    case STOP_SYSTEM_RESET:
        exit->kind = ENGINE_EXIT_SYSTEM_RESET;
        return true;
    case STOP_SYSTEM_RESET2:
        exit->kind = ENGINE_EXIT_SYSTEM_RESET2;
        return true;
    case STOP_ERROR:
        exit->kind = ENGINE_EXIT_ERROR;
        exit->text = v->error;
        return true;
    }
    return false;
}

/* EL0 with translations that are not all valid in this address space: interpret for a while, then
 * give them up. TRUE: something was executed. */
static bool execute_quarantined(A64Vcpu *v, A64Jit *j)
{
    if (v->quarantine == 0) {
        jit_drop_invalid(j);
        return false;
    }
    v->quarantined = true;
    if (!interp_run(v)) {
        jit_step(j);
    }
    v->quarantined = false;
    return true;
}

static void execute(A64Vcpu *v)
{
    A64Mode mode = a64_mode(v);
    A64Jit *j = v->jit[mode];

    inval_sync(v);
    if (j && !jit_pages_valid(j)) {
        if (mode == MODE_EL0 && execute_quarantined(v, j)) {
            return;
        }
        jit_drop_invalid(j);
    }
    if (interp_is_cold(v, v->pc)) {
        interp_run(v);
        return;
    }
    if (!j && !warmup_ready(v, mode)) {
        warmup_begin(v, mode);
        if (interp_run(v)) {
            return;
        }
        if (!warmup_wait(v, mode)) {
            v->error = jit_load_error();
            v->error = v->error ? v->error : "no memory for translated code";
            v->stop = STOP_ERROR;
            return;
        }
    }
    jit_run(v->jit[mode]);
}

void vcpu_run_loop(EngineVcpu *vcpu, EngineExit *exit, const EngineRunHooks *hooks)
{
    A64Vcpu *v = (A64Vcpu *)vcpu;

    inval_enter_guest(v);
    if (v->mmio.pending && exit->fault) {
        device_abort(v);
    } else if (v->mmio.pending) {
        device_complete(v, exit->data);
    }
    *exit = (EngineExit){ .kind = ENGINE_EXIT_INTERRUPTED };
    for (;;) {
        if (handle_events(v, hooks)) {
            break;
        }
        if (!power_up(v)) {
            sleep_until_event(v, hooks);
            continue;
        }
        exception_interrupt(v);
        execute(v);
        if (v->fault.kind == FAULT_ABORT) {
            exception_data_abort(v);
        } else if (v->fault.kind == FAULT_DEVICE && device_access(v, exit)) {
            break;
        }
        if (v->stop && handle_stop(v, exit, hooks)) {
            break;
        }
    }
    inval_leave_guest(v);
}
