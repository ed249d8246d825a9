/* SPDX-License-Identifier: GPL-2.0-or-later
 * What dynarmic is given to translate in place of an instruction. See rewrite.c.
 */
#pragma once

#include "a64.h"

#ifdef __cplusplus
extern "C" {
#endif

/* MRS x0, S3_0_C15_C0_7: dynarmic does not know it and calls InterpreterFallback. */
#define REWRITE_TRAP UINT32_C(0xd538f0e0)
/* Stands for an instruction that may unmask interrupts: ends the block with a callback. */
#define REWRITE_UNMASK UINT32_C(0xd50320bf) /* SEVL */
/* Stand for MSR DAIFSet, #2 and #3: callbacks within a block. */
#define REWRITE_MASK_I  UINT32_C(0xd508765f) /* DC ISW, XZR */
#define REWRITE_MASK_IF UINT32_C(0xd5087e5f) /* DC CISW, XZR */

uint32_t rewrite_insn(const A64Vcpu *v, A64Mode mode, uint32_t insn);
/* Whether dynarmic's block ends with insn; a guess that need not be right. */
bool rewrite_ends_block(uint32_t insn);

#ifdef __cplusplus
}
#endif
