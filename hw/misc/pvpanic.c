/* SPDX-License-Identifier: GPL-2.0-or-later
 * The pvpanic register (QEMU's docs/specs/pvpanic.txt): reading tells which events are understood,
 * writing reports one. And the device that carries nothing but it.
 */
#include "hw/misc/pvpanic.h"

#include "hw/core/machine.h"

struct _PvpanicMmio {
    Device parent_instance;
    uint32_t events; /* properties */
    uint64_t addr;
    MemoryRegion mr;
};

DEVICE_DEFINE_TYPE(PvpanicMmio, pvpanic_mmio, "pvpanic-mmio", TYPE_DEVICE)

static uint64_t pvpanic_read(void *opaque, hwaddr offset, unsigned size)
{
    return offset == 0 ? *(uint32_t *)opaque : 0;
}

static void pvpanic_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    uint32_t reported = offset == 0 ? value & *(uint32_t *)opaque : 0;

    if (reported & PVPANIC_PANICKED) {
        machine_report_guest(MACHINE_GUEST_PANICKED);
    } else if (reported & PVPANIC_CRASH_LOADED) {
        machine_report_guest(MACHINE_GUEST_CRASH_LOADED);
    }
}

static const MemoryRegionOps pvpanic_ops = {
    .read = pvpanic_read,
    .write = pvpanic_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 2 },
    .impl = { .min_access_size = 1, .max_access_size = 1 },
};

void pvpanic_init_region(MemoryRegion *mr, GObject *owner, uint32_t *events, uint64_t size)
{
    memory_region_init_io(mr, owner, &pvpanic_ops, events, "pvpanic", size);
}

static bool pvpanic_mmio_realize(Device *dev, GError **error)
{
    PvpanicMmio *s = HUMPY_PVPANIC_MMIO(dev);

    pvpanic_init_region(&s->mr, G_OBJECT(dev), &s->events, PVPANIC_SIZE);
    device_add_mmio(dev, &s->mr);
    return true;
}

static void pvpanic_mmio_unrealize(Device *dev)
{
    memory_region_destroy(&HUMPY_PVPANIC_MMIO(dev)->mr);
}

static const Prop pvpanic_mmio_props[] = {
    PVPANIC_PROPS(PvpanicMmio, events),
    PROP_U64("addr", PvpanicMmio, addr, UINT64_MAX, 0, UINT64_MAX,
             "Where its register is, on a machine that leaves that open"),
};

static void pvpanic_mmio_init(PvpanicMmio *s)
{
}

static void pvpanic_mmio_class_init(PvpanicMmioClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Register in which a guest reports a kernel panic";
    dc->bus = "System";
    dc->user_creatable = true;
    dc->realize = pvpanic_mmio_realize;
    dc->unrealize = pvpanic_mmio_unrealize;
    props_install(G_OBJECT_CLASS(klass), pvpanic_mmio_props, G_N_ELEMENTS(pvpanic_mmio_props));
}
