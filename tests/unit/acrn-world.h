/* SPDX-License-Identifier: GPL-2.0-or-later
 * A small PC for tests of accel/acrn on the kernel of fake-hsm.h: 2 MiB of RAM, a device in memory
 * and one in I/O ports, and PCI configuration. What a read gives is told by its address, so that
 * any number of threads may ask; a read of WORLD_HOLD + 8 * n waits while bit n of held is set.
 */
#pragma once

#include <glib.h>

#include "fake-hsm.h"
#include "small-world.h"

enum {
    WORLD_RAM = 2 << 20,
    WORLD_DEVICE_SIZE = 0x2000,
    WORLD_HOLD = 0x1000,
    WORLD_PORTS = 0x500,
    WORLD_PORTS_SIZE = 0x10,
};
#define WORLD_DEVICE UINT64_C(0xd0000000)

typedef struct {
    SMALL_WORLD;

    bool no_pci; /* set before setup: nothing is in any slot */

    /* Under lock: */
    uint32_t held;      /* reads that wait */
    unsigned in_held;   /* that do */
    unsigned n_writes;  /* to device and ports */
    uint64_t last_addr; /* of a write: offset */
    uint64_t last_value;
    unsigned n_config; /* accesses to PCI configuration */
} World;

void world_init(World *w, gconstpointer data);
void world_clear(World *w, gconstpointer data);
/* -accel acrn,device=(the fake) and text; sets it up. FALSE: *error. */
bool world_try_setup(World *w, const char *text, unsigned n_vcpus, GError **error);
void world_setup(World *w, const char *text, unsigned n_vcpus);
/* Both, without words for -accel. */
void world_run(World *w, unsigned n_vcpus);
/* accel_start() fails, and the message has text. */
void world_fails_to_start(World *w, const char *text);

void world_hold(World *w, uint32_t mask); /* replaces the mask */
void world_wait_held(World *w, unsigned n);

/* What reads give. */
uint64_t world_device_value(uint64_t offset, unsigned size);
uint32_t world_config_value(unsigned bus, unsigned dev, unsigned fn, unsigned reg, unsigned size);
