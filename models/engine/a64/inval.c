/* SPDX-License-Identifier: GPL-2.0-or-later
 * Invalidation of cached translations (soft TLB) and decoded instructions (JITs), and its
 * shoot-down across vCPUs.
 *
 * TLBI ...IS and IC post a request to each other vCPU and go on; DSB waits until each has either
 * acted on it or is outside the guest, where it uses no translation and will look at its queue
 * before it does again. A vCPU acts between blocks, so an access that was under way has finished.
 * The store to in_guest and the look at the queue, and the post and the look at in_guest, are
 * sequentially consistent: at least one side sees the other.
 */
#include "a64.h"

static void recheck(A64Vcpu *v, bool high)
{
    for (unsigned m = 0; m < N_MODES; m++) {
        if (v->jit[m]) {
            jit_recheck(v->jit[m], true, high);
        }
    }
}

static void each_jit(A64Vcpu *v, void (*act)(A64Jit *))
{
    for (unsigned m = 0; m < N_MODES; m++) {
        if (v->jit[m]) {
            act(v->jit[m]);
        }
    }
}

static uint64_t current_asid(const A64Vcpu *v)
{
    return v->sys.ttbr[v->sys.tcr >> 22 & 1] >> 48;
}

void inval_local(A64Vcpu *v, InvalKind kind, uint64_t arg)
{
    switch (kind) {
    case INVAL_ALL:
        tlb_flush_all(v);
        recheck(v, true);
        break;
    case INVAL_ASID:
        /* Other ASIDs' entries are gone since TTBR changed. */
        if (arg == current_asid(v) && v->upper_by_asid) {
            inval_local(v, INVAL_ALL, 0);
        } else if (arg == current_asid(v)) {
            tlb_flush_low(v);
            recheck(v, false);
        }
        break;
    case INVAL_VA:
        tlb_flush_page(v, arg);
        for (unsigned m = 0; m < N_MODES; m++) {
            if (v->jit[m]) {
                jit_recheck_page(v->jit[m], arg);
            }
        }
        break;
    case INVAL_CODE_ALL:
        each_jit(v, jit_clear);
        break;
    case INVAL_CODE_PAGE:
        for (unsigned m = 0; m < N_MODES; m++) {
            if (v->jit[m]) {
                jit_drop_gpa(v->jit[m], arg);
            }
        }
        break;
    case INVAL_STAGE2:
        tlb_flush_all(v);
        each_jit(v, jit_clear);
        break;
    }
}

/* Returns the ticket that inval_done reaches when v has acted on it. */
static uint64_t post(A64Vcpu *v, InvalKind kind, uint64_t arg)
{
    uint64_t ticket;

    pthread_mutex_lock(&v->inval_lock);
    if (v->inval_n == 0 || v->inval[v->inval_n - 1].kind != kind ||
        v->inval[v->inval_n - 1].arg != arg) {
        if (v->inval_n < INVAL_QUEUE) {
            v->inval[v->inval_n++] = (Inval){ kind, arg };
        } else {
            v->inval_overflow |= (uint8_t)(1 << kind);
        }
    }
    ticket = v->inval_posted + 1;
    STORE_SEQ(&v->inval_posted, ticket);
    pthread_mutex_unlock(&v->inval_lock);
    if (LOAD_SEQ(&v->in_guest)) {
        vcpu_notify(v, EVENT_INVALIDATE);
    }
    return ticket;
}

void inval_broadcast(A64Vcpu *v, InvalKind kind, uint64_t arg)
{
    A64Vm *vm = v->vm;

    inval_local(v, kind, arg);
    for (unsigned i = 0; i < vm->config.n_vcpus; i++) {
        A64Vcpu *other = LOAD_ACQUIRE(&vm->vcpu[i]);

        if (other && other != v) {
            v->inval_tickets[i] = post(other, kind, arg);
            v->unsynced = true;
        }
    }
}

/* What did not fit is done in the coarsest way of its kind: decoded instructions are dear to make
 * again and stay when only translations were to go. */
static void inval_overflowed(A64Vcpu *v, uint8_t kinds)
{
    if (kinds >> INVAL_STAGE2 & 1) {
        inval_local(v, INVAL_STAGE2, 0);
        return;
    }
    if (kinds & (1 << INVAL_CODE_ALL | 1 << INVAL_CODE_PAGE)) {
        inval_local(v, INVAL_CODE_ALL, 0);
    }
    if (kinds & (1 << INVAL_ALL | 1 << INVAL_ASID | 1 << INVAL_VA)) {
        inval_local(v, INVAL_ALL, 0);
    }
}

void inval_process(A64Vcpu *v)
{
    A64Vm *vm = v->vm;
    Inval list[INVAL_QUEUE];
    uint64_t ticket;
    uint8_t overflow;
    unsigned n;

    if (LOAD_SEQ(&v->inval_posted) == v->inval_done) {
        return;
    }
    pthread_mutex_lock(&v->inval_lock);
    n = v->inval_n;
    for (unsigned i = 0; i < n; i++) {
        list[i] = v->inval[i];
    }
    overflow = v->inval_overflow;
    ticket = v->inval_posted;
    v->inval_n = 0;
    v->inval_overflow = 0;
    pthread_mutex_unlock(&v->inval_lock);

    for (unsigned i = 0; i < n; i++) {
        inval_local(v, list[i].kind, list[i].arg);
    }
    if (overflow) {
        inval_overflowed(v, overflow);
    }
    STORE_SEQ(&v->inval_done, ticket);
    if (LOAD_SEQ(&vm->sync_waiters)) {
        pthread_mutex_lock(&vm->sync_lock);
        pthread_cond_broadcast(&vm->sync_cond);
        pthread_mutex_unlock(&vm->sync_lock);
    }
}

void inval_enter_guest(A64Vcpu *v)
{
    STORE_SEQ(&v->in_guest, 1);
    if (UNLIKELY(LOAD_SEQ(&v->vm->timer_idle))) {
        timer_thread_wake(v->vm);
    }
    inval_process(v);
}

void inval_leave_guest(A64Vcpu *v)
{
    A64Vm *vm = v->vm;

    STORE_SEQ(&v->in_guest, 0);
    if (LOAD_SEQ(&vm->sync_waiters)) {
        pthread_mutex_lock(&vm->sync_lock);
        pthread_cond_broadcast(&vm->sync_cond);
        pthread_mutex_unlock(&vm->sync_lock);
    }
}

static bool acted(A64Vcpu *v, uint64_t ticket)
{
    return !LOAD_SEQ(&v->in_guest) || LOAD_SEQ(&v->inval_done) >= ticket;
}

static void wait_for(A64Vm *vm, A64Vcpu *v, uint64_t ticket)
{
    for (unsigned spin = 0; spin < 500; spin++) {
        if (acted(v, ticket)) {
            return;
        }
        __builtin_ia32_pause();
    }
    pthread_mutex_lock(&vm->sync_lock);
    __atomic_add_fetch(&vm->sync_waiters, 1, __ATOMIC_SEQ_CST);
    while (!acted(v, ticket)) {
        pthread_cond_wait(&vm->sync_cond, &vm->sync_lock);
    }
    __atomic_sub_fetch(&vm->sync_waiters, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&vm->sync_lock);
}

void inval_sync(A64Vcpu *v)
{
    A64Vm *vm = v->vm;

    if (!v->unsynced) {
        return;
    }
    v->unsynced = false;
    /* Whoever waits for us in turn need not: we stand between instructions. */
    inval_leave_guest(v);
    for (unsigned i = 0; i < vm->config.n_vcpus; i++) {
        A64Vcpu *other = LOAD_ACQUIRE(&vm->vcpu[i]);

        if (other && other != v && v->inval_tickets[i]) {
            wait_for(vm, other, v->inval_tickets[i]);
            v->inval_tickets[i] = 0;
        }
    }
    inval_enter_guest(v);
}

void inval_stage2(A64Vm *vm)
{
    uint64_t tickets[A64_MAX_VCPUS] = { 0 };

    for (unsigned i = 0; i < vm->config.n_vcpus; i++) {
        A64Vcpu *v = LOAD_ACQUIRE(&vm->vcpu[i]);

        if (v) {
            tickets[i] = post(v, INVAL_STAGE2, 0);
        }
    }
    for (unsigned i = 0; i < vm->config.n_vcpus; i++) {
        if (tickets[i]) {
            wait_for(vm, LOAD_ACQUIRE(&vm->vcpu[i]), tickets[i]);
        }
    }
}
