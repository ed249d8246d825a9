/* SPDX-License-Identifier: GPL-2.0-or-later
 * The table of include/accel/xenlib.h on the model: each function under the model's lock, a handle
 * restricted to its domain, faults on request by the function's name.
 */
#include <errno.h>

#include "util/error.h"
#include "xen-priv.h"

static void *lib_open(uint16_t domid, GError **error)
{
    Handle *h = g_new0(Handle, 1);

    pthread_mutex_lock(&model_lock);
    h->d = model_find_domain(domid);
    pthread_mutex_unlock(&model_lock);
    if (h->d == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "the model of Xen has no domain %u",
                    domid);
        g_clear_pointer(&h, g_free);
    }
    return h;
}

static void lib_close(void *xen)
{
    g_free(xen);
}

static int lib_restrict_all(void *xen)
{
    Handle *h = xen;
    bool fails;

    pthread_mutex_lock(&model_lock);
    fails = model_fails("restrict_all");
    h->restricted = h->d->stats.restricted = !fails;
    pthread_mutex_unlock(&model_lock);
    return fails ? -1 : 0;
}

static XenLibDomainType lib_domain_type(void *xen)
{
    Handle *h = xen;

    return h->restricted ? XENLIB_DOMAIN_UNKNOWN : h->d->type;
}

/* Runs body with the domain d, under the lock. */
#define WITH_DOMAIN(body)                                                                          \
    do {                                                                                           \
        XenModelDomain *d;                                                                         \
        int rc = -1;                                                                               \
                                                                                                   \
        pthread_mutex_lock(&model_lock);                                                           \
        d = model_enter(xen, __func__ + sizeof("lib_") - 1);                                       \
        if (d != NULL) {                                                                           \
            rc = (body);                                                                           \
        }                                                                                          \
        pthread_mutex_unlock(&model_lock);                                                         \
        return rc;                                                                                 \
    } while (0)

/* The same with the server s. */
#define WITH_SERVER(body)                                                                          \
    do {                                                                                           \
        XenModelDomain *d;                                                                         \
        Server *s;                                                                                 \
        int rc = -1;                                                                               \
                                                                                                   \
        pthread_mutex_lock(&model_lock);                                                           \
        d = model_enter(xen, __func__ + sizeof("lib_") - 1);                                       \
        s = d != NULL ? model_server(d, id) : NULL;                                                \
        if (s != NULL) {                                                                           \
            rc = (body);                                                                           \
        }                                                                                          \
        pthread_mutex_unlock(&model_lock);                                                         \
        return rc;                                                                                 \
    } while (0)

static int lib_nr_vcpus(void *xen, unsigned *n)
{
    WITH_DOMAIN((*n = d->n_vcpus, 0));
}

static int lib_create_server(void *xen, int buffering, uint16_t *id)
{
    WITH_DOMAIN(model_create_server(d, buffering, id));
}

static int lib_destroy_server(void *xen, uint16_t id)
{
    WITH_SERVER((model_destroy_server(d, s), 0));
}

static int lib_server_info(void *xen, uint16_t id, uint64_t *sync_gfn, uint64_t *buffered_gfn,
                           uint32_t *port)
{
    WITH_SERVER(model_server_info(d, s, sync_gfn, buffered_gfn, port));
}

static int lib_set_server_state(void *xen, uint16_t id, bool enabled)
{
    WITH_SERVER(model_set_state(d, s, enabled));
}

static int lib_map_range(void *xen, uint16_t id, XenLibRange type, uint64_t first, uint64_t last)
{
    WITH_SERVER(model_map_range(s, type, first, last));
}

static int lib_unmap_range(void *xen, uint16_t id, XenLibRange type, uint64_t first, uint64_t last)
{
    WITH_SERVER(model_unmap_range(s, type, first, last));
}

static uint64_t sbdf(uint16_t segment, uint8_t bus, uint8_t devfn)
{
    return (uint64_t)segment << 16 | bus << 8 | devfn;
}

static int lib_map_pci(void *xen, uint16_t id, uint16_t segment, uint8_t bus, uint8_t devfn)
{
    WITH_SERVER(model_map_range(s, XEN_DMOP_IO_RANGE_PCI, sbdf(segment, bus, devfn),
                                sbdf(segment, bus, devfn)));
}

static int lib_unmap_pci(void *xen, uint16_t id, uint16_t segment, uint8_t bus, uint8_t devfn)
{
    WITH_SERVER(model_unmap_range(s, XEN_DMOP_IO_RANGE_PCI, sbdf(segment, bus, devfn),
                                  sbdf(segment, bus, devfn)));
}

static int lib_inject_msi(void *xen, uint64_t addr, uint32_t data)
{
    WITH_DOMAIN(model_inject_msi(d, addr, data));
}

static int lib_set_irq_level(void *xen, uint32_t irq, bool level)
{
    WITH_DOMAIN(model_set_irq_level(d, irq, level));
}

static int lib_set_isa_irq_level(void *xen, uint8_t irq, bool level)
{
    WITH_DOMAIN(model_set_isa_irq(d, irq, level));
}

static int lib_set_pci_intx_level(void *xen, uint16_t segment, uint8_t bus, uint8_t dev,
                                  uint8_t pin, bool level)
{
    WITH_DOMAIN(model_set_intx(d, segment, bus, dev, pin, level));
}

static int lib_modified_memory(void *xen, uint64_t first_gfn, uint32_t n)
{
    WITH_DOMAIN(model_modified(d, first_gfn, n));
}

static int lib_shutdown(void *xen, unsigned reason)
{
    WITH_DOMAIN(model_shutdown(d, reason));
}

/* ---- pages ---- */

static void *lib_map_resource(void *xen, uint16_t id, unsigned frame, unsigned n, void **addr)
{
    void *resource = NULL;
    XenModelDomain *d;
    Server *s;

    pthread_mutex_lock(&model_lock);
    d = model_enter(xen, "map_resource");
    s = d != NULL ? model_server(d, id) : NULL;
    if (s != NULL) {
        resource = model_map_resource(d, s, frame, n, addr);
    }
    pthread_mutex_unlock(&model_lock);
    return resource;
}

static int lib_unmap_resource(void *xen, void *resource)
{
    return model_unmap_resource(resource);
}

static void *lib_map_pages(void *xen, int prot, size_t n, const uint64_t *gfns, int *errors)
{
    void *addr = NULL;
    XenModelDomain *d;

    pthread_mutex_lock(&model_lock);
    d = model_enter(xen, "map_pages");
    if (d != NULL) {
        addr = model_map_pages(d, prot, n, gfns, errors);
    }
    pthread_mutex_unlock(&model_lock);
    return addr;
}

static int lib_unmap_pages(void *xen, void *addr, size_t n)
{
    Handle *h = xen;
    int rc;

    pthread_mutex_lock(&model_lock);
    rc = model_unmap_pages(h->d, addr, n);
    pthread_mutex_unlock(&model_lock);
    return rc;
}

const XenLib xen_model_lib = {
    .name = "model",
    .open = lib_open,
    .close = lib_close,
    .restrict_all = lib_restrict_all,
    .domain_type = lib_domain_type,
    .nr_vcpus = lib_nr_vcpus,
    .create_server = lib_create_server,
    .destroy_server = lib_destroy_server,
    .server_info = lib_server_info,
    .set_server_state = lib_set_server_state,
    .map_range = lib_map_range,
    .unmap_range = lib_unmap_range,
    .map_pci = lib_map_pci,
    .unmap_pci = lib_unmap_pci,
    .inject_msi = lib_inject_msi,
    .set_irq_level = lib_set_irq_level,
    .set_isa_irq_level = lib_set_isa_irq_level,
    .set_pci_intx_level = lib_set_pci_intx_level,
    .modified_memory = lib_modified_memory,
    .shutdown = lib_shutdown,
    .map_resource = lib_map_resource,
    .unmap_resource = lib_unmap_resource,
    .map_pages = lib_map_pages,
    .unmap_pages = lib_unmap_pages,
    .evtchn_open = model_evtchn_open,
    .evtchn_close = model_evtchn_close,
    .evtchn_bind_self = model_evtchn_bind_self,
    .evtchn_bind = model_evtchn_bind,
    .evtchn_unbind = model_evtchn_unbind,
    .evtchn_pending = model_evtchn_pending,
    .evtchn_unmask = model_evtchn_unmask,
    .evtchn_notify = model_evtchn_notify,
};
