/* SPDX-License-Identifier: GPL-2.0-or-later
 * What becomes of a machine whose guest reports a panic (-action panic=).
 */
#pragma once

#include "config.h"

/* From now on reports are heard. config is borrowed. [main, before the guest runs] */
void panic_start(const VmConfig *config);
