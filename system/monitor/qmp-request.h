/* SPDX-License-Identifier: GPL-2.0-or-later
 * One message of a QMP client, from JSON to what is to be run, and the messages sent back. Knows
 * nothing of connections and threads.
 */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "qapi/qapi.h"

typedef struct {
    JsonNode *id;     /* or NULL */
    char *name;       /* of the command; NULL with error */
    JsonObject *args; /* never NULL without error */
    bool oob;         /* exec-oob */
    GError *error;    /* why it is no request, or NULL */
} QmpRequest;

/* Either message or error (both taken) is not NULL. Never fails: see error. */
QmpRequest *qmp_request_new(JsonNode *message, GError *error);
void qmp_request_free(QmpRequest *request); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpRequest, qmp_request_free)

typedef struct {
    bool negotiated; /* qmp_capabilities has been */
    bool oob;        /* exec-oob was enabled */
    bool preconfig;  /* there is no machine yet */
} QmpRules;

/* The command if the request may be run now; else NULL with *error. */
const QmpCommand *qmp_request_check(const QmpRequest *request, const QmpRules *rules,
                                    GError **error);
/* Runs it. Returns the reply. */
JsonNode *qmp_request_run(const QmpRequest *request, const QmpRules *rules);

/* Reply that carries error. */
JsonNode *qmp_error_reply(const QmpRequest *request, const GError *error);
JsonNode *qmp_greeting(bool oob);
/* data borrowed, may be NULL. us: wall-clock time in microseconds. */
JsonNode *qmp_event(const char *name, JsonObject *data, gint64 us);
/* One line, or several with pretty, ending in CR LF as QEMU's do. */
char *qmp_text(JsonNode *message, bool pretty, size_t *len);

/* The "return" of query-version. */
JsonNode *qmp_version(void);
