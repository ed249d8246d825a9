/* SPDX-License-Identifier: GPL-2.0-or-later
 * The human monitor's commands, one row each, in alphabetical order.
 */
#include "chardev/chardev.h"
#include "hmp-commands.h"
#include "util/error.h"
#include "util/props.h"

/* ---- commands that a QMP command without arguments does ---- */

#define QMP_HANDLER(function, command)                                                             \
    static bool function(HmpCall *call, GError **error)                                            \
    {                                                                                              \
        return hmp_qmp(command, NULL, NULL, error);                                                \
    }

QMP_HANDLER(run_cont, "cont")
QMP_HANDLER(run_exit_preconfig, "x-exit-preconfig")
QMP_HANDLER(run_quit, "quit")
QMP_HANDLER(run_stop, "stop")
QMP_HANDLER(run_powerdown, "system_powerdown")
QMP_HANDLER(run_reset, "system_reset")

/* ... and with one */
static bool run_with_name(HmpCall *call, const char *command, const char *argument, GError **error)
{
    JsonObject *args = json_object_new();

    json_object_set_string_member(args, argument, call->words[0]);
    return hmp_qmp(command, args, NULL, error);
}

static bool run_getfd(HmpCall *call, GError **error)
{
    return run_with_name(call, "getfd", "fdname", error);
}

static bool run_closefd(HmpCall *call, GError **error)
{
    return run_with_name(call, "closefd", "fdname", error);
}

static bool run_chardev_remove(HmpCall *call, GError **error)
{
    return run_with_name(call, "chardev-remove", "id", error);
}

static bool run_chardev_break(HmpCall *call, GError **error)
{
    return run_with_name(call, "chardev-send-break", "id", error);
}

static bool run_chardev_add(HmpCall *call, GError **error)
{
    return chardev_new(call->rest, error) != NULL;
}

static bool run_balloon(HmpCall *call, GError **error)
{
    JsonObject *args;
    uint64_t bytes;

    if (!props_parse_size(call->words[0], 'M', &bytes, error)) {
        return false;
    }
    args = json_object_new();
    json_object_set_int_member(args, "value", bytes);
    return hmp_qmp("balloon", args, NULL, error);
}

static bool run_block_resize(HmpCall *call, GError **error)
{
    JsonObject *args;
    uint64_t bytes;

    if (!props_parse_size(call->words[1], 'M', &bytes, error)) {
        return false;
    }
    args = json_object_new();
    json_object_set_string_member(args, "device", call->words[0]);
    json_object_set_int_member(args, "size", bytes);
    return hmp_qmp("block_resize", args, NULL, error);
}

static bool run_trace(HmpCall *call, GError **error)
{
    JsonObject *args;
    bool on;

    if (!props_parse_bool(call->words[1], &on)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "'%s' is neither on nor off",
                    call->words[1]);
        return false;
    }
    args = json_object_new();
    json_object_set_string_member(args, "name", call->words[0]);
    json_object_set_boolean_member(args, "enable", on);
    return hmp_qmp("trace-event-set-state", args, NULL, error);
}

/* ---- help ---- */

static bool run_help(HmpCall *call, GError **error)
{
    const HmpCommand *command;

    if (call->n == 0) {
        hmp_list(call->out, hmp_commands, "");
        return true;
    }
    if (g_str_equal(call->words[0], "info") && call->n == 1) {
        hmp_list(call->out, hmp_infos, "info ");
        return true;
    }
    command = g_str_equal(call->words[0], "info") ? hmp_find(hmp_infos, call->words[1])
                                                  : hmp_find(hmp_commands, call->words[0]);
    if (command == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no command '%s'",
                    call->rest);
        return false;
    }
    g_string_append_printf(call->out, "%s%s%s -- %s\n", command->name,
                           *command->args != '\0' ? " " : "", command->args, command->help);
    return true;
}

static bool run_info(HmpCall *call, GError **error)
{
    hmp_list(call->out, hmp_infos, "info ");
    return true;
}

/* ---- the tables ---- */

const HmpCommand hmp_commands[] = {
    { "announce_self", "[CARD,CARD...] [ID]", "tell the network where the guest is", 0, 2,
      hmp_announce_self },
    { "balloon", "SIZE", "ask the guest to shrink or grow to SIZE (plain: MiB)", 1, 1,
      run_balloon },
    { "block_resize", "DISK SIZE", "change the size of a disk (plain: MiB)", 2, 2,
      run_block_resize },
    { "chardev-add", "TYPE,id=ID[,PROP=VALUE...]", "add a character device, as -chardev does", 0,
      HMP_REST, run_chardev_add },
    { "chardev-remove", "ID", "remove a character device that nothing uses", 1, 1,
      run_chardev_remove },
    { "chardev-send-break", "ID", "send a break to who uses a character device", 1, 1,
      run_chardev_break },
    { "closefd", "NAME", "close what getfd kept", 1, 1, run_closefd },
    { "cont|c", "", "start the vCPUs", 0, 0, run_cont },
    { "device_add", "TYPE[,PROP=VALUE...]", "add a device, as -device does; 'help' lists types", 0,
      HMP_REST, hmp_device_add },
    { "device_del", "ID", "ask for a device to be removed", 1, 1, hmp_device_del },
    { "exit_preconfig", "", "make the machine (after --preconfig)", 0, 0, run_exit_preconfig },
    { "getfd", "NAME", "keep a file descriptor that came over the socket", 1, 1, run_getfd },
    { "help|?", "[COMMAND]", "this list, or a command's line", 0, 2, run_help },
    { "hostfwd_add", "[NETDEV] [tcp|udp]:[HOST]:PORT-[GUEST]:PORT",
      "let a port of the host lead to the guest", 1, 2, hmp_hostfwd_add },
    { "hostfwd_remove", "[NETDEV] [tcp|udp]:[HOST]:PORT", "end that", 1, 2, hmp_hostfwd_remove },
    { "info", "[WHAT]", "tell about the virtual machine", 0, 1, run_info },
    { "memsave", "ADDR SIZE FILE", "write memory to a file, virtual address", 3, 3, hmp_memsave },
    { "netdev_add", "TYPE,id=ID[,PROP=VALUE...]", "add a network back end, as -netdev does", 0,
      HMP_REST, hmp_netdev_add },
    { "netdev_del", "ID", "remove a network back end", 1, 1, hmp_netdev_del },
    { "object_add", "TYPE,id=ID[,PROP=VALUE...]", "make an object, as -object does", 0, HMP_REST,
      hmp_object_add },
    { "object_del", "ID", "delete an object", 1, 1, hmp_object_del },
    { "pmemsave", "ADDR SIZE FILE", "write memory to a file, physical address", 3, 3,
      hmp_pmemsave },
    { "print|p", "[/FORMAT] EXPRESSION", "work out an expression", 0, HMP_REST, hmp_print },
    { "qom-get", "PATH PROPERTY", "tell the value of a property", 2, 2, hmp_qom_get },
    { "qom-list", "[PATH]", "list the properties of an object", 0, 1, hmp_qom_list },
    { "qom-set", "PATH PROPERTY VALUE", "change a property", 3, 3, hmp_qom_set },
    { "quit|q", "", "end the program", 0, 0, run_quit },
    { "screendump", "FILE [-f ppm|png] [DEVICE [HEAD]]", "write what a display shows to a file", 1,
      5, hmp_screendump },
    { "set_link", "NAME on|off", "pull out or plug in the cable of a card or back end", 2, 2,
      hmp_set_link },
    { "stop|s", "", "stop the vCPUs", 0, 0, run_stop },
    { "sum", "ADDR SIZE", "checksum of physical memory", 2, 2, hmp_sum },
    { "system_powerdown", "", "press the power button", 0, 0, run_powerdown },
    { "system_reset", "", "reset the machine", 0, 0, run_reset },
    { "trace-event", "NAME on|off", "switch trace events, by name or pattern", 2, 2, run_trace },
    { "x", "/FORMAT ADDR", "show memory at a virtual address (formats as xp)", 0, HMP_REST, hmp_x },
    { "xp", "/FORMAT ADDR", "show physical memory: /COUNT, x d u o c, b h w g", 0, HMP_REST,
      hmp_xp },
    {},
};

const HmpCommand hmp_infos[] = {
    { "accel", "", "the accelerator and what it trapped", 0, 0, hmp_info_accel },
    { "block", "", "disks", 0, 0, hmp_info_block },
    { "chardev", "", "character devices", 0, 0, hmp_info_chardev },
    { "cpus", "", "CPUs", 0, 0, hmp_info_cpus },
    { "history", "", "lines typed before", 0, 0, hmp_info_history },
    { "irq", "", "interrupt lines and how often they changed", 0, 0, hmp_info_irq },
    { "iothreads", "", "threads that are objects of their own", 0, 0, hmp_info_iothreads },
    { "kvm", "", "whether KVM is in use", 0, 0, hmp_info_kvm },
    { "memdev", "", "memory back ends", 0, 0, hmp_info_memdev },
    { "memory_size_summary", "", "size of memory", 0, 0, hmp_info_memory_size },
    { "mtree", "[-f]", "memory regions; -f: as they ended up in the address spaces", 0, 1,
      hmp_info_mtree },
    { "name", "", "name of the virtual machine", 0, 0, hmp_info_name },
    { "network", "", "network cards and back ends", 0, 0, hmp_info_network },
    { "numa", "", "NUMA nodes", 0, 0, hmp_info_numa },
    { "pci", "", "PCI functions", 0, 0, hmp_info_pci },
    { "qom-tree", "[PATH]", "the composition tree", 0, 1, hmp_info_qom_tree },
    { "qtree", "", "buses and devices with their properties", 0, 0, hmp_info_qtree },
    { "roms", "", "what was loaded into memory at boot", 0, 0, hmp_info_roms },
    { "status", "", "run state", 0, 0, hmp_info_status },
    { "usernet", "", "connections of user networks", 0, 0, hmp_info_usernet },
    { "trace-events", "[NAME]", "trace events and whether they are on", 0, 1,
      hmp_info_trace_events },
    { "uuid", "", "UUID of the virtual machine", 0, 0, hmp_info_uuid },
    { "version", "", "version of the program", 0, 0, hmp_info_version },
    {},
};
