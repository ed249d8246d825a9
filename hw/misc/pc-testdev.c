/* SPDX-License-Identifier: GPL-2.0-or-later
 * "pc-testdev": four bytes of ports, 64 KiB of registers that hold what was written, a port for
 * each interrupt line. Runs in vCPU threads under the device's lock.
 */
#include "hw/misc/pc-testdev.h"

#include <string.h>

enum { SCRATCH_SIZE = 4, MEMORY_SIZE = 64 << 10 };

struct _PcTestdev {
    Device parent_instance;
    MemoryRegion scratch_mr, lines_mr, memory_mr;
    IrqLine *lines[PC_TESTDEV_N_LINES];
    uint8_t scratch[SCRATCH_SIZE];
    uint8_t levels[PC_TESTDEV_N_LINES];
    uint8_t *memory;
};

DEVICE_DEFINE_TYPE(PcTestdev, pc_testdev, "pc-testdev", TYPE_DEVICE)

static uint64_t load(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, bytes, size);
    return GUINT64_FROM_LE(value);
}

static void save(uint8_t *bytes, uint64_t value, unsigned size)
{
    value = GUINT64_TO_LE(value);
    memcpy(bytes, &value, size);
}

static uint64_t scratch_read(void *opaque, hwaddr offset, unsigned size)
{
    return load(((PcTestdev *)opaque)->scratch + offset, size);
}

static void scratch_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    save(((PcTestdev *)opaque)->scratch + offset, value, size);
}

static const MemoryRegionOps scratch_ops = {
    .read = scratch_read,
    .write = scratch_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

static uint64_t memory_read(void *opaque, hwaddr offset, unsigned size)
{
    return load(((PcTestdev *)opaque)->memory + offset, size);
}

static void memory_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    save(((PcTestdev *)opaque)->memory + offset, value, size);
}

static const MemoryRegionOps memory_ops = {
    .read = memory_read,
    .write = memory_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static uint64_t lines_read(void *opaque, hwaddr offset, unsigned size)
{
    return ((PcTestdev *)opaque)->levels[offset];
}

static void lines_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    PcTestdev *s = opaque;

    s->levels[offset] = value != 0;
    irq_set(s->lines[offset], value != 0);
}

static const MemoryRegionOps lines_ops = {
    .read = lines_read,
    .write = lines_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 1 },
    .impl = { .min_access_size = 1, .max_access_size = 1 },
};

static bool pc_testdev_realize(Device *dev, GError **error)
{
    PcTestdev *s = HUMPY_PC_TESTDEV(dev);
    GObject *owner = G_OBJECT(dev);

    s->memory = g_malloc0(MEMORY_SIZE);
    memory_region_init_io(&s->scratch_mr, owner, &scratch_ops, s, "testdev-port", SCRATCH_SIZE);
    memory_region_init_io(&s->lines_mr, owner, &lines_ops, s, "testdev-lines", PC_TESTDEV_N_LINES);
    memory_region_init_io(&s->memory_mr, owner, &memory_ops, s, "testdev-memory", MEMORY_SIZE);
    device_add_mmio(dev, &s->scratch_mr);
    device_add_mmio(dev, &s->lines_mr);
    device_add_mmio(dev, &s->memory_mr);
    return true;
}

static void pc_testdev_unrealize(Device *dev)
{
    PcTestdev *s = HUMPY_PC_TESTDEV(dev);

    memory_region_destroy(&s->scratch_mr);
    memory_region_destroy(&s->lines_mr);
    memory_region_destroy(&s->memory_mr);
    g_clear_pointer(&s->memory, g_free);
}

static void pc_testdev_reset(Device *dev)
{
    PcTestdev *s = HUMPY_PC_TESTDEV(dev);

    memset(s->scratch, 0, sizeof(s->scratch));
    memset(s->memory, 0, MEMORY_SIZE);
    memset(s->levels, 0, sizeof(s->levels));
}

static void pc_testdev_reset_exit(Device *dev)
{
    PcTestdev *s = HUMPY_PC_TESTDEV(dev);

    for (unsigned i = 0; i < PC_TESTDEV_N_LINES; i++) {
        irq_set(s->lines[i], 0);
    }
}

static void pc_testdev_init(PcTestdev *s)
{
    device_declare_irqs(HUMPY_DEVICE(s), s->lines, PC_TESTDEV_N_LINES);
}

static void pc_testdev_class_init(PcTestdevClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Scratch pad and interrupt lines for test programs";
    dc->bus = "System";
    dc->user_creatable = true;
    dc->not_hotpluggable = true;
    dc->realize = pc_testdev_realize;
    dc->unrealize = pc_testdev_unrealize;
    dc->reset = pc_testdev_reset;
    dc->reset_exit = pc_testdev_reset_exit;
}
