/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reading boot files (kernel, initrd, device tree): a stream over a regular file or over bytes,
 * plain or unpacked on the way. Files are hostile: nothing here trusts a length in them, and the
 * caller's buffer bounds what comes out. Messages state the fact; the caller prefixes option and
 * path. One thread at a time.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct LoaderStream LoaderStream;

/* Opens a regular file. NULL: HOST error. */
LoaderStream *loader_open(const char *path, GError **error);
/* The same over bytes, which are borrowed until loader_close(). */
LoaderStream *loader_open_bytes(const void *data, size_t len);
void loader_close(LoaderStream *stream); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LoaderStream, loader_close)

uint64_t loader_size(const LoaderStream *stream); /* bytes as stored */

/* Stored bytes at offset, wherever reading stands. *got < len only at the end of the file. */
bool loader_peek(LoaderStream *stream, uint64_t offset, void *buf, size_t len, size_t *got,
                 GError **error);

/* From now on read [offset, offset + size) of what is stored, gunzipped if gunzip. The range is
 * inside the file. A fresh stream reads all of it as it is. */
void loader_select(LoaderStream *stream, uint64_t offset, uint64_t size, bool gunzip);

/* The same for lz4 data, whose magic loader_is_lz4() has seen at offset. */
bool loader_select_lz4(LoaderStream *stream, uint64_t offset, uint64_t size, GError **error);
/* From now on the stream is only these bytes of it. FALSE: RANGE, they are not all there. */
bool loader_narrow(LoaderStream *stream, uint64_t offset, uint64_t size, GError **error);

/* The next bytes; *got < len only at the end. FALSE: the file shrank, or packed data is cut short
 * or damaged (RANGE), or HOST. */
bool loader_read(LoaderStream *stream, void *buf, size_t len, size_t *got, GError **error);

/* Guest memory to load into: size bytes at host, which are also fd's bytes from 0 on (fd may be
 * -1). With an fd the bytes are written, not stored: that spares a fault and a zeroed page for each
 * 4 KiB and takes half the time. */
typedef struct {
    void *host;
    int fd;
    uint64_t size;
} LoaderDest;

/* Stores len bytes at dest + at, inside dest. FALSE: HOST error. */
bool loader_store(const LoaderDest *dest, uint64_t at, const void *buf, size_t len, GError **error);
/* loader_read() of up to max bytes into dest + at. */
bool loader_copy(LoaderStream *stream, const LoaderDest *dest, uint64_t at, uint64_t max,
                 uint64_t *got, GError **error);

/* TRUE if head starts as gzip data does (RFC 1952). */
bool loader_is_gzip(const void *head, size_t len);
/* TRUE for lz4 data, as frames or in the legacy format. */
bool loader_is_lz4(const void *head, size_t len);
/* What a file that starts with head seems to be, as in "but X"; NULL: nothing known. */
const char *loader_kind(const void *head, size_t len);
