/* SPDX-License-Identifier: GPL-2.0-or-later
 * Shared inside accel/acrn: the accelerator object and what its files offer each other.
 *
 *   acrn.c      type, properties, opening the node, the VM's life
 *   memory.c    RAM segments and ioeventfds, as the listeners report them
 *   ioreq.c     the I/O request client: its threads, and which slots are to be served
 *   slot.c      a slot's content as a request, and the answer
 *   irq.c       interrupt lines and messages
 *   passthru.c  devices of the host that the guest gets for itself
 *
 * Lock order: the memory API's topology lock; a line's lock; client.lock. None is held while a
 * device's ops run.
 */
#pragma once

#include <linux/acrn.h>
#include <pthread.h>

#include "accel/accel-impl.h"
#include "accel/hostdev.h"

#define TYPE_ACCEL_ACRN accel_acrn_get_type()
G_DECLARE_FINAL_TYPE(AccelAcrn, accel_acrn, HUMPY, ACCEL_ACRN, Accel)

enum {
    ACRN_N_GSIS = 48, /* pins of the VM's vIOAPIC */
    ACRN_MAX_SEGMENTS = 256,
    ACRN_PAGE_SIZE = 4096,
    ACRN_PM1A_CONTROL = 0x404, /* the port that the hypervisor knows */
    ACRN_PM1A_SLEEP_ENABLE = 1 << 13,
    ACRN_PM1A_S5 = 5 << 10,
};

/* RAM as the listener saw it. */
typedef struct {
    uint64_t gpa, size;
    uint8_t *host;
    const char *name; /* borrowed from the region */
    uint64_t page;    /* size of the pages behind it */
    bool readonly;
} AcrnRam;

typedef struct {
    struct acrn_ioeventfd arg; /* as it was registered */
} AcrnDoorbell;

typedef struct {
    pthread_mutex_t lock;
    unsigned gsi;
    AccelIrqMode mode;
    bool level;
} AcrnLine;

/* One thread of the client. The first waits in the kernel and serves what it finds; each other one
 * sleeps while the VM is quiet, and takes over while the one before it is held up in a device. */
typedef struct {
    AccelAcrn *acrn;
    unsigned number;
    GThread *thread;
    uint64_t turns; /* atomic: odd while it serves a request */
    bool awake;     /* atomic: watches the one before it */
} AcrnServer;

typedef struct {
    AcrnServer *servers;
    unsigned n_servers; /* as many as there are vCPUs */
    bool exists;        /* CREATE_IOREQ_CLIENT has succeeded */
    bool quit;          /* atomic; written under lock */
    uint32_t taken;     /* atomic: slots that a server is at, a bit each */
    uint32_t stuck;     /* atomic: slots that the driver did not let us finish */
    bool complained;    /* atomic: of what a slot held */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a server is to wake, a request is served, quit */
} AcrnClient;

typedef enum { ACRN_PASSTHRU_PCI, ACRN_PASSTHRU_MMIO } AcrnPassthruKind;

typedef struct {
    AcrnPassthruKind kind;
    char text[64]; /* as typed */
    union {
        struct acrn_pcidev pci;
        struct acrn_mmiodev mmio;
    };
    bool given;
} AcrnPassthru;

struct _AccelAcrn {
    Accel parent_instance;

    /* Properties. */
    int host;
    char *device;
    char *affinity_text;
    char *pci_assign, *mmio_assign;
    bool polling, rt, lapic_passthrough, secure_world;

    HostDev dev;
    struct acrn_io_request_buffer *page; /* NULL: none */
    bool has_vm;
    uint64_t affinity;

    const AccelMachineInfo *info;
    IoReqDispatcher *dispatcher;
    MemoryListener mem_listener, io_listener;
    bool detaching; /* the listeners are being taken off */
    bool started;   /* segments are the hypervisor's: no more changes */

    /* Guarded by the topology lock. */
    GArray *ram;       /* of AcrnRam */
    GArray *doorbells; /* of AcrnDoorbell */
    bool warned_late, warned_doorbell;

    GArray *passthru;  /* of AcrnPassthru */
    GHashTable *lines; /* gsi to AcrnLine; fixed once started */
    bool warned_irq;   /* atomic */
    AcrnClient client;
};

static inline int acrn_ioctl(const AccelAcrn *acrn, unsigned long request, const void *arg)
{
    return hostdev_ioctl(acrn->dev.ops, acrn->dev.fd, request, (uintptr_t)arg);
}

/* memory.c */
void acrn_memory_init(AccelAcrn *acrn);
/* Gives the hypervisor what the listener saw so far. */
bool acrn_memory_register(AccelAcrn *acrn, GError **error);

/* ioreq.c */
void acrn_client_init(AccelAcrn *acrn);
void acrn_client_clear(AccelAcrn *acrn);
bool acrn_client_start(AccelAcrn *acrn, GError **error);
/* The VM is paused. Idempotent. */
void acrn_client_stop(AccelAcrn *acrn);
/* Returns when no request is being served; the VM is paused, so none comes. */
void acrn_client_drain(AccelAcrn *acrn);

/* slot.c */
/* Fills req, all but its origin. NULL, or what is wrong with the slot's content. */
const char *acrn_slot_take(const struct acrn_io_request *slot, IoRequest *req);
/* type: req->raw_type, of which the value's place depends. */
void acrn_slot_put(struct acrn_io_request *slot, uint32_t type, uint64_t value);

/* irq.c */
void acrn_irqs_init(AccelAcrn *acrn);
void acrn_irqs_clear(AccelAcrn *acrn);
bool acrn_irq_connect(Accel *accel, unsigned gsi, AccelIrqMode mode, GError **error);
void acrn_irq_set(Accel *accel, unsigned gsi, bool level);
void acrn_msi(Accel *accel, uint64_t addr, uint32_t data);
/* After a reset, which forgets them: tells the hypervisor which lines are high. */
void acrn_irqs_refresh(AccelAcrn *acrn);

/* passthru.c */
extern const char *acrn_pci_devices; /* where the host's PCI functions are; tests change it */
bool acrn_passthru_parse(AccelAcrn *acrn, GError **error);
bool acrn_passthru_give(AccelAcrn *acrn, GError **error);
/* The VM is paused. Idempotent. */
void acrn_passthru_take_back(AccelAcrn *acrn);
