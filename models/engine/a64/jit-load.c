/* SPDX-License-Identifier: GPL-2.0-or-later
 * The way to shim.cc: loads the module with the first jit_new() and passes calls on. A process
 * that never executes hot guest code never loads it. No other jit_ function is called before
 * jit_new() has succeeded.
 */
#include "a64.h"

#include <dlfcn.h>
#include <signal.h>

/* Beside this library, which carries $ORIGIN as its search path. */
#define MODULE "humpy-a64-jit.so"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const A64JitOps *ops;
static const char *load_error;

static void load(void)
{
    void *module = dlopen(MODULE, RTLD_NOW | RTLD_LOCAL);

    warmup_wait_at_exit();
    if (module) {
        ops = dlsym(module, "a64_jit_ops");
    }
    if (!ops) {
        load_error = g_strdup(dlerror());
    }
}

/* The first JIT of a process gives its thread a signal stack, and does not ask whether it had one.
 * It is for faults in translated code, which we have none of: the thread keeps its own. */
A64Jit *jit_new(A64Vcpu *v, A64Mode mode)
{
    A64Jit *j = NULL;
    stack_t stack;

    sigaltstack(NULL, &stack);
    pthread_once(&once, load);
    if (ops) {
        j = ops->new_jit(v, mode);
    }
    sigaltstack(&stack, NULL);
    return j;
}

const char *jit_load_error(void)
{
    return load_error;
}

void jit_free(A64Jit *j)
{
    if (j) {
        ops->free_jit(j);
    }
}

void jit_run(A64Jit *j)
{
    ops->run(j);
}

void jit_step(A64Jit *j)
{
    ops->step(j);
}

void jit_halt(A64Jit *j)
{
    ops->halt(j);
}

void jit_flush_vectors(A64Vcpu *v)
{
    if (v->vec_owner) {
        ops->flush_vectors(v);
    }
}

bool jit_promote(A64Jit *j, uint64_t pc)
{
    return ops->promote(j, pc);
}

void jit_clear(A64Jit *j)
{
    ops->clear(j);
}

void jit_recheck(A64Jit *j, bool low, bool high)
{
    ops->recheck(j, low, high);
}

void jit_recheck_page(A64Jit *j, uint64_t va)
{
    ops->recheck_page(j, va);
}

bool jit_pages_valid(A64Jit *j)
{
    return ops->pages_valid(j);
}

void jit_drop_invalid(A64Jit *j)
{
    ops->drop_invalid(j);
}

void jit_drop_gpa(A64Jit *j, uint64_t gpa)
{
    ops->drop_gpa(j, gpa);
}
