/* SPDX-License-Identifier: GPL-2.0-or-later
 * The command line of humpy-system-* for a plan. Virtio devices are those without PCI: Gunyah has
 * no message interrupts, and a guest finds them sooner.
 */
#include <string.h>

#include "plan.h"
#include "util/error.h"

typedef struct {
    const char *arch, *machine, *serial, *pvpanic;
} Board;

static const Board boards[] = {
    { "aarch64", "virt", "ttyAMA0", "pvpanic-mmio" },
    { "x86_64", "microvm", "ttyS0", "pvpanic" },
};

static const Board *find_board(const char *arch, GError **error)
{
    static const char *const names[] = { "aarch64", "x86_64", NULL };

    for (unsigned i = 0; i < G_N_ELEMENTS(boards); i++) {
        if (strcmp(boards[i].arch, arch) == 0) {
            return &boards[i];
        }
    }
    error_set_unknown(error, "architecture", arch, names);
    return NULL;
}

static void add(GPtrArray *argv, const char *word)
{
    g_ptr_array_add(argv, g_strdup(word));
}

static void add_pair(GPtrArray *argv, const char *option, const char *value)
{
    if (value != NULL) {
        add(argv, option);
        add(argv, value);
    }
}

static void add_format(GPtrArray *argv, const char *option, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void add_format(GPtrArray *argv, const char *option, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    add(argv, option);
    g_ptr_array_add(argv, g_strdup_vprintf(format, ap));
    va_end(ap);
}

/* Commas end a value unless they are doubled. */
static char *quoted(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);

    return g_strjoinv(",,", parts);
}

/* ---- board ---- */

/* A protected VM's window comes on top of its memory, as on Android. */
static uint64_t memory_mib(const Plan *plan)
{
    return plan->memory_mib + (plan->is_protected ? plan->swiotlb_mib : 0);
}

static void add_machine(GPtrArray *argv, const Plan *plan, const Board *board)
{
    g_autoptr(GString) text = g_string_new(board->machine);

    if (plan->machine != NULL) {
        g_string_append_printf(text, ",%s", plan->machine);
    }
    if (plan->hugepages) {
        g_string_append(text, ",memory-backend=ram0");
    }
    if (plan->dump_dtb != NULL) {
        g_autofree char *path = quoted(plan->dump_dtb);

        g_string_append_printf(text, ",dumpdtb=%s", path);
    }
    add_pair(argv, "-machine", text->str);
}

static void add_memory(GPtrArray *argv, const Plan *plan)
{
    add_format(argv, "-m", "%" G_GUINT64_FORMAT "M", memory_mib(plan));
    add_format(argv, "-smp", "%u", plan->cpus);
    if (plan->hugepages) {
        add_format(argv, "-object",
                   "memory-backend-memfd,id=ram0,thp=on,size=%" G_GUINT64_FORMAT "M",
                   memory_mib(plan));
    }
    if (plan->sched->len > 0) {
        add_pair(argv, "-vcpu-sched", plan->sched->str);
    }
}

static void add_accel(GPtrArray *argv, const Plan *plan)
{
    g_autoptr(GString) text = g_string_new(plan->accel != NULL ? plan->accel : "gunyah");

    if (!plan->is_protected) {
        add_pair(argv, "-accel", plan->accel);
        return;
    }
    g_string_append_printf(text, ",protected=on%s,swiotlb-size=%" G_GUINT64_FORMAT "M",
                           plan->pvmfw ? ",pvmfw=on" : "", plan->swiotlb_mib);
    if (plan->trusted) {
        g_string_append_printf(text, ",trusted-vm-id=%u,trusted-vm-pas-id=%u", plan->trusted_id,
                               plan->trusted_pas);
    }
    add_pair(argv, "-accel", text->str);
}

/* The kernel's own console, that of its last console= word, without options; NULL: none is said. */
static char *console_said(const Plan *plan)
{
    g_auto(GStrv) words = g_strsplit_set(plan->params->str, " \t\n\"", -1);
    const char *said = NULL;

    for (char **word = words; *word != NULL; word++) {
        if (g_str_has_prefix(*word, "console=")) {
            said = *word + strlen("console=");
        }
    }
    return said != NULL ? g_strndup(said, strcspn(said, ",")) : NULL;
}

/* A virtio console, as on Android, instead of the serial port. */
static bool is_on_hvc(const Plan *plan)
{
    g_autofree char *said = console_said(plan);

    return g_strcmp0(plan->console_device != NULL ? plan->console_device : said, "hvc0") == 0;
}

static void check_console_word(const Plan *plan, const char *device)
{
    g_autofree char *said = console_said(plan);
    bool elsewhere = said != NULL && strcmp(said, device) != 0 &&
                     (g_str_has_prefix(said, "ttyS") || g_str_has_prefix(said, "ttyAMA") ||
                      g_str_has_prefix(said, "hvc"));

    if (elsewhere && plan->kernel != NULL) {
        g_warning("the kernel is told console=%s, but the VM's console is %s", said, device);
    }
}

static void add_boot(GPtrArray *argv, const Plan *plan, const Board *board)
{
    g_autoptr(GString) params = g_string_new(NULL);
    g_autoptr(GString) android = g_string_new(NULL);
    const struct {
        const char *key, *path;
    } images[] = {
        { "vendor-boot", plan->vendor_boot },
        { "init-boot", plan->init_boot },
        { "bootconfig", plan->bootconfig },
    };

    add_pair(argv, "-kernel", plan->kernel);
    add_pair(argv, "-initrd", plan->initrd);
    add_pair(argv, "-dtb", plan->dtb);
    add_pair(argv, "-bios", plan->firmware);
    for (unsigned i = 0; i < G_N_ELEMENTS(images); i++) {
        if (images[i].path != NULL) {
            g_autofree char *path = quoted(images[i].path);

            g_string_append_printf(android, "%s%s=%s", android->len > 0 ? "," : "", images[i].key,
                                   path);
        }
    }
    if (android->len > 0) {
        add_pair(argv, "-android-boot", android->str);
    }
    if (plan->kernel == NULL) {
        return;
    }
    if (!plan->no_console_word && strstr(plan->params->str, "console=") == NULL) {
        g_string_append_printf(params, "console=%s", is_on_hvc(plan) ? "hvc0" : board->serial);
    }
    if (plan->params->len > 0) {
        g_string_append_printf(params, "%s%s", params->len > 0 ? " " : "", plan->params->str);
    }
    if (params->len > 0) {
        add_pair(argv, "-append", params->str);
    }
}

/* What the name of a virtio device ends in. UEFI's drivers keep to a protected VM's window on PCI
 * alone. */
static const char *transport(const Plan *plan)
{
    return plan->firmware != NULL && plan->is_protected ? "pci" : "device";
}

/* ---- console and monitor ---- */

static void add_log(GString *text, const Plan *plan)
{
    if (plan->log != NULL) {
        g_autofree char *path = quoted(plan->log);

        g_string_append_printf(text, ",logfile=%s,logappend=on", path);
    }
    if (plan->log_size != 0) {
        g_string_append_printf(text, ",logrotate-size=%" G_GUINT64_FORMAT, plan->log_size);
    }
    if (plan->log_count != 0) {
        g_string_append_printf(text, ",logrotate-count=%u", plan->log_count);
    }
}

/* What the user chose, the socket for 'humpy vm console', and the log, on one port. */
static void add_console(GPtrArray *argv, const Plan *plan, const Board *board,
                        const PlanPlace *place)
{
    const char *kind = plan->console != NULL ? plan->console : plan->background ? "none" : "stdio";
    g_autoptr(GString) hub = g_string_new("hub,id=console");
    unsigned n = 0;

    if (strcmp(kind, "stdio") == 0) {
        add_pair(argv, "-chardev", "stdio,id=terminal,mux=on,signal=off");
        g_string_append_printf(hub, ",chardevs.%u=terminal", n++);
    } else if (strcmp(kind, "pty") == 0) {
        add_pair(argv, "-chardev", "pty,id=pty");
        g_string_append_printf(hub, ",chardevs.%u=pty", n++);
    } else if (g_str_has_prefix(kind, "unix:")) {
        g_autofree char *path = quoted(kind + strlen("unix:"));

        add_format(argv, "-chardev", "socket,id=own,path=%s,server=on,wait=off", path);
        g_string_append_printf(hub, ",chardevs.%u=own", n++);
    } else if (strcmp(kind, "none") != 0) {
        g_autofree char *path = quoted(kind);

        add_format(argv, "-chardev", "file,id=output,path=%s", path);
        g_string_append_printf(hub, ",chardevs.%u=output", n++);
    }
    if (place->console_path != NULL) {
        g_autofree char *path = quoted(place->console_path);

        add_format(argv, "-chardev", "socket,id=socket,path=%s,server=on,wait=off", path);
        g_string_append_printf(hub, ",chardevs.%u=socket", n++);
    }
    if (n == 0 && plan->log != NULL) {
        g_string_assign(hub, "null,id=console");
        n++;
    }
    add_log(hub, plan);
    if (n > 0) {
        add_pair(argv, "-chardev", hub->str);
    }
    check_console_word(plan, is_on_hvc(plan) ? "hvc0" : board->serial);
    if (n > 0 && is_on_hvc(plan)) {
        add_format(argv, "-device", "virtio-serial-%s", transport(plan));
        add_pair(argv, "-device", "virtconsole,chardev=console");
    } else if (n > 0) {
        add_pair(argv, "-serial", "chardev:console");
    }
}

static void add_control(GPtrArray *argv, const Plan *plan, const PlanPlace *place)
{
    if (place->qmp != NULL) {
        g_autofree char *path = quoted(place->qmp);

        add_format(argv, "-qmp", "unix:%s,server=on,wait=off", path);
    }
    add_pair(argv, "-pidfile", place->pidfile);
    add_pair(argv, "-exit-status", "detailed");
    if (plan->background) {
        add(argv, "-daemonize");
    }
    if (plan->no_reboot) {
        add(argv, "-no-reboot");
    }
}

/* ---- devices ---- */

static void add_disks(GPtrArray *argv, const Plan *plan)
{
    for (unsigned i = 0; i < plan->disks->len; i++) {
        const PlanDisk *disk = g_ptr_array_index(plan->disks, i);
        g_autofree char *node = g_strdup_printf("disk%u", i);
        g_autofree char *blockdev = plan_disk_blockdev(disk, node);

        add_pair(argv, "-blockdev", blockdev);
        if (disk->id != NULL) {
            g_autofree char *id = quoted(disk->id);

            add_format(argv, "-device", "virtio-blk-%s,drive=%s,serial=%s", transport(plan), node,
                       id);
        } else {
            add_format(argv, "-device", "virtio-blk-%s,drive=%s", transport(plan), node);
        }
    }
}

static void add_vsock(GPtrArray *argv, const Plan *plan, const PlanPlace *place)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (plan->vsock_cid == 0) {
        return;
    }
    g_string_append_printf(text, "virtio-vsock-%s,guest-cid=%" G_GUINT64_FORMAT, transport(plan),
                           plan->vsock_cid);
    if (place->vsock != NULL) {
        g_autofree char *path = quoted(place->vsock);

        g_string_append_printf(text, ",path=%s", path);
    }
    add_pair(argv, "-device", text->str);
}

static void add_devices(GPtrArray *argv, const Plan *plan, const Board *board,
                        const PlanPlace *place)
{
    for (unsigned i = 0; i < plan->nets->len; i++) {
        const PlanNet *net = g_ptr_array_index(plan->nets, i);

        add_format(argv, "-netdev", "%s,id=net%u", net->words, i);
        add_format(argv, "-device", "virtio-net-%s,netdev=net%u%s%s", transport(plan), i,
                   net->mac != NULL ? ",mac=" : "", net->mac != NULL ? net->mac : "");
    }
    for (unsigned i = 0; i < plan->shares->len; i++) {
        add_pair(argv, "-virtfs", g_ptr_array_index(plan->shares, i));
    }
    if (!plan->no_pvpanic) {
        add_pair(argv, "-device", board->pvpanic);
    }
    if (plan->watchdog) {
        add_pair(argv, "-device", "vcpu-stall-detector");
    }
    if (!plan->no_rng) {
        add_format(argv, "-device", "virtio-rng-%s", transport(plan));
    }
    if (!plan->no_balloon && !plan->is_protected) {
        add_format(argv, "-device", "virtio-balloon-device%s",
                   plan->page_reporting ? ",free-page-reporting=on" : "");
    }
    add_vsock(argv, plan, place);
}

char **plan_argv(const Plan *plan, const PlanPlace *place, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    const Board *board = find_board(plan->arch, error);

    if (board == NULL) {
        return NULL;
    }
    add(argv, place->program);
    if (place->name != NULL) {
        add_pair(argv, "-name", place->name);
    }
    add(argv, "-nodefaults");
    add_pair(argv, "-display", "none");
    add_machine(argv, plan, board);
    add_accel(argv, plan);
    add_memory(argv, plan);
    add_boot(argv, plan, board);
    add_console(argv, plan, board, place);
    add_control(argv, plan, place);
    add_disks(argv, plan);
    add_devices(argv, plan, board, place);
    for (unsigned i = 0; i < plan->words->len; i++) {
        add(argv, g_ptr_array_index(plan->words, i));
    }
    g_ptr_array_add(argv, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&argv), FALSE);
}
