/* SPDX-License-Identifier: GPL-2.0-or-later
 * From the configuration to a running guest, in this order: accelerator, machine with its
 * properties, memory and board devices, -device and -drive devices, boot. And back.
 */
#include "vm.h"

#include <string.h>

#include "accel/accel.h"
#include "fw-cfg.h"
#include "hw/core/clock.h"
#include "hw/core/device-add.h"
#include "hw/core/machine.h"
#include "nets.h"
#include "objects.h"
#include "options.h"
#include "runstate.h"
#include "serials.h"
#include "util/error.h"
#include "util/target.h"
#include "vcpu-sched.h"

struct Vm {
    const VmConfig *config;
    Drives *drives;
    Accel *accel;
    Machine *machine;
};

static Vm *current;
static bool has_lived; /* there was one before */
static const VmConfig *current_config;

static bool make_accel(Vm *vm, GError **error)
{
    static const char *const arm[] = { "gunyah", NULL };
    static const char *const x86[] = { "kvm", "acrn", NULL };
    g_autoptr(GPtrArray) texts = g_ptr_array_new();

    for (unsigned i = 0; i < vm->config->accels->len; i++) {
        g_ptr_array_add(texts, g_ptr_array_index(vm->config->accels, i));
    }
    g_ptr_array_add(texts, NULL);
    if (texts->len > 1) {
        vm->accel = accel_create((const char *const *)texts->pdata, error);
    } else if (HUMPY_MACHINE_GET_CLASS(vm->machine)->no_cpus) {
        vm->accel = accel_new_none();
    } else {
        vm->accel = accel_create(target_current() == TARGET_X86_64 ? x86 : arm, error);
    }
    if (vm->accel == NULL) {
        return false;
    }
    accel_set_event_handler(vm->accel, runstate_accel_event, NULL);
    if (has_lived) {
        accel_set_relaunch(vm->accel);
    }
    if (accel_caps(vm->accel) & ACCEL_CAP_MANUAL_CLOCK) {
        clock_set_manual();
    }
    return true;
}

static bool set_machine_properties(Vm *vm, GError **error)
{
    const GPtrArray *pairs = vm->config->machine_properties->pairs;

    for (unsigned i = 0; i < pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(pairs, i);

        const char *value = g_str_has_prefix(pair->key, "pflash")
                                ? drives_node_name(vm->drives, pair->value)
                                : pair->value;

        if (!props_set_str(G_OBJECT(vm->machine), pair->key, value, error)) {
            g_prefix_error(error, "-machine %s,%s=%s: ", vm->config->machine, pair->key,
                           pair->value);
            return false;
        }
    }
    return true;
}

/* -drive if=pflash: the same as -machine pflashN=, which must not name another one. */
static bool set_pflash(Vm *vm, GError **error)
{
    for (unsigned i = 0; i < DRIVES_N_PFLASH; i++) {
        const char *node = drives_pflash(vm->drives, i);
        g_autofree char *key = g_strdup_printf("pflash%u", i);
        g_autofree char *before = props_get_str(G_OBJECT(vm->machine), key);

        if (node == NULL) {
            continue;
        }
        if (before != NULL && *before != '\0') {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                        "-drive if=pflash,unit=%u: -machine %s=%s already names a drive", i, key,
                        before);
            return false;
        }
        if (!props_set_str(G_OBJECT(vm->machine), key, node, error)) {
            g_prefix_error(error, "-drive if=pflash,unit=%u: ", i);
            return false;
        }
    }
    return true;
}

static bool connect_serials(Vm *vm, const Serials *serials, GError **error)
{
    for (unsigned i = 0; i < serials->ports->len; i++) {
        const SerialPort *port = &g_array_index(serials->ports, SerialPort, i);

        if (port->by_default && i >= HUMPY_MACHINE_GET_CLASS(vm->machine)->n_serials) {
            continue;
        }
        if (!machine_set_serial(vm->machine, i, port->chr, error)) {
            g_prefix_error(error, "%s: ", port->option);
            return false;
        }
    }
    return true;
}

/* Refuses what needs cap, with the accelerator's reason or for want of code that uses it. */
static bool refuse(Vm *vm, AccelCap cap, const char *what, GError **error)
{
    if (accel_require(vm->accel, cap, what, error)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED, "%s is not supported yet", what);
    }
    return false;
}

static bool check_wishes(Vm *vm, GError **error)
{
    const VmConfig *c = vm->config;
    g_autofree char *what = NULL;

    if (c->wishes->len > 0) {
        const Wish *wish = g_ptr_array_index(c->wishes, 0);

        return refuse(vm, wish->cap, wish->what, error);
    }
    if (c->max_cpus != c->smp) {
        what = g_strdup_printf("-smp cpus=%u,maxcpus=%u: adding CPUs later", c->smp, c->max_cpus);
        return refuse(vm, ACCEL_CAP_HOTPLUG_VCPU, what, error);
    }
    if (c->more_ram != NULL) {
        what = g_strdup_printf("-m %s: adding memory later", c->more_ram);
        return refuse(vm, ACCEL_CAP_LATE_RAM, what, error);
    }
    return true;
}

static bool make_machine(Vm *vm, const Serials *serials, GError **error)
{
    const VmConfig *c = vm->config;
    MachineConfig mc = {
        .kernel = c->kernel,
        .initrd = c->initrd,
        .vendor_boot = c->vendor_boot,
        .init_boot = c->init_boot,
        .bootconfig = c->bootconfig,
        .append = c->append,
        .dtb = c->dtb,
        .dumpdtb = c->dumpdtb,
        .firmware = c->bios,
        .cpu_type = c->cpu,
        .ram_size = c->ram_size,
        .smp = c->smp,
        .name = c->name,
        .memory_backend = c->memory_backend,
        .mem_path = c->mem_path,
        .mem_prealloc = c->mem_prealloc,
        .topology = c->topology,
    };
    Numa *numa = numa_from_config(c, error);

    if (numa == NULL) {
        return false;
    }
    machine_set_numa(vm->machine, numa);
    if (!set_machine_properties(vm, error) || !set_pflash(vm, error)) {
        return false;
    }
    machine_set_config(vm->machine, &mc);
    machine_set_accel(vm->machine, vm->accel);
    return connect_serials(vm, serials, error) && check_wishes(vm, error) &&
           machine_init(vm->machine, error) && fw_cfg_options_apply(c, vm->machine, error);
}

/* ---- devices ---- */

/* "TYPE.PROPERTY=VALUE", where anything may stand in VALUE, or the three with their names. */
static bool set_global(const char *text, GError **error)
{
    static const char *const keys[] = { "driver", "property", "value", NULL };
    const char *dot = strchr(text, '.'), *equals = strchr(text, '=');
    g_autofree char *type = NULL, *property = NULL;
    g_autoptr(KeyVal) kv = NULL;

    if (dot != NULL && equals != NULL && dot < equals) {
        type = g_strndup(text, dot - text);
        property = g_strndup(dot + 1, equals - dot - 1);
        return device_set_default(type, property, equals + 1, error);
    }
    kv = keyval_parse(text, NULL, error);
    if (kv == NULL || !keyval_check_keys(kv, keys, error)) {
        return false;
    }
    for (unsigned i = 0; keys[i] != NULL; i++) {
        if (keyval_get(kv, keys[i]) == NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "is not TYPE.PROPERTY=VALUE");
            return false;
        }
    }
    return device_set_default(keyval_get(kv, "driver"), keyval_get(kv, "property"),
                              keyval_get(kv, "value"), error);
}

static bool set_globals(Vm *vm, GError **error)
{
    for (unsigned i = 0; i < vm->config->globals->len; i++) {
        const char *text = g_ptr_array_index(vm->config->globals, i);

        if (!set_global(text, error)) {
            g_prefix_error(error, "-global %s: ", text);
            return false;
        }
    }
    return true;
}

/* drive= may name what -drive calls by its id. */
static void resolve_drive(Vm *vm, KeyVal *kv)
{
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (strcmp(pair->key, "drive") == 0) {
            char *name = g_strdup(drives_node_name(vm->drives, pair->value));

            g_free(pair->value);
            pair->value = name;
        }
    }
}

bool vm_add_device(Vm *vm, KeyVal *kv, GError **error)
{
    resolve_drive(vm, kv);
    return device_add(kv, error) != NULL;
}

static bool add_from_text(Vm *vm, const char *option, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_or_json(text, "driver", error);

    if (kv == NULL || !vm_add_device(vm, kv, error)) {
        g_prefix_error(error, "%s: ", option);
        return false;
    }
    return true;
}

static bool add_nics(Vm *vm, GError **error)
{
    const GPtrArray *nics = nets_nics();

    for (unsigned i = 0; nics != NULL && i < nics->len; i++) {
        const NicOption *nic = g_ptr_array_index(nics, i);
        g_autofree char *device = nets_nic_device(nic);

        if (!add_from_text(vm, nic->option, device, error)) {
            return false;
        }
    }
    return true;
}

static bool add_devices(Vm *vm, GError **error)
{
    const GPtrArray *wanted = drives_devices(vm->drives);

    if (!add_nics(vm, error)) {
        return false;
    }
    for (unsigned i = 0; i < vm->config->devices->len; i++) {
        const char *text = g_ptr_array_index(vm->config->devices, i);
        g_autofree char *option = g_strdup_printf("-device %s", text);

        if (!add_from_text(vm, option, text, error)) {
            return false;
        }
    }
    for (unsigned i = 0; i < wanted->len; i++) {
        const DriveDevice *d = g_ptr_array_index(wanted, i);

        if (!add_from_text(vm, d->option, d->device, error)) {
            return false;
        }
    }
    return true;
}

/* ---- life ---- */

Vm *vm_current(void)
{
    return current;
}

const VmConfig *vm_config(void)
{
    return current_config;
}

void vm_set_config(const VmConfig *config)
{
    current_config = config;
}

Machine *vm_machine(Vm *vm)
{
    return vm->machine;
}

Drives *vm_drives(Vm *vm)
{
    return vm->drives;
}

Accel *vm_accel(Vm *vm)
{
    return vm->accel;
}

/* Before they enter the guest. */
static bool place_vcpus(Vm *vm, bool running, GError **error)
{
    const char *text = vm->config->vcpu_sched;
    VcpuSched *sched;
    bool ok;

    if (text == NULL) {
        return true;
    }
    sched = vcpu_sched_parse(text, error);
    ok = sched != NULL && vcpu_sched_apply(sched, vm->accel, error);
    vcpu_sched_free(sched);
    if (!ok) {
        g_prefix_error(error, "-vcpu-sched %s: ", text);
        return false;
    }
    if (running) {
        accel_resume(vm->accel);
    }
    return true;
}

Vm *vm_new(const VmConfig *config, const Serials *serials, Drives *drives, bool running,
           GError **error)
{
    g_autoptr(Vm) vm = g_new0(Vm, 1);

    vm->config = config;
    vm->drives = drives;
    vm->machine = machine_new(config->machine, error);
    if (vm->machine == NULL || !make_accel(vm, error)) {
        return NULL;
    }
    if (!running || config->vcpu_sched != NULL) {
        accel_pause(vm->accel);
    }
    if (!set_globals(vm, error) || !make_machine(vm, serials, error) || !add_devices(vm, error) ||
        !machine_boot(vm->machine, error) || !place_vcpus(vm, running, error)) {
        return NULL;
    }
    current = vm;
    return g_steal_pointer(&vm);
}

bool vm_reset(Vm *vm, GError **error)
{
    g_assert(accel_caps(vm->accel) & ACCEL_CAP_RESET_IN_PLACE);
    accel_pause(vm->accel);
    accel_guest_over(vm->accel, true);
    machine_reset(vm->machine);
    if ((accel_caps(vm->accel) & ACCEL_CAP_VCPUS) && !machine_boot(vm->machine, error)) {
        return false;
    }
    if (runstate_is_running()) {
        accel_resume(vm->accel);
    }
    return true;
}

void vm_free(Vm *vm)
{
    if (vm == NULL) {
        return;
    }
    if (vm == current) {
        current = NULL;
        has_lived = true;
    }
    if (vm->machine != NULL) {
        machine_finish(vm->machine);
    }
    if (vm->accel != NULL) {
        accel_teardown(vm->accel);
        accel_set_event_handler(vm->accel, NULL, NULL);
    }
    g_clear_object(&vm->machine);
    g_clear_object(&vm->accel);
    g_free(vm);
}
