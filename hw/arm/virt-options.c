/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a user may ask of the virt machine: properties of -machine, -cpu, -m. What is named as on
 * QEMU and cannot be had is refused with the reason, so that a guest never gets less than was asked
 * for.
 */
#include <unistd.h>

#include "util/error.h"
#include "util/keyval.h"
#include "virt-priv.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

enum { GIC_2, GIC_3, GIC_4, GIC_HOST, GIC_MAX };
static const char *const gic_versions[] = { "2", "3", "4", "host", "max", NULL };
enum { ACPI_AUTO, ACPI_ON, ACPI_OFF };
static const char *const iommus[] = { "none", "smmuv3", NULL };

/* Values of -cpu, and what the device tree then calls the CPU. The accelerator decides what the CPU
 * really is: names are taken as on QEMU so that command lines carry over. */
const char *const virt_cpu_types[] = {
    "cortex-a57", "cortex-a53", "cortex-a72", "host", "max", NULL
};
static const char *const cpu_compatibles[] = { "arm,cortex-a57", "arm,cortex-a53", "arm,cortex-a72",
                                               "arm,armv8", "arm,armv8" };

static bool check_properties(VirtMachine *v, Accel *accel, GError **error)
{
    const struct {
        bool asked;
        const char *option;
        AccelCap cap; /* what the accelerator would have to have first, or 0 */
        const char *why;
    } refused[] = {
        { v->gic_version == GIC_2, "gic-version=2", 0, "a GICv2 is not emulated (use 3)" },
        { v->gic_version == GIC_4, "gic-version=4", 0, "a GICv4 is not emulated (use 3)" },
        { v->its, "its=on", ACCEL_CAP_MSI, "the machine has no ITS of its own yet" },
        { v->secure, "secure=on", 0, "there is no EL3" },
        { v->virtualization, "virtualization=on", ACCEL_CAP_EL2, "EL2 cannot be started yet" },
        { v->acpi == ACPI_ON, "acpi=on", 0, "there are no ACPI tables, only a device tree" },
        { v->iommu != 0, "iommu=smmuv3", 0, "an SMMU serves PCI devices and there are none yet" },
        { v->usb, "usb=on", 0, "there is no USB controller yet" },
        { v->mte, "mte=on", 0, "there is no memory for tags" },
        { v->ras, "ras=on", 0, "there is no way to report hardware errors" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autofree char *what = g_strdup_printf("-machine virt,%s", refused[i].option);

        if (!refused[i].asked) {
            continue;
        }
        if (refused[i].cap == 0 || accel_require(accel, refused[i].cap, what, error)) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED, "%s: %s", what,
                        refused[i].why);
        }
        return false;
    }
    if ((accel_caps(accel) & ACCEL_CAP_VCPUS) && !(accel_caps(accel) & ACCEL_CAP_IRQCHIP)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "-machine virt: accelerator '%s' brings no interrupt controller and the "
                    "machine has none of its own",
                    accel_name(accel));
        return false;
    }
    return true;
}

static bool check_cpu(VirtMachine *v, const char *text, Accel *accel, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text != NULL ? text : virt_cpu_types[0], "type", error);
    const char *type, *unknown;
    bool pmu = false;

    v->cpu_compatible = NULL;
    if (kv == NULL) {
        return false;
    }
    type = keyval_take(kv, "type");
    for (unsigned i = 0; virt_cpu_types[i] != NULL; i++) {
        if (g_strcmp0(type, virt_cpu_types[i]) == 0) {
            v->cpu_compatible = cpu_compatibles[i];
        }
    }
    if (v->cpu_compatible == NULL) {
        error_set_unknown(error, "CPU type", type != NULL ? type : "", virt_cpu_types);
        return false;
    }
    if (!keyval_take_bool(kv, "pmu", &pmu, error) ||
        (pmu && !accel_require(accel, ACCEL_CAP_PMU, "pmu=on", error))) {
        return false;
    }
    unknown = keyval_unused(kv);
    if (unknown != NULL) {
        error_set_unknown(error, "CPU property", unknown, (const char *const[]){ "pmu", NULL });
        return false;
    }
    return true;
}

static bool check_ram(VirtMachine *v, uint64_t size, GError **error)
{
    uint64_t max = v->highmem ? 255 * GIB : 3 * GIB;
    uint64_t page = sysconf(_SC_PAGESIZE);

    if (size < 4 * MIB || size > max) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "-m: %" G_GUINT64_FORMAT " bytes of memory; machine 'virt' takes 4 MiB to "
                    "%" G_GUINT64_FORMAT " GiB%s",
                    size, max / GIB, v->highmem ? "" : " with highmem=off");
        return false;
    }
    if (size % page != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "-m: %" G_GUINT64_FORMAT " bytes of memory are not a multiple of the page size "
                    "%" G_GUINT64_FORMAT,
                    size, page);
        return false;
    }
    return true;
}

bool virt_check_options(VirtMachine *v, const MachineConfig *config, Accel *accel, GError **error)
{
    if (!check_properties(v, accel, error) || !check_ram(v, config->ram_size, error)) {
        return false;
    }
    if (machine_numa(HUMPY_MACHINE(v))->n_nodes > 0 &&
        !accel_require(accel, ACCEL_CAP_MEMORY_NODES, "-numa", error)) {
        return false;
    }
    if (!check_cpu(v, config->cpu_type, accel, error)) {
        g_prefix_error(error, "-cpu %s: ", config->cpu_type);
        return false;
    }
    return true;
}

static const Prop virt_props[] = {
    PROP_STRING("pflash0", VirtMachine, pflash[0], NULL,
                "Drive with the content of the first flash"),
    PROP_STRING("pflash1", VirtMachine, pflash[1], NULL,
                "Drive with the content of the second flash"),
    PROP_STRING("confidential-guest-support", VirtMachine, confidential, NULL,
                "arm-confidential-guest object that says how the guest's memory is protected"),
    PROP_ENUM("gic-version", VirtMachine, gic_version, GIC_3, gic_versions,
              "Interrupt controller; 3, max and host give a GICv3"),
    PROP_BOOL("highmem", VirtMachine, highmem, true, "Allow memory above 4 GiB"),
    PROP_BOOL("its", VirtMachine, its, false, "Interrupt translation service"),
    PROP_BOOL("secure", VirtMachine, secure, false, "Secure world (EL3)"),
    PROP_BOOL("virtualization", VirtMachine, virtualization, false, "Start the guest in EL2"),
    PROP_ONOFFAUTO("acpi", VirtMachine, acpi, "ACPI tables; auto: none"),
    PROP_ENUM("iommu", VirtMachine, iommu, 0, iommus, "IOMMU"),
    PROP_BOOL("usb", VirtMachine, usb, false, "USB controller"),
    PROP_BOOL("mte", VirtMachine, mte, false, "Memory tagging"),
    PROP_BOOL("ras", VirtMachine, ras, false, "Report hardware errors to the guest"),
    PROP_BOOL("dtb-randomness", VirtMachine, dtb_randomness, true,
              "Give the guest random seeds in the device tree"),
};

void virt_install_options(VirtMachineClass *klass)
{
    props_install(G_OBJECT_CLASS(klass), virt_props, G_N_ELEMENTS(virt_props));
}
