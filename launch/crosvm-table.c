/* SPDX-License-Identifier: GPL-2.0-or-later
 * What becomes of each of crosvm's flags, with the handlers of those that mean something here.
 */
#include <string.h>

#include "crosvm.h"
#include "util/error.h"
#include "util/keyval.h"
#include "util/props.h"

/* ---- machine ---- */

/* KEY=VALUE or the value alone. */
static const char *only_value(const char *text, const char *key)
{
    size_t len = strlen(key);

    return strncmp(text, key, len) == 0 && text[len] == '=' ? text + len + 1 : text;
}

static bool take_mem(Request *r, const char *value, GError **error)
{
    return plan_set_memory(r->plan, only_value(value, "size"), error);
}

/* What crosvm's words in [brackets] have inside, commas above all, is not ours to read: each
 * becomes an empty pair of brackets. */
static char *without_brackets(const char *text)
{
    g_autoptr(GString) out = g_string_new(NULL);
    unsigned depth = 0;

    for (const char *p = text; *p != '\0'; p++) {
        depth -= *p == ']' && depth > 0;
        if (depth == 0) {
            g_string_append_c(out, *p);
        }
        depth += *p == '[';
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static bool take_cpus(Request *r, const char *value, GError **error)
{
    static const char *const keys[] = { "num-cores",    "num_cores", "clusters",
                                        "core-types",   "boot-cpu",  "freq-domains",
                                        "freq_domains", "sve",       NULL };
    g_autofree char *text = without_brackets(value);
    g_autoptr(KeyVal) kv = keyval_parse(text, "num-cores", error);
    const char *n;

    if (kv == NULL || !keyval_check_keys(kv, keys, error)) {
        return false;
    }
    n = keyval_take(kv, "num-cores");
    n = n != NULL ? n : keyval_take(kv, "num_cores");
    return n == NULL || plan_set_cpus(r->plan, n, error);
}

static bool take_host_topology(Request *r, const char *value, GError **error)
{
    return plan_set_cpu_topology(r->plan, "match_host", error);
}

static bool take_name(Request *r, const char *value, GError **error)
{
    g_free(r->plan->name);
    r->plan->name = g_strdup(value);
    return true;
}

static bool take_params(Request *r, const char *value, GError **error)
{
    plan_add_params(r->plan, value);
    return true;
}

static bool take_initrd(Request *r, const char *value, GError **error)
{
    g_free(r->plan->initrd);
    r->plan->initrd = g_strdup(value);
    return true;
}

static bool take_bios(Request *r, const char *value, GError **error)
{
    g_free(r->plan->firmware);
    r->plan->firmware = g_strdup(value);
    return true;
}

/* path=FILE; the blocks are the machine's. */
static bool take_pflash(Request *r, const char *value, GError **error)
{
    static const char *const keys[] = { "path", NULL };
    g_autoptr(KeyVal) kv = keyval_parse(value, "path", error);
    g_autofree char *quoted = NULL;
    g_auto(GStrv) parts = NULL;
    const char *path;

    if (kv == NULL || !keyval_check_keys(kv, keys, error)) {
        return false;
    }
    path = keyval_take(kv, "path");
    if (path == NULL || *path == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "path is missing");
        return false;
    }
    parts = g_strsplit(path, ",", -1);
    quoted = g_strjoinv(",,", parts);
    g_ptr_array_add(r->plan->words, g_strdup("-drive"));
    g_ptr_array_add(r->plan->words, g_strconcat("if=pflash,unit=1,format=raw,file=", quoted, NULL));
    return true;
}

static bool take_protected(Request *r, const char *value, GError **error)
{
    r->plan->is_protected = true;
    return true;
}

static bool take_protected_vm(Request *r, const char *value, GError **error)
{
    r->plan->is_protected = r->plan->pvmfw = true;
    return true;
}

static bool take_swiotlb(Request *r, const char *value, GError **error)
{
    return plan_set_swiotlb(r->plan, value, error);
}

/* gunyah[device=PATH,qcom_trusted_vm_id=N,qcom_trusted_vm_pas_id=N] or kvm[device=PATH]. */
static bool take_hypervisor(Request *r, const char *value, GError **error)
{
    static const char *const names[] = { "gunyah", "kvm", NULL };
    static const char *const keys[][4] = {
        { "device", "qcom_trusted_vm_id", "qcom_trusted_vm_pas_id" }, { "device" }
    };
    size_t len = strcspn(value, "[");
    g_autofree char *name = g_strndup(value, len);
    g_autofree char *inner = NULL;
    g_autoptr(KeyVal) kv = NULL;
    const char *device, *id, *pas;

    if (!g_strv_contains(names, name)) {
        error_set_unknown(error, "hypervisor", name, names);
        return false;
    }
    if (value[len] == '[' && !g_str_has_suffix(value, "]")) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "a bracket is not closed");
        return false;
    }
    inner = value[len] == '[' ? g_strndup(value + len + 1, strlen(value) - len - 2) : g_strdup("");
    kv = keyval_parse(inner, NULL, error);
    if (kv == NULL || !keyval_check_keys(kv, keys[strcmp(name, "kvm") == 0], error)) {
        return false;
    }
    device = keyval_take(kv, "device");
    id = keyval_take(kv, "qcom_trusted_vm_id");
    pas = keyval_take(kv, "qcom_trusted_vm_pas_id");
    if (!plan_set_trusted(r->plan, id, pas, error)) {
        return false;
    }
    g_free(r->plan->accel);
    r->plan->accel =
        device != NULL ? g_strdup_printf("%s,device=%s", name, device) : g_steal_pointer(&name);
    return true;
}

/* ---- disks ---- */

static bool add_disk(Request *r, const char *path, bool writable)
{
    plan_add_disk(r->plan, path)->writable = writable;
    return true;
}

static bool take_disk(Request *r, const char *value, GError **error)
{
    return add_disk(r, value, false);
}

static bool take_rwdisk(Request *r, const char *value, GError **error)
{
    return add_disk(r, value, true);
}

static bool take_root_disk(Request *r, const char *value, bool writable)
{
    g_autofree char *words =
        g_strdup_printf("root=/dev/vd%c %s", 'a' + r->plan->disks->len, writable ? "rw" : "ro");

    plan_add_params(r->plan, words);
    return add_disk(r, value, writable);
}

static bool take_root(Request *r, const char *value, GError **error)
{
    return take_root_disk(r, value, false);
}

static bool take_rwroot(Request *r, const char *value, GError **error)
{
    return take_root_disk(r, value, true);
}

static bool take_block(Request *r, const char *value, GError **error)
{
    static const char *const keys[] = {
        "path",       "ro", "root",           "direct",         "sparse",       "block-size",
        "block_size", "id", "async-executor", "async_executor", "packed-queue", "multiple-workers",
        NULL
    };
    g_autoptr(KeyVal) kv = keyval_parse(value, "path", error);
    bool read_only = false, root = false, direct = false;
    const char *path;
    PlanDisk *disk;

    if (kv == NULL || !keyval_check_keys(kv, keys, error) ||
        !keyval_take_bool(kv, "ro", &read_only, error) ||
        !keyval_take_bool(kv, "root", &root, error) ||
        !keyval_take_bool(kv, "direct", &direct, error)) {
        return false;
    }
    path = keyval_take(kv, "path");
    if (path == NULL || *path == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "path is missing");
        return false;
    }
    if (root) {
        take_root_disk(r, path, !read_only);
    } else {
        add_disk(r, path, !read_only);
    }
    disk = g_ptr_array_index(r->plan->disks, r->plan->disks->len - 1);
    disk->direct = direct;
    disk->id = g_strdup(keyval_take(kv, "id"));
    return true;
}

/* PATH:TAG[:type=p9][:...] */
static bool take_shared_dir(Request *r, const char *value, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(value, ":", -1);
    unsigned n = g_strv_length(parts);

    if (n < 2) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "is not PATH:TAG[:KEY=VALUE...]");
        return false;
    }
    for (unsigned i = 2; i < n; i++) {
        if (strcmp(parts[i], "type=fs") == 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        "there is no virtio-fs, only 9P (type=p9)");
            return false;
        }
    }
    g_ptr_array_add(
        r->plan->shares,
        g_strdup_printf("local,path=%s,mount_tag=%s,security_model=none", parts[0], parts[1]));
    return true;
}

/* ---- network, vsock, console ---- */

/* By name or by descriptor; mac may be NULL. */
static void add_tap(Request *r, const char *name, const char *fd, const char *mac)
{
    char *words = name != NULL ? g_strdup_printf("tap,ifname=%s,script=no,downscript=no", name)
                               : g_strdup_printf("tap,fd=%s", fd);

    plan_add_net_words(r->plan, words, mac);
}

static bool take_tap_name(Request *r, const char *value, GError **error)
{
    add_tap(r, value, NULL, NULL);
    return true;
}

static bool take_tap_fd(Request *r, const char *value, GError **error)
{
    add_tap(r, NULL, value, NULL);
    return true;
}

static bool take_net(Request *r, const char *value, GError **error)
{
    static const char *const keys[] = { "tap-name", "tap-fd",       "mac",       "vhost-net",
                                        "vq-pairs", "packed-queue", "mrg-rxbuf", NULL };
    g_autofree char *text = without_brackets(value);
    g_autoptr(KeyVal) kv = keyval_parse(text, NULL, error);
    const char *name, *fd, *mac;

    if (kv == NULL || !keyval_check_keys(kv, keys, error)) {
        return false;
    }
    name = keyval_take(kv, "tap-name");
    fd = keyval_take(kv, "tap-fd");
    if ((name == NULL) == (fd == NULL)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "one of tap-name and tap-fd is needed");
        return false;
    }
    mac = keyval_take(kv, "mac");
    if (mac != NULL && strspn(mac, "0123456789abcdefABCDEF:") != strlen(mac)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "mac '%s' is not six bytes as 0a:0b...",
                    mac);
        return false;
    }
    add_tap(r, name, fd, mac);
    return true;
}

static bool take_vsock(Request *r, const char *value, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(only_value(value, "cid"), ",", -1);

    if (!props_parse_u64(parts[0] != NULL ? parts[0] : "", &r->plan->vsock_cid, NULL) ||
        r->plan->vsock_cid < 3 || r->plan->vsock_cid >= UINT32_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "the context ID is not a number from 3 to 4294967294");
        return false;
    }
    return true;
}

/* Only the first serial port is there; of several flags the one with it, or with console, counts.
 */
static bool take_serial(Request *r, const char *value, GError **error)
{
    static const char *const keys[] = { "type",    "hardware", "num",   "path", "input",
                                        "console", "earlycon", "stdin", "name", NULL };
    static const char *const types[] = { "stdout", "file", "sink", "syslog", NULL };
    g_autoptr(KeyVal) kv = keyval_parse(value, "type", error);
    const char *type, *num, *path;

    if (kv == NULL || !keyval_check_keys(kv, keys, error)) {
        return false;
    }
    type = keyval_take(kv, "type");
    num = keyval_take(kv, "num");
    path = keyval_take(kv, "path");
    if (type == NULL || !g_strv_contains(types, type) || strcmp(type, "syslog") == 0) {
        error_set_unknown(error, "type", type != NULL ? type : "",
                          (const char *const[]){ "stdout", "file", "sink", NULL });
        return false;
    }
    if (num != NULL && strcmp(num, "1") != 0) {
        if (strcmp(type, "sink") == 0) {
            return true;
        }
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "num=%s: there is one serial port, num=1", num);
        return false;
    }
    if (strcmp(type, "file") == 0 && path == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "path is missing");
        return false;
    }
    g_free(r->plan->console);
    r->plan->console = g_strdup(strcmp(type, "stdout") == 0 ? "stdio"
                                : strcmp(type, "file") == 0 ? path
                                                            : "none");
    return true;
}

static bool take_page_reporting(Request *r, const char *value, GError **error)
{
    r->plan->page_reporting = true;
    return true;
}

static bool take_no_balloon(Request *r, const char *value, GError **error)
{
    r->plan->no_balloon = true;
    return true;
}

static bool take_suspended(Request *r, const char *value, GError **error)
{
    g_ptr_array_add(r->plan->words, g_strdup("-S"));
    return true;
}

static bool take_no_rng(Request *r, const char *value, GError **error)
{
    r->plan->no_rng = true;
    return true;
}

static bool take_dump_dtb(Request *r, const char *value, GError **error)
{
    g_free(r->plan->dump_dtb);
    r->plan->dump_dtb = g_strdup(value);
    return true;
}

static bool take_fdt_position(Request *r, const char *value, GError **error)
{
    static const char *const places[] = { "start", "end", "after-payload", NULL };

    if (!g_strv_contains(places, value)) {
        error_set_unknown(error, "place", value, places);
        return false;
    }
    return true;
}

static bool take_hugepages(Request *r, const char *value, GError **error)
{
    r->plan->hugepages = true;
    return true;
}

static bool take_affinity(Request *r, const char *value, GError **error)
{
    return plan_set_cpu_affinity(r->plan, value, error);
}

static bool take_core_scheduling(Request *r, const char *value, GError **error)
{
    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "'%s' is neither true nor false",
                    value);
        return false;
    }
    plan_add_sched(r->plan, strcmp(value, "true") == 0 ? "core=vcpu" : "core=off");
    return true;
}

static bool take_vm_core(Request *r, const char *value, GError **error)
{
    plan_add_sched(r->plan, "core=vm");
    return true;
}

static bool take_boost_uclamp(Request *r, const char *value, GError **error)
{
    plan_add_sched(r->plan, "uclamp-min=1024");
    return true;
}

#define TAKEN(name, letter, arg, take, what)                                                       \
    {                                                                                              \
        name, letter, arg, CROSVM_TAKEN, what, take                                                \
    }
#define IGNORED(name, arg, why)                                                                    \
    {                                                                                              \
        name, NULL, arg, CROSVM_IGNORED, why, NULL                                                 \
    }
#define REFUSED(name, arg, why)                                                                    \
    {                                                                                              \
        name, NULL, arg, CROSVM_REFUSED, why, NULL                                                 \
    }

const CrosvmFlag crosvm_flags[] = {
    TAKEN("hypervisor", NULL, "NAME[device=PATH,qcom_trusted_vm_id=N,qcom_trusted_vm_pas_id=N]",
          take_hypervisor,
          "-accel NAME,device=PATH; with the IDs of a trusted VM its image is the kernel's or "
          "--bios's"),
    TAKEN("mem", "m", "[size=]MIB", take_mem, "-m"),
    TAKEN("cpus", "c", "[num-cores=]N", take_cpus,
          "-smp; clusters, core types and the like do not "
          "come through"),
    TAKEN("host-cpu-topology", NULL, NULL, take_host_topology,
          "-smp with the host's number of CPUs"),
    TAKEN("name", NULL, "NAME", take_name, "the VM's name for vm list"),
    TAKEN("params", "p", "TEXT", take_params, "-append"),
    TAKEN("initrd", "i", "FILE", take_initrd, "-initrd"),
    TAKEN("bios", NULL, "FILE", take_bios, "-bios"),
    TAKEN("pflash", NULL, "[path=]FILE", take_pflash, "-drive if=pflash,unit=1: UEFI's variables"),
    TAKEN("protected-vm", NULL, NULL, take_protected_vm, "-accel gunyah,protected=on,pvmfw=on"),
    TAKEN("protected-vm-without-firmware", NULL, NULL, take_protected,
          "-accel gunyah,protected=on"),
    TAKEN("swiotlb", NULL, "MIB", take_swiotlb,
          "swiotlb-size= of -accel gunyah, for a protected VM"),
    TAKEN("block", "b", "[path=]FILE[,ro][,root][,direct][,id=TEXT]", take_block,
          "-blockdev and virtio-blk-device; sizes, executors and queues are chosen here"),
    TAKEN("disk", "d", "FILE", take_disk, "the same, read-only"),
    TAKEN("rwdisk", NULL, "FILE", take_rwdisk, "the same, writable"),
    TAKEN("root", "r", "FILE", take_root, "the same, read-only, and root= on the command line"),
    TAKEN("rwroot", NULL, "FILE", take_rwroot, "the same, writable"),
    TAKEN("shared-dir", NULL, "PATH:TAG[:type=p9]", take_shared_dir, "-virtfs; type=fs is refused"),
    TAKEN("net", NULL, "tap-name=NAME|tap-fd=N[,mac=ADDRESS]", take_net,
          "-netdev tap and virtio-net-device"),
    TAKEN("tap-name", NULL, "NAME", take_tap_name, "the same"),
    TAKEN("tap-fd", NULL, "N", take_tap_fd, "the same"),
    TAKEN("vsock", NULL, "[cid=]N", take_vsock, "virtio-vsock-device"),
    TAKEN("cid", NULL, "N", take_vsock, "the same"),
    TAKEN("serial", NULL, "type=stdout|file|sink[,path=FILE][,num=1]", take_serial,
          "-serial; the hardware is the machine's serial port"),
    TAKEN("balloon-page-reporting", NULL, NULL, take_page_reporting,
          "free-page-reporting=on of virtio-balloon-device"),
    TAKEN("no-balloon", NULL, NULL, take_no_balloon, "no virtio-balloon-device"),
    TAKEN("no-rng", NULL, NULL, take_no_rng, "no virtio-rng-device"),
    TAKEN("dump-device-tree-blob", NULL, "FILE", take_dump_dtb,
          "-machine dumpdtb=FILE: nothing is started"),
    TAKEN("fdt-position", NULL, "start|end|after-payload", take_fdt_position,
          "nothing: the device tree stands behind the kernel, as Gunyah needs it"),
    TAKEN("hugepages", NULL, NULL, take_hugepages, "memory-backend-memfd with thp=on"),
    TAKEN("cpu-affinity", NULL, "CPUS|VCPU=CPUS[:...]", take_affinity, "-vcpu-sched affinity="),
    TAKEN("core-scheduling", NULL, "BOOL", take_core_scheduling, "-vcpu-sched core=vcpu"),
    TAKEN("per-vm-core-scheduling", NULL, NULL, take_vm_core, "-vcpu-sched core=vm"),
    TAKEN("boost-uclamp", NULL, NULL, take_boost_uclamp, "-vcpu-sched uclamp-min=1024"),
    TAKEN("suspended", NULL, NULL, take_suspended, "-S; the monitor's cont starts it"),
    IGNORED("disable-sandbox", NULL, "there is one process and no sandbox to switch off"),
    IGNORED("no-usb", NULL, "there is no USB controller"),
    IGNORED("no-pmu", NULL, "Gunyah gives no access to the PMU"),
    IGNORED("no-smt", NULL, "the guest's topology has no threads"),
    IGNORED("no-i8042", NULL, "there is none"),
    IGNORED("no-rtc", NULL, "the machine's clock does no harm"),
    IGNORED("no-legacy", NULL, "there are no legacy devices"),
    IGNORED("lock-guest-memory", NULL, "Gunyah pins the guest's memory"),
    IGNORED("unmap-guest-memory-on-fork", NULL, "nothing is forked"),
    IGNORED("irqchip", "TEXT", "Gunyah brings the interrupt controller, without an ITS"),
    IGNORED("pci", "TEXT", "addresses are the board's"),
    IGNORED("virt-cpufreq", NULL, "the host's governor sees the vCPUs' load itself"),
    IGNORED("virt-cpufreq-upstream", NULL, "the same"),
    IGNORED("socket", "PATH", "the monitor is found by the VM's name (vm info, vm stop)"),
    IGNORED("syslog-tag", "TEXT", "nothing is written to the system's log"),
    IGNORED("balloon-control", "PATH", "the monitor has the command balloon"),
    REFUSED("protected-vm-with-firmware", "FILE",
            "only the resource manager's own firmware can be used (--protected-vm)"),
    REFUSED("unprotected-vm-with-firmware", "FILE",
            "firmware is for protected VMs; --bios starts UEFI"),
    REFUSED("cfg", "FILE", "its keys are crosvm's own; 'humpy vm run' takes Android's files"),
    REFUSED("gpu", "TEXT",
            "a display has to be asked for in the program's own words (docs/display.md)"),
    REFUSED("gpu-display", "TEXT", "there is no --gpu"),
    REFUSED("wayland-sock", "PATH", "there is no virtio-wl"),
    REFUSED("vfio", "PATH", "devices of the host cannot be given to a VM"),
    REFUSED("vfio-platform", "PATH", "devices of the host cannot be given to a VM"),
    REFUSED("device-tree-overlay", "FILE", "-dtb takes a whole tree instead"),
    REFUSED("android-fstab", "FILE", "the guest's own fstab is used"),
    REFUSED("gdb", "PORT", "a Gunyah VM cannot be debugged by the host"),
    REFUSED("host-ip", "ADDRESS", "networks are set up by the host (--net tap-name=)"),
    REFUSED("vhost-user", "TEXT", "devices of other processes are not supported"),
    REFUSED("restore", "PATH", "there are no snapshots"),
    {},
};
