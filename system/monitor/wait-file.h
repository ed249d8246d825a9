/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reading a small file that may be a FIFO which nobody writes yet, for a command's handler: the
 * client's later commands wait, everything else goes on.
 */
#pragma once

#include <glib.h>

/* New string. NULL: HOST, RANGE (longer than 1 MiB), CONFLICT (the program is to end). [main] */
char *wait_file_read(const char *path, GError **error);
