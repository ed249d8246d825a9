/* SPDX-License-Identifier: GPL-2.0-or-later
 * The interpreter's instruction classes, and the look-up by an instruction's upper 11 bits.
 */
#pragma once

#include <stdint.h>

typedef enum {
    OP_UNKNOWN,
    OP_ADR,
    OP_ADD_IMM,
    OP_LOGIC_IMM,
    OP_MOVE_WIDE,
    OP_BITFIELD,
    OP_EXTRACT,
    OP_B,
    OP_B_COND,
    OP_CBZ,
    OP_TBZ,
    OP_BR,
    OP_SYSTEM,
    OP_EXCEPTION,
    OP_LOGIC_REG,
    OP_ADD_SHIFTED,
    OP_ADD_EXTENDED,
    OP_ADD_CARRY,
    OP_COND_COMPARE,
    OP_COND_SELECT,
    OP_2SOURCE,
    OP_1SOURCE,
    OP_3SOURCE,
    OP_EXCLUSIVE,
    OP_LOAD_LITERAL,
    OP_PAIR,
    OP_LDST_UNSIGNED,
    OP_LDR_X, /* the commonest of those, apart */
    OP_LDR_W,
    OP_LDRB,
    OP_STR_X,
    OP_STR_W,
    OP_STRB,
    OP_LDST_OTHER,
} DecodeOp;

extern __attribute__((visibility("hidden"))) uint8_t decode_table[2048];

/* Fills decode_table; harmless to repeat, not to race. */
void decode_init(void);

static inline DecodeOp decode(uint32_t insn)
{
    return (DecodeOp)decode_table[insn >> 21];
}
