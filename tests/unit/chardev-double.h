/* SPDX-License-Identifier: GPL-2.0-or-later
 * A character device for tests of UARTs, instead of chardev/: it records what was written and
 * offers input when a test says so.
 */
#pragma once

#include <glib.h>

#include "chardev/chardev.h"

struct Chardev {
    const ChardevFrontend *fe;
    void *opaque;
    GString *written; /* made and freed by the test */
    unsigned accepted;
    bool refuse; /* an attach fails */
};

/* Offers text as a back end does: never more than can_receive(). Returns what was taken. */
size_t chardev_double_type(Chardev *chr, const char *text);
