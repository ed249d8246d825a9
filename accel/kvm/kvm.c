/* SPDX-License-Identifier: GPL-2.0-or-later
 * -accel kvm: the type, its properties, opening the node, and the VM's life. The VM is made when
 * the node is opened, so that a host that cannot run any is told apart from one that can before a
 * machine is built; everything else follows the machine.
 */
#define G_LOG_DOMAIN "humpy-kvm"

#include <errno.h>

#include "../accel-priv.h"
#include "kvm-priv.h"
#include "util/error.h"
#include "util/props.h"
#include "util/target.h"

enum { KVM_API = 12 };

G_DEFINE_FINAL_TYPE(AccelKvm, accel_kvm, TYPE_ACCEL)

static const char *const chip_names[] = { "on", "split", "off", NULL };

static const struct {
    int extension;
    const char *name;
} needed[] = {
    { KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
    { KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "KVM_CAP_DESTROY_MEMORY_REGION_WORKS" },
    { KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM" },
    { KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
    { KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP" },
    { KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD" },
    { KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE" },
};

int kvm_check(const AccelKvm *kvm, int extension)
{
    int answer =
        kvm_ioctl(kvm, kvm->vm_fd >= 0 ? kvm->vm_fd : kvm->dev.fd, KVM_CHECK_EXTENSION, extension);

    return answer < 0 ? 0 : answer;
}

/* ---- open ---- */

static const char *open_advice(int cause)
{
    switch (cause) {
    case ENOENT:
        return kvm_arch_no_node;
    case EACCES:
    case EPERM:
        return " (add the user to the group that owns the node, often 'kvm')";
    case ENODEV:
    case ENXIO:
        return " (the node is there but no driver is behind it)";
    }
    return "";
}

static bool open_node(AccelKvm *kvm, GError **error)
{
    GError *cause = NULL;

    if (hostdev_open(kvm->device, HOSTDEV_KERNEL, &kvm->dev, &cause)) {
        return true;
    }
    g_set_error(error, cause->domain, cause->code, "%s%s", cause->message, open_advice(errno));
    g_error_free(cause);
    return false;
}

static bool check_api(AccelKvm *kvm, GError **error)
{
    int version = kvm_ioctl(kvm, kvm->dev.fd, KVM_GET_API_VERSION, 0);

    if (version < 0) {
        error_set_errno(error, errno, "%s does not answer KVM_GET_API_VERSION", kvm->device);
        return false;
    }
    if (version != KVM_API) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%s speaks version %d of the KVM interface, not %d", kvm->device, version,
                    KVM_API);
        return false;
    }
    return true;
}

static bool create_vm(AccelKvm *kvm, GError **error)
{
    int size = kvm_ioctl(kvm, kvm->dev.fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    int fd;

    if (size < (int)sizeof(struct kvm_run)) {
        error_set_errno(error, size < 0 ? errno : ERANGE, "cannot learn the size of a run page");
        return false;
    }
    kvm->run_size = size;
    do {
        fd = kvm_ioctl(kvm, kvm->dev.fd, KVM_CREATE_VM, kvm_arch_vm_type(kvm));
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        error_set_errno(error, errno, "CREATE_VM on %s", kvm->device);
        return false;
    }
    kvm->vm_fd = fd;
    return true;
}

static bool check_extensions(AccelKvm *kvm, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (kvm_check(kvm, needed[i].extension) == 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        "%s lacks %s (a newer host kernel may have it)", kvm->device,
                        needed[i].name);
            return false;
        }
    }
    kvm->max_slots = kvm_check(kvm, KVM_CAP_NR_MEMSLOTS);
    if (kvm->max_slots == 0) {
        kvm->max_slots = 32; /* what every kernel has */
    }
    return kvm_arch_check(kvm, error);
}

static void close_vm(AccelKvm *kvm)
{
    kvm_vcpus_close(kvm);
    kvm_arch_clear(kvm);
    if (kvm->vm_fd >= 0) {
        hostdev_close(kvm->dev.ops, kvm->vm_fd);
        kvm->vm_fd = -1;
    }
}

static void kvm_close(Accel *accel)
{
    AccelKvm *kvm = HUMPY_ACCEL_KVM(accel);

    close_vm(kvm);
    hostdev_close(kvm->dev.ops, kvm->dev.fd);
    kvm->dev.fd = -1;
}

static bool kvm_open(Accel *accel, GError **error)
{
    AccelKvm *kvm = HUMPY_ACCEL_KVM(accel);

    if (target_current() != kvm_arch_target) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "this host executes %s guests only, not those of %s",
                    kvm_arch_target == TARGET_X86_64 ? "x86_64" : "aarch64", target_program());
        return false;
    }
    if (!open_node(kvm, error)) {
        return false;
    }
    if (!check_api(kvm, error) || !create_vm(kvm, error) || !check_extensions(kvm, error)) {
        kvm_close(accel);
        return false;
    }
    return true;
}

/* ---- the VM ---- */

static bool check_vcpus(AccelKvm *kvm, GError **error)
{
    unsigned max = kvm_check(kvm, KVM_CAP_MAX_VCPUS);

    if (kvm->n_vcpus > max) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%u vCPUs, but KVM on this host has at most %u", kvm->n_vcpus, max);
        return false;
    }
    return true;
}

static void kvm_teardown(Accel *accel)
{
    AccelKvm *kvm = HUMPY_ACCEL_KVM(accel);

    kvm->detaching = true;
    if (kvm->io_listener.as != NULL) {
        memory_listener_unregister(&kvm->io_listener);
    }
    if (kvm->mem_listener.as != NULL) {
        memory_listener_unregister(&kvm->mem_listener);
    }
    kvm_vcpus_close(kvm);
    g_clear_pointer(&kvm->dispatcher, ioreq_dispatcher_free);
}

static bool kvm_setup(Accel *accel, const AccelMachineInfo *info, GError **error)
{
    AccelKvm *kvm = HUMPY_ACCEL_KVM(accel);

    kvm->info = info;
    kvm->n_vcpus = info->n_vcpus;
    if (!check_vcpus(kvm, error) || !kvm_arch_setup(kvm, error) || !kvm_vcpus_create(kvm, error) ||
        !kvm_arch_complete(kvm, error)) {
        return false;
    }
    kvm->dispatcher = ioreq_dispatcher_new(info->memory, info->io);
    memory_listener_register(&kvm->mem_listener, info->memory);
    if (info->io != NULL) {
        memory_listener_register(&kvm->io_listener, info->io);
    }
    return true;
}

static bool kvm_start(Accel *accel, const AccelBootInfo *boot, GError **error)
{
    AccelKvm *kvm = HUMPY_ACCEL_KVM(accel);

    kvm->started = kvm_memory_check(kvm, error) && kvm_arch_start(kvm, boot, error);
    return kvm->started;
}

static bool kvm_reset(Accel *accel, const AccelBootInfo *boot, GError **error)
{
    AccelKvm *kvm = HUMPY_ACCEL_KVM(accel);

    for (unsigned i = 0; i < kvm->n_vcpus; i++) {
        if (!kvm_vcpu_settle(kvm, i, error)) {
            return false;
        }
    }
    if (!kvm_arch_reset(kvm, boot, error)) {
        return false;
    }
    kvm_irqs_refresh(kvm);
    return true;
}

static void kvm_pause(Accel *accel)
{
    kvm_arch_pause(HUMPY_ACCEL_KVM(accel));
}

static void kvm_resume(Accel *accel)
{
    kvm_arch_resume(HUMPY_ACCEL_KVM(accel));
}

/* ---- type ---- */

static void accel_kvm_finalize(GObject *object)
{
    AccelKvm *kvm = HUMPY_ACCEL_KVM(object);

    g_array_unref(kvm->slots);
    kvm_irqs_clear(kvm);
    kvm_gate_clear(&kvm->gate);
    G_OBJECT_CLASS(accel_kvm_parent_class)->finalize(object);
}

static void accel_kvm_init(AccelKvm *kvm)
{
    kvm->dev.fd = -1;
    kvm->vm_fd = -1;
    kvm_memory_init(kvm);
    kvm_irqs_init(kvm);
    kvm_gate_init(&kvm->gate);
}

static const Prop kvm_props[] = {
    PROP_STRING("device", AccelKvm, device, "/dev/kvm", "device node"),
    PROP_ENUM("kernel-irqchip", AccelKvm, chip, KVM_CHIP_ON, chip_names,
              "which interrupt controllers are the kernel's: all, only the vCPUs' own (x86), none"),
};

static void accel_kvm_class_init(AccelKvmClass *klass)
{
    AccelClass *ac = HUMPY_ACCEL_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = accel_kvm_finalize;
    props_install(G_OBJECT_CLASS(klass), kvm_props, G_N_ELEMENTS(kvm_props));
    ac->name = "kvm";
    ac->summary = "the Linux kernel's own hypervisor, for guests of the host's architecture";
    ac->caps = ACCEL_CAP_IRQCHIP | ACCEL_CAP_VCPUS | ACCEL_CAP_PAUSE | ACCEL_CAP_LATE_RAM |
               ACCEL_CAP_ROM_SLOTS | ACCEL_CAP_HIGH_MMIO | ACCEL_CAP_MEMORY_NODES | kvm_arch_caps;
    ac->cap_reasons = kvm_arch_missing_caps;
    ac->open = kvm_open;
    ac->close = kvm_close;
    ac->setup = kvm_setup;
    ac->teardown = kvm_teardown;
    ac->irq_connect = kvm_irq_connect;
    ac->irq_set = kvm_irq_set;
    ac->msi = kvm_arch_caps & ACCEL_CAP_MSI ? kvm_msi : NULL;
    ac->start = kvm_start;
    ac->reset = kvm_arch_caps & ACCEL_CAP_RESET_IN_PLACE ? kvm_reset : NULL;
    ac->pause = kvm_pause;
    ac->resume = kvm_resume;
    ac->vcpu_run = kvm_vcpu_run;
}
