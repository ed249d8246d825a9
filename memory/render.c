/* SPDX-License-Identifier: GPL-2.0-or-later
 * Flattening: which region answers at each address of a window. The tree is walked from the highest
 * priority down, which gives every visible piece of every region a rank; a sweep over the pieces in
 * address order then keeps the lowest rank at each address. n log n at worst for n pieces, linear
 * if they come in address order, as siblings usually do.
 */
#include "memory-priv.h"

typedef struct {
    hwaddr first, last;
    MemoryRegion *mr;
    hwaddr offset;
    bool readonly;
} Fragment;

typedef struct {
    hwaddr first;
    uint32_t rank;
} Start;

typedef struct {
    Fragment *v;
    size_t n, room;
} Fragments;

static void fragment_add(Fragments *f, Fragment fragment)
{
    if (f->n == f->room) {
        f->room = MAX(64, f->room * 2);
        f->v = g_renew(Fragment, f->v, f->room);
    }
    f->v[f->n++] = fragment;
}

/* mr's offset 0 is at start, which may lie below 0 when it is seen through an alias. */
static void walk(Fragments *f, MemoryRegion *mr, Int128 start, hwaddr first, hwaddr last,
                 bool readonly)
{
    Int128 end;

    if (!mr->enabled || mr->size == 0) {
        return;
    }
    end = start + region_last(mr);
    if (start > last || end < first) {
        return;
    }
    first = MAX(start, (Int128)first);
    last = MIN(end, (Int128)last);
    readonly |= mr->readonly;
    if (mr->alias != NULL) {
        walk(f, mr->alias, start - mr->alias_offset, first, last, readonly);
        return;
    }
    if (mr->children != NULL) {
        /* Seen from here: addresses below 2^64 relative to mr. */
        uint64_t lo = first - start, hi = last - start;

        children_tidy(mr);
        for (uint32_t i = mr->children->n; i-- > 0;) {
            const MemoryChild *c = &mr->children->v[i];

            if (c->addr <= hi && c->last >= lo) {
                walk(f, c->mr, start + c->addr, first, last, readonly);
            }
        }
    }
    if (mr->kind != REGION_CONTAINER) {
        fragment_add(f, (Fragment){ first, last, mr, first - start, readonly });
    }
}

static bool starts_before(const Start *a, const Start *b)
{
    return a->first < b->first;
}

static void starts_sort(Start *v, Start *spare, size_t n)
{
    Start *from = v, *to = spare;

    for (;;) {
        size_t i = 0, out = 0, runs = 0;
        Start *swap;

        while (i < n) {
            size_t a = i, a_end = a + 1, b, b_end;

            while (a_end < n && !starts_before(&from[a_end], &from[a_end - 1])) {
                a_end++;
            }
            b = a_end;
            b_end = MIN(b + 1, n);
            while (b_end < n && !starts_before(&from[b_end], &from[b_end - 1])) {
                b_end++;
            }
            if (runs == 0 && b == n) {
                break;
            }
            runs++;
            i = b_end;
            while (a < a_end && b < b_end) {
                to[out++] = starts_before(&from[b], &from[a]) ? from[b++] : from[a++];
            }
            while (a < a_end) {
                to[out++] = from[a++];
            }
            while (b < b_end) {
                to[out++] = from[b++];
            }
        }
        if (runs == 0) {
            break;
        }
        swap = from;
        from = to;
        to = swap;
    }
    if (from != v) {
        memcpy(v, from, n * sizeof(*v));
    }
}

/* The walk meets later siblings first, so the common case is address order backwards. */
static void starts_make(const Fragments *f, Start *v, Start *spare)
{
    size_t n = f->n;
    bool backwards = true;

    for (size_t i = 0; i < n; i++) {
        backwards &= i == 0 || f->v[i].first < f->v[i - 1].first;
    }
    for (size_t i = 0; i < n; i++) {
        size_t rank = backwards ? n - 1 - i : i;

        v[i] = (Start){ f->v[rank].first, rank };
    }
    if (!backwards) {
        starts_sort(v, spare, n);
    }
}

/* ---- a small heap of ranks, the lowest on top ---- */

static void heap_push(uint32_t *heap, size_t *n, uint32_t rank)
{
    size_t i = (*n)++;

    while (i > 0 && heap[(i - 1) / 2] > rank) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = rank;
}

static void heap_pop(uint32_t *heap, size_t *n)
{
    uint32_t rank = heap[--*n];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= *n) {
            break;
        }
        child += child + 1 < *n && heap[child + 1] < heap[child];
        if (heap[child] >= rank) {
            break;
        }
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = rank;
}

static uint32_t flags_of(const Fragment *f)
{
    MemoryRegion *mr = f->mr;
    uint32_t flags = 0;

    if (mr->kind == REGION_RAM) {
        flags = FLAT_READ_DIRECT | (f->readonly ? FLAT_READONLY : FLAT_WRITE_DIRECT);
    } else if (mr->kind == REGION_ROM_DEVICE && mr->romd) {
        flags = FLAT_READ_DIRECT | FLAT_READONLY;
    }
    /* readonly says nothing about I/O: its device decides. */
    return flags;
}

static void emit(GArray *out, const Fragment *f, hwaddr first, hwaddr last)
{
    FlatRange range = { .first = first, .last = last, .mr = f->mr, .flags = flags_of(f) };
    FlatRange *before;

    range.offset = f->offset + (first - f->first);
    if (out->len > 0) {
        before = &g_array_index(out, FlatRange, out->len - 1);
        if (before->mr == range.mr && before->last + 1 == first && before->flags == range.flags &&
            before->offset + (first - before->first) == range.offset) {
            before->last = last;
            return;
        }
    }
    if (f->mr->ram_block != NULL) {
        range.host = f->mr->ram_block->host + range.offset;
    }
    range.gate = f->mr->gate;
    range.ioeventfds = f->mr->ioeventfds;
    range.owned = f->mr->owner != NULL;
    g_array_append_val(out, range);
}

static void sweep(const Fragments *f, GArray *out)
{
    g_autofree Start *starts = g_new(Start, f->n);
    g_autofree Start *spare = g_new(Start, f->n);
    g_autofree uint32_t *heap = g_new(uint32_t, f->n);
    size_t n_heap = 0, i = 0;
    hwaddr pos = 0;

    starts_make(f, starts, spare);
    while (i < f->n || n_heap > 0) {
        const Fragment *top;

        if (n_heap == 0) {
            pos = starts[i].first;
            heap_push(heap, &n_heap, starts[i++].rank);
        }
        top = &f->v[heap[0]];
        if (top->last < pos) {
            heap_pop(heap, &n_heap);
            continue;
        }
        if (i < f->n && starts[i].first <= top->last) {
            const Start *next = &starts[i++];

            if (next->rank < heap[0]) {
                if (next->first > pos) {
                    emit(out, top, pos, next->first - 1);
                    pos = next->first;
                }
                heap_push(heap, &n_heap, next->rank);
            } else if (f->v[next->rank].last > top->last) {
                heap_push(heap, &n_heap, next->rank); /* else hidden for all its length */
            }
            continue;
        }
        emit(out, top, pos, top->last);
        if (top->last == UINT64_MAX) {
            return;
        }
        pos = top->last + 1;
        heap_pop(heap, &n_heap);
    }
}

void render_window(AddressSpace *as, AddrWindow window, GArray *out)
{
    Fragments f = { 0 };

    if (as->root != NULL) {
        walk(&f, as->root, 0, window.first, window.last, false);
    }
    if (f.n > 0) {
        sweep(&f, out);
    }
    g_free(f.v);
}
