/* SPDX-License-Identifier: GPL-2.0-or-later
 * Between tables.c, which has the tables of fixed layout, and dsdt.c.
 */
#pragma once

#include "hw/acpi/aml.h"
#include "hw/acpi/tables.h"

/* The definitions of the DSDT, without its header. */
GBytes *acpi_dsdt_build(const AcpiBoard *board, size_t max, GError **error);
