/* SPDX-License-Identifier: GPL-2.0-or-later
 * -accel acrn: the type, its properties, opening the node, and the VM from CREATE_VM to DESTROY_VM.
 * The hypervisor runs the vCPUs by itself; what it traps comes to the request client (ioreq.c).
 *
 * A VM that was paused can go nowhere but through RESET_VM, so there is no stop and cont; a reset
 * in place keeps the VM, its segments and the node. The driver must never see the node closed
 * while the VM is not paused: it would use freed memory.
 */
#define G_LOG_DOMAIN "humpy-acrn"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "accel-priv.h"
#include "acrn-priv.h"
#include "util/error.h"
#include "util/props.h"
#include "util/target.h"

G_DEFINE_FINAL_TYPE(AccelAcrn, accel_acrn, TYPE_ACCEL)

static const char *const host_names[] = { "auto", "kernel", "model", NULL };

static const AccelCapReason missing_caps[] = {
    { ACCEL_CAP_PAUSE, "a paused ACRN VM can only be reset" },
    { ACCEL_CAP_MIGRATION, "ACRN offers no vCPU state, no dirty log and no way to save a VM" },
    { ACCEL_CAP_GDB, "ACRN offers no vCPU registers after the start and no debug exits" },
    { ACCEL_CAP_REGISTERS, "ACRN offers no vCPU registers after the start" },
    { ACCEL_CAP_LATE_RAM, "ACRN takes memory only before the VM starts, and for good" },
    { ACCEL_CAP_ROM_SLOTS, "ACRN cannot take a memory segment back, as programmable flash needs" },
    { ACCEL_CAP_HOTPLUG_VCPU, "ACRN fixes the vCPUs when the VM is created" },
    { ACCEL_CAP_PMU, "ACRN's interface has no control over the PMU" },
    { ACCEL_CAP_PIT, "ACRN has no 8254; the machine's own is used" },
    { 0, NULL },
};

/* ---- properties ---- */

/* "0-1:3" as a mask. */
static bool parse_cpus(const char *text, uint64_t *mask, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", -1);

    bool good = parts[0] != NULL;

    *mask = 0;
    for (char **part = parts; *part != NULL && good; part++) {
        char *end;
        uint64_t first = g_ascii_strtoull(*part, &end, 10), last = first;

        if (end != *part && *end == '-' && g_ascii_isdigit(end[1])) {
            last = g_ascii_strtoull(end + 1, &end, 10);
        }
        good = g_ascii_isdigit(**part) && *end == '\0' && first <= last && last <= 63;
        for (uint64_t cpu = first; good && cpu <= last; cpu++) {
            *mask |= UINT64_C(1) << cpu;
        }
    }
    if (!good) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "cpu-affinity: '%s' is not a list of physical CPUs from 0 to 63, such as 0-1:3",
                    text);
    }
    return good;
}

static bool check_properties(AccelAcrn *acrn, GError **error)
{
    if (acrn->lapic_passthrough && !acrn->rt) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "lapic-passthrough=on needs rt=on as well");
        return false;
    }
    if (!acrn_passthru_parse(acrn, error)) {
        return false;
    }
    acrn->affinity = 0;
    if (acrn->affinity_text == NULL || strcmp(acrn->affinity_text, "configured") == 0) {
        return true;
    }
    return parse_cpus(acrn->affinity_text, &acrn->affinity, error);
}

/* ---- the node ---- */

/* What helps against an errno of open(). */
static const char *open_advice(int cause)
{
    switch (cause) {
    case ENOENT:
        return " (this is not an ACRN Service VM, or its kernel's acrn module is not loaded; "
               "host=model runs the userspace model)";
    case EACCES:
    case EPERM:
        return " (give this user access to the node by group or udev rule)";
    case ENODEV:
    case ENXIO:
        return " (the node is there but no driver is behind it)";
    }
    return "";
}

static bool acrn_open(Accel *accel, GError **error)
{
    AccelAcrn *acrn = HUMPY_ACCEL_ACRN(accel);
    GError *cause = NULL;

    if (!check_properties(acrn, error)) {
        return false;
    }
    if (hostdev_open(acrn->device, (HostDevChoice)acrn->host, &acrn->dev, &cause)) {
        return true;
    }
    g_set_error(error, cause->domain, cause->code, "%s%s", cause->message,
                cause->code == HUMPY_ERROR_HOST ? open_advice(errno) : "");
    g_error_free(cause);
    return false;
}

static void acrn_close(Accel *accel)
{
    AccelAcrn *acrn = HUMPY_ACCEL_ACRN(accel);

    hostdev_close(acrn->dev.ops, acrn->dev.fd);
    acrn->dev.fd = -1;
    g_clear_pointer(&acrn->page, free);
}

/* ---- the VM ---- */

static uint64_t vm_flags(const AccelAcrn *acrn)
{
    return (acrn->secure_world ? ACRN_VM_FLAG_SECURE_WORLD : 0) |
           (acrn->lapic_passthrough ? ACRN_VM_FLAG_LAPIC_PASSTHROUGH : 0) |
           (acrn->polling ? ACRN_VM_FLAG_IO_COMPLETION_POLLING : 0) |
           (acrn->rt ? ACRN_VM_FLAG_RT : 0);
}

/* The hypervisor makes a vCPU for each physical CPU that it lets the VM have. */
static bool check_vcpus(AccelAcrn *acrn, unsigned got, GError **error)
{
    if (got == acrn->info->n_vcpus) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                "-smp asks for %u vCPUs but the hypervisor gives the VM %u, one for each physical "
                "CPU that it may use (cpu-affinity= names them)",
                acrn->info->n_vcpus, got);
    return false;
}

static bool create_vm(AccelAcrn *acrn, GError **error)
{
    struct acrn_vm_creation arg = {
        .vm_flag = vm_flags(acrn),
        .ioreq_buf = (uintptr_t)acrn->page,
        .cpu_affinity = acrn->affinity,
    };

    /* What the hypervisor calls it; "configured" leaves the choice of CPUs to the entry of that
     * name in its configuration. */
    g_strlcpy((char *)arg.uuid, acrn->info->vm_name != NULL ? acrn->info->vm_name : "",
              sizeof(arg.uuid));
    if (acrn->affinity_text == NULL) {
        arg.cpu_affinity = (UINT64_C(1) << acrn->info->n_vcpus) - 1;
    }
    if (acrn_ioctl(acrn, ACRN_IOCTL_CREATE_VM, &arg) != 0) {
        int cause = errno;

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "cannot create the VM on %s with physical CPUs 0x%" PRIx64 ": %s (the "
                    "hypervisor has no free VM, does not know these CPUs or flags, or cannot use "
                    "the request page)",
                    acrn->device, (uint64_t)arg.cpu_affinity, g_strerror(cause));
        return false;
    }
    acrn->has_vm = true;
    return check_vcpus(acrn, arg.vcpu_num, error);
}

static void acrn_teardown(Accel *accel)
{
    AccelAcrn *acrn = HUMPY_ACCEL_ACRN(accel);

    if (acrn->has_vm && acrn_ioctl(acrn, ACRN_IOCTL_PAUSE_VM, NULL) != 0) {
        g_warning("-accel acrn: cannot pause the VM before it is destroyed: %s", g_strerror(errno));
    }
    acrn_client_stop(acrn);
    acrn_passthru_take_back(acrn);
    acrn->detaching = true;
    memory_listener_unregister(&acrn->mem_listener);
    memory_listener_unregister(&acrn->io_listener);
    if (acrn->has_vm && acrn_ioctl(acrn, ACRN_IOCTL_DESTROY_VM, NULL) != 0) {
        g_warning("-accel acrn: cannot destroy the VM: %s", g_strerror(errno));
    }
    acrn->has_vm = false;
    if (acrn->dispatcher != NULL) {
        memory_discard_allow();
        g_clear_pointer(&acrn->dispatcher, ioreq_dispatcher_free);
    }
}

static bool acrn_setup(Accel *accel, const AccelMachineInfo *info, GError **error)
{
    AccelAcrn *acrn = HUMPY_ACCEL_ACRN(accel);

    acrn->info = info;
    if (info->n_vcpus > ACRN_IO_REQUEST_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "-smp %u: an ACRN VM has at most %d vCPUs", info->n_vcpus, ACRN_IO_REQUEST_MAX);
        return false;
    }
    if (posix_memalign((void **)&acrn->page, ACRN_PAGE_SIZE, sizeof(*acrn->page)) != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "no memory for the request page");
        return false;
    }
    memset(acrn->page, 0, sizeof(*acrn->page));
    if (!create_vm(acrn, error)) {
        acrn_teardown(accel);
        return false;
    }
    acrn->dispatcher = ioreq_dispatcher_new(info->memory, info->io);
    ioreq_dispatcher_set_pci_config(acrn->dispatcher, info->pci_config, info->pci_opaque);
    memory_discard_inhibit(); /* the driver pins the pages it is given, for the VM's life */
    memory_listener_register(&acrn->mem_listener, info->memory);
    if (info->io != NULL) {
        memory_listener_register(&acrn->io_listener, info->io);
    }
    return true;
}

static bool set_boot_registers(AccelAcrn *acrn, const AccelX86State *boot, GError **error)
{
    struct acrn_vcpu_regs arg = { .vcpu_id = 0 };
    struct acrn_regs *r = &arg.vcpu_regs;

    r->gprs.rax = boot->rax;
    r->gprs.rbx = boot->rbx;
    r->gprs.rsi = boot->rsi;
    r->rip = boot->rip;
    r->cr0 = boot->cr0;
    r->gdt.base = boot->gdt_base;
    r->gdt.limit = boot->gdt_limit;
    r->cs_sel = boot->cs.selector;
    r->cs_ar = boot->cs.attributes;
    r->cs_base = boot->cs.base;
    r->cs_limit = boot->cs.limit;
    r->ds_sel = r->es_sel = r->ss_sel = r->fs_sel = r->gs_sel = boot->data.selector;
    r->tr_sel = boot->tr.selector;
    if (acrn_ioctl(acrn, ACRN_IOCTL_SET_VCPU_REGS, &arg) != 0) {
        error_set_errno(error, errno, "cannot set the registers of the boot vCPU");
        return false;
    }
    return true;
}

static bool acrn_start(Accel *accel, const AccelBootInfo *boot, GError **error)
{
    AccelAcrn *acrn = HUMPY_ACCEL_ACRN(accel);

    if (boot->x86 == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "the machine has no x86 state to start from");
        return false;
    }
    return acrn_memory_register(acrn, error) && acrn_passthru_give(acrn, error) &&
           set_boot_registers(acrn, boot->x86, error) && acrn_client_start(acrn, error);
}

static void acrn_resume(Accel *accel)
{
    if (acrn_ioctl(HUMPY_ACCEL_ACRN(accel), ACRN_IOCTL_START_VM, NULL) != 0) {
        accel_report_event(accel, ACCEL_EVENT_LOAD_FAILED, "START_VM: %s", g_strerror(errno));
    }
}

/* The requests that were under way get their answers before the hypervisor forgets them: an answer
 * that came after the reset would be taken for one of the next life. */
static void acrn_pause(Accel *accel)
{
    AccelAcrn *acrn = HUMPY_ACCEL_ACRN(accel);

    if (acrn_ioctl(acrn, ACRN_IOCTL_PAUSE_VM, NULL) != 0) {
        accel_report_event(accel, ACCEL_EVENT_CRASH, "PAUSE_VM: %s", g_strerror(errno));
    }
    acrn_client_drain(acrn);
    acrn_ioctl(acrn, ACRN_IOCTL_CLEAR_VM_IOREQ, NULL);
    acrn_client_drain(acrn);
}

static bool pause_and_reset(AccelAcrn *acrn, GError **error)
{
    if (acrn_ioctl(acrn, ACRN_IOCTL_PAUSE_VM, NULL) == 0) {
        acrn_passthru_take_back(acrn);
        if (acrn_ioctl(acrn, ACRN_IOCTL_RESET_VM, NULL) == 0) {
            return true;
        }
    }
    error_set_errno(error, errno, "cannot reset the VM");
    return false;
}

/* A VM that has not run since the last reset is not paused yet, which costs nothing to make up.
 * Devices that the guest has for itself are reset while they are the host's. */
static bool acrn_reset(Accel *accel, const AccelBootInfo *boot, GError **error)
{
    AccelAcrn *acrn = HUMPY_ACCEL_ACRN(accel);

    if (!pause_and_reset(acrn, error) || !acrn_passthru_give(acrn, error)) {
        return false;
    }
    if (!set_boot_registers(acrn, boot->x86, error)) {
        return false;
    }
    acrn_irqs_refresh(acrn);
    return true;
}

/* ---- type ---- */

static void accel_acrn_finalize(GObject *object)
{
    AccelAcrn *acrn = HUMPY_ACCEL_ACRN(object);

    acrn_client_clear(acrn);
    acrn_irqs_clear(acrn);
    g_array_unref(acrn->passthru);
    g_array_unref(acrn->ram);
    g_array_unref(acrn->doorbells);
    G_OBJECT_CLASS(accel_acrn_parent_class)->finalize(object);
}

static void accel_acrn_init(AccelAcrn *acrn)
{
    acrn->dev.fd = -1;
    acrn->passthru = g_array_new(false, false, sizeof(AcrnPassthru));
    acrn_memory_init(acrn);
    acrn_irqs_init(acrn);
    acrn_client_init(acrn);
}

static const Prop acrn_props[] = {
    PROP_ENUM("host", AccelAcrn, host, HOSTDEV_AUTO, host_names,
              "the kernel's device, the userspace model, or the first of them that exists"),
    PROP_STRING("device", AccelAcrn, device, "/dev/acrn_hsm", "device node"),
    PROP_STRING("cpu-affinity", AccelAcrn, affinity_text, NULL,
                "physical CPUs that the VM may use, a vCPU for each: a list such as 0-1:3, or "
                "'configured' for those of the hypervisor's configuration; default: the first ones "
                "of the host, as many as -smp says"),
    PROP_BOOL("completion-polling", AccelAcrn, polling, false,
              "vCPUs wait for answers by polling, without a call of the hypervisor"),
    PROP_BOOL("rt", AccelAcrn, rt, false, "real-time VM"),
    PROP_BOOL("lapic-passthrough", AccelAcrn, lapic_passthrough, false,
              "the guest has the physical local APICs; needs rt=on"),
    PROP_STRING("pci-assign", AccelAcrn, pci_assign, NULL,
                "PCI functions of the host for the guest alone, each with its slot there: "
                "00:14.0@5+03:00.0@6.0"),
    PROP_STRING("mmio-assign", AccelAcrn, mmio_assign, NULL,
                "device memory of the host for the guest alone: physical address, size and guest "
                "address in hexadecimal, fed40000:5000@fed40000"),
    PROP_BOOL("secure-world", AccelAcrn, secure_world, false, "VM with a secure world (Trusty)"),
};

static void accel_acrn_class_init(AccelAcrnClass *klass)
{
    AccelClass *ac = HUMPY_ACCEL_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = accel_acrn_finalize;
    props_install(G_OBJECT_CLASS(klass), acrn_props, G_N_ELEMENTS(acrn_props));
    ac->name = "acrn";
    ac->summary = "ACRN hypervisor through /dev/acrn_hsm, or a userspace model of it";
    ac->targets = TARGET_X86_64;
    ac->caps = ACCEL_CAP_IRQCHIP | ACCEL_CAP_VCPUS | ACCEL_CAP_RESET_IN_PLACE | ACCEL_CAP_MSI |
               ACCEL_CAP_HIGH_MMIO | ACCEL_CAP_MEMORY_NODES;
    ac->cap_reasons = missing_caps;
    ac->open = acrn_open;
    ac->close = acrn_close;
    ac->setup = acrn_setup;
    ac->teardown = acrn_teardown;
    ac->irq_connect = acrn_irq_connect;
    ac->irq_set = acrn_irq_set;
    ac->msi = acrn_msi;
    ac->start = acrn_start;
    ac->reset = acrn_reset;
    ac->pause = acrn_pause;
    ac->resume = acrn_resume;
}
