/* SPDX-License-Identifier: GPL-2.0-or-later
 * -export: what is offered to the host's kernel, opened once and kept over resets of the machine.
 */
#pragma once

#include "config.h"

/* Opens all, after what they stand on. FALSE: *error starts with the option. Undone by
 * exports_close(), before the drives are closed. */
bool exports_open(const VmConfig *config, GError **error);
