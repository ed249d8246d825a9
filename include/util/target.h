/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which guests this program runs: one library, one program for each architecture. What is offered
 * only to some (machines, accelerators) carries a mask of these; 0 means all.
 */
#pragma once

#include <stdbool.h>

typedef enum {
    TARGET_AARCH64 = 1 << 0,
    TARGET_X86_64 = 1 << 1,
} Target;

/* Before anything else in main(); without it the target is aarch64. [main] */
void target_set(Target target);
Target target_current(void);
/* "aarch64" or "x86_64": QEMU's word for it, as in query-target. */
const char *target_name(void);
/* What the program is called, if not after its target. Borrowed for ever. [main] */
void target_set_program(const char *name);
/* "humpy-system-aarch64": what messages and help call the program. */
const char *target_program(void);
/* mask names the current target, or all. */
bool target_offers(unsigned mask);
