/* SPDX-License-Identifier: GPL-2.0-or-later
 * Walking scatter lists.
 */
#include "util/iov.h"

#include <glib.h>
#include <string.h>

uint64_t iov_size(const struct iovec *iov, unsigned n)
{
    uint64_t size = 0;

    for (unsigned i = 0; i < n; i++) {
        size += iov[i].iov_len;
    }
    return size;
}

static size_t copy(const struct iovec *iov, unsigned n, uint64_t offset, void *to, const void *from,
                   size_t len)
{
    size_t done = 0;

    for (unsigned i = 0; i < n && done < len; i++) {
        size_t part;

        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }
        part = MIN(iov[i].iov_len - offset, len - done);
        if (to != NULL) {
            memcpy((char *)to + done, (char *)iov[i].iov_base + offset, part);
        } else {
            memcpy((char *)iov[i].iov_base + offset, (const char *)from + done, part);
        }
        done += part;
        offset = 0;
    }
    return done;
}

size_t iov_to_buf(const struct iovec *iov, unsigned n, uint64_t offset, void *buf, size_t len)
{
    return copy(iov, n, offset, buf, NULL, len);
}

size_t iov_from_buf(const struct iovec *iov, unsigned n, uint64_t offset, const void *buf,
                    size_t len)
{
    return copy(iov, n, offset, NULL, buf, len);
}

unsigned iov_slice(struct iovec *dst, const struct iovec *src, unsigned n, uint64_t offset,
                   uint64_t len)
{
    unsigned used = 0;

    for (unsigned i = 0; i < n && len > 0; i++) {
        struct iovec part = src[i];

        if (offset >= part.iov_len) {
            offset -= part.iov_len;
            continue;
        }
        part.iov_base = (char *)part.iov_base + offset;
        part.iov_len = MIN(part.iov_len - offset, len);
        offset = 0;
        len -= part.iov_len;
        dst[used++] = part;
    }
    return used;
}
