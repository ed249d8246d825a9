/* SPDX-License-Identifier: GPL-2.0-or-later
 * The pages in which Xen puts requests: as a resource of the server or, on hypervisors and kernels
 * that cannot do that, as two pages of the domain itself.
 */
#include <errno.h>
#include <sys/mman.h>

#include "util/error.h"
#include "xen-priv.h"

static unsigned sync_pages(const AccelXen *xen)
{
    return (xen->n_vcpus + XEN_SLOTS_PER_PAGE - 1) / XEN_SLOTS_PER_PAGE;
}

static void *map_one(AccelXen *xen, uint64_t gfn)
{
    return xen->lib->map_pages(xen->handle, PROT_READ | PROT_WRITE, 1, &gfn, NULL);
}

/* Only there for one page of slots: nobody who makes more of them lacks resources. */
static bool map_frames_of_domain(AccelXen *xen, GError **error)
{
    uint64_t sync, buffered;

    if (xen->n_vcpus > XEN_SLOTS_PER_PAGE) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "domain %u has %u vCPUs, but this host can map the requests of %d only: "
                    "mapping resources of Xen takes Linux 4.18",
                    xen->domid, xen->n_vcpus, (int)XEN_SLOTS_PER_PAGE);
        return false;
    }
    if (xen->lib->server_info(xen->handle, xen->server, &sync, xen->buffered ? &buffered : NULL,
                              NULL) != 0) {
        error_set_errno(error, errno, "cannot find the request pages of domain %u", xen->domid);
        return false;
    }
    xen->pages = map_one(xen, sync);
    if (xen->pages != NULL && xen->buffered) {
        xen->ring_page = map_one(xen, buffered);
    }
    if (xen->pages == NULL || (xen->buffered && xen->ring_page == NULL)) {
        error_set_errno(error, errno, "cannot map the request pages of domain %u", xen->domid);
        return false;
    }
    xen->n_pages = 1;
    xen->slots = xen->pages;
    xen->ring = xen->ring_page;
    return true;
}

bool xen_pages_map(AccelXen *xen, GError **error)
{
    unsigned first = xen->buffered ? XENLIB_FRAME_BUFFERED : XENLIB_FRAME_SYNC;

    xen->n_pages = sync_pages(xen) + (xen->buffered ? 1 : 0);
    xen->resource =
        xen->lib->map_resource(xen->handle, xen->server, first, xen->n_pages, &xen->pages);
    if (xen->resource == NULL && errno == EOPNOTSUPP) {
        return map_frames_of_domain(xen, error);
    }
    if (xen->resource == NULL) {
        int cause = errno;

        xen->pages = NULL;
        error_set_errno(error, cause, "cannot map the %u request pages of %u vCPUs of domain %u",
                        xen->n_pages, xen->n_vcpus, xen->domid);
        return false;
    }
    xen->ring = xen->buffered ? xen->pages : NULL;
    xen->slots = (ioreq_t *)((uint8_t *)xen->pages + (xen->buffered ? XEN_PAGE_SIZE : 0));
    return true;
}

void xen_pages_unmap(AccelXen *xen)
{
    if (xen->resource != NULL) {
        xen->lib->unmap_resource(xen->handle, xen->resource);
    } else if (xen->pages != NULL) {
        xen->lib->unmap_pages(xen->handle, xen->pages, 1);
    }
    if (xen->ring_page != NULL) {
        xen->lib->unmap_pages(xen->handle, xen->ring_page, 1);
    }
    xen->resource = xen->pages = xen->ring_page = NULL;
    xen->slots = NULL;
    xen->ring = NULL;
}
