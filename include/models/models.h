/* SPDX-License-Identifier: GPL-2.0-or-later
 * Userspace stand-ins for hypervisor nodes. system/main (and each test) registers them with
 * hostdev; nothing in accel/ knows that they exist.
 */
#pragma once

/* Registers every model of this build with hostdev_register_model(). Call once, early. */
void models_register(void);
