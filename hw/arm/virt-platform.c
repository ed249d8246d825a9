/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virt machine's smaller parts: the firmware configuration device. Addresses and interrupts are
 * in hw/arm/virt.h, nodes of the device tree in virt-fdt.c.
 */
#include "virt-priv.h"

static bool add_fw_cfg(VirtMachine *v, GError **error)
{
    Machine *m = HUMPY_MACHINE(v);
    uint16_t n_cpus = GUINT16_TO_LE(machine_config(m)->smp);
    g_autoptr(GBytes) n_cpus_item = g_bytes_new(&n_cpus, sizeof(n_cpus));
    FwCfg *fw = g_object_new(TYPE_FW_CFG, NULL);

    fw_cfg_set_dma(fw, machine_memory(m));
    fw_cfg_set_item(fw, FW_CFG_KEY_N_CPUS, n_cpus_item);
    if (!virt_add_device(m, HUMPY_DEVICE(fw), VIRT_FW_CFG, VIRT_NO_SPI, error)) {
        return false;
    }
    v->fw_cfg = fw;
    return true;
}

bool virt_add_platform(VirtMachine *v, GError **error)
{
    return add_fw_cfg(v, error);
}

bool virt_add_fw_cfg(Machine *m, const char *name, GBytes *data, GError **error)
{
    return fw_cfg_add_file(HUMPY_VIRT_MACHINE(m)->fw_cfg, name, data, error);
}
