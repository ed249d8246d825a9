/* SPDX-License-Identifier: GPL-2.0-or-later
 * A frame buffer in guest memory ("ramfb"): the guest's firmware says where in the fw_cfg file
 * etc/ramfb. No registers, no interrupt.
 */
#pragma once

#include "hw/nvram/fw-cfg.h"

#define TYPE_RAMFB ramfb_get_type()
G_DECLARE_FINAL_TYPE(Ramfb, ramfb, HUMPY, RAMFB, Device)

/* Gives a realized ramfb its file and the memory that frame buffers are in; both borrowed until it
 * is unrealized. FALSE: there already is one (CONFLICT). [main] */
bool ramfb_connect(Ramfb *ramfb, FwCfg *fw_cfg, AddressSpace *memory, GError **error);
