/* SPDX-License-Identifier: GPL-2.0-or-later
 * See hw/core/run-watch.h.
 */
#include "hw/core/run-watch.h"

#include <glib.h>

struct RunWatch {
    void (*fn)(void *opaque);
    void *opaque;
};

static GList *watches;
static void (*io_error_handler)(void);

void run_stop_for_io_error(void)
{
    if (io_error_handler != NULL) {
        io_error_handler();
    }
}

void run_set_io_error_handler(void (*fn)(void))
{
    io_error_handler = fn;
}

RunWatch *run_watch_new(void (*fn)(void *opaque), void *opaque)
{
    RunWatch *watch = g_new(RunWatch, 1);

    *watch = (RunWatch){ fn, opaque };
    watches = g_list_append(watches, watch);
    return watch;
}

void run_watch_free(RunWatch *watch)
{
    watches = g_list_remove(watches, watch);
    g_free(watch);
}

void run_watch_resumed(void)
{
    for (GList *at = watches; at != NULL; at = at->next) {
        RunWatch *watch = at->data;

        watch->fn(watch->opaque);
    }
}
