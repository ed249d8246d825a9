/* SPDX-License-Identifier: GPL-2.0-or-later
 * The one error domain. A message is one line: option or address, value given, rule or host
 * cause; no full stop, no newline, no function name. Lower layers state the fact, the option
 * layer prefixes once (g_prefix_error), only main prints.
 */
#pragma once

#include <glib.h>

#define HUMPY_ERROR humpy_error_quark()

typedef enum {
    HUMPY_ERROR_SYNTAX,      /* cannot be parsed */
    HUMPY_ERROR_UNKNOWN,     /* no such option, property, type, id */
    HUMPY_ERROR_MISSING,     /* something required was not given */
    HUMPY_ERROR_RANGE,       /* value outside what is allowed */
    HUMPY_ERROR_CONFLICT,    /* clashes with something given or existing */
    HUMPY_ERROR_UNSUPPORTED, /* the accelerator, machine or kernel cannot do this */
    HUMPY_ERROR_HOST,        /* the host refused: file, system call */
    HUMPY_ERROR_HYPERVISOR,  /* the hypervisor refused to build or start the VM */
    /* The classes that QMP clients tell apart; every other code is a GenericError there. */
    HUMPY_ERROR_COMMAND_NOT_FOUND,
    HUMPY_ERROR_DEVICE_NOT_FOUND,  /* no device or back end of that id */
    HUMPY_ERROR_DEVICE_NOT_ACTIVE, /* there is none that could do it */
} HumpyError;

GQuark humpy_error_quark(void);

/* Sets *error to HUMPY_ERROR_HOST with "<formatted text>: <text of errno value err>". */
void error_set_errno(GError **error, int err, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* The entry of names (NULL-terminated) nearest in spelling to word, or NULL if none is near.
 * Borrowed from names. [any thread] */
const char *error_nearest(const char *word, const char *const *names);

/* Sets *error to HUMPY_ERROR_UNKNOWN: "<what> '<word>' is not known (did you mean '<nearest>'?)";
 * where nothing is near, all valid names are listed instead. */
void error_set_unknown(GError **error, const char *what, const char *word,
                       const char *const *names);
