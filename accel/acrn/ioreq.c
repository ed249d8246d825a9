/* SPDX-License-Identifier: GPL-2.0-or-later
 * The VM's I/O request client. A request is in a vCPU's slot of the shared page; it is ours from
 * the moment its state is PROCESSING and kernel_handled is 0, until NOTIFY_REQUEST_FINISH. It is
 * copied out once and checked; the slot is not looked at again but for putting in the answer.
 *
 * The first server waits in ATTACH, which is level-triggered: it returns at once while any request
 * is unfinished, also one that somebody is at. Usually it serves all by itself, in place, without
 * waking anybody. Each other server is awake only while there is traffic, and then looks every
 * TICK_US whether the one before it has been in the same request since the last look: if so, it
 * serves the other slots until that is over. So no device holds up a vCPU that is in another one,
 * and the usual request costs no hand-over.
 */
#define G_LOG_DOMAIN "humpy-acrn"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "acrn-priv.h"
#include "monocond.h"
#include "util/error.h"

enum {
    TICK_US = 1000,
    TAKEOVER_US = 50, /* between looks at the slots for somebody who is held up */
    SOON_US = 200,    /* a request that came within this time will have others follow ... */
    LINGER_US = 20,   /* ... which are looked for so long before waiting in ATTACH */
    IDLE_TICKS = 64,  /* without a request: sleep until there is one */
};

/* ---- one slot ---- */

static bool is_processing(const struct acrn_io_request *slot)
{
    return __atomic_load_n(&slot->processed, __ATOMIC_ACQUIRE) == ACRN_IOREQ_STATE_PROCESSING;
}

/* The state is looked at again after kernel_handled: the request that was there at first may have
 * been one that the driver answered itself, and kernel_handled the next one's, which is not
 * PROCESSING yet. For who has taken the slot the answer stays true, for nobody else finishes it.
 * (All orders are tried in tests/unit/test-acrn-interleavings.c.) */
static bool is_ours(const AccelAcrn *acrn, unsigned index)
{
    const struct acrn_io_request *slot = &acrn->page->req_slot[index];

    return is_processing(slot) && __atomic_load_n(&slot->kernel_handled, __ATOMIC_ACQUIRE) == 0 &&
           is_processing(slot) &&
           !(__atomic_load_n(&acrn->client.stuck, __ATOMIC_RELAXED) & 1U << index);
}

static void complain(AccelAcrn *acrn, unsigned index, const IoRequest *req, const char *what)
{
    if (!__atomic_exchange_n(&acrn->client.complained, true, __ATOMIC_RELAXED)) {
        g_warning("-accel acrn: the request of vCPU %u (type %u) cannot be served: %s; it and the "
                  "like of it read as ones",
                  index, req->raw_type, what);
    }
}

/* A slot that cannot be finished stays as it is: serving it again would do its write again. */
static void finish(AccelAcrn *acrn, unsigned index)
{
    struct acrn_ioreq_notify arg = { .vcpu = index };

    if (acrn_ioctl(acrn, ACRN_IOCTL_NOTIFY_REQUEST_FINISH, &arg) != 0) {
        __atomic_fetch_or(&acrn->client.stuck, 1U << index, __ATOMIC_RELAXED);
        accel_report_event(HUMPY_ACCEL(acrn), ACCEL_EVENT_CRASH,
                           "cannot finish the request of vCPU %u: %s", index, g_strerror(errno));
    }
}

/* What the hypervisor itself writes for a guest after a triple fault, where its own device model
 * has PM1a control: S5 and the bit that enters it. Its vCPU does not go on. */
static bool is_power_off(const IoRequest *req)
{
    return req->space == IOREQ_PIO && req->is_write && req->addr == ACRN_PM1A_CONTROL &&
           req->size == 2 && req->data == (ACRN_PM1A_SLEEP_ENABLE | ACRN_PM1A_S5);
}

static void serve_slot(AccelAcrn *acrn, unsigned index)
{
    struct acrn_io_request *slot = &acrn->page->req_slot[index];
    AccelVcpu *vcpu = accel_vcpu(HUMPY_ACCEL(acrn), index);
    IoRequest req = {
        .origin = { .backend = acrn, .vcpu = index, .cookie = index },
        .count = 1,
        .step = 1,
    };
    const char *wrong = acrn_slot_take(slot, &req);

    if (wrong != NULL) {
        complain(acrn, index, &req, wrong);
        req.data = UINT64_MAX;
        req.is_write = false;
    } else {
        ioreq_dispatch(acrn->dispatcher, &req, &vcpu->stats);
        if (is_power_off(&req)) {
            accel_report_event(HUMPY_ACCEL(acrn), ACCEL_EVENT_SHUTDOWN,
                               "vCPU %u: triple fault, or a write to ACRN's power-off port", index);
        }
    }
    if (!req.is_write) {
        acrn_slot_put(slot, req.raw_type, req.data);
    }
    finish(acrn, index);
}

/* ---- servers ---- */

static bool is_quitting(AccelAcrn *acrn)
{
    return __atomic_load_n(&acrn->client.quit, __ATOMIC_ACQUIRE);
}

static void wake_next(AccelAcrn *acrn, const AcrnServer *self)
{
    AcrnClient *c = &acrn->client;
    AcrnServer *next = &c->servers[self->number + 1];

    if (self->number + 1 == c->n_servers || __atomic_load_n(&next->awake, __ATOMIC_SEQ_CST)) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    __atomic_store_n(&next->awake, true, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* Serves each slot that is ours and that nobody is at; how many there were. */
static unsigned serve_all(AccelAcrn *acrn, AcrnServer *self)
{
    AcrnClient *c = &acrn->client;
    unsigned served = 0;

    for (unsigned i = 0; i < c->n_servers && !is_quitting(acrn); i++) {
        uint32_t bit = 1U << i;

        if (!is_ours(acrn, i) || (__atomic_fetch_or(&c->taken, bit, __ATOMIC_ACQUIRE) & bit)) {
            continue;
        }
        /* Whoever was at it may have finished meanwhile. */
        if (is_ours(acrn, i)) {
            __atomic_add_fetch(&self->turns, 1, __ATOMIC_SEQ_CST);
            wake_next(acrn, self);
            serve_slot(acrn, i);
            __atomic_add_fetch(&self->turns, 1, __ATOMIC_SEQ_CST);
            served++;
        }
        __atomic_fetch_and(&c->taken, ~bit, __ATOMIC_RELEASE);
    }
    return served;
}

/* FALSE: quit. */
static bool rest(AccelAcrn *acrn, int64_t us)
{
    AcrnClient *c = &acrn->client;

    pthread_mutex_lock(&c->lock);
    if (!c->quit) {
        monocond_wait_until(&c->changed, &c->lock, g_get_monotonic_time() + us);
    }
    pthread_mutex_unlock(&c->lock);
    return !is_quitting(acrn);
}

/* The next request often comes at once: seen here, nobody has to be woken for it. Meanwhile the
 * core is for whoever has work, a vCPU that makes the next request perhaps. */
static void linger(AccelAcrn *acrn, AcrnServer *self)
{
    int64_t until = g_get_monotonic_time() + LINGER_US;

    while (!is_quitting(acrn) && g_get_monotonic_time() < until) {
        if (serve_all(acrn, self) > 0) {
            until = g_get_monotonic_time() + LINGER_US;
        }
        sched_yield();
    }
}

static void lead(AccelAcrn *acrn, AcrnServer *self)
{
    while (!is_quitting(acrn)) {
        int64_t began = g_get_monotonic_time();

        if (acrn_ioctl(acrn, ACRN_IOCTL_ATTACH_IOREQ_CLIENT, NULL) != 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno != ENODEV || !is_quitting(acrn)) {
                accel_report_event(HUMPY_ACCEL(acrn), ACCEL_EVENT_CRASH,
                                   "cannot wait for requests: %s", g_strerror(errno));
            }
            return;
        }
        if (serve_all(acrn, self) == 0) {
            rest(acrn, TAKEOVER_US); /* others are at what made ATTACH return, or nobody can be */
        } else if (g_get_monotonic_time() - began < SOON_US) {
            linger(acrn, self);
        }
    }
}

/* Asleep until the server before this one wakes it. FALSE: quit. */
static bool sleep_until_needed(AccelAcrn *acrn, AcrnServer *self)
{
    AcrnClient *c = &acrn->client;

    pthread_mutex_lock(&c->lock);
    while (!self->awake && !c->quit) {
        pthread_cond_wait(&c->changed, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return !is_quitting(acrn);
}

static void stand_by(AccelAcrn *acrn, AcrnServer *self)
{
    const uint64_t *before = &acrn->client.servers[self->number - 1].turns;

    while (sleep_until_needed(acrn, self)) {
        uint64_t last = __atomic_load_n(before, __ATOMIC_SEQ_CST);
        unsigned idle = 0;

        while (idle < IDLE_TICKS && rest(acrn, TICK_US)) {
            uint64_t now = __atomic_load_n(before, __ATOMIC_SEQ_CST);

            idle = now == last ? idle + 1 : 0;
            while (now == last && now % 2 != 0 && rest(acrn, TAKEOVER_US)) {
                serve_all(acrn, self);
                now = __atomic_load_n(before, __ATOMIC_SEQ_CST);
                idle = 0;
            }
            last = now;
        }
        __atomic_store_n(&self->awake, false, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(before, __ATOMIC_SEQ_CST) != last) {
            __atomic_store_n(&self->awake, true, __ATOMIC_SEQ_CST); /* it did not see the change */
        }
    }
}

static gpointer server_thread(gpointer data)
{
    AcrnServer *self = data;

    memory_thread_register();
    if (self->number == 0) {
        lead(self->acrn, self);
    } else {
        stand_by(self->acrn, self);
    }
    memory_thread_unregister();
    return NULL;
}

/* ---- life ---- */

void acrn_client_init(AccelAcrn *acrn)
{
    pthread_mutex_init(&acrn->client.lock, NULL);
    monocond_init(&acrn->client.changed);
}

void acrn_client_clear(AccelAcrn *acrn)
{
    pthread_mutex_destroy(&acrn->client.lock);
    pthread_cond_destroy(&acrn->client.changed);
}

/* The program's signals stay with its own threads: here one would only make ATTACH return. */
static bool start_threads(AccelAcrn *acrn, GError **error)
{
    AcrnClient *c = &acrn->client;
    sigset_t all, old;
    bool ok = true;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (unsigned i = 0; i < c->n_servers && ok; i++) {
        AcrnServer *s = &c->servers[i];
        g_autofree char *name = g_strdup_printf("ioreq %u/acrn", i);
        g_autoptr(GError) cause = NULL;

        s->acrn = acrn;
        s->number = i;
        s->thread = g_thread_try_new(name, server_thread, s, &cause);
        if (s->thread == NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "cannot create request thread %u: %s",
                        i, cause->message);
            ok = false;
        }
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ok;
}

bool acrn_client_start(AccelAcrn *acrn, GError **error)
{
    AcrnClient *c = &acrn->client;

    if (acrn_ioctl(acrn, ACRN_IOCTL_CREATE_IOREQ_CLIENT, NULL) != 0) {
        error_set_errno(error, errno, "cannot become the VM's request client");
        return false;
    }
    c->exists = true;
    c->n_servers = acrn->info->n_vcpus;
    c->servers = g_new0(AcrnServer, c->n_servers);
    return start_threads(acrn, error);
}

static bool is_busy(const AccelAcrn *acrn)
{
    for (unsigned i = 0; i < acrn->client.n_servers; i++) {
        if (is_ours(acrn, i)) {
            return true;
        }
    }
    return __atomic_load_n(&acrn->client.taken, __ATOMIC_ACQUIRE) != 0;
}

void acrn_client_drain(AccelAcrn *acrn)
{
    AcrnClient *c = &acrn->client;

    pthread_mutex_lock(&c->lock);
    while (c->exists && is_busy(acrn)) {
        monocond_wait_until(&c->changed, &c->lock, g_get_monotonic_time() + TAKEOVER_US);
    }
    pthread_mutex_unlock(&c->lock);
}

/* DESTROY wakes ATTACH, and frees what it waits on: only the first server, which is joined next, is
 * ever in there. */
void acrn_client_stop(AccelAcrn *acrn)
{
    AcrnClient *c = &acrn->client;

    if (!c->exists) {
        return;
    }
    c->exists = false;
    pthread_mutex_lock(&c->lock);
    __atomic_store_n(&c->quit, true, __ATOMIC_RELEASE);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    acrn_ioctl(acrn, ACRN_IOCTL_DESTROY_IOREQ_CLIENT, NULL);
    for (unsigned i = 0; i < c->n_servers; i++) {
        if (c->servers[i].thread != NULL) {
            g_thread_join(c->servers[i].thread);
        }
    }
    g_clear_pointer(&c->servers, g_free);
}
