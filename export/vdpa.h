/* SPDX-License-Identifier: GPL-2.0-or-later
 * Attaching a VDUSE device to the vDPA bus and taking it off again, as `vdpa dev add` and `vdpa dev
 * del` do. The kernel's messages to the device have to be answered meanwhile: in another thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Returns when the driver, if one is there, has done what it does at first (reading partitions).
 * FALSE: HOST error. It is attached already: TRUE. */
bool vdpa_attach(const char *name, GError **error);
/* It is not attached: TRUE. */
bool vdpa_detach(const char *name, GError **error);
