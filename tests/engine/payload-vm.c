/* SPDX-License-Identifier: GPL-2.0-or-later
 * See payload-vm.h.
 */
#include "payload-vm.h"

#include "util/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum {
    GICD_BASE = 0x08000000,
    GICR_BASE = 0x080a0000,
    PORT_PUTCHAR = 0x09000000,
    PORT_EXIT = 0x09001000,
    PORT_DOORBELL = 0x09002000,
    PORT_SCRATCH = 0x09003000,
    PORT_LAST_LEN = 0x09004000,
    PORT_FAULT = 0x09005000,
    PORT_ENGINE = 0x09006000,
    N_SPIS = 64,
};

typedef struct {
    PayloadVm *vm;
    EngineVcpu *vcpu;
    GThread *thread;
} Cpu;

struct PayloadVm {
    const EngineOps *ops;
    EngineVm *engine;
    void *ram;
    unsigned n_cpus;
    Cpu cpus[PAYLOAD_MAX_CPUS];
    GString *output;
    gint stop;   /* atomic */
    GMutex lock; /* below */
    bool ended;
    PayloadResult result;
    uint64_t scratch;
    unsigned last_len;
};

static bool interrupted(void *opaque)
{
    PayloadVm *vm = opaque;

    return g_atomic_int_get(&vm->stop);
}

void payload_vm_stop(PayloadVm *vm)
{
    g_atomic_int_set(&vm->stop, 1);
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        vm->ops->vcpu_kick(vm->cpus[i].vcpu);
    }
}

static void end(PayloadVm *vm, PayloadEnd how, unsigned status, const char *text)
{
    g_mutex_lock(&vm->lock);
    if (!vm->ended) {
        vm->ended = true;
        vm->result = (PayloadResult){ how, status, text };
    }
    g_mutex_unlock(&vm->lock);
    payload_vm_stop(vm);
}

static void put_char(PayloadVm *vm, char c)
{
    g_mutex_lock(&vm->lock);
    if (vm->output != NULL) {
        g_string_append_c(vm->output, c);
    } else {
        putchar(c);
    }
    g_mutex_unlock(&vm->lock);
}

static void port_write(PayloadVm *vm, const EngineExit *exit)
{
    uint64_t mask = exit->len == 8 ? UINT64_MAX : (UINT64_C(1) << exit->len * 8) - 1;

    switch (exit->gpa) {
    case PORT_PUTCHAR:
        put_char(vm, exit->data);
        break;
    case PORT_EXIT:
        end(vm, PAYLOAD_END_STATUS, exit->data, NULL);
        break;
    case PORT_DOORBELL:
        if (exit->data < N_SPIS) {
            vm->ops->vm_pend_spi(vm->engine, exit->data);
        }
        break;
    case PORT_SCRATCH:
        g_mutex_lock(&vm->lock);
        vm->scratch = (vm->scratch & ~mask) | (exit->data & mask);
        vm->last_len = exit->len;
        g_mutex_unlock(&vm->lock);
        break;
    }
}

/* What PORT_ENGINE tells. */
static unsigned engine_kind(PayloadVm *vm)
{
    if (!g_str_equal(vm->ops->name, "kvm")) {
        return 0;
    }
    return g_getenv("HUMPY_KVM_ON_TCG") == NULL ? 1 : 2;
}

static uint64_t port_read(PayloadVm *vm, const EngineExit *exit)
{
    uint64_t value = 0;

    g_mutex_lock(&vm->lock);
    if (exit->gpa >= PORT_SCRATCH && exit->gpa < PORT_SCRATCH + 8) {
        value = vm->scratch >> (exit->gpa - PORT_SCRATCH) * 8;
        vm->last_len = exit->len;
    } else if (exit->gpa == PORT_LAST_LEN) {
        value = vm->last_len;
    } else if (exit->gpa == PORT_ENGINE) {
        value = engine_kind(vm);
    }
    g_mutex_unlock(&vm->lock);
    return value;
}

static gpointer cpu_thread(gpointer data)
{
    Cpu *cpu = data;
    PayloadVm *vm = cpu->vm;
    EngineRunHooks hooks = { .interrupted = interrupted, .opaque = vm, .wake_fd = -1 };
    EngineExit exit = { 0 };

    while (!g_atomic_int_get(&vm->stop)) {
        vm->ops->vcpu_run(cpu->vcpu, &exit, &hooks);
        switch (exit.kind) {
        case ENGINE_EXIT_MMIO:
            exit.fault = exit.gpa == PORT_FAULT;
            if (exit.is_write) {
                port_write(vm, &exit);
            } else {
                exit.data = port_read(vm, &exit);
            }
            break;
        case ENGINE_EXIT_PIO: /* no such thing on arm64 */
        case ENGINE_EXIT_TRIPLE_FAULT:
        case ENGINE_EXIT_INTERRUPTED:
            break;
        case ENGINE_EXIT_SYSTEM_OFF:
            end(vm, PAYLOAD_END_OFF, 0, NULL);
            break;
        case ENGINE_EXIT_SYSTEM_RESET:
        case ENGINE_EXIT_SYSTEM_RESET2:
            end(vm, PAYLOAD_END_RESET, 0, NULL);
            break;
        case ENGINE_EXIT_ERROR:
            end(vm, PAYLOAD_END_ERROR, 0, exit.text);
            break;
        }
    }
    return NULL;
}

PayloadVm *payload_vm_new(const char *engine, unsigned n_cpus, GError **error)
{
    const EngineOps *ops = engine_get(engine, error);
    EngineVmConfig config = { .n_vcpus = n_cpus,
                              .n_spis = N_SPIS,
                              .gicd_base = GICD_BASE,
                              .gicr_base = GICR_BASE,
                              .mmio_limit = PAYLOAD_RAM };
    g_autoptr(PayloadVm) vm = NULL;

    if (ops == NULL) {
        return NULL;
    }
    vm = g_new0(PayloadVm, 1);
    g_mutex_init(&vm->lock);
    vm->ops = ops;
    vm->ram =
        mmap(NULL, PAYLOAD_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (vm->ram == MAP_FAILED) {
        vm->ram = NULL;
        error_set_errno(error, errno, "cannot map the payload's RAM");
        return NULL;
    }
    vm->engine = ops->vm_new(&config, error);
    if (vm->engine == NULL ||
        !ops->vm_map(vm->engine, PAYLOAD_RAM, PAYLOAD_RAM_SIZE, vm->ram,
                     ENGINE_MAP_READ | ENGINE_MAP_WRITE | ENGINE_MAP_EXEC, error)) {
        return NULL;
    }
    for (; vm->n_cpus < n_cpus; vm->n_cpus++) {
        Cpu *cpu = &vm->cpus[vm->n_cpus];

        cpu->vm = vm;
        cpu->vcpu = ops->vcpu_new(vm->engine, vm->n_cpus, error);
        if (cpu->vcpu == NULL) {
            return NULL;
        }
    }
    return g_steal_pointer(&vm);
}

void payload_vm_free(PayloadVm *vm)
{
    if (vm == NULL) {
        return;
    }
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        vm->ops->vcpu_free(vm->cpus[i].vcpu);
    }
    vm->ops->vm_free(vm->engine);
    if (vm->ram != NULL) {
        munmap(vm->ram, PAYLOAD_RAM_SIZE);
    }
    g_mutex_clear(&vm->lock);
    g_free(vm);
}

void *payload_vm_ram(PayloadVm *vm, uint64_t gpa, uint64_t size)
{
    if (gpa < PAYLOAD_RAM || gpa - PAYLOAD_RAM > PAYLOAD_RAM_SIZE ||
        size > PAYLOAD_RAM_SIZE - (gpa - PAYLOAD_RAM)) {
        return NULL;
    }
    return (char *)vm->ram + (gpa - PAYLOAD_RAM);
}

bool payload_vm_load(PayloadVm *vm, const char *file, uint64_t gpa, GError **error)
{
    g_autofree char *data = NULL;
    gsize size;
    void *ram;

    if (!g_file_get_contents(file, &data, &size, error)) {
        return false;
    }
    ram = payload_vm_ram(vm, gpa, size);
    if (ram == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%s: %zu bytes at 0x%" PRIx64 " are not all RAM", file, size, gpa);
        return false;
    }
    memcpy(ram, data, size);
    return true;
}

void payload_vm_set_output(PayloadVm *vm, GString *output)
{
    vm->output = output;
}

void payload_vm_start(PayloadVm *vm, uint64_t entry)
{
    vm->ops->vcpu_boot(vm->cpus[0].vcpu, entry, 0);
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        g_autofree char *name = g_strdup_printf("vcpu%u", i);

        vm->cpus[i].thread = g_thread_new(name, cpu_thread, &vm->cpus[i]);
    }
}

PayloadResult payload_vm_wait(PayloadVm *vm)
{
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        g_thread_join(vm->cpus[i].thread);
    }
    return vm->ended ? vm->result : (PayloadResult){ .end = PAYLOAD_END_STOPPED };
}

PayloadResult payload_vm_run(PayloadVm *vm, uint64_t entry)
{
    payload_vm_start(vm, entry);
    return payload_vm_wait(vm);
}

const EngineOps *payload_vm_ops(PayloadVm *vm)
{
    return vm->ops;
}

EngineVm *payload_vm_engine(PayloadVm *vm)
{
    return vm->engine;
}

EngineVcpu *payload_vm_vcpu(PayloadVm *vm, unsigned index)
{
    return vm->cpus[index].vcpu;
}
