/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which numbers VMs have: those that somebody asks for are the resource manager's static ones, the
 * others come from a range of their own. How many VMs there can be is a knob.
 */
#include "gunyah-priv.h"

enum { VMID_HOST = 3, STATIC_END = 64, DYNAMIC_BASE = 128 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t static_used = 1U << 0 | 1U << VMID_HOST;
static uint64_t dynamic_used;
static unsigned n_used;

static bool take_static(GhVm *vm, unsigned wanted)
{
    const uint64_t bit = wanted < STATIC_END ? (uint64_t)1 << wanted : 0;

    if (!bit || static_used & bit) {
        return false;
    }
    static_used |= bit;
    vm->vmid = wanted;
    return true;
}

static bool take_dynamic(GhVm *vm)
{
    if (dynamic_used == UINT64_MAX) {
        return false;
    }
    vm->vmid = DYNAMIC_BASE + (unsigned)__builtin_ctzll(~dynamic_used);
    dynamic_used |= (uint64_t)1 << (vm->vmid - DYNAMIC_BASE);
    return true;
}

RmError rm_alloc_vmid(GhVm *vm, unsigned wanted)
{
    RmError code = RM_OK;

    if (vm->knobs.fail_step == STEP_VMID) {
        return (RmError)vm->knobs.fail_code;
    }
    pthread_mutex_lock(&lock);
    if (n_used >= vm->knobs.capacity) {
        code = (RmError)vm->knobs.capacity_code;
    } else if (wanted ? take_static(vm, wanted) : take_dynamic(vm)) {
        n_used++;
    } else {
        code = RM_NO_RESOURCE;
    }
    pthread_mutex_unlock(&lock);
    return code;
}

void rm_free_vmid(GhVm *vm)
{
    if (!vm->vmid) {
        return;
    }
    pthread_mutex_lock(&lock);
    if (vm->vmid < STATIC_END) {
        static_used &= ~((uint64_t)1 << vm->vmid);
    } else {
        dynamic_used &= ~((uint64_t)1 << (vm->vmid - DYNAMIC_BASE));
    }
    n_used--;
    vm->vmid = 0;
    pthread_mutex_unlock(&lock);
}
