/* SPDX-License-Identifier: GPL-2.0-or-later
 * The seam below -accel xen: every call of a Xen library goes through this table, so that a model
 * of the hypervisor (models/xen) can stand where Xen's libraries would. What a function does is
 * what the library function or device model operation of that name does; layouts and numbers are
 * those of Xen's public headers.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which of a server's pages, as frames of the resource. */
enum { XENLIB_FRAME_BUFFERED, XENLIB_FRAME_SYNC };

/* Whether a server gets writes that nobody waits for; 1 is for emulators that poll the ring. */
enum { XENLIB_BUFFERING_OFF = 0, XENLIB_BUFFERING_ATOMIC = 2 };

typedef enum { XENLIB_PORTS, XENLIB_MEMORY } XenLibRange;

typedef enum { XENLIB_DOMAIN_UNKNOWN, XENLIB_DOMAIN_HVM, XENLIB_DOMAIN_PVH } XenLibDomainType;

/* All functions that return an int give -1 and errno on failure, those that return a pointer NULL
 * and errno. A handle of open() is for one domain; its functions are [any]. */
typedef struct {
    const char *name;

    /* NULL: *error. */
    void *(*open)(uint16_t domid, GError **error);
    void (*close)(void *xen);
    /* Handles that are open by now can do no more to any other domain. */
    int (*restrict_all)(void *xen);
    /* What the toolstack built. Only before restrict_all. */
    XenLibDomainType (*domain_type)(void *xen);

    /* Device model operations. */
    int (*nr_vcpus)(void *xen, unsigned *n);
    int (*create_server)(void *xen, int buffering, uint16_t *id);
    int (*destroy_server)(void *xen, uint16_t id);
    /* gfn pointers may be NULL: then the pages are for map_resource. */
    int (*server_info)(void *xen, uint16_t id, uint64_t *sync_gfn, uint64_t *buffered_gfn,
                       uint32_t *buffered_port);
    int (*set_server_state)(void *xen, uint16_t id, bool enabled);
    int (*map_range)(void *xen, uint16_t id, XenLibRange type, uint64_t first, uint64_t last);
    int (*unmap_range)(void *xen, uint16_t id, XenLibRange type, uint64_t first, uint64_t last);
    int (*map_pci)(void *xen, uint16_t id, uint16_t segment, uint8_t bus, uint8_t devfn);
    int (*unmap_pci)(void *xen, uint16_t id, uint16_t segment, uint8_t bus, uint8_t devfn);
    int (*inject_msi)(void *xen, uint64_t addr, uint32_t data);
    int (*set_irq_level)(void *xen, uint32_t irq, bool level);
    int (*set_isa_irq_level)(void *xen, uint8_t irq, bool level);
    int (*set_pci_intx_level)(void *xen, uint16_t segment, uint8_t bus, uint8_t dev, uint8_t pin,
                              bool level);
    int (*modified_memory)(void *xen, uint64_t first_gfn, uint32_t n);
    int (*shutdown)(void *xen, unsigned reason); /* SHUTDOWN_* */

    /* Pages of a server, or of the domain. errors[i] is the errno value of page i. */
    void *(*map_resource)(void *xen, uint16_t id, unsigned frame, unsigned n, void **addr);
    int (*unmap_resource)(void *xen, void *resource);
    void *(*map_pages)(void *xen, int prot, size_t n, const uint64_t *gfns, int *errors);
    int (*unmap_pages)(void *xen, void *addr, size_t n);

    /* Event channels: a handle for each thread that waits. pending, which blocks until there is an
     * event, and unmask are for that thread. */
    void *(*evtchn_open)(void);
    void (*evtchn_close)(void *ev);
    int (*evtchn_bind)(void *ev, uint16_t domid, uint32_t remote_port); /* the local port */
    /* A channel from the handle to itself: the port where what is sent at *sender arrives. Only
     * before restrict_all. */
    int (*evtchn_bind_self)(void *ev, uint32_t *sender);
    int (*evtchn_unbind)(void *ev, uint32_t port);
    int (*evtchn_pending)(void *ev); /* a port */
    int (*evtchn_unmask)(void *ev, uint32_t port);
    int (*evtchn_notify)(void *ev, uint32_t port);
} XenLib;

/* Xen's own libraries, loaded when first opened. */
extern const XenLib xenlib_xen;

/* [main] What host=model means from now on; lib lives for ever. */
void xenlib_register_model(const XenLib *lib);
const XenLib *xenlib_model(void); /* or NULL: this build has none */
