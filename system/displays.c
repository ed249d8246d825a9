/* SPDX-License-Identifier: GPL-2.0-or-later
 * The VNC server that the command line asked for.
 */
#include "displays.h"

static VncServer *vnc;

bool displays_open(const VmConfig *config, GError **error)
{
    if (config->vnc == NULL) {
        return true;
    }
    vnc = vnc_server_new(config->vnc, config->name, error);
    if (vnc == NULL) {
        g_prefix_error(error, "-vnc %s: ", config->vnc);
        return false;
    }
    return true;
}

void displays_close(void)
{
    g_clear_pointer(&vnc, vnc_server_free);
}

VncServer *displays_vnc(void)
{
    return vnc;
}
