/* SPDX-License-Identifier: GPL-2.0-or-later
 * bootconfig: the kernel's parameters as a text behind the initial RAM disk (Linux
 * Documentation/admin-guide/bootconfig.rst).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* FALSE: SYNTAX or RANGE with the line; the kernel would not take it. Pure. */
bool bootconfig_check(const char *text, size_t len, GError **error);
/* What stands behind a RAM disk of initrd_size bytes: padding, text, size, sum, magic. */
GBytes *bootconfig_tail(const char *text, size_t len, guint64 initrd_size);
