/* SPDX-License-Identifier: GPL-2.0-or-later
 * ACPI fixed hardware of a PC: PM1 event and control block, PM timer, power button, reset register
 * (ACPI 6.4, sections 4.8.2, 4.8.3 and 4.8.3.6). One region of ACPI_PM_SIZE bytes of ports; one
 * output wire, the SCI (level).
 */
#pragma once

#include "hw/core/device.h"

enum {
    ACPI_PM1_EVENT = 0x00, /* 4 bytes: status, enable */
    ACPI_PM1_CONTROL = 0x04,
    ACPI_PM_TIMER = 0x08, /* 32 bits at 3.579545 MHz */
    ACPI_PM_RESET = 0x0c, /* a byte: ACPI_PM_RESET_VALUE resets the machine */
    ACPI_PM_SIZE = 0x10,

    ACPI_PM_RESET_VALUE = 0x06,
    ACPI_PM_S5 = 5, /* SLP_TYP of soft off; there is no other sleeping state */
};

#define TYPE_ACPI_PM acpi_pm_get_type()
G_DECLARE_FINAL_TYPE(AcpiPm, acpi_pm, HUMPY, ACPI_PM, Device)

/* Presses the power button. [any] */
void acpi_pm_power_button(AcpiPm *s);
