/* SPDX-License-Identifier: GPL-2.0-or-later
 * Setting up a JIT takes dynarmic some 20 ms. So it is done beside the vCPU, which interprets on
 * until its JIT is there, and waits only for an instruction that the interpreter does not know.
 */
#include "a64.h"

static void make_here(A64Warmup *w)
{
    STORE_RELEASE(&w->jit, jit_new(w->v, w->mode));
    STORE_RELEASE(&w->done, true);
}

static void *make(void *opaque)
{
    make_here(opaque);
    return NULL;
}

static void begin(A64Vcpu *v, A64Mode mode)
{
    A64Warmup *w = &v->warmup[mode];

    if (w->begun) {
        return;
    }
    w->begun = true;
    w->v = v;
    w->mode = mode;
    w->has_thread = pthread_create(&w->thread, NULL, make, w) == 0;
    if (!w->has_thread) {
        make_here(w);
    }
}

static void finish(A64Warmup *w)
{
    if (w->has_thread) {
        pthread_join(w->thread, NULL);
        w->has_thread = false;
    }
}

bool warmup_ready(A64Vcpu *v, A64Mode mode)
{
    A64Warmup *w = &v->warmup[mode];

    if (!v->jit[mode] && w->begun && LOAD_ACQUIRE(&w->done)) {
        finish(w);
        v->jit[mode] = w->jit;
    }
    return v->jit[mode];
}

void warmup_begin(A64Vcpu *v, A64Mode mode)
{
    begin(v, mode);
    /* A kernel that needs it will soon have user programs that do; which other vCPU runs them is
     * not known, and each JIT takes some 20 MB. */
    if (mode == MODE_EL1H && v->index == 0) {
        begin(v, MODE_EL0);
    }
}

A64Jit *warmup_wait(A64Vcpu *v, A64Mode mode)
{
    A64Warmup *w = &v->warmup[mode];

    begin(v, mode);
    /* Whoever waits for us to drop translations need not. */
    inval_leave_guest(v);
    finish(w);
    inval_enter_guest(v);
    v->jit[mode] = w->jit;
    return w->jit;
}

void warmup_cancel(A64Vcpu *v)
{
    for (unsigned m = 0; m < N_MODES; m++) {
        finish(&v->warmup[m]);
        jit_free(v->warmup[m].jit);
    }
}
