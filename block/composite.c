/* SPDX-License-Identifier: GPL-2.0-or-later
 * driver=composite: one disk made of partition images, with a partition table that is nowhere but
 * in memory. Each image starts at a whole MiB. The table and the space between partitions cannot be
 * written to.
 */
#include <errno.h>
#include <string.h>

#include "block-priv.h"
#include "gpt.h"
#include "util/error.h"
#include "util/iov.h"

enum { ALIGN = 1 << 20 };
static const uint64_t max_size = (uint64_t)1 << 56;

/* What a range of the disk is: a child's bytes, or these bytes, or zeroes. */
typedef struct {
    uint64_t start, length;
    const BlockNode *child; /* or NULL */
    const uint8_t *bytes;   /* or NULL */
} Segment;

typedef struct {
    GArray *segments; /* of Segment, without gaps */
    BlockNode *children;
    unsigned n_children;
    bool read_only;
    uint8_t front[GPT_FRONT], back[GPT_BACK];
} Composite;

static const Segment *find_segment(const Composite *c, uint64_t offset)
{
    unsigned low = 0, high = c->segments->len;

    while (high - low > 1) {
        unsigned middle = (low + high) / 2;

        if (g_array_index(c->segments, Segment, middle).start <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &g_array_index(c->segments, Segment, low);
}

static bool can_write(const Segment *s)
{
    return s->child != NULL && !s->child->read_only;
}

/* ---- requests ---- */

static int read_segment(const Segment *s, uint64_t at, const struct iovec *iov, unsigned n)
{
    uint64_t done = 0;

    if (s->child != NULL) {
        return s->child->driver->preadv(s->child->state, at, iov, n);
    }
    for (unsigned i = 0; i < n; i++) {
        if (s->bytes != NULL) {
            memcpy(iov[i].iov_base, s->bytes + at + done, iov[i].iov_len);
        } else {
            memset(iov[i].iov_base, 0, iov[i].iov_len);
        }
        done += iov[i].iov_len;
    }
    return 0;
}

static int transfer(const Composite *c, uint64_t offset, const struct iovec *iov, unsigned n,
                    bool is_write)
{
    g_autofree struct iovec *part = g_new(struct iovec, n);
    uint64_t length = iov_size(iov, n), now;
    int result = 0;

    for (uint64_t done = 0; done < length && result == 0; done += now) {
        const Segment *s = find_segment(c, offset + done);
        uint64_t at = offset + done - s->start;
        unsigned used;

        now = MIN(length - done, s->length - at);
        used = iov_slice(part, iov, n, done, now);
        if (!is_write) {
            result = read_segment(s, at, part, used);
        } else if (can_write(s)) {
            result = s->child->driver->pwritev(s->child->state, at, part, used);
        } else {
            result = -EROFS;
        }
    }
    return result;
}

static int composite_preadv(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    return transfer(state, offset, iov, n, false);
}

static int composite_pwritev(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    return transfer(state, offset, iov, n, true);
}

static int composite_flush(void *state)
{
    const Composite *c = state;
    int result = 0;

    for (unsigned i = 0; i < c->n_children; i++) {
        const BlockNode *child = &c->children[i];
        int err = child->read_only ? 0 : child->driver->flush(child->state);

        result = result == 0 ? err : result;
    }
    return result;
}

static int composite_discard(void *state, uint64_t offset, uint64_t length)
{
    int result = 0;

    for (uint64_t now; length > 0 && result == 0; offset += now, length -= now) {
        const Segment *s = find_segment(state, offset);

        now = MIN(length, s->start + s->length - offset);
        if (can_write(s)) {
            result = s->child->driver->discard(s->child->state, offset - s->start, now);
        }
    }
    return result;
}

static int composite_write_zeroes(void *state, uint64_t offset, uint64_t length, bool may_unmap)
{
    int result = 0;

    for (uint64_t now; length > 0 && result == 0; offset += now, length -= now) {
        const Segment *s = find_segment(state, offset);

        now = MIN(length, s->start + s->length - offset);
        result = can_write(s) ? s->child->driver->write_zeroes(s->child->state, offset - s->start,
                                                               now, may_unmap)
                              : -EROFS;
    }
    return result;
}

static void composite_close(void *state)
{
    Composite *c = state;

    for (unsigned i = 0; i < c->n_children; i++) {
        c->children[i].driver->close(c->children[i].state);
    }
    g_array_unref(c->segments);
    g_free(c->children);
    g_free(c);
}

static const BlockDriver composite_driver = {
    .name = "composite",
    .preadv = composite_preadv,
    .pwritev = composite_pwritev,
    .flush = composite_flush,
    .discard = composite_discard,
    .write_zeroes = composite_write_zeroes,
    .close = composite_close,
};

/* ---- opening ---- */

/* Opens part's image; *length is what the partition has of it. */
static bool open_child(Composite *c, const BlockPart *part, uint64_t *length, GError **error)
{
    BlockOptions options = *part->image;
    BlockNode *child = &c->children[c->n_children];

    options.read_only = options.read_only || c->read_only;
    if (!block_open_node(&options, child, error)) {
        return false;
    }
    c->n_children++;
    *length = part->size != 0 ? part->size : child->length;
    if (*length > child->length) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "size is %" G_GUINT64_FORMAT " but its image has only %" G_GUINT64_FORMAT
                    " bytes",
                    *length, child->length);
        return false;
    }
    if (*length == 0 || *length % GPT_SECTOR != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "has %" G_GUINT64_FORMAT " bytes, but a partition is a multiple of %d above 0",
                    *length, GPT_SECTOR);
        return false;
    }
    return true;
}

static void add_segment(Composite *c, uint64_t start, uint64_t length, const BlockNode *child,
                        const uint8_t *bytes)
{
    Segment s = { .start = start, .length = length, .child = child, .bytes = bytes };

    if (length > 0) {
        g_array_append_val(c->segments, s);
    }
}

/* FALSE: *error; what is open is in c. */
static bool open_parts(Composite *c, const BlockOptions *o, uint64_t *size, GError **error)
{
    g_autofree GptPartition *table = g_new0(GptPartition, o->n_parts);
    uint64_t end = GPT_FRONT;

    add_segment(c, 0, GPT_FRONT, NULL, c->front);
    for (unsigned i = 0; i < o->n_parts; i++) {
        const BlockPart *part = &o->parts[i];
        uint64_t start = (end + ALIGN - 1) / ALIGN * ALIGN;

        table[i] = (GptPartition){ part->label, part->guid, part->type_guid, start, 0 };
        if (!open_child(c, part, &table[i].length, error)) {
            g_prefix_error(error, "partition '%s': ", part->label);
            return false;
        }
        if (table[i].length > max_size - start) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                        "partition '%s': the disk would be larger than 64 PiB", part->label);
            return false;
        }
        add_segment(c, end, start - end, NULL, NULL);
        add_segment(c, start, table[i].length, &c->children[i], NULL);
        end = start + table[i].length;
    }
    *size = (end + GPT_BACK + ALIGN - 1) / ALIGN * ALIGN;
    add_segment(c, end, *size - GPT_BACK - end, NULL, NULL);
    add_segment(c, *size - GPT_BACK, GPT_BACK, NULL, c->back);
    return gpt_build(table, o->n_parts, *size, c->front, c->back, error);
}

bool composite_open(const BlockOptions *options, BlockNode *node, GError **error)
{
    Composite *c = g_new0(Composite, 1);
    uint64_t size;

    c->segments = g_array_new(FALSE, FALSE, sizeof(Segment));
    c->children = g_new0(BlockNode, MAX(options->n_parts, 1));
    c->read_only = options->read_only;
    if (!open_parts(c, options, &size, error)) {
        composite_close(c);
        return false;
    }
    *node = (BlockNode){
        .driver = &composite_driver,
        .state = c,
        .length = size,
        .read_only = options->read_only,
    };
    return true;
}
