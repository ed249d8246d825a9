/* SPDX-License-Identifier: GPL-2.0-or-later
 * Devices for bare-metal test programs. "pc-testdev" is a scratch pad in both of a PC's address
 * spaces and a way to drive any interrupt line; "edu" (a PCI function) raises interrupts and does
 * DMA on request.
 */
#pragma once

#include "hw/core/device.h"

enum {
    PC_TESTDEV_N_LINES = 24, /* output wires */

    /* regions, and where a PC has them */
    PC_TESTDEV_SCRATCH = 0,
    PC_TESTDEV_SCRATCH_PORT = 0xe0,
    PC_TESTDEV_LINES = 1, /* a byte for each: its level */
    PC_TESTDEV_LINES_PORT = 0x2000,
    PC_TESTDEV_MEMORY = 2,
};
#define PC_TESTDEV_MEMORY_ADDR UINT64_C(0xff000000)

#define TYPE_PC_TESTDEV pc_testdev_get_type()
G_DECLARE_FINAL_TYPE(PcTestdev, pc_testdev, HUMPY, PC_TESTDEV, Device)

GType edu_get_type(void);
