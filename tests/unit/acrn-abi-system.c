/* SPDX-License-Identifier: GPL-2.0-or-later
 * The rows of acrn-abi.h as the system's header has them. This file is not built with
 * linux-headers/ in its include path.
 */
#include <linux/acrn.h>
#include <linux/ioctl.h>

#ifdef HUMPY_LINUX_ACRN_H
#error "this must be the system's header"
#endif

#include "acrn-abi.h"

extern const AbiRow acrn_abi_system[];
const AbiRow acrn_abi_system[] = { ABI_ROWS, { NULL, 0 } };
