/* SPDX-License-Identifier: GPL-2.0-or-later
 * Xen's public headers for emulators, in the order that they need: they take the standard types as
 * given.
 */
#pragma once

#include <stdint.h>

#include <xen/xen.h>

#include <xen/hvm/dm_op.h>
#include <xen/hvm/ioreq.h>
#include <xen/sched.h>
