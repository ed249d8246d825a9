/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reading and writing 9P messages in scatter lists of guest memory. Each byte of a message is read
 * once, nothing written is read back. What does not fit is remembered and checked once at the end.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct {
    const struct iovec *iov;
    unsigned n;
    uint64_t pos, end; /* bytes from the list's start */
    bool bad;          /* something was asked for behind the end, or a string held a NUL */
} P9Reader;

uint8_t p9_get8(P9Reader *r);
uint16_t p9_get16(P9Reader *r);
uint32_t p9_get32(P9Reader *r);
uint64_t p9_get64(P9Reader *r);
/* Never NULL; "" if bad. */
char *p9_get_string(P9Reader *r);
/* The next len bytes as a list in iov, which has room for r->n entries; returns the entries. */
unsigned p9_get_data(P9Reader *r, uint64_t len, struct iovec *iov);

typedef struct {
    const struct iovec *iov;
    unsigned n;
    uint64_t pos, end;
    bool full; /* something did not fit and was not written */
} P9Writer;

typedef struct {
    uint8_t type;
    uint32_t version;
    uint64_t path;
} P9Qid;

void p9_put8(P9Writer *w, uint8_t value);
void p9_put16(P9Writer *w, uint16_t value);
void p9_put32(P9Writer *w, uint32_t value);
void p9_put64(P9Writer *w, uint64_t value);
void p9_put_bytes(P9Writer *w, const void *data, size_t len);
void p9_put_string(P9Writer *w, const char *text);
void p9_put_text(P9Writer *w, const char *text, size_t len); /* a string with a length */
void p9_put_qid(P9Writer *w, const P9Qid *qid);
uint64_t p9_room(const P9Writer *w);
/* Room for up to len bytes behind the next skip bytes, as a list; *n entries. */
uint64_t p9_room_list(const P9Writer *w, uint64_t skip, uint64_t len, struct iovec *iov,
                      unsigned *n);
