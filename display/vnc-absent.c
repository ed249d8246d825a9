/* SPDX-License-Identifier: GPL-2.0-or-later
 * What include/display/vnc.h answers in a build without a VNC server: there is never one.
 */
#include "display/vnc.h"

#include "util/error.h"

VncServer *vnc_server_new(const char *text, const char *name, GError **error)
{
    g_set_error_literal(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        "this build has no VNC server (its option -Dvnc)");
    return NULL;
}

void vnc_server_free(VncServer *server)
{
    g_assert(server == NULL);
}

const char *vnc_server_host(const VncServer *server)
{
    g_assert_not_reached();
}

const char *vnc_server_service(const VncServer *server)
{
    g_assert_not_reached();
}

const char *vnc_server_family(const VncServer *server)
{
    g_assert_not_reached();
}

unsigned vnc_server_clients(VncServer *server)
{
    g_assert_not_reached();
}
