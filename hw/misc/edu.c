/* SPDX-License-Identifier: GPL-2.0-or-later
 * The "edu" device of QEMU's docs/specs/edu.rst, as which students and test programs know it: a
 * register that inverts what is written, factorials, interrupts on request, DMA to and from 4 KiB
 * of its own. What takes time on QEMU is done at once here. Registers run in vCPU threads under the
 * device's lock.
 */
#include <string.h>

#include "hw/misc/pc-testdev.h"
#include "hw/pci/pci.h"

enum {
    VENDOR_QEMU = 0x1234,
    DEVICE_EDU = 0x11e8,
    CLASS_OTHER = 0x00ff,
    BAR_SIZE = 1 << 20,
    BUFFER = 0x40000,
    BUFFER_SIZE = 4096,
    REVISION = 0x10,

    REG_ID = 0x00,
    REG_LIVENESS = 0x04,
    REG_FACTORIAL = 0x08,
    REG_STATUS = 0x20,
    REG_IRQ_STATUS = 0x24,
    REG_IRQ_RAISE = 0x60,
    REG_IRQ_ACK = 0x64,
    REG_DMA_SRC = 0x80,
    REG_DMA_DST = 0x88,
    REG_DMA_COUNT = 0x90,
    REG_DMA_CMD = 0x98,

    ID = 0x010000ed,
    STATUS_IRQ = 0x80,
    IRQ_FACTORIAL = 0x001,
    IRQ_DMA = 0x100,
    DMA_START = 1 << 0,
    DMA_TO_RAM = 1 << 1,
    DMA_IRQ = 1 << 2,
};

typedef struct {
    PciDevice parent_instance;
    uint64_t dma_mask; /* property */
    MemoryRegion mr;
    uint32_t liveness, factorial, status, irq_status;
    uint64_t src, dst, count, command;
    uint8_t buffer[BUFFER_SIZE];
} Edu;

typedef struct {
    PciDeviceClass parent_class;
} EduClass;

DEVICE_DEFINE_TYPE(Edu, edu, "edu", TYPE_PCI_DEVICE)

static void raise_irq(Edu *s, uint32_t bits)
{
    s->irq_status |= bits;
    if (bits == 0) {
        return;
    }
    pci_msi_notify(&s->parent_instance);
    pci_set_irq(&s->parent_instance, 1);
}

static void acknowledge(Edu *s, uint32_t bits)
{
    s->irq_status &= ~bits;
    if (s->irq_status == 0) {
        pci_set_irq(&s->parent_instance, 0);
    }
}

/* Modulo 2^32, which is 0 from 34! on. */
static uint32_t factorial(uint32_t n)
{
    uint32_t result = 1;

    for (; n > 1 && result != 0; n--) {
        result *= n;
    }
    return result;
}

/* One side is guest memory, the other in the buffer's window; what does not fit there is nothing.
 */
static void run_dma(Edu *s)
{
    bool to_ram = s->command & DMA_TO_RAM;
    uint64_t inside = (to_ram ? s->src : s->dst) - BUFFER;
    uint64_t outside = (to_ram ? s->dst : s->src) & s->dma_mask;

    if (inside < BUFFER_SIZE && s->count <= BUFFER_SIZE - inside && s->count > 0) {
        AddressSpace *dma = pci_dma(&s->parent_instance);

        /* As on hardware: what is not there is not written, and reads as ones. */
        (void)address_space_rw(dma, outside, s->buffer + inside, s->count, to_ram);
    }
    s->command &= ~(uint64_t)DMA_START;
    if (s->command & DMA_IRQ) {
        raise_irq(s, IRQ_DMA);
    }
}

static uint64_t edu_read(void *opaque, hwaddr offset, unsigned size)
{
    Edu *s = opaque;

    switch (offset) {
    case REG_ID:
        return ID;
    case REG_LIVENESS:
        return s->liveness;
    case REG_FACTORIAL:
        return s->factorial;
    case REG_STATUS:
        return s->status;
    case REG_IRQ_STATUS:
        return s->irq_status;
    case REG_DMA_SRC:
        return s->src;
    case REG_DMA_DST:
        return s->dst;
    case REG_DMA_COUNT:
        return s->count;
    case REG_DMA_CMD:
        return s->command;
    default:
        return UINT64_MAX;
    }
}

static void edu_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Edu *s = opaque;

    switch (offset) {
    case REG_LIVENESS:
        s->liveness = ~value;
        break;
    case REG_FACTORIAL:
        s->factorial = factorial(value);
        raise_irq(s, s->status & STATUS_IRQ ? IRQ_FACTORIAL : 0);
        break;
    case REG_STATUS:
        s->status = value & STATUS_IRQ;
        break;
    case REG_IRQ_RAISE:
        raise_irq(s, value);
        break;
    case REG_IRQ_ACK:
        acknowledge(s, value);
        break;
    case REG_DMA_SRC:
        s->src = value;
        break;
    case REG_DMA_DST:
        s->dst = value;
        break;
    case REG_DMA_COUNT:
        s->count = value;
        break;
    case REG_DMA_CMD:
        s->command = value & (DMA_START | DMA_TO_RAM | DMA_IRQ);
        if (value & DMA_START) {
            run_dma(s);
        }
        break;
    }
}

static const MemoryRegionOps edu_ops = {
    .read = edu_read,
    .write = edu_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 8 },
};

static bool edu_realize(PciDevice *dev, GError **error)
{
    Edu *s = (Edu *)dev;

    memory_region_init_io(&s->mr, G_OBJECT(dev), &edu_ops, s, "edu-mmio", BAR_SIZE);
    pci_add_bar(dev, 0, 0, &s->mr);
    pci_use_pin(dev, 1);
    if (pci_bus_has_msi(pci_device_bus(dev))) {
        pci_msi_init(dev);
    }
    return true;
}

static void edu_unrealize(PciDevice *dev)
{
    memory_region_destroy(&((Edu *)dev)->mr);
}

static void edu_reset(PciDevice *dev)
{
    Edu *s = (Edu *)dev;

    s->liveness = s->factorial = s->status = s->irq_status = 0;
    s->src = s->dst = s->count = s->command = 0;
    memset(s->buffer, 0, sizeof(s->buffer));
}

static const Prop edu_props[] = {
    PROP_U64("dma_mask", Edu, dma_mask, (1 << 28) - 1, 0, UINT64_MAX, "Address bits of its DMA"),
};

static void edu_init(Edu *s)
{
}

static void edu_class_init(EduClass *klass)
{
    PciDeviceClass *pc = HUMPY_PCI_DEVICE_CLASS(klass);

    pc->vendor_id = VENDOR_QEMU;
    pc->device_id = DEVICE_EDU;
    pc->class_id = CLASS_OTHER;
    pc->revision = REVISION;
    pc->realize = edu_realize;
    pc->unrealize = edu_unrealize;
    pc->reset = edu_reset;
    HUMPY_DEVICE_CLASS(klass)->summary = "Device to learn and test drivers with";
    HUMPY_DEVICE_CLASS(klass)->user_creatable = true;
    props_install(G_OBJECT_CLASS(klass), edu_props, G_N_ELEMENTS(edu_props));
}
