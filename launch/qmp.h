/* SPDX-License-Identifier: GPL-2.0-or-later
 * A client of a VM's QMP socket: one command after the other, each with a deadline.
 */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

typedef struct Qmp Qmp;

/* HOST: it does not answer within timeout_ms. */
Qmp *qmp_open(const char *path, int timeout_ms, GError **error);
void qmp_close(Qmp *qmp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qmp, qmp_close)
/* What the command returns; events that come meanwhile are dropped. */
JsonNode *qmp_run(Qmp *qmp, const char *command, GError **error);
