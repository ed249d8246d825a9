/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the machines of the accelerators' tests share: RAM, a device in memory, one in I/O ports,
 * the accelerator, and its last event. Each of these tests has its own World (acrn-world.h,
 * fake-gunyah-world.h, kvm-world.h, xen-world.h), which begins with SMALL_WORLD.
 */
#pragma once

#include <glib.h>

#include "accel/accel.h"

#define SMALL_WORLD_FIELDS                                                                         \
    MemoryRegion root, ram, device, io_root, ports;                                                \
    AddressSpace *as, *io; /* io: NULL without ports */                                            \
    Accel *accel;                                                                                  \
    AccelX86State x86;                                                                             \
    AccelBootInfo boot;                                                                            \
    pthread_mutex_t lock; /* all that follows, what the World adds, too */                         \
    pthread_cond_t changed;                                                                        \
    unsigned n_events;                                                                             \
    AccelEvent event;                                                                              \
    char *message

typedef struct {
    SMALL_WORLD_FIELDS;
} SmallWorld;

/* The fields by their names, and all of them as one. */
#define SMALL_WORLD                                                                                \
    union {                                                                                        \
        SmallWorld small;                                                                          \
        struct {                                                                                   \
            SMALL_WORLD_FIELDS;                                                                    \
        };                                                                                         \
    }

typedef struct {
    uint64_t base, size; /* no size: there is none */
    const MemoryRegionOps *ops;
} SmallWorldPart;

typedef struct {
    SmallWorldPart ram, device, ports; /* the devices' opaque is the World */
} SmallWorldMap;

/* All that is in *w is made new; the World's own fields are the World's. */
void small_world_init(SmallWorld *w, const SmallWorldMap *map);
void small_world_clear(SmallWorld *w);
/* After the accelerator has been made: its events go to the fields. */
void small_world_listen(SmallWorld *w);

/* world is a World. */
void world_start(void *world);
void world_wait_event(void *world);
