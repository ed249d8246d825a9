/* SPDX-License-Identifier: GPL-2.0-or-later
 * Exports: virtio devices that are offered to the host's own kernel (VDUSE) instead of to a guest.
 * What -export, humpy-export and the monitor's block-export-* call.
 *
 * Threads: [main] only.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "util/keyval.h"

/* "type", "id" and what belongs to the type. FALSE: *error starts with the property. */
bool export_add(KeyVal *kv, GError **error);

typedef enum { EXPORT_DEL_SAFE, EXPORT_DEL_HARD } ExportDelMode;
/* SAFE: CONFLICT while a driver is attached. HARD: the driver is detached first. UNKNOWN: there is
 * none. */
bool export_del(const char *id, ExportDelMode mode, GError **error);

typedef struct {
    const char *id, *type;
    const char *node; /* node name or netdev */
    bool attached;    /* a driver uses it */
} ExportDescription;
void export_foreach(void (*fn)(const ExportDescription *d, void *opaque), void *opaque);

/* Ends all; devices that a driver is attached to stay in the kernel, for another process to serve.
 * More than once is fine. */
void exports_close(void);

/* What attach= is where it is not said; off until set. */
void export_set_default_attach(bool attach);
/* Called in the main thread when an export ended that nobody deleted; it is gone then. */
void export_set_lost_handler(void (*fn)(const char *id, const char *why));

char *export_help(void); /* one line for each type */
