/* SPDX-License-Identifier: GPL-2.0-or-later
 * The table of commands and their options, with the handlers that only take down a text or a flag.
 */
#include "crosvm.h"
#include "place.h"
#include "util/error.h"
#include "util/props.h"
#include "verbs.h"

/* ---- handlers ---- */

#define TEXT_OPTION(field)                                                                         \
    static bool take_##field(Request *r, const char *value, GError **error)                        \
    {                                                                                              \
        g_free(r->plan->field);                                                                    \
        r->plan->field = g_strdup(value);                                                          \
        return true;                                                                               \
    }
#define FLAG_OPTION(field)                                                                         \
    static bool take_##field(Request *r, const char *value, GError **error)                        \
    {                                                                                              \
        r->plan->field = true;                                                                     \
        return true;                                                                               \
    }
#define PLAN_OPTION(name, call)                                                                    \
    static bool take_##name(Request *r, const char *value, GError **error)                         \
    {                                                                                              \
        return call(r->plan, value, error);                                                        \
    }

TEXT_OPTION(accel)
TEXT_OPTION(machine)
TEXT_OPTION(initrd)
TEXT_OPTION(dtb)
TEXT_OPTION(firmware)
TEXT_OPTION(vendor_boot)
TEXT_OPTION(init_boot)
TEXT_OPTION(bootconfig)
TEXT_OPTION(log)
TEXT_OPTION(dump_dtb)
TEXT_OPTION(confine)
FLAG_OPTION(is_protected)
FLAG_OPTION(pvmfw)
FLAG_OPTION(background)
FLAG_OPTION(dry_run)
FLAG_OPTION(no_rng)
FLAG_OPTION(no_balloon)
FLAG_OPTION(no_reboot)
FLAG_OPTION(no_pvpanic)
FLAG_OPTION(hugepages)
FLAG_OPTION(watchdog)
FLAG_OPTION(no_console_word)
PLAN_OPTION(disk, plan_add_disk_text)
PLAN_OPTION(net, plan_add_net)
PLAN_OPTION(mem, plan_set_memory)
PLAN_OPTION(swiotlb, plan_set_swiotlb)
PLAN_OPTION(log_size, plan_set_log_size)
PLAN_OPTION(log_count, plan_set_log_count)
PLAN_OPTION(cpus, plan_set_cpus)
PLAN_OPTION(cpu_topology, plan_set_cpu_topology)
PLAN_OPTION(cpu_affinity, plan_set_cpu_affinity)
PLAN_OPTION(arch, plan_set_arch)
PLAN_OPTION(console, plan_set_console)

static bool take_name(Request *r, const char *value, GError **error)
{
    g_free(r->plan->name);
    r->plan->name = g_strdup(value);
    return place_check_name(value, error);
}

static bool take_params(Request *r, const char *value, GError **error)
{
    plan_add_params(r->plan, value);
    return true;
}

static bool take_sched(Request *r, const char *value, GError **error)
{
    plan_add_sched(r->plan, value);
    return true;
}

static bool take_boost_uclamp(Request *r, const char *value, GError **error)
{
    plan_add_sched(r->plan, "uclamp-min=1024");
    return true;
}

static bool take_share(Request *r, const char *value, GError **error)
{
    g_ptr_array_add(r->plan->shares, g_strdup(value));
    return true;
}

static bool take_vsock(Request *r, const char *value, GError **error)
{
    if (!props_parse_u64(value, &r->plan->vsock_cid, NULL) || r->plan->vsock_cid < 3 ||
        r->plan->vsock_cid >= UINT32_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "'%s' is not a context ID from 3 to 4294967294", value);
        return false;
    }
    return true;
}

static bool take_json(Request *r, const char *value, GError **error)
{
    r->json = true;
    return true;
}

static bool take_force(Request *r, const char *value, GError **error)
{
    r->force = true;
    return true;
}

static bool take_help(Request *r, const char *value, GError **error)
{
    r->help = true;
    return true;
}

static bool take_type(Request *r, const char *value, GError **error)
{
    static const char *const names[] = { "raw", "android-vm-instance", NULL };

    if (!g_strv_contains(names, value)) {
        error_set_unknown(error, "type", value, names);
        return false;
    }
    r->type = value;
    return true;
}

static bool take_device(Request *r, const char *value, GError **error)
{
    r->device = value;
    return true;
}

static bool take_timeout(Request *r, const char *value, GError **error)
{
    uint64_t seconds;

    if (!props_parse_u64(value, &seconds, NULL) || seconds < 1 || seconds > 3600) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "'%s' is not a number of seconds from 1 to 3600 (--force does not wait)",
                    value);
        return false;
    }
    r->timeout = seconds;
    return true;
}

/* ---- options ---- */

static const VerbOption help_options[] = {
    { "help", "h", NULL, "say what can stand here", take_help },
    {},
};

static const VerbOption machine_options[] = {
    { "name", NULL, "NAME", "what 'vm list', 'vm console' and 'vm stop' call it (default: vmN)",
      take_name },
    { "mem", "m", "SIZE", "memory in MiB, or with K, M, G (default: 512)", take_mem },
    { "cpus", "c", "N", "number of CPUs (default: 1)", take_cpus },
    { "cpu-topology", NULL, "one_cpu|match_host|cpu_count=N", "the same in Android's words",
      take_cpu_topology },
    { "cpu-affinity", NULL, "CPUS|VCPU=CPUS[:...]",
      "CPUs of the host that vCPUs run on: 0,2-3, or 0=2:1=3 for each", take_cpu_affinity },
    { "sched", NULL, "PROP=VALUE[,...]", "how the host schedules vCPUs, as after -vcpu-sched",
      take_sched },
    { "boost-uclamp", NULL, NULL, "have the host take vCPUs for fully busy (uclamp-min=1024)",
      take_boost_uclamp },
    { "hugepages", NULL, NULL, "advise the host to use huge pages for the guest's memory",
      take_hugepages },
    { "protected", NULL, NULL, "a protected VM: the host cannot reach its memory",
      take_is_protected },
    { "pvmfw", NULL, NULL, "start a protected VM through the resource manager's firmware",
      take_pvmfw },
    { "swiotlb", NULL, "SIZE",
      "the window a protected VM's devices use, on top of its memory "
      "(default: 64 MiB)",
      take_swiotlb },
    { "accel", NULL, "NAME[,PROP=VALUE...]", "accelerator, as after -accel of the program",
      take_accel },
    { "machine", NULL, "PROP=VALUE[,...]", "more properties of the machine", take_machine },
    { "arch", NULL, "aarch64|x86_64", "the guest's architecture (default: the kernel's)",
      take_arch },
    { "net", "n", "TYPE[,PROP=VALUE...]",
      "a network card: user[,hostfwd=...], tap[,ifname=...], as after -netdev; repeated: more",
      take_net },
    { "share", NULL, "local,path=DIR,mount_tag=TAG,security_model=MODEL",
      "a directory for the guest, as after -virtfs", take_share },
    { "vsock", NULL, "CID", "a vsock device with this context ID", take_vsock },
    { "console", NULL, "stdio|none|pty|unix:PATH|FILE",
      "where the console is, besides 'vm console' (default: stdio)", take_console },
    { "log", NULL, "FILE", "append what the console says to FILE", take_log },
    { "log-size", NULL, "SIZE", "put FILE aside as FILE.1 when it has SIZE (MiB, or with K, M, G)",
      take_log_size },
    { "log-count", NULL, "N", "keep FILE.1 to FILE.N (default: 4)", take_log_count },
    { "background", "b", NULL, "return once the VM has started", take_background },
    { "no-reboot", NULL, NULL, "end when the guest reboots", take_no_reboot },
    { "no-pvpanic", NULL, NULL, "no device in which the guest's kernel reports a panic",
      take_no_pvpanic },
    { "watchdog", NULL, NULL, "a watchdog for each CPU (arm64 guests that have the driver)",
      take_watchdog },
    { "no-rng", NULL, NULL, "no entropy device", take_no_rng },
    { "no-balloon", NULL, NULL, "no memory balloon", take_no_balloon },
    { "dump-device-tree", NULL, "FILE", "write the device tree to FILE and end", take_dump_dtb },
    { "dry-run", NULL, NULL, "print the command line that would be run", take_dry_run },
    {},
};

static const VerbOption linux_options[] = {
    { "disk", "d", "FILE[,ro][,overlay=FILE][,temporary][,format=FORMAT][,direct][,id=SERIAL]",
      "a disk; with overlay= or temporary FILE itself is not written to; repeated: more",
      take_disk },
    { "params", "p", "TEXT", "words for the kernel's command line; repeated: more", take_params },
    { "initrd", "i", "FILE", "initial RAM disk, if not given behind the kernel", take_initrd },
    { "dtb", NULL, "FILE", "device tree instead of the machine's", take_dtb },
    { "bios", NULL, "FILE", "firmware instead of a kernel", take_firmware },
    { "vendor-boot", NULL, "FILE", "Android's vendor_boot image, for a KERNEL that is a boot image",
      take_vendor_boot },
    { "init-boot", NULL, "FILE", "Android's init_boot image", take_init_boot },
    { "bootconfig", NULL, "FILE", "bootconfig text behind the initial RAM disk", take_bootconfig },
    { "no-console-word", NULL, NULL, "do not put console= on the kernel's command line",
      take_no_console_word },
    {},
};

static const VerbOption config_options[] = {
    { "confine", NULL, "DIR", "refuse files that are not below DIR, symbolic links or not",
      take_confine },
    { "params", "p", "TEXT", "more words for the kernel's command line", take_params },
    {},
};

static const VerbOption json_options[] = {
    { "json", NULL, NULL, "as JSON", take_json },
    {},
};

static const VerbOption check_options[] = {
    { "device", NULL, "PATH", "Gunyah's node (default: /dev/gunyah)", take_device },
    {},
};

static const VerbOption partition_options[] = {
    { "type", "t", "raw|android-vm-instance", "what is in it (default: raw, nothing)", take_type },
    {},
};

/* Read by crosvm.c; they are here for the help. */
static const VerbOption crosvm_options[] = {
    { "dry-run", NULL, NULL, "print the command line that would be run", take_dry_run },
    {},
};

static const VerbOption stop_options[] = {
    { "force", "f", NULL, "end it at once, without asking the guest", take_force },
    { "timeout", "t", "SECONDS", "how long the guest may take (default: 20)", take_timeout },
    {},
};

static const VerbOption *const for_linux[] = { linux_options, machine_options, help_options, NULL };
static const VerbOption *const for_config[] = { config_options, machine_options, help_options,
                                                NULL };
static const VerbOption *const for_json[] = { json_options, help_options, NULL };
static const VerbOption *const for_check[] = { check_options, json_options, help_options, NULL };
static const VerbOption *const for_stop[] = { stop_options, help_options, NULL };
static const VerbOption *const for_partition[] = { partition_options, help_options, NULL };
static const VerbOption *const for_crosvm[] = { crosvm_options, help_options, NULL };
static const VerbOption *const for_help[] = { help_options, NULL };

/* ---- verbs ---- */

const Verb verbs[] = {
    { "vm", "run-linux", "[KERNEL [INITRD]]", 0, 2, "start a VM from a kernel",
      "KERNEL is a Linux kernel or an Android boot image. Ctrl-A x ends the VM, 'vm console' in "
      "another terminal is the console as well. Words behind -- are given to the program as they "
      "are.",
      for_linux, run_vm_linux, NULL, check_vm_linux },
    { "vm", "run", "CONFIG.json", 1, 1, "start a VM that a file describes",
      "The file has the members of Android's VirtualMachineRawConfig; docs/humpy-vm.md lists "
      "them. Paths in it are relative to the file. Ctrl-A x ends the VM, 'vm console' in another "
      "terminal "
      "is the console as well. Words behind -- are given to the program as they are.",
      for_config, run_vm_config, NULL },
    { "vm", "list", NULL, 0, 0, "list the VMs that are running", NULL, for_json, run_list, NULL },
    { "vm", "info", "NAME", 1, 1, "tell all about a VM", NULL, for_json, run_info, NULL },
    { "vm", "console", "NAME", 1, 1, "be at a VM's console",
      "Ctrl-] leaves it, and the VM goes on.", for_help, run_console, NULL },
    { "vm", "stop", "NAME", 1, 1, "shut a VM down",
      "Presses its power button, and ends it when the guest has not done so in time.", for_stop,
      run_stop, NULL },
    { "vm", "create-partition", "FILE SIZE", 2, 2, "make an empty partition image",
      "SIZE is in bytes, or with K, M, G, T. A file that is there already is not touched.",
      for_partition, run_create_partition, NULL },
    { "vm", "check", NULL, 0, 0, "say what this machine offers for VMs, and what is missing",
      "Exit status 1 if something is missing that a VM on Gunyah needs.", for_check, run_check,
      NULL },
    { "crosvm", "run", "[FLAGS] [KERNEL]", 0, 0, "start a VM by crosvm's words",
      "docs/crosvm.md tells what becomes of each flag.", for_crosvm, run_crosvm, crosvm_read },
    {},
};
