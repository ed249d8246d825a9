/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the resource manager adds to the guest's device tree at init (facts 2.1): /hypervisor with
 * an id node and a node per vdevice, /memory as it really is, reserved-memory nodes of parcels it
 * placed, a KASLR seed, and the interrupt controller's addresses if they were left out. And the
 * room rule: beyond 16 KiB it works in the VM's own area and wants twice the size.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "gunyah-priv.h"

enum { IN_OWN_BUFFER = 16 * 1024, SLACK = 64 * 1024, PER_VDEVICE = 512 };

/* libfdt's errors are negative; the first one sticks. */
typedef struct {
    void *fdt;
    int err;
} Tree;

static int node_at(Tree *t, const char *path)
{
    return t->err ? t->err : fdt_path_offset(t->fdt, path);
}

static int add_node(Tree *t, int parent, const char *name)
{
    int node = t->err || parent < 0 ? -1 : fdt_add_subnode(t->fdt, parent, name);

    if (node < 0 && !t->err) {
        t->err = parent < 0 ? parent : node;
    }
    return node;
}

static void set_prop(Tree *t, int node, const char *name, const void *value, int len)
{
    if (!t->err) {
        t->err = fdt_setprop(t->fdt, node, name, value, len);
    }
}

static void set_u32(Tree *t, int node, const char *name, uint32_t value)
{
    const fdt32_t cell = cpu_to_fdt32(value);

    set_prop(t, node, name, &cell, sizeof(cell));
}

static void set_string(Tree *t, int node, const char *name, const char *value)
{
    if (!t->err) {
        t->err = fdt_setprop_string(t->fdt, node, name, value);
    }
}

static void append_number(Tree *t, int node, const char *name, uint64_t value, int cells)
{
    if (!t->err) {
        t->err = cells == 2 ? fdt_appendprop_u64(t->fdt, node, name, value)
                            : fdt_appendprop_u32(t->fdt, node, name, (uint32_t)value);
    }
}

/* ---- /hypervisor ---- */

static const char hypervisor_compatible[] = "gunyah-hypervisor\0qcom,gunyah-hypervisor-1.0\0"
                                            "qcom,gunyah-hypervisor\0simple-bus";
static const char id_compatible[] = "qcom,gunyah-vm-id-1.0\0qcom,gunyah-vm-id";
static const char bell_compatible[] = "qcom,gunyah-doorbell\0qcom,gunyah-capability";
static const char shm_compatible[] = "qcom,shared-memory";

static void add_bell(Tree *t, int hypervisor, const RmBell *bell, uint64_t capability)
{
    int node = add_node(t, hypervisor, bell->node);

    set_prop(t, node, "compatible", bell_compatible, sizeof(bell_compatible));
    append_number(t, node, "reg", capability, 2);
    append_number(t, node, "interrupts", 0, 1);
    append_number(t, node, "interrupts", bell->spi, 1);
    append_number(t, node, "interrupts", bell->flags, 1);
    set_u32(t, node, "label", bell->label);
}

static void add_hypervisor(Tree *t, const RmConfig *config, unsigned vmid)
{
    uint64_t capability = 0x1000;
    int node = add_node(t, 0, "hypervisor");
    int id;

    set_u32(t, node, "#address-cells", 2);
    set_u32(t, node, "#size-cells", 0);
    set_prop(t, node, "compatible", hypervisor_compatible, sizeof(hypervisor_compatible));
    id = add_node(t, node, "qcom,gunyah-vm");
    set_prop(t, id, "compatible", id_compatible, sizeof(id_compatible));
    set_u32(t, id, "qcom,vmid", vmid);
    set_u32(t, id, "qcom,owner-vmid", 3);
    set_string(t, id, "qcom,vendor", "Qualcomm");
    set_string(t, id, "qcom,image-name", config->image_name);
    for (guint i = 0; i < config->bells->len; i++) {
        add_bell(t, node_at(t, "/hypervisor"), &g_array_index(config->bells, RmBell, i),
                 capability++);
    }
    for (guint i = 0; i < config->shms->len; i++) {
        const RmShm *shm = &g_array_index(config->shms, RmShm, i);
        int child = add_node(t, node_at(t, "/hypervisor"), shm->node);

        set_prop(t, child, "compatible", shm_compatible, sizeof(shm_compatible));
        set_u32(t, child, "label", shm->label);
    }
}

/* ---- memory ---- */

static gint by_ipa(gconstpointer a, gconstpointer b)
{
    const Mapping *x = a, *y = b;

    return x->ipa < y->ipa ? -1 : x->ipa > y->ipa;
}

static void add_memory(Tree *t, GhVm *vm, int address_cells, int size_cells)
{
    g_autoptr(GList) sorted = NULL;
    int node = node_at(t, "/memory");

    if (node >= 0 && !t->err) {
        t->err = fdt_del_node(t->fdt, node);
    }
    node = add_node(t, 0, "memory");
    set_string(t, node, "device_type", "memory");
    for (GList *l = vm->mappings; l; l = l->next) {
        if (!((Mapping *)l->data)->firmware) { /* that is not the guest's to use */
            sorted = g_list_insert_sorted(sorted, l->data, by_ipa);
        }
    }
    for (GList *l = sorted; l;) {
        const Mapping *m = l->data;
        uint64_t end = m->ipa + m->size;

        for (l = l->next; l && ((Mapping *)l->data)->ipa == end; l = l->next) {
            end += ((Mapping *)l->data)->size;
        }
        append_number(t, node, "reg", m->ipa, address_cells);
        append_number(t, node, "reg", end - m->ipa, size_cells);
    }
}

static void add_reserved(Tree *t, const Mapping *m, int address_cells, int size_cells)
{
    char name[40];
    int parent = node_at(t, "/reserved-memory");

    if (parent == -FDT_ERR_NOTFOUND) {
        parent = add_node(t, 0, "reserved-memory");
        set_u32(t, parent, "#address-cells", (uint32_t)address_cells);
        set_u32(t, parent, "#size-cells", (uint32_t)size_cells);
        set_prop(t, parent, "ranges", NULL, 0);
    } else if (parent >= 0) {
        address_cells = fdt_address_cells(t->fdt, parent);
        size_cells = fdt_size_cells(t->fdt, parent);
    }
    snprintf(name, sizeof(name), "buffer@%" G_GINT64_MODIFIER "x", (guint64)m->ipa);
    parent = add_node(t, parent, name);
    append_number(t, parent, "reg", m->ipa, address_cells);
    append_number(t, parent, "reg", m->size, size_cells);
    set_prop(t, parent, "no-map", NULL, 0);
    set_u32(t, parent, "qcom,label", m->label);
}

/* ---- the rest ---- */

static void add_seed(Tree *t)
{
    int chosen = node_at(t, "/chosen");
    uint64_t seed = 0;

    if (chosen == -FDT_ERR_NOTFOUND) {
        chosen = add_node(t, 0, "chosen");
    }
    if (getrandom(&seed, sizeof(seed), 0) == sizeof(seed)) {
        set_prop(t, chosen, "kaslr-seed", &seed, sizeof(seed));
    }
}

static void add_gic_reg(Tree *t, const RmConfig *config, int address_cells, int size_cells)
{
    int gic = node_at(t, config->gic_path);

    append_number(t, gic, "reg", config->gicd_base, address_cells);
    append_number(t, gic, "reg", 0x10000, size_cells);
    append_number(t, gic, "reg", config->gicr_base, address_cells);
    append_number(t, gic, "reg", 0x20000ULL * config->n_cpus, size_cells);
}

RmError rm_overlay(GhVm *vm, const RmConfig *config, const void *fdt, uint64_t room, void **out)
{
    const int address_cells = fdt_address_cells(fdt, 0);
    const int size_cells = fdt_size_cells(fdt, 0);
    const size_t size =
        fdt_totalsize(fdt) + SLACK + (size_t)(config->bells->len + config->shms->len) * PER_VDEVICE;
    g_autofree void *buffer = g_malloc(size);
    Tree tree = { .fdt = buffer };
    uint64_t final;

    if (address_cells < 1 || address_cells > 2 || size_cells < 1 || size_cells > 2) {
        return RM_ARGUMENT_INVALID;
    }
    tree.err = fdt_open_into(fdt, buffer, (int)size);
    for (GList *l = vm->mappings; l; l = l->next) {
        const Mapping *m = l->data;

        if (m->auto_placed) {
            add_reserved(&tree, m, address_cells, size_cells);
        }
    }
    add_seed(&tree);
    add_memory(&tree, vm, address_cells, size_cells);
    if (!config->has_gic_reg) {
        add_gic_reg(&tree, config, address_cells, size_cells);
    }
    add_hypervisor(&tree, config, vm->vmid);
    if (!tree.err) {
        tree.err = fdt_pack(buffer);
    }
    if (tree.err) {
        model_log("rm: the device tree cannot be extended: %s", fdt_strerror(tree.err));
        return RM_MEM_INVALID;
    }
    final = fdt_totalsize(buffer);
    if (final > IN_OWN_BUFFER ? room < 2 * final : room < final) {
        model_log("rm: the device tree grew to %u bytes and has room for %" G_GINT64_MODIFIER "u",
                  fdt_totalsize(buffer), (guint64)room);
        return RM_NO_MEMORY;
    }
    *out = g_steal_pointer(&buffer);
    return RM_OK;
}
