/* SPDX-License-Identifier: GPL-2.0-or-later
 * A VNC server that shows the first console and sends keys and pointer to the input devices. There
 * is no password, so it listens on loopback addresses and UNIX sockets only.
 *
 * There is one at most: libvncserver keeps its list of clients in a global.
 *
 * Threads: [main]. The server has a thread of its own.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct VncServer VncServer;

/* text as after -vnc: "[HOST]:N[,to=M]" or "unix:PATH"; name is what clients show as title. NULL:
 * CONFLICT (there is one), SYNTAX, UNSUPPORTED (not loopback), HOST (address in use). */
VncServer *vnc_server_new(const char *text, const char *name, GError **error);
void vnc_server_free(VncServer *server); /* closes all connections; NULL is fine */

/* Where it listens: host and port, or path and "". Borrowed. */
const char *vnc_server_host(const VncServer *server);
const char *vnc_server_service(const VncServer *server);
const char *vnc_server_family(const VncServer *server); /* ipv4, ipv6, unix */
unsigned vnc_server_clients(VncServer *server);         /* connected now */
