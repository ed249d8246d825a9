/* SPDX-License-Identifier: GPL-2.0-or-later
 * A ring of bytes in memory: the newest that a guest wrote, for a monitor to read. Nothing is ever
 * dropped as far as the front end can see; old bytes make room.
 */
#include "chardev-priv.h"

#include <string.h>

#include "util/error.h"
#include "util/props.h"

enum { DEFAULT_SIZE = 64 * 1024, MAX_SIZE = 1 << 30 };

typedef struct {
    size_t size;
    uint8_t *bytes;
    uint64_t written, read; /* so far; read <= written <= read + size */
} Ring;

static bool ringbuf_open(Chardev *chr, KeyVal *kv, GError **error)
{
    const char *text = keyval_take(kv, "size");
    Ring *r = g_new0(Ring, 1);
    uint64_t size = DEFAULT_SIZE;

    chr->state = r;
    if (text != NULL && !props_parse_size(text, 0, &size, error)) {
        g_prefix_error(error, "size: ");
        return false;
    }
    if (size == 0 || size > MAX_SIZE || (size & (size - 1)) != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "size is %" G_GUINT64_FORMAT " but must be a power of two from 1 to %d", size,
                    MAX_SIZE);
        return false;
    }
    r->size = size;
    r->bytes = g_try_malloc(size);
    if (r->bytes == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "size: no memory for %" G_GUINT64_FORMAT " bytes", size);
        return false;
    }
    chr->opened = true;
    return true;
}

static size_t ringbuf_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    Ring *r = chr->state;
    size_t skip = len > r->size ? len - r->size : 0;

    for (size_t i = skip; i < len;) {
        size_t at = (r->written + i) & (r->size - 1);
        size_t n = MIN(len - i, r->size - at);

        memcpy(r->bytes + at, buf + i, n);
        i += n;
    }
    r->written += len;
    if (r->written - r->read > r->size) {
        r->read = r->written - r->size;
    }
    return len;
}

static void ringbuf_close(Chardev *chr)
{
    Ring *r = chr->state;

    g_free(r->bytes);
    g_free(r);
}

bool chardev_is_ringbuf(const Chardev *chr)
{
    return chr->ops == &chardev_ringbuf_ops || chr->ops == &chardev_memory_ops;
}

GBytes *chardev_ringbuf_read(Chardev *chr, size_t max)
{
    Ring *r = chr->state;
    uint8_t *bytes;
    size_t n;

    g_assert(chardev_is_ringbuf(chr));
    pthread_mutex_lock(&chr->lock);
    n = MIN(max, r->written - r->read);
    bytes = g_malloc(MAX(n, 1));
    for (size_t i = 0; i < n; i++) {
        bytes[i] = r->bytes[r->read++ & (r->size - 1)];
    }
    pthread_mutex_unlock(&chr->lock);
    return g_bytes_new_take(bytes, n);
}

const ChardevOps chardev_ringbuf_ops = {
    .name = "ringbuf",
    .summary = "a ring in memory that ringbuf-read empties",
    .keys = (const char *const[]){ "size", NULL },
    .open = ringbuf_open,
    .write = ringbuf_write,
    .close = ringbuf_close,
};

const ChardevOps chardev_memory_ops = {
    .name = "memory",
    .summary = "an older name of ringbuf",
    .keys = (const char *const[]){ "size", NULL },
    .open = ringbuf_open,
    .write = ringbuf_write,
    .close = ringbuf_close,
};
