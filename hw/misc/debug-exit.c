/* SPDX-License-Identifier: GPL-2.0-or-later
 * "isa-debug-exit": a guest that writes N to its port ends the program with status N << 1 | 1, so
 * never with 0, of which the host's shell sees eight bits. Runs in vCPU threads.
 */
#include "hw/misc/debug-exit.h"
#include "hw/core/machine.h"
#include "util/error.h"

enum { PORT = 0x501, SIZE = 2, MAX_SIZE = 4 };

struct _DebugExit {
    Device parent_instance;
    uint32_t port, size; /* properties */
    MemoryRegion mr;
};

DEVICE_DEFINE_TYPE(DebugExit, debug_exit, "isa-debug-exit", TYPE_DEVICE)

static uint64_t debug_exit_read(void *opaque, hwaddr offset, unsigned size)
{
    return 0;
}

static void debug_exit_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    machine_report_guest_exit((int)((value & INT32_MAX >> 1) << 1 | 1));
}

static const MemoryRegionOps debug_exit_ops = {
    .read = debug_exit_read,
    .write = debug_exit_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = MAX_SIZE },
    .impl = { .min_access_size = 1, .max_access_size = MAX_SIZE },
};

static bool debug_exit_realize(Device *dev, GError **error)
{
    DebugExit *s = HUMPY_DEBUG_EXIT(dev);

    if (s->port + s->size > 0x10000) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "iobase=0x%x,iosize=%u: ports end at 0xffff", s->port, s->size);
        return false;
    }
    memory_region_init_io(&s->mr, G_OBJECT(dev), &debug_exit_ops, s, "isa-debug-exit", s->size);
    device_add_mmio(dev, &s->mr);
    return true;
}

static void debug_exit_unrealize(Device *dev)
{
    memory_region_destroy(&HUMPY_DEBUG_EXIT(dev)->mr);
}

static const Prop debug_exit_props[] = {
    PROP_U32("iobase", DebugExit, port, PORT, 0, UINT16_MAX, "Its port"),
    PROP_U32("iosize", DebugExit, size, SIZE, 1, MAX_SIZE, "Number of ports"),
};

static void debug_exit_init(DebugExit *s)
{
}

static void debug_exit_class_init(DebugExitClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Port by which a guest ends the program with a status";
    dc->bus = "System";
    dc->user_creatable = true;
    dc->not_hotpluggable = true;
    dc->realize = debug_exit_realize;
    dc->unrealize = debug_exit_unrealize;
    props_install(G_OBJECT_CLASS(klass), debug_exit_props, G_N_ELEMENTS(debug_exit_props));
}
