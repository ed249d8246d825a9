/* SPDX-License-Identifier: GPL-2.0-or-later
 * The machine of fake-gunyah-world.h on the model of /dev/gunyah, with a guest that follows a
 * script.
 */
#pragma once

#include "fake-gunyah-world.h"

#define MIB    (1ULL << 20)
#define WINDOW (8 * MIB)

/* For g_test_add(). The second is protected, with a window of that size at the end of RAM. */
void model_world_init(World *w, gconstpointer data);
void model_world_init_protected(World *w, gconstpointer data);
/* Whatever a test did, it may have left nothing dangling in the driver. */
void model_world_clear(World *w, gconstpointer data);

/* What kernel it is, and what the guest does (models/engine-script.h). */
void model(const char *knobs, const char *script);
/* Setup, tree, and, the second, start. */
void build(World *w, const char *text, unsigned n_vcpus);
void boot(World *w, const char *text, unsigned n_vcpus);
/* The text is in what the guest has told since init. */
bool guest_saw(const char *text);
void assert_guest_saw(const char *text);
