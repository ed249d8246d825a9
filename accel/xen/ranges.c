/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which accesses are ours: the ranges of the two address spaces, as the listeners report them, are
 * told to Xen when a transaction is committed.
 *
 * Each section is told by itself, and Xen joins those that touch: a device that comes or goes so
 * takes nothing from its neighbours, not for a moment. Only when Xen would have too many, what lies
 * between near ones is claimed with them.
 */
#define G_LOG_DOMAIN "humpy-xen"

#include <errno.h>
#include <inttypes.h>

#include "util/error.h"
#include "xen-priv.h"

static AccelXen *from_mem(MemoryListener *l)
{
    return (AccelXen *)((char *)l - offsetof(AccelXen, mem_listener));
}

static AccelXen *from_io(MemoryListener *l)
{
    return (AccelXen *)((char *)l - offsetof(AccelXen, io_listener));
}

/* ---- merging ---- */

static gint compare_ranges(gconstpointer a, gconstpointer b)
{
    const XenRange *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

static XenRange *range_at(GArray *ranges, unsigned i)
{
    return &g_array_index(ranges, XenRange, i);
}

/* Joins each two neighbours with at most gap addresses between them. */
static GArray *merge(GArray *sorted, uint64_t gap)
{
    GArray *merged = g_array_new(false, false, sizeof(XenRange));

    for (unsigned i = 0; i < sorted->len; i++) {
        const XenRange *next = range_at(sorted, i);
        XenRange *last = merged->len > 0 ? range_at(merged, merged->len - 1) : NULL;

        if (last != NULL && next->first - last->last - 1 <= gap) {
            last->last = next->last;
        } else {
            g_array_append_val(merged, *next);
        }
    }
    return merged;
}

/* What Xen is to be told, so that it has at most XEN_MAX_RANGES when it has joined what touches. */
static GArray *fit(XenRangeSet *set)
{
    GArray *sorted = g_array_copy(set->wanted);
    GArray *merged;
    uint64_t gap = 0;

    g_array_sort(sorted, compare_ranges);
    merged = merge(sorted, gap);
    if (merged->len <= XEN_MAX_RANGES) {
        g_array_unref(merged);
        return sorted;
    }
    if (!set->warned) {
        set->warned = true;
        g_warning("-accel xen: devices have %u ranges of %s, but Xen takes %d: what lies between "
                  "some of them is claimed, too",
                  merged->len, set->type == XENLIB_MEMORY ? "memory" : "ports", XEN_MAX_RANGES);
    }
    while (merged->len > XEN_MAX_RANGES) {
        g_array_unref(merged);
        gap = gap << 1 | 1;
        merged = merge(sorted, gap);
    }
    g_array_unref(sorted);
    return merged;
}

/* ---- telling ---- */

static const char *map_advice(int cause)
{
    switch (cause) {
    case EEXIST:
        return " (it overlaps a range of this server that Xen still has)";
    case ENOMEM:
        return " (Xen takes no more ranges)";
    case EPERM:
    case EACCES:
        return " (this domain may not emulate devices for it)";
    case ESRCH:
    case EINVAL:
        return " (the domain is gone, or no HVM or PVH domain)";
    }
    return "";
}

static void tell(AccelXen *xen, XenRangeSet *set, const XenRange *range, bool add)
{
    const char *what = set->type == XENLIB_MEMORY ? "memory" : "ports";
    int rc = (add ? xen->lib->map_range : xen->lib->unmap_range)(
        xen->handle, xen->server, set->type, range->first, range->last);
    int cause = errno;

    if (rc == 0 || !add) {
        if (rc != 0) {
            g_debug("cannot give back %s 0x%" PRIx64 ": %s", what, range->first, g_strerror(cause));
        }
        return;
    }
    if (!xen->started && xen->range_error == NULL) {
        g_set_error(&xen->range_error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "cannot claim %s 0x%" PRIx64 " to 0x%" PRIx64 " of domain %u: %s%s", what,
                    range->first, range->last, xen->domid, g_strerror(cause), map_advice(cause));
    } else if (xen->started) {
        g_warning("-accel xen: cannot claim %s 0x%" PRIx64 " to 0x%" PRIx64
                  " of domain %u, accesses to it are lost: %s%s",
                  what, range->first, range->last, xen->domid, g_strerror(cause),
                  map_advice(cause));
    }
}

/* Calls tell() for what is in one and not in the other; both ascend. */
static void tell_difference(AccelXen *xen, XenRangeSet *set, GArray *these, GArray *others,
                            bool add)
{
    for (unsigned i = 0, k = 0; i < these->len; i++) {
        const XenRange *range = range_at(these, i);

        while (k < others->len && range_at(others, k)->first < range->first) {
            k++;
        }
        if (k == others->len || range_at(others, k)->first != range->first ||
            range_at(others, k)->last != range->last) {
            tell(xen, set, range, add);
        }
    }
}

static void update(AccelXen *xen, XenRangeSet *set)
{
    GArray *now;

    if (!set->dirty) {
        return;
    }
    set->dirty = false;
    now = fit(set);
    tell_difference(xen, set, set->told, now, false);
    tell_difference(xen, set, now, set->told, true);
    g_array_unref(set->told);
    set->told = now;
}

/* ---- listening ---- */

static XenRange range_of(const MemoryRegionSection *section)
{
    return (XenRange){
        .first = section->offset_within_address_space,
        .last = section->offset_within_address_space + (section->size - 1),
    };
}

static void add_section(XenRangeSet *set, const MemoryRegionSection *section)
{
    XenRange range = range_of(section);

    g_array_append_val(set->wanted, range);
    set->dirty = true;
}

static void del_section(XenRangeSet *set, const MemoryRegionSection *section)
{
    XenRange range = range_of(section);

    for (unsigned i = 0; i < set->wanted->len; i++) {
        const XenRange *had = range_at(set->wanted, i);

        if (had->first == range.first && had->last == range.last) {
            g_array_remove_index_fast(set->wanted, i);
            set->dirty = true;
            return;
        }
    }
}

static void on_mem_add(MemoryListener *l, const MemoryRegionSection *section)
{
    if (section->mr != &from_mem(l)->guest_memory) {
        add_section(&from_mem(l)->memory, section);
    }
}

static void on_mem_del(MemoryListener *l, const MemoryRegionSection *section)
{
    if (section->mr != &from_mem(l)->guest_memory) {
        del_section(&from_mem(l)->memory, section);
    }
}

static void on_mem_commit(MemoryListener *l)
{
    update(from_mem(l), &from_mem(l)->memory);
}

static void on_io_add(MemoryListener *l, const MemoryRegionSection *section)
{
    add_section(&from_io(l)->ports, section);
}

static void on_io_del(MemoryListener *l, const MemoryRegionSection *section)
{
    del_section(&from_io(l)->ports, section);
}

static void on_io_commit(MemoryListener *l)
{
    update(from_io(l), &from_io(l)->ports);
}

bool xen_pci_function(Accel *accel, uint16_t segment, uint8_t bus, uint8_t devfn, GError **error)
{
    AccelXen *xen = HUMPY_ACCEL_XEN(accel);
    int cause;

    if (xen->lib->map_pci(xen->handle, xen->server, segment, bus, devfn) == 0) {
        return true;
    }
    cause = errno;
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                "cannot claim PCI function %04x:%02x:%02x.%u of domain %u: %s%s", segment, bus,
                devfn >> 3, devfn & 7, xen->domid, g_strerror(cause), map_advice(cause));
    return false;
}

/* ---- life ---- */

static void init_set(XenRangeSet *set, XenLibRange type)
{
    set->type = type;
    set->wanted = g_array_new(false, false, sizeof(XenRange));
    set->told = g_array_new(false, false, sizeof(XenRange));
}

void xen_ranges_init(AccelXen *xen)
{
    init_set(&xen->memory, XENLIB_MEMORY);
    init_set(&xen->ports, XENLIB_PORTS);
    xen->mem_listener = (MemoryListener){
        .name = "xen",
        .region_add = on_mem_add,
        .region_del = on_mem_del,
        .commit = on_mem_commit,
    };
    xen->io_listener = (MemoryListener){
        .name = "xen-io",
        .region_add = on_io_add,
        .region_del = on_io_del,
        .commit = on_io_commit,
    };
}

void xen_ranges_clear(AccelXen *xen)
{
    g_array_unref(xen->memory.wanted);
    g_array_unref(xen->memory.told);
    g_array_unref(xen->ports.wanted);
    g_array_unref(xen->ports.told);
    g_clear_error(&xen->range_error);
}

void xen_ranges_follow(AccelXen *xen)
{
    memory_listener_register(&xen->mem_listener, xen->info->memory);
    if (xen->info->io != NULL) {
        memory_listener_register(&xen->io_listener, xen->info->io);
    }
}

void xen_ranges_unfollow(AccelXen *xen)
{
    memory_listener_unregister(&xen->mem_listener);
    memory_listener_unregister(&xen->io_listener);
}
