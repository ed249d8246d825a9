/* SPDX-License-Identifier: GPL-2.0-or-later
 * ADD_FUNCTION and REMOVE_FUNCTION: the common checks, then the function's own file. Functions
 * are tickets; START brings the resources they wait for (fn_populate), and a function added later
 * finds its resource at once.
 */
#include <errno.h>

#include "gunyah-priv.h"

static bool known_type(uint32_t type)
{
    return type == GH_FN_VCPU || type == GH_FN_IRQFD || type == GH_FN_IOEVENTFD;
}

int fn_add(GhVm *vm, const struct gh_fn_desc *desc)
{
    uint64_t arg[GH_FN_MAX_ARG_SIZE / 8];
    int ret = -ENOENT;

    if (desc->arg_size > GH_FN_MAX_ARG_SIZE) {
        return -EINVAL;
    }
    if (user_copy_from(arg, desc->arg, desc->arg_size) < 0) {
        return -EFAULT;
    }
    if (!known_type(desc->type)) {
        return -ENOENT;
    }
    pthread_mutex_lock(&vm->fn_lock);
    switch (desc->type) {
    case GH_FN_VCPU:
        ret = vcpu_add(vm, arg, desc->arg_size);
        break;
    case GH_FN_IRQFD:
        ret = irqfd_add(vm, arg, desc->arg_size);
        break;
    case GH_FN_IOEVENTFD:
        ret = ioeventfd_add(vm, arg, desc->arg_size);
        break;
    }
    pthread_mutex_unlock(&vm->fn_lock);
    return ret;
}

/* With fn_lock. The argument's size takes part in the match; its other fields than the key do
 * not. */
static bool remove_matching(GhVm *vm, const struct gh_fn_desc *desc, const void *arg)
{
    const struct gh_fn_vcpu_arg *vcpu = arg;
    const struct gh_fn_irqfd_arg *irqfd = arg;

    switch (desc->type) {
    case GH_FN_VCPU:
        return desc->arg_size == sizeof(*vcpu) && vcpu_remove(vm, vcpu->id);
    case GH_FN_IRQFD:
        return desc->arg_size == sizeof(*irqfd) && irqfd_remove(vm, irqfd->label);
    case GH_FN_IOEVENTFD:
        return desc->arg_size == sizeof(struct gh_fn_ioeventfd_arg) && ioeventfd_remove(vm, arg);
    }
    return false;
}

int fn_remove(GhVm *vm, const struct gh_fn_desc *desc)
{
    uint64_t arg[GH_FN_MAX_ARG_SIZE / 8] = { 0 };
    bool found;

    if (desc->arg_size > GH_FN_MAX_ARG_SIZE) {
        return -EINVAL;
    }
    if (user_copy_from(arg, desc->arg, desc->arg_size) < 0) {
        return -EFAULT;
    }
    if (!known_type(desc->type)) {
        return -ENOENT;
    }
    if (!desc->arg_size && vm->knobs.rev == REV_ANDROID14) {
        return 0;
    }
    pthread_mutex_lock(&vm->fn_lock);
    found = remove_matching(vm, desc, arg);
    pthread_mutex_unlock(&vm->fn_lock);
    return found ? 0 : -ENOENT;
}

void fn_populate(GhVm *vm)
{
    for (guint i = 0; i < vm->vcpus->len; i++) {
        GhVcpu *vcpu = g_ptr_array_index(vm->vcpus, i);

        if (vm->config->proxy && vcpu->id < vm->config->n_cpus) {
            vcpu_populate(vcpu, vm->engine_vcpus[vcpu->id]);
        }
    }
    irqfd_populate(vm);
}

void fn_remove_all(GhVm *vm)
{
    pthread_mutex_lock(&vm->fn_lock);
    while (vm->vcpus->len) {
        const GhVcpu *vcpu = g_ptr_array_index(vm->vcpus, 0);

        vcpu_remove(vm, vcpu->id);
    }
    pthread_mutex_unlock(&vm->fn_lock);
    irqfd_remove_all(vm);
    ioeventfd_remove_all(vm);
}
