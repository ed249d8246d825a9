/* SPDX-License-Identifier: GPL-2.0-or-later
 * Character devices in the composition tree.
 */
#pragma once

/* Before the first chardev is made. */
void chardev_tree_init(void);
