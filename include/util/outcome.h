/* SPDX-License-Identifier: GPL-2.0-or-later
 * How a VM can end, and the exit status that says so. One table: the programs, their manual pages
 * and the docs test take it from here. The numbers from 32 on that crosvm has, too, mean the same.
 */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

typedef enum {
    OUTCOME_POWEROFF,
    OUTCOME_ERROR,
    OUTCOME_USAGE,
    OUTCOME_RESET,
    OUTCOME_CRASH,
    OUTCOME_PANIC,
    OUTCOME_WATCHDOG,
    OUTCOME_LOAD,
    OUTCOME_HYPERVISOR,
    OUTCOME_STOPPED,
    N_OUTCOMES,
} Outcome;

typedef struct {
    const char *name;
    int plain;    /* exit status as QEMU has it */
    int detailed; /* exit status with -exit-status detailed */
    const char *meaning;
} OutcomeRow;

/* Borrowed. */
const OutcomeRow *outcome_row(Outcome outcome);
/* Adds the member "exit-status", an array of the rows. */
void outcome_dump(JsonBuilder *b);
