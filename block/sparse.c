/* SPDX-License-Identifier: GPL-2.0-or-later
 * driver=sparse: Android's sparse images, read-only. A header, then chunks: data, a pattern of four
 * bytes, or nothing (which reads as zeroes). All of it is checked when the image is opened;
 * requests only look up. Format: Android's libsparse, sparse_format.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block-priv.h"
#include "util/error.h"
#include "util/fd.h"

enum {
    FILE_HEADER = 28,
    CHUNK_HEADER = 12,
    CHUNK_RAW = 0xcac1,
    CHUNK_FILL = 0xcac2,
    CHUNK_NOTHING = 0xcac3,
    CHUNK_CRC = 0xcac4,
    MAX_CHUNKS = 1 << 20,
};
static const uint32_t sparse_magic = 0xed26ff3a;

typedef struct {
    uint64_t start, length; /* in the disk */
    uint64_t file_offset;   /* of data */
    uint16_t kind;
    uint8_t fill[4];
} Chunk;

typedef struct {
    Fd fd;
    uint64_t file_size;
    GArray *chunks; /* of Chunk, without gaps, none empty */
} Sparse;

typedef struct {
    uint16_t file_header, chunk_header;
    uint32_t block_size, n_blocks, n_chunks;
} Header;

static uint32_t le(const uint8_t *p, unsigned len)
{
    uint32_t value = 0;

    for (unsigned i = len; i-- > 0;) {
        value = value << 8 | p[i];
    }
    return value;
}

/* ---- requests ---- */

static const Chunk *find_chunk(const Sparse *s, uint64_t offset)
{
    unsigned low = 0, high = s->chunks->len;

    while (high - low > 1) {
        unsigned middle = (low + high) / 2;

        if (g_array_index(s->chunks, Chunk, middle).start <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &g_array_index(s->chunks, Chunk, low);
}

static int read_chunk(const Sparse *s, const Chunk *c, uint64_t at, uint8_t *buf, size_t len)
{
    if (c->kind == CHUNK_RAW) {
        return block_read_at(s->fd, c->file_offset + at, buf, len);
    }
    for (size_t i = 0; i < len; i++) { /* at is a multiple of the pattern's length or goes on */
        buf[i] = c->fill[(at + i) % sizeof(c->fill)];
    }
    return 0;
}

static int sparse_preadv(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    const Sparse *s = state;
    int result = 0;

    for (unsigned i = 0; i < n; i++) {
        size_t now;

        for (size_t done = 0; done < iov[i].iov_len && result == 0; done += now) {
            const Chunk *c = find_chunk(s, offset);
            uint64_t at = offset - c->start;

            now = MIN(iov[i].iov_len - done, c->length - at);
            result = read_chunk(s, c, at, (uint8_t *)iov[i].iov_base + done, now);
            offset += now;
        }
    }
    return result;
}

static int sparse_pwritev(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    return -EROFS;
}

static int sparse_flush(void *state)
{
    return 0;
}

static int sparse_discard(void *state, uint64_t offset, uint64_t length)
{
    return -EROFS;
}

static int sparse_write_zeroes(void *state, uint64_t offset, uint64_t length, bool may_unmap)
{
    return -EROFS;
}

static void sparse_close(void *state)
{
    Sparse *s = state;

    fd_clear(&s->fd);
    g_array_unref(s->chunks);
    g_free(s);
}

static const BlockDriver sparse_driver = {
    .name = "sparse",
    .preadv = sparse_preadv,
    .pwritev = sparse_pwritev,
    .flush = sparse_flush,
    .discard = sparse_discard,
    .write_zeroes = sparse_write_zeroes,
    .close = sparse_close,
};

/* ---- the file's structure ---- */

static bool damaged(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool damaged(GError **error, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, format);
    text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "is no whole sparse image: %s", text);
    return false;
}

static bool read_header(const Sparse *s, Header *h, GError **error)
{
    uint8_t p[FILE_HEADER];

    if (s->file_size < FILE_HEADER || block_read_at(s->fd, 0, p, sizeof(p)) != 0 ||
        le(p, 4) != sparse_magic) {
        return damaged(error, "it does not begin with 0x%08x", sparse_magic);
    }
    *h = (Header){ le(p + 8, 2), le(p + 10, 2), le(p + 12, 4), le(p + 16, 4), le(p + 20, 4) };
    if (le(p + 4, 2) != 1) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "is a sparse image of version %u; only 1 is known", le(p + 4, 2));
        return false;
    }
    if (h->file_header < FILE_HEADER || h->chunk_header < CHUNK_HEADER) {
        return damaged(error, "its headers have %u and %u bytes", h->file_header, h->chunk_header);
    }
    if (h->block_size == 0 || h->block_size % BLOCK_SECTOR_SIZE != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "has blocks of %u bytes; a multiple of %d is needed", h->block_size,
                    BLOCK_SECTOR_SIZE);
        return false;
    }
    if ((uint64_t)h->block_size * h->n_blocks > INT64_MAX - BLOCK_SECTOR_SIZE || h->n_blocks == 0) {
        return damaged(error, "it has %u blocks of %u bytes", h->n_blocks, h->block_size);
    }
    if (h->n_chunks > MAX_CHUNKS) {
        return damaged(error, "it has %u chunks, more than %d", h->n_chunks, MAX_CHUNKS);
    }
    return true;
}

/* What a chunk of this kind has behind its header; FALSE: there is no such kind. */
static bool body_size(uint16_t kind, uint64_t length, uint64_t *body)
{
    switch (kind) {
    case CHUNK_RAW:
        *body = length;
        return true;
    case CHUNK_FILL:
    case CHUNK_CRC:
        *body = 4;
        return true;
    case CHUNK_NOTHING:
        *body = 0;
        return true;
    default:
        return false;
    }
}

/* The chunk whose header is at *at in the file, which is moved behind it. */
static bool read_chunk_header(Sparse *s, const Header *h, unsigned number, uint64_t *at,
                              uint64_t *disk, GError **error)
{
    uint64_t size = (uint64_t)h->block_size * h->n_blocks, body;
    uint8_t p[CHUNK_HEADER];
    Chunk c = { .start = *disk, .file_offset = *at + h->chunk_header };
    uint32_t total;

    if (*at > s->file_size || s->file_size - *at < h->chunk_header ||
        block_read_at(s->fd, *at, p, sizeof(p)) != 0) {
        return damaged(error, "it ends before chunk %u of %u", number, h->n_chunks);
    }
    c.kind = le(p, 2);
    c.length = (uint64_t)le(p + 4, 4) * h->block_size;
    total = le(p + 8, 4);
    if (!body_size(c.kind, c.length, &body)) {
        return damaged(error, "chunk %u is of the unknown kind 0x%04x", number, c.kind);
    }
    if (total != h->chunk_header + body || (c.kind == CHUNK_CRC && c.length != 0)) {
        return damaged(error, "chunk %u has %u bytes for %" G_GUINT64_FORMAT " bytes of the disk",
                       number, total, c.length);
    }
    if (s->file_size - *at < total) {
        return damaged(error, "it ends inside chunk %u", number);
    }
    if (c.length > size - *disk) {
        return damaged(error, "chunk %u reaches beyond the disk's %" G_GUINT64_FORMAT " bytes",
                       number, size);
    }
    if (c.kind == CHUNK_FILL && block_read_at(s->fd, c.file_offset, c.fill, sizeof(c.fill)) != 0) {
        return damaged(error, "chunk %u cannot be read", number);
    }
    if (c.length > 0) {
        g_array_append_val(s->chunks, c);
    }
    *disk += c.length;
    *at += total;
    return true;
}

static bool read_map(Sparse *s, uint64_t *size, GError **error)
{
    uint64_t at, disk = 0;
    Header h = {};

    if (!read_header(s, &h, error)) {
        return false;
    }
    *size = (uint64_t)h.block_size * h.n_blocks;
    at = h.file_header;
    for (unsigned i = 0; i < h.n_chunks; i++) {
        if (!read_chunk_header(s, &h, i, &at, &disk, error)) {
            return false;
        }
    }
    return disk == *size ||
           damaged(error, "its chunks make %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes",
                   disk, *size);
}

bool sparse_open(const BlockOptions *options, BlockNode *node, GError **error)
{
    Sparse *s = g_new0(Sparse, 1);
    struct stat st;
    uint64_t size;

    s->fd = open(options->filename, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    s->chunks = g_array_new(FALSE, FALSE, sizeof(Chunk));
    if (s->fd < 0 || fstat(s->fd, &st) < 0) {
        error_set_errno(error, errno, "cannot open '%s'", options->filename);
        goto fail;
    }
    s->file_size = st.st_size;
    if (!S_ISREG(st.st_mode)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "'%s' is not a regular file",
                    options->filename);
        goto fail;
    }
    if (!options->read_only && !options->auto_read_only) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "'%s' is a sparse image, which cannot be written to (read-only=on uses it so, "
                    "driver=overlay or snapshot=on keeps what is written elsewhere)",
                    options->filename);
        goto fail;
    }
    if (options->locking && !raw_lock(s->fd, options->filename, false, error)) {
        goto fail;
    }
    if (!read_map(s, &size, error)) {
        g_prefix_error(error, "'%s' ", options->filename);
        goto fail;
    }
    *node = (BlockNode){ .driver = &sparse_driver, .state = s, .length = size, .read_only = true };
    return true;
fail:
    sparse_close(s);
    return false;
}
