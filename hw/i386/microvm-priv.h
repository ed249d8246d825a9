/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of the microvm machine, shared by microvm.c, which builds and boots it, microvm-isa.c,
 * which has the old devices and the interrupt controllers, microvm-pci.c, and microvm-options.c,
 * which knows its properties and what of them can be had.
 */
#pragma once

#include "hw/acpi/pm.h"
#include "hw/acpi/tables.h"
#include "hw/core/loader.h"
#include "hw/i386/gsi.h"
#include "hw/i386/memmap.h"
#include "hw/i386/microvm.h"
#include "hw/misc/pvpanic.h"
#include "hw/nvram/fw-cfg.h"
#include "hw/pci/gpex.h"

struct _MicrovmMachine {
    Machine parent_instance;
    int pit, pic, rtc, pcie, acpi; /* properties, PROP_AUTO or what was asked for */
    bool isa_serial, auto_kernel_cmdline, option_roms;

    X86Gsis *gsis;
    uint64_t pci_high_size; /* of the 64-bit window; 0: there is none */
    Gpex *pci;              /* or NULL; owned by the machine's list, as the rest */
    AcpiPm *pm;
    FwCfg *fw_cfg;
    Device *testdev;
    PvpanicIsa *panic;
    Device *serials[MICROVM_N_SERIALS]; /* or NULL: not there */
    Device *transports[MICROVM_N_TRANSPORTS];
};

/* ---- microvm.c ---- */
/* Realizes dev and lists it with the machine; its interrupts are connected by then. Takes the
 * reference. */
bool microvm_add_device(MicrovmMachine *s, Device *dev, GError **error);

/* ---- microvm-acpi.c ---- */
/* Puts the tables into RAM from guest address 0 on; *rsdp is where the first is. */
bool microvm_load_acpi(MicrovmMachine *s, const LoaderDest *ram, uint64_t *rsdp, GError **error);

/* ---- microvm-isa.c ---- */
typedef struct {
    uint16_t port;
    uint8_t irq;
} MicrovmPlace;
extern const MicrovmPlace microvm_serials[MICROVM_N_SERIALS];
/* Lines to the accelerator's interrupt controllers, or to those that it makes. */
bool microvm_add_irqs(MicrovmMachine *s, GError **error);
bool microvm_add_isa(MicrovmMachine *s, GError **error);
void microvm_powerdown(Machine *m);
/* Maps a -device that is on no bus. */
bool microvm_plug_into_board(MicrovmMachine *s, Device *dev, GError **error);
bool microvm_add_fw_cfg(Machine *m, const char *name, GBytes *data, GError **error);
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
