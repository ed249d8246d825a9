/* SPDX-License-Identifier: GPL-2.0-or-later
 * How long a start that was refused is tried again. An android14 driver takes a VM down behind
 * close()'s back: until it is done START, CREATE_VM and the pinning of memory can fail for want of
 * what the earlier VM holds. A program that had that VM itself knows that it will go, and waits
 * for it by the clock; one that has just been started tries a few times only, for then a refusal
 * may as well be for good.
 */
#define G_LOG_DOMAIN "humpy-gunyah"

#include <errno.h>

#include "gunyah-priv.h"

enum {
    FIRST_PAUSE_MS = 20,
    LAST_PAUSE_MS = 1000,
    AUTO_RETRIES = 3, /* then a refusal of shared memory is taken to be about that */
    TELL_FIRST_US = 2 * G_USEC_PER_SEC,
    TELL_AGAIN_US = 10 * G_USEC_PER_SEC,
};

static bool settled, settled_lending; /* [main] of the VM that this program started last */

void gunyah_settle(AccelGunyah *gh)
{
    settled = true;
    settled_lending = gh->lending;
}

bool gunyah_has_settled(AccelGunyah *gh, bool *lending)
{
    *lending = settled_lending;
    return settled && accel_is_relaunch(HUMPY_ACCEL(gh));
}

/* v17 has moved the RAM into its files by now, and takes VMs down inside close(). */
void gunyah_patience_init(GunyahPatience *p, AccelGunyah *gh)
{
    bool lending;
    bool undecided =
        gh->protect == ACCEL_PROTECT_AUTO && !gh->lending && !gunyah_has_settled(gh, &lending);

    *p = (GunyahPatience){ .retries = gh->start_retries, .began = g_get_monotonic_time() };
    p->told = p->began + TELL_FIRST_US;
    p->relaunch = accel_is_relaunch(HUMPY_ACCEL(gh)) && !undecided && gh->features.late_teardown;
    if (undecided) {
        p->retries = MIN(p->retries, AUTO_RETRIES);
    }
    if (gunyah_memory_moves(gh)) {
        p->retries = 0;
    }
}

bool gunyah_patience_has_hope(const GunyahPatience *p, GunyahStep step, int cause)
{
    switch (cause) {
    case EBUSY:
        return step == GUNYAH_STEP_CREATE || step == GUNYAH_STEP_START;
    case ENODEV:
        return step == GUNYAH_STEP_START;
    case ENOMEM: /* what the earlier VM has pinned is still counted */
        return p->relaunch && step != GUNYAH_STEP_OTHER;
    }
    return false;
}

bool gunyah_patience_wait(GunyahPatience *p, const AccelGunyah *gh, const char *cause)
{
    gint64 now = g_get_monotonic_time();
    gint64 limit = p->began + gh->relaunch_timeout * (gint64)G_USEC_PER_SEC;
    unsigned pause = MIN(FIRST_PAUSE_MS << MIN(p->attempt, 10), LAST_PAUSE_MS);

    if (p->relaunch ? now >= limit : p->attempt >= p->retries) {
        return false;
    }
    if (now >= p->told) {
        p->told = now + TELL_AGAIN_US;
        g_message("the VM before is still being taken down, for %d s now: %s",
                  (int)((now - p->began) / G_USEC_PER_SEC), cause);
    }
    p->attempt++;
    return accel_wait(pause);
}
