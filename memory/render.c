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

enum { AHEAD = 8 }; /* children between fetching one into the cache and visiting it */

typedef struct {
    Fragment *v;
    size_t n, room;
    bool backwards; /* in address order from the last to the first, none overlapping */
} Fragments;

static void fragment_add(Fragments *f, Fragment fragment)
{
    if (f->n == f->room) {
        f->room = MAX(64, f->room * 2);
        f->v = g_renew(Fragment, f->v, f->room);
    }
    if (f->n > 0) {
        f->backwards &= fragment.last < f->v[f->n - 1].first;
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

            if (i >= AHEAD && c[-AHEAD].addr <= hi && c[-AHEAD].last >= lo) {
                __builtin_prefetch(c[-AHEAD].mr);
            }
            if (c->addr <= hi && c->last >= lo) {
                walk(f, c->mr, start + c->addr, first, last, readonly);
            }
        }
    }
    if (mr->kind != REGION_CONTAINER) {
        fragment_add(f, (Fragment){ first, last, mr, first - start, readonly });
    }
}

/* Least significant byte first, skipping the bytes that all addresses have in common: two or three
 * passes for a machine's regions. Returns the one of v and spare that holds the result. */
static Start *starts_sort(Start *v, Start *spare, size_t n)
{
    uint64_t differ = 0;

    for (size_t i = 1; i < n; i++) {
        differ |= v[i].first ^ v[0].first;
    }
    for (unsigned shift = 0; shift < 64; shift += 8) {
        uint32_t at[257] = { 0 };
        Start *swap;

        if ((differ >> shift & 0xff) == 0) {
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            at[(v[i].first >> shift & 0xff) + 1]++;
        }
        for (unsigned i = 1; i < 256; i++) {
            at[i] += at[i - 1];
        }
        for (size_t i = 0; i < n; i++) {
            spare[at[v[i].first >> shift & 0xff]++] = v[i];
        }
        swap = v;
        v = spare;
        spare = swap;
    }
    return v;
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

static uint32_t flags_of(const Fragment *f, hwaddr offset)
{
    MemoryRegion *mr = f->mr;
    uint32_t flags = 0;

    if (mr->kind == REGION_RAM && offset < mr->lent) {
        flags = f->readonly ? FLAT_READONLY : 0;
    } else if (mr->kind == REGION_RAM) {
        flags = FLAT_READ_DIRECT | (f->readonly ? FLAT_READONLY : FLAT_WRITE_DIRECT);
    } else if (mr->kind == REGION_ROM_DEVICE && mr->romd) {
        flags = FLAT_READ_DIRECT | FLAT_READONLY;
    }
    /* readonly says nothing about I/O: its device decides. */
    return flags;
}

static void emit(FlatView **view, size_t from, const Fragment *f, hwaddr first, hwaddr last)
{
    MemoryRegion *mr = f->mr;
    hwaddr offset = f->offset + (first - f->first);
    uint32_t flags = flags_of(f, offset);
    FlatRange *range;

    if (mr->kind == REGION_RAM && offset < mr->lent && last - first >= mr->lent - offset) {
        hwaddr rest = first + (mr->lent - offset); /* only the first part is lent */

        emit(view, from, f, first, rest - 1);
        first = rest;
        offset = mr->lent;
        flags = flags_of(f, offset);
    }

    if ((*view)->n > from) {
        range = &(*view)->ranges[(*view)->n - 1];
        if (range->mr == mr && range->last + 1 == first && range->flags == flags &&
            range->offset + (first - range->first) == offset) {
            range->last = last;
            return;
        }
    }
    if (!mr->shown) {
        mr->shown = true;
    }
    range = flatview_append(view);
    *range = (FlatRange){
        .first = first,
        .last = last,
        .mr = mr,
        .offset = offset,
        .host = mr->ram_block != NULL ? mr->ram_block->host + offset : NULL,
        .gate = mr->gate,
        .ioeventfds = mr->ioeventfds,
        .flags = flags,
        .owned = mr->owner != NULL,
    };
}

static void sweep(const Fragments *f, FlatView **view, size_t from)
{
    g_autofree Start *memory = g_new(Start, 2 * f->n);
    g_autofree uint32_t *heap = g_new(uint32_t, f->n);
    const Start *starts;
    size_t n_heap = 0, i;
    hwaddr pos = 0;

    for (i = 0; i < f->n; i++) {
        memory[i] = (Start){ f->v[i].first, i };
    }
    starts = starts_sort(memory, memory + f->n, f->n);
    i = 0;
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
                    emit(view, from, top, pos, next->first - 1);
                    pos = next->first;
                }
                heap_push(heap, &n_heap, next->rank);
            } else if (f->v[next->rank].last > top->last) {
                heap_push(heap, &n_heap, next->rank); /* else hidden for all its length */
            }
            continue;
        }
        emit(view, from, top, pos, top->last);
        if (top->last == UINT64_MAX) {
            return;
        }
        pos = top->last + 1;
        heap_pop(heap, &n_heap);
    }
}

void render_window(AddressSpace *as, AddrWindow window, FlatView **view)
{
    Fragments f = { .backwards = true };
    size_t from = (*view)->n;

    walk(&f, as->root, 0, window.first, window.last, false);
    if (f.backwards) {
        /* Siblings added in address order: the walk met the later ones first. */
        for (size_t i = f.n; i-- > 0;) {
            emit(view, from, &f.v[i], f.v[i].first, f.v[i].last);
        }
    } else {
        sweep(&f, view, from);
    }
    g_free(f.v);
}
