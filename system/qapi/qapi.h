/* SPDX-License-Identifier: GPL-2.0-or-later
 * What gen.py makes of the schema (*.json in this folder): commands with their handlers and the
 * types of their arguments, events, and the text that query-qmp-schema tells. check.c reads it.
 */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
    QAPI_STR,
    QAPI_INT, /* min..max */
    QAPI_NUMBER,
    QAPI_BOOL,
    QAPI_NULL,
    QAPI_ANY,
    QAPI_ENUM,
    QAPI_ARRAY,
    QAPI_STRUCT,
    QAPI_ALTERNATE,
} QapiKind;

typedef struct QapiType QapiType;

typedef struct {
    const char *name; /* of an alternate's choice: only for messages */
    const QapiType *type;
    bool optional;
    bool has_range; /* min..max replace those of the type */
    int64_t min, max;
} QapiMember;

typedef struct {
    const char *value;
    const QapiType *type;
} QapiVariant;

struct QapiType {
    QapiKind kind;
    const char *name;
    int64_t min, max;          /* INT */
    const char *const *values; /* ENUM, NULL-terminated */
    const QapiType *element;   /* ARRAY */
    const QapiMember *members; /* STRUCT, its base's included, and ALTERNATE */
    unsigned n_members;
    bool open;                   /* STRUCT: members unknown here are the handler's to check */
    const char *tag;             /* STRUCT with variants: the member that chooses one */
    const QapiVariant *variants; /* values that are not here have no members of their own */
    unsigned n_variants;
};

enum {
    QMP_ALLOW_OOB = 1 << 0,       /* may be run with exec-oob, in the monitor's thread */
    QMP_ALLOW_PRECONFIG = 1 << 1, /* may be run before the machine is made */
    QMP_ANY_THREAD = 1 << 2,      /* reads only what every thread may read */
};

/* args have been checked. Returns the value of "return" (taken), or NULL without *error for {}.
 * [main], with exec-oob or QMP_ANY_THREAD in any thread. */
typedef JsonNode *(*QmpHandler)(JsonObject *args, GError **error);

typedef struct {
    const char *name;
    QmpHandler handler;
    const QapiType *args;
    unsigned flags;
} QmpCommand;

typedef struct {
    const char *name;
    unsigned rate_ms;     /* at most one in that time, the last one wins; 0: all */
    const char *rate_key; /* counted for each value of this member on its own; NULL: together */
} QmpEvent;

/* Sorted by name. */
extern const QmpCommand qmp_commands[];
extern const unsigned qmp_n_commands;
extern const QmpEvent qmp_events[];
extern const unsigned qmp_n_events;
extern const char qmp_schema_text[];

const QmpCommand *qmp_command_find(const char *name); /* or NULL */
const QmpEvent *qmp_event_find(const char *name);     /* or NULL */

/* FALSE: *error (SYNTAX, MISSING, UNKNOWN, RANGE) says which member of what is wrong. */
bool qapi_check_args(const QmpCommand *command, JsonObject *args, GError **error);
