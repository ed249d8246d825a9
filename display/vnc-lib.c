/* SPDX-License-Identifier: GPL-2.0-or-later
 * See vnc-lib.h.
 */
#define VNC_LIB_NAMES
#include "vnc-lib.h"

__typeof__(vnc_lib) vnc_lib;

static const char *const names[] = { VNC_FUNCTIONS(LAZY_NAME) };
static LazyLib lib = LAZY_LIB("libvncserver.so.1", names, vnc_lib);

bool vnc_lib_load(GError **error)
{
    return lazy_lib_load(&lib, error);
}
