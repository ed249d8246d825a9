/* SPDX-License-Identifier: GPL-2.0-or-later
 * Userspace stand-ins for hypervisor nodes. system/main (and each test) registers them with
 * hostdev; nothing in accel/ knows that they exist.
 */
#pragma once

/* Registers every model of this build with hostdev_register_model(). Call once, early. */
void models_register(void);

/* Returns when what was closed has been taken down. A kernel goes on with that after the process;
 * a model's threads must not be caught by exit() and the destructors of the libraries they use.
 * Call before the process ends. */
void models_settle(void);
