/* SPDX-License-Identifier: GPL-2.0-or-later
 * The table of options, with the handlers that only take down a text or a flag.
 */
#include "chardev/chardev.h"
#include "export/export.h"
#include "fsdevs.h"
#include "hw/core/device.h"
#include "net/net.h"
#include "options.h"
#include "util/error.h"
#include "util/target.h"

/* ---- handlers ---- */

#define TEXT_HANDLER(field)                                                                        \
    static bool take_##field(VmConfig *config, const char *arg, GError **error)                    \
    {                                                                                              \
        g_free(config->field);                                                                     \
        config->field = g_strdup(arg);                                                             \
        return true;                                                                               \
    }
#define LIST_HANDLER(field)                                                                        \
    static bool take_##field(VmConfig *config, const char *arg, GError **error)                    \
    {                                                                                              \
        g_ptr_array_add(config->field, g_strdup(arg));                                             \
        return true;                                                                               \
    }
#define FLAG_HANDLER(field)                                                                        \
    static bool take_##field(VmConfig *config, const char *arg, GError **error)                    \
    {                                                                                              \
        config->field = true;                                                                      \
        return true;                                                                               \
    }

TEXT_HANDLER(pidfile)
TEXT_HANDLER(kernel)
TEXT_HANDLER(mem_path)
TEXT_HANDLER(initrd)
TEXT_HANDLER(append)
TEXT_HANDLER(dtb)
TEXT_HANDLER(qtest)
TEXT_HANDLER(qtest_log)
TEXT_HANDLER(bios)
LIST_HANDLER(drives)
LIST_HANDLER(fsdevs)
LIST_HANDLER(blockdevs)
LIST_HANDLER(serials)
LIST_HANDLER(globals)
LIST_HANDLER(fw_cfgs)
LIST_HANDLER(nets)
LIST_HANDLER(nics)
FLAG_HANDLER(attach)
FLAG_HANDLER(nographic)
FLAG_HANDLER(nodefaults)
FLAG_HANDLER(no_reboot)
FLAG_HANDLER(mem_prealloc)
FLAG_HANDLER(daemonize)
FLAG_HANDLER(no_shutdown)
FLAG_HANDLER(stopped)
FLAG_HANDLER(preconfig)

static bool take_enable_kvm(VmConfig *config, const char *arg, GError **error)
{
    return option_accel(config, "kvm", error);
}

static bool take_chardev(VmConfig *config, const char *arg, GError **error)
{
    if (g_str_equal(arg, "help") || g_str_equal(arg, "?")) {
        config->output = chardev_help();
        return true;
    }
    g_ptr_array_add(config->chardevs, g_strdup(arg));
    return true;
}

static bool take_virtfs(VmConfig *config, const char *arg, GError **error)
{
    char *fsdev, *device;

    if (!fsdevs_split_virtfs(arg, config->fsdevs->len, &fsdev, &device, error)) {
        return false;
    }
    g_ptr_array_add(config->fsdevs, fsdev);
    g_ptr_array_add(config->devices, device);
    return true;
}

static bool take_export(VmConfig *config, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_or_json(arg, "type", error);
    const char *type = kv != NULL ? keyval_get(kv, "type") : NULL;

    if (kv == NULL) {
        return false;
    }
    if (g_strcmp0(type, "help") == 0 || g_strcmp0(type, "?") == 0) {
        config->output = export_help();
        return true;
    }
    g_ptr_array_add(config->exports, g_strdup(arg));
    return true;
}

static bool take_netdev(VmConfig *config, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_or_json(arg, "type", error);
    const char *type;

    if (kv == NULL) {
        return false;
    }
    type = keyval_get(kv, "type");
    if (g_strcmp0(type, "help") == 0 || g_strcmp0(type, "?") == 0) {
        config->output = net_backend_help();
        return true;
    }
    if (type != NULL && keyval_get(kv, "help") != NULL) {
        config->output = net_backend_type_help(type, error);
        return config->output != NULL;
    }
    g_ptr_array_add(config->netdevs, g_strdup(arg));
    return true;
}

static bool take_pflash(VmConfig *config, const char *arg, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(arg, ",", -1);
    g_autofree char *doubled = g_strjoinv(",,", parts);

    g_ptr_array_add(config->drives, g_strconcat("if=pflash,file=", doubled, NULL));
    return true;
}

static bool take_device(VmConfig *config, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_or_json(arg, "driver", error);
    const char *type;

    if (kv == NULL) {
        return false;
    }
    type = keyval_get(kv, "driver");
    if (type == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "the device type is missing");
        return false;
    }
    if (g_str_equal(type, "help") || g_str_equal(type, "?")) {
        config->output = device_help();
        return true;
    }
    if (keyval_get(kv, "help") != NULL) {
        config->output = device_type_help(type, error);
        return config->output != NULL;
    }
    g_ptr_array_add(config->devices, g_strdup(arg));
    return true;
}

/* As on QEMU the serial port is then only where -serial puts it. */
static bool take_vnc(VmConfig *config, const char *arg, GError **error)
{
    g_clear_pointer(&config->vnc, g_free);
    if (!g_str_equal(arg, "none")) {
        config->vnc = g_strdup(arg);
        config->display_none = true;
    }
    return true;
}

static bool take_display(VmConfig *config, const char *arg, GError **error)
{
    static const char *const names[] = { "none",
#ifdef HAVE_VNC
                                         "vnc",
#endif
                                         NULL };

    if (g_str_equal(arg, "help") || g_str_equal(arg, "?")) {
        g_autofree char *list = g_strjoinv("\n", (char **)names);

        config->output = g_strconcat("Available display types:\n", list, "\n", NULL);
        return true;
    }
    if (g_str_has_prefix(arg, "vnc=")) {
        return take_vnc(config, arg + strlen("vnc="), error);
    }
    if (!g_str_equal(arg, "none")) {
        error_set_unknown(error, "display", arg, names);
        return false;
    }
    config->display_none = true;
    return true;
}

static bool take_help(VmConfig *config, const char *arg, GError **error)
{
    config->output = options_help();
    return true;
}

static bool take_version(VmConfig *config, const char *arg, GError **error)
{
    config->output = g_strconcat(target_program(), " version " HUMPY_VERSION "\n", NULL);
    return true;
}

static bool take_dump_options(VmConfig *config, const char *arg, GError **error)
{
    config->output = options_dump();
    return true;
}

/* ---- the table ---- */

static const Option standard_options[] = {
    { "machine", "M", "[type=]NAME[,PROP=VALUE...]", "choose the machine",
      "There is no default. Properties of the machine follow its name, see below; besides them, "
      "accel=NAME[:NAME...] names the accelerators to try (as -accel, which cannot be given as "
      "well), firmware=FILE is -bios FILE, and dumpdtb=FILE writes the device tree the guest would "
      "get to FILE and ends. "
      "'-machine help' lists machines, '-machine NAME,help' a machine's properties. Given more "
      "than once, later properties win.",
      option_machine },
    { "accel", NULL, "[accel=]NAME[,PROP=VALUE...]", "choose the accelerator",
      "Given more than once, the first that works on this host is used. Without it: gunyah, and "
      "for x86_64 guests kvm or else acrn. "
      "'-accel help' lists accelerators, '-accel NAME,help' properties.",
      option_accel },
    { "enable-kvm", NULL, NULL, "the same as -accel kvm",
      "An old spelling, for those who are used to it.", take_enable_kvm },
    { "cpu", NULL, "TYPE[,PROP=VALUE...]", "choose the CPU type",
      "'-cpu help' lists the types. An accelerator decides what the guest's CPU really is.",
      option_cpu },
    { "smp", NULL, "[cpus=]N[,maxcpus=N][,sockets=N][,clusters=N][,cores=N][,threads=N]",
      "number of CPUs (default 1)",
      "CPUs cannot be added later, so maxcpus above cpus is refused. The topology is checked and "
      "not otherwise used.",
      option_smp },
    { "vcpu-sched", NULL,
      "affinity=CPUS,affinity.N=CPUS,uclamp-min=N,uclamp-max=N,core=off|vcpu|vm",
      "where the host runs vCPUs, and how",
      "CPUS are the host's, such as 0-3:6, for all vCPUs or for vCPU N. uclamp-min and uclamp-max, "
      "0 "
      "to 1024, bound the utilization that the scheduler assumes when it chooses CPU and "
      "frequency. "
      "core says who shares a core with a vCPU: anybody, nobody (vcpu), or this program's threads "
      "only (vm).",
      option_vcpu_sched },
    { "m", NULL, "[size=]SIZE[,slots=N,maxmem=SIZE]", "size of memory (default: the machine's)",
      "A plain number is in MiB; K, M, G and T say otherwise. maxmem above size asks for memory "
      "that is added later, which no accelerator can do yet.",
      option_m },
    { "mem-path", NULL, "FILE", "file, or directory for one, that memory is taken from",
      "A directory of hugetlbfs gives huge pages. What the guest writes stays out of the file. "
      "Excludes -machine memory-backend= and -numa node,memdev=.",
      take_mem_path },
    { "mem-prealloc", NULL, NULL, "get all of the memory from the host at once",
      "So that a shortage shows now, not when the guest has got to it.", take_mem_prealloc },
    { "name", NULL, "[guest=]NAME[,debug-threads=on|off]", "name of the virtual machine",
      "Threads are always named after what they do.", option_name },
    { "numa", NULL,
      "node[,nodeid=N][,memdev=ID][,cpus=FIRST[-LAST]]|cpu,node-id=N[,socket-id=N][,cluster-id=N]"
      "[,core-id=N][,thread-id=N]|dist,src=N,dst=N,val=N",
      "NUMA nodes",
      "node says which memory back end and which CPUs are a node's, cpu does so by a CPU's place, "
      "dist says how far two nodes are apart (10 to 255, 10 is local).",
      option_numa },
    { "object", NULL, "TYPE,id=ID[,PROP=VALUE...]", "make an object that others refer to by its ID",
      "'-object help' lists types, '-object TYPE,help' properties. A JSON object is understood as "
      "well.",
      option_object },
    { "device", NULL, "TYPE[,id=ID][,bus=BUS][,PROP=VALUE...]", "add a device",
      "'-device help' lists types, '-device TYPE,help' properties. A JSON object with the member "
      "driver is understood as well.",
      take_device },
    { "global", NULL, "TYPE.PROPERTY=VALUE", "set a property of all devices of a type",
      "For devices of the machine, too: -global virtio-mmio.force-legacy=off. What -device says "
      "wins. driver=TYPE,property=PROPERTY,value=VALUE means the same.",
      take_globals },
    { "nodefaults", NULL, NULL, "add nothing that was not asked for",
      "Without it the first serial port is on the terminal.", take_nodefaults },
    { "no-reboot", NULL, NULL, "exit instead of rebooting",
      "Without it a reset by the guest starts a fresh virtual machine from the same command line, "
      "reading kernel, initrd and device tree anew.",
      take_no_reboot },
    { "no-shutdown", NULL, NULL, "stop instead of exiting when the guest shuts down",
      "The monitor's quit ends the program then, system_reset starts the guest anew.",
      take_no_shutdown },
    { "action", NULL,
      "reboot=reset|shutdown,shutdown=poweroff|pause,panic=shutdown|pause|exit-failure|none",
      "what follows a reset or a shutdown by the guest",
      "reboot=shutdown means -no-reboot, shutdown=pause means -no-shutdown. panic says what "
      "follows when the guest reports a panic through pvpanic.",
      option_action },
    { "exit-status", NULL, "plain|detailed", "what the exit status tells",
      "plain: 0 or 1, as QEMU's. detailed: a number for each kind of end; EXIT STATUS lists them. "
      "'humpy vm' and 'humpy crosvm' ask for detailed.",
      option_exit_status },
    { "daemonize", NULL, NULL, "run in the background",
      "The command ends, with status 0, when the machine is there; what goes wrong until then is "
      "said as without it. Nothing can be on the terminal.",
      take_daemonize },
    { "pidfile", NULL, "FILE", "write the process's number to FILE",
      "The file is locked meanwhile and removed at the end.", take_pidfile },
    { "S", NULL, NULL, "do not start the vCPUs", "The monitor's cont does.", take_stopped },
    { "readconfig", NULL, "FILE", "read options from FILE",
      "A section [device \"net0\"] with lines key = \"value\" stands for -device "
      "id=net0,key=value; smp-opts stands for -smp, memory for -m.",
      option_readconfig },
    { "uuid", NULL, "UUID", "UUID of the virtual machine", NULL, option_uuid },
    {},
};

static const Option boot_options[] = {
    { "kernel", NULL, "FILE", "Linux kernel: an arm64 Image, plain or packed with gzip or lz4",
      "Debian's vmlinuz for arm64 is such a file. An Android boot image (boot.img) brings a RAM "
      "disk "
      "and a command line as well.",
      take_kernel },
    { "initrd", NULL, "FILE", "initial RAM disk", NULL, take_initrd },
    { "append", NULL, "TEXT", "kernel command line", NULL, take_append },
    { "android-boot", NULL, "[vendor-boot=FILE][,init-boot=FILE][,bootconfig=FILE]",
      "Android's other boot images, for a -kernel that is a boot.img",
      "RAM disks are joined in the order vendor_boot, boot.img, init_boot, -initrd, command lines "
      "in "
      "the order vendor_boot, boot.img, init_boot, -append. bootconfig is a text that follows "
      "vendor_boot's own.",
      option_android_boot },
    { "dtb", NULL, "FILE", "device tree to use instead of the machine's own",
      "Command line, initrd and what the accelerator needs are added to it.", take_dtb },
    { "bios", NULL, "FILE", "firmware in the first flash",
      "FILE is put into the flash at address 0, which is not written back. With -drive if=pflash "
      "it is. -machine firmware=FILE is the same.",
      take_bios },
    { "fw_cfg", NULL, "[name=]NAME,file=FILE|string=TEXT", "file for the guest's firmware",
      "Adds FILE's content, or TEXT, to the firmware configuration device under NAME, which should "
      "begin with opt/. A Linux guest finds it in /sys/firmware/qemu_fw_cfg/by_name.",
      take_fw_cfgs },
    {},
};

static const Option block_options[] = {
    { "drive", NULL,
      "file=FILE[,if=virtio|pflash|none][,id=ID][,format=raw|sparse|qcow2|...][,readonly=on|off]"
      "[,snapshot=on|off][,cache=MODE][,discard=ignore|unmap][,aio=threads|native|io_uring]",
      "disk image, with its device unless if=none",
      "if=pflash makes the image, of exactly 64 MiB, the content of the machine's flash unit=0 or "
      "1. "
      "cache is none, writeback (the default), writethrough, directsync or unsafe. An image of a "
      "known other format is refused unless format is given. With snapshot=on what is written is "
      "lost at the end. A disk is locked against other "
      "processes (file.locking=off: it is not).",
      take_drives },
    { "pflash", NULL, "FILE", "content of the machine's next flash",
      "The same as -drive if=pflash,file=FILE. Give it a second time for the second flash.",
      take_pflash },
    { "blockdev", NULL,
      "[driver=]raw|file|composite|overlay|qcow2|...,node-name=NAME[,PROP=VALUE...]",
      "disk image without a device",
      "driver=file takes filename, driver=raw takes file=NODE or file.driver=file,file.filename="
      "FILE, driver=null-co takes size, read-zeroes and latency-ns, driver=blkdebug takes config "
      "and "
      "image.driver, driver=composite takes partitions.N.label and partitions.N.image, "
      "driver=overlay takes filename and backing, driver=sparse, qcow2, qcow, qed, vdi, vhdx, vmdk "
      "and vpc take file. All take read-only, auto-read-only, discard, cache.direct, "
      "cache.no-flush. A "
      "JSON "
      "object is understood as well.",
      take_blockdevs },
    { "export", NULL, "[type=]vduse-blk|vduse-net,id=ID,name=NAME[,PROP=VALUE...]",
      "offer a disk or network card to the host's kernel",
      "vduse-blk takes node-name, writable, num-queues, queue-size, logical-block-size, serial, "
      "writethrough and iothread; vduse-net takes netdev, mac and queue-size; both take attach. "
      "A JSON object is understood as well.",
      take_export },
    {},
};

static const Option fs_options[] = {
    { "fsdev", NULL,
      "local,id=ID,path=DIR,security_model=MODEL[,readonly=on|off][,writeout=immediate]"
      "[,fmode=MODE][,dmode=MODE][,multidevs=remap|forbid|warn]",
      "directory for a -device virtio-9p-device,fsdev=ID",
      "MODEL is passthrough (owner and permissions are the host's), none (the same, but a new "
      "file's owner need not be settable), mapped-xattr or mapped-file (owner, permissions and "
      "special files are kept in attributes, or files, beside it). synth,id=ID is a made up tree "
      "for tests.",
      take_fsdevs },
    { "virtfs", NULL, "local,path=DIR,mount_tag=TAG,security_model=MODEL[,PROP=VALUE...]",
      "directory with its device",
      "The same as -fsdev and -device virtio-9p-device,mount_tag=TAG together. The guest mounts "
      "it with mount -t 9p -o trans=virtio,version=9p2000.L TAG DIR.",
      take_virtfs },
    {},
};

static const Option net_options[] = {
    { "netdev", NULL, "TYPE,id=ID[,PROP=VALUE...]", "network back end, for a device with netdev=ID",
      "'-netdev help' lists the types, '-netdev TYPE,help' what a type takes: user (a network "
      "behind a TCP/IP stack in this program, hostfwd=tcp::2222-:22 leads in), tap, socket, "
      "stream, dgram, hubport. A JSON object is understood as well.",
      take_netdev },
    { "nic", NULL, "[TYPE][,mac=MAC][,model=TYPE][,PROP=VALUE...]",
      "network back end and a card on it in one",
      "Without TYPE: user. '-nic none' asks for nothing. The card is a virtio-net-pci where there "
      "is a PCI bus, else a virtio-net-device.",
      take_nics },
    { "net", NULL, "nic|TYPE|none[,PROP=VALUE...]", "card or back end on one common hub",
      "An older form of -nic: all that is given with -net hears each other.", take_nets },
    {},
};

static const Option char_options[] = {
    { "chardev", NULL, "TYPE,id=ID[,mux=on|off][,PROP=VALUE...]",
      "character device for -serial chardev:ID",
      "stdio takes signal=on|off (off: Ctrl-C goes to the guest); file takes path, append and "
      "input-path; pipe takes path; ringbuf takes size; socket takes path, or host and port, or "
      "fd, "
      "with server=on|off, wait=on|off, nodelay=on|off, reconnect=SECONDS; null and pty take "
      "nothing. With mux=on, Ctrl-A and a letter is a command, Ctrl-A h lists them.",
      take_chardev },
    { "serial", NULL, "DEVICE", "connect the next serial port",
      "DEVICE is stdio, mon:stdio (Ctrl-A commands, Ctrl-C goes to the guest), null, none, pty, "
      "ringbuf, file:PATH, pipe:PATH, unix:PATH[,server][,nowait], tcp:HOST:PORT[,server][,nowait] "
      "or chardev:ID.",
      take_serials },
    { "nographic", NULL, NULL, "serial port on the terminal, no display",
      "The same as -display none -serial mon:stdio, unless -serial is given.", take_nographic },
    { "display", NULL, "none|vnc=ADDRESS", "what shows the guest's display",
      "none shows nothing; screenshots can still be taken (screendump). vnc=ADDRESS is -vnc. The "
      "serial port then is only where -serial puts it.",
      take_display },
    { "vnc", NULL, "[localhost]:N[,to=M]|unix:PATH|none", "VNC server that shows the first display",
      "Display N is TCP port 5900 + N; with to, the first free one up to M. There is no password, "
      "so "
      "other addresses than localhost are refused.",
      take_vnc },
    {},
};

static const Option monitor_options[] = {
    { "qmp", NULL, "DEVICE", "QMP monitor on a character device",
      "DEVICE is what -serial takes: unix:PATH,server,nowait or stdio, for example.", option_qmp },
    { "qmp-pretty", NULL, "DEVICE", "the same with its JSON laid out for reading", NULL,
      option_qmp_pretty },
    { "mon", NULL, "[chardev=]ID[,mode=control|readline][,pretty=on|off]", "monitor on a -chardev",
      "control is QMP, readline (the default) is for humans. -mon may be given more than once.",
      option_mon },
    { "monitor", NULL, "DEVICE", "monitor for humans on a character device",
      "DEVICE is what -serial takes, or none. -serial mon:stdio and -nographic have one behind "
      "Ctrl-A c.",
      option_monitor },
    { "trace", NULL, "[enable=]PATTERN[,file=FILE]", "switch trace events on",
      "Events whose name matches PATTERN (* and ?) print a line each to stderr, or to FILE. "
      "'-trace help' lists them. The monitor switches them on and off, too.",
      option_trace },
    { "preconfig", NULL, NULL, "make the machine only when a monitor asks for it",
      "Until x-exit-preconfig, only the commands that need no machine can be run.",
      take_preconfig },
    {},
};

static const Option test_options[] = {
    { "qtest", NULL, "DEVICE", "serve the qtest protocol on a character device",
      "DEVICE is what -serial takes. With -accel qtest there is no guest, and the virtual clock "
      "stands still unless the client moves it.",
      take_qtest },
    { "qtest-log", NULL, "FILE", "where the protocol is logged (default: standard error)",
      "none: nowhere.", take_qtest_log },
    {},
};

static const Option info_options[] = {
    { "help", "h", NULL, "this text", NULL, take_help },
    { "version", NULL, NULL, "the version", NULL, take_version },
    { "dump-options", NULL, NULL, "all options and properties as JSON", NULL, take_dump_options },
    {},
};

/* clang-format off: one section to a line */
static const OptionSection option_sections_system[] = {
    { "Standard options", standard_options },
    { "Linux boot", boot_options },
    { "Block devices", block_options },
    { "Shared directories", fs_options },
    { "Network", net_options },
    { "Character devices and display", char_options },
    { "Monitor", monitor_options },
    { "Testing devices", test_options },
    { "Information", info_options },
    {},
};
/* clang-format on */

const OptionSection *option_sections = option_sections_system;

/* ---- humpy-export ---- */

static const Option export_options[] = {
    { "blockdev", NULL,
      "[driver=]raw|file|composite|overlay|qcow2|...,node-name=NAME[,PROP=VALUE...]", "disk image",
      "As humpy-system's.", take_blockdevs },
    { "netdev", NULL, "TYPE,id=ID[,PROP=VALUE...]", "network back end", "As humpy-system's.",
      take_netdev },
    { "export", NULL, "[type=]vduse-blk|vduse-net,id=ID,name=NAME[,PROP=VALUE...]",
      "offer a disk or network card to the host's kernel", "As humpy-system's.", take_export },
    { "attach", NULL, NULL, "attach exports to the vDPA bus",
      "What vdpa dev add does, for each export without attach=off; undone at the end.",
      take_attach },
    { "object", NULL, "TYPE,id=ID[,PROP=VALUE...]", "make an object that others refer to by its ID",
      NULL, option_object },
    { "daemonize", NULL, NULL, "run in the background",
      "The command ends, with status 0, when all exports are there.", take_daemonize },
    { "pidfile", NULL, "FILE", "write the process's number to FILE",
      "The file is locked meanwhile and removed at the end.", take_pidfile },
    { "chardev", NULL, "TYPE,id=ID[,PROP=VALUE...]", "character device for --monitor", NULL,
      take_chardev },
    { "monitor", NULL, "[chardev=]ID[,mode=control|readline][,pretty=on|off]",
      "monitor on a --chardev", "control (QMP) is the default.", option_monitor_export },
    { "qmp", NULL, "DEVICE", "QMP monitor on a character device",
      "DEVICE is unix:PATH,server,nowait or stdio, for example.", option_qmp },
    { "trace", NULL, "[enable=]PATTERN[,file=FILE]", "switch trace events on", NULL, option_trace },
    {},
};

const OptionSection option_sections_export[] = {
    { "Options", export_options },
    { "Information", info_options },
    {},
};
