/* SPDX-License-Identifier: GPL-2.0-or-later
 * See small-world.h.
 */
#include "small-world.h"

#include <string.h>

static void add(SmallWorld *w, MemoryRegion *parent, MemoryRegion *region, const char *name,
                const SmallWorldPart *part)
{
    memory_region_init_io(region, NULL, part->ops, w, name, part->size);
    memory_region_add_subregion(parent, part->base, region);
}

static void drop(MemoryRegion *parent, MemoryRegion *region)
{
    memory_region_del_subregion(parent, region);
    memory_region_destroy(region);
}

void small_world_init(SmallWorld *w, const SmallWorldMap *map)
{
    memset(w, 0, sizeof(*w));
    memory_region_init(&w->root, NULL, "root", UINT64_MAX);
    if (map->ram.size != 0) {
        g_assert_true(memory_region_init_ram(&w->ram, NULL, "ram", map->ram.size, NULL));
        memory_region_add_subregion(&w->root, map->ram.base, &w->ram);
    }
    add(w, &w->root, &w->device, "device", &map->device);
    w->as = address_space_new(&w->root, "memory");
    if (map->ports.size != 0) {
        memory_region_init(&w->io_root, NULL, "io", 0x10000);
        add(w, &w->io_root, &w->ports, "ports", &map->ports);
        w->io = address_space_new(&w->io_root, "io");
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
}

void small_world_clear(SmallWorld *w)
{
    g_clear_object(&w->accel);
    address_space_free(w->as);
    drop(&w->root, &w->device);
    if (memory_region_is_ram(&w->ram)) {
        drop(&w->root, &w->ram);
    }
    memory_region_destroy(&w->root);
    if (w->io != NULL) {
        address_space_free(w->io);
        drop(&w->io_root, &w->ports);
        memory_region_destroy(&w->io_root);
    }
    g_free(w->message);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    memory_drain();
}

static void on_event(void *opaque, AccelEvent event, const char *message)
{
    SmallWorld *w = opaque;

    pthread_mutex_lock(&w->lock);
    w->n_events++;
    w->event = event;
    g_free(w->message);
    w->message = g_strdup(message);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

void small_world_listen(SmallWorld *w)
{
    accel_set_event_handler(w->accel, on_event, w);
}

void world_start(void *world)
{
    SmallWorld *w = world;
    GError *error = NULL;

    accel_start(w->accel, &w->boot, &error);
    g_assert_no_error(error);
}

void world_wait_event(void *world)
{
    SmallWorld *w = world;

    pthread_mutex_lock(&w->lock);
    while (w->n_events == 0) {
        pthread_cond_wait(&w->changed, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}
