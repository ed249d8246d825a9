/* SPDX-License-Identifier: GPL-2.0-or-later
 * Scatter lists: size, copy in and out, and a sub-list. No allocation, no I/O.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Sum of the lengths. */
uint64_t iov_size(const struct iovec *iov, unsigned n);

/* Copies up to len bytes between buf and the list from byte offset on; returns the bytes copied,
 * less than len only where the list ends. */
size_t iov_to_buf(const struct iovec *iov, unsigned n, uint64_t offset, void *buf, size_t len);
size_t iov_from_buf(const struct iovec *iov, unsigned n, uint64_t offset, const void *buf,
                    size_t len);

/* Writes the list of the bytes [offset, offset + len) of src to dst, which has room for n entries
 * (src's n); what lies behind the end of src is left out. Returns the entries used. dst may be
 * src. */
unsigned iov_slice(struct iovec *dst, const struct iovec *src, unsigned n, uint64_t offset,
                   uint64_t len);
