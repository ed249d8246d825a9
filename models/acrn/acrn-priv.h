/* SPDX-License-Identifier: GPL-2.0-or-later
 * Shared inside models/acrn. Two sides that meet only in hypercalls, the callback and the request
 * page, as on the real thing: the Service VM's driver (hsm-*.c) and the hypervisor (hv-*.c). Where
 * those speak of the Service VM's physical addresses, the model uses addresses of this process.
 *
 * Lock order: list_lock (hsm.c), Hsm.lock, table_lock (hv.c), HvVm.lock.
 */
#pragma once

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/acrn-hypercall.h>

#include "../common/log.h"
#include "../common/object.h"
#include "../common/user.h"
#include "models/acrn-model.h"
#include "models/engine.h"

enum {
    ACRN_MAX_CPUS = 8,
    ACRN_MAX_SEGMENTS = 256,
    ACRN_MAX_OPS = ((4 << 20) - 24) / 32, /* what one kmalloc() holds */
    ACRN_N_GSIS = 48,
    ACRN_PAGE = 4096,
};

/* ---- knobs.c ---- */
typedef struct {
    char engine[16]; /* "" for the best one */
    unsigned cpus;
    uint64_t page; /* 0: as it is */
    bool log;
} AcrnKnobs;

extern ModelState acrn_model;
extern AcrnModelStats acrn_model_counters;
#define acrn_log(...)     model_logf(&acrn_model, __VA_ARGS__)
#define ACRN_COUNT(field) MODEL_ADD(acrn_model_counters.field)

/* ---- the hypervisor ---- */
/* VMCALL: R8, RDI, RSI to RAX. 0 or the hypervisor's own negative number. [any] */
long hv_call(uint64_t nr, uint64_t rdi, uint64_t rsi);
unsigned hv_n_vms(void);
/* Vector 0xF3 into the Service VM: called in a vCPU's thread. */
void hsm_callback(void);

/* ---- the driver ---- */
typedef struct {
    int fd; /* the driver's own reference to the eventfd */
    bool pio, wildcard;
    uint64_t addr, data;
    uint32_t len;
} Ioeventfd;

typedef struct {
    int fd, epoll; /* epoll tells each write once */
    struct acrn_msi_entry msi;
} Irqfd;

typedef struct {
    Object obj;
    AcrnKnobs knobs;
    pthread_mutex_t lock; /* what follows */
    uint16_t vmid;        /* ACRN_INVALID_VMID: no VM */
    unsigned n_vcpus;
    struct acrn_io_request_buffer *page;
    unsigned n_segments;
    bool clearing;
    uint32_t pci_latch; /* what was written to 0xCF8 */
    /* the default client */
    bool client;
    uint32_t client_slots; /* requests it has not finished, a bit each */
    int client_event;      /* readable while there are any, or it is being destroyed */
    GArray *ioeventfds;    /* of Ioeventfd */
    GArray *irqfds;        /* of Irqfd */
    GThread *irq_thread;
    int irq_epoll, irq_stop;
} Hsm;

/* hsm-ioreq.c, [locked] unless said otherwise */
void hsm_dispatch(Hsm *hsm);
long hsm_notify(Hsm *hsm, const struct acrn_ioreq_notify *notify);
long hsm_client_create(Hsm *hsm);
long hsm_client_attach(Hsm *hsm); /* [unlocked] */
void hsm_client_destroy(Hsm *hsm);
void hsm_clear_requests(Hsm *hsm);
/* hsm-memory.c, [locked] */
long hsm_set_segment(Hsm *hsm, uintptr_t arg);
long hsm_unset_segment(Hsm *hsm, uintptr_t arg);
bool hsm_page_writable(uint64_t addr);
/* hsm-eventfd.c, [locked] */
long hsm_ioeventfd(Hsm *hsm, const struct acrn_ioeventfd *args);
long hsm_irqfd(Hsm *hsm, const struct acrn_irqfd *args);
/* The range client's part of a request; FALSE: none of its ranges. */
bool hsm_ioeventfd_serve(Hsm *hsm, struct acrn_io_request *req);
void hsm_eventfds_close(Hsm *hsm); /* [unlocked] the VM is going */
