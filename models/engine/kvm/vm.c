/* SPDX-License-Identifier: GPL-2.0-or-later
 * The engine that lets the host's KVM execute the guest: life of a VM and its memory slots. It is
 * the hypervisor of a model, so it opens /dev/kvm itself; vCPUs are in vcpu.c, interrupt
 * controllers and registers in the architecture's files. Write-only and non-executable memory does
 * not exist here: what may be read may be executed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm-priv.h"
#include "util/error.h"

enum { KVM_API = 12, PAGE = 4096, FEW_SLOTS = 32 };

typedef struct {
    uint64_t gpa, size;
} KvmSlot;

int ekvm_ioctl(int fd, unsigned long request, void *arg)
{
    int ret;

    do {
        ret = ioctl(fd, request, arg);
    } while (ret < 0 && errno == EINTR);
    return ret;
}

static bool open_kvm(EngineVm *vm, GError **error)
{
    int version, slots, run_size;

    vm->dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (vm->dev < 0) {
        error_set_errno(error, errno, "engine kvm: cannot open /dev/kvm");
        return false;
    }
    version = ioctl(vm->dev, KVM_GET_API_VERSION, 0);
    if (version < 0) {
        error_set_errno(error, errno, "engine kvm: /dev/kvm does not answer GET_API_VERSION");
        return false;
    }
    if (version != KVM_API) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "engine kvm: /dev/kvm speaks version %d, not %d", version, KVM_API);
        return false;
    }
    run_size = ioctl(vm->dev, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (run_size < (int)sizeof(struct kvm_run)) {
        error_set_errno(error, run_size < 0 ? errno : ERANGE,
                        "engine kvm: cannot learn the size of a vCPU's page");
        return false;
    }
    vm->run_size = (size_t)run_size;
    do {
        vm->fd = ioctl(vm->dev, KVM_CREATE_VM, ekvm_arch_vm_type(vm->dev));
    } while (vm->fd < 0 && errno == EINTR);
    if (vm->fd < 0) {
        error_set_errno(error, errno, "engine kvm: CREATE_VM");
        return false;
    }
    slots = ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);
    vm->max_slots = slots > 0 ? (unsigned)slots : FEW_SLOTS;
    return true;
}

static void vm_free(EngineVm *vm)
{
    if (!vm) {
        return;
    }
    ekvm_arch_vm_fini(vm);
    if (vm->fd >= 0) {
        close(vm->fd);
    }
    if (vm->dev >= 0) {
        close(vm->dev);
    }
    g_array_unref(vm->slots);
    pthread_mutex_destroy(&vm->lock);
    g_free(vm);
}

static EngineVm *vm_new(const EngineVmConfig *config, GError **error)
{
    EngineVm *vm;

    if (config->n_vcpus < 1 || config->n_vcpus > KVM_ENGINE_MAX_VCPUS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "engine kvm: %u vCPUs: it is 1 to %d",
                    config->n_vcpus, KVM_ENGINE_MAX_VCPUS);
        return NULL;
    }
    vm = g_new0(EngineVm, 1);
    vm->config = *config;
    vm->dev = vm->fd = -1;
    vm->slots = g_array_new(FALSE, TRUE, sizeof(KvmSlot));
    pthread_mutex_init(&vm->lock, NULL);
    if (!open_kvm(vm, error) || !ekvm_arch_vm_init(vm, error)) {
        vm_free(vm);
        return NULL;
    }
    return vm;
}

/* ---- memory ---- */

/* [locked] The slot's number, one more than there are if all are in use. */
static guint find_slot(EngineVm *vm, uint64_t gpa, uint64_t size)
{
    guint i = 0;

    while (i < vm->slots->len && (g_array_index(vm->slots, KvmSlot, i).size != size ||
                                  (size && g_array_index(vm->slots, KvmSlot, i).gpa != gpa))) {
        i++;
    }
    return i;
}

static bool vm_map(EngineVm *vm, uint64_t gpa, uint64_t size, void *host, unsigned flags,
                   GError **error)
{
    struct kvm_userspace_memory_region region = {
        .flags = flags & ENGINE_MAP_WRITE ? 0 : KVM_MEM_READONLY,
        .guest_phys_addr = gpa,
        .memory_size = size,
        .userspace_addr = (uintptr_t)host,
    };
    int ret;

    if (!size || (gpa | size | (uintptr_t)host) % PAGE || gpa + size - 1 < gpa) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "engine kvm: 0x%" PRIx64 "+0x%" PRIx64 " is not whole pages", gpa, size);
        return false;
    }
    pthread_mutex_lock(&vm->lock);
    region.slot = find_slot(vm, 0, 0);
    if (region.slot >= vm->max_slots) {
        pthread_mutex_unlock(&vm->lock);
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "engine kvm: all %u slots are in use",
                    vm->max_slots);
        return false;
    }
    ret = ekvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
    if (ret < 0) {
        error_set_errno(error, errno, "engine kvm: cannot map 0x%" PRIx64 "+0x%" PRIx64, gpa, size);
    } else {
        g_array_set_size(vm->slots, MAX(vm->slots->len, region.slot + 1));
        g_array_index(vm->slots, KvmSlot, region.slot) = (KvmSlot){ gpa, size };
    }
    pthread_mutex_unlock(&vm->lock);
    return ret == 0;
}

/* KVM returns when no vCPU uses the slot any more. */
static bool vm_unmap(EngineVm *vm, uint64_t gpa, uint64_t size, GError **error)
{
    struct kvm_userspace_memory_region region = { .guest_phys_addr = gpa };
    bool ok = false;

    pthread_mutex_lock(&vm->lock);
    region.slot = find_slot(vm, gpa, size);
    if (!size || region.slot == vm->slots->len) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "engine kvm: no mapping 0x%" PRIx64 "+0x%" PRIx64, gpa, size);
    } else if (ekvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
        error_set_errno(error, errno, "engine kvm: cannot unmap 0x%" PRIx64, gpa);
    } else {
        g_array_index(vm->slots, KvmSlot, region.slot) = (KvmSlot){ 0 };
        ok = true;
    }
    pthread_mutex_unlock(&vm->lock);
    return ok;
}

const EngineOps engine_kvm_ops = {
    .name = "kvm",
    .guest = ekvm_arch_guest,
    .vm_new = vm_new,
    .vm_free = vm_free,
    .vm_map = vm_map,
    .vm_unmap = vm_unmap,
    .vcpu_new = ekvm_vcpu_new,
    .vcpu_free = ekvm_vcpu_free,
    .vcpu_boot = ekvm_vcpu_boot,
    .vcpu_run = ekvm_vcpu_run,
    .vcpu_kick = ekvm_vcpu_kick,
#if defined(__x86_64__)
    .vm_reset = ekvm_x86_vm_reset,
    .vm_set_line = ekvm_x86_vm_set_line,
    .vm_msi = ekvm_x86_vm_msi,
    .vcpu_set_x86 = ekvm_x86_vcpu_set_x86,
#elif defined(__aarch64__)
    .vm_pend_spi = ekvm_arm64_vm_pend_spi,
    .vcpu_set_reg = ekvm_arm64_vcpu_set_reg,
#endif
};
