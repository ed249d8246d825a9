/* SPDX-License-Identifier: GPL-2.0-or-later
 * -fw_cfg: files for the guest's firmware.
 */
#pragma once

#include "config.h"
#include "hw/core/machine.h"

/* Adds what every -fw_cfg says to machine, which is initialised and has not booted. */
bool fw_cfg_options_apply(const VmConfig *config, Machine *machine, GError **error);
