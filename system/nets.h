/* SPDX-License-Identifier: GPL-2.0-or-later
 * -netdev, -nic and -net: back ends opened once and kept over a reset of the VM, and the NICs that
 * -nic and -net ask for.
 */
#pragma once

#include "config.h"

/* Opens all back ends, after the character devices. FALSE: *error starts with the option. */
bool nets_open(const VmConfig *config, GError **error);
/* netdev_add: net_backend_add() where fd may be the name of a descriptor that getfd kept. [main] */
bool nets_add(KeyVal *kv, GError **error);
void nets_close(void); /* more than once is fine */

/* A NIC that -nic or -net wants. */
typedef struct {
    char *option; /* as typed, for messages */
    char *model;  /* device type, or NULL: what the machine has a place for */
    char *rest;   /* what follows the type after -device */
} NicOption;
const GPtrArray *nets_nics(void); /* of NicOption, in the order typed; borrowed */
/* As after -device. After the machine was made. New string. */
char *nets_nic_device(const NicOption *nic);
