/* SPDX-License-Identifier: GPL-2.0-or-later
 * A virtual machine's description in a file, with the members of Android's VirtualMachineRawConfig.
 */
#pragma once

#include "plan.h"

/* Adds to plan what the file says; what the command line said before stays. Members nobody knows
 * are warned of. */
bool config_json_read(const char *path, Plan *plan, GError **error);
/* The same from memory; relative paths are relative to where file is. Pure, but for warnings. */
bool config_json_parse(const char *text, gssize len, const char *file, Plan *plan, GError **error);

/* Names of the members of the whole, for the documentation's test; of const char *. */
GPtrArray *config_json_members(void);

/* ---- config-text.c ---- */
/* The bytes of a regular file of bounded size, and a zero byte. */
char *config_text_read(const char *path, gsize *len, GError **error);
bool config_text_check(const char *text, gsize size, GError **error);
