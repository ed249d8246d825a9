/* SPDX-License-Identifier: GPL-2.0-or-later
 * Compares the rows of two headers.
 */
#pragma once

#include "abi.h"

/* The whole test program: /NAME/ROW for each row, and that neither has more than the other. */
int abi_test_main(int argc, char **argv, const char *name, const AbiRow *ours,
                  const AbiRow *system);
