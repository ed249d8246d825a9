/* SPDX-License-Identifier: GPL-2.0-or-later
 * What -object and -numa ask for, made.
 */
#pragma once

#include "config.h"

/* Makes the objects, once for all lives of the VM. FALSE: *error starts with the option. */
bool objects_create(const VmConfig *config, GError **error);
/* The nodes, for one life. NULL: *error starts with the option. */
Numa *numa_from_config(const VmConfig *config, GError **error);
