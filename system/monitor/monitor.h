/* SPDX-License-Identifier: GPL-2.0-or-later
 * The monitors of the command line (-mon, -qmp, -qmp-pretty, -monitor): opened before the machine
 * is made and kept over its resets. A control monitor (QMP) reads, parses and answers out-of-band
 * commands in a thread that all of them share; commands run in the main thread, one at a time for
 * each monitor.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "chardev/chardev.h"
#include "config.h"
#include "vm.h"

/* Opens chardevs and attaches to them, and to serial ports of "mon:": greetings are sent, commands
 * are kept until the phase allows them. [main] */
bool monitors_open(const VmConfig *config, const Serials *serials, GError **error);
/* Sends what it can of what is to be sent, and closes. Idempotent. [main] */
void monitors_close(void);

typedef enum {
    MONITOR_WAIT,      /* commands are kept: a machine is being made or taken down */
    MONITOR_PRECONFIG, /* commands allowed by the schema run, others are refused */
    MONITOR_READY,
} MonitorPhase;

void monitors_set_phase(MonitorPhase phase); /* [main] */
MonitorPhase monitors_phase(void);           /* [any] */

/* ---- for handlers of commands ---- */
/* The oldest descriptor that the client of the command being run has sent, the caller's, or -1.
 * [main] */
int monitor_take_fd(void);
/* getfd: keeps fd (taken) for the client under name, in place of an earlier one. [main] */
void monitor_name_fd(const char *name, int fd);
/* closefd: FALSE if there is none. */
bool monitor_close_fd(const char *name);
/* The descriptor of that name, now the caller's, or -1: MISSING. */
int monitor_take_named_fd(const char *name, GError **error);
