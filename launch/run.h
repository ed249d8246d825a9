/* SPDX-License-Identifier: GPL-2.0-or-later
 * From a plan to the program that runs it.
 */
#pragma once

#include "plan.h"

/* Becomes the program; returns only if that fails (-1, *error) or there was nothing to start (0).
 */
int run_plan(Plan *plan, GError **error);
/* The word as a shell takes it. */
char *run_quote(const char *word);
/* Path of humpy-system-ARCH. */
char *run_find_program(const char *arch, GError **error);
