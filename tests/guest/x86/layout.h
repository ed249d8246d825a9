/* SPDX-License-Identifier: GPL-2.0-or-later
 * Numbers that start.S and the C part of the x86 payload share.
 */
#pragma once

#define MAX_CPUS   8
#define STACK_SIZE 16384
#define TRAMPOLINE 0x60000
#define SEL_CODE32 0x08
#define SEL_DATA   0x10
#define SEL_CODE64 0x18
/* A word in low memory that survives a reset and that no loader writes to. */
#define SURVIVOR 0x50000
