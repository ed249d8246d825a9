/* SPDX-License-Identifier: GPL-2.0-or-later
 * Ports for test programs in a guest: "isa-debug-exit" ends the virtual machine with an exit
 * status, "isa-debugcon" writes bytes to a character back end. One region each, for the port in
 * property iobase.
 */
#pragma once

#include "hw/core/device.h"

#define TYPE_DEBUG_EXIT debug_exit_get_type()
G_DECLARE_FINAL_TYPE(DebugExit, debug_exit, HUMPY, DEBUG_EXIT, Device)

#define TYPE_DEBUGCON debugcon_get_type()
G_DECLARE_FINAL_TYPE(Debugcon, debugcon, HUMPY, DEBUGCON, Device)
