/* SPDX-License-Identifier: GPL-2.0-or-later
 * Builds the interpreter's decode table from the encoding groups (DDI 0487, C4.1). What the upper
 * 11 bits cannot tell is checked where the instruction is executed.
 */
#include "decode.h"

static const struct {
    uint32_t mask, value;
    DecodeOp op;
} groups[] = {
    { 0x1f000000, 0x10000000, OP_ADR },         { 0x1f800000, 0x11000000, OP_ADD_IMM },
    { 0x1f800000, 0x12000000, OP_LOGIC_IMM },   { 0x1f800000, 0x12800000, OP_MOVE_WIDE },
    { 0x1f800000, 0x13000000, OP_BITFIELD },    { 0x7fa00000, 0x13800000, OP_EXTRACT },
    { 0x7c000000, 0x14000000, OP_B },           { 0xff000000, 0x54000000, OP_B_COND },
    { 0x7e000000, 0x34000000, OP_CBZ },         { 0x7e000000, 0x36000000, OP_TBZ },
    { 0xfe000000, 0xd6000000, OP_BR },          { 0xffc00000, 0xd5000000, OP_SYSTEM },
    { 0xff000000, 0xd4000000, OP_EXCEPTION },   { 0x1f000000, 0x0a000000, OP_LOGIC_REG },
    { 0x1f200000, 0x0b000000, OP_ADD_SHIFTED }, { 0x1fe00000, 0x0b200000, OP_ADD_EXTENDED },
    { 0x1fe00000, 0x1a000000, OP_ADD_CARRY },   { 0x3fe00000, 0x3a400000, OP_COND_COMPARE },
    { 0x3fe00000, 0x1a800000, OP_COND_SELECT }, { 0x7fe00000, 0x1ac00000, OP_2SOURCE },
    { 0x7fe00000, 0x5ac00000, OP_1SOURCE },     { 0x7f000000, 0x1b000000, OP_3SOURCE },
    { 0x3f000000, 0x08000000, OP_EXCLUSIVE },   { 0x3f000000, 0x18000000, OP_LOAD_LITERAL },
    { 0x3e000000, 0x28000000, OP_PAIR },        { 0xffc00000, 0xf9400000, OP_LDR_X },
    { 0xffc00000, 0xb9400000, OP_LDR_W },       { 0xffc00000, 0x39400000, OP_LDRB },
    { 0xffc00000, 0xf9000000, OP_STR_X },       { 0xffc00000, 0xb9000000, OP_STR_W },
    { 0xffc00000, 0x39000000, OP_STRB },        { 0x3f000000, 0x39000000, OP_LDST_UNSIGNED },
    { 0x3f000000, 0x38000000, OP_LDST_OTHER },
};

uint8_t decode_table[2048];

void decode_init(void)
{
    for (uint32_t i = 0; i < 2048; i++) {
        for (unsigned g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
            if ((i << 21 & groups[g].mask) == groups[g].value) {
                decode_table[i] = (uint8_t)groups[g].op;
                break;
            }
        }
    }
}
