/* SPDX-License-Identifier: GPL-2.0-or-later
 * Qualcomm's trusted VMs: the driver's manager of them (SET_AUTH_TYPE and what it makes of START),
 * and what the resource manager does with their image. Whether the maker has signed it cannot be
 * found out here: all but the signature is checked (rm-mdt.c), or nothing (knob trusted-vm=).
 */
#include <errno.h>
#include <unistd.h>

#include "gunyah-priv.h"
#include "rm-mdt.h"

/* ---- the driver's part ---- */

/* As often as somebody likes, at any time; the last one counts at START. */
static long attach(GhVm *vm, const struct gh_auth_desc *desc)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct gh_qtvm_auth_arg arg = { 0 }; /* a kernel leaves what is not given undefined */

    if (desc->arg_size > sizeof(arg)) {
        return -EINVAL;
    }
    if (desc->arg_size && user_copy_from(&arg, desc->arg, desc->arg_size) < 0) {
        return -EFAULT;
    }
    if (arg.guest_phys_addr + arg.size < arg.guest_phys_addr) {
        return -EOVERFLOW;
    }
    pthread_rwlock_wrlock(&vm->status_lock);
    if (g_atomic_int_get(&vm->status) == VM_NO_STATE) { /* later it is too late, but no error */
        arg.guest_phys_addr -= arg.guest_phys_addr % page;
        arg.size -= arg.size % page;
        vm->trusted = arg;
        vm->trusted_set = true;
    }
    pthread_rwlock_unlock(&vm->status_lock);
    return vm->knobs.auth_einval ? -EINVAL : 0;
}

long rm_set_auth_type(GhVm *vm, const struct gh_auth_desc *desc)
{
    if (desc->type != GH_AUTH_QCOM_TRUSTED_VM || vm->knobs.trusted == TRUSTED_OFF) {
        return -ENOENT;
    }
    return attach(vm, desc);
}

/* ---- the resource manager's part ---- */

static bool read_image(void *opaque, uint64_t offset, void *to, size_t n)
{
    return user_copy_from(to, (uintptr_t)opaque + offset, n) == 0;
}

RmError rm_trusted_authenticate(GhVm *vm, const Mapping *image)
{
    uint8_t *bytes = image->view + (vm->trusted.guest_phys_addr - image->gpa);
    g_autofree char *cause = NULL;

    vm->trusted_entry = 0;
    if (vm->knobs.trusted == TRUSTED_ACCEPT) {
        return RM_OK; /* entered at its first byte, as the open resource manager does */
    }
    if (!mdt_check(read_image, bytes, vm->trusted.size, &vm->trusted_entry, &cause)) {
        model_log("rm: image of PAS %u: %s", vm->trusted.pas_id, cause);
        return RM_VALIDATE_FAILED;
    }
    return RM_OK;
}
