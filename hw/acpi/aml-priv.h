/* SPDX-License-Identifier: GPL-2.0-or-later
 * Shared by the writer's two files.
 */
#pragma once

#include "hw/acpi/aml.h"

/* The low size bytes of value, little endian. */
void aml_put(Aml *aml, uint64_t value, unsigned size);
/* Closes a resource template. */
void aml_res_end(Aml *aml);
