/* SPDX-License-Identifier: GPL-2.0-or-later
 * Unpacking lz4 as it is read: frames (the lz4 program's) and the legacy format (lz4 -l), which is
 * how Linux packs kernels and RAM disks: a magic, then blocks of at most 8 MiB, each with its
 * packed length in front, to the end of the file. Memory is bounded by two blocks.
 */
#include <lz4.h>
#include <lz4frame.h>
#include <string.h>

#include "loader-priv.h"
#include "util/bytes.h"
#include "util/error.h"

enum { BLOCK = 8 << 20, PACKED_MAX = LZ4_COMPRESSBOUND(BLOCK), INPUT = 64 << 10 };
static const uint32_t frame_magic = 0x184d2204, legacy_magic = 0x184c2102;

struct LoaderLz4 {
    bool legacy, ended;
    LZ4F_dctx *frame;
    uint8_t *in, *out;
    size_t in_at, in_len, out_at, out_len;
};

bool loader_is_lz4(const void *head, size_t len)
{
    return len >= 4 && (get_le32(head) == frame_magic || get_le32(head) == legacy_magic);
}

void loader_lz4_free(LoaderLz4 *z)
{
    if (z == NULL) {
        return;
    }
    LZ4F_freeDecompressionContext(z->frame);
    g_free(z->in);
    g_free(z->out);
    g_free(z);
}

LoaderLz4 *loader_lz4_new(const void *head)
{
    LoaderLz4 *z = g_new0(LoaderLz4, 1);

    z->legacy = get_le32(head) == legacy_magic;
    if (!z->legacy && LZ4F_isError(LZ4F_createDecompressionContext(&z->frame, LZ4F_VERSION))) {
        g_error("liblz4 cannot be initialised");
    }
    z->in = g_malloc(z->legacy ? PACKED_MAX : INPUT);
    z->out = g_malloc(z->legacy ? BLOCK : INPUT);
    return z;
}

static bool damaged(GError **error, const char *why)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "lz4 data is %s", why);
    return false;
}

/* The next block into out. Behind the last one there may be four bytes with the whole length, which
 * kernels' build appends; a further magic joins two files. */
static bool next_block(LoaderLz4 *z, LoaderStream *stream, GError **error)
{
    uint8_t word[4];
    uint32_t packed;
    size_t got;
    int len;

    do {
        if (!loader_next_stored(stream, word, sizeof(word), &got, error)) {
            return false;
        }
        packed = got == sizeof(word) ? get_le32(word) : 0;
    } while (packed == legacy_magic);
    if (packed == 0 || loader_stored_left(stream) == 0) {
        z->ended = true;
        return true;
    }
    if (packed > PACKED_MAX) {
        return damaged(error, "damaged (a block is too long)");
    }
    if (!loader_next_stored(stream, z->in, packed, &got, error)) {
        return false;
    }
    if (got < packed) {
        return damaged(error, "cut short");
    }
    len = LZ4_decompress_safe((char *)z->in, (char *)z->out, packed, BLOCK);
    if (len < 0) {
        return damaged(error, "damaged (a block cannot be unpacked)");
    }
    z->out_len = len;
    z->out_at = 0;
    return true;
}

static bool next_frame_part(LoaderLz4 *z, LoaderStream *stream, GError **error)
{
    size_t produced = INPUT, taken, want;

    if (z->in_at == z->in_len) {
        z->in_at = 0;
        if (!loader_next_stored(stream, z->in, INPUT, &z->in_len, error)) {
            return false;
        }
        if (z->in_len == 0) {
            return damaged(error, "cut short");
        }
    }
    taken = z->in_len - z->in_at;
    want = LZ4F_decompress(z->frame, z->out, &produced, z->in + z->in_at, &taken, NULL);
    if (LZ4F_isError(want)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "lz4 data is damaged (%s)",
                    LZ4F_getErrorName(want));
        return false;
    }
    z->in_at += taken;
    z->out_at = 0;
    z->out_len = produced;
    z->ended = want == 0; /* what follows a frame is padding */
    return true;
}

bool loader_lz4_read(LoaderLz4 *z, LoaderStream *stream, void *buf, size_t len, size_t *got,
                     GError **error)
{
    *got = 0;
    while (*got < len) {
        size_t n = MIN(len - *got, z->out_len - z->out_at);

        memcpy((uint8_t *)buf + *got, z->out + z->out_at, n);
        z->out_at += n;
        *got += n;
        if (n > 0) {
            continue;
        }
        if (z->ended) {
            break;
        }
        if (!(z->legacy ? next_block(z, stream, error) : next_frame_part(z, stream, error))) {
            return false;
        }
    }
    return true;
}
