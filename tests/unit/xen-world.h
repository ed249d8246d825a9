/* SPDX-License-Identifier: GPL-2.0-or-later
 * A machine for tests of accel/xen on the model of include/models/xen-model.h: a device of bytes in
 * memory and one in ports, which note what they are asked, and PCI configuration. A read of the
 * byte at WORLD_HOLD waits while held is set.
 */
#pragma once

#include <glib.h>

#include "models/xen-model.h"
#include "small-world.h"

enum {
    WORLD_DEVICE_SIZE = 0x10000,
    WORLD_HOLD = 0xf000,
    WORLD_PORTS = 0x500,
    WORLD_PORTS_SIZE = 0x40,
    WORLD_MEMORY = 4 << 20,
    WORLD_DOMID = 7,
};
#define WORLD_DEVICE UINT64_C(0xf0000000)

typedef struct {
    uint64_t offset, value;
    unsigned size;
    bool is_write, in_ports;
} WorldAccess;

typedef struct {
    SMALL_WORLD;
    XenModelDomain *d;

    /* Under lock: */
    uint8_t memory_bytes[WORLD_DEVICE_SIZE], port_bytes[WORLD_PORTS_SIZE];
    GArray *log; /* of WorldAccess */
    bool held;
    unsigned in_held;
    uint8_t config[4096];
} World;

void world_init(World *w, gconstpointer data);
void world_clear(World *w, gconstpointer data);
/* Replaces the domain, PVH with one vCPU. */
void world_domain(World *w, XenLibDomainType type, unsigned vcpus);
/* -accel xen,host=model and more. FALSE: *error. */
bool world_try_setup(World *w, const char *more, GError **error);
void world_setup(World *w, const char *more);
/* Both. */
void world_run(World *w, const char *more);
void world_hold(World *w, bool held);
void world_wait_held(World *w);
unsigned world_accesses(World *w);
WorldAccess world_access(World *w, unsigned n);
