/* SPDX-License-Identifier: GPL-2.0-or-later
 * The human monitor on a chardev: alone (-monitor, -mon mode=readline), or behind Ctrl-A c on a
 * mux.
 *
 * Threads: [main] only.
 */
#pragma once

#include "chardev/chardev.h"

typedef struct HmpMonitor HmpMonitor;

HmpMonitor *hmp_monitor_new(Chardev *chr, GError **error); /* NULL: chr is in use */
void hmp_monitor_free(HmpMonitor *mon);
/* Line n of the history of whoever's line runs, or NULL. */
const char *hmp_monitor_history(unsigned n);
/* Lines run from now on (or are kept). */
void hmp_monitor_set_ready(HmpMonitor *mon, bool ready);
