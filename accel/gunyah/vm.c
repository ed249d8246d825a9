/* SPDX-License-Identifier: GPL-2.0-or-later
 * One VM from CREATE_VM to START, and its end. Everything is built from what the machine declared,
 * so that a START that met the remains of an earlier VM (on android14 a VM is taken down behind
 * close()'s back) can be tried again with a new VM descriptor: a failed one is good for nothing.
 */
#define G_LOG_DOMAIN "humpy-gunyah"

#include <errno.h>
#include <inttypes.h>

#include "gunyah-priv.h"
#include "util/error.h"

/* What the resource manager meant (facts 1.3: its replies as the driver maps them). */
static const char *start_advice(const AccelGunyah *gh, int cause)
{
    const char *trusted = gunyah_trusted_advice(gh, cause);

    if (trusted != NULL) {
        return trusted;
    }
    switch (cause) {
    case EOPNOTSUPP:
        return gh->pvmfw ? "the resource manager has no protected-VM firmware: pvmfw=off starts "
                           "the kernel without one"
                         : "the resource manager does not implement a call that is needed";
    case ENOMEM:
        return "the resource manager is out of memory: less RAM, fewer vCPUs, or a larger "
               "chunk-size";
    case ENODEV:
        return gh->lending
                   ? "the resource manager has no resource left, or other VMs are still "
                     "shutting down"
                   : "the resource manager has no resource left, or this firmware starts VMs "
                     "from lent memory only: try protected=on";
    case EPERM:
        return gh->lending ? "the resource manager denied it: memory ranges, VM attributes or the "
                             "device tree are not allowed to this VM"
                           : "the resource manager denied it: memory ranges, VM attributes or the "
                             "device tree are not allowed to this VM, or only lent memory is: try "
                             "protected=on";
    case EBUSY:
        return "an earlier VM still holds what this one needs: try again later";
    case EINVAL:
        return gh->pvmfw ? "the resource manager refused the configuration or the place of the "
                           "firmware: see whether it starts with pvmfw=off"
                         : "the resource manager refused the configuration: the device tree must "
                           "lie inside the first RAM region, have no /hypervisor node and one "
                           "/memory node";
    case EBADMSG:
        return "the resource manager answered with an error the driver does not know";
    }
    return "an error that is not in the driver's table";
}

static bool set_dtb(AccelGunyah *gh, const AccelBootInfo *boot, GError **error)
{
    struct gh_vm_dtb_config arg = { .guest_phys_addr = boot->dtb_gpa, .size = boot->dtb_room };

    if (gunyah_vm_ioctl(gh, GH_VM_SET_DTB_CONFIG, &arg) != 0) {
        error_set_errno(error, errno, "SET_DTB_CONFIG at 0x%" PRIx64 ", size 0x%" PRIx64,
                        boot->dtb_gpa, boot->dtb_room);
        return false;
    }
    return true;
}

static bool set_firmware(AccelGunyah *gh, GError **error)
{
    struct gh_vm_firmware_config arg = {
        .guest_phys_addr = gh->info->firmware_base,
        .size = gh->info->firmware_size,
    };

    if (arg.size == 0 || !gh->pvmfw) {
        return true;
    }
    if (gunyah_vm_ioctl(gh, GH_VM_ANDROID_SET_FW_CONFIG, &arg) != 0) {
        error_set_errno(error, errno, "SET_FW_CONFIG at 0x%" PRIx64 ", size 0x%" PRIx64,
                        (uint64_t)arg.guest_phys_addr, (uint64_t)arg.size);
        return false;
    }
    return true;
}

/* X0 is the resource manager's: the DTB. */
static bool set_entry(AccelGunyah *gh, const AccelBootInfo *boot, GError **error)
{
    struct gh_vm_boot_context arg = {
        .reg = GH_BOOT_CONTEXT_REG(GH_BOOT_CONTEXT_SET_PC, 0),
        .value = boot->entry,
    };

    if (gh->trusted || boot->entry == boot->ram_base) {
        return true; /* where the image says, or where every revision starts */
    }
    if (!gh->features.boot_context) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "the kernel's entry is 0x%" PRIx64 " but this Gunyah driver has no "
                    "SET_BOOT_CONTEXT and starts at 0x%" PRIx64,
                    boot->entry, boot->ram_base);
        return false;
    }
    if (gunyah_vm_ioctl(gh, GH_VM_SET_BOOT_CONTEXT, &arg) != 0) {
        error_set_errno(error, errno, "SET_BOOT_CONTEXT PC=0x%" PRIx64, boot->entry);
        return false;
    }
    return true;
}

static bool check_dtb(const GArray *regions, const AccelBootInfo *boot, GError **error)
{
    uint64_t end = boot->dtb_gpa + boot->dtb_room;

    for (unsigned i = 0; i < regions->len; i++) {
        const GunyahRegion *r = &g_array_index(regions, GunyahRegion, i);

        if (r->image && boot->dtb_gpa >= r->gpa && end > boot->dtb_gpa && end <= r->gpa + r->size) {
            return true;
        }
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                "the device tree at 0x%" PRIx64 ", size 0x%" PRIx64
                ", is not inside the RAM region that starts at 0x%" PRIx64
                " (a smaller initrd or a larger chunk-size makes room)",
                boot->dtb_gpa, boot->dtb_room, boot->ram_base);
    return false;
}

/* Everything between memory and START. */
static bool build(AccelGunyah *gh, const GArray *regions, const AccelBootInfo *boot, GError **error)
{
    return gunyah_trusted_set(gh, regions, error) && gunyah_vcpus_create(gh, error) &&
           gunyah_irqs_create(gh, error) && gunyah_ioeventfds_create(gh, error) &&
           set_dtb(gh, boot, error) && set_firmware(gh, error) && set_entry(gh, boot, error);
}

/* Which of START's steps it was: the driver says that in the kernel's log only. */
static char *step_text(const AccelGunyah *gh)
{
    g_autofree char *line = gh->dev.ops->log_newest != NULL ? gh->dev.ops->log_newest() : NULL;

    if (line != NULL) {
        return g_strdup_printf("the kernel log says '%s'", line);
    }
    return g_strdup("'dmesg | grep -e gunyah -e gh_' as root names the step: 'Failed to lend "
                    "parcel', 'Failed to share parcel', 'Failed to configure VM', 'Failed to "
                    "initialize VM' or 'Failed to start VM'");
}

/* A refusal that firmware gives which takes lent memory only (facts 2.3). */
static void note_refusal(AccelGunyah *gh, int cause)
{
    bool lending;

    gh->wants_protection = gh->protect == ACCEL_PROTECT_AUTO && !gh->lending &&
                           !gunyah_has_settled(gh, &lending) && (cause == ENODEV || cause == EPERM);
}

static bool start_vm(AccelGunyah *gh, GError **error)
{
    int cause;
    g_autofree char *step = NULL;

    if (gh->dev.ops->log_follow != NULL) {
        gh->dev.ops->log_follow();
    }
    if (gunyah_vm_ioctl(gh, GH_VM_START, NULL) == 0) {
        return true;
    }
    cause = errno;
    note_refusal(gh, cause);
    step = step_text(gh);
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HYPERVISOR, "START: %s (%s; %s)", g_strerror(cause),
                start_advice(gh, cause), step);
    errno = cause;
    return false;
}

/* TRUE: started. Else *step is what failed, and errno why. */
static bool build_and_start(AccelGunyah *gh, const GArray *regions, const AccelBootInfo *boot,
                            GunyahStep *step, GError **error)
{
    *step = GUNYAH_STEP_CREATE;
    if (gh->vm_fd < 0 && !gunyah_create_vm(gh, error)) {
        return false;
    }
    *step = GUNYAH_STEP_MEMORY;
    if (!gunyah_memory_register(gh, regions, error)) {
        return false;
    }
    *step = GUNYAH_STEP_OTHER;
    if (!build(gh, regions, boot, error)) {
        return false;
    }
    *step = GUNYAH_STEP_START;
    return start_vm(gh, error);
}

void gunyah_vm_close(AccelGunyah *gh)
{
    /* The irqfds' eventfds must be gone before their functions: the driver may leave its hook on
     * an eventfd that outlives the function (facts 1.3, eventfd lifetime). */
    gunyah_irqs_close(gh);
    gunyah_ioeventfds_detach(gh);
    gunyah_vcpus_close(gh);
    if (gh->vm_fd >= 0) {
        hostdev_close(gh->dev.ops, gh->vm_fd);
        gh->vm_fd = -1;
    }
}

/* The resource manager rewrites the tree in guest memory before all has succeeded, and refuses to
 * be given its own work: another attempt needs the tree as it was. Lent memory may still be out of
 * reach then, and stays as it is. */
static void restore_dtb(AccelGunyah *gh, const AccelBootInfo *boot, const void *dtb)
{
    if (!gh->lending) {
        address_space_write(gh->info->memory, boot->dtb_gpa, dtb, boot->dtb_room);
    }
}

/* There it has the rights to read and write only, whatever was asked for: nothing would fail, and
 * the guest would never fetch its first instruction. */
static void warn_of_shared_memory(AccelGunyah *gh)
{
    if (gh->features.reclaim && !gh->lending && !accel_is_relaunch(HUMPY_ACCEL(gh))) {
        g_message("the kernel behind %s (Android 15 or 16) lets no guest execute memory that is "
                  "shared; if this one shows no sign of life, lend it: protected=auto or "
                  "protected=on",
                  gh->device);
    }
}

bool gunyah_start(Accel *accel, const AccelBootInfo *boot, GError **error)
{
    AccelGunyah *gh = HUMPY_ACCEL_GUNYAH(accel);
    g_autofree void *dtb = NULL;
    g_autoptr(GError) first = NULL;
    g_autoptr(GArray) regions = NULL;
    GunyahPatience patience;

    gunyah_set_lending(gh, boot->protect);
    warn_of_shared_memory(gh);
    gh->wants_protection = false;
    gunyah_patience_init(&patience, gh);
    regions = gunyah_memory_plan(gh, boot->ram_base, error);

    if (regions == NULL || !check_dtb(regions, boot, error)) {
        return false;
    }
    dtb = g_malloc(boot->dtb_room);
    address_space_read(gh->info->memory, boot->dtb_gpa, dtb, boot->dtb_room);
    while (true) {
        GError *cause = NULL;
        GunyahStep step;
        bool hope;

        if (build_and_start(gh, regions, boot, &step, &cause)) {
            break;
        }
        hope = gunyah_patience_has_hope(&patience, step, errno);
        gunyah_vm_close(gh);
        g_debug("attempt %u: %s", patience.attempt + 1, cause->message);
        if (first == NULL) { /* what later ones meet may be its leftovers */
            first = cause;
        } else {
            g_error_free(cause);
        }
        if (!hope || !gunyah_patience_wait(&patience, gh, first->message)) {
            g_propagate_error(error, g_steal_pointer(&first));
            return false;
        }
        restore_dtb(gh, boot, dtb);
    }
    gunyah_settle(gh);
    __atomic_store_n(&gh->started, true, __ATOMIC_RELEASE);
    if (gh->lending) {
        gunyah_memory_seal(gh);
        gunyah_sigbus_watch(regions);
    }
    return gunyah_irqs_start(gh, error);
}
