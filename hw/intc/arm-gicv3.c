/* SPDX-License-Identifier: GPL-2.0-or-later
 * The GICv3 core of intc/ as a device of a machine whose accelerator brings no interrupt
 * controller: properties, regions and wires. What the registers do is in intc/; the CPU interface,
 * which is system registers, is reached by whoever runs the CPUs.
 *
 * The core has a lock of its own, which inputs take from any thread.
 */
#include "hw/intc/arm-gicv3.h"

#include "intc/gicv3.h"
#include "util/error.h"

enum {
    N_PRIVATE = 32, /* SGIs and PPIs of a CPU */
};

struct _ArmGicv3 {
    Device parent_instance;
    uint32_t num_cpu, num_irq, revision; /* properties */
    Gicv3 *gic;
    MemoryRegion dist, redist;
    IrqLine *out[2 * GICV3_MAX_CPUS];
};

DEVICE_DEFINE_TYPE(ArmGicv3, arm_gicv3, "arm-gicv3", TYPE_DEVICE)

/* Under the core's lock. */
static void update_cpu(void *opaque, unsigned cpu, bool irq, bool fiq)
{
    ArmGicv3 *s = opaque;

    irq_set(s->out[cpu], irq);
    irq_set(s->out[s->num_cpu + cpu], fiq);
}

static void set_input(void *opaque, int n, int level)
{
    ArmGicv3 *s = opaque;
    unsigned n_spis = s->num_irq - N_PRIVATE, input = n;

    if (input < n_spis) {
        gicv3_set_spi(s->gic, N_PRIVATE + input, level != 0);
    } else {
        input -= n_spis;
        gicv3_set_ppi(s->gic, input / N_PRIVATE, input % N_PRIVATE, level != 0);
    }
}

static uint64_t dist_read(void *opaque, hwaddr offset, unsigned size)
{
    return gicv3_dist_read(((ArmGicv3 *)opaque)->gic, offset, size);
}

static void dist_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    gicv3_dist_write(((ArmGicv3 *)opaque)->gic, offset, value, size);
}

static uint64_t redist_read(void *opaque, hwaddr offset, unsigned size)
{
    return gicv3_redist_read(((ArmGicv3 *)opaque)->gic, offset, size);
}

static void redist_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    gicv3_redist_write(((ArmGicv3 *)opaque)->gic, offset, value, size);
}

static const MemoryRegionOps dist_ops = {
    .read = dist_read,
    .write = dist_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 1, .max_access_size = 8 },
};
static const MemoryRegionOps redist_ops = {
    .read = redist_read,
    .write = redist_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 1, .max_access_size = 8 },
};

static bool check_properties(const ArmGicv3 *s, GError **error)
{
    unsigned n_spis = s->num_irq - N_PRIVATE;

    if (n_spis > GICV3_MAX_SPIS || n_spis % 32 != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "num-irq is %u but must be a multiple of 32 from %d to %d", s->num_irq,
                    N_PRIVATE, N_PRIVATE + GICV3_MAX_SPIS);
        return false;
    }
    return true;
}

static bool arm_gicv3_realize(Device *dev, GError **error)
{
    ArmGicv3 *s = HUMPY_ARM_GICV3(dev);

    if (!check_properties(s, error)) {
        return false;
    }
    s->gic = gicv3_new(s->num_cpu, s->num_irq - N_PRIVATE, update_cpu, s);
    device_declare_inputs(dev, NULL, set_input, s->num_irq - N_PRIVATE + N_PRIVATE * s->num_cpu);
    memory_region_init_io(&s->dist, G_OBJECT(dev), &dist_ops, s, "gicv3_dist", GICV3_DIST_SIZE);
    memory_region_init_io(&s->redist, G_OBJECT(dev), &redist_ops, s, "gicv3_redist_region[0]",
                          (uint64_t)s->num_cpu * GICV3_REDIST_STRIDE);
    device_add_mmio(dev, &s->dist);
    device_add_mmio(dev, &s->redist);
    return true;
}

static void arm_gicv3_unrealize(Device *dev)
{
    ArmGicv3 *s = HUMPY_ARM_GICV3(dev);

    memory_region_destroy(&s->redist);
    memory_region_destroy(&s->dist);
    g_clear_pointer(&s->gic, gicv3_free);
}

static void arm_gicv3_reset(Device *dev)
{
    gicv3_reset(HUMPY_ARM_GICV3(dev)->gic);
}

static const Prop arm_gicv3_props[] = {
    PROP_U32("num-cpu", ArmGicv3, num_cpu, 1, 1, GICV3_MAX_CPUS, "Number of CPUs"),
    PROP_U32("num-irq", ArmGicv3, num_irq, 256, N_PRIVATE, N_PRIVATE + GICV3_MAX_SPIS,
             "Number of interrupts, 32 private ones included"),
    PROP_U32("revision", ArmGicv3, revision, 3, 3, 3, "Version of the architecture"),
};

static void arm_gicv3_init(ArmGicv3 *s)
{
    device_declare_irqs(HUMPY_DEVICE(s), s->out, G_N_ELEMENTS(s->out));
}

static void arm_gicv3_class_init(ArmGicv3Class *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Arm generic interrupt controller, version 3";
    dc->bus = "System";
    dc->realize = arm_gicv3_realize;
    dc->unrealize = arm_gicv3_unrealize;
    dc->reset = arm_gicv3_reset;
    props_install(G_OBJECT_CLASS(klass), arm_gicv3_props, G_N_ELEMENTS(arm_gicv3_props));
}
