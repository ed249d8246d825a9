/* SPDX-License-Identifier: GPL-2.0-or-later
 * The pair of 8259A interrupt controllers of a PC. Unnamed inputs 0 to 15 (2 is where the second
 * hangs); regions of two ports each: I8259_MASTER (0x20), I8259_SLAVE (0xa0), I8259_ELCR (0x4d0);
 * one output wire, INTR.
 */
#pragma once

#include "hw/core/device.h"

enum { I8259_MASTER, I8259_SLAVE, I8259_ELCR, I8259_N_INPUTS = 16 };

#define TYPE_I8259 i8259_get_type()
G_DECLARE_FINAL_TYPE(I8259, i8259, HUMPY, I8259, Device)

/* The CPU's answer to INTR: takes the interrupt of the highest priority and gives its vector, or
 * that of a spurious one. [any] */
uint8_t i8259_acknowledge(I8259 *s);
