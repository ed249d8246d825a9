/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a user may ask of the microvm machine: properties of -machine, -cpu, -m, -bios. What cannot
 * be had is refused with the reason, so that a guest never gets less than was asked for.
 */
#include <string.h>
#include <unistd.h>

#include "microvm-priv.h"
#include "util/error.h"

#define MIB ((uint64_t)1 << 20)

/* The accelerator decides what the CPU is: the host's, as far as its hypervisor shows it. */
const char *const microvm_cpu_types[] = { "host", "max", NULL };

static bool refuse(GError **error, const char *option, const char *why)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED, "%s: %s", option, why);
    return false;
}

/* What belongs to the accelerator's interrupt controllers can neither be left out nor doubled. */
static bool check_chips(MicrovmMachine *s, Accel *accel, GError **error)
{
    uint64_t caps = accel_caps(accel);
    const struct {
        const char *option;
        bool asked;
        uint64_t caps;
    } fixed[] = {
        { "-machine microvm,pic=off", s->pic == PROP_OFF, ACCEL_CAP_IRQCHIP },
        { "-machine microvm,pit=off", s->pit == PROP_OFF, ACCEL_CAP_PIT },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(fixed); i++) {
        if (fixed[i].asked && (caps & fixed[i].caps)) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        "%s: accelerator '%s' brings it with its interrupt controllers",
                        fixed[i].option, accel_name(accel));
            return false;
        }
    }
    if ((caps & ACCEL_CAP_VCPUS) && !(caps & ACCEL_CAP_IRQCHIP)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "-machine microvm: accelerator '%s' brings no local APICs and the machine has "
                    "none of its own",
                    accel_name(accel));
        return false;
    }
    return true;
}

static bool check_ram(uint64_t size, GError **error)
{
    uint64_t page = sysconf(_SC_PAGESIZE);

    if (size < 4 * MIB || size > MICROVM_RAM_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "-m: %" G_GUINT64_FORMAT
                    " bytes of memory; machine 'microvm' takes 4 MiB to %" G_GUINT64_FORMAT " GiB",
                    size, MICROVM_RAM_MAX / MICROVM_GIB);
        return false;
    }
    if (size % page != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "-m: %" G_GUINT64_FORMAT
                    " bytes of memory are not a multiple of the page size %" G_GUINT64_FORMAT,
                    size, page);
        return false;
    }
    return true;
}

static bool check_cpu(const char *text, GError **error)
{
    for (unsigned i = 0; microvm_cpu_types[i] != NULL; i++) {
        if (text == NULL || strcmp(text, microvm_cpu_types[i]) == 0) {
            return true;
        }
    }
    if (strchr(text, ',') != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "-cpu %s: no property of a CPU can be changed: it is the host's", text);
        return false;
    }
    error_set_unknown(error, "CPU type", text, microvm_cpu_types);
    g_prefix_error(error, "-cpu %s: ", text);
    return false;
}

bool microvm_check_options(MicrovmMachine *s, GError **error)
{
    const MachineConfig *config = machine_config(HUMPY_MACHINE(s));

    if (config->firmware != NULL) {
        return refuse(error, "-bios",
                      "machine 'microvm' has no ROM for firmware yet; it starts kernels (-kernel)");
    }
    if (config->dtb != NULL || config->dumpdtb != NULL) {
        return refuse(error, config->dtb != NULL ? "-dtb" : "-machine dumpdtb",
                      "machine 'microvm' is described by ACPI tables, not by a device tree");
    }
    if (s->option_roms) {
        return refuse(error, "-machine microvm,x-option-roms=on",
                      "there is no firmware that would run them");
    }
    return check_chips(s, machine_accel(HUMPY_MACHINE(s)), error) &&
           check_ram(config->ram_size, error) && check_cpu(config->cpu_type, error);
}

static const Prop microvm_props[] = {
    PROP_ONOFFAUTO("pit", MicrovmMachine, pit, "Interval timer (8254)"),
    PROP_ONOFFAUTO("pic", MicrovmMachine, pic, "Interrupt controllers of the PC/AT (8259)"),
    PROP_ONOFFAUTO("rtc", MicrovmMachine, rtc, "Real-time clock with CMOS memory (MC146818)"),
    PROP_ONOFFAUTO("pcie", MicrovmMachine, pcie, "PCI Express host; auto: on"),
    PROP_ONOFFAUTO("acpi", MicrovmMachine, acpi, "ACPI tables; auto: on"),
    PROP_BOOL("isa-serial", MicrovmMachine, isa_serial, true, "Serial ports (16550)"),
    PROP_BOOL("x-option-roms", MicrovmMachine, option_roms, false, "Option ROMs for firmware"),
    PROP_BOOL("auto-kernel-cmdline", MicrovmMachine, auto_kernel_cmdline, true,
              "With acpi=off, name virtio-mmio devices on the kernel's command line"),
};

void microvm_install_options(MicrovmMachineClass *klass)
{
    props_install(G_OBJECT_CLASS(klass), microvm_props, G_N_ELEMENTS(microvm_props));
}
