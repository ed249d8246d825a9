/* SPDX-License-Identifier: GPL-2.0-or-later
 * The pvpanic register at an I/O port, "pvpanic". What it does is in pvpanic.c.
 */
#include "hw/misc/pvpanic.h"

enum { PORT = 0x505 };

struct _PvpanicIsa {
    Device parent_instance;
    uint32_t events, port; /* properties */
    MemoryRegion mr;
};

DEVICE_DEFINE_TYPE(PvpanicIsa, pvpanic_isa, "pvpanic", TYPE_DEVICE)

uint16_t pvpanic_isa_port(PvpanicIsa *s)
{
    return s->port;
}

static bool pvpanic_isa_realize(Device *dev, GError **error)
{
    PvpanicIsa *s = HUMPY_PVPANIC_ISA(dev);

    pvpanic_init_region(&s->mr, G_OBJECT(dev), &s->events, 1);
    device_add_mmio(dev, &s->mr);
    return true;
}

static void pvpanic_isa_unrealize(Device *dev)
{
    memory_region_destroy(&HUMPY_PVPANIC_ISA(dev)->mr);
}

static const Prop pvpanic_isa_props[] = {
    PVPANIC_PROPS(PvpanicIsa, events),
    PROP_U32("ioport", PvpanicIsa, port, PORT, 0, UINT16_MAX, "Its port"),
};

static void pvpanic_isa_init(PvpanicIsa *s)
{
}

static void pvpanic_isa_class_init(PvpanicIsaClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Port at which a guest reports a kernel panic";
    dc->bus = "System";
    dc->user_creatable = true;
    dc->not_hotpluggable = true;
    dc->realize = pvpanic_isa_realize;
    dc->unrealize = pvpanic_isa_unrealize;
    props_install(G_OBJECT_CLASS(klass), pvpanic_isa_props, G_N_ELEMENTS(pvpanic_isa_props));
}
