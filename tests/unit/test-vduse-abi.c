/* SPDX-License-Identifier: GPL-2.0-or-later
 * Our <linux/vduse.h> against the one this system's kernel headers bring.
 */
#include <linux/vduse.h>

#ifndef HUMPY_LINUX_VDUSE_H
#error "this must be our header"
#endif

#include "abi-test.h"
#include "vduse-abi.h"

extern const AbiRow vduse_abi_system[];
static const AbiRow ours[] = { ABI_ROWS, { NULL, 0 } };

int main(int argc, char **argv)
{
    return abi_test_main(argc, argv, "vduse-abi", ours, vduse_abi_system);
}
