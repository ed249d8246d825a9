/* SPDX-License-Identifier: GPL-2.0-or-later
 * A thread for each vCPU's event channel, so that no device holds up a vCPU that is in another one,
 * and one for the channel of the buffered ring. A slot is ours from the moment its state is READY
 * until we write IORESP_READY; it is copied out once and not looked at again.
 *
 * Buffered writes came before the requests that are made after them: the ring is emptied before
 * each of those. Whoever sees it empty knows that all of it has been served, for the read pointer
 * moves only then.
 */
#define G_LOG_DOMAIN "humpy-xen"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "util/error.h"
#include "xen-priv.h"

/* ---- the state, which shares its byte with other fields ---- */

enum { STATE_OFFSET = 30, STATE_MASK = 0xf, PATIENCE_MS = 1000 };

static uint8_t *state_byte(ioreq_t *slot)
{
    return (uint8_t *)slot + STATE_OFFSET;
}

static bool has_state(ioreq_t *slot, uint8_t state)
{
    return (__atomic_load_n(state_byte(slot), __ATOMIC_ACQUIRE) & STATE_MASK) == state;
}

/* Nobody else writes the byte while the slot is ours. */
static void set_state(ioreq_t *slot, uint8_t state)
{
    uint8_t rest = __atomic_load_n(state_byte(slot), __ATOMIC_RELAXED) & ~STATE_MASK;

    __atomic_store_n(state_byte(slot), rest | state, __ATOMIC_RELEASE);
}

static void copy_slot(ioreq_t *copy, const ioreq_t *slot)
{
    uint64_t words[sizeof(*slot) / sizeof(uint64_t)];

    G_STATIC_ASSERT(sizeof(*slot) == 32);
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        words[i] = __atomic_load_n((const uint64_t *)slot + i, __ATOMIC_RELAXED);
    }
    memcpy(copy, words, sizeof(*copy));
}

/* ---- requests ---- */

static void complain(XenWaiter *w, const IoRequest *req, const char *what)
{
    if (!w->complained) {
        w->complained = true;
        g_warning("-accel xen: a request of %s %u (type %u) cannot be served: %s; it and the like "
                  "of it read as ones",
                  w->slot != NULL ? "vCPU" : "the ring, after", w->index, req->raw_type, what);
    }
}

static void dispatch(XenWaiter *w, IoRequest *req, const char *wrong)
{
    if (wrong != NULL) {
        complain(w, req, wrong);
        req->data = UINT64_MAX;
        return;
    }
    if (req->space == IOREQ_INVALIDATE) {
        xen_foreign_invalidate(w->xen);
    }
    ioreq_dispatch(w->xen->dispatcher, req, &w->stats);
}

/* [ring_lock] How many slots the request at the read pointer takes. */
static unsigned serve_buffered(XenWaiter *w, uint32_t at, uint32_t n)
{
    struct buffered_iopage *ring = w->xen->ring;
    buf_ioreq_t slot = ring->buf_ioreq[at % IOREQ_BUFFER_SLOT_NUM], high;
    bool is_long = slot.size == 3 && n > 1;
    IoRequest req = { .origin = { .backend = w->xen, .vcpu = w->index } };
    const char *wrong;

    if (is_long) {
        high = ring->buf_ioreq[(at + 1) % IOREQ_BUFFER_SLOT_NUM];
    }
    wrong = xen_buffered_take(&slot, is_long ? &high : NULL, &req);
    if (slot.size == 3 && !is_long) {
        wrong = "its second half is missing";
    }
    dispatch(w, &req, wrong);
    return is_long ? 2 : 1;
}

/* Both at once: Xen may set them back together. */
static void read_pointers(struct buffered_iopage *ring, uint32_t *read, uint32_t *write)
{
    uint64_t both = __atomic_load_n((uint64_t *)ring, __ATOMIC_ACQUIRE);

    *read = both;
    *write = both >> 32;
}

static void drain_ring(XenWaiter *w)
{
    struct buffered_iopage *ring = w->xen->ring;
    uint32_t read, write;

    if (ring == NULL) {
        return;
    }
    read_pointers(ring, &read, &write);
    if (read == write) {
        return;
    }
    pthread_mutex_lock(&w->xen->ring_lock);
    for (;;) {
        unsigned taken;

        read_pointers(ring, &read, &write);
        if (read == write) {
            break;
        }
        taken = serve_buffered(w, read, write - read);
        __atomic_add_fetch(&ring->read_pointer, taken, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&w->xen->ring_lock);
}

static void serve_slot(XenWaiter *w)
{
    AccelXen *xen = w->xen;
    IoRequest req = { .origin = { .backend = xen, .vcpu = w->index, .cookie = w->index } };
    ioreq_t copy;

    copy_slot(&copy, w->slot);
    set_state(w->slot, STATE_IOREQ_INPROCESS);
    drain_ring(w);
    dispatch(w, &req, xen_slot_take(&copy, &req));
    if (xen_slot_wants_data(&copy)) {
        __atomic_store_n(&w->slot->data, req.data, __ATOMIC_RELAXED);
    }
    set_state(w->slot, STATE_IORESP_READY);
    if (xen->lib->evtchn_notify(w->ev, w->port) != 0) {
        xen_report_trouble(xen, "cannot tell of an answered request a vCPU", errno);
    }
}

/* A channel may fire without a request: it does once when it has just been bound. */
static void serve(XenWaiter *w)
{
    pthread_mutex_lock(&w->gate);
    while (__atomic_load_n(&w->xen->paused, __ATOMIC_ACQUIRE)) {
        pthread_mutex_unlock(&w->gate);
        pthread_mutex_lock(&w->xen->pause_lock);
        while (w->xen->paused) {
            pthread_cond_wait(&w->xen->resumed, &w->xen->pause_lock);
        }
        pthread_mutex_unlock(&w->xen->pause_lock);
        pthread_mutex_lock(&w->gate);
    }
    if (w->slot == NULL) {
        drain_ring(w);
    } else if (has_state(w->slot, STATE_IOREQ_READY)) {
        serve_slot(w);
    }
    pthread_mutex_unlock(&w->gate);
}

/* ---- threads ---- */

/* FALSE: it is over. One blocking call: a poll for more than the channels would be a tenth of what
 * a request takes. */
static bool wait_for_event(XenWaiter *w, int *port)
{
    do {
        *port = w->xen->lib->evtchn_pending(w->ev);
    } while (*port < 0 && errno == EINTR);
    if (*port < 0) {
        xen_report_trouble(w->xen, "cannot wait for requests", errno);
    }
    return *port >= 0 && *port != w->stop_port;
}

static gpointer waiter_thread(gpointer data)
{
    XenWaiter *w = data;
    int port;

    memory_thread_register();
    while (wait_for_event(w, &port)) {
        serve(w);
        /* After the answer, for which the vCPU waits: an event that comes while the channel is
         * masked stays pending, and unmasking delivers it. */
        if (w->xen->lib->evtchn_unmask(w->ev, port) != 0) {
            xen_report_trouble(w->xen, "cannot wait for requests", errno);
            break;
        }
    }
    serve(w); /* what was asked before the server was disabled */
    memory_thread_unregister();
    return NULL;
}

static bool start_threads(AccelXen *xen, GError **error)
{
    sigset_t all, old;
    bool ok = true;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (unsigned i = 0; i < xen->n_waiters && ok; i++) {
        XenWaiter *w = &xen->waiters[i];
        g_autofree char *name = g_strdup_printf("ioreq %u/xen", i);
        g_autoptr(GError) cause = NULL;

        w->thread = g_thread_try_new(name, waiter_thread, w, &cause);
        if (w->thread == NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "cannot create request thread %u: %s",
                        i, cause->message);
            ok = false;
        }
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ok;
}

/* ---- life ---- */

void xen_serve_init(AccelXen *xen)
{
    pthread_mutex_init(&xen->ring_lock, NULL);
    pthread_mutex_init(&xen->pause_lock, NULL);
    pthread_cond_init(&xen->resumed, NULL);
}

void xen_serve_clear(AccelXen *xen)
{
    pthread_mutex_destroy(&xen->ring_lock);
    pthread_mutex_destroy(&xen->pause_lock);
    pthread_cond_destroy(&xen->resumed);
}

bool xen_serve_open(AccelXen *xen, GError **error)
{
    xen->n_waiters = xen->n_vcpus + (xen->buffered ? 1 : 0);
    xen->waiters = g_new0(XenWaiter, xen->n_waiters);
    for (unsigned i = 0; i < xen->n_waiters; i++) {
        XenWaiter *w = &xen->waiters[i];

        w->xen = xen;
        w->index = i;
        w->port = -1;
        pthread_mutex_init(&w->gate, NULL);
        w->ev = xen->lib->evtchn_open();
        if (w->ev == NULL) {
            error_set_errno(error, errno, "cannot open event channel handle %u of %u", i + 1,
                            xen->n_waiters);
            return false;
        }
        w->stop_port = xen->lib->evtchn_bind_self(w->ev, &w->stop_send);
        if (w->stop_port < 0) {
            error_set_errno(error, errno, "cannot bind an event channel of this domain to itself");
            return false;
        }
    }
    return true;
}

static bool bind(XenWaiter *w, uint32_t remote, GError **error)
{
    AccelXen *xen = w->xen;

    w->port = xen->lib->evtchn_bind(w->ev, xen->domid, remote);
    if (w->port < 0) {
        error_set_errno(error, errno, "cannot bind event channel %u of domain %u", remote,
                        xen->domid);
        return false;
    }
    return true;
}

bool xen_serve_start(AccelXen *xen, GError **error)
{
    for (unsigned i = 0; i < xen->n_waiters; i++) {
        XenWaiter *w = &xen->waiters[i];

        w->slot = i < xen->n_vcpus ? &xen->slots[i] : NULL;
        if (!bind(w, w->slot != NULL ? w->slot->vp_eport : xen->buffered_port, error)) {
            return false;
        }
    }
    return start_threads(xen, error);
}

/* An answer that its vCPU has not taken is lost with the server. A vCPU that the toolstack has
 * paused will not take it: so not for ever. */
static void wait_until_taken(AccelXen *xen)
{
    unsigned tries = PATIENCE_MS;

    for (unsigned i = 0; i < xen->n_vcpus && xen->slots != NULL; i++) {
        while (has_state(&xen->slots[i], STATE_IORESP_READY) && tries > 0) {
            g_usleep(1000);
            tries--;
        }
    }
}

void xen_serve_stop(AccelXen *xen)
{
    xen_serve_resume(xen);
    for (unsigned i = 0; i < xen->n_waiters; i++) {
        XenWaiter *w = &xen->waiters[i];

        if (w->thread == NULL) {
            continue;
        }
        if (xen->lib->evtchn_notify(w->ev, w->stop_send) != 0) {
            g_error("evtchn_notify: %s", g_strerror(errno)); /* the port is bound */
        }
        g_thread_join(w->thread);
    }
    wait_until_taken(xen);
    for (unsigned i = 0; i < xen->n_waiters; i++) {
        XenWaiter *w = &xen->waiters[i];

        if (w->ev == NULL) {
            continue; /* the last that there was memory for */
        }
        if (w->port >= 0) {
            xen->lib->evtchn_unbind(w->ev, w->port);
        }
        xen->lib->evtchn_close(w->ev);
        pthread_mutex_destroy(&w->gate);
    }
    g_clear_pointer(&xen->waiters, g_free);
    xen->n_waiters = 0;
}

void xen_serve_pause(AccelXen *xen)
{
    pthread_mutex_lock(&xen->pause_lock);
    __atomic_store_n(&xen->paused, true, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&xen->pause_lock);
    for (unsigned i = 0; i < xen->n_waiters; i++) {
        pthread_mutex_lock(&xen->waiters[i].gate);
        pthread_mutex_unlock(&xen->waiters[i].gate);
    }
}

void xen_serve_resume(AccelXen *xen)
{
    pthread_mutex_lock(&xen->pause_lock);
    __atomic_store_n(&xen->paused, false, __ATOMIC_RELEASE);
    pthread_cond_broadcast(&xen->resumed);
    pthread_mutex_unlock(&xen->pause_lock);
}
