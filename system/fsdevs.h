/* SPDX-License-Identifier: GPL-2.0-or-later
 * -fsdev and -virtfs: the directories a guest may share.
 */
#pragma once

#include <glib.h>

#include "config.h"
#include "fsdev/fsdev.h"

typedef struct Fsdevs Fsdevs;

/* Opens all of them. NULL: *error names the option. [main] */
Fsdevs *fsdevs_open(const VmConfig *config, GError **error);
void fsdevs_close(Fsdevs *fsdevs); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fsdevs, fsdevs_close)

/* The -fsdev and the -device that a -virtfs stands for; both to be freed. FALSE: *error. */
bool fsdevs_split_virtfs(const char *text, unsigned number, char **fsdev, char **device,
                         GError **error);
