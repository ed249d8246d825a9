/* SPDX-License-Identifier: GPL-2.0-or-later
 * The tests' guest with virtio-echo.h's device, for tests of rings: a driver that uses it, and how
 * a ring that makes no sense must end.
 */
#pragma once

#include "virtio-driver.h"
#include "virtio-echo.h"

Guest *echo_guest(const GuestKind *kind);
/* With its driver at DRIVER_OK. */
Guest *echo_started(const GuestKind *kind, uint64_t features);
VirtIOEcho *echo(Guest *g);

/* One chain there and back. */
void echo_works(Guest *g, unsigned queue);
void echo_submit_one(Guest *g); /* that only reads; to queue 0 */

/* The broken state is seen by the driver, stays, stops both queues, and ends with a reset. */
void echo_needs_reset(Guest *g, const char *what);
/* Lines of the log since the last call. */
unsigned echo_messages(void);
char *echo_last_message(void);
/* Instead of g_test_init(): the log's lines are kept, not shown. */
void echo_test_init(int *argc, char ***argv);
