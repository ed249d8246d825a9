/* SPDX-License-Identifier: GPL-2.0-or-later
 * Mappings that may lose pages at any time: whoever owns the memory behind them can make it
 * shorter, and an access to what is gone is a SIGBUS, which would end the process with all its
 * exports. In a guarded mapping a page of zeroes takes the place instead, and the owner is woken.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes note of a mapping. torn is set (atomically) and wake_fd, an eventfd, is signalled when a
 * page of it was replaced. FALSE: there are too many. [any] */
bool bus_guard_add(const void *map, size_t len, gint *torn, int wake_fd);
/* Before the mapping goes. [any] */
void bus_guard_remove(const void *map);
