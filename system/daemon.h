/* SPDX-License-Identifier: GPL-2.0-or-later
 * -daemonize and -pidfile: running without a terminal, and saying which process does.
 *
 * Threads: [main], daemon_fork() before there is another one.
 */
#pragma once

#include <stdbool.h>

#include "config.h"

/* With -daemonize: returns in a process of its own; the caller's waits for daemon_ready() or the
 * end and exits with its status. FALSE: HOST error. */
bool daemon_fork(const VmConfig *config, GError **error);
/* With -pidfile: writes the process's number to the file, which stays locked. FALSE: HOST error, or
 * another process has it. */
bool daemon_write_pidfile(const VmConfig *config, GError **error);
/* The machine is there: the terminal and whoever waited are let go. */
void daemon_ready(void);
/* Removes the file. Idempotent. */
void daemon_finish(void);
