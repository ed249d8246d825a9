/* SPDX-License-Identifier: GPL-2.0-or-later
 * The table of include/accel/xenlib.h on Xen's libraries: they are loaded when an accelerator of
 * this type is opened, so that no other run needs them. Nothing is decided here.
 */
#define G_LOG_DOMAIN "humpy-xen"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Xen's headers take the standard ones as given. */
#include <xen/xen.h>

#include <xen/memory.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xenstore.h>
#include <xentoolcore.h>
#include <xentoollog.h>

#include "accel/xenlib.h"
#include "util/error.h"
#include "util/lazy-lib.h"

#define DM_FUNCTIONS(X)                                                                            \
    X(xendevicemodel_open)                                                                         \
    X(xendevicemodel_close)                                                                        \
    X(xendevicemodel_nr_vcpus)                                                                     \
    X(xendevicemodel_create_ioreq_server)                                                          \
    X(xendevicemodel_destroy_ioreq_server)                                                         \
    X(xendevicemodel_get_ioreq_server_info)                                                        \
    X(xendevicemodel_set_ioreq_server_state)                                                       \
    X(xendevicemodel_map_io_range_to_ioreq_server)                                                 \
    X(xendevicemodel_unmap_io_range_from_ioreq_server)                                             \
    X(xendevicemodel_map_pcidev_to_ioreq_server)                                                   \
    X(xendevicemodel_unmap_pcidev_from_ioreq_server)                                               \
    X(xendevicemodel_inject_msi)                                                                   \
    X(xendevicemodel_set_irq_level)                                                                \
    X(xendevicemodel_set_isa_irq_level)                                                            \
    X(xendevicemodel_set_pci_intx_level)                                                           \
    X(xendevicemodel_modified_memory)                                                              \
    X(xendevicemodel_shutdown)
#define FM_FUNCTIONS(X)                                                                            \
    X(xenforeignmemory_open)                                                                       \
    X(xenforeignmemory_close)                                                                      \
    X(xenforeignmemory_map)                                                                        \
    X(xenforeignmemory_unmap)                                                                      \
    X(xenforeignmemory_map_resource)                                                               \
    X(xenforeignmemory_unmap_resource)
#define EV_FUNCTIONS(X)                                                                            \
    X(xenevtchn_open)                                                                              \
    X(xenevtchn_close)                                                                             \
    X(xenevtchn_bind_interdomain)                                                                  \
    X(xenevtchn_bind_unbound_port)                                                                 \
    X(xenevtchn_unbind)                                                                            \
    X(xenevtchn_pending)                                                                           \
    X(xenevtchn_unmask)                                                                            \
    X(xenevtchn_notify)
#define CORE_FUNCTIONS(X)  X(xentoolcore_restrict_all)
#define STORE_FUNCTIONS(X) X(xs_open) X(xs_close) X(xs_read)

/* One of each, with the list of its names and how it is loaded. */
#define LIBRARY(prefix, LIST, file)                                                                \
    static struct {                                                                                \
        LIST(LAZY_FIELD)                                                                           \
    } prefix;                                                                                      \
    static const char *const prefix##_names[] = { LIST(LAZY_NAME) };                               \
    static LazyLib prefix##_lib = LAZY_LIB(file, prefix##_names, prefix)

LIBRARY(dm, DM_FUNCTIONS, "libxendevicemodel.so.1");
LIBRARY(fm, FM_FUNCTIONS, "libxenforeignmemory.so.1");
LIBRARY(ev, EV_FUNCTIONS, "libxenevtchn.so.1");
LIBRARY(core, CORE_FUNCTIONS, "libxentoolcore.so.1");
LIBRARY(store, STORE_FUNCTIONS, "libxenstore.so.4");

typedef struct {
    uint16_t domid;
    xendevicemodel_handle *dm;
    xenforeignmemory_handle *fm;
    struct xs_handle *store; /* or NULL */
} XenHandles;

/* ---- opening ---- */

/* What the libraries say of an error that they return, too. */
static void log_message(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
                        const char *context, const char *format, va_list al)
{
    g_autofree char *text = g_strdup_vprintf(format, al);

    g_debug("%s: %s", context != NULL ? context : "xen", text);
}

static void log_progress(struct xentoollog_logger *logger, const char *context,
                         const char *doing_what, int percent, unsigned long done,
                         unsigned long total)
{
}

static void log_destroy(struct xentoollog_logger *logger)
{
}

static struct xentoollog_logger logger = { log_message, log_progress, log_destroy };

static bool load_all(GError **error)
{
    LazyLib *const libs[] = { &dm_lib, &fm_lib, &ev_lib, &core_lib, &store_lib };

    for (unsigned i = 0; i < G_N_ELEMENTS(libs); i++) {
        if (!lazy_lib_load(libs[i], error)) {
            return false;
        }
    }
    return true;
}

static void lib_close(void *xen)
{
    XenHandles *h = xen;

    if (h->store != NULL) {
        store.xs_close(h->store);
    }
    if (h->fm != NULL) {
        fm.xenforeignmemory_close(h->fm);
    }
    if (h->dm != NULL) {
        dm.xendevicemodel_close(h->dm);
    }
    g_free(h);
}

static const char *open_advice(int cause)
{
    switch (cause) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return " (this is no domain of a Xen host, or its kernel's xen-privcmd module is not "
               "loaded; host=model runs the userspace model)";
    case EACCES:
    case EPERM:
        return " (give this user access to the nodes in /dev/xen)";
    }
    return "";
}

static void *lib_open(uint16_t domid, GError **error)
{
    XenHandles *h;
    int cause;

    if (!load_all(error)) {
        return NULL;
    }
    h = g_new0(XenHandles, 1);
    h->domid = domid;
    h->dm = dm.xendevicemodel_open(&logger, 0);
    h->fm = h->dm != NULL ? fm.xenforeignmemory_open(&logger, 0) : NULL;
    if (h->fm != NULL) {
        h->store = store.xs_open(0);
        return h;
    }
    cause = errno;
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "cannot open %s: %s%s",
                h->dm == NULL ? "Xen's device model interface" : "Xen's foreign memory interface",
                g_strerror(cause), open_advice(cause));
    lib_close(h);
    return NULL;
}

static int lib_restrict_all(void *xen)
{
    XenHandles *h = xen;

    if (h->store != NULL) {
        store.xs_close(h->store); /* it cannot be restricted */
        h->store = NULL;
    }
    return core.xentoolcore_restrict_all(h->domid);
}

/* As libxl notes it when it builds a domain. */
static XenLibDomainType lib_domain_type(void *xen)
{
    XenHandles *h = xen;
    g_autofree char *path = g_strdup_printf("/libxl/%u/type", h->domid);
    XenLibDomainType type = XENLIB_DOMAIN_UNKNOWN;
    unsigned len;
    char *text = h->store != NULL ? store.xs_read(h->store, XBT_NULL, path, &len) : NULL;

    if (g_strcmp0(text, "hvm") == 0) {
        type = XENLIB_DOMAIN_HVM;
    } else if (g_strcmp0(text, "pvh") == 0) {
        type = XENLIB_DOMAIN_PVH;
    }
    free(text);
    return type;
}

/* ---- device model operations ---- */

static int lib_nr_vcpus(void *xen, unsigned *n)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_nr_vcpus(h->dm, h->domid, n);
}

static int lib_create_server(void *xen, int buffering, uint16_t *id)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_create_ioreq_server(h->dm, h->domid, buffering, id);
}

static int lib_destroy_server(void *xen, uint16_t id)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_destroy_ioreq_server(h->dm, h->domid, id);
}

static int lib_server_info(void *xen, uint16_t id, uint64_t *sync_gfn, uint64_t *buffered_gfn,
                           uint32_t *buffered_port)
{
    XenHandles *h = xen;
    xen_pfn_t sync = 0, buffered = 0;
    evtchn_port_t port = 0;
    int rc = dm.xendevicemodel_get_ioreq_server_info(
        h->dm, h->domid, id, sync_gfn != NULL ? &sync : NULL,
        buffered_gfn != NULL ? &buffered : NULL, buffered_port != NULL ? &port : NULL);

    if (rc == 0 && sync_gfn != NULL) {
        *sync_gfn = sync;
    }
    if (rc == 0 && buffered_gfn != NULL) {
        *buffered_gfn = buffered;
    }
    if (rc == 0 && buffered_port != NULL) {
        *buffered_port = port;
    }
    return rc;
}

static int lib_set_server_state(void *xen, uint16_t id, bool enabled)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_set_ioreq_server_state(h->dm, h->domid, id, enabled);
}

static int lib_map_range(void *xen, uint16_t id, XenLibRange type, uint64_t first, uint64_t last)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_map_io_range_to_ioreq_server(h->dm, h->domid, id,
                                                          type == XENLIB_MEMORY, first, last);
}

static int lib_unmap_range(void *xen, uint16_t id, XenLibRange type, uint64_t first, uint64_t last)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_unmap_io_range_from_ioreq_server(h->dm, h->domid, id,
                                                              type == XENLIB_MEMORY, first, last);
}

static int lib_map_pci(void *xen, uint16_t id, uint16_t segment, uint8_t bus, uint8_t devfn)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_map_pcidev_to_ioreq_server(h->dm, h->domid, id, segment, bus,
                                                        devfn >> 3, devfn & 7);
}

static int lib_unmap_pci(void *xen, uint16_t id, uint16_t segment, uint8_t bus, uint8_t devfn)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_unmap_pcidev_from_ioreq_server(h->dm, h->domid, id, segment, bus,
                                                            devfn >> 3, devfn & 7);
}

static int lib_inject_msi(void *xen, uint64_t addr, uint32_t data)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_inject_msi(h->dm, h->domid, addr, data);
}

static int lib_set_irq_level(void *xen, uint32_t irq, bool level)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_set_irq_level(h->dm, h->domid, irq, level);
}

static int lib_set_isa_irq_level(void *xen, uint8_t irq, bool level)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_set_isa_irq_level(h->dm, h->domid, irq, level);
}

static int lib_set_pci_intx_level(void *xen, uint16_t segment, uint8_t bus, uint8_t dev,
                                  uint8_t pin, bool level)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_set_pci_intx_level(h->dm, h->domid, segment, bus, dev, pin, level);
}

static int lib_modified_memory(void *xen, uint64_t first_gfn, uint32_t n)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_modified_memory(h->dm, h->domid, first_gfn, n);
}

static int lib_shutdown(void *xen, unsigned reason)
{
    XenHandles *h = xen;

    return dm.xendevicemodel_shutdown(h->dm, h->domid, reason);
}

/* ---- pages ---- */

static void *lib_map_resource(void *xen, uint16_t id, unsigned frame, unsigned n, void **addr)
{
    XenHandles *h = xen;

    *addr = NULL;
    return fm.xenforeignmemory_map_resource(h->fm, h->domid, XENMEM_resource_ioreq_server, id,
                                            frame, n, addr, PROT_READ | PROT_WRITE, 0);
}

static int lib_unmap_resource(void *xen, void *resource)
{
    XenHandles *h = xen;

    return fm.xenforeignmemory_unmap_resource(h->fm, resource);
}

static void *lib_map_pages(void *xen, int prot, size_t n, const uint64_t *gfns, int *errors)
{
    XenHandles *h = xen;

    G_STATIC_ASSERT(sizeof(xen_pfn_t) == sizeof(*gfns));
    return fm.xenforeignmemory_map(h->fm, h->domid, prot, n, (const xen_pfn_t *)gfns, errors);
}

static int lib_unmap_pages(void *xen, void *addr, size_t n)
{
    XenHandles *h = xen;

    return fm.xenforeignmemory_unmap(h->fm, addr, n);
}

/* ---- event channels ---- */

static void *lib_evtchn_open(void)
{
    return ev.xenevtchn_open(&logger, 0);
}

static void lib_evtchn_close(void *handle)
{
    ev.xenevtchn_close(handle);
}

static int lib_evtchn_bind(void *handle, uint16_t domid, uint32_t remote_port)
{
    return ev.xenevtchn_bind_interdomain(handle, domid, remote_port);
}

static int lib_evtchn_bind_self(void *handle, uint32_t *sender)
{
    int receiver = ev.xenevtchn_bind_unbound_port(handle, DOMID_SELF);
    int other = receiver < 0 ? -1 : ev.xenevtchn_bind_interdomain(handle, DOMID_SELF, receiver);

    if (other < 0) {
        return -1;
    }
    *sender = other;
    return receiver;
}

static int lib_evtchn_unbind(void *handle, uint32_t port)
{
    return ev.xenevtchn_unbind(handle, port);
}

static int lib_evtchn_pending(void *handle)
{
    return ev.xenevtchn_pending(handle);
}

static int lib_evtchn_unmask(void *handle, uint32_t port)
{
    return ev.xenevtchn_unmask(handle, port);
}

static int lib_evtchn_notify(void *handle, uint32_t port)
{
    return ev.xenevtchn_notify(handle, port);
}

const XenLib xenlib_xen = {
    .name = "kernel",
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
    .evtchn_open = lib_evtchn_open,
    .evtchn_close = lib_evtchn_close,
    .evtchn_bind = lib_evtchn_bind,
    .evtchn_bind_self = lib_evtchn_bind_self,
    .evtchn_unbind = lib_evtchn_unbind,
    .evtchn_pending = lib_evtchn_pending,
    .evtchn_unmask = lib_evtchn_unmask,
    .evtchn_notify = lib_evtchn_notify,
};
