/* SPDX-License-Identifier: GPL-2.0-or-later
 * The driver's side of the request slots: PENDING to PROCESSING, who is to answer, and COMPLETE.
 * What it answers itself: ports 0xCF8 and 0xCFC, the ranges of ioeventfds, and everything while
 * requests are being cleared.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "acrn-priv.h"

enum {
    PCI_CONFIG_ADDRESS = 0xcf8,
    PCI_CONFIG_DATA = 0xcfc,
};

static struct acrn_io_request *slot_of(Hsm *hsm, unsigned vcpu)
{
    return &hsm->page->req_slot[vcpu];
}

/* Polling is looked at first: once COMPLETE, the slot is the hypervisor's. */
static void hsm_complete(Hsm *hsm, unsigned vcpu)
{
    struct acrn_io_request *slot = slot_of(hsm, vcpu);
    bool polling = slot->completion_polling;

    __atomic_store_n(&slot->processed, ACRN_IOREQ_STATE_COMPLETE, __ATOMIC_RELEASE);
    if (!polling) {
        hv_call(ACRN_HC_NOTIFY_REQUEST_FINISH, hsm->vmid, vcpu);
    }
}

/* ---- the default client ---- */

/* client_event says whether ATTACH has a reason to return. */
static void set_slots(Hsm *hsm, uint32_t slots)
{
    const uint64_t one = 1;
    uint64_t count;
    ssize_t n;

    if (slots && !hsm->client_slots) {
        n = write(hsm->client_event, &one, sizeof(one));
    } else if (!slots && hsm->client_slots) {
        n = read(hsm->client_event, &count, sizeof(count));
    } else {
        n = sizeof(one);
    }
    g_assert(n == sizeof(one));
    hsm->client_slots = slots;
}

long hsm_client_create(Hsm *hsm)
{
    if (hsm->client) {
        return -EEXIST;
    }
    set_slots(hsm, 0);
    hsm->client = true;
    return 0;
}

/* A signal ends the wait, and its result is dropped: 0 as for a request. */
long hsm_client_attach(Hsm *hsm)
{
    struct pollfd pfd = { .events = POLLIN };
    bool client;

    pthread_mutex_lock(&hsm->lock);
    client = hsm->client;
    pfd.fd = hsm->client_event;
    pthread_mutex_unlock(&hsm->lock);
    if (!client) {
        return -ENODEV;
    }
    poll(&pfd, 1, -1);
    pthread_mutex_lock(&hsm->lock);
    client = hsm->client;
    pthread_mutex_unlock(&hsm->lock);
    return client ? 0 : -ENODEV;
}

/* A waiter is woken by an event that stays until the next client is made. */
void hsm_client_destroy(Hsm *hsm)
{
    if (hsm->client) {
        set_slots(hsm, 1);
        hsm->client = false;
    }
}

long hsm_notify(Hsm *hsm, const struct acrn_ioreq_notify *notify)
{
    unsigned vcpu = notify->vcpu;

    if (notify->reserved || vcpu >= hsm->n_vcpus) {
        return -EINVAL;
    }
    if (!hsm->client) {
        return 0;
    }
    set_slots(hsm, hsm->client_slots & ~(UINT32_C(1) << vcpu));
    ACRN_COUNT(answered);
    hsm_complete(hsm, vcpu);
    return 0;
}

/* ---- PCI configuration by ports ---- */

/* TRUE: answered here. Else a data access has become one of configuration space. */
static bool serve_pci_port(Hsm *hsm, struct acrn_io_request *slot)
{
    struct acrn_pio_request *pio = &slot->reqs.pio_request;
    bool write = pio->direction == ACRN_IOREQ_DIR_WRITE;
    uint64_t port = pio->address;
    uint32_t latch = hsm->pci_latch;

    if (slot->type != ACRN_IOREQ_TYPE_PORTIO) {
        return false;
    }
    if (port == PCI_CONFIG_ADDRESS) {
        if (write) {
            hsm->pci_latch = pio->value;
        } else {
            pio->value = latch;
        }
        return true;
    }
    if (port < PCI_CONFIG_DATA || port > PCI_CONFIG_DATA + 3) {
        return false;
    }
    if (!(latch >> 31)) {
        if (!write) {
            pio->value = UINT32_MAX;
        }
        return true;
    }
    /* Direction, size and value stay where they are. */
    slot->type = ACRN_IOREQ_TYPE_PCICFG;
    slot->reqs.pci_request.bus = latch >> 16 & 0xff;
    slot->reqs.pci_request.dev = latch >> 11 & 0x1f;
    slot->reqs.pci_request.func = latch >> 8 & 7;
    slot->reqs.pci_request.reg =
        (latch & 0xfc) + (latch >> 16 & 0xf00) + (uint32_t)(port - PCI_CONFIG_DATA);
    return false;
}

/* ---- dispatch ---- */

static void processing(struct acrn_io_request *slot, bool kernel)
{
    __atomic_store_n(&slot->kernel_handled, kernel, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->processed, ACRN_IOREQ_STATE_PROCESSING, __ATOMIC_RELEASE);
}

void hsm_dispatch(Hsm *hsm)
{
    for (unsigned i = 0; hsm->page && i < hsm->n_vcpus; i++) {
        struct acrn_io_request *slot = slot_of(hsm, i);

        if (__atomic_load_n(&slot->processed, __ATOMIC_ACQUIRE) != ACRN_IOREQ_STATE_PENDING) {
            continue;
        }
        if (hsm->clearing || serve_pci_port(hsm, slot) || hsm_ioeventfd_serve(hsm, slot)) {
            processing(slot, true);
            hsm_complete(hsm, i);
        } else if (hsm->client) {
            processing(slot, false);
            set_slots(hsm, hsm->client_slots | UINT32_C(1) << i);
        } else {
            acrn_log("hsm: vm %u: vcpu %u: nobody is there to answer", hsm->vmid, i);
        }
    }
}

/* From now on what comes is completed unseen, until what is there has been. */
void hsm_clear_requests(Hsm *hsm)
{
    pthread_mutex_lock(&hsm->lock);
    hsm->clearing = true;
    hsm_dispatch(hsm);
    for (unsigned i = 0; hsm->client && i < hsm->n_vcpus; i++) {
        if (hsm->client_slots & UINT32_C(1) << i) {
            hsm_complete(hsm, i);
        }
    }
    if (hsm->client) {
        set_slots(hsm, 0);
    }
    hsm->clearing = false;
    pthread_mutex_unlock(&hsm->lock);
}
