/* SPDX-License-Identifier: GPL-2.0-or-later
 * Telling a service manager how far the program is: the datagrams that systemd's sd_notify(3)
 * describes. Nothing happens without $NOTIFY_SOCKET.
 *
 * Threads: [main].
 */
#pragma once

void notify_manager(const char *state); /* "READY=1", "STOPPING=1" */
