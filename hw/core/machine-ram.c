/* SPDX-License-Identifier: GPL-2.0-or-later
 * The machine's RAM: memory of its own, a back end (-machine memory-backend=), or the back ends of
 * its NUMA nodes one after the other. Where it is in guest memory is the board's business.
 */
#include "core-priv.h"
#include "hw/core/hostmem.h"
#include "hw/core/machine.h"
#include "util/error.h"
#include "util/keyval.h"

static void add_part(MachineRam *ram, MemoryRegion *mr, MemoryBackend *backend)
{
    MachineRamPart part = { .mr = mr, .backend = backend };

    if (backend != NULL) {
        g_object_ref(backend);
    }
    g_array_append_val(ram->parts, part);
}

static bool add_backend(MachineRam *ram, const char *id, GError **error)
{
    UserObject *obj = user_object_find(id, TYPE_MEMORY_BACKEND, error);
    MemoryRegion *mr;

    if (obj == NULL) {
        return false;
    }
    mr = memory_backend_take(HUMPY_MEMORY_BACKEND(obj), error);
    if (mr == NULL) {
        return false;
    }
    add_part(ram, mr, HUMPY_MEMORY_BACKEND(obj));
    return true;
}

static bool make_own(Machine *m, MachineRam *ram, const char *name, GError **error)
{
    if (!memory_region_init_ram(&ram->own, NULL, name, machine_config(m)->ram_size, error)) {
        g_prefix_error(error, "-m: ");
        return false;
    }
    add_part(ram, &ram->own, NULL);
    return true;
}

/* -mem-path and -mem-prealloc: as a back end of its own would be, which lives as long as the
 * program. */
static bool make_own_backend(Machine *m, MachineRam *ram, GError **error)
{
    static const char id[] = "mem-path";
    const MachineConfig *config = machine_config(m);
    g_autoptr(GString) text =
        g_string_new(config->mem_path != NULL ? "memory-backend-file" : "memory-backend-memfd");
    g_autoptr(KeyVal) kv = NULL;

    if (user_object_find(id, TYPE_MEMORY_BACKEND, NULL) == NULL) {
        g_string_append_printf(text, ",id=%s,size=%" G_GUINT64_FORMAT ",prealloc=%s", id,
                               config->ram_size, config->mem_prealloc ? "on" : "off");
        if (config->mem_path != NULL) {
            g_auto(GStrv) parts = g_strsplit(config->mem_path, ",", -1);
            g_autofree char *path = g_strjoinv(",,", parts);

            g_string_append_printf(text, ",mem-path=%s", path);
        }
        kv = keyval_parse(text->str, "qom-type", error);
        if (kv == NULL || user_object_add(kv, error) == NULL) {
            g_prefix_error(error, config->mem_path != NULL ? "-mem-path: " : "-mem-prealloc: ");
            return false;
        }
    }
    return add_backend(ram, id, error);
}

static bool take_nodes(Machine *m, MachineRam *ram, GError **error)
{
    const Numa *numa = machine_numa(m);
    uint64_t total = 0;

    for (unsigned i = 0; i < numa->n_nodes; i++) {
        const char *memdev = numa->nodes[i].memdev;

        if (memdev != NULL && !add_backend(ram, memdev, error)) {
            g_prefix_error(error, "-numa node,nodeid=%u,memdev=%s: ", i, memdev);
            return false;
        }
        total += numa->nodes[i].size;
    }
    if (total != machine_config(m)->ram_size) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "-numa: total memory for NUMA nodes (0x%" G_GINT64_MODIFIER
                    "x) should equal RAM size (0x%" G_GINT64_MODIFIER "x)",
                    total, machine_config(m)->ram_size);
        return false;
    }
    return true;
}

static bool make_parts(Machine *m, const char *name, GError **error)
{
    const MachineConfig *config = machine_config(m);
    MachineRam *ram = machine_ram_of(m);
    bool ok;

    g_assert(ram->parts == NULL);
    if (config->mem_path != NULL &&
        (config->memory_backend != NULL || machine_numa(m)->n_nodes > 0)) {
        g_set_error(
            error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
            "-mem-path: excludes -machine memory-backend= and -numa, which name the memory");
        return false;
    }
    ram->parts = g_array_new(FALSE, FALSE, sizeof(MachineRamPart));
    if (machine_numa(m)->n_nodes > 0) {
        ok = take_nodes(m, ram, error);
    } else if (config->memory_backend != NULL) {
        ok = add_backend(ram, config->memory_backend, error);
        if (!ok) {
            g_prefix_error(error, "-machine memory-backend=%s: ", config->memory_backend);
        }
    } else if (config->mem_path != NULL || config->mem_prealloc) {
        ok = make_own_backend(m, ram, error);
    } else {
        ok = make_own(m, ram, name, error);
    }
    return ok;
}

static void map_parts(MachineRam *ram, MemoryRegion *into, hwaddr base)
{
    for (unsigned i = 0; i < ram->parts->len; i++) {
        MachineRamPart *part = &g_array_index(ram->parts, MachineRamPart, i);

        memory_region_add_subregion(into, base, part->mr);
        part->into = into;
        base += memory_region_size(part->mr);
    }
}

bool machine_ram_map(Machine *m, const char *name, hwaddr base, GError **error)
{
    if (!make_parts(m, name, error)) {
        return false;
    }
    map_parts(machine_ram_of(m), machine_system_memory(m), base);
    return true;
}

bool machine_ram_map_split(Machine *m, const char *name, const MachineRamSplit *split,
                           GError **error)
{
    uint64_t size = machine_config(m)->ram_size;
    MachineRam *ram = machine_ram_of(m);

    if (size <= split->first_size) {
        return machine_ram_map(m, name, split->first, error);
    }
    if (!make_parts(m, name, error)) {
        return false;
    }
    memory_region_init(&ram->all, NULL, name, size);
    map_parts(ram, &ram->all, 0);
    memory_region_init_alias(&ram->first, NULL, split->first_name, &ram->all, 0, split->first_size);
    memory_region_init_alias(&ram->rest, NULL, split->rest_name, &ram->all, split->first_size,
                             size - split->first_size);
    memory_region_add_subregion(machine_system_memory(m), split->first, &ram->first);
    memory_region_add_subregion(machine_system_memory(m), split->rest, &ram->rest);
    ram->split = true;
    return true;
}

static void release_split(Machine *m, MachineRam *ram)
{
    memory_region_del_subregion(machine_system_memory(m), &ram->first);
    memory_region_del_subregion(machine_system_memory(m), &ram->rest);
    memory_region_destroy(&ram->first);
    memory_region_destroy(&ram->rest);
    ram->split = false;
}

MemoryRegion *machine_ram(Machine *m)
{
    const GArray *parts = machine_ram_of(m)->parts;

    return parts != NULL && parts->len > 0 ? g_array_index(parts, MachineRamPart, 0).mr : NULL;
}

void machine_ram_release(Machine *m)
{
    MachineRam *ram = machine_ram_of(m);
    bool split = ram->split;

    if (split) {
        release_split(m, ram);
    }
    for (unsigned i = 0; ram->parts != NULL && i < ram->parts->len; i++) {
        MachineRamPart *part = &g_array_index(ram->parts, MachineRamPart, i);

        if (part->into != NULL) {
            memory_region_del_subregion(part->into, part->mr);
        }
        if (part->backend != NULL) {
            memory_backend_release(part->backend);
            g_object_unref(part->backend);
        } else {
            memory_region_destroy(part->mr);
        }
    }
    g_clear_pointer(&ram->parts, g_array_unref);
    if (split) {
        memory_region_destroy(&ram->all);
    }
}
