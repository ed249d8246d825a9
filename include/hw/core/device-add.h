/* SPDX-License-Identifier: GPL-2.0-or-later
 * -device, device_add and device_del: making a device from properties in text form, finding its bus
 * and its place in the composition tree, and taking it away again. The machine is there by then.
 *
 * Threads: [main] only.
 */
#pragma once

#include "hw/core/device.h"
#include "util/keyval.h"

/* props: "driver" is the type, "id" and "bus" (optional) are taken, the rest are properties. NULL:
 * *error, and nothing has changed. Returns borrowed. */
Device *device_add(KeyVal *props, GError **error);
/* The second half: unrealized dev, its id set, goes to bus (NULL: the first free one of its kind),
 * is realized and gets a place in the tree, which references it. FALSE: nothing has changed. */
bool device_plug(Device *dev, const char *bus, GError **error);

/* Asks for the device to be removed; DEVICE_DELETED says when it is. DEVICE_NOT_FOUND; UNSUPPORTED:
 * its bus cannot do that. */
bool device_del(const char *id_or_path, GError **error);
