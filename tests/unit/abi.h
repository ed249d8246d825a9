/* SPDX-License-Identifier: GPL-2.0-or-later
 * The layout of a kernel interface as a list of names and values, for comparing two headers that
 * cannot be included together. NAME-abi.h has the rows of <linux/NAME.h>; a file for each of the
 * two headers includes it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name; /* NULL behind the last */
    uint64_t value;   /* of a constant, or offset << 32 | size */
} AbiRow;

/* clang-format off */
#define FIELD(type, field)                                                                         \
    { #type "." #field,                                                                            \
      (uint64_t)offsetof(struct type, field) << 32 | sizeof(((struct type *)0)->field) }
#define START(type, field) { #type "." #field, offsetof(struct type, field) } /* without a size */
#define SIZE(type) { #type, sizeof(struct type) }
#define NUMBER(name) { #name, (uint64_t)(name) }
/* clang-format on */
