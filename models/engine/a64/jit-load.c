/* SPDX-License-Identifier: GPL-2.0-or-later
 * The way to shim.cc: loads the module with the first jit_new() and passes calls on. A process
 * that never executes hot guest code never loads it. No other jit_ function is called before
 * jit_new() has succeeded.
 */
#include "a64.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const A64JitOps *ops;
static const char *load_error;

/* A process may come to its end while a JIT is being made or, for a VM that was closed, taken down
 * in another thread: what that needs of the libraries must not be destroyed under it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t none_left = PTHREAD_COND_INITIALIZER;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;
static unsigned n_users;
static bool ending;

/* FALSE: the libraries are being taken down. */
static bool use_begin(void)
{
    bool ok;

    pthread_mutex_lock(&lock);
    ok = !ending;
    n_users += ok;
    pthread_mutex_unlock(&lock);
    return ok;
}

static void use_end(void)
{
    pthread_mutex_lock(&lock);
    if (--n_users == 0) {
        pthread_cond_broadcast(&none_left);
    }
    pthread_mutex_unlock(&lock);
}

static void end(void)
{
    pthread_mutex_lock(&lock);
    ending = true;
    while (n_users > 0) {
        pthread_cond_wait(&none_left, &lock);
    }
    pthread_mutex_unlock(&lock);
}

/* Twice: before the module is loaded, and after that, because what is registered last is run first
 * and the module's libraries register their own ends as they are loaded. */
static void wait_at_exit(void)
{
    atexit(end);
}

static void load(void)
{
    void *module = dlopen(JIT_MODULE, RTLD_NOW | RTLD_LOCAL);

    wait_at_exit();
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

    pthread_once(&exit_once, wait_at_exit);
    if (!use_begin()) {
        return NULL;
    }
    sigaltstack(NULL, &stack);
    pthread_once(&once, load);
    if (ops) {
        j = reach_new_jit(ops, v, mode);
    }
    sigaltstack(&stack, NULL);
    use_end();
    return j;
}

const char *jit_load_error(void)
{
    return load_error;
}

void jit_free(A64Jit *j)
{
    if (j && use_begin()) {
        ops->free_jit(j);
        use_end();
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
