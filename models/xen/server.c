/* SPDX-License-Identifier: GPL-2.0-or-later
 * Ioreq servers of the model: the operations about them, their pages and their ranges, which are
 * kept as Xen keeps them, touching ones joined.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xen-priv.h"

enum { RING_PAGE, FIRST_SLOT_PAGE, GFN_OF_SERVERS = 0xfef00 };

Server *model_server(XenModelDomain *d, uint16_t id)
{
    for (unsigned i = 0; i < MAX_SERVERS; i++) {
        if (d->servers[i].exists && d->servers[i].id == id) {
            return &d->servers[i];
        }
    }
    errno = ENOENT;
    return NULL;
}

ioreq_t *model_slot(Server *s, unsigned vcpu)
{
    return (ioreq_t *)(s->pages + FIRST_SLOT_PAGE * PAGE_SIZE) + vcpu;
}

struct buffered_iopage *model_ring(Server *s)
{
    return s->buffering != 0 ? (struct buffered_iopage *)s->pages : NULL;
}

/* ---- life ---- */

int model_create_server(XenModelDomain *d, int buffering, uint16_t *id)
{
    Server *s = NULL;

    if (buffering < 0 || buffering > 2 || d->type == XENLIB_DOMAIN_UNKNOWN ||
        (d->arm && buffering != 0)) {
        errno = EINVAL;
        return -1;
    }
    for (unsigned i = 0; i < MAX_SERVERS && s == NULL; i++) {
        s = d->servers[i].exists ? NULL : &d->servers[i];
    }
    if (s == NULL) {
        errno = ENOSPC;
        return -1;
    }
    *s = (Server){ .exists = true, .id = s - d->servers, .buffering = buffering };
    s->n_pages = FIRST_SLOT_PAGE + (d->n_vcpus + SLOTS_PER_PAGE - 1) / SLOTS_PER_PAGE;
    s->fd = memfd_create("xen-model-ioreq", MFD_CLOEXEC);
    if (s->fd < 0 || ftruncate(s->fd, s->n_pages * PAGE_SIZE) != 0) {
        g_error("xen model: no memory for a server");
    }
    s->pages = mmap(NULL, s->n_pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    g_assert(s->pages != MAP_FAILED);
    s->ports = g_new0(Port, d->n_vcpus + 1);
    for (unsigned i = 0; i <= d->n_vcpus; i++) {
        s->ports[i].number = d->next_port++;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(s->ranges); i++) {
        s->ranges[i] = g_array_new(false, false, sizeof(Range));
    }
    *id = s->id;
    return 0;
}

/* A vCPU that waits goes on without an answer. */
void model_destroy_server(XenModelDomain *d, Server *s)
{
    for (unsigned i = 0; i < d->n_vcpus; i++) {
        uint8_t *state = (uint8_t *)model_slot(s, i) + STATE_OFFSET;

        __atomic_store_n(state, STATE_IOREQ_NONE, __ATOMIC_RELEASE);
    }
    for (unsigned i = 0; i <= d->n_vcpus; i++) {
        s->ports[i].number = 0;
        model_unbind(&s->ports[i]);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(s->ranges); i++) {
        g_array_unref(s->ranges[i]);
    }
    g_free(s->ports);
    munmap(s->pages, s->n_pages * PAGE_SIZE);
    close(s->fd);
    *s = (Server){};
    pthread_cond_broadcast(&model_changed);
}

int model_server_info(XenModelDomain *d, Server *s, uint64_t *sync_gfn, uint64_t *buffered_gfn,
                      uint32_t *port)
{
    if (sync_gfn != NULL || buffered_gfn != NULL) {
        if (d->arm || s->has_resource) {
            errno = d->arm ? EOPNOTSUPP : EPERM;
            return -1;
        }
        s->has_gfns = true;
    }
    if (sync_gfn != NULL) {
        *sync_gfn = GFN_OF_SERVERS + s->id * 2;
    }
    if (buffered_gfn != NULL) {
        *buffered_gfn = GFN_OF_SERVERS + s->id * 2 + 1;
    }
    if (port != NULL && s->buffering != 0) {
        *port = s->ports[d->n_vcpus].number;
    }
    return 0;
}

/* Slots tell their channels only now. */
int model_set_state(XenModelDomain *d, Server *s, bool enabled)
{
    s->enabled = enabled;
    for (unsigned i = 0; i < d->n_vcpus; i++) {
        model_slot(s, i)->vp_eport = enabled ? s->ports[i].number : 0;
    }
    return 0;
}

/* ---- pages ---- */

typedef struct {
    void *addr;
    size_t size;
} Resource;

void *model_map_resource(XenModelDomain *d, Server *s, unsigned frame, unsigned n, void **addr)
{
    Resource *r;

    if (model_is_old_host()) {
        errno = EOPNOTSUPP;
    } else if (s->has_gfns) {
        errno = EPERM;
    } else if (n == 0 || frame + n > s->n_pages) {
        errno = EINVAL;
    } else if (frame == RING_PAGE && s->buffering == 0) {
        errno = ENOENT;
    } else {
        *addr =
            mmap(NULL, n * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, frame * PAGE_SIZE);
        g_assert(*addr != MAP_FAILED);
        s->has_resource = true;
        r = g_new(Resource, 1);
        *r = (Resource){ *addr, n * PAGE_SIZE };
        return r;
    }
    return NULL;
}

int model_unmap_resource(void *resource)
{
    Resource *r = resource;
    int rc = munmap(r->addr, r->size);

    g_free(r);
    return rc;
}

/* Two of the domain's pages stand for each server. */
int model_server_gfn(XenModelDomain *d, uint64_t gfn, uint64_t *offset)
{
    uint64_t n = gfn - GFN_OF_SERVERS;
    Server *s = gfn >= GFN_OF_SERVERS && n < MAX_SERVERS * 2 ? &d->servers[n / 2] : NULL;

    *offset = (n % 2 == 0 ? FIRST_SLOT_PAGE : RING_PAGE) * PAGE_SIZE;
    return s != NULL && s->exists && s->has_gfns ? s->fd : -1;
}

/* ---- ranges ---- */

static Range *range_at(GArray *ranges, unsigned i)
{
    return &g_array_index(ranges, Range, i);
}

bool model_has(const Server *s, unsigned type, uint64_t first, uint64_t last)
{
    for (unsigned i = 0; i < s->ranges[type]->len; i++) {
        const Range *r = range_at(s->ranges[type], i);

        if (first >= r->first && last <= r->last) {
            return true;
        }
    }
    return false;
}

int model_map_range(Server *s, unsigned type, uint64_t first, uint64_t last)
{
    GArray *ranges = s->ranges[type];
    Range fresh = { first, last };
    unsigned at = 0;
    bool joins_below, joins_above;

    if (first > last) {
        errno = EINVAL;
        return -1;
    }
    while (at < ranges->len && range_at(ranges, at)->last < first) {
        at++;
    }
    if (at < ranges->len && range_at(ranges, at)->first <= last) {
        errno = EEXIST;
        return -1;
    }
    joins_below = at > 0 && range_at(ranges, at - 1)->last + 1 == first;
    joins_above = at < ranges->len && last + 1 == range_at(ranges, at)->first;
    if (joins_below && joins_above) {
        range_at(ranges, at - 1)->last = range_at(ranges, at)->last;
        g_array_remove_index(ranges, at);
    } else if (joins_below) {
        range_at(ranges, at - 1)->last = last;
    } else if (joins_above) {
        range_at(ranges, at)->first = first;
    } else if (ranges->len == MAX_RANGES) {
        errno = ENOMEM;
        return -1;
    } else {
        g_array_insert_val(ranges, at, fresh);
    }
    return 0;
}

int model_unmap_range(Server *s, unsigned type, uint64_t first, uint64_t last)
{
    GArray *ranges = s->ranges[type];
    unsigned at = 0;
    Range *r, rest;

    if (first > last || !model_has(s, type, first, last)) {
        errno = first > last ? EINVAL : ENOENT;
        return -1;
    }
    while (range_at(ranges, at)->last < first) {
        at++;
    }
    r = range_at(ranges, at);
    rest = (Range){ last + 1, r->last };
    if (r->first == first && r->last == last) {
        g_array_remove_index(ranges, at);
    } else if (r->first == first) {
        r->first = last + 1;
    } else if (r->last == last) {
        r->last = first - 1;
    } else if (ranges->len == MAX_RANGES) {
        errno = ENOMEM;
        return -1;
    } else {
        r->last = first - 1;
        g_array_insert_val(ranges, at + 1, rest);
    }
    return 0;
}
