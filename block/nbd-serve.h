/* SPDX-License-Identifier: GPL-2.0-or-later
 * A qemu-nbd of our own: see nbd-serve.c. [main]
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "util/fd.h"

typedef struct {
    pid_t pid;     /* 0: none */
    Fd connection; /* to it, until it is taken */
    Fd said;       /* what it has written to stderr */
} NbdServer;
#define NBD_SERVER_INIT                                                                            \
    {                                                                                              \
        .connection = -1, .said = -1                                                               \
    }

/* argv[0] is looked for in PATH. FALSE: *error, and nothing runs. It may still fail: then the
 * connection ends. */
bool nbd_server_start(NbdServer *s, char **argv, GError **error);
/* The caller's from now on; closing it ends the server. */
int nbd_server_take_connection(NbdServer *s);
/* One that has served: waits until it has put away what it was given. Nothing to do for one that
 * was never started. */
void nbd_server_stop(NbdServer *s);
/* One that could not be connected to: ends it, and tells the last line that it has written, without
 * its name, or "". g_free() it. */
char *nbd_server_explain(NbdServer *s);
