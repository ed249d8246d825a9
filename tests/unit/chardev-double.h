/* SPDX-License-Identifier: GPL-2.0-or-later
 * For tests of UARTs: a character device instead of chardev/, which records what was written and
 * offers input when a test says so, and a bench with nothing but the UART, at address 0, on it.
 */
#pragma once

#include <glib.h>

#include "chardev/chardev.h"
#include "hw/core/device.h"

struct Chardev {
    const ChardevFrontend *fe;
    void *opaque;
    GString *written; /* made and freed by the test */
    unsigned accepted;
    bool refuse; /* an attach fails */
};

/* Offers text as a back end does: never more than can_receive(). Returns what was taken. */
size_t chardev_double_type(Chardev *chr, const char *text);

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    struct Chardev chr;
    Device *uart;
    int level;      /* of its interrupt */
    unsigned edges; /* up */
} Bench;

/* uart is the bench's now; it has been made for chr. */
void bench_set_up(Bench *b, Device *uart);
void bench_tear_down(Bench *b, gconstpointer data);
