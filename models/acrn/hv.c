/* SPDX-License-Identifier: GPL-2.0-or-later
 * The modelled hypervisor's calls: a VM's states, memory, registers and interrupts, each by its
 * hypercall number. A wrong state or argument is -1, as the hypervisor mostly says it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hv-priv.h"

enum { HV_MAX_VMS = 16, DENIED = -1, HV_EINVAL = -22 };

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static HvVm *table[HV_MAX_VMS];

unsigned hv_n_vms(void)
{
    unsigned n = 0;

    pthread_mutex_lock(&table_lock);
    for (unsigned i = 0; i < HV_MAX_VMS; i++) {
        n += table[i] != NULL;
    }
    pthread_mutex_unlock(&table_lock);
    return n;
}

/* With its lock held; NULL: no such VM. */
static HvVm *lock_vm(uint64_t id)
{
    HvVm *vm;

    pthread_mutex_lock(&table_lock);
    vm = id < HV_MAX_VMS ? table[id] : NULL;
    if (vm) {
        pthread_mutex_lock(&vm->lock);
    }
    pthread_mutex_unlock(&table_lock);
    return vm;
}

/* ---- life ---- */

/* The hypervisor counts vCPUs by the physical CPUs the VM may use. */
static unsigned count_cpus(uint64_t affinity, unsigned cpus)
{
    uint64_t there = (UINT64_C(1) << cpus) - 1;

    if (affinity & ~there) {
        return 0;
    }
    return (unsigned)__builtin_popcountll(affinity ? affinity : there);
}

static void vm_free(HvVm *vm)
{
    hv_engine_free(vm);
    g_array_unref(vm->maps);
    pthread_mutex_destroy(&vm->lock);
    for (unsigned i = 0; i < ACRN_MAX_CPUS; i++) {
        pthread_cond_destroy(&vm->finished[i]);
    }
    g_free(vm);
}

/* Into a free place of the table, or it is freed. */
static long vm_enter(HvVm *vm, struct acrn_vm_creation *args)
{
    pthread_mutex_lock(&table_lock);
    for (unsigned i = 1; i < HV_MAX_VMS; i++) { /* 0 is the Service VM */
        if (!table[i]) {
            table[i] = vm;
            vm->id = i;
            args->vmid = (uint16_t)i;
            args->vcpu_num = (uint16_t)vm->n_vcpus;
            pthread_mutex_unlock(&table_lock);
            return 0;
        }
    }
    pthread_mutex_unlock(&table_lock);
    vm_free(vm);
    return DENIED;
}

static const EngineOps *choose_engine(const AcrnKnobs *knobs)
{
    g_autoptr(GError) error = NULL;
    const EngineOps *ops =
        knobs->engine[0] ? engine_get(knobs->engine, &error) : engine_for("x86", &error);

    if (ops && !ops->vm_msi) {
        acrn_log("hv: engine '%s' has no x86 guests", ops->name);
        return NULL;
    }
    if (!ops) {
        acrn_log("hv: %s", error->message);
    }
    return ops;
}

static long create(struct acrn_vm_creation *args)
{
    const uint64_t known = ACRN_VM_FLAG_SECURE_WORLD | ACRN_VM_FLAG_LAPIC_PASSTHROUGH |
                           ACRN_VM_FLAG_IO_COMPLETION_POLLING | ACRN_VM_FLAG_RT;
    uint64_t flags = args->vm_flag & known;
    AcrnKnobs knobs;
    unsigned n;
    HvVm *vm;

    if (!model_knobs(&acrn_model, &knobs)) {
        return DENIED;
    }
    n = count_cpus(args->cpu_affinity, knobs.cpus);
    if (n == 0 || (flags & ACRN_VM_FLAG_LAPIC_PASSTHROUGH && !(flags & ACRN_VM_FLAG_RT))) {
        return DENIED;
    }
    vm = g_new0(HvVm, 1);
    vm->ops = choose_engine(&knobs);
    if (!vm->ops) {
        g_free(vm);
        return DENIED;
    }
    pthread_mutex_init(&vm->lock, NULL);
    for (unsigned i = 0; i < ACRN_MAX_CPUS; i++) {
        pthread_cond_init(&vm->finished[i], NULL);
    }
    memcpy(vm->name, args->uuid, sizeof(vm->name) - 1);
    vm->polling = flags & ACRN_VM_FLAG_IO_COMPLETION_POLLING;
    vm->maps = g_array_new(FALSE, FALSE, sizeof(HvMap));
    vm->n_vcpus = n;
    if (!hv_engine_new(vm)) {
        vm->n_vcpus = 0;
        g_array_unref(vm->maps);
        g_free(vm);
        return DENIED;
    }
    return vm_enter(vm, args);
}

static void free_slots(HvVm *vm)
{
    for (unsigned i = 0; vm->page && i < ACRN_IO_REQUEST_MAX; i++) {
        __atomic_store_n(&vm->page->req_slot[i].processed, ACRN_IOREQ_STATE_FREE, __ATOMIC_RELEASE);
    }
}

static long start(HvVm *vm)
{
    if (vm->state != HV_CREATED || !vm->page) {
        return DENIED;
    }
    vm->state = HV_STARTED;
    hv_vcpus_start(vm);
    return 0;
}

static long pause_vm(HvVm *vm)
{
    HvState before = vm->state;

    if (before == HV_POWERED_OFF) {
        return DENIED;
    }
    vm->state = HV_PAUSED;
    if (before == HV_STARTED) {
        hv_vcpus_stop(vm);
    }
    return 0;
}

static long reset(HvVm *vm)
{
    if (vm->state != HV_PAUSED) {
        return DENIED;
    }
    memset(vm->levels, 0, sizeof(vm->levels));
    vm->has_bsp = false;
    if (!hv_engine_reset(vm)) {
        vm->state = HV_POWERED_OFF;
        return DENIED;
    }
    free_slots(vm);
    vm->state = HV_CREATED;
    return 0;
}

static long destroy(uint64_t id)
{
    HvVm *vm = lock_vm(id);

    if (!vm) {
        return DENIED;
    }
    if (vm->state != HV_PAUSED) {
        pthread_mutex_unlock(&vm->lock);
        return DENIED;
    }
    vm->state = HV_POWERED_OFF; /* nobody else comes this far */
    pthread_mutex_unlock(&vm->lock);
    pthread_mutex_lock(&table_lock);
    table[id] = NULL;
    /* Whoever found it in the table has its lock by now, or is done. */
    pthread_mutex_lock(&vm->lock);
    pthread_mutex_unlock(&vm->lock);
    pthread_mutex_unlock(&table_lock);
    vm_free(vm);
    return 0;
}

static long set_regs(HvVm *vm, const struct acrn_vcpu_regs *regs)
{
    const uint64_t cr0_reserved = ~UINT64_C(0xe005003f); /* PG CD NW AM WP NE ET TS EM MP PE */

    if (vm->state != HV_CREATED && vm->state != HV_PAUSED) {
        return DENIED;
    }
    if (regs->vcpu_id >= vm->n_vcpus || GUINT64_FROM_LE(regs->vcpu_regs.cr0) & cr0_reserved ||
        GUINT64_FROM_LE(regs->vcpu_regs.cr4) >> 32) {
        return DENIED;
    }
    if (regs->vcpu_id == 0) {
        vm->bsp = regs->vcpu_regs;
        vm->has_bsp = true;
    }
    return 0;
}

/* ---- memory ---- */

static unsigned map_flags(uint32_t attr)
{
    return (attr & ACRN_MEM_ACCESS_READ ? ENGINE_MAP_READ : 0) |
           (attr & ACRN_MEM_ACCESS_WRITE ? ENGINE_MAP_WRITE : 0) |
           (attr & ACRN_MEM_ACCESS_EXEC ? ENGINE_MAP_EXEC : 0);
}

static long add_region(HvVm *vm, const HvMap *map)
{
    if ((map->gpa | map->size | (uintptr_t)map->host) % ACRN_PAGE || !map->size ||
        map->gpa + map->size < map->gpa) {
        return HV_EINVAL;
    }
    if (!hv_engine_map(vm, map)) {
        return HV_EINVAL;
    }
    g_array_append_val(vm->maps, *map);
    return 0;
}

/* Neighbours in both spaces become one mapping of the engine. */
static long set_regions(HvVm *vm, const struct vm_memory_region_batch *batch)
{
    const struct vm_memory_region_op *ops = (const void *)(uintptr_t)batch->regions_gpa;
    HvMap map = { 0 };
    long ret = 0;

    for (uint32_t i = 0; i < batch->regions_num && ret == 0; i++) {
        HvMap next = { ops[i].user_vm_pa, ops[i].size, (uint8_t *)(uintptr_t)ops[i].service_vm_pa,
                       map_flags(ops[i].attr) };

        if (ops[i].type != ACRN_MEM_REGION_ADD) {
            return HV_EINVAL; /* only device memory may go, and there is none */
        }
        if (map.size && next.gpa == map.gpa + map.size && next.host == map.host + map.size &&
            next.flags == map.flags) {
            map.size += next.size;
            continue;
        }
        ret = map.size ? add_region(vm, &map) : 0;
        map = next;
    }
    return ret == 0 && map.size ? add_region(vm, &map) : ret;
}

/* ---- interrupts ---- */

static void set_line(HvVm *vm, unsigned gsi, bool level)
{
    if (vm->levels[gsi] != level) {
        vm->levels[gsi] = level;
        vm->ops->vm_set_line(vm->engine, gsi, level);
    }
}

static long irq_line(HvVm *vm, uint64_t value)
{
    uint32_t gsi = (uint32_t)value, op = (uint32_t)(value >> 32);

    if (gsi >= ACRN_N_GSIS || op > ACRN_IRQLINE_FALLING_PULSE) {
        return DENIED;
    }
    switch (op) {
    case ACRN_IRQLINE_SET_HIGH:
    case ACRN_IRQLINE_SET_LOW:
        set_line(vm, gsi, op == ACRN_IRQLINE_SET_HIGH);
        break;
    default: /* a pulse ends where it began */
        set_line(vm, gsi, op == ACRN_IRQLINE_RAISING_PULSE);
        set_line(vm, gsi, op != ACRN_IRQLINE_RAISING_PULSE);
    }
    return 0;
}

static long inject_msi(HvVm *vm, const struct acrn_msi_entry *msi)
{
    if (msi->msi_addr >> 20 != 0xfee || vm->state != HV_STARTED) {
        return DENIED;
    }
    vm->ops->vm_msi(vm->engine, msi->msi_addr, (uint32_t)msi->msi_data);
    return 0;
}

/* ---- by number ---- */

static long with_vm(uint64_t nr, HvVm *vm, uint64_t rsi)
{
    const void *arg = (const void *)(uintptr_t)rsi;

    switch (nr) {
    case ACRN_HC_START_VM:
        return start(vm);
    case ACRN_HC_PAUSE_VM:
        return pause_vm(vm);
    case ACRN_HC_RESET_VM:
        return reset(vm);
    case ACRN_HC_SET_VCPU_REGS:
        return set_regs(vm, arg);
    case ACRN_HC_SET_IOREQ_BUFFER:
        vm->page = (void *)(uintptr_t)((const struct acrn_ioreq_buffer *)arg)->ioreq_buf;
        free_slots(vm);
        return 0;
    case ACRN_HC_NOTIFY_REQUEST_FINISH:
        if (rsi >= vm->n_vcpus) {
            return DENIED;
        }
        pthread_cond_signal(&vm->finished[rsi]);
        return 0;
    case ACRN_HC_SET_IRQLINE:
        return irq_line(vm, rsi);
    case ACRN_HC_INJECT_MSI:
        return inject_msi(vm, arg);
    case ACRN_HC_VM_INTR_MONITOR:
        return 0; /* no interrupt of a device of its own to count */
    default:
        return DENIED; /* devices to give away, which this machine has none of */
    }
}

long hv_call(uint64_t nr, uint64_t rdi, uint64_t rsi)
{
    uint64_t id = rdi;
    HvVm *vm;
    long ret;

    ACRN_COUNT(hypercalls);
    switch (nr) {
    case ACRN_HC_CREATE_VM:
        return create((void *)(uintptr_t)rdi);
    case ACRN_HC_DESTROY_VM:
        return destroy(rdi);
    case ACRN_HC_PM_GET_CPU_STATE:
        return 0;
    case ACRN_HC_VM_SET_MEMORY_REGIONS:
        id = ((const struct vm_memory_region_batch *)(uintptr_t)rdi)->vmid;
        break;
    }
    vm = lock_vm(id);
    if (!vm) {
        return DENIED;
    }
    ret = nr == ACRN_HC_VM_SET_MEMORY_REGIONS ? set_regions(vm, (const void *)(uintptr_t)rdi)
                                              : with_vm(nr, vm, rsi);
    pthread_mutex_unlock(&vm->lock);
    return ret;
}
