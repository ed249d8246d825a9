/* SPDX-License-Identifier: GPL-2.0-or-later
 * Streams over boot files. Gzip (RFC 1952, several members allowed) is unpacked by zlib as it is
 * read, so that a file which unpacks without end costs no more than the caller's buffer. What the
 * bytes mean is not known here.
 */
#include "hw/core/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "loader-priv.h"
#include "util/error.h"
#include "util/fd.h"

enum { INPUT_SIZE = 64 << 10, COPY_SIZE = 256 << 10, ZLIB_GZIP = 16 + MAX_WBITS };

struct LoaderStream {
    Fd fd; /* or -1: bytes */
    const uint8_t *bytes;
    uint64_t base, size; /* of what the stream is, in the file or the bytes */
    uint64_t next, end;  /* stored bytes not read yet */
    bool gunzip;         /* z is initialised */
    bool ended;          /* the last gzip member is complete */
    z_stream z;
    uint8_t *input; /* INPUT_SIZE bytes, only with gunzip */
    LoaderLz4 *lz4; /* or NULL */
};

LoaderStream *loader_open(const char *path, GError **error)
{
    g_auto(Fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    LoaderStream *stream;
    struct stat st;

    if (fd < 0) {
        error_set_errno(error, errno, "cannot open");
        return NULL;
    }
    if (fstat(fd, &st) < 0) {
        error_set_errno(error, errno, "cannot get its size");
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "is not a regular file");
        return NULL;
    }
    stream = loader_open_bytes(NULL, st.st_size);
    stream->fd = fd_steal(&fd);
    return stream;
}

LoaderStream *loader_open_bytes(const void *data, size_t len)
{
    LoaderStream *stream = g_new0(LoaderStream, 1);

    stream->fd = -1;
    stream->bytes = data;
    stream->size = len;
    stream->end = len;
    return stream;
}

static void stop_unpacking(LoaderStream *stream)
{
    g_clear_pointer(&stream->lz4, loader_lz4_free);
    if (stream->gunzip) {
        inflateEnd(&stream->z);
        g_clear_pointer(&stream->input, g_free);
        stream->gunzip = false;
    }
}

void loader_close(LoaderStream *stream)
{
    if (stream == NULL) {
        return;
    }
    stop_unpacking(stream);
    fd_clear(&stream->fd);
    g_free(stream);
}

uint64_t loader_size(const LoaderStream *stream)
{
    return stream->size;
}

/* Up to len stored bytes at offset, cut at end. */
static bool fetch(LoaderStream *stream, uint64_t offset, uint64_t end, void *buf, size_t len,
                  size_t *got, GError **error)
{
    size_t want = offset < end ? MIN(len, end - offset) : 0;
    size_t done = 0;

    *got = want;
    if (stream->fd < 0) {
        if (want > 0) {
            memcpy(buf, stream->bytes + stream->base + offset, want);
        }
        return true;
    }
    while (done < want) {
        ssize_t n =
            pread(stream->fd, (char *)buf + done, want - done, stream->base + offset + done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            error_set_errno(error, errno, "cannot read at offset %" G_GUINT64_FORMAT,
                            offset + done);
            return false;
        }
        if (n == 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                        "ends at byte %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                        " (it shrank while it was read)",
                        offset + done, stream->size);
            return false;
        }
        done += n;
    }
    return true;
}

bool loader_peek(LoaderStream *stream, uint64_t offset, void *buf, size_t len, size_t *got,
                 GError **error)
{
    return fetch(stream, offset, stream->size, buf, len, got, error);
}

bool loader_narrow(LoaderStream *stream, uint64_t offset, uint64_t size, GError **error)
{
    if (offset > stream->size || size > stream->size - offset) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "ends at byte %" G_GUINT64_FORMAT ", before the %" G_GUINT64_FORMAT
                    " bytes at %" G_GUINT64_FORMAT,
                    stream->size, size, offset);
        return false;
    }
    stream->base += offset;
    stream->size = size;
    loader_select(stream, 0, size, false);
    return true;
}

bool loader_select_lz4(LoaderStream *stream, uint64_t offset, uint64_t size, GError **error)
{
    uint8_t magic[4];
    size_t got;

    loader_select(stream, offset, size, false);
    if (!loader_peek(stream, offset, magic, sizeof(magic), &got, error)) {
        return false;
    }
    g_assert(loader_is_lz4(magic, MIN(got, size)));
    stream->lz4 = loader_lz4_new(magic);
    return true;
}

void loader_select(LoaderStream *stream, uint64_t offset, uint64_t size, bool gunzip)
{
    g_assert(offset <= stream->size && size <= stream->size - offset);
    stop_unpacking(stream);
    stream->next = offset;
    stream->end = offset + size;
    stream->ended = false;
    if (gunzip) {
        stream->z = (z_stream){};
        if (inflateInit2(&stream->z, ZLIB_GZIP) != Z_OK) {
            g_error("zlib %s cannot be initialised", zlibVersion());
        }
        stream->input = g_malloc(INPUT_SIZE);
        stream->gunzip = true;
    }
}

static bool refill(LoaderStream *stream, GError **error)
{
    size_t got;

    if (!fetch(stream, stream->next, stream->end, stream->input, INPUT_SIZE, &got, error)) {
        return false;
    }
    stream->next += got;
    stream->z.next_in = stream->input;
    stream->z.avail_in = got;
    return true;
}

/* A member is complete. Another may follow at once; anything else behind it is padding. */
static bool next_member(LoaderStream *stream, GError **error)
{
    if (stream->z.avail_in < 2) {
        /* The magic may straddle two fills: read again from its first byte. */
        stream->next -= stream->z.avail_in;
        if (!refill(stream, error)) {
            return false;
        }
    }
    stream->ended = !loader_is_gzip(stream->z.next_in, stream->z.avail_in);
    return true;
}

static bool read_gzip(LoaderStream *stream, void *buf, size_t len, size_t *got, GError **error)
{
    z_stream *z = &stream->z;

    *got = 0;
    while (*got < len && !stream->ended) {
        unsigned chunk = MIN(len - *got, (size_t)1 << 30);
        int result;

        if (z->avail_in == 0 && !refill(stream, error)) {
            return false;
        }
        if (z->avail_in == 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "gzip data is cut short");
            return false;
        }
        z->next_out = (uint8_t *)buf + *got;
        z->avail_out = chunk;
        result = inflate(z, Z_NO_FLUSH);
        *got += chunk - z->avail_out;
        if (result == Z_STREAM_END) {
            if (!next_member(stream, error)) {
                return false;
            }
            if (!stream->ended) {
                inflateReset(z);
            }
        } else if (result != Z_OK) { /* there is input and room: no progress is damage, too */
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "gzip data is damaged (%s)",
                        z->msg != NULL ? z->msg : zError(result));
            return false;
        }
    }
    return true;
}

uint64_t loader_stored_left(const LoaderStream *stream)
{
    return stream->end - stream->next;
}

bool loader_next_stored(LoaderStream *stream, void *buf, size_t len, size_t *got, GError **error)
{
    if (!fetch(stream, stream->next, stream->end, buf, len, got, error)) {
        return false;
    }
    stream->next += *got;
    return true;
}

bool loader_read(LoaderStream *stream, void *buf, size_t len, size_t *got, GError **error)
{
    if (stream->gunzip) {
        return read_gzip(stream, buf, len, got, error);
    }
    if (stream->lz4 != NULL) {
        return loader_lz4_read(stream->lz4, stream, buf, len, got, error);
    }
    return loader_next_stored(stream, buf, len, got, error);
}

bool loader_store(const LoaderDest *dest, uint64_t at, const void *buf, size_t len, GError **error)
{
    g_assert(at <= dest->size && len <= dest->size - at);
    if (dest->fd < 0) {
        memcpy((char *)dest->host + at, buf, len);
        return true;
    }
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(dest->fd, (const char *)buf + done, len - done, at + done);

        if (n < 0 && errno != EINTR) {
            error_set_errno(error, errno, "cannot write %zu bytes into guest memory", len);
            return false;
        }
        done += MAX(n, 0);
    }
    return true;
}

bool loader_copy(LoaderStream *stream, const LoaderDest *dest, uint64_t at, uint64_t max,
                 uint64_t *got, GError **error)
{
    g_autofree void *buf = g_malloc(COPY_SIZE);
    size_t want, n;

    *got = 0;
    do {
        want = MIN(max - *got, COPY_SIZE);
        if (!loader_read(stream, buf, want, &n, error) ||
            !loader_store(dest, at + *got, buf, n, error)) {
            return false;
        }
        *got += n;
    } while (n == want && *got < max);
    return true;
}

bool loader_is_gzip(const void *head, size_t len)
{
    const uint8_t *p = head;

    return len >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}
