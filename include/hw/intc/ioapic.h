/* SPDX-License-Identifier: GPL-2.0-or-later
 * I/O APIC: up to IOAPIC_MAX_PINS interrupt lines (unnamed inputs), each with a redirection entry,
 * become messages to local APICs. One region of IOAPIC_SIZE bytes.
 */
#pragma once

#include "hw/core/device.h"

enum { IOAPIC_SIZE = 0x1000, IOAPIC_MAX_PINS = 48 };

#define TYPE_IOAPIC ioapic_get_type()
G_DECLARE_FINAL_TYPE(Ioapic, ioapic, HUMPY, IOAPIC, Device)

/* Where messages are written to (0xfee00000 on), borrowed. Before realize. */
void ioapic_set_memory(Ioapic *s, AddressSpace *memory);
/* A local APIC has ended a level-triggered interrupt of this vector. [any] */
void ioapic_end_of_interrupt(Ioapic *s, uint8_t vector);
