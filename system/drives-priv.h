/* SPDX-License-Identifier: GPL-2.0-or-later
 * Between drives.c (-drive) and blockdev.c (-blockdev).
 */
#pragma once

#include "block/block.h"
#include "drives.h"

struct Drives {
    GPtrArray *backends;           /* of BlockBackend, each referenced */
    GPtrArray *devices;            /* of DriveDevice */
    char *pflash[DRIVES_N_PFLASH]; /* node names */
    GHashTable *ids;               /* id of a -drive to its node name */
    GHashTable *files;             /* node name to FileNode: file, null-co, nbd */
};

/* Opens one back end and keeps it. node_name is borrowed from it. */
bool drives_add(Drives *drives, const BlockOptions *options, const char **node_name,
                GError **error);
/* Closes the back end of that name, if it is open. FALSE (CONFLICT): a device or a -drive has it.
 */
bool drives_drop(Drives *drives, const char *node_name, GError **error);
/* read-only, auto-read-only, discard, cache.direct and cache.no-flush. */
bool drives_take_common(KeyVal *kv, BlockOptions *options, GError **error);
bool drives_take_locking(KeyVal *kv, const char *key, BlockOptions *options, GError **error);
/* How requests are served: key is "aio", with a prefix or without. */
bool drives_take_aio(KeyVal *kv, const char *key, BlockOptions *options, GError **error);

/* ---- blockdev.c ---- */
/* PREFIXserver.type and what belongs to it, PREFIXexport of driver nbd. */
bool blockdev_take_nbd(KeyVal *kv, const char *prefix, BlockOptions *options, GError **error);
/* PREFIXsize, PREFIXread-zeroes and PREFIXlatency-ns of driver null-co. */
bool blockdev_take_null(KeyVal *kv, const char *prefix, BlockOptions *options, GError **error);
/* ---- blockdev-image.c ---- */
/* A driver that blockdev_read_image() reads. */
bool blockdev_is_image(const char *driver);
void blockdev_set_unknown(const char *driver, GError **error);
/* Opens the image that kv describes, its property driver not taken yet. */
bool blockdev_read_image(Drives *drives, KeyVal *kv, const char *node_name, GError **error);

/* ---- blockdev.c ---- */
void file_node_free(gpointer node);
bool blockdev_read(Drives *drives, const char *text, GError **error);
/* Opens the file, null-co and nbd nodes no raw node sits on; a device may use them directly. */
bool blockdev_open_files(Drives *drives, GError **error);
