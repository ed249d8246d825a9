/* SPDX-License-Identifier: GPL-2.0-or-later
 * GH_VM_START: the driver's steps with the resource manager (facts 1.3), each of which can fail
 * with a code that becomes an errno and a line in dmesg; and the release after the last close.
 * Reading the device tree: rm-dt.c; addresses: rm-place.c; what is added to it: rm-overlay.c.
 */
#include <errno.h>
#include <libfdt.h>
#include <string.h>

#include "gunyah-priv.h"
#include "util/error.h"

int rm_errno(uint32_t code)
{
    switch (code) {
    case (uint32_t)RM_UNIMPLEMENTED:
        return EOPNOTSUPP;
    case RM_NO_MEMORY:
        return ENOMEM;
    case RM_NO_RESOURCE:
        return ENODEV;
    case RM_DENIED:
        return EPERM;
    case RM_BUSY:
        return EBUSY;
    default:
        return code == RM_INVALID || (code >= RM_ARGUMENT_INVALID && code <= RM_LAST) ? EINVAL
                                                                                      : EBADMSG;
    }
}

/* What dmesg says, and the errno. */
static int refused(const char *step, uint32_t code)
{
    int err = rm_errno(code);

    model_log("Failed to %s: %d", step, -err);
    return -err;
}

static bool told_to_fail(const GhVm *vm, Step step)
{
    return vm->knobs.fail_step == step;
}

/* ---- the steps ---- */

/* android14 makes a parcel of each region; newer drivers of image and firmware only, and page the
 * rest in on demand. */
static void log_parcel(const GhVm *vm, const Mapping *m, int err)
{
    if (vm->knobs.rev == REV_ANDROID15) {
        model_log("Failed to allocate parcel for the config image: %d", -err);
    } else {
        model_log("Failed to %s parcel %u: %d", m->lend ? "lend" : "share", m->label, -err);
    }
}

static int give_parcel(GhVm *vm, Mapping *m, unsigned number)
{
    RmError code = RM_OK;
    int ret;

    if (told_to_fail(vm, STEP_PARCEL)) {
        code = (RmError)vm->knobs.fail_code;
    } else if (number > GH_MAX_PARCELS && vm->knobs.rev == REV_ANDROID14) {
        code = RM_NO_RESOURCE;
    } else if (m->lend && vm->knobs.policy == POLICY_SHARE) {
        code = RM_DENIED;
    }
    if (code != RM_OK) {
        int err = rm_errno((uint32_t)code);

        log_parcel(vm, m, err);
        return -err;
    }
    if (vm->knobs.rev == REV_ANDROID15 && !mem_charge(vm, m)) {
        vm->absent = ENOMEM;
    }
    if (vm->knobs.rev == REV_V17 && m->lend && mem_is_mapped(m)) {
        m->absent = EPERM; /* what somebody has mapped is not lent */
    }
    if (m->absent == EPERM && mem_find(vm, vm->dtb.guest_phys_addr, 1) == m) {
        model_log("Failed to allocate parcel for DTB: %d", -EPERM);
        return -EPERM;
    }
    if (m->absent) {
        vm->absent = m->absent;
    }
    if (!m->view || m->absent == EPERM) {
        m->given = true;
        return 0; /* nothing is there to take, or it stays where it is */
    }
    ret = m->lend ? mem_take(m) : 0;
    m->given = ret == 0;
    return ret;
}

/* Newest first: the driver keeps its list that way. */
static int give_parcels(GhVm *vm)
{
    unsigned number = 0;

    for (GList *l = vm->mappings; l; l = l->next) {
        int ret = give_parcel(vm, l->data, ++number);

        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

static bool firmware_range_valid(GhVm *vm)
{
    return vm->fw.guest_phys_addr + vm->fw.size >= vm->fw.guest_phys_addr &&
           mem_find(vm, vm->fw.guest_phys_addr, vm->fw.size);
}

/* A private copy: the caller can still write to shared pages while it is being read. */
static RmError read_dtb(GhVm *vm, const Mapping *image, void **out)
{
    const uint64_t at = (uintptr_t)image->view + (vm->dtb.guest_phys_addr - image->gpa);
    struct fdt_header header;
    g_autofree void *fdt = NULL;
    uint32_t size;

    if (vm->dtb.size < sizeof(header) || user_copy_from(&header, at, sizeof(header)) < 0) {
        return RM_MEM_INVALID;
    }
    size = fdt_totalsize(&header);
    if (size < sizeof(header) || size > vm->dtb.size || size > GH_DTB_MAX) {
        return RM_MEM_INVALID;
    }
    fdt = g_malloc(size);
    if (user_copy_from(fdt, at, size) < 0 || fdt_totalsize(fdt) != size ||
        fdt_check_full(fdt, size) != 0) {
        return RM_MEM_INVALID;
    }
    *out = g_steal_pointer(&fdt);
    return RM_OK;
}

/* The image parcel has to be lent, except to a resource manager built for debugging. */
static RmError check_image(const GhVm *vm, const Mapping *image)
{
    return vm->knobs.policy == POLICY_LEND && !image->lend ? RM_NO_RESOURCE : RM_OK;
}

/* The resource manager's "init": device tree in, placed parcels and device tree out. */
static RmError init_vm(GhVm *vm, Mapping *image)
{
    g_autofree void *fdt = NULL;
    g_autofree void *final = NULL;
    RmError code = check_image(vm, image);

    if (code == RM_OK) {
        code = read_dtb(vm, image, &fdt);
        if (code != RM_OK) {
            model_log("rm: the device tree at 0x%" G_GINT64_MODIFIER "x is malformed",
                      (guint64)vm->dtb.guest_phys_addr);
        }
    }
    if (code == RM_OK) {
        vm->config = rm_config_parse(fdt, &code);
    }
    if (code == RM_OK && vm->fw_set) {
        vm->firmware = rm_firmware_load(vm, vm->config, image, &code);
    }
    if (code == RM_OK) {
        code = rm_place(vm, vm->config, image, fdt);
    }
    if (code == RM_OK) {
        code = rm_overlay(vm, vm->config, fdt, vm->dtb.size, &final);
    }
    if (code == RM_OK &&
        user_copy_to((uintptr_t)image->view + (vm->dtb.guest_phys_addr - image->gpa), final,
                     fdt_totalsize(final)) < 0) {
        code = RM_MEM_INVALID;
    }
    return code;
}

/* ---- the hypervisor's objects ---- */

static bool make_vcpus(GhVm *vm, EngineVm *engine, GError **error)
{
    for (unsigned i = 0; i < vm->config->n_cpus; i++) {
        vm->engine_vcpus[i] = vm->ops->vcpu_new(engine, i, error);
        if (!vm->engine_vcpus[i]) {
            return false;
        }
    }
    return true;
}

static void free_engine(GhVm *vm, EngineVm *engine)
{
    for (unsigned i = 0; i < GH_MAX_VCPUS; i++) {
        if (vm->engine_vcpus[i]) {
            vm->ops->vcpu_free(vm->engine_vcpus[i]);
            vm->engine_vcpus[i] = NULL;
        }
    }
    if (engine) {
        vm->ops->vm_free(engine);
    }
}

static RmError make_engine(GhVm *vm)
{
    const EngineVmConfig config = { .n_vcpus = vm->config->n_cpus,
                                    .n_spis = GH_N_SPIS,
                                    .gicd_base = vm->config->gicd_base,
                                    .gicr_base = vm->config->gicr_base,
                                    .mmio_limit = 1 << 30 };
    g_autoptr(GError) error = NULL;
    EngineVm *engine;

    vm->ops =
        vm->knobs.engine[0] ? engine_get(vm->knobs.engine, &error) : engine_for("arm64", &error);
    if (vm->ops && !vm->ops->vm_pend_spi) {
        model_log("rm: engine '%s' has no arm64 guests", vm->ops->name);
        return RM_NO_RESOURCE;
    }
    engine = vm->ops ? vm->ops->vm_new(&config, &error) : NULL;
    if (!engine || !make_vcpus(vm, engine, &error)) {
        model_log("rm: %s", error->message);
        free_engine(vm, engine);
        return RM_NO_RESOURCE;
    }
    vm->engine = engine;
    for (GList *l = vm->mappings; l; l = l->next) {
        Mapping *m = l->data;

        if (m->placed && mem_map_engine(vm, m) < 0) {
            return RM_NO_MEMORY;
        }
    }
    return RM_OK;
}

/* X0 to X30 and PC; of the stack pointers the engine has SP_EL1. */
static RmError boot(GhVm *vm, const Mapping *image)
{
    const bool vouched_for = vm->fw_set || vm->trusted_set;
    uint64_t pc = image->ipa;
    uint64_t x0 = image->ipa + (vm->dtb.guest_phys_addr - image->gpa);

    for (guint i = 0; i < vm->boot_regs->len && !vouched_for; i++) {
        const struct gh_vm_boot_context *c =
            &g_array_index(vm->boot_regs, struct gh_vm_boot_context, i);
        const unsigned set = c->reg >> GH_BOOT_CONTEXT_REG_SHIFT;
        const unsigned index = c->reg & 0xff;
        const unsigned reg = set == GH_BOOT_CONTEXT_SET_SP ? 31 : index;

        if (set == GH_BOOT_CONTEXT_SET_PC) {
            pc = c->value;
        } else if (set == GH_BOOT_CONTEXT_SET_X && index == 0) {
            x0 = c->value;
        } else if ((set == GH_BOOT_CONTEXT_SET_X && index == 31) ||
                   (set == GH_BOOT_CONTEXT_SET_SP && index >= 2)) {
            return RM_ARGUMENT_INVALID;
        } else if ((set == GH_BOOT_CONTEXT_SET_SP && index == 0) ||
                   !vm->ops->vcpu_set_reg(vm->engine_vcpus[0], reg, c->value)) {
            return RM_UNIMPLEMENTED;
        }
    }
    if (vm->trusted_set) {
        pc = image->ipa + (vm->trusted.guest_phys_addr - image->gpa) + vm->trusted_entry;
    }
    if (vm->firmware) { /* it is told what to start: base and size */
        const uint64_t offset = vm->fw.guest_phys_addr - vm->firmware->gpa;

        if (!vm->ops->vcpu_set_reg(vm->engine_vcpus[0], 1, image->ipa) ||
            !vm->ops->vcpu_set_reg(vm->engine_vcpus[0], 2, image->size)) {
            return RM_UNIMPLEMENTED;
        }
        pc = vm->firmware->ipa + offset;
    }
    vm->ops->vcpu_boot(vm->engine_vcpus[0], pc, x0);
    return RM_OK;
}

/* ---- START ---- */

static int failed(GhVm *vm, int ret)
{
    g_atomic_int_set(&vm->status, VM_INIT_FAILED);
    return ret;
}

static int find_image(GhVm *vm, Mapping **image)
{
    int ret = 0;

    if (vm->knobs.rev == REV_ANDROID15) {
        *image = rm_find_image(vm, &ret);
        return ret;
    }
    *image = mem_find(vm, vm->dtb.guest_phys_addr, vm->dtb.size);
    if (!*image && vm->knobs.rev == REV_V17) {
        model_log("Failed to allocate parcel for DTB: %d", -ENOENT);
        return -ENOENT;
    }
    if (!*image) {
        model_log("Failed to find the memory_handle for DTB");
        return -EINVAL;
    }
    return 0;
}

static int configure_firmware(GhVm *vm)
{
    if (vm->fw_set && !firmware_range_valid(vm)) {
        model_log("Failed to find the memory_handle for firmware");
        return -EINVAL;
    }
    if (vm->fw_set && vm->trusted_set) {
        model_log("rm: there is no firmware for trusted VMs");
        return refused("configure firmware", RM_ARGUMENT_INVALID);
    }
    if (vm->fw_set && !vm->knobs.pvmfw[0]) {
        model_log("rm: there is no protected-VM firmware (knob pvmfw=)");
        return refused("configure firmware", (uint32_t)RM_UNIMPLEMENTED);
    }
    return 0;
}

static int configure(GhVm *vm, Mapping **image)
{
    int ret = find_image(vm, image);
    RmError code = RM_OK;

    if (ret < 0) {
        return ret;
    }
    if (told_to_fail(vm, STEP_CONFIGURE)) {
        code = (RmError)vm->knobs.fail_code;
    } else if (vm->knobs.rev == REV_ANDROID15) {
        code = rm_check_image(vm, *image);
    }
    if (code != RM_OK) {
        return refused("configure VM", (uint32_t)code);
    }
    if (vm->trusted_set) {
        code = told_to_fail(vm, STEP_AUTHENTICATE) ? (RmError)vm->knobs.fail_code
                                                   : rm_trusted_authenticate(vm, *image);
    }
    return code != RM_OK ? refused("Authenticate VM", (uint32_t)code) : configure_firmware(vm);
}

static int load_and_start(GhVm *vm)
{
    Mapping *image;
    RmError code;
    int ret = give_parcels(vm);

    if (ret == 0) {
        ret = configure(vm, &image);
    }
    if (ret < 0) {
        return ret;
    }
    code = told_to_fail(vm, STEP_INIT) ? (RmError)vm->knobs.fail_code : init_vm(vm, image);
    if (code != RM_OK) {
        return refused("initialize VM", (uint32_t)code);
    }
    code = told_to_fail(vm, STEP_RESOURCES) ? (RmError)vm->knobs.fail_code : make_engine(vm);
    if (code != RM_OK) {
        return refused("get hypervisor resources for VM", (uint32_t)code);
    }
    pthread_mutex_unlock(&vm->mm_lock);
    pthread_mutex_lock(&vm->fn_lock);
    pthread_mutex_lock(&vm->mm_lock);
    fn_populate(vm);
    pthread_mutex_unlock(&vm->fn_lock);
    code = told_to_fail(vm, STEP_START) ? (RmError)vm->knobs.fail_code : boot(vm, image);
    return code != RM_OK ? refused("start VM", (uint32_t)code) : 0;
}

int rm_start(GhVm *vm)
{
    RmError code = rm_alloc_vmid(vm, vm->trusted_set ? vm->trusted.vm_id : 0);
    int ret;

    if (code != RM_OK) {
        return refused("allocate VMID", (uint32_t)code);
    }
    if (vm->knobs.rev == REV_ANDROID15 && !rm_begins(vm)) {
        rm_free_vmid(vm);
        return -ENODEV; /* the driver forgets which error it was, and has not begun */
    }
    g_atomic_int_set(&vm->status, VM_LOADING);
    pthread_mutex_lock(&vm->mm_lock);
    ret = load_and_start(vm);
    if (ret == 0) {
        g_atomic_int_set(&vm->status, VM_RUNNING);
    }
    pthread_mutex_unlock(&vm->mm_lock);
    return ret < 0 ? failed(vm, ret) : 0;
}

void rm_release(GhVm *vm)
{
    rm_sanitise(vm);
    vm->firmware = NULL;
    while (vm->mappings) {
        Mapping *m = vm->mappings->data;

        mem_unmap_engine(vm, m);
        mem_give_back(m);
        mem_free(m);
        vm->mappings = g_list_delete_link(vm->mappings, vm->mappings);
    }
    free_engine(vm, vm->engine);
    rm_config_free(vm->config);
    rm_free_vmid(vm);
}
