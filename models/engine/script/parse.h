/* SPDX-License-Identifier: GPL-2.0-or-later
 * A parsed script: per vCPU an array of steps.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { SCRIPT_MAX_VCPUS = 8 };

typedef enum {
    STEP_WRITE,
    STEP_READ,
    STEP_WFI,
    STEP_SPIN,
    STEP_ON,
    STEP_OFF,
    STEP_RESET,
    STEP_RESET2,
    STEP_ERROR,
    STEP_LOOP,
} StepKind;

typedef struct {
    StepKind kind;
    uint8_t len;
    bool port;
    uint64_t addr; /* STEP_ON: the vCPU */
    uint64_t data;
} Step;

typedef struct {
    GArray *steps[SCRIPT_MAX_VCPUS]; /* of Step */
} Script;

/* NULL with *error (SYNTAX). text may be NULL. */
Script *script_parse(const char *text, GError **error);
void script_free(Script *script);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Script, script_free)
