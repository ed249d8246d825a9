/* SPDX-License-Identifier: GPL-2.0-or-later
 * The two sides of a character back end for tests of chardev/: a front end that keeps what it is
 * given, and whoever is at the other end of a socket or file. Not any particular back end.
 */
#pragma once

#include "chardev/chardev.h"
#include "expect-read.h"
#include "scratch.h" /* of test_chardevs() */
#include "util/fd.h"

typedef struct {
    GString *received;
    size_t room;
    unsigned opened, closed, breaks, resized;
    Chardev *replaced_by;
} Front;

/* Attaches a front end with room for so many bytes. */
void front_attach(Front *front, Chardev *chr, size_t room);
void front_finish(Front *front); /* and all back ends */
extern const ChardevFrontend front_functions;

Chardev *new_ok(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* chardev_new() fails so. */
void check_error(const char *text, int code, const char *message);

/* A UNIX server on a path of its own, extra after its other properties. */
Chardev *new_server(const char *extra, char **path);
/* A client of it. Runs the loop until the server has seen it. */
int connect_and_settle(const char *path, Front *front);
/* All three: a server, its front end and a client. */
Chardev *new_served(const char *extra, Front *front, size_t room, Fd *client);

void put(int fd, const char *text);

/* Run the loop. */
void run_until_received(Front *front, size_t len);
void iterate_until(const unsigned *count, unsigned wanted);
void iterate_while_busy(void);

/* main() of such a test. */
int test_chardevs(int argc, char **argv, void (*add_tests)(void));
