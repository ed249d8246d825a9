/* SPDX-License-Identifier: GPL-2.0-or-later
 * Between the files of the VNC server: vnc.c runs it, vnc-listen.c knows addresses, vnc-input.c
 * what clients' keys and pointers mean.
 */
#pragma once

#include <stdint.h>

#include "display/vnc.h"

/* ---- vnc-listen.c ---- */
typedef struct {
    int fd;
    char *host, *service;
    const char *family;
    char *unlink_path; /* to be removed at the end, or NULL */
} VncListener;
/* FALSE: nothing is open. */
bool vnc_listen(VncListener *listener, const char *text, GError **error);
void vnc_listener_clear(VncListener *listener);

/* ---- vnc-input.c; [vnc thread], what they make of it goes to the main context ---- */
void vnc_key(uint32_t keysym, bool down);
/* Buttons as RFB has them; x, y in a picture of width by height. last is the client's state. */
typedef struct {
    int x, y;
    unsigned buttons;
} VncPointer;
void vnc_pointer(VncPointer *last, unsigned buttons, int x, int y, int width, int height);
