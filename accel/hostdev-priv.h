/* SPDX-License-Identifier: GPL-2.0-or-later
 * Shared by hostdev*.c. [main]
 */
#pragma once

#include <glib.h>

#include "accel/hostdev.h"

/* NULL: there is none for this path. */
const HostDevOps *hostdev_model_for(const char *path);

/* ---- hostdev-log.c ---- */

void hostdev_kernel_log_follow(void);
/* NULL: nothing since. New string. */
char *hostdev_kernel_log_newest(void);
/* The text of one record of /dev/kmsg, if a hypervisor's driver wrote it. New string or NULL. */
char *hostdev_kernel_log_message(const char *record);
