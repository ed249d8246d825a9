/* SPDX-License-Identifier: GPL-2.0-or-later
 * See xen-world.h.
 */
#include "xen-world.h"

#include <string.h>

#include "util/target.h"

static uint8_t *bytes_of(World *w, bool in_ports, hwaddr offset)
{
    return (in_ports ? w->port_bytes : w->memory_bytes) + offset;
}

static void note(World *w, WorldAccess access)
{
    g_array_append_val(w->log, access);
}

static uint64_t read_bytes(World *w, bool in_ports, hwaddr offset, unsigned size)
{
    uint64_t value = 0;

    pthread_mutex_lock(&w->lock);
    if (!in_ports && offset == WORLD_HOLD) {
        w->in_held++;
        pthread_cond_broadcast(&w->changed);
        while (w->held) {
            pthread_cond_wait(&w->changed, &w->lock);
        }
        w->in_held--;
    }
    memcpy(&value, bytes_of(w, in_ports, offset), size);
    note(w, (WorldAccess){ offset, value, size, false, in_ports });
    pthread_mutex_unlock(&w->lock);
    return value;
}

static void write_bytes(World *w, bool in_ports, hwaddr offset, uint64_t value, unsigned size)
{
    pthread_mutex_lock(&w->lock);
    memcpy(bytes_of(w, in_ports, offset), &value, size);
    note(w, (WorldAccess){ offset, value, size, true, in_ports });
    pthread_mutex_unlock(&w->lock);
}

static uint64_t device_read(void *opaque, hwaddr offset, unsigned size)
{
    return read_bytes(opaque, false, offset, size);
}

static void device_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    write_bytes(opaque, false, offset, value, size);
}

static uint64_t ports_read(void *opaque, hwaddr offset, unsigned size)
{
    return read_bytes(opaque, true, offset, size);
}

static void ports_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    write_bytes(opaque, true, offset, value, size);
}

static const MemoryRegionOps device_ops = {
    .read = device_read,
    .write = device_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { 1, 8, true },
    .impl = { 1, 8, true },
};

static const MemoryRegionOps ports_ops = {
    .read = ports_read,
    .write = ports_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { 1, 4, true },
    .impl = { 1, 4, true },
};

static IoReqResult on_config(void *opaque, IoRequest *req)
{
    World *w = opaque;
    uint8_t *at = w->config + req->pci.reg;

    pthread_mutex_lock(&w->lock);
    if (req->is_write) {
        memcpy(at, &req->data, req->size);
    } else {
        req->data = 0;
        memcpy(&req->data, at, req->size);
    }
    pthread_mutex_unlock(&w->lock);
    return IOREQ_HANDLED;
}

void world_init(World *w, gconstpointer data)
{
    static const SmallWorldMap map = {
        .device = { WORLD_DEVICE, WORLD_DEVICE_SIZE, &device_ops },
        .ports = { WORLD_PORTS, WORLD_PORTS_SIZE, &ports_ops },
    };

    memset(w, 0, sizeof(*w));
    target_set(TARGET_X86_64);
    xenlib_register_model(&xen_model_lib);
    w->log = g_array_new(false, false, sizeof(WorldAccess));
    small_world_init(&w->small, &map);
    world_domain(w, XENLIB_DOMAIN_PVH, 1);
}

void world_clear(World *w, gconstpointer data)
{
    XenModelStats stats;

    if (w->accel != NULL) {
        accel_teardown(w->accel);
    }
    g_clear_object(&w->accel);
    xen_model_stats(w->d, &stats);
    g_assert_cmpuint(stats.servers, ==, 0);
    g_assert_cmpuint(stats.mapped_pages, ==, 0);
    g_assert_false(stats.panicked);
    xen_model_domain_free(w->d);
    xen_model_set_old_host(false);
    g_array_unref(w->log);
    small_world_clear(&w->small);
}

void world_domain(World *w, XenLibDomainType type, unsigned vcpus)
{
    w->d = xen_model_domain_new(WORLD_DOMID, type, vcpus, WORLD_MEMORY);
}

bool world_try_setup(World *w, const char *more, GError **error)
{
    g_autofree char *text =
        g_strdup_printf("xen,host=model,domid=%d%s%s", WORLD_DOMID, *more != '\0' ? "," : "", more);
    const char *const texts[] = { text, NULL };
    AccelMachineInfo info = {
        .memory = w->as,
        .io = w->io,
        .system = &w->root,
        .pci_config = on_config,
        .pci_opaque = w,
    };

    w->accel = accel_create(texts, error);
    if (w->accel == NULL) {
        return false;
    }
    small_world_listen(&w->small);
    if (accel_setup(w->accel, &info, error)) {
        return true;
    }
    g_clear_object(&w->accel);
    return false;
}

void world_setup(World *w, const char *more)
{
    g_autoptr(GError) error = NULL;

    world_try_setup(w, more, &error);
    g_assert_no_error(error);
}

void world_run(World *w, const char *more)
{
    world_setup(w, more);
    world_start(w);
}

void world_hold(World *w, bool held)
{
    pthread_mutex_lock(&w->lock);
    w->held = held;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

void world_wait_held(World *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->in_held == 0) {
        pthread_cond_wait(&w->changed, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

unsigned world_accesses(World *w)
{
    unsigned n;

    pthread_mutex_lock(&w->lock);
    n = w->log->len;
    pthread_mutex_unlock(&w->lock);
    return n;
}

WorldAccess world_access(World *w, unsigned n)
{
    WorldAccess access;

    pthread_mutex_lock(&w->lock);
    g_assert_cmpuint(n, <, w->log->len);
    access = g_array_index(w->log, WorldAccess, n);
    pthread_mutex_unlock(&w->lock);
    return access;
}
