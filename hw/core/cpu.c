/* SPDX-License-Identifier: GPL-2.0-or-later
 * CPUs in the composition tree.
 */
#include "hw/core/cpu.h"

#include "hw/core/device.h" /* DEVICE_DEFINE_TYPE */
#include "hw/core/qom.h"

struct _Cpu {
    GObject parent_instance;
    unsigned index;
    CpuPlace place;
    int node;
};

DEVICE_DEFINE_TYPE(Cpu, cpu, "cpu", G_TYPE_OBJECT)

static JsonNode *int_node(gint64 value)
{
    return json_node_init_int(json_node_alloc(), value);
}

static JsonNode *get_index(GObject *obj)
{
    return int_node(HUMPY_CPU(obj)->index);
}

static JsonNode *get_socket(GObject *obj)
{
    return int_node(HUMPY_CPU(obj)->place.socket_id);
}

static JsonNode *get_cluster(GObject *obj)
{
    return int_node(HUMPY_CPU(obj)->place.cluster_id);
}

static JsonNode *get_core(GObject *obj)
{
    return int_node(HUMPY_CPU(obj)->place.core_id);
}

static JsonNode *get_thread(GObject *obj)
{
    return int_node(HUMPY_CPU(obj)->place.thread_id);
}

static JsonNode *get_node(GObject *obj)
{
    return int_node(HUMPY_CPU(obj)->node);
}

static const QomComputed computed[] = {
    { "cpu-index", "int", "Number of the CPU", get_index, NULL },
    { "socket-id", "int", NULL, get_socket, NULL },
    { "cluster-id", "int", NULL, get_cluster, NULL },
    { "core-id", "int", NULL, get_core, NULL },
    { "thread-id", "int", NULL, get_thread, NULL },
    { "node-id", "int", "NUMA node, or -1", get_node, NULL },
};

static void cpu_init(Cpu *cpu)
{
    cpu->node = -1;
}

static void cpu_class_init(CpuClass *klass)
{
    qom_class_add_computed(klass, computed, G_N_ELEMENTS(computed));
}

Cpu *cpu_new(unsigned index, const CpuPlace *place, int node)
{
    Cpu *cpu = g_object_new(TYPE_CPU, NULL);

    cpu->index = index;
    cpu->place = *place;
    cpu->node = node;
    return cpu;
}

const CpuPlace *cpu_place_of(Cpu *cpu)
{
    return &cpu->place;
}

int cpu_node(Cpu *cpu)
{
    return cpu->node;
}
