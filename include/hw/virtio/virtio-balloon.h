/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the monitor asks of the machine's balloon device, of which there is at most one.
 *
 * Threads: [main] only.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* TRUE: there is one. */
bool balloon_is_active(void);
/* Asks the guest to make do with bytes, at most what the machine has. balloon_is_active(). */
void balloon_set_target(uint64_t bytes);
/* What the guest has now: the machine's memory without what is in the balloon. */
uint64_t balloon_actual(void);
