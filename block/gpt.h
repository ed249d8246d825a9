/* SPDX-License-Identifier: GPL-2.0-or-later
 * A GUID partition table (UEFI specification, chapter 5), made: the sectors in front of the
 * partitions and those behind them.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    GPT_SECTOR = 512,
    GPT_ENTRIES = 128,
    GPT_FRONT = 34 * GPT_SECTOR, /* protective MBR, header, entries */
    GPT_BACK = 33 * GPT_SECTOR,  /* entries, header */
};

typedef struct {
    const char *label;      /* UTF-8, at most 36 UTF-16 units */
    const char *guid;       /* text, or NULL: one that follows from labels and places */
    const char *type_guid;  /* text, or NULL: Linux file system data */
    uint64_t start, length; /* bytes; multiples of GPT_SECTOR, length above 0 */
} GptPartition;

/* Fills front (GPT_FRONT bytes) and back (GPT_BACK bytes) for a disk of size bytes whose partitions
 * are inside [GPT_FRONT, size - GPT_BACK). FALSE: a label or GUID that cannot be, or too many.
 * Pure: the same disk has the same GUIDs each time. */
bool gpt_build(const GptPartition *parts, unsigned n, uint64_t size, uint8_t *front, uint8_t *back,
               GError **error);
