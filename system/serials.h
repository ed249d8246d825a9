/* SPDX-License-Identifier: GPL-2.0-or-later
 * Between serials.c, which opens, and vm.c, which connects.
 */
#pragma once

#include "vm.h"

typedef struct {
    char *option;        /* for messages */
    struct Chardev *chr; /* NULL: nothing is connected */
    bool has_monitor;    /* "mon:": a monitor behind Ctrl-A c */
    bool by_default;     /* nobody asked for it: a machine may have no such port */
} SerialPort;

struct Serials {
    GArray *ports; /* of SerialPort */
};
