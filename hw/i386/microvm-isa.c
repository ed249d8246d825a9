/* SPDX-License-Identifier: GPL-2.0-or-later
 * The microvm machine's interrupt lines and the devices at ISA's classic ports.
 */
#include "microvm-priv.h"

/* ---- interrupts ---- */

static void drive_gsi(void *opaque, int gsi, int level)
{
    accel_irq_set(opaque, gsi, level != 0);
}

static bool has_irqchip(Machine *m)
{
    return accel_caps(machine_accel(m)) & ACCEL_CAP_IRQCHIP;
}

bool microvm_add_irqs(MicrovmMachine *s, GError **error)
{
    Machine *m = HUMPY_MACHINE(s);

    s->gsis = x86_gsis_new();
    for (unsigned gsi = 0; has_irqchip(m) && gsi < X86_N_GSIS; gsi++) {
        if (!accel_irq_connect(machine_accel(m), gsi, ACCEL_IRQ_LEVEL, error)) {
            return false;
        }
        x86_gsi_add_output(s->gsis, gsi, irq_new(drive_gsi, machine_accel(m), gsi));
    }
    return true;
}

void microvm_release_irqs(MicrovmMachine *s)
{
    g_clear_pointer(&s->gsis, x86_gsis_free);
}

/* ---- all ---- */

bool microvm_add_isa(MicrovmMachine *s, GError **error)
{
    return true;
}
