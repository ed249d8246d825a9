/* SPDX-License-Identifier: GPL-2.0-or-later
 * Between options.c, which reads -chardev and -serial text, and core.c, which keeps the objects.
 */
#pragma once

#include "chardev-priv.h"

/* Makes and lists a back end; id is unique and valid. */
Chardev *chardev_open(const ChardevOps *ops, const char *id, bool mux, KeyVal *kv, GError **error);
