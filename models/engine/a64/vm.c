/* SPDX-License-Identifier: GPL-2.0-or-later
 * Life and configuration of a VM and its vCPUs: creation, the RAM map, interrupts from outside.
 */
#include "a64.h"

#include "decode.h"

#include "../engine-priv.h"
#include "util/error.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static A64Vm *to_vm(EngineVm *vm)
{
    return (A64Vm *)vm;
}

/* The GIC holds its lock: only flags and a wake-up here. */
static void interrupt_lines(void *opaque, unsigned cpu, bool irq, bool fiq)
{
    A64Vm *vm = opaque;
    A64Vcpu *v = LOAD_ACQUIRE(&vm->vcpu[cpu]);

    if (!v) {
        return;
    }
    STORE_RELEASE(&v->irq_line, irq);
    STORE_RELEASE(&v->fiq_line, fiq);
    if (irq || fiq) {
        vcpu_notify(v, EVENT_INTERRUPT);
    }
}

static void destroy_vcpu(A64Vcpu *v)
{
    if (!v) {
        return;
    }
    warmup_cancel(v);
    close(v->wake_fd);
    pthread_mutex_destroy(&v->inval_lock);
    g_free(v);
}

static void vm_free(EngineVm *engine_vm)
{
    A64Vm *vm = to_vm(engine_vm);

    if (!vm) {
        return;
    }
    timer_thread_stop(vm);
    gicv3_free(vm->gic);
    for (unsigned i = 0; i < A64_MAX_VCPUS; i++) {
        destroy_vcpu(vm->vcpu[i]);
    }
    if (vm->map) {
        for (unsigned i = 0; i < vm->map->n; i++) {
            munmap(vm->map->r[i].has_code, vm->map->r[i].size >> 12);
        }
    }
    g_free(vm->map);
    if (vm->heat) {
        munmap(vm->heat, HEAT_BYTES);
    }
    pthread_mutex_destroy(&vm->map_lock);
    pthread_mutex_destroy(&vm->sync_lock);
    pthread_cond_destroy(&vm->sync_cond);
    pthread_mutex_destroy(&vm->power_lock);
    pthread_mutex_destroy(&vm->timer_lock);
    g_free(vm);
}

static void *zero_pages(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

/* As under a hypervisor (Gunyah, KVM): firmware that takes its view of the GIC for the non-secure
 * one leaves GICR_WAKER alone, and would never get an interrupt. */
static void wake_cpu_interfaces(A64Vm *vm)
{
    enum { GICR_WAKER = 0x14 };

    for (unsigned i = 0; i < vm->config.n_vcpus; i++) {
        gicv3_redist_write(vm->gic, (uint64_t)i * GICV3_REDIST_STRIDE + GICR_WAKER, 0, 4);
    }
}

static EngineVm *vm_new(const EngineVmConfig *config, GError **error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    A64Vm *vm;

    pthread_once(&once, decode_init);
    if (config->n_vcpus < 1 || config->n_vcpus > A64_MAX_VCPUS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%u vCPUs: the arm64 engine runs 1 to %d", config->n_vcpus, A64_MAX_VCPUS);
        return NULL;
    }
    if (config->n_spis % 32 || config->n_spis > GICV3_MAX_SPIS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%u SPIs: must be a multiple of 32, up to %d", config->n_spis, GICV3_MAX_SPIS);
        return NULL;
    }
    vm = g_new0(A64Vm, 1);
    vm->config = *config;
    pthread_mutex_init(&vm->map_lock, NULL);
    pthread_mutex_init(&vm->sync_lock, NULL);
    pthread_cond_init(&vm->sync_cond, NULL);
    pthread_mutex_init(&vm->power_lock, NULL);
    pthread_mutex_init(&vm->timer_lock, NULL);
    vm->map = g_malloc0(sizeof(A64Map));
    vm->heat = zero_pages(HEAT_BYTES);
    if (!vm->heat) {
        error_set_errno(error, errno, "cannot set up the arm64 engine");
        vm_free((EngineVm *)vm);
        return NULL;
    }
    vm->gic = gicv3_new(config->n_vcpus, config->n_spis, interrupt_lines, vm);
    wake_cpu_interfaces(vm);
    if (!timer_thread_start(vm, error)) {
        vm_free((EngineVm *)vm);
        return NULL;
    }
    return (EngineVm *)vm;
}

/* Publishes map in place of the old one, which no vCPU uses any more on return. map_lock held. */
static void replace_map(A64Vm *vm, A64Map *map)
{
    A64Map *old = vm->map;

    STORE_SEQ(&vm->map, map);
    inval_stage2(vm);
    g_free(old);
}

static bool vm_map(EngineVm *engine_vm, uint64_t gpa, uint64_t size, void *host, unsigned flags,
                   GError **error)
{
    A64Vm *vm = to_vm(engine_vm);
    const uint64_t limit = UINT64_C(1) << A64_PA_BITS;
    A64Map *map;
    uint8_t *has_code;
    unsigned at = 0;

    if (!size || (gpa | size | (uint64_t)(uintptr_t)host) & PAGE_OFFSET || gpa >= limit ||
        size > limit - gpa) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "RAM at 0x%" PRIx64 ", size 0x%" PRIx64
                    ": must be whole 4 KiB pages below 1 TiB",
                    gpa, size);
        return false;
    }
    pthread_mutex_lock(&vm->map_lock);
    while (at < vm->map->n && vm->map->r[at].gpa < gpa) {
        at++;
    }
    if ((at > 0 && gpa - vm->map->r[at - 1].gpa < vm->map->r[at - 1].size) ||
        (at < vm->map->n && vm->map->r[at].gpa - gpa < size)) {
        pthread_mutex_unlock(&vm->map_lock);
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "RAM at 0x%" PRIx64 ", size 0x%" PRIx64 ": overlaps what is mapped already",
                    gpa, size);
        return false;
    }
    has_code = zero_pages(size >> 12);
    if (!has_code) {
        pthread_mutex_unlock(&vm->map_lock);
        error_set_errno(error, errno, "cannot map RAM at 0x%" PRIx64, gpa);
        return false;
    }
    map = g_malloc(sizeof(A64Map) + (vm->map->n + 1) * sizeof(A64Region));
    map->n = vm->map->n + 1;
    memcpy(map->r, vm->map->r, at * sizeof(A64Region));
    map->r[at] = (A64Region){ gpa, size, host, flags, has_code };
    memcpy(map->r + at + 1, vm->map->r + at, (vm->map->n - at) * sizeof(A64Region));
    replace_map(vm, map);
    pthread_mutex_unlock(&vm->map_lock);
    return true;
}

static bool vm_unmap(EngineVm *engine_vm, uint64_t gpa, uint64_t size, GError **error)
{
    A64Vm *vm = to_vm(engine_vm);
    unsigned at = 0;
    uint8_t *has_code;
    A64Map *map;

    pthread_mutex_lock(&vm->map_lock);
    while (at < vm->map->n && vm->map->r[at].gpa != gpa) {
        at++;
    }
    if (at == vm->map->n || vm->map->r[at].size != size) {
        pthread_mutex_unlock(&vm->map_lock);
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "no RAM of size 0x%" PRIx64 " is mapped at 0x%" PRIx64, size, gpa);
        return false;
    }
    has_code = vm->map->r[at].has_code;
    map = g_malloc(sizeof(A64Map) + (vm->map->n - 1) * sizeof(A64Region));
    map->n = vm->map->n - 1;
    memcpy(map->r, vm->map->r, at * sizeof(A64Region));
    memcpy(map->r + at, vm->map->r + at + 1, (map->n - at) * sizeof(A64Region));
    replace_map(vm, map);
    munmap(has_code, size >> 12);
    pthread_mutex_unlock(&vm->map_lock);
    return true;
}

static void vm_pend_spi(EngineVm *vm, unsigned spi)
{
    gicv3_pend_spi(to_vm(vm)->gic, spi + 32);
}

static EngineVcpu *vcpu_new(EngineVm *engine_vm, unsigned index, GError **error)
{
    A64Vm *vm = to_vm(engine_vm);
    A64Vcpu *v;

    if (index >= vm->config.n_vcpus || vm->vcpu[index]) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "vCPU %u: must be one of %u, each created once", index, vm->config.n_vcpus);
        return NULL;
    }
    v = g_new0(A64Vcpu, 1);
    v->vm = vm;
    v->index = index;
    v->deadline = UINT64_MAX;
    pthread_mutex_init(&v->inval_lock, NULL);
    v->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (v->wake_fd < 0) {
        error_set_errno(error, errno, "cannot create vCPU %u", index);
        pthread_mutex_destroy(&v->inval_lock);
        g_free(v);
        return NULL;
    }
    sysreg_reset(v);
    tlb_flush_all(v);
    STORE_SEQ(&vm->vcpu[index], v);
    return (EngineVcpu *)v;
}

/* It lives as long as its VM: the timer thread, doorbells and other vCPUs may still look at it. */
static void vcpu_free(EngineVcpu *vcpu)
{
}

static bool vcpu_set_reg(EngineVcpu *vcpu, unsigned reg, uint64_t value)
{
    A64Vcpu *v = (A64Vcpu *)vcpu;

    if (reg < 31) {
        v->x[reg] = value;
    } else if (reg == 31) {
        v->sp = value;
    } else if (reg == 32) {
        v->pc = value;
    } else {
        return false;
    }
    return true;
}

static void vcpu_boot(EngineVcpu *vcpu, uint64_t pc, uint64_t x0)
{
    A64Vcpu *v = (A64Vcpu *)vcpu;

    v->pc = pc;
    v->x[0] = x0;
    STORE_RELEASE(&v->power, POWER_ON);
    vcpu_notify(v, EVENT_POWER);
}

static void vcpu_kick(EngineVcpu *vcpu)
{
    vcpu_notify((A64Vcpu *)vcpu, EVENT_KICK);
}

const EngineOps engine_a64_ops = {
    .name = "a64",
    .guest = "arm64",
    .vm_new = vm_new,
    .vm_free = vm_free,
    .vm_map = vm_map,
    .vm_unmap = vm_unmap,
    .vm_pend_spi = vm_pend_spi,
    .vcpu_new = vcpu_new,
    .vcpu_free = vcpu_free,
    .vcpu_boot = vcpu_boot,
    .vcpu_set_reg = vcpu_set_reg,
    .vcpu_run = vcpu_run_loop,
    .vcpu_kick = vcpu_kick,
};
