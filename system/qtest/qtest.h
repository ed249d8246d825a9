/* SPDX-License-Identifier: GPL-2.0-or-later
 * The qtest server (-qtest): lines of text that read and write guest memory, listen to wires and
 * move the virtual clock, as QEMU's test clients send them. docs/accel-qtest.md has the protocol.
 *
 * Threads: [main], but interrupts are heard in whatever thread drives the wire.
 */
#pragma once

#include "config.h"

/* Opens -qtest's character device and -qtest-log. FALSE: *error starts with the option. */
bool qtest_open(const VmConfig *config, GError **error);
/* From now on lines are served, before there is a machine only those that need none. Nothing
 * without -qtest. */
void qtest_ready(void);
/* Before the machine goes: lines wait, wires are no longer heard. */
void qtest_suspend(void);
/* Bytes as if the client had sent them, for tests. There is a client's chardev. */
void qtest_feed(const uint8_t *buf, size_t len);
void qtest_close(void);
