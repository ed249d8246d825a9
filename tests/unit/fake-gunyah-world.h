/* SPDX-License-Identifier: GPL-2.0-or-later
 * A small machine for tests of accel/gunyah: RAM, one recording device, an accelerator on the
 * fake kernel, and the last event.
 */
#pragma once

#include <glib.h>

#include "fake-gunyah.h"
#include "small-world.h"
#include "util/error.h"

#define RAM_BASE    0x40000000ULL
#define RAM_SIZE    0x4000000ULL
#define DEVICE_BASE 0xa000000ULL
#define DEVICE_SIZE 0x1000ULL

typedef struct {
    SMALL_WORLD;
    uint64_t window_base, window_size, firmware_base, firmware_size; /* for world_setup() */

    /* The device: the last write, what reads give, and a line to lower on a write. */
    uint64_t written, to_read;
    unsigned size;
    unsigned reads, writes; /* atomic */
    int lower_spi;          /* -1: none */
    bool refuses;
} World;

/* What -accel gunyah opens: the fake unless a test says otherwise. */
extern const char *world_device;

void world_init(World *w, gconstpointer data);
void world_clear(World *w, gconstpointer data);
/* Before world_setup(). */
void world_grow_ram(World *w, uint64_t size);

/* -accel gunyah,device=…,host=model plus text. */
Accel *world_create(const char *text, GError **error);
void world_setup(World *w, const char *text, unsigned n_vcpus);
void world_connect(World *w, unsigned spi, AccelIrqMode mode);
void world_assert_says(const GError *error, const char *part);

/* A bootable tree with what the accelerator adds, written to RAM at boot.dtb_gpa. After setup and
 * connect. */
void world_write_tree(World *w, unsigned n_cpus);

/* A tree with /memory, /cpus with n CPUs and /intc, plus a node: "hypervisor", "memory@…" and
 * "cpus/…" are what they say, "no-gic" leaves out /intc. g_free() it. */
void *world_fdt(unsigned n_cpus, const char *extra);
