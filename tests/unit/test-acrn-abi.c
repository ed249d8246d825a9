/* SPDX-License-Identifier: GPL-2.0-or-later
 * Our <linux/acrn.h> against the one this system's kernel headers bring.
 */
#include <linux/acrn.h>

#ifndef HUMPY_LINUX_ACRN_H
#error "this must be our header"
#endif

#include "abi-test.h"
#include "acrn-abi.h"

extern const AbiRow acrn_abi_system[];
static const AbiRow ours[] = { ABI_ROWS, { NULL, 0 } };

int main(int argc, char **argv)
{
    return abi_test_main(argc, argv, "acrn-abi", ours, acrn_abi_system);
}
