/* SPDX-License-Identifier: GPL-2.0-or-later
 * vCPUs of the modelled hypervisor: a thread each that runs the engine and takes what it cannot
 * answer through the request slots. FREE to PENDING and COMPLETE to FREE are this side's steps.
 */
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "hv-priv.h"

enum {
    /* A vCPU that waits for an answer stays awake so long, leaving its core to whoever has work:
     * waking it costs ten times what a request does. */
    AWAKE_US = 500,
    PM1A_CONTROL = 0x404,
    PM1A_SLEEP_ENABLE = 1 << 13,
    PM1A_S5 = 5 << 10,
};

bool hv_engine_map(HvVm *vm, const HvMap *map)
{
    g_autoptr(GError) error = NULL;

    if (!vm->ops->vm_map(vm->engine, map->gpa, map->size, map->host, map->flags, &error)) {
        acrn_log("hv: vm %u: cannot map 0x%" G_GINT64_MODIFIER "x: %s", vm->id, map->gpa,
                 error->message);
        return false;
    }
    return true;
}

bool hv_engine_new(HvVm *vm)
{
    EngineVmConfig config = { .n_vcpus = vm->n_vcpus, .n_spis = 256, .mmio_limit = UINT64_MAX };
    g_autoptr(GError) error = NULL;

    vm->engine = vm->ops->vm_new(&config, &error);
    if (!vm->engine) {
        acrn_log("hv: vm %u: %s", vm->id, error->message);
        return false;
    }
    for (unsigned i = 0; i < vm->n_vcpus; i++) {
        vm->vcpus[i] = (HvVcpu){ .vm = vm, .index = i };
        vm->vcpus[i].engine = vm->ops->vcpu_new(vm->engine, i, &error);
        if (!vm->vcpus[i].engine) {
            acrn_log("hv: vm %u: vcpu %u: %s", vm->id, i, error->message);
            hv_engine_free(vm);
            return false;
        }
    }
    for (guint i = 0; i < vm->maps->len; i++) {
        hv_engine_map(vm, &g_array_index(vm->maps, HvMap, i));
    }
    return true;
}

void hv_engine_free(HvVm *vm)
{
    for (unsigned i = 0; i < vm->n_vcpus; i++) {
        vm->ops->vcpu_free(vm->vcpus[i].engine);
        vm->vcpus[i].engine = NULL;
    }
    vm->ops->vm_free(vm->engine);
    vm->engine = NULL;
}

bool hv_engine_reset(HvVm *vm)
{
    g_autoptr(GError) error = NULL;

    if (vm->ops->vm_reset && vm->ops->vm_reset(vm->engine, &error)) {
        return true;
    }
    if (error) {
        acrn_log("hv: vm %u: %s", vm->id, error->message);
    }
    hv_engine_free(vm);
    return hv_engine_new(vm);
}

static bool is_leaving(HvVm *vm)
{
    return __atomic_load_n(&vm->leaving, __ATOMIC_ACQUIRE);
}

static bool interrupted(void *opaque)
{
    return is_leaving(((HvVcpu *)opaque)->vm);
}

/* ---- one request ---- */

static void fill(HvVcpu *v, struct acrn_io_request *slot, const EngineExit *exit)
{
    uint32_t direction = exit->is_write ? ACRN_IOREQ_DIR_WRITE : ACRN_IOREQ_DIR_READ;

    memset(&slot->reqs, 0, sizeof(slot->reqs));
    if (exit->kind == ENGINE_EXIT_PIO) {
        slot->type = ACRN_IOREQ_TYPE_PORTIO;
        slot->reqs.pio_request = (struct acrn_pio_request){
            .direction = direction,
            .address = exit->gpa,
            .size = exit->len,
            .value = (uint32_t)exit->data,
        };
    } else {
        slot->type = ACRN_IOREQ_TYPE_MMIO;
        slot->reqs.mmio_request = (struct acrn_mmio_request){
            .direction = direction,
            .address = exit->gpa,
            .size = exit->len,
            .value = exit->data,
        };
    }
    slot->completion_polling = v->vm->polling;
}

static bool is_complete(const struct acrn_io_request *slot)
{
    return __atomic_load_n(&slot->processed, __ATOMIC_ACQUIRE) == ACRN_IOREQ_STATE_COMPLETE;
}

/* FALSE: the VM is being paused. */
static bool wait_complete(HvVcpu *v, const struct acrn_io_request *slot)
{
    HvVm *vm = v->vm;
    int64_t until;

    if (vm->polling) {
        while (!is_complete(slot) && !is_leaving(vm)) {
            sched_yield();
        }
        return is_complete(slot);
    }
    until = g_get_monotonic_time() + AWAKE_US;
    while (!is_complete(slot) && !is_leaving(vm) && g_get_monotonic_time() < until) {
        sched_yield();
    }
    pthread_mutex_lock(&vm->lock);
    while (!is_complete(slot) && !vm->leaving) {
        pthread_cond_wait(&vm->finished[v->index], &vm->lock);
    }
    pthread_mutex_unlock(&vm->lock);
    return is_complete(slot);
}

/* TRUE: exit holds the answer. */
static bool exchange(HvVcpu *v, EngineExit *exit)
{
    struct acrn_io_request *slot = &v->vm->page->req_slot[v->index];
    uint64_t value;

    if (__atomic_load_n(&slot->processed, __ATOMIC_ACQUIRE) != ACRN_IOREQ_STATE_FREE) {
        acrn_log("hv: vm %u: vcpu %u: its slot is not free", v->vm->id, v->index);
        ACRN_COUNT(stuck_slots);
        return false;
    }
    fill(v, slot, exit);
    __atomic_store_n(&slot->processed, ACRN_IOREQ_STATE_PENDING, __ATOMIC_RELEASE);
    hsm_callback();
    if (!wait_complete(v, slot)) {
        return false;
    }
    value = exit->kind == ENGINE_EXIT_PIO ? slot->reqs.pio_request.value
                                          : slot->reqs.mmio_request.value;
    exit->data = exit->len == 8 ? value : value & ((UINT64_C(1) << exit->len * 8) - 1);
    __atomic_store_n(&slot->processed, ACRN_IOREQ_STATE_FREE, __ATOMIC_RELEASE);
    return true;
}

/* What the hypervisor makes of a triple fault: the write to PM1a control, at the port where its
 * device model has it, that powers a User VM off. The vCPU does not go on. */
static void power_off(HvVcpu *v)
{
    EngineExit write = { .kind = ENGINE_EXIT_PIO,
                         .gpa = PM1A_CONTROL,
                         .data = PM1A_SLEEP_ENABLE | PM1A_S5,
                         .len = 2,
                         .is_write = true };

    exchange(v, &write);
}

/* ---- threads ---- */

static gpointer vcpu_thread(gpointer data)
{
    HvVcpu *v = data;
    EngineExit exit = { 0 };
    EngineRunHooks hooks = { .interrupted = interrupted, .opaque = v, .wake_fd = -1 };

    while (!is_leaving(v->vm)) {
        v->vm->ops->vcpu_run(v->engine, &exit, &hooks);
        if (exit.kind == ENGINE_EXIT_INTERRUPTED) {
            continue;
        }
        if (exit.kind == ENGINE_EXIT_TRIPLE_FAULT) {
            acrn_log("hv: vm %u: vcpu %u: triple fault", v->vm->id, v->index);
            power_off(v);
            break;
        }
        if (exit.kind != ENGINE_EXIT_MMIO && exit.kind != ENGINE_EXIT_PIO) {
            model_fatalf(&acrn_model, "hv: vm %u: vcpu %u: fatal (%s)", v->vm->id, v->index,
                         exit.kind == ENGINE_EXIT_ERROR ? exit.text : "not a PC's exit");
            break;
        }
        if (!exchange(v, &exit)) {
            break;
        }
    }
    return NULL;
}

/* The program's signals stay with its own threads. */
void hv_vcpus_start(HvVm *vm)
{
    sigset_t all, old;

    __atomic_store_n(&vm->leaving, false, __ATOMIC_RELEASE);
    hv_boot(vm);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (unsigned i = 0; i < vm->n_vcpus; i++) {
        vm->vcpus[i].thread = g_thread_new("acrn-vcpu", vcpu_thread, &vm->vcpus[i]);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void hv_vcpus_stop(HvVm *vm)
{
    __atomic_store_n(&vm->leaving, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < vm->n_vcpus; i++) {
        pthread_cond_broadcast(&vm->finished[i]);
    }
    pthread_mutex_unlock(&vm->lock);
    for (unsigned i = 0; i < vm->n_vcpus; i++) {
        if (vm->vcpus[i].thread) {
            vm->ops->vcpu_kick(vm->vcpus[i].engine);
            g_clear_pointer(&vm->vcpus[i].thread, g_thread_join);
        }
    }
    pthread_mutex_lock(&vm->lock);
}
