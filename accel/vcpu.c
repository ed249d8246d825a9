/* SPDX-License-Identifier: GPL-2.0-or-later
 * vCPU threads and the kick that gets them out of the guest.
 *
 * A kick is a request (an atomic word that every thread reads before each entry) plus a signal
 * directed at the thread, repeated until the thread has parked: a signal that arrives between the
 * reading of the request and the entry is lost, and a vCPU in WFI sleeps in the kernel where
 * nothing but a signal wakes it. The signal's handler, without SA_RESTART, only sets the back
 * end's flag where it has one (accel_set_kick_flag()). No other asynchronous signal may reach
 * these threads, for each one could cost a read its answer.
 *
 * An entry that carries the answer of a read is left alone for a while: on Gunyah a signal would
 * make the kernel drop the answer. A thread that has not entered yet sees the request and parks
 * with the answer in hand; one that has been inside vcpu_hold_us has surely delivered it.
 */
#include "vcpu.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "monocond.h"
#include "util/error.h"

enum {
    KICK_SIGNAL = SIGUSR1,
    RETRY_FIRST_US = 500,
    RETRY_LAST_US = 16000,
};

typedef enum { VCPU_GO, VCPU_PAUSE, VCPU_STOP } VcpuRequest;

typedef struct {
    AccelVcpu pub;
    VcpuSet *set;
    GThread *thread;
    pthread_t id; /* valid once started, until joined */
    pid_t tid;    /* the same for the kernel */

    /* Guarded by set->lock. */
    bool started;
    bool parked;

    /* Written by the thread, read by the kicker. */
    uint64_t entries;
    bool delivering;

    /* The kicker's memory of one request. */
    uint64_t seen_entry;
    int64_t held_since;
} Vcpu;

struct VcpuSet {
    Accel *accel;
    unsigned n;
    Vcpu **vcpus;
    pthread_mutex_t lock;
    pthread_cond_t parked; /* a thread has parked or started */
    pthread_cond_t resume; /* request has changed */
    int request;           /* VcpuRequest: written under lock, read without */
    unsigned life;         /* guarded by lock: counts restarts */
};

int64_t vcpu_hold_us = 20000;

static __thread bool in_vcpu_thread;
static __thread uint8_t *kick_flag;

static void on_kick(int sig)
{
    if (kick_flag != NULL) {
        __atomic_store_n(kick_flag, 1, __ATOMIC_RELAXED);
    }
}

void accel_set_kick_flag(uint8_t *flag)
{
    kick_flag = flag;
}

static void install_kick_handler(void)
{
    static gsize once;

    if (g_once_init_enter(&once)) {
        struct sigaction action = { .sa_handler = on_kick };

        sigemptyset(&action.sa_mask);
        sigaction(KICK_SIGNAL, &action, NULL);
        g_once_init_leave(&once, 1);
    }
}

/* Leaves the kick and what the CPU raises synchronously (an engine may rely on SIGSEGV). */
static void mask_signals(void)
{
    static const int open[] = { KICK_SIGNAL, SIGSEGV, SIGBUS,  SIGILL,
                                SIGFPE,      SIGTRAP, SIGABRT, SIGSYS };
    sigset_t mask;

    sigfillset(&mask);
    for (unsigned i = 0; i < G_N_ELEMENTS(open); i++) {
        sigdelset(&mask, open[i]);
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

VcpuSet *vcpu_set_new(Accel *accel, unsigned n)
{
    VcpuSet *set = g_new0(VcpuSet, 1);

    set->accel = accel;
    set->n = n;
    set->vcpus = g_new0(Vcpu *, n);
    pthread_mutex_init(&set->lock, NULL);
    monocond_init(&set->parked);
    monocond_init(&set->resume);
    for (unsigned i = 0; i < n; i++) {
        /* Whole cache lines: two vCPUs counting must not disturb each other. */
        Vcpu *vcpu = g_aligned_alloc0(1, (sizeof(Vcpu) + 127) & ~127UL, 128);

        vcpu->pub.accel = accel;
        vcpu->pub.index = i;
        vcpu->set = set;
        set->vcpus[i] = vcpu;
    }
    return set;
}

void vcpu_set_free(VcpuSet *set)
{
    if (set == NULL) {
        return;
    }
    for (unsigned i = 0; i < set->n; i++) {
        g_assert(set->vcpus[i]->thread == NULL);
        g_aligned_free(set->vcpus[i]);
    }
    g_free(set->vcpus);
    pthread_mutex_destroy(&set->lock);
    pthread_cond_destroy(&set->parked);
    pthread_cond_destroy(&set->resume);
    g_free(set);
}

AccelVcpu *vcpu_set_get(VcpuSet *set, unsigned index)
{
    return index < set->n ? &set->vcpus[index]->pub : NULL;
}

pid_t vcpu_set_tid(VcpuSet *set, unsigned index)
{
    pid_t tid = 0;

    pthread_mutex_lock(&set->lock);
    if (index < set->n && set->vcpus[index]->started) {
        tid = set->vcpus[index]->tid;
    }
    pthread_mutex_unlock(&set->lock);
    return tid;
}

unsigned vcpu_set_size(const VcpuSet *set)
{
    return set->n;
}

static VcpuRequest current_request(VcpuSet *set)
{
    return __atomic_load_n(&set->request, __ATOMIC_SEQ_CST);
}

/* Waits while paused, or until the next life when done. FALSE: the thread is to end. */
static bool park(Vcpu *vcpu, AccelRunResult *result)
{
    VcpuSet *set = vcpu->set;
    unsigned life;
    bool go;

    pthread_mutex_lock(&set->lock);
    life = set->life;
    vcpu->parked = true;
    pthread_cond_broadcast(&set->parked);
    while (current_request(set) == VCPU_PAUSE ||
           (*result == ACCEL_RUN_DONE && life == set->life && current_request(set) != VCPU_STOP)) {
        pthread_cond_wait(&set->resume, &set->lock);
    }
    if (life != set->life) {
        *result = ACCEL_RUN_AGAIN;
    }
    go = current_request(set) == VCPU_GO;
    vcpu->parked = !go;
    pthread_mutex_unlock(&set->lock);
    return go;
}

static gpointer vcpu_thread(gpointer data)
{
    Vcpu *vcpu = data;
    VcpuSet *set = vcpu->set;
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(set->accel);
    AccelRunResult result = ACCEL_RUN_AGAIN;

    in_vcpu_thread = true;
    mask_signals();
    memory_thread_register();
    pthread_mutex_lock(&set->lock);
    vcpu->id = pthread_self();
    vcpu->tid = gettid();
    vcpu->started = true;
    pthread_mutex_unlock(&set->lock);

    for (;;) {
        if ((result == ACCEL_RUN_DONE || current_request(set) != VCPU_GO) && !park(vcpu, &result)) {
            break;
        }
        __atomic_store_n(&vcpu->delivering, result == ACCEL_RUN_ANSWERED, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&vcpu->entries, 1, __ATOMIC_SEQ_CST);
        if (current_request(set) != VCPU_GO) {
            continue; /* asked between parking place and entry: the answer is still in hand */
        }
        result = klass->vcpu_run(set->accel, &vcpu->pub);
    }
    memory_thread_unregister();
    return NULL;
}

/* TRUE while a signal to vcpu might cost a read its answer. A VM that is being stopped has no use
 * for answers. */
static bool kick_must_wait(Vcpu *vcpu, int64_t now)
{
    uint64_t entry;

    if (current_request(vcpu->set) == VCPU_STOP ||
        !__atomic_load_n(&vcpu->delivering, __ATOMIC_SEQ_CST)) {
        return false;
    }
    entry = __atomic_load_n(&vcpu->entries, __ATOMIC_SEQ_CST);
    if (entry != vcpu->seen_entry) {
        vcpu->seen_entry = entry;
        vcpu->held_since = now;
    }
    return now - vcpu->held_since < vcpu_hold_us;
}

/* Called with set->lock held; returns with it held when every thread has parked. */
static void kick_until_parked(VcpuSet *set)
{
    int64_t wait = RETRY_FIRST_US;

    for (unsigned i = 0; i < set->n; i++) {
        set->vcpus[i]->seen_entry = UINT64_MAX;
    }
    for (;;) {
        int64_t now = g_get_monotonic_time();
        unsigned inside = 0;

        for (unsigned i = 0; i < set->n; i++) {
            Vcpu *vcpu = set->vcpus[i];

            if (vcpu->thread == NULL || vcpu->parked) {
                continue;
            }
            inside++;
            if (vcpu->started && !kick_must_wait(vcpu, now)) {
                pthread_kill(vcpu->id, KICK_SIGNAL);
            }
        }
        if (inside == 0) {
            return;
        }
        monocond_wait_until(&set->parked, &set->lock, now + wait);
        wait = MIN(wait * 2, RETRY_LAST_US);
    }
}

static void set_request(VcpuSet *set, VcpuRequest request)
{
    __atomic_store_n(&set->request, request, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&set->resume);
}

bool vcpu_set_start(VcpuSet *set, GError **error)
{
    install_kick_handler();
    pthread_mutex_lock(&set->lock);
    set_request(set, VCPU_PAUSE); /* nobody enters before everybody exists */
    pthread_mutex_unlock(&set->lock);
    for (unsigned i = 0; i < set->n; i++) {
        g_autofree char *name =
            g_strdup_printf("CPU %u/%s", i, HUMPY_ACCEL_GET_CLASS(set->accel)->name);
        GError *cause = NULL;

        set->vcpus[i]->thread = g_thread_try_new(name, vcpu_thread, set->vcpus[i], &cause);
        if (set->vcpus[i]->thread == NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                        "cannot create the thread of vCPU %u: %s", i, cause->message);
            g_error_free(cause);
            vcpu_set_stop(set);
            return false;
        }
    }
    pthread_mutex_lock(&set->lock);
    for (unsigned i = 0; i < set->n; i++) {
        while (!set->vcpus[i]->started) { /* from here on its number is known */
            pthread_cond_wait(&set->parked, &set->lock);
        }
    }
    pthread_mutex_unlock(&set->lock);
    return true;
}

void vcpu_set_pause(VcpuSet *set)
{
    g_assert(!in_vcpu_thread);
    pthread_mutex_lock(&set->lock);
    set_request(set, VCPU_PAUSE);
    kick_until_parked(set);
    pthread_mutex_unlock(&set->lock);
}

void vcpu_set_kick(VcpuSet *set, unsigned index)
{
    pthread_mutex_lock(&set->lock);
    if (set->vcpus[index]->started) {
        pthread_kill(set->vcpus[index]->id, KICK_SIGNAL);
    }
    pthread_mutex_unlock(&set->lock);
}

void vcpu_set_resume(VcpuSet *set)
{
    pthread_mutex_lock(&set->lock);
    set_request(set, VCPU_GO);
    pthread_mutex_unlock(&set->lock);
}

void vcpu_set_restart(VcpuSet *set)
{
    pthread_mutex_lock(&set->lock);
    g_assert(current_request(set) == VCPU_PAUSE);
    set->life++;
    pthread_mutex_unlock(&set->lock);
}

void vcpu_set_stop(VcpuSet *set)
{
    g_assert(!in_vcpu_thread);
    pthread_mutex_lock(&set->lock);
    set_request(set, VCPU_STOP);
    kick_until_parked(set);
    for (unsigned i = 0; i < set->n; i++) {
        set->vcpus[i]->started = false;
    }
    pthread_mutex_unlock(&set->lock);
    for (unsigned i = 0; i < set->n; i++) {
        g_clear_pointer(&set->vcpus[i]->thread, g_thread_join);
    }
}
