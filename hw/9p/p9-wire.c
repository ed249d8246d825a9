/* SPDX-License-Identifier: GPL-2.0-or-later
 * See p9-wire.h.
 */
#include "p9-wire.h"

#include <endian.h>
#include <string.h>

#include "util/iov.h"

static bool get(P9Reader *r, void *value, size_t len)
{
    if (r->bad || len > r->end - r->pos) {
        r->bad = true;
        memset(value, 0, len);
        return false;
    }
    iov_to_buf(r->iov, r->n, r->pos, value, len);
    r->pos += len;
    return true;
}

uint8_t p9_get8(P9Reader *r)
{
    uint8_t value;

    get(r, &value, sizeof(value));
    return value;
}

uint16_t p9_get16(P9Reader *r)
{
    uint16_t value;

    get(r, &value, sizeof(value));
    return le16toh(value);
}

uint32_t p9_get32(P9Reader *r)
{
    uint32_t value;

    get(r, &value, sizeof(value));
    return le32toh(value);
}

uint64_t p9_get64(P9Reader *r)
{
    uint64_t value;

    get(r, &value, sizeof(value));
    return le64toh(value);
}

char *p9_get_string(P9Reader *r)
{
    uint16_t len = p9_get16(r);
    g_autofree char *text = NULL;

    if (r->bad || len > r->end - r->pos) {
        r->bad = true;
        return g_strdup("");
    }
    text = g_malloc(len + 1);
    get(r, text, len);
    text[len] = '\0';
    if (strlen(text) != len) {
        r->bad = true;
        return g_strdup("");
    }
    return g_steal_pointer(&text);
}

unsigned p9_get_data(P9Reader *r, uint64_t len, struct iovec *iov)
{
    unsigned n;

    if (r->bad || len > r->end - r->pos) {
        r->bad = true;
        return 0;
    }
    n = iov_slice(iov, r->iov, r->n, r->pos, len);
    r->pos += len;
    return n;
}

void p9_put_bytes(P9Writer *w, const void *data, size_t len)
{
    if (w->full || len > w->end - w->pos) {
        w->full = true;
        return;
    }
    iov_from_buf(w->iov, w->n, w->pos, data, len);
    w->pos += len;
}

void p9_put8(P9Writer *w, uint8_t value)
{
    p9_put_bytes(w, &value, sizeof(value));
}

void p9_put16(P9Writer *w, uint16_t value)
{
    value = htole16(value);
    p9_put_bytes(w, &value, sizeof(value));
}

void p9_put32(P9Writer *w, uint32_t value)
{
    value = htole32(value);
    p9_put_bytes(w, &value, sizeof(value));
}

void p9_put64(P9Writer *w, uint64_t value)
{
    value = htole64(value);
    p9_put_bytes(w, &value, sizeof(value));
}

void p9_put_text(P9Writer *w, const char *text, size_t len)
{
    if (len > UINT16_MAX) {
        w->full = true;
        return;
    }
    p9_put16(w, len);
    p9_put_bytes(w, text, len);
}

void p9_put_string(P9Writer *w, const char *text)
{
    p9_put_text(w, text, strlen(text));
}

void p9_put_qid(P9Writer *w, const P9Qid *qid)
{
    p9_put8(w, qid->type);
    p9_put32(w, qid->version);
    p9_put64(w, qid->path);
}

uint64_t p9_room(const P9Writer *w)
{
    return w->full ? 0 : w->end - w->pos;
}

uint64_t p9_room_list(const P9Writer *w, uint64_t skip, uint64_t len, struct iovec *iov,
                      unsigned *n)
{
    uint64_t room = p9_room(w);

    *n = 0;
    if (room <= skip) {
        return 0;
    }
    len = MIN(len, room - skip);
    *n = iov_slice(iov, w->iov, w->n, w->pos + skip, len);
    return len;
}
