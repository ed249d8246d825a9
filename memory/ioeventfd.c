/* SPDX-License-Identifier: GPL-2.0-or-later
 * Doorbells: writes of a guest that signal an eventfd instead of reaching a device's ops. An
 * accelerator's listener may arm the same ones in its kernel; what still arrives as an exit is
 * signalled here. Lists are immutable and shared by a region and the views that show it.
 */
#include "memory-priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

Ioeventfd *ioeventfd_ref(Ioeventfd *e)
{
    __atomic_fetch_add(&e->refs, 1, __ATOMIC_RELAXED);
    return e;
}

static void ioeventfd_unref(Ioeventfd *e)
{
    if (__atomic_fetch_sub(&e->refs, 1, __ATOMIC_ACQ_REL) == 1) {
        if (e->own_fd >= 0) {
            close(e->own_fd);
        }
        g_free(e);
    }
}

IoeventfdList *ioeventfd_list_ref(IoeventfdList *list)
{
    if (list != NULL) {
        __atomic_fetch_add(&list->refs, 1, __ATOMIC_RELAXED);
    }
    return list;
}

void ioeventfd_list_unref(IoeventfdList *list)
{
    if (list == NULL || __atomic_fetch_sub(&list->refs, 1, __ATOMIC_ACQ_REL) != 1) {
        return;
    }
    for (unsigned i = 0; i < list->n; i++) {
        ioeventfd_unref(list->entries[i]);
    }
    g_free(list);
}

static void space_eventfd_clear(void *data)
{
    ioeventfd_unref(((SpaceEventfd *)data)->e);
}

GArray *space_eventfds_new(void)
{
    GArray *array = g_array_new(FALSE, FALSE, sizeof(SpaceEventfd));

    g_array_set_clear_func(array, space_eventfd_clear);
    return array;
}

bool ioeventfd_list_signal(const IoeventfdList *list, hwaddr offset, unsigned size, uint64_t value)
{
    static const uint64_t one = 1;
    uint64_t mask = size == 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
    unsigned lo = 0, hi = list->n;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (list->entries[mid]->offset < offset) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    for (; lo < list->n && list->entries[lo]->offset == offset; lo++) {
        Ioeventfd *e = list->entries[lo];

        if ((e->size != 0 && e->size != size) || e->own_fd < 0 ||
            (e->match_data && (e->data & mask) != (value & mask))) {
            continue;
        }
        __atomic_fetch_add(&e->rings, 1, __ATOMIC_RELAXED);
        /* A full counter (EAGAIN on a non-blocking eventfd) is signalled already. */
        return write(e->own_fd, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN;
    }
    return false;
}

/* A copy of list with room for extra more entries. */
static IoeventfdList *list_copy(const IoeventfdList *list, unsigned extra)
{
    unsigned n = list != NULL ? list->n : 0;
    IoeventfdList *copy = g_malloc0(sizeof(*copy) + (n + extra) * sizeof(copy->entries[0]));

    copy->refs = 1;
    copy->n = n;
    for (unsigned i = 0; i < n; i++) {
        copy->entries[i] = ioeventfd_ref(list->entries[i]);
    }
    return copy;
}

static void list_replace(MemoryRegion *mr, IoeventfdList *list, hwaddr offset, unsigned size)
{
    IoeventfdList *old = mr->ioeventfds;

    mr->ioeventfds = list;
    tree_mark(mr, offset, offset + MAX(size, 1) - 1);
    ioeventfd_list_unref(old);
}

void memory_region_add_eventfd(MemoryRegion *mr, hwaddr offset, unsigned size, bool match_data,
                               uint64_t data, int fd)
{
    IoeventfdList *list;
    Ioeventfd *e;
    unsigned i;

    g_return_if_fail(size <= 8 && (size & (size - 1)) == 0 && !(match_data && size == 0));
    g_return_if_fail(mr->size != 0 && offset <= region_last(mr));
    e = g_new0(Ioeventfd, 1);
    e->refs = 1;
    e->offset = offset;
    e->size = size;
    e->match_data = match_data;
    e->data = match_data ? data : 0;
    e->fd = fd;
    e->own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (e->own_fd < 0) {
        g_warning("memory: no descriptor for a doorbell of '%s': %s; its device serves it instead",
                  mr->name, g_strerror(errno));
    }

    memory_region_transaction_begin();
    list = list_copy(mr->ioeventfds, 1);
    for (i = list->n; i > 0 && list->entries[i - 1]->offset > offset; i--) {
        list->entries[i] = list->entries[i - 1];
    }
    list->entries[i] = e;
    list->n++;
    list_replace(mr, list, offset, size);
    memory_region_transaction_commit();
}

void memory_region_del_eventfd(MemoryRegion *mr, hwaddr offset, unsigned size, bool match_data,
                               uint64_t data, int fd)
{
    IoeventfdList *list;
    unsigned i;

    memory_region_transaction_begin();
    list = list_copy(mr->ioeventfds, 0);
    for (i = 0; i < list->n; i++) {
        Ioeventfd *e = list->entries[i];

        if (e->offset == offset && e->size == size && e->match_data == match_data && e->fd == fd &&
            (!match_data || e->data == data)) {
            break;
        }
    }
    if (i == list->n) {
        g_critical("memory: '%s' has no such doorbell at offset 0x%" G_GINT64_MODIFIER "x",
                   mr->name, offset);
        ioeventfd_list_unref(list);
    } else {
        ioeventfd_unref(list->entries[i]);
        list->n--;
        memmove(&list->entries[i], &list->entries[i + 1], (list->n - i) * sizeof(list->entries[0]));
        list_replace(mr, list, offset, size);
    }
    memory_region_transaction_commit();
}
