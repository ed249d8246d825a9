/* SPDX-License-Identifier: GPL-2.0-or-later
 * I/O APIC (Intel 82093AA data sheet, and the EOI register of its successors, version 0x20). Wires
 * say "asserted" and not a voltage, so an entry's polarity is kept and changes nothing. An edge at
 * a masked pin is lost, as the data sheet has it.
 *
 * Registers and wires: [any], under the device's lock, with which messages are written.
 */
#include "hw/intc/ioapic.h"

enum {
    REG_SELECT = 0x00,
    REG_WINDOW = 0x10,
    REG_EOI = 0x40,

    INDEX_ID = 0x00,
    INDEX_VERSION = 0x01,
    INDEX_ARBITRATION = 0x02,
    INDEX_ENTRIES = 0x10, /* two for each pin */

    VERSION = 0x20,
    ID_MASK = 0x0f << 24,

    DEFAULT_PINS = 24,
};

/* a redirection entry */
#define ENTRY_VECTOR     UINT64_C(0xff)
#define ENTRY_MODE       (UINT64_C(7) << 8)
#define ENTRY_LOGICAL    (UINT64_C(1) << 11)
#define ENTRY_REMOTE_IRR (UINT64_C(1) << 14)
#define ENTRY_LEVEL      (UINT64_C(1) << 15)
#define ENTRY_MASKED     (UINT64_C(1) << 16)
#define ENTRY_DEST_SHIFT 56
#define ENTRY_WRITABLE   (UINT64_C(0xff) << ENTRY_DEST_SHIFT | UINT64_C(0x1afff))

/* a message (Intel SDM, volume 3, "Message Signalled Interrupts") */
#define MSG_BASE       UINT64_C(0xfee00000)
#define MSG_DEST_SHIFT 12
#define MSG_LOGICAL    (1 << 2)
#define MSG_ASSERT     (1 << 14)
#define MSG_LEVEL      (1 << 15)

struct _Ioapic {
    Device parent_instance;
    uint32_t n_pins; /* property */
    AddressSpace *memory;
    MemoryRegion mr;
    uint8_t index;
    uint32_t id;
    uint64_t entry[IOAPIC_MAX_PINS];
    bool level[IOAPIC_MAX_PINS];
};

DEVICE_DEFINE_TYPE(Ioapic, ioapic, "ioapic", TYPE_DEVICE)

/* Nobody is left to tell if there is nothing at the address. */
static void send(Ioapic *s, uint64_t entry)
{
    hwaddr addr = MSG_BASE | entry >> ENTRY_DEST_SHIFT << MSG_DEST_SHIFT |
                  (entry & ENTRY_LOGICAL ? MSG_LOGICAL : 0);
    uint32_t data =
        (entry & (ENTRY_VECTOR | ENTRY_MODE)) | MSG_ASSERT | (entry & ENTRY_LEVEL ? MSG_LEVEL : 0);

    if (s->memory != NULL) {
        address_space_stl_le(s->memory, addr, data, NULL);
    }
}

/* A level-triggered pin sends again only after the end of the interrupt before. */
static void serve_level(Ioapic *s, unsigned pin)
{
    uint64_t *entry = &s->entry[pin];

    if ((*entry & ENTRY_LEVEL) && !(*entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) && s->level[pin]) {
        *entry |= ENTRY_REMOTE_IRR;
        send(s, *entry);
    }
}

static void set_pin(void *opaque, int pin, int level)
{
    Ioapic *s = opaque;
    bool rises;

    memory_lock(device_lock(&s->parent_instance));
    rises = level && !s->level[pin];
    s->level[pin] = level != 0;
    if (s->entry[pin] & ENTRY_LEVEL) {
        serve_level(s, pin);
    } else if (rises && !(s->entry[pin] & ENTRY_MASKED)) {
        send(s, s->entry[pin]);
    }
    memory_unlock(device_lock(&s->parent_instance));
}

static void end_of_interrupt(Ioapic *s, uint8_t vector)
{
    for (unsigned pin = 0; pin < s->n_pins; pin++) {
        if ((s->entry[pin] & ENTRY_LEVEL) && (s->entry[pin] & ENTRY_VECTOR) == vector) {
            s->entry[pin] &= ~ENTRY_REMOTE_IRR;
            serve_level(s, pin);
        }
    }
}

void ioapic_end_of_interrupt(Ioapic *s, uint8_t vector)
{
    memory_lock(device_lock(&s->parent_instance));
    end_of_interrupt(s, vector);
    memory_unlock(device_lock(&s->parent_instance));
}

/* ---- registers ---- */

static uint32_t read_indexed(const Ioapic *s)
{
    unsigned pin = (s->index - INDEX_ENTRIES) / 2;

    switch (s->index) {
    case INDEX_ID:
    case INDEX_ARBITRATION:
        return s->id;
    case INDEX_VERSION:
        return VERSION | (s->n_pins - 1) << 16;
    default:
        if (s->index < INDEX_ENTRIES || pin >= s->n_pins) {
            return 0;
        }
        return s->entry[pin] >> (s->index % 2 * 32);
    }
}

static void write_indexed(Ioapic *s, uint32_t value)
{
    unsigned pin = (s->index - INDEX_ENTRIES) / 2, shift = s->index % 2 * 32;
    uint64_t mask = (UINT64_C(0xffffffff) << shift) & ENTRY_WRITABLE;

    if (s->index == INDEX_ID) {
        s->id = value & ID_MASK;
    }
    if (s->index < INDEX_ENTRIES || pin >= s->n_pins) {
        return;
    }
    s->entry[pin] = (s->entry[pin] & ~mask) | ((uint64_t)value << shift & mask);
    if (!(s->entry[pin] & ENTRY_LEVEL)) {
        s->entry[pin] &= ~ENTRY_REMOTE_IRR;
    }
    serve_level(s, pin);
}

static uint64_t ioapic_read(void *opaque, hwaddr offset, unsigned size)
{
    const Ioapic *s = opaque;

    switch (offset) {
    case REG_SELECT:
        return s->index;
    case REG_WINDOW:
        return read_indexed(s);
    default:
        return 0;
    }
}

static void ioapic_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Ioapic *s = opaque;

    switch (offset) {
    case REG_SELECT:
        s->index = value;
        break;
    case REG_WINDOW:
        write_indexed(s, value);
        break;
    case REG_EOI:
        end_of_interrupt(s, value);
        break;
    default:
        break;
    }
}

static const MemoryRegionOps ioapic_ops = {
    .read = ioapic_read,
    .write = ioapic_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

/* ---- life cycle ---- */

void ioapic_set_memory(Ioapic *s, AddressSpace *memory)
{
    s->memory = memory;
}

static bool ioapic_realize(Device *dev, GError **error)
{
    Ioapic *s = HUMPY_IOAPIC(dev);

    device_declare_inputs(dev, NULL, set_pin, s->n_pins);
    memory_region_init_io(&s->mr, G_OBJECT(dev), &ioapic_ops, s, "ioapic", IOAPIC_SIZE);
    device_add_mmio(dev, &s->mr);
    return true;
}

static void ioapic_unrealize(Device *dev)
{
    memory_region_destroy(&HUMPY_IOAPIC(dev)->mr);
}

/* Wires keep their levels: what drives them is reset by itself. */
static void ioapic_reset(Device *dev)
{
    Ioapic *s = HUMPY_IOAPIC(dev);

    s->index = 0;
    s->id = 0;
    for (unsigned pin = 0; pin < s->n_pins; pin++) {
        s->entry[pin] = ENTRY_MASKED;
    }
}

static const Prop ioapic_props[] = {
    PROP_U32("pins", Ioapic, n_pins, DEFAULT_PINS, 1, IOAPIC_MAX_PINS, "Number of its lines"),
};

static void ioapic_init(Ioapic *s)
{
}

static void ioapic_class_init(IoapicClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "I/O APIC";
    dc->bus = "System";
    dc->realize = ioapic_realize;
    dc->unrealize = ioapic_unrealize;
    dc->reset = ioapic_reset;
    props_install(G_OBJECT_CLASS(klass), ioapic_props, G_N_ELEMENTS(ioapic_props));
}
