/* SPDX-License-Identifier: GPL-2.0-or-later
 * The machine "none": no CPUs, no buses, no devices; with -m, memory at address 0. For talking to
 * the monitor about the program itself.
 */
#include "hw/core/machine.h"
#include "util/error.h"

#define TYPE_NONE_MACHINE none_machine_get_type()
G_DECLARE_FINAL_TYPE(NoneMachine, none_machine, HUMPY, NONE_MACHINE, Machine)

struct _NoneMachine {
    Machine parent_instance;
};

DEVICE_DEFINE_TYPE(NoneMachine, none_machine, "none-machine", TYPE_MACHINE)

static bool none_init(Machine *m, GError **error)
{
    return machine_config(m)->ram_size == 0 || machine_ram_map(m, "ram", 0, error);
}

static bool none_boot(Machine *m, GError **error)
{
    const MachineConfig *config = machine_config(m);
    const char *option = config->kernel != NULL    ? "-kernel"
                         : config->dtb != NULL     ? "-dtb"
                         : config->initrd != NULL  ? "-initrd"
                         : config->append != NULL  ? "-append"
                         : config->dumpdtb != NULL ? "-machine dumpdtb="
                                                   : NULL;

    if (option != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%s: machine 'none' has nothing to boot", option);
        return false;
    }
    return true;
}

static void none_machine_init(NoneMachine *s)
{
}

static void none_machine_class_init(NoneMachineClass *klass)
{
    MachineClass *mc = HUMPY_MACHINE_CLASS(klass);

    mc->name = "none";
    mc->summary = "empty machine";
    mc->max_cpus = 1;
    mc->no_cpus = true;
    mc->init = none_init;
    mc->boot = none_boot;
}
