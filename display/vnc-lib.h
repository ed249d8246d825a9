/* SPDX-License-Identifier: GPL-2.0-or-later
 * libvncserver, loaded when a VNC server is asked for: it brings GnuTLS, libgcrypt and more. What
 * vnc.c uses of it is listed here; include this instead of <rfb/rfb.h>.
 */
#pragma once

#include <rfb/rfb.h>

#include "util/lazy-lib.h"

#define VNC_FUNCTIONS(X)                                                                           \
    X(rfbErr)                                                                                      \
    X(rfbGetScreen)                                                                                \
    X(rfbLog)                                                                                      \
    X(rfbMarkRectAsModified)                                                                       \
    X(rfbNewClient)                                                                                \
    X(rfbNewFramebuffer)                                                                           \
    X(rfbProcessEvents)                                                                            \
    X(rfbScreenCleanup)                                                                            \
    X(rfbShutdownServer)

extern struct {
    VNC_FUNCTIONS(LAZY_FIELD)
} vnc_lib;
bool vnc_lib_load(GError **error);

#ifndef VNC_LIB_NAMES
#define rfbErr                (*vnc_lib.rfbErr)
#define rfbGetScreen          vnc_lib.rfbGetScreen
#define rfbLog                (*vnc_lib.rfbLog)
#define rfbMarkRectAsModified vnc_lib.rfbMarkRectAsModified
#define rfbNewClient          vnc_lib.rfbNewClient
#define rfbNewFramebuffer     vnc_lib.rfbNewFramebuffer
#define rfbProcessEvents      vnc_lib.rfbProcessEvents
#define rfbScreenCleanup      vnc_lib.rfbScreenCleanup
#define rfbShutdownServer     vnc_lib.rfbShutdownServer
#endif
