/* SPDX-License-Identifier: GPL-2.0-or-later
 * -accel gunyah: the type, its properties, and the opening of the node. Which UAPI family a kernel
 * speaks is found with calls that cannot change anything: NULL arguments, which a kernel that
 * knows the number answers with EFAULT and one that does not with ENOTTY.
 */
#define G_LOG_DOMAIN "humpy-gunyah"

#include <errno.h>
#include <limits.h>
#include <linux/kvm.h>

#include "accel-priv.h"
#include "gunyah-priv.h"
#include "util/error.h"
#include "util/props.h"
#include "util/target.h"

G_DEFINE_FINAL_TYPE(AccelGunyah, accel_gunyah, TYPE_ACCEL)

static const char *const protect_names[] = { "off", "on", "auto", NULL };
static const char *const host_names[] = { "auto", "kernel", "model", NULL };

static const AccelCapReason missing_caps[] = {
    { ACCEL_CAP_RESET_IN_PLACE, "a Gunyah VM that has ended cannot be started again" },
    { ACCEL_CAP_MIGRATION, "Gunyah offers no vCPU state, no dirty log and no way to save a VM" },
    { ACCEL_CAP_GDB, "Gunyah offers no vCPU registers and no debug exits" },
    { ACCEL_CAP_REGISTERS, "Gunyah offers no vCPU registers" },
    { ACCEL_CAP_MEMORY_NODES, "Gunyah writes the guest's one memory node itself" },
    { ACCEL_CAP_LATE_RAM, "Gunyah takes memory only before the VM starts" },
    { ACCEL_CAP_ROM_SLOTS, "Gunyah has no read-only memory slots" },
    { ACCEL_CAP_MSI, "a Gunyah guest's GIC has no ITS, only wired SPIs" },
    { ACCEL_CAP_HOTPLUG_VCPU, "Gunyah fixes the vCPUs in the device tree at start" },
    { ACCEL_CAP_PMU, "the Gunyah kernel interface has no control over the PMU" },
    { ACCEL_CAP_PROTECT, "the kernel's Gunyah driver lacks the Android call that lends memory" },
    { ACCEL_CAP_EL2, "a Gunyah guest runs at EL1 and EL0 only" },
    { 0, NULL },
};

/* How a NULL argument is answered. */
static bool knows(AccelGunyah *gh, int fd, unsigned long request)
{
    return hostdev_ioctl(gh->dev.ops, fd, request, 0) != 0 && errno != ENOTTY;
}

static bool probe(AccelGunyah *gh, GError **error)
{
    GunyahFeatures *f = &gh->features;

    f->reclaim = knows(gh, gh->vm_fd, GH_VM_RECLAIM_REGION);
    f->share = knows(gh, gh->vm_fd, GH_VM_SET_USER_MEM_REGION);
    f->lend = knows(gh, gh->vm_fd, GH_VM_ANDROID_LEND_USER_MEM);
    f->boot_context = knows(gh, gh->vm_fd, GH_VM_SET_BOOT_CONTEXT);
    f->guest_mem = !f->share && knows(gh, gh->dev.fd, GH_CREATE_GUEST_MEM);
    f->resume_action = f->reclaim || f->boot_context;
    f->late_teardown = f->share && !f->reclaim;
    f->fw_config = knows(gh, gh->vm_fd, GH_VM_ANDROID_SET_FW_CONFIG);
    f->no_timer_wakeups =
        hostdev_ioctl(gh->dev.ops, gh->vm_fd, GH_VM_ANDROID_CHECK_EXTENSION, 0) > 0;
    if (f->share) {
        f->name = f->reclaim ? "android15" : f->lend ? "android14" : "v14";
    } else if (f->guest_mem) {
        f->name = "v17";
    } else {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%s has no known call to give a VM memory (neither that of android14-6.1 nor "
                    "that of the v17 posting)",
                    gh->device);
        return false;
    }
    if (gh->pvmfw && !f->fw_config) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "pvmfw=on: the kernel behind %s lacks the Android call that sets where the "
                    "protected-VM firmware goes",
                    gh->device);
        return false;
    }
    if (!gunyah_trusted_probe(gh, knows(gh, gh->vm_fd, GH_VM_ANDROID_SET_AUTH_TYPE), error)) {
        return false;
    }
    if (f->lend || f->guest_mem) {
        return true;
    }
    if (gh->lend || gh->protect == ACCEL_PROTECT_ON) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%s=on: the kernel behind %s lacks the Android call that lends memory",
                    gh->lend ? "lend" : "protected", gh->device);
        return false;
    }
    gh->protect = ACCEL_PROTECT_OFF;
    accel_drop_caps(HUMPY_ACCEL(gh), ACCEL_CAP_PROTECT);
    return true;
}

bool gunyah_create_vm(AccelGunyah *gh, GError **error)
{
    int fd = hostdev_ioctl(gh->dev.ops, gh->dev.fd, GH_CREATE_VM, 0);
    int cause = errno;

    if (fd >= 0) {
        gh->vm_fd = fd;
        return true;
    }
    if (cause == EINVAL || cause == ENOTTY) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "CREATE_VM on %s: %s (the kernel speaks the older Gunyah interface, ioctl type "
                    "0xB2 of android13-5.15; android14-6.1 or newer is needed)",
                    gh->device, g_strerror(cause));
    } else {
        error_set_errno(error, cause, "CREATE_VM on %s", gh->device);
    }
    errno = cause;
    return false;
}

static bool parse_address(const char *text, const char *name, bool *given, uint64_t *value,
                          GError **error)
{
    *given = text != NULL && *text != '\0';
    if (*given && !props_parse_size(text, '\0', value, error)) {
        g_prefix_error(error, "%s: ", name);
        return false;
    }
    return true;
}

/* What helps against an errno of open(). */
static const char *open_advice(int cause)
{
    switch (cause) {
    case ENOENT:
        return " (this kernel has no Gunyah driver, or no resource manager answered it; host=model "
               "runs the userspace model)";
    case EACCES:
    case EPERM:
        return " (give this user access to the node by group or udev rule, and look for SELinux "
               "denials)";
    case ENODEV:
    case ENXIO:
        return " (the node is there but no driver is behind it)";
    }
    return "";
}

/* Calls that change nothing tell which driver it is: KVM's knows its version, Gunyah's refuses the
 * one argument of CREATE_VM that it checks, everybody else does not know the number. */
static bool check_driver(AccelGunyah *gh, GError **error)
{
    int vm;

    if (hostdev_ioctl(gh->dev.ops, gh->dev.fd, KVM_GET_API_VERSION, 0) >= 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "%s is KVM's node, not Gunyah's",
                    gh->device);
        return false;
    }
    vm = hostdev_ioctl(gh->dev.ops, gh->dev.fd, GH_CREATE_VM, 1);
    if (vm >= 0) {
        hostdev_close(gh->dev.ops, vm);
    }
    if (vm >= 0 || errno != EINVAL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "%s is not Gunyah's node: it does not answer as that does", gh->device);
        return false;
    }
    return true;
}

static bool adopt_node(AccelGunyah *gh, GError **error)
{
    uint64_t fd;

    if (!props_parse_u64(gh->fd_text, &fd, NULL) || fd > INT_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "fd is '%s' but must be the number of a descriptor", gh->fd_text);
        return false;
    }
    if (!hostdev_adopt((int)fd, gh->device, (HostDevChoice)gh->host, &gh->dev, error)) {
        return false;
    }
    g_free(gh->device);
    gh->device = g_strdup_printf("descriptor %d", (int)fd);
    if (!check_driver(gh, error)) {
        hostdev_close(gh->dev.ops, gh->dev.fd);
        gh->dev.fd = -1;
        return false;
    }
    return true;
}

static bool open_node(AccelGunyah *gh, GError **error)
{
    GError *cause = NULL;

    if (gh->fd_text != NULL && *gh->fd_text != '\0') {
        return adopt_node(gh, error);
    }
    if (hostdev_open(gh->device, (HostDevChoice)gh->host, &gh->dev, &cause)) {
        return true;
    }
    g_set_error(error, cause->domain, cause->code, "%s%s", cause->message,
                cause->code == HUMPY_ERROR_HOST ? open_advice(errno) : "");
    g_error_free(cause);
    return false;
}

/* Contiguous memory set aside for VMs, where a platform has it. */
static bool open_cma(AccelGunyah *gh, GError **error)
{
    HostDevChoice choice = gh->dev.ops == &hostdev_kernel_ops ? HOSTDEV_KERNEL : HOSTDEV_MODEL;

    if (gh->cma_path == NULL || *gh->cma_path == '\0') {
        return true;
    }
    if (!knows(gh, gh->vm_fd, GH_VM_ANDROID_MAP_CMA_MEM)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "cma=%s: the kernel behind %s cannot give a VM contiguous memory (Android 15 "
                    "or newer can)",
                    gh->cma_path, gh->device);
        return false;
    }
    if (!hostdev_open(gh->cma_path, choice, &gh->cma, error)) {
        g_prefix_error(error, "cma=%s: ", gh->cma_path);
        return false;
    }
    return true;
}

static void gunyah_close(Accel *accel)
{
    AccelGunyah *gh = HUMPY_ACCEL_GUNYAH(accel);

    gunyah_vm_close(gh);
    hostdev_close(gh->dev.ops, gh->dev.fd);
    gh->dev.fd = -1;
    if (gh->cma.fd >= 0) {
        hostdev_close(gh->cma.ops, gh->cma.fd);
        gh->cma.fd = -1;
    }
}

static bool gunyah_open(Accel *accel, GError **error)
{
    AccelGunyah *gh = HUMPY_ACCEL_GUNYAH(accel);

    if (!parse_address(gh->base_address_text, "base-address", &gh->has_base_address,
                       &gh->base_address, error) ||
        !parse_address(gh->size_max_text, "size-max", &gh->has_size_max, &gh->size_max, error) ||
        !gunyah_trusted_parse(gh, error)) {
        return false;
    }
    if (gh->chunk_size % GUNYAH_IMAGE_ALIGN != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "chunk-size is %" G_GUINT64_FORMAT " but must be a multiple of 2M",
                    gh->chunk_size);
        return false;
    }
    if (gh->lend && gh->protect != ACCEL_PROTECT_OFF) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "lend=on gives all RAM away, protected=%s all but a window: only one can be",
                    protect_names[gh->protect]);
        return false;
    }
    if (gh->pvmfw && gh->protect != ACCEL_PROTECT_ON) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "pvmfw=on needs protected=on: the firmware is for protected guests");
        return false;
    }
    if (!open_node(gh, error)) {
        return false;
    }
    if (!gunyah_create_vm(gh, error) || !probe(gh, error) || !open_cma(gh, error)) {
        gunyah_close(accel);
        return false;
    }
    g_debug("%s speaks %s", gh->device, gh->features.name);
    return true;
}

static bool gunyah_setup(Accel *accel, const AccelMachineInfo *info, GError **error)
{
    AccelGunyah *gh = HUMPY_ACCEL_GUNYAH(accel);

    gh->info = info;
    gh->n_vcpus = info->n_vcpus;
    gh->dispatcher = ioreq_dispatcher_new(info->memory, NULL);
    gunyah_reclaim_begin(gh);
    memory_listener_register(&gh->listener, info->memory);
    return true;
}

static void gunyah_teardown(Accel *accel)
{
    AccelGunyah *gh = HUMPY_ACCEL_GUNYAH(accel);

    gh->detaching = true;
    memory_listener_unregister(&gh->listener);
    gunyah_irqs_stop(gh);
    gunyah_vm_close(gh);
    gunyah_sigbus_forget();
    if (gh->dispatcher != NULL) {
        gunyah_reclaim_end(gh);
    }
    g_clear_pointer(&gh->dispatcher, ioreq_dispatcher_free);
}

/* On v17 and with cma= RAM has moved into the driver's files by the time START says what it wants,
 * and that is lent memory as far as is known; android15's driver starts VMs that share theirs, but
 * they cannot execute it. So auto does not try the other way there. */
static void gunyah_protection(Accel *accel, AccelProtection *wanted)
{
    AccelGunyah *gh = HUMPY_ACCEL_GUNYAH(accel);
    bool lending;

    *wanted = (AccelProtection){
        .mode = (AccelProtect)gh->protect,
        .window = (AccelWindow)gh->dma_window,
        .window_size = gh->swiotlb_size,
        .firmware_size = gh->pvmfw ? GUNYAH_FIRMWARE_SIZE : 0,
        .all_lent = gh->lend,
        .signed_image = gh->trusted,
    };
    if (wanted->mode == ACCEL_PROTECT_AUTO &&
        (gunyah_memory_moves(gh) || gh->features.reclaim || gh->trusted ||
         (gunyah_has_settled(gh, &lending) && lending))) {
        wanted->mode = ACCEL_PROTECT_ON;
    }
}

static bool gunyah_wants_protection(Accel *accel)
{
    return HUMPY_ACCEL_GUNYAH(accel)->wants_protection;
}

static bool gunyah_fixed_entry(Accel *accel, uint64_t region_base, uint64_t *entry)
{
    AccelGunyah *gh = HUMPY_ACCEL_GUNYAH(accel);

    /* The firmware starts what it has verified at its first byte; a signed image says where. */
    if (gh->features.boot_context && !gh->pvmfw && !gh->trusted) {
        return false;
    }
    *entry = region_base;
    return true;
}

static void accel_gunyah_finalize(GObject *object)
{
    AccelGunyah *gh = HUMPY_ACCEL_GUNYAH(object);

    gunyah_irqs_clear(gh);
    g_array_unref(gh->ram);
    g_array_unref(gh->ioeventfds);
    pthread_mutex_destroy(&gh->io_lock);
    G_OBJECT_CLASS(accel_gunyah_parent_class)->finalize(object);
}

static void accel_gunyah_init(AccelGunyah *gh)
{
    gh->dev.fd = -1;
    gh->cma.fd = -1;
    gh->vm_fd = -1;
    gh->listener.name = "gunyah";
    gunyah_memory_init(gh);
    gunyah_functions_init(gh);
    gunyah_irqs_init(gh);
}

static const Prop gunyah_props[] = {
    PROP_ENUM("host", AccelGunyah, host, HOSTDEV_AUTO, host_names,
              "the kernel's device, the userspace model, or the first of them that exists"),
    PROP_STRING("device", AccelGunyah, device, "/dev/gunyah", "device node"),
    PROP_STRING("fd", AccelGunyah, fd_text, NULL,
                "descriptor of the node, which somebody else has opened for reading and writing"),
    PROP_BOOL("lend", AccelGunyah, lend, false,
              "lend all RAM to the guest: the host loses access when the VM starts"),
    PROP_ENUM("protected", AccelGunyah, protect, ACCEL_PROTECT_OFF, protect_names,
              "lend all RAM but a window that devices can reach; auto: if the firmware starts no "
              "other VMs"),
    PROP_SIZE("swiotlb-size", AccelGunyah, swiotlb_size, 0, 0, 1ULL << 30,
              "size of that window; 0: 64M"),
    PROP_ENUM("dma-window", AccelGunyah, dma_window, ACCEL_WINDOW_AUTO, accel_window_names,
              "how the guest's kernel is kept to the window: a restricted-dma-pool, a memory zone "
              "for kernels that know no such pools, or what suits the kernel"),
    PROP_BOOL("pvmfw", AccelGunyah, pvmfw, false,
              "start through the protected-VM firmware that the resource manager has"),
    PROP_STRING("trusted-vm-id", AccelGunyah, trusted_id_text, NULL,
                "VM ID of a Qualcomm trusted VM, whose signed image -kernel is (Android 15 and "
                "newer); with trusted-vm-pas-id"),
    PROP_STRING("trusted-vm-pas-id", AccelGunyah, trusted_pas_text, NULL,
                "what the secure world knows that image as"),
    PROP_STRING("cma", AccelGunyah, cma_path, NULL,
                "node of contiguous memory that RAM is taken from, such as /dev/trustedvm_cma "
                "(Android 15 and newer)"),
    PROP_SIZE("chunk-size", AccelGunyah, chunk_size, 0, 0, 1ULL << 40,
              "largest piece of RAM given in one call, a multiple of 2M; 0: shared RAM whole, lent "
              "RAM in pieces of 256M or what 64 parcels need"),
    PROP_U32("start-retries", AccelGunyah, start_retries, 6, 0, 12,
             "how often to try again, with growing pauses, while an earlier VM still holds what "
             "this one needs"),
    PROP_U32("relaunch-timeout", AccelGunyah, relaunch_timeout, 30, 0, 3600,
             "seconds that a reboot waits for the VM before it to be taken down"),
    PROP_STRING("base-address", AccelGunyah, base_address_text, NULL,
                "base-address told to the resource manager instead of the start of RAM"),
    PROP_STRING("size-max", AccelGunyah, size_max_text, NULL,
                "size-max told to the resource manager; none by default"),
};

static void accel_gunyah_class_init(AccelGunyahClass *klass)
{
    AccelClass *ac = HUMPY_ACCEL_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = accel_gunyah_finalize;
    props_install(G_OBJECT_CLASS(klass), gunyah_props, G_N_ELEMENTS(gunyah_props));
    ac->name = "gunyah";
    ac->summary = "Gunyah hypervisor through /dev/gunyah, or a userspace model of it";
    ac->targets = TARGET_AARCH64;
    ac->caps = ACCEL_CAP_IRQCHIP | ACCEL_CAP_VCPUS | ACCEL_CAP_PAUSE | ACCEL_CAP_PROTECT;
    ac->cap_reasons = missing_caps;
    ac->open = gunyah_open;
    ac->close = gunyah_close;
    ac->protection = gunyah_protection;
    ac->wants_protection = gunyah_wants_protection;
    ac->setup = gunyah_setup;
    ac->teardown = gunyah_teardown;
    ac->irq_connect = gunyah_irq_connect;
    ac->irq_set = gunyah_irq_set;
    ac->fdt_fixup = gunyah_fdt_fixup;
    ac->dtb_room = gunyah_dtb_room;
    ac->fixed_entry = gunyah_fixed_entry;
    ac->start = gunyah_start;
    ac->vcpu_run = gunyah_vcpu_run;
}
