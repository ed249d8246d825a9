/* SPDX-License-Identifier: GPL-2.0-or-later
 * Between loader.c, which reads what is stored, and loader-lz4.c, which unpacks it.
 */
#pragma once

#include "hw/core/loader.h"

typedef struct LoaderLz4 LoaderLz4;

/* head: the four bytes that loader_is_lz4() knows. */
LoaderLz4 *loader_lz4_new(const void *head);
void loader_lz4_free(LoaderLz4 *z); /* NULL is fine */
bool loader_lz4_read(LoaderLz4 *z, LoaderStream *stream, void *buf, size_t len, size_t *got,
                     GError **error);

/* ---- loader.c ---- */
/* The next stored bytes of what is selected; *got < len only at its end. */
bool loader_next_stored(LoaderStream *stream, void *buf, size_t len, size_t *got, GError **error);
uint64_t loader_stored_left(const LoaderStream *stream);
