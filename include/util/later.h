/* SPDX-License-Identifier: GPL-2.0-or-later
 * Leaving work to the thread that runs a main context. As g_idle_add_full(), but in an order that
 * the thread sanitizer sees, which GLib's own locks are not.
 */
#pragma once

#include <glib.h>

/* Calls fn(data), then destroy(data) (optional), once, in the thread that runs context (NULL: the
 * default one); what the caller has written is seen there. In the order of the calls, at default
 * priority. A context that ends first calls destroy only. [any] */
void later(GMainContext *context, void (*fn)(void *data), void *data, GDestroyNotify destroy);
