/* SPDX-License-Identifier: GPL-2.0-or-later
 * A small machine around an engine, for its tests: RAM, one thread for each vCPU, and the debug
 * ports that tests/engine/payload/lib.h names. No accelerator, no device models.
 */
#pragma once

#include "models/engine.h"

enum {
    PAYLOAD_RAM = 0x40000000,
    PAYLOAD_RAM_SIZE = 0x04000000,
    PAYLOAD_ENTRY = 0x40200000,
    PAYLOAD_MAX_CPUS = 8,
};

typedef enum {
    PAYLOAD_END_STATUS, /* the exit port was written */
    PAYLOAD_END_OFF,
    PAYLOAD_END_RESET,
    PAYLOAD_END_ERROR, /* the engine gave up, see text */
    PAYLOAD_END_STOPPED,
} PayloadEnd;

typedef struct PayloadVm PayloadVm;

typedef struct {
    PayloadEnd end;
    unsigned status;
    const char *text; /* of ERROR; valid until payload_vm_free() */
} PayloadResult;

/* NULL with *error if this build has no such engine ("a64", "kvm"), or the engine refuses. */
PayloadVm *payload_vm_new(const char *engine, unsigned n_cpus, GError **error);
void payload_vm_free(PayloadVm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PayloadVm, payload_vm_free)

/* Host address of gpa, NULL if [gpa, gpa + size) is not all RAM. */
void *payload_vm_ram(PayloadVm *vm, uint64_t gpa, uint64_t size);
bool payload_vm_load(PayloadVm *vm, const char *file, uint64_t gpa, GError **error);
/* What the payload prints goes to stdout, or to output if that is set (borrowed). */
void payload_vm_set_output(PayloadVm *vm, GString *output);

/* Boots vCPU 0 at entry. start/stop/wait split payload_vm_run() for tests that act meanwhile;
 * stop makes all vCPUs return and wait then says STOPPED, unless the payload was done before. */
void payload_vm_start(PayloadVm *vm, uint64_t entry);
void payload_vm_stop(PayloadVm *vm);
PayloadResult payload_vm_wait(PayloadVm *vm);
PayloadResult payload_vm_run(PayloadVm *vm, uint64_t entry);

const EngineOps *payload_vm_ops(PayloadVm *vm);
EngineVm *payload_vm_engine(PayloadVm *vm);
EngineVcpu *payload_vm_vcpu(PayloadVm *vm, unsigned index);
