/* SPDX-License-Identifier: GPL-2.0-or-later
 * The metadata that the image of a trusted VM begins with, as far as it can be checked without its
 * maker's key.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Reads n bytes of the image; FALSE: they cannot be read. */
typedef bool (*MdtRead)(void *opaque, uint64_t offset, void *to, size_t n);

/* *entry is the offset where an image of size bytes is entered. FALSE: *cause says what is wrong,
 * for g_free(). */
bool mdt_check(MdtRead read, void *opaque, uint64_t size, uint64_t *entry, char **cause);
