/* SPDX-License-Identifier: GPL-2.0-or-later
 * The hypervisor's own view of a VM, shared by hv.c (hypercalls, states) and hv-vcpu.c (vCPU
 * threads and the hypervisor's side of the request slots).
 */
#pragma once

#include "acrn-priv.h"

/* START: created to started. PAUSE: any but powered off to paused. RESET: paused to created.
 * DESTROY: paused. */
typedef enum { HV_CREATED, HV_STARTED, HV_PAUSED, HV_POWERED_OFF } HvState;

typedef struct HvVm HvVm;

typedef struct {
    HvVm *vm;
    unsigned index;
    EngineVcpu *engine;
    GThread *thread;
} HvVcpu;

typedef struct {
    uint64_t gpa, size;
    uint8_t *host;
    unsigned flags; /* ENGINE_MAP_* */
} HvMap;

struct HvVm {
    unsigned id;
    char name[16];
    bool polling;
    const EngineOps *ops;
    struct acrn_io_request_buffer *page;
    pthread_mutex_t lock;                   /* what follows */
    pthread_cond_t finished[ACRN_MAX_CPUS]; /* a vCPU's request may be, or the VM is leaving */
    HvState state;
    bool leaving; /* vCPUs are to end their threads */
    bool levels[ACRN_N_GSIS];
    EngineVm *engine;
    GArray *maps; /* of HvMap */
    bool has_bsp; /* bsp has been set since creation or reset */
    struct acrn_regs bsp;
    unsigned n_vcpus;
    HvVcpu vcpus[ACRN_MAX_CPUS];
};

/* hv-vcpu.c and, the registers, hv-regs.c; all [locked] */
bool hv_engine_new(HvVm *vm);
void hv_engine_free(HvVm *vm);
bool hv_engine_reset(HvVm *vm);
bool hv_engine_map(HvVm *vm, const HvMap *map);
void hv_boot(HvVm *vm); /* vCPU 0, by the registers that were set */
void hv_vcpus_start(HvVm *vm);
void hv_vcpus_stop(HvVm *vm); /* unlocks while it waits for the threads */
