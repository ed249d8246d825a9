/* SPDX-License-Identifier: GPL-2.0-or-later
 * Keyboard controller 8042 as in an IBM PC/AT and PS/2 (IBM Personal System/2 Hardware Interface
 * Technical Reference, "Keyboard and Auxiliary Device Controller"), without keyboard and mouse:
 * what is sent to them is not answered. A20 cannot be switched off; its bit only remembers.
 * Registers run in vCPU threads under the device's lock.
 */
#include "hw/input/i8042.h"

#include <string.h>

#include "hw/core/machine.h"

enum {
    STATUS_OBF = 1 << 0,
    STATUS_SYSTEM = 1 << 2,
    STATUS_COMMAND = 1 << 3,
    STATUS_UNLOCKED = 1 << 4,
    STATUS_AUX = 1 << 5,

    MODE_KBD_IRQ = 1 << 0,
    MODE_AUX_IRQ = 1 << 1,
    MODE_SYSTEM = 1 << 2,
    MODE_KBD_OFF = 1 << 4,
    MODE_AUX_OFF = 1 << 5,

    OUT_NOT_RESET = 1 << 0,
    OUT_A20 = 1 << 1,
    OUT_KBD_FULL = 1 << 4,
    OUT_AUX_FULL = 1 << 5,

    CMD_READ_RAM = 0x20,  /* to 0x3f */
    CMD_WRITE_RAM = 0x60, /* to 0x7f */
    CMD_AUX_DISABLE = 0xa7,
    CMD_AUX_ENABLE = 0xa8,
    CMD_AUX_TEST = 0xa9,
    CMD_SELF_TEST = 0xaa,
    CMD_KBD_TEST = 0xab,
    CMD_KBD_DISABLE = 0xad,
    CMD_KBD_ENABLE = 0xae,
    CMD_READ_INPUT = 0xc0,
    CMD_READ_OUTPUT = 0xd0,
    CMD_WRITE_OUTPUT = 0xd1,
    CMD_WRITE_KBD_BUFFER = 0xd2,
    CMD_WRITE_AUX_BUFFER = 0xd3,
    CMD_WRITE_AUX = 0xd4,
    CMD_PULSE = 0xf0, /* to 0xff: output lines whose bit is 0 */

    SELF_TEST_OK = 0x55,
    LINE_OK = 0,
    INPUT_UNLOCKED = 1 << 7,

    PORT_A_RESET = 1 << 0,
    PORT_A_A20 = 1 << 1,

    RAM_SIZE = 32,
};

struct _I8042 {
    Device parent_instance;
    MemoryRegion mr[3];
    IrqLine *irq[2]; /* keyboard, mouse */
    bool levels[2];
    uint8_t status, data, command; /* command: the one that waits for a byte, or 0 */
    uint8_t ram[RAM_SIZE];         /* byte 0 is the controller's mode */
    bool a20;
};

DEVICE_DEFINE_TYPE(I8042, i8042, "i8042", TYPE_DEVICE)

static void update_irqs(I8042 *s)
{
    bool full = s->status & STATUS_OBF, aux = s->status & STATUS_AUX;
    const bool levels[] = {
        full && !aux && (s->ram[0] & MODE_KBD_IRQ),
        full && aux && (s->ram[0] & MODE_AUX_IRQ),
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(levels); i++) {
        if (levels[i] != s->levels[i]) {
            s->levels[i] = levels[i];
            irq_set(s->irq[i], levels[i]);
        }
    }
}

static void answer(I8042 *s, uint8_t value, bool aux)
{
    s->data = value;
    s->status = (s->status & ~STATUS_AUX) | STATUS_OBF | (aux ? STATUS_AUX : 0);
}

static uint8_t output_port(const I8042 *s)
{
    uint8_t value = OUT_NOT_RESET | (s->a20 ? OUT_A20 : 0);

    if (s->status & STATUS_OBF) {
        value |= s->status & STATUS_AUX ? OUT_AUX_FULL : OUT_KBD_FULL;
    }
    return value;
}

static void write_output_port(I8042 *s, uint8_t value)
{
    s->a20 = value & OUT_A20;
    if (!(value & OUT_NOT_RESET)) {
        machine_report_guest(MACHINE_GUEST_RESET);
    }
}

static void write_command(I8042 *s, uint8_t value)
{
    s->status |= STATUS_COMMAND;
    s->command = 0;
    switch (value) {
    case CMD_READ_RAM ... CMD_READ_RAM + RAM_SIZE - 1:
        answer(s, s->ram[value - CMD_READ_RAM], false);
        break;
    case CMD_WRITE_RAM ... CMD_WRITE_RAM + RAM_SIZE - 1:
    case CMD_WRITE_OUTPUT:
    case CMD_WRITE_KBD_BUFFER:
    case CMD_WRITE_AUX_BUFFER:
    case CMD_WRITE_AUX:
        s->command = value;
        break;
    case CMD_AUX_DISABLE:
        s->ram[0] |= MODE_AUX_OFF;
        break;
    case CMD_AUX_ENABLE:
        s->ram[0] &= ~MODE_AUX_OFF;
        break;
    case CMD_KBD_DISABLE:
        s->ram[0] |= MODE_KBD_OFF;
        break;
    case CMD_KBD_ENABLE:
        s->ram[0] &= ~MODE_KBD_OFF;
        break;
    case CMD_AUX_TEST:
    case CMD_KBD_TEST:
        answer(s, LINE_OK, false);
        break;
    case CMD_SELF_TEST:
        s->status |= STATUS_SYSTEM;
        answer(s, SELF_TEST_OK, false);
        break;
    case CMD_READ_INPUT:
        answer(s, INPUT_UNLOCKED, false);
        break;
    case CMD_READ_OUTPUT:
        answer(s, output_port(s), false);
        break;
    case CMD_PULSE ... 0xff:
        if (!(value & OUT_NOT_RESET)) {
            machine_report_guest(MACHINE_GUEST_RESET);
        }
        break;
    default: /* not a command of this controller */
        break;
    }
}

static void write_data(I8042 *s, uint8_t value)
{
    uint8_t command = s->command;

    s->status &= ~STATUS_COMMAND;
    s->command = 0;
    switch (command) {
    case CMD_WRITE_RAM ... CMD_WRITE_RAM + RAM_SIZE - 1:
        s->ram[command - CMD_WRITE_RAM] = value;
        if (command == CMD_WRITE_RAM) {
            s->status &= ~STATUS_SYSTEM;
            s->status |= value & MODE_SYSTEM ? STATUS_SYSTEM : 0;
        }
        break;
    case CMD_WRITE_OUTPUT:
        write_output_port(s, value);
        break;
    case CMD_WRITE_KBD_BUFFER:
        answer(s, value, false);
        break;
    case CMD_WRITE_AUX_BUFFER:
        answer(s, value, true);
        break;
    default: /* for a keyboard or mouse, which is not there */
        break;
    }
}

static uint64_t data_read(void *opaque, hwaddr offset, unsigned size)
{
    I8042 *s = opaque;

    s->status &= ~(STATUS_OBF | STATUS_AUX);
    update_irqs(s);
    return s->data;
}

static void data_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    write_data(opaque, value);
    update_irqs(opaque);
}

static uint64_t command_read(void *opaque, hwaddr offset, unsigned size)
{
    return ((I8042 *)opaque)->status;
}

static void command_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    write_command(opaque, value);
    update_irqs(opaque);
}

static uint64_t port_a_read(void *opaque, hwaddr offset, unsigned size)
{
    return ((I8042 *)opaque)->a20 ? PORT_A_A20 : 0;
}

static void port_a_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    ((I8042 *)opaque)->a20 = value & PORT_A_A20;
    if (value & PORT_A_RESET) {
        machine_report_guest(MACHINE_GUEST_RESET);
    }
}

#define BYTE_OPS(name)                                                                             \
    {                                                                                              \
        .read = name##_read, .write = name##_write, .endianness = DEVICE_LITTLE_ENDIAN,            \
        .valid = { .min_access_size = 1, .max_access_size = 1 },                                   \
        .impl = { .min_access_size = 1, .max_access_size = 1 },                                    \
    }

static const MemoryRegionOps i8042_ops[] = {
    [I8042_DATA] = BYTE_OPS(data),
    [I8042_COMMAND] = BYTE_OPS(command),
    [I8042_PORT_A] = BYTE_OPS(port_a),
};

static bool i8042_realize(Device *dev, GError **error)
{
    static const char *const names[] = { "i8042-data", "i8042-cmd", "port92" };
    I8042 *s = HUMPY_I8042(dev);

    for (unsigned i = 0; i < G_N_ELEMENTS(s->mr); i++) {
        memory_region_init_io(&s->mr[i], G_OBJECT(dev), &i8042_ops[i], s, names[i], 1);
        device_add_mmio(dev, &s->mr[i]);
    }
    return true;
}

static void i8042_unrealize(Device *dev)
{
    I8042 *s = HUMPY_I8042(dev);

    for (unsigned i = 0; i < G_N_ELEMENTS(s->mr); i++) {
        memory_region_destroy(&s->mr[i]);
    }
}

static void i8042_reset(Device *dev)
{
    I8042 *s = HUMPY_I8042(dev);

    s->status = STATUS_UNLOCKED;
    s->data = s->command = 0;
    memset(s->ram, 0, sizeof(s->ram));
    s->ram[0] = MODE_KBD_OFF | MODE_AUX_OFF;
    s->a20 = true;
    update_irqs(s);
}

static void i8042_init(I8042 *s)
{
    device_declare_irqs(HUMPY_DEVICE(s), s->irq, G_N_ELEMENTS(s->irq));
}

static void i8042_class_init(I8042Class *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "PC keyboard controller with nothing plugged in";
    dc->bus = "System";
    dc->realize = i8042_realize;
    dc->unrealize = i8042_unrealize;
    dc->reset = i8042_reset;
}
