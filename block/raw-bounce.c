/* SPDX-License-Identifier: GPL-2.0-or-later
 * Requests whose offset, length or memory O_DIRECT would refuse: in pieces through an aligned
 * buffer of bounded size; a write that covers a disk block only in part reads the rest first.
 */
#include <errno.h>
#include <stdlib.h>

#include "raw-priv.h"
#include "util/iov.h"

enum { BOUNCE_SIZE = 1 << 20 };

typedef void Bounce;

static void bounce_free(Bounce *buf)
{
    free(buf);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bounce, bounce_free)

static Bounce *bounce_new(const Raw *raw)
{
    return aligned_alloc(MAX(raw->memory_align, 4096), BOUNCE_SIZE);
}

/* The aligned range [start, end) around the bytes from offset that one buffer takes. */
typedef struct {
    uint64_t start, end; /* on disk */
    uint64_t len;        /* bytes of the request in it */
} Piece;

static Piece next_piece(const Raw *raw, uint64_t offset, uint64_t left)
{
    Piece p;

    p.start = ROUND_DOWN(offset, raw->offset_align);
    p.end = MIN(ROUND_UP(offset + left, raw->offset_align), p.start + BOUNCE_SIZE);
    p.len = MIN(left, p.end - offset);
    return p;
}

/* Reads until len bytes are there or the file ends; returns the bytes or -errno. */
static ssize_t read_up_to(Raw *raw, void *buf, uint64_t len, uint64_t offset)
{
    uint64_t done = 0;

    while (done < len) {
        ssize_t got = pread(raw->fd, (char *)buf + done, len - done, offset + done);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        done += got;
        if (got == 0 || got % raw->offset_align != 0) {
            break;
        }
    }
    return done;
}

int raw_bounce_read(Raw *raw, uint64_t offset, const struct iovec *iov, unsigned n)
{
    g_autoptr(Bounce) buf = bounce_new(raw);
    uint64_t left = iov_size(iov, n), done = 0;

    if (buf == NULL) {
        return -ENOMEM;
    }
    while (left > 0) {
        Piece p = next_piece(raw, offset, left);
        uint64_t skip = offset - p.start;
        ssize_t got = read_up_to(raw, buf, p.end - p.start, p.start);

        if (got < 0) {
            return got;
        }
        if ((uint64_t)got < skip + p.len) {
            return RAW_AT_END;
        }
        iov_from_buf(iov, n, done, (char *)buf + skip, p.len);
        offset += p.len;
        done += p.len;
        left -= p.len;
    }
    return 0;
}

/* Fills the disk block at buf + (block - p->start) with what is there now. */
static int read_block(Raw *raw, char *buf, const Piece *p, uint64_t block)
{
    ssize_t got = read_up_to(raw, buf + (block - p->start), raw->offset_align, block);

    if (got >= 0 && got < (ssize_t)raw->offset_align) {
        return -EIO;
    }
    return got < 0 ? got : 0;
}

static int write_piece(Raw *raw, char *buf, const Piece *p, uint64_t offset,
                       const struct iovec *iov, unsigned n, uint64_t done)
{
    struct iovec whole = { .iov_base = buf, .iov_len = p->end - p->start };
    uint64_t last = p->end - raw->offset_align;
    bool head = offset > p->start, tail = offset + p->len < p->end;
    int result = 0;

    if (head) {
        result = read_block(raw, buf, p, p->start);
    }
    if (result == 0 && tail && !(head && last == p->start)) {
        result = read_block(raw, buf, p, last);
    }
    if (result != 0) {
        return result;
    }
    iov_to_buf(iov, n, done, buf + (offset - p->start), p->len);
    return raw_transfer(raw, p->start, &whole, 1, true);
}

int raw_bounce_write(Raw *raw, uint64_t offset, const struct iovec *iov, unsigned n)
{
    g_autoptr(Bounce) buf = bounce_new(raw);
    uint64_t left = iov_size(iov, n), done = 0;
    int result = 0;

    if (buf == NULL) {
        return -ENOMEM;
    }
    while (left > 0 && result == 0) {
        Piece p = next_piece(raw, offset, left);

        g_rw_lock_writer_lock(&raw->bounce_lock);
        result = write_piece(raw, buf, &p, offset, iov, n, done);
        g_rw_lock_writer_unlock(&raw->bounce_lock);
        offset += p.len;
        done += p.len;
        left -= p.len;
    }
    return result;
}
