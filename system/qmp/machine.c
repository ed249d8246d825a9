/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands about machine types, CPUs, the size of memory and what the accelerator counted.
 */
#include "hw/core/machine.h"

#include <unistd.h>

#include "accel/ioreq.h"
#include "hw/core/qom.h"
#include "node.h"
#include "qapi-commands.h"
#include "util/error.h"
#include "util/target.h"
#include "vm.h"

/* ---- types ---- */

static void add_machine(JsonArray *all, MachineClass *mc)
{
    JsonObject *info = json_object_new();

    json_object_set_string_member(info, "name", mc->name);
    if (mc->alias != NULL) {
        json_object_set_string_member(info, "alias", mc->alias);
    }
    json_object_set_int_member(info, "cpu-max", MAX(mc->max_cpus, 1));
    json_object_set_boolean_member(info, "hotpluggable-cpus", FALSE);
    json_object_set_boolean_member(info, "numa-mem-supported", FALSE);
    json_object_set_boolean_member(info, "deprecated", FALSE);
    if (mc->cpu_types != NULL && mc->cpu_types[0] != NULL) {
        json_object_set_string_member(info, "default-cpu-type", mc->cpu_types[0]);
    }
    json_array_add_object_element(all, info);
}

JsonNode *qmp_query_machines(JsonObject *args, GError **error)
{
    g_autoptr(GPtrArray) classes = machine_classes();
    JsonArray *all = json_array_new();

    for (unsigned i = 0; i < classes->len; i++) {
        add_machine(all, g_ptr_array_index(classes, i));
    }
    return node_array(all);
}

JsonNode *qmp_query_current_machine(JsonObject *args, GError **error)
{
    JsonObject *info = json_object_new();

    json_object_set_boolean_member(info, "wakeup-suspend-support", FALSE);
    return node_object(info);
}

/* ---- CPUs ---- */

static JsonObject *cpu_properties(Cpu *cpu)
{
    const CpuPlace *place = cpu_place_of(cpu);
    JsonObject *props = json_object_new();

    if (cpu_node(cpu) >= 0) {
        json_object_set_int_member(props, "node-id", cpu_node(cpu));
    }
    json_object_set_int_member(props, "socket-id", place->socket_id);
    json_object_set_int_member(props, "cluster-id", place->cluster_id);
    json_object_set_int_member(props, "core-id", place->core_id);
    json_object_set_int_member(props, "thread-id", place->thread_id);
    return props;
}

JsonNode *qmp_query_cpus_fast(JsonObject *args, GError **error)
{
    Machine *m = vm_machine(vm_current());
    JsonArray *all = json_array_new();

    for (unsigned i = 0; i < machine_n_cpus(m); i++) {
        Cpu *cpu = machine_cpu(m, i);
        g_autofree char *path = qom_path(G_OBJECT(cpu));
        int tid = accel_vcpu_tid(machine_accel(m), i);
        JsonObject *info = json_object_new();

        json_object_set_int_member(info, "cpu-index", i);
        json_object_set_string_member(info, "qom-path", path);
        json_object_set_int_member(info, "thread-id", tid != 0 ? tid : getpid());
        json_object_set_object_member(info, "props", cpu_properties(cpu));
        json_object_set_string_member(info, "target", target_name());
        json_array_add_object_element(all, info);
    }
    return node_array(all);
}

JsonNode *qmp_query_hotpluggable_cpus(JsonObject *args, GError **error)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                "the machine does not support adding CPUs");
    return NULL;
}

/* ---- memory ---- */

JsonNode *qmp_query_memory_size_summary(JsonObject *args, GError **error)
{
    Machine *m = vm_machine(vm_current());
    uint64_t size = machine_config(m)->ram_size;
    JsonObject *info = json_object_new();

    json_object_set_int_member(info, "base-memory", size);
    json_object_set_int_member(info, "plugged-memory", 0);
    return node_object(info);
}

JsonNode *qmp_query_memory_devices(JsonObject *args, GError **error)
{
    return node_array(json_array_new());
}

/* ---- counters ---- */

static JsonObject *vcpu_stats(unsigned index, const IoReqStats *stats)
{
    static const char *const spaces[IOREQ_N_SPACES] = {
        [IOREQ_MMIO] = "mmio",
        [IOREQ_PIO] = "pio",
        [IOREQ_PCI_CONFIG] = "pci-config",
        [IOREQ_WRITE_PROTECT] = "write-protect",
        [IOREQ_INVALIDATE] = "invalidate",
        [IOREQ_TIME_OFFSET] = "time-offset",
        [IOREQ_PAGE_FAULT] = "page-fault",
        [IOREQ_VM_STATUS] = "vm-status",
    };
    const struct {
        const char *name;
        const uint64_t *value;
    } others[] = {
        { "reads", &stats->reads },
        { "writes", &stats->writes },
        { "unclaimed-reads", &stats->unclaimed_reads },
        { "unclaimed-writes", &stats->unclaimed_writes },
        { "faults", &stats->faults },
    };
    JsonObject *info = json_object_new();

    json_object_set_int_member(info, "cpu-index", index);
    for (unsigned i = 0; i < IOREQ_N_SPACES; i++) {
        json_object_set_int_member(info, spaces[i],
                                   __atomic_load_n(&stats->by_space[i], __ATOMIC_RELAXED));
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
        json_object_set_int_member(info, others[i].name,
                                   __atomic_load_n(others[i].value, __ATOMIC_RELAXED));
    }
    return info;
}

static void add_region(const MemoryRegionStats *stats, void *all)
{
    JsonObject *info = json_object_new();

    json_object_set_string_member(info, "name", stats->name);
    json_object_set_int_member(info, "addr", stats->addr);
    json_object_set_int_member(info, "size", stats->size);
    json_object_set_int_member(info, "accesses", stats->accesses);
    json_object_set_int_member(info, "ioeventfds", stats->ioeventfds);
    json_object_set_int_member(info, "rings", stats->rings);
    json_array_add_object_element(all, info);
}

JsonNode *qmp_x_query_accel_stats(JsonObject *args, GError **error)
{
    Accel *accel = vm_accel(vm_current());
    JsonObject *info = json_object_new();
    JsonArray *vcpus = json_array_new(), *devices = json_array_new();
    const IoReqStats *stats;

    for (unsigned i = 0; (stats = accel_vcpu_stats(accel, i)) != NULL; i++) {
        json_array_add_object_element(vcpus, vcpu_stats(i, stats));
    }
    json_object_set_string_member(info, "accel", accel_name(accel));
    json_object_set_array_member(info, "vcpus", vcpus);
    memory_foreach_io(machine_memory(vm_machine(vm_current())), add_region, devices);
    json_object_set_array_member(info, "devices", devices);
    json_object_set_int_member(info, "irq-lines", accel_irq_lines(accel));
    json_object_set_int_member(info, "irq-changes", accel_irq_changes(accel));
    return node_object(info);
}
