/* SPDX-License-Identifier: GPL-2.0-or-later
 * Interrupt lines. Gunyah knows only doorbells: a write to an eventfd makes its SPI pending once,
 * and nobody tells when the guest has acknowledged it or ended its handler (facts: no resample, no
 * EOI). For an edge line that is all there is: each 0 to 1 change is one write.
 *
 * A level line has to interrupt again if it is still high when the guest's handler ends. The
 * doorbell was consumed by then, so somebody must ring again; ringing while the handler is still at
 * work costs one spurious interrupt, ringing without bound is a storm. One thread therefore looks
 * at the lines that are high:
 *
 *   - the guest has accessed some device since the last ring and has then been quiet for a tick
 *     (or busy for BUSY_TICKS): its handler has had its chance, ring;
 *   - the guest has accessed nothing: the SPI is most probably still pending and a ring changes
 *     nothing; it is repeated all the same, ever more rarely, in case the guest dropped it.
 *
 * A line that falls and rises again rings at once and starts anew, so the thread adds nothing to
 * the usual case. While no level line is high it sleeps, and the cost of an access is one load.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gunyah-priv.h"
#include "monocond.h"
#include "util/error.h"

enum {
    TICK_US = 1000,
    BUSY_TICKS = 4,
    IDLE_GROWTH = 16, /* how much rarer it may get */
};

int64_t gunyah_irq_idle_us = 16000;

static void ring(const GunyahLine *line)
{
    uint64_t one = 1;
    ssize_t n;

    if (line->fd < 0) {
        return;
    }
    do {
        n = write(line->fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
    /* EAGAIN: the counter is full, so the doorbell has more than enough rings to come. */
}

/* ---- wiring ---- */

bool gunyah_irq_connect(Accel *accel, unsigned gsi, AccelIrqMode mode, GError **error)
{
    GunyahIrqs *irqs = &HUMPY_ACCEL_GUNYAH(accel)->irqs;
    GunyahLine *line;

    if (gsi > GUNYAH_MAX_SPI) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "SPI is %u but must be 0 to %d", gsi,
                    GUNYAH_MAX_SPI);
        return false;
    }
    line = g_new0(GunyahLine, 1);
    pthread_mutex_init(&line->lock, NULL);
    line->spi = gsi;
    line->mode = mode;
    line->fd = -1;
    irqs->by_spi[gsi] = line;
    g_ptr_array_add(irqs->lines, line);
    return true;
}

bool gunyah_irqs_create(AccelGunyah *gh, GError **error)
{
    for (unsigned i = 0; i < gh->irqs.lines->len; i++) {
        GunyahLine *line = g_ptr_array_index(gh->irqs.lines, i);
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        if (fd < 0) {
            error_set_errno(error, errno, "cannot create the eventfd of SPI %u", line->spi);
            return false;
        }
        pthread_mutex_lock(&line->lock);
        line->fd = fd;
        pthread_mutex_unlock(&line->lock);
        if (!gunyah_irqfd_add(gh, line, error)) {
            return false;
        }
    }
    return true;
}

void gunyah_irqs_close(AccelGunyah *gh)
{
    __atomic_store_n(&gh->irqs.started, false, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < gh->irqs.lines->len; i++) {
        GunyahLine *line = g_ptr_array_index(gh->irqs.lines, i);

        pthread_mutex_lock(&line->lock);
        if (line->fd >= 0) {
            close(line->fd);
            line->fd = -1;
        }
        pthread_mutex_unlock(&line->lock);
    }
}

/* ---- levels ---- */

static void wake_if_resting(GunyahIrqs *irqs)
{
    if (__atomic_load_n(&irqs->resting, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&irqs->wake_lock);
        __atomic_store_n(&irqs->resting, false, __ATOMIC_SEQ_CST);
        pthread_cond_signal(&irqs->wake);
        pthread_mutex_unlock(&irqs->wake_lock);
    }
}

void gunyah_irq_set(Accel *accel, unsigned gsi, bool level)
{
    GunyahIrqs *irqs = &HUMPY_ACCEL_GUNYAH(accel)->irqs;
    GunyahLine *line = gsi <= GUNYAH_MAX_SPI ? irqs->by_spi[gsi] : NULL;
    bool high = false;

    if (line == NULL || __atomic_load_n(&line->level, __ATOMIC_RELAXED) == level) {
        return;
    }
    pthread_mutex_lock(&line->lock);
    if (line->level != level) {
        __atomic_store_n(&line->level, level, __ATOMIC_RELAXED);
        if (line->mode == ACCEL_IRQ_LEVEL) {
            __atomic_fetch_add(&irqs->n_high, level ? 1 : -1, __ATOMIC_SEQ_CST);
            high = level;
        }
        if (level) {
            __atomic_store_n(&line->accesses_at_rise,
                             __atomic_load_n(&irqs->accesses, __ATOMIC_SEQ_CST), __ATOMIC_RELAXED);
            __atomic_fetch_add(&line->rises, 1, __ATOMIC_RELEASE);
            /* Written before START, the eventfd would be dropped: gunyah_irqs_start() rings. */
            if (__atomic_load_n(&irqs->started, __ATOMIC_SEQ_CST)) {
                ring(line);
            } else {
                line->latched = true;
            }
        }
    }
    pthread_mutex_unlock(&line->lock);
    if (high) {
        wake_if_resting(irqs);
    }
}

void gunyah_irqs_note_access(AccelGunyah *gh)
{
    if (G_UNLIKELY(__atomic_load_n(&gh->irqs.n_high, __ATOMIC_RELAXED) != 0)) {
        __atomic_fetch_add(&gh->irqs.accesses, 1, __ATOMIC_SEQ_CST);
        wake_if_resting(&gh->irqs);
    }
}

/* ---- the thread ---- */

/* Looks at one line; *next is when to look again. */
static void recheck(GunyahIrqs *irqs, GunyahLine *line, int64_t now, int64_t *next)
{
    uint64_t accesses = __atomic_load_n(&irqs->accesses, __ATOMIC_SEQ_CST);
    uint64_t rises = __atomic_load_n(&line->rises, __ATOMIC_ACQUIRE);
    bool again = false;

    if (line->mode != ACCEL_IRQ_LEVEL || !__atomic_load_n(&line->level, __ATOMIC_RELAXED)) {
        return;
    }
    if (rises != line->seen_rises) {
        line->seen_rises = rises;
        line->seen_accesses = __atomic_load_n(&line->accesses_at_rise, __ATOMIC_RELAXED);
        line->touched = false;
        line->since = now;
        line->interval = gunyah_irq_idle_us;
        line->next_ring = now + line->interval;
    }
    if (accesses != line->seen_accesses && now - line->since < BUSY_TICKS * TICK_US) {
        line->seen_accesses = accesses;
        line->touched = true;
    } else if (accesses != line->seen_accesses || line->touched) {
        line->seen_accesses = accesses;
        line->touched = false;
        line->since = now;
        line->interval = gunyah_irq_idle_us;
        again = true;
    } else if (now >= line->next_ring) {
        line->interval = MIN(line->interval * 2, gunyah_irq_idle_us * IDLE_GROWTH);
        again = true;
    }
    if (again) {
        line->next_ring = now + line->interval;
        pthread_mutex_lock(&line->lock);
        if (line->level && line->rises == rises) {
            ring(line);
        }
        pthread_mutex_unlock(&line->lock);
    }
    *next = MIN(*next, line->touched ? now + TICK_US : line->next_ring);
}

static gpointer recheck_thread(gpointer data)
{
    GunyahIrqs *irqs = data;

    pthread_mutex_lock(&irqs->wake_lock);
    while (!irqs->quit) {
        int64_t now = g_get_monotonic_time();
        int64_t next = INT64_MAX;

        __atomic_store_n(&irqs->resting, true, __ATOMIC_SEQ_CST);
        pthread_mutex_unlock(&irqs->wake_lock);
        for (unsigned i = 0; i < irqs->lines->len; i++) {
            recheck(irqs, g_ptr_array_index(irqs->lines, i), now, &next);
        }
        pthread_mutex_lock(&irqs->wake_lock);
        /* resting was set before the lines were read: whoever raised one since has cleared it. */
        while (!irqs->quit && __atomic_load_n(&irqs->resting, __ATOMIC_SEQ_CST)) {
            if (next == INT64_MAX) {
                pthread_cond_wait(&irqs->wake, &irqs->wake_lock);
            } else if (!monocond_wait_until(&irqs->wake, &irqs->wake_lock, next)) {
                break;
            }
        }
        if (!irqs->quit && !__atomic_load_n(&irqs->resting, __ATOMIC_SEQ_CST)) {
            /* Woken by a rise or an access: give the handler its tick, and let what follows within
             * it come without waking anybody. */
            int64_t tick = g_get_monotonic_time() + TICK_US;

            while (!irqs->quit && monocond_wait_until(&irqs->wake, &irqs->wake_lock, tick)) {
            }
        }
    }
    pthread_mutex_unlock(&irqs->wake_lock);
    return NULL;
}

bool gunyah_irqs_start(AccelGunyah *gh, GError **error)
{
    GunyahIrqs *irqs = &gh->irqs;
    GError *cause = NULL;

    __atomic_store_n(&irqs->started, true, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < irqs->lines->len; i++) {
        GunyahLine *line = g_ptr_array_index(irqs->lines, i);

        pthread_mutex_lock(&line->lock);
        if (line->latched && (line->level || line->mode == ACCEL_IRQ_EDGE)) {
            ring(line);
        }
        line->latched = false;
        pthread_mutex_unlock(&line->lock);
    }
    irqs->quit = false;
    irqs->thread = g_thread_try_new("irq re-check", recheck_thread, irqs, &cause);
    if (irqs->thread == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "cannot create the thread that watches level lines: %s", cause->message);
        g_error_free(cause);
        return false;
    }
    return true;
}

void gunyah_irqs_stop(AccelGunyah *gh)
{
    GunyahIrqs *irqs = &gh->irqs;

    if (irqs->thread == NULL) {
        return;
    }
    pthread_mutex_lock(&irqs->wake_lock);
    irqs->quit = true;
    pthread_cond_signal(&irqs->wake);
    pthread_mutex_unlock(&irqs->wake_lock);
    g_clear_pointer(&irqs->thread, g_thread_join);
}

/* ---- life ---- */

static void free_line(gpointer data)
{
    GunyahLine *line = data;

    pthread_mutex_destroy(&line->lock);
    g_free(line);
}

void gunyah_irqs_init(AccelGunyah *gh)
{
    gh->irqs.lines = g_ptr_array_new_with_free_func(free_line);
    pthread_mutex_init(&gh->irqs.wake_lock, NULL);
    monocond_init(&gh->irqs.wake);
}

void gunyah_irqs_clear(AccelGunyah *gh)
{
    g_ptr_array_unref(gh->irqs.lines);
    pthread_mutex_destroy(&gh->irqs.wake_lock);
    pthread_cond_destroy(&gh->irqs.wake);
}
