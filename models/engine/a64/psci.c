/* SPDX-License-Identifier: GPL-2.0-or-later
 * PSCI 1.0 and the SMCCC version call over HVC (DEN 0022, DEN 0028).
 */
#include "a64.h"

enum {
    PSCI_VERSION = 0x84000000,
    PSCI_CPU_SUSPEND = 0x84000001,
    PSCI_CPU_OFF = 0x84000002,
    PSCI_CPU_ON = 0x84000003,
    PSCI_AFFINITY_INFO = 0x84000004,
    PSCI_MIGRATE_INFO_TYPE = 0x84000006,
    PSCI_SYSTEM_OFF = 0x84000008,
    PSCI_SYSTEM_RESET = 0x84000009,
    PSCI_FEATURES = 0x8400000a,
    PSCI_SYSTEM_RESET2 = 0x84000012,
    SMCCC_VERSION = 0x80000000,
};
#define CALL_64 UINT32_C(0x40000000)

static const int64_t NOT_SUPPORTED = -1, INVALID_PARAMETERS = -2, ALREADY_ON = -4, ON_PENDING = -5;

static A64Vcpu *by_affinity(A64Vm *vm, uint64_t affinity)
{
    return affinity < vm->config.n_vcpus ? LOAD_ACQUIRE(&vm->vcpu[affinity]) : NULL;
}

static int64_t cpu_on(A64Vcpu *v, uint64_t target, uint64_t pc, uint64_t context)
{
    A64Vcpu *other = by_affinity(v->vm, target);
    int64_t result = 0;

    if (!other) {
        return INVALID_PARAMETERS;
    }
    pthread_mutex_lock(&v->vm->power_lock);
    switch (LOAD_ACQUIRE(&other->power)) {
    case POWER_ON:
        result = ALREADY_ON;
        break;
    case POWER_ON_PENDING:
        result = ON_PENDING;
        break;
    default:
        other->boot_pc = pc;
        other->boot_x0 = context;
        STORE_RELEASE(&other->power, POWER_ON_PENDING);
        break;
    }
    pthread_mutex_unlock(&v->vm->power_lock);
    if (!result) {
        vcpu_notify(other, EVENT_POWER);
    }
    return result;
}

static int64_t affinity_info(A64Vcpu *v, uint64_t target, uint64_t level)
{
    A64Vcpu *other = by_affinity(v->vm, target);

    if (!other || level != 0) {
        return INVALID_PARAMETERS;
    }
    switch (LOAD_ACQUIRE(&other->power)) {
    case POWER_ON:
        return 0;
    case POWER_OFF:
        return 1;
    default:
        return 2;
    }
}

static int64_t features(uint64_t function)
{
    switch ((uint32_t)function) {
    case PSCI_VERSION:
    case PSCI_CPU_SUSPEND:
    case PSCI_CPU_SUSPEND | CALL_64:
    case PSCI_CPU_OFF:
    case PSCI_CPU_ON:
    case PSCI_CPU_ON | CALL_64:
    case PSCI_AFFINITY_INFO:
    case PSCI_AFFINITY_INFO | CALL_64:
    case PSCI_MIGRATE_INFO_TYPE:
    case PSCI_SYSTEM_OFF:
    case PSCI_SYSTEM_RESET:
    case PSCI_SYSTEM_RESET2:
    case PSCI_SYSTEM_RESET2 | CALL_64:
    case PSCI_FEATURES:
    case SMCCC_VERSION:
        return 0;
    default:
        return NOT_SUPPORTED;
    }
}

void psci_call(A64Vcpu *v)
{
    uint32_t function = (uint32_t)v->x[0];
    bool wide = function & CALL_64;
    uint64_t mask = wide ? UINT64_MAX : UINT32_MAX;
    uint64_t x1 = v->x[1] & mask, x2 = v->x[2] & mask, x3 = v->x[3] & mask;
    int64_t result = NOT_SUPPORTED;

    switch (function) {
    case PSCI_VERSION:
        result = 0x10000;
        break;
    case SMCCC_VERSION:
        result = 0x10001;
        break;
    case PSCI_CPU_SUSPEND:
    case PSCI_CPU_SUSPEND | CALL_64:
        result = 0; /* a standby state, whatever was asked for: allowed, and no state is lost */
        v->stop = STOP_WFI;
        break;
    case PSCI_CPU_OFF:
        v->stop = STOP_CPU_OFF;
        return;
    case PSCI_CPU_ON:
    case PSCI_CPU_ON | CALL_64:
        result = cpu_on(v, x1, x2, x3);
        break;
    case PSCI_AFFINITY_INFO:
    case PSCI_AFFINITY_INFO | CALL_64:
        result = affinity_info(v, x1, x2);
        break;
    case PSCI_MIGRATE_INFO_TYPE:
        result = 2; /* no trusted OS to migrate */
        break;
    case PSCI_SYSTEM_OFF:
        v->stop = STOP_SYSTEM_OFF;
        return;
    case PSCI_SYSTEM_RESET:
        v->stop = STOP_SYSTEM_RESET;
        return;
    case PSCI_SYSTEM_RESET2:
    case PSCI_SYSTEM_RESET2 | CALL_64:
        v->stop = STOP_SYSTEM_RESET2;
        return;
    case PSCI_FEATURES:
        result = features(x1);
        break;
    default:
        break; /* SMCCC: an unknown function answers -1 */
    }
    v->x[0] = (uint64_t)result & (wide || result < 0 ? UINT64_MAX : UINT32_MAX);
}
