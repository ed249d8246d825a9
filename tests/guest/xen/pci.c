/* SPDX-License-Identifier: GPL-2.0-or-later
 * The probe's accesses to PCI: configuration space through ports 0xcf8 and 0xcfc, placing a BAR,
 * the registers behind it, and the function's DMA into and out of this program's memory. The
 * function is "edu" (docs/specs/edu.rst of QEMU); no driver has it, and no interrupt is used.
 */
#include "probe.h"

#include <string.h>

enum {
    CONFIG_ADDRESS = 0xcf8,
    CONFIG_DATA = 0xcfc,

    CFG_COMMAND = 0x04,
    CFG_BAR0 = 0x10,
    CFG_SUBSYSTEM = 0x2c,
    COMMAND_MEMORY = 1 << 1,
    COMMAND_MASTER = 1 << 2,

    EDU = 0x11e81234,
    EDU_BAR_SIZE = 1 << 20,
    EDU_LIVENESS = 0x04,
    EDU_FACTORIAL = 0x08,
    EDU_DMA_SRC = 0x80,
    EDU_DMA_DST = 0x88,
    EDU_DMA_COUNT = 0x90,
    EDU_DMA_CMD = 0x98,
    EDU_BUFFER = 0x40000,
};

static void select_register(unsigned slot, unsigned reg)
{
    outl(1u << 31 | slot << 11 | (reg & 0xfc), CONFIG_ADDRESS);
}

static uint32_t config_read(unsigned slot, unsigned reg, unsigned size)
{
    uint16_t port = (uint16_t)(CONFIG_DATA + reg % 4);

    select_register(slot, reg);
    return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static void config_write(unsigned slot, unsigned reg, unsigned size, uint32_t value)
{
    uint16_t port = (uint16_t)(CONFIG_DATA + reg % 4);

    select_register(slot, reg);
    if (size == 1) {
        outb((uint8_t)value, port);
    } else if (size == 2) {
        outw((uint16_t)value, port);
    } else {
        outl(value, port);
    }
}

static void configuration(unsigned slot, uint64_t bar)
{
    uint32_t header[16];

    for (unsigned i = 0; i < 16; i++) {
        header[i] = config_read(slot, 4 * i, 4);
        for (unsigned at = 0; at < 4; at++) {
            check_value(config_read(slot, 4 * i + at, 1), header[i] >> 8 * at & 0xff,
                        "a byte of register %#x", 4 * i + at);
        }
        check_value(config_read(slot, 4 * i + 2, 2), header[i] >> 16, "a word of register %#x",
                    4 * i + 2);
    }
    check_value(header[0], EDU, "vendor and device");
    config_write(slot, CFG_SUBSYSTEM, 4, ~header[CFG_SUBSYSTEM / 4]);
    check_value(config_read(slot, CFG_SUBSYSTEM, 4), header[CFG_SUBSYSTEM / 4],
                "a register that can only be read");
    for (unsigned size = 1; size <= 4; size *= 2) {
        check_value(config_read(31, 0, size), 0xffffffff >> (32 - 8 * size),
                    "%u bytes of a slot with nothing in it", size);
    }

    config_write(slot, CFG_BAR0, 4, 0xffffffff);
    check_value(config_read(slot, CFG_BAR0, 4), (uint32_t)-EDU_BAR_SIZE, "BAR 0 of all ones");
    for (unsigned at = 0; at < 4; at++) {
        config_write(slot, CFG_BAR0 + at, 1, (uint32_t)bar >> 8 * at & 0xff);
    }
    check_value(config_read(slot, CFG_BAR0, 4), bar, "BAR 0 written by bytes");
}

static uint32_t load(volatile uint8_t *registers, unsigned at)
{
    return *(volatile uint32_t *)(registers + at);
}

static void store(volatile uint8_t *registers, unsigned at, uint32_t value)
{
    *(volatile uint32_t *)(registers + at) = value;
}

static void dma(volatile uint8_t *registers, uint64_t from, uint64_t to, uint64_t count,
                uint32_t command)
{
    *(volatile uint64_t *)(registers + EDU_DMA_SRC) = from;
    *(volatile uint64_t *)(registers + EDU_DMA_DST) = to;
    *(volatile uint64_t *)(registers + EDU_DMA_COUNT) = count;
    store(registers, EDU_DMA_CMD, command);
    for (unsigned i = 0; i < 1000 && (load(registers, EDU_DMA_CMD) & 1); i++) {
    }
    check(!(load(registers, EDU_DMA_CMD) & 1), "DMA ends");
}

/* Through the function's buffer from one page to another one, many times with other pages. */
static void copy_memory(volatile uint8_t *registers)
{
    enum { PAGES = 64 };
    uint8_t *memory = locked_memory(2 * PAGES * PAGE);
    uint32_t seed = 5;

    for (size_t i = 0; i < PAGES * PAGE; i++) {
        memory[i] = (uint8_t)next_random(&seed);
    }
    for (size_t i = 0; i < PAGES; i++) {
        dma(registers, physical_address(memory + i * PAGE), EDU_BUFFER, PAGE, 1);
        dma(registers, EDU_BUFFER, physical_address(memory + (2 * PAGES - 1 - i) * PAGE), PAGE, 3);
    }
    for (size_t i = 0; i < PAGES; i++) {
        check_value(checksum(memory + (2 * PAGES - 1 - i) * PAGE, PAGE),
                    checksum(memory + i * PAGE, PAGE), "the checksum of page %zu after DMA", i);
    }
    /* Part of a page, and from where there is no memory. */
    memset(memory, 0x11, PAGE);
    dma(registers, physical_address(memory + PAGE) + 5, EDU_BUFFER + 9, 100, 1);
    dma(registers, EDU_BUFFER + 9, physical_address(memory) + 1001, 100, 3);
    check(memcmp(memory + 1001, memory + PAGE + 5, 100) == 0 && memory[1000] == 0x11 &&
              memory[1101] == 0x11,
          "100 bytes by DMA, and none beside them");
    dma(registers, 0xfff0000, EDU_BUFFER, 256, 1);
    dma(registers, EDU_BUFFER, physical_address(memory), 256, 3);
    check(memory[0] == 0xff && memory[255] == 0xff, "DMA from where there is no memory is ones");
}

void probe_pci(unsigned slot, uint64_t bar)
{
    volatile uint8_t *registers;

    configuration(slot, bar);
    registers = map_physical(bar, EDU_BAR_SIZE);
    if (config_read(slot, 0, 4) != EDU) {
        return;
    }
    config_write(slot, CFG_COMMAND, 2, 0);
    check_value(load(registers, 0), 0xffffffff, "a register while memory is off");
    config_write(slot, CFG_COMMAND, 2, COMMAND_MEMORY | COMMAND_MASTER);
    check_value(load(registers, 0), 0x010000ed, "the function's identification");
    store(registers, EDU_LIVENESS, 0x1234abcd);
    check_value(load(registers, EDU_LIVENESS), ~0x1234abcdu, "what it inverts");
    store(registers, EDU_FACTORIAL, 10);
    check_value(load(registers, EDU_FACTORIAL), 3628800, "10!");
    copy_memory(registers);

    /* Another place: the old one is nobody's then. */
    config_write(slot, CFG_BAR0, 4, (uint32_t)bar + EDU_BAR_SIZE);
    check_value(load(registers, 0), 0xffffffff, "a register where the BAR was before");
    config_write(slot, CFG_BAR0, 4, (uint32_t)bar);
    check_value(load(registers, 0), 0x010000ed, "the identification when the BAR is back");
}
