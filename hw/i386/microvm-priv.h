/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of the microvm machine, shared by microvm.c, which builds and boots it, microvm-isa.c,
 * which has the old devices and the interrupt controllers, microvm-pci.c, and microvm-options.c,
 * which knows its properties and what of them can be had.
 */
#pragma once

#include "hw/acpi/pm.h"
#include "hw/i386/gsi.h"
#include "hw/i386/memmap.h"
#include "hw/i386/microvm.h"
#include "hw/pci/gpex.h"

struct _MicrovmMachine {
    Machine parent_instance;
    int pit, pic, rtc, pcie, acpi; /* properties, PROP_AUTO or what was asked for */
    bool isa_serial, auto_kernel_cmdline;

    X86Gsis *gsis;
    Gpex *pci; /* or NULL; owned by the machine's list, as the rest */
    AcpiPm *pm;
    Device *testdev;
    Device *serials[MICROVM_N_SERIALS]; /* or NULL: not there */
    Device *transports[MICROVM_N_TRANSPORTS];
};

/* ---- microvm.c ---- */
/* Realizes dev and lists it with the machine; its interrupts are connected by then. Takes the
 * reference. */
bool microvm_add_device(MicrovmMachine *s, Device *dev, GError **error);

/* ---- microvm-isa.c ---- */
/* Lines to the accelerator's interrupt controllers, or to those that it makes. */
bool microvm_add_irqs(MicrovmMachine *s, GError **error);
bool microvm_add_isa(MicrovmMachine *s, GError **error);
void microvm_powerdown(Machine *m);
bool microvm_plug_testdev(MicrovmMachine *s, Device *dev, GError **error);
void microvm_release_irqs(MicrovmMachine *s);

/* ---- microvm-pci.c ---- */
/* The host bridge and the configuration ports. */
bool microvm_add_pci(MicrovmMachine *s, GError **error);
/* An IoReqPciConfigFn for the machine. */
IoReqResult microvm_pci_config(void *opaque, IoRequest *req);

/* ---- microvm-options.c ---- */
extern const char *const microvm_cpu_types[];
void microvm_install_options(MicrovmMachineClass *klass);
bool microvm_check_options(MicrovmMachine *s, GError **error);
