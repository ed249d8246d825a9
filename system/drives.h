/* SPDX-License-Identifier: GPL-2.0-or-later
 * -drive and -blockdev: opened once, kept over a reset of the VM.
 */
#pragma once

#include "config.h"

typedef struct Drives Drives;

/* A device that a -drive wants to have, e.g. for if=virtio. */
typedef struct {
    char *option; /* "-drive …" as typed, for messages */
    char *device; /* as after -device */
} DriveDevice;

/* Opens everything. NULL: *error starts with the option as typed, nothing stays open. */
Drives *drives_open(const VmConfig *config, GError **error);
void drives_close(Drives *drives); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Drives, drives_close)

/* blockdev-add and blockdev-del while the machine runs. wait (may be NULL) reads a blkdebug's file
 * of rules, which may be a FIFO that nobody writes yet: new string, or NULL with *error. */
typedef char *(*DrivesReadFn)(const char *path, GError **error);
bool drives_blockdev_add(Drives *drives, KeyVal *kv, DrivesReadFn read, GError **error);
/* UNKNOWN: not there; CONFLICT: a device uses it. */
bool drives_blockdev_del(Drives *drives, const char *node_name, GError **error);

/* Node name of what a device calls drive=NAME: a node name, or the id of a -drive. Borrowed. */
const char *drives_node_name(const Drives *drives, const char *name);
/* Node name of the drive with if=pflash,unit=N, or NULL. Borrowed. */
enum { DRIVES_N_PFLASH = 2 };
const char *drives_pflash(const Drives *drives, unsigned unit);
/* Of DriveDevice, in the order typed; borrowed. */
const GPtrArray *drives_devices(const Drives *drives);
