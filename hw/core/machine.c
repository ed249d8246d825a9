/* SPDX-License-Identifier: GPL-2.0-or-later
 * What all machines share: the configuration, the accelerator, guest physical memory, the list of
 * devices, and the look-up of machine types by name or alias. Boards are in hw/ARCH/.
 */
#include "hw/core/machine.h"

#include "core-priv.h"
#include "util/error.h"
#include "util/target.h"

enum { PORTS = 0x10000 };

typedef struct {
    MachineConfig config; /* strings owned */
    Accel *accel;
    struct Chardev **serials;
    MemoryRegion root;
    AddressSpace *memory; /* NULL before init and after finish */
    MemoryRegion io_root;
    AddressSpace *io;   /* or NULL: no ports */
    GPtrArray *cpus;    /* of Cpu, referenced */
    GPtrArray *devices; /* of Device that no bus holds, referenced, in the order made */
    Numa *numa;
    GString *roms;    /* lines of info roms */
    gsize board_roms; /* how much of it is the board's, there before a boot */
    MachineRam ram;
} MachinePrivate;

static bool has_started;
static gpointer machine_parent_class;
static int private_offset;

static MachinePrivate *priv(Machine *m)
{
    return G_STRUCT_MEMBER_P(m, private_offset);
}

static void config_clear(MachineConfig *config)
{
    g_free((char *)config->kernel);
    g_free((char *)config->initrd);
    g_free((char *)config->append);
    g_free((char *)config->vendor_boot);
    g_free((char *)config->init_boot);
    g_free((char *)config->bootconfig);
    g_free((char *)config->dtb);
    g_free((char *)config->dumpdtb);
    g_free((char *)config->firmware);
    g_free((char *)config->cpu_type);
    g_free((char *)config->name);
    g_free((char *)config->memory_backend);
    g_free((char *)config->mem_path);
    *config = (MachineConfig){};
}

static void machine_instance_init(GTypeInstance *instance, gpointer klass)
{
    MachinePrivate *p = priv((Machine *)instance);

    p->devices = g_ptr_array_new_with_free_func(g_object_unref);
    p->cpus = g_ptr_array_new_with_free_func(g_object_unref);
    p->numa = numa_new();
    p->roms = g_string_new(NULL);
    p->serials = g_new0(struct Chardev *, ((MachineClass *)klass)->n_serials);
}

static void machine_finalize(GObject *obj)
{
    MachinePrivate *p = priv(HUMPY_MACHINE(obj));

    machine_finish(HUMPY_MACHINE(obj));
    g_ptr_array_unref(p->devices);
    g_clear_object(&p->accel);
    numa_free(p->numa);
    g_string_free(p->roms, TRUE);
    g_ptr_array_unref(p->cpus);
    config_clear(&p->config);
    g_free(p->serials);
    props_clear(obj);
    G_OBJECT_CLASS(machine_parent_class)->finalize(obj);
}

static void machine_class_init(gpointer klass, gpointer data)
{
    machine_parent_class = g_type_class_peek_parent(klass);
    g_type_class_adjust_private_offset(klass, &private_offset);
    G_OBJECT_CLASS(klass)->finalize = machine_finalize;
}

/* By hand, because G_DEFINE_TYPE would want machine_init() for itself. */
GType machine_get_type(void)
{
    static gsize once;

    if (g_once_init_enter(&once)) {
        GType type = g_type_register_static_simple(G_TYPE_OBJECT, "machine", sizeof(MachineClass),
                                                   machine_class_init, sizeof(Machine),
                                                   machine_instance_init, G_TYPE_FLAG_ABSTRACT);

        private_offset = g_type_add_instance_private(type, sizeof(MachinePrivate));
        g_once_init_leave(&once, type);
    }
    return once;
}

void machine_set_config(Machine *m, const MachineConfig *config)
{
    MachinePrivate *p = priv(m);

    config_clear(&p->config);
    p->config = (MachineConfig){
        .kernel = g_strdup(config->kernel),
        .initrd = g_strdup(config->initrd),
        .append = g_strdup(config->append),
        .vendor_boot = g_strdup(config->vendor_boot),
        .init_boot = g_strdup(config->init_boot),
        .bootconfig = g_strdup(config->bootconfig),
        .dtb = g_strdup(config->dtb),
        .dumpdtb = g_strdup(config->dumpdtb),
        .firmware = g_strdup(config->firmware),
        .cpu_type = g_strdup(config->cpu_type),
        .ram_size = config->ram_size,
        .smp = config->smp,
        .name = g_strdup(config->name),
        .memory_backend = g_strdup(config->memory_backend),
        .mem_path = g_strdup(config->mem_path),
        .mem_prealloc = config->mem_prealloc,
        .topology = config->topology,
    };
}

const MachineConfig *machine_config(Machine *m)
{
    return &priv(m)->config;
}

void machine_set_numa(Machine *m, Numa *numa)
{
    numa_free(priv(m)->numa);
    priv(m)->numa = numa;
}

const Numa *machine_numa(Machine *m)
{
    return priv(m)->numa;
}

MachineRam *machine_ram_of(Machine *m)
{
    return &priv(m)->ram;
}

void machine_set_accel(Machine *m, Accel *accel)
{
    g_set_object(&priv(m)->accel, accel);
}

Accel *machine_accel(Machine *m)
{
    return priv(m)->accel;
}

bool machine_set_serial(Machine *m, unsigned n, struct Chardev *chr, GError **error)
{
    MachineClass *mc = HUMPY_MACHINE_GET_CLASS(m);

    if (n >= mc->n_serials) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "machine '%s' has no serial port %u (it has %u)", mc->name, n, mc->n_serials);
        return false;
    }
    priv(m)->serials[n] = chr;
    return true;
}

struct Chardev *machine_serial(Machine *m, unsigned n)
{
    return n < HUMPY_MACHINE_GET_CLASS(m)->n_serials ? priv(m)->serials[n] : NULL;
}

AddressSpace *machine_memory(Machine *m)
{
    return priv(m)->memory;
}

MemoryRegion *machine_system_memory(Machine *m)
{
    return &priv(m)->root;
}

AddressSpace *machine_io(Machine *m)
{
    return priv(m)->io;
}

MemoryRegion *machine_system_io(Machine *m)
{
    return priv(m)->io != NULL ? &priv(m)->io_root : NULL;
}

/* ---- life cycle ---- */

/* How much RAM: a back end's size, -m, or the machine's default. */
static bool find_ram_size(Machine *m, GError **error)
{
    MachineConfig *c = &priv(m)->config;
    uint64_t size;
    UserObject *backend;

    if (c->memory_backend == NULL) {
        c->ram_size = c->ram_size != 0 ? c->ram_size : HUMPY_MACHINE_GET_CLASS(m)->default_ram;
        return true;
    }
    backend = user_object_find(c->memory_backend, TYPE_MEMORY_BACKEND, error);
    if (backend == NULL) {
        g_prefix_error(error, "-machine memory-backend=%s: ", c->memory_backend);
        return false;
    }
    size = memory_backend_size(HUMPY_MEMORY_BACKEND(backend));
    if (c->ram_size != 0 && c->ram_size != size) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "-machine memory-backend=%s: it has %" G_GUINT64_FORMAT
                    " bytes, but -m asks for %" G_GUINT64_FORMAT,
                    c->memory_backend, size, c->ram_size);
        return false;
    }
    c->ram_size = size;
    return true;
}

static bool place_cpus(Machine *m, GError **error)
{
    MachineClass *mc = HUMPY_MACHINE_GET_CLASS(m);
    MachineConfig *c = &priv(m)->config;
    unsigned unplaced;

    if (c->smp == 0) {
        c->smp = 1;
    }
    if (c->smp > mc->max_cpus) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "-smp %u: machine '%s' takes 1 to %u CPUs", c->smp, mc->name, mc->max_cpus);
        return false;
    }
    if (c->topology.sockets == 0) {
        c->topology = (CpuTopology){ 1, 1, c->smp, 1 };
    }
    if (priv(m)->numa->n_nodes > 0 && !mc->has_numa) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "-numa: machine '%s' cannot be divided into nodes", mc->name);
        return false;
    }
    if (!numa_complete(priv(m)->numa, &c->topology, c->smp, &unplaced, error)) {
        return false;
    }
    if (unplaced > 0) {
        g_message("-numa: %u CPUs are on no node and go to node 0", unplaced);
    }
    return true;
}

static void make_cpus(Machine *m)
{
    MachinePrivate *p = priv(m);
    unsigned n = HUMPY_MACHINE_GET_CLASS(m)->no_cpus ? 0 : p->config.smp;

    for (unsigned i = 0; i < n; i++) {
        CpuPlace place = cpu_place(&p->config.topology, i);
        Cpu *cpu = cpu_new(i, &place, p->numa->n_nodes > 0 ? p->numa->cpu_node[i] : -1);

        qom_add_child(qom_container("/machine/unattached"), "device[*]", G_OBJECT(cpu));
        g_ptr_array_add(p->cpus, cpu);
    }
}

unsigned machine_n_cpus(Machine *m)
{
    return priv(m)->cpus->len;
}

Cpu *machine_cpu(Machine *m, unsigned index)
{
    return g_ptr_array_index(priv(m)->cpus, index);
}

bool machine_init(Machine *m, GError **error)
{
    MachineClass *mc = HUMPY_MACHINE_GET_CLASS(m);
    MachinePrivate *p = priv(m);

    g_assert(p->memory == NULL);
    if (!find_ram_size(m, error) || !place_cpus(m, error)) {
        return false;
    }
    qom_add_child(qom_root(), "machine", G_OBJECT(m));
    qom_container("/machine/peripheral");
    qom_container("/machine/peripheral-anon");
    qom_container("/machine/unattached");
    make_cpus(m);
    memory_region_init(&p->root, NULL, "system", UINT64_MAX);
    p->memory = address_space_new(&p->root, "memory");
    if (mc->has_ports) {
        memory_region_init(&p->io_root, NULL, "io", PORTS);
        p->io = address_space_new(&p->io_root, "I/O");
    }
    if (!mc->init(m, error)) {
        return false;
    }
    p->board_roms = p->roms->len;
    return true;
}

Machine *machine_current(void)
{
    GObject *m = qom_resolve("/machine", NULL);

    return m != NULL ? HUMPY_MACHINE(m) : NULL;
}

bool machine_has_started(void)
{
    return has_started;
}

bool machine_plugged(Machine *m, Device *dev, GError **error)
{
    MachineClass *mc = HUMPY_MACHINE_GET_CLASS(m);

    return mc->plugged == NULL || mc->plugged(m, dev, error);
}

bool machine_add_fw_cfg(Machine *m, const char *name, GBytes *data, GError **error)
{
    MachineClass *mc = HUMPY_MACHINE_GET_CLASS(m);

    if (mc->add_fw_cfg == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "machine '%s' has no firmware configuration device", mc->name);
        return false;
    }
    return mc->add_fw_cfg(m, name, data, error);
}

bool machine_boot(Machine *m, GError **error)
{
    MachineClass *mc = HUMPY_MACHINE_GET_CLASS(m);

    has_started = true;
    g_string_truncate(priv(m)->roms, priv(m)->board_roms);
    return mc->boot == NULL || mc->boot(m, error);
}

void machine_note_rom(Machine *m, const char *name, hwaddr addr, uint64_t size)
{
    g_string_append_printf(priv(m)->roms,
                           "addr=%016" G_GINT64_MODIFIER "x size=0x%06" G_GINT64_MODIFIER
                           "x name=\"%s\"\n",
                           addr, size, name);
}

void machine_print_roms(Machine *m, GString *out)
{
    g_string_append(out, priv(m)->roms->str);
}

static gint guest_exit_status;

void machine_report_guest_exit(int status)
{
    g_atomic_int_set(&guest_exit_status, status);
    machine_report_guest(MACHINE_GUEST_EXIT);
}

int machine_guest_exit_status(void)
{
    return g_atomic_int_get(&guest_exit_status);
}

void machine_reset(Machine *m)
{
    MachinePrivate *p = priv(m);

    g_atomic_int_set(&guest_exit_status, 0);
    device_reset_many((Device *const *)p->devices->pdata, p->devices->len);
}

static MachineGuestReportFn guest_report_fn;
static void *guest_report_opaque;

void machine_set_guest_report_handler(MachineGuestReportFn fn, void *opaque)
{
    guest_report_fn = fn;
    guest_report_opaque = opaque;
}

void machine_report_guest(MachineGuestReport report)
{
    if (guest_report_fn != NULL) {
        guest_report_fn(guest_report_opaque, report);
    }
}

void machine_powerdown(Machine *m)
{
    MachineClass *mc = HUMPY_MACHINE_GET_CLASS(m);

    if (mc->powerdown != NULL && priv(m)->memory != NULL) {
        mc->powerdown(m);
    }
}

void machine_finish(Machine *m)
{
    MachineClass *mc = HUMPY_MACHINE_GET_CLASS(m);
    MachinePrivate *p = priv(m);

    if (p->memory == NULL) {
        return;
    }
    has_started = false;
    if (p->accel != NULL) {
        accel_teardown(p->accel);
    }
    while (p->devices->len > 0) {
        machine_remove_device(m, g_ptr_array_index(p->devices, p->devices->len - 1));
    }
    g_ptr_array_set_size(p->cpus, 0);
    qom_unparent(G_OBJECT(m));
    if (mc->finish != NULL) {
        mc->finish(m);
    }
    machine_ram_release(m);
    g_string_truncate(p->roms, 0);
    g_clear_pointer(&p->memory, address_space_free);
    memory_region_destroy(&p->root);
    if (p->io != NULL) {
        g_clear_pointer(&p->io, address_space_free);
        memory_region_destroy(&p->io_root);
    }
}

void machine_add_device(Machine *m, Device *dev)
{
    g_ptr_array_add(priv(m)->devices, g_object_ref(dev));
    if (qom_parent(G_OBJECT(dev)) == NULL) {
        qom_add_child(qom_container("/machine/unattached"), "device[*]", G_OBJECT(dev));
    }
}

void machine_remove_device(Machine *m, Device *dev)
{
    g_autoptr(Device) keep G_GNUC_UNUSED = g_object_ref(dev);

    g_ptr_array_remove(priv(m)->devices, dev);
    device_unrealize(dev);
    qom_unparent(G_OBJECT(dev));
}

const GPtrArray *machine_devices(Machine *m)
{
    return priv(m)->devices;
}

/* ---- types by name ---- */

/* Concrete machine classes below type, each referenced for ever: there are only a few. */
static void collect_classes(GType type, GPtrArray *classes)
{
    g_autofree GType *children = g_type_children(type, NULL);

    if (!G_TYPE_IS_ABSTRACT(type)) {
        MachineClass *mc = g_type_class_ref(type);

        if (target_offers(mc->targets)) {
            g_ptr_array_add(classes, mc);
        }
    }
    for (GType *child = children; *child != 0; child++) {
        collect_classes(*child, classes);
    }
}

GPtrArray *machine_classes(void)
{
    GPtrArray *classes = g_ptr_array_new();

    collect_classes(TYPE_MACHINE, classes);
    return classes;
}

static GType find_type(const char *name, GError **error)
{
    g_autoptr(GPtrArray) classes = machine_classes();
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (unsigned i = 0; i < classes->len; i++) {
        MachineClass *mc = g_ptr_array_index(classes, i);

        if (g_strcmp0(name, mc->name) == 0 || g_strcmp0(name, mc->alias) == 0) {
            return G_TYPE_FROM_CLASS(mc);
        }
        g_ptr_array_add(names, (void *)mc->name);
        if (mc->alias != NULL) {
            g_ptr_array_add(names, (void *)mc->alias);
        }
    }
    g_ptr_array_add(names, NULL);
    error_set_unknown(error, "machine type", name, (const char *const *)names->pdata);
    return 0;
}

Machine *machine_new(const char *type, GError **error)
{
    GType found = find_type(type, error);

    return found != 0 ? g_object_new(found, NULL) : NULL;
}

char *machine_help(void)
{
    g_autoptr(GPtrArray) classes = machine_classes();
    GString *out = g_string_new("Supported machines are:\n");

    for (unsigned i = 0; i < classes->len; i++) {
        MachineClass *mc = g_ptr_array_index(classes, i);

        if (mc->alias != NULL) {
            g_string_append_printf(out, "%-20s %s (alias of %s)\n", mc->alias, mc->summary,
                                   mc->name);
        }
        g_string_append_printf(out, "%-20s %s\n", mc->name, mc->summary);
    }
    return g_string_free(out, FALSE);
}

char *machine_type_help(const char *type, GError **error)
{
    GType found = find_type(type, error);
    g_autofree char *props = NULL;

    if (found == 0) {
        return NULL;
    }
    props = props_help(g_type_class_peek(found));
    return g_strdup_printf("%s options:\n%s", type, props);
}

char *machine_cpu_help(const char *type, GError **error)
{
    g_autoptr(GPtrArray) classes = g_ptr_array_new();
    GType only = type != NULL ? find_type(type, error) : TYPE_MACHINE;
    GString *out;

    if (only == 0) {
        return NULL;
    }
    collect_classes(only, classes);
    out = g_string_new(NULL);
    for (unsigned i = 0; i < classes->len; i++) {
        MachineClass *mc = g_ptr_array_index(classes, i);

        g_string_append_printf(out, "CPU types of machine '%s':\n", mc->name);
        for (const char *const *cpu = mc->cpu_types; cpu != NULL && *cpu != NULL; cpu++) {
            g_string_append_printf(out, "  %s\n", *cpu);
        }
    }
    return g_string_free(out, FALSE);
}

GPtrArray *machine_cpu_types(void)
{
    g_autoptr(GPtrArray) classes = g_ptr_array_new();
    GPtrArray *types = g_ptr_array_new();

    collect_classes(TYPE_MACHINE, classes);
    for (unsigned i = 0; i < classes->len; i++) {
        MachineClass *mc = g_ptr_array_index(classes, i);

        for (const char *const *cpu = mc->cpu_types; cpu != NULL && *cpu != NULL; cpu++) {
            if (!g_ptr_array_find_with_equal_func(types, *cpu, g_str_equal, NULL)) {
                g_ptr_array_add(types, (char *)*cpu);
            }
        }
    }
    return types;
}
