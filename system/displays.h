/* SPDX-License-Identifier: GPL-2.0-or-later
 * -vnc and -display: what shows the machine's consoles. Kept over a reset of the VM.
 */
#pragma once

#include "config.h"
#include "display/vnc.h"

/* FALSE: *error starts with the option. [main] */
bool displays_open(const VmConfig *config, GError **error);
void displays_close(void);
VncServer *displays_vnc(void); /* or NULL; borrowed */
