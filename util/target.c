/* SPDX-License-Identifier: GPL-2.0-or-later
 * The target that main() chose, and its names.
 */
#include "util/target.h"

#include <stddef.h>

static Target current = TARGET_AARCH64;
static const char *program; /* or NULL */

void target_set(Target target)
{
    current = target;
}

Target target_current(void)
{
    return current;
}

const char *target_name(void)
{
    return current == TARGET_X86_64 ? "x86_64" : "aarch64";
}

void target_set_program(const char *name)
{
    program = name;
}

const char *target_program(void)
{
    return program != NULL            ? program
           : current == TARGET_X86_64 ? "humpy-system-x86_64"
                                      : "humpy-system-aarch64";
}

bool target_offers(unsigned mask)
{
    return mask == 0 || (mask & current) != 0;
}
