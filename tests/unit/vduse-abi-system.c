/* SPDX-License-Identifier: GPL-2.0-or-later
 * The rows of vduse-abi.h as the system's header has them. This file is not built with
 * linux-headers/ in its include path.
 */
#include <linux/ioctl.h>
#include <linux/vduse.h>

#ifdef HUMPY_LINUX_VDUSE_H
#error "this must be the system's header"
#endif

#include "vduse-abi.h"

extern const AbiRow vduse_abi_system[];
const AbiRow vduse_abi_system[] = { ABI_ROWS, { NULL, 0 } };
