/* SPDX-License-Identifier: GPL-2.0-or-later
 * The machine of acrn-world.h.
 */
#include "acrn-world.h"

#include <string.h>

#include "util/target.h"

static uint64_t low_bytes(uint64_t value, unsigned size)
{
    return value & UINT64_MAX >> (64 - size * 8);
}

uint64_t world_device_value(uint64_t offset, unsigned size)
{
    return low_bytes((offset + 1) * UINT64_C(0x9e3779b97f4a7c15), size);
}

uint32_t world_config_value(unsigned bus, unsigned dev, unsigned fn, unsigned reg, unsigned size)
{
    return (uint32_t)low_bytes((bus << 24 | dev << 19 | fn << 16 | reg) * 0x85ebca6bU, size);
}

static MemTxResult on_read(void *opaque, hwaddr offset, uint64_t *value, unsigned size)
{
    World *w = opaque;
    uint32_t bit = offset >= WORLD_HOLD && offset < WORLD_HOLD + 8 * 16
                       ? UINT32_C(1) << (offset - WORLD_HOLD) / 8
                       : 0;

    *value = world_device_value(offset, size);
    pthread_mutex_lock(&w->lock);
    if (w->held & bit) {
        w->in_held++;
        pthread_cond_broadcast(&w->changed);
        while (w->held & bit) {
            pthread_cond_wait(&w->changed, &w->lock);
        }
        w->in_held--;
    }
    pthread_mutex_unlock(&w->lock);
    return MEMTX_OK;
}

static MemTxResult on_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    World *w = opaque;

    pthread_mutex_lock(&w->lock);
    w->n_writes++;
    w->last_addr = offset;
    w->last_value = value;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return MEMTX_OK;
}

static const MemoryRegionOps device_ops = {
    .read_with_result = on_read,
    .write_with_result = on_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { 1, 8, true },
    .impl = { 1, 8, true },
};

static IoReqResult on_config(void *opaque, IoRequest *req)
{
    World *w = opaque;

    pthread_mutex_lock(&w->lock);
    w->n_config++;
    if (req->is_write) {
        w->last_addr = req->pci.reg;
        w->last_value = req->data;
    }
    pthread_mutex_unlock(&w->lock);
    req->data = w->no_pci ? UINT64_MAX
                          : world_config_value(req->pci.bus, req->pci.dev, req->pci.fn,
                                               req->pci.reg, req->size);
    return IOREQ_HANDLED;
}

void world_init(World *w, gconstpointer data)
{
    static const AccelX86Segment code = {
        .selector = 0x10, .attributes = 0xc09b, .limit = 0xffffffff, .base = 0
    };
    static const SmallWorldMap map = {
        .ram = { 0, WORLD_RAM, NULL },
        .device = { WORLD_DEVICE, WORLD_DEVICE_SIZE, &device_ops },
        .ports = { WORLD_PORTS, WORLD_PORTS_SIZE, &device_ops },
    };

    memset(w, 0, sizeof(*w));
    target_set(TARGET_X86_64);
    fake_hsm_reset();
    small_world_init(&w->small, &map);
    w->x86 = (AccelX86State){ .rip = 0x100000, .rax = 1, .rbx = 2, .rsi = 3, .cr0 = 0x31 };
    w->x86.gdt_base = 0x5000;
    w->x86.gdt_limit = 0x1f;
    w->x86.cs = code;
    w->x86.data.selector = 0x18;
    w->boot.x86 = &w->x86;
}

void world_clear(World *w, gconstpointer data)
{
    small_world_clear(&w->small);
    g_assert_false(memory_discard_is_inhibited());
    fake_hsm_clear();
}

bool world_try_setup(World *w, const char *text, unsigned n_vcpus, GError **error)
{
    g_autofree char *whole = g_strconcat("acrn,host=model,device=" FAKE_HSM_PATH, text, NULL);
    const char *texts[] = { whole, NULL };
    AccelMachineInfo info = {
        .memory = w->as,
        .io = w->io,
        .n_vcpus = n_vcpus,
        .vm_name = "a name that is longer than the place for it",
        .pci_config = on_config,
        .pci_opaque = w,
    };

    w->accel = accel_create(texts, error);
    if (w->accel == NULL || !accel_setup(w->accel, &info, error)) {
        return false;
    }
    small_world_listen(&w->small);
    return true;
}

void world_setup(World *w, const char *text, unsigned n_vcpus)
{
    g_autoptr(GError) error = NULL;

    world_try_setup(w, text, n_vcpus, &error);
    g_assert_no_error(error);
}

void world_run(World *w, unsigned n_vcpus)
{
    world_setup(w, "", n_vcpus);
    world_start(w);
}

void world_fails_to_start(World *w, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(accel_start(w->accel, &w->boot, &error));
    g_assert_nonnull(error);
    if (strstr(error->message, text) == NULL) {
        g_error("'%s' is not in '%s'", text, error->message);
    }
}

void world_hold(World *w, uint32_t mask)
{
    pthread_mutex_lock(&w->lock);
    w->held = mask;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

void world_wait_held(World *w, unsigned n)
{
    pthread_mutex_lock(&w->lock);
    while (w->in_held != n) {
        pthread_cond_wait(&w->changed, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}
