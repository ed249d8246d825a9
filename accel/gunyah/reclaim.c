/* SPDX-License-Identifier: GPL-2.0-or-later
 * Giving up pages of a running guest: what the balloon or free page reporting found. A driver that
 * pages on demand (Android 15) holds on to a page from the guest's first touch; RECLAIM_REGION
 * makes it let go, and only then may the host's page go, or guest and host would go on with two
 * different ones. The guest's next touch is a page fault that gets it a new one. android14 pins
 * all RAM for the VM's life, v17 keeps it in a file of its own: nothing is given up there.
 */
#define G_LOG_DOMAIN "humpy-gunyah"

#include <errno.h>
#include <inttypes.h>

#include "gunyah-priv.h"

/* The RAM that host is in; the array is fixed once the VM has started. */
static const GunyahRam *find_ram(const AccelGunyah *gh, const uint8_t *host, uint64_t len)
{
    for (unsigned i = 0; i < gh->ram->len; i++) {
        const GunyahRam *ram = &g_array_index(gh->ram, GunyahRam, i);

        if (host >= ram->host && len <= ram->size &&
            (uint64_t)(host - ram->host) <= ram->size - len) {
            return ram;
        }
    }
    return NULL;
}

/* [any], one call at a time */
static bool reclaim(void *opaque, void *host, uint64_t len)
{
    AccelGunyah *gh = opaque;
    const GunyahRam *ram = gunyah_is_started(gh) ? find_ram(gh, host, len) : NULL;
    struct gh_address_range range = { .size = len };

    if (ram == NULL) {
        return false;
    }
    range.guest_phys_addr = ram->gpa + ((uint8_t *)host - ram->host);
    if (gunyah_vm_ioctl(gh, GH_VM_RECLAIM_REGION, &range) == 0) {
        return true;
    }
    if (!gh->warned_reclaim) { /* the guest can do without: it keeps the page */
        gh->warned_reclaim = true;
        g_message("RECLAIM_REGION at 0x%" PRIx64 ", size 0x%" PRIx64 ": %s (%s)",
                  (uint64_t)range.guest_phys_addr, len, g_strerror(errno),
                  errno == EBUSY ? "the hypervisor does not give it up while the guest runs"
                                 : "the guest's memory stays with it");
    }
    return false;
}

void gunyah_reclaim_begin(AccelGunyah *gh)
{
    if (gh->features.reclaim && !gunyah_memory_moves(gh)) {
        memory_discard_set_gate(reclaim, gh);
    } else {
        memory_discard_inhibit();
    }
}

void gunyah_reclaim_end(AccelGunyah *gh)
{
    if (gh->features.reclaim && !gunyah_memory_moves(gh)) {
        memory_discard_set_gate(NULL, NULL);
    } else {
        memory_discard_allow();
    }
}
