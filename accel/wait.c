/* SPDX-License-Identifier: GPL-2.0-or-later
 * Waiting for a hypervisor that takes its time, in the thread that builds the machine: the main
 * context is served meanwhile, so that a signal to the program is heard and can end the wait.
 */
#include "accel-priv.h"
#include "accel/accel.h"

static gint cancelled;

void accel_cancel_wait(void)
{
    g_atomic_int_set(&cancelled, 1);
    g_main_context_wakeup(NULL);
}

static gboolean is_over(gpointer done)
{
    *(bool *)done = true;
    return G_SOURCE_REMOVE;
}

bool accel_wait(unsigned ms)
{
    bool done = false;
    guint timer = g_timeout_add(ms, is_over, &done);

    while (!done && !g_atomic_int_get(&cancelled)) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (!done) {
        g_source_remove(timer);
    }
    return done;
}
