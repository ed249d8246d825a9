/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a type of export is to the list of exports (export.c).
 */
#pragma once

#include "export/export.h"

typedef struct {
    const char *name;    /* type= */
    const char *summary; /* one line for help */
    const char *const *keys;
    /* The export's own data, or NULL. id is checked. */
    void *(*open)(const char *id, KeyVal *kv, GError **error);
    /* FALSE: in use, and nobody wants it to end anyway. */
    bool (*may_close)(void *export, GError **error);
    /* detach: from its driver first. */
    void (*close)(void *export, bool detach);
    void (*describe)(void *export, ExportDescription *d);
} ExportType;

extern const ExportType vduse_blk_export, vduse_net_export;

bool export_default_attach(void);
/* An export has ended by itself and may be closed. [main] */
void export_lost(void *export, const char *why);
