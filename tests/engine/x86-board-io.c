/* SPDX-License-Identifier: GPL-2.0-or-later
 * Devices of the small PC for the x86 payload: 16550, pc-testdev and edu as far as the payload
 * uses them (QEMU's documentation names their registers), and PCI configuration by ports and ECAM.
 */
#include "x86-board-io.h"

#include <stdio.h>
#include <string.h>

enum {
    UART = 0x3f8,
    UART_FCR = 2,
    UART_MCR = 4,
    UART_LSR = 5,
    MCR_LOOP = 0x10,
    SCRATCH = 0xe0,
    LINES = 0x2000,
    N_LINES = 24,
    CONFIG_ADDRESS = 0xcf8,
    CONFIG_DATA = 0xcfc,
    EDU_SIZE = 0x100000,
    CAP_MSI = 0x40,
};

static const uint64_t TESTDEV = 0xff000000;

static void put32(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        p[i] = (uint8_t)(value >> 8 * i);
    }
}

static uint32_t get32(const uint8_t *p)
{
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

void x86_io_reset(X86Io *io)
{
    const EngineOps *ops = io->ops;
    GString *output = io->output;
    EngineVm *vm = io->vm;

    memset(io, 0, sizeof(*io));
    io->ops = ops;
    io->vm = vm;
    io->output = output;
    put32(io->config[0], 0x0d571b36); /* 1b36:0d57 */
    put32(io->config[0] + 8, 0x06000000);
    put32(io->config[1], 0x11e81234);
    put32(io->config[1] + 4, 0x00100000);
    put32(io->config[1] + 8, 0x00ff0010);
    put32(io->config[1] + 0x34, CAP_MSI);
    put32(io->config[1] + CAP_MSI, 0x00800005);
}

/* ---- UART ---- */

static void uart_say(X86Io *io, uint8_t c)
{
    if (io->mcr & MCR_LOOP) {
        if (io->fifo_len < sizeof(io->fifo)) {
            io->fifo[io->fifo_len++] = c;
        }
    } else if (io->output) {
        g_string_append_c(io->output, (char)c);
    } else {
        putchar(c);
    }
}

static void uart_write(X86Io *io, unsigned reg, uint8_t value)
{
    if (reg == 0) {
        uart_say(io, value);
    } else if (reg == UART_FCR && value & 2) {
        io->fifo_len = 0;
    } else if (reg == UART_MCR) {
        io->mcr = value;
    }
}

static uint8_t uart_read(X86Io *io, unsigned reg)
{
    uint8_t c = 0;

    if (reg == 0 && io->fifo_len) {
        c = io->fifo[0];
        memmove(io->fifo, io->fifo + 1, --io->fifo_len);
    } else if (reg == UART_LSR) {
        c = 0x60 | (io->fifo_len != 0);
    }
    return c;
}

/* ---- PCI ---- */

/* Room for len bytes of the function's space, or NULL: nobody is there. */
static uint8_t *config_space(X86Io *io, unsigned bdf, unsigned reg, unsigned len)
{
    if ((bdf != 0 && bdf != 8) || reg + len > sizeof(io->config[0])) {
        return NULL;
    }
    return io->config[bdf / 8] + reg;
}

static void config_access(X86Io *io, unsigned bdf, unsigned reg, EngineExit *exit)
{
    uint8_t *p = config_space(io, bdf, reg, exit->len);
    bool writable = reg >= 4 && reg < 6;

    writable |= bdf == 8 && ((reg >= 0x10 && reg < 0x14) || (reg >= CAP_MSI + 2 && reg < 0x50));
    if (!p) {
        exit->data = UINT64_MAX;
    } else if (!exit->is_write) {
        exit->data = 0;
        memcpy(&exit->data, p, exit->len);
    } else if (writable || (bdf == 8 && reg == CAP_MSI)) {
        memcpy(p, &exit->data, exit->len);
    }
}

static void config_port(X86Io *io, EngineExit *exit)
{
    uint32_t a = io->config_address;

    if (exit->gpa == CONFIG_ADDRESS && exit->len == 4) {
        if (exit->is_write) {
            io->config_address = (uint32_t)exit->data;
        } else {
            exit->data = a;
        }
    } else if (exit->gpa >= CONFIG_DATA && a >> 31) {
        config_access(io, a >> 8 & 0xffff, (a & 0xfc) + (unsigned)(exit->gpa - CONFIG_DATA), exit);
    } else {
        exit->data = UINT64_MAX;
    }
}

/* ---- edu ---- */

static void edu_message(X86Io *io)
{
    const uint8_t *cap = io->config[1] + CAP_MSI;

    if (cap[2] & 1) {
        io->ops->vm_msi(io->vm, get32(cap + 4), get32(cap + 12) & 0xffff);
    }
}

static void edu_write(X86Io *io, unsigned reg, uint32_t value)
{
    switch (reg) {
    case 0x04:
        io->edu_liveness = ~value;
        break;
    case 0x60:
        io->edu_irq |= value;
        edu_message(io);
        break;
    case 0x64:
        io->edu_irq &= ~value;
        break;
    }
}

static uint32_t edu_read(const X86Io *io, unsigned reg)
{
    switch (reg) {
    case 0x00:
        return 0x010000ed;
    case 0x04:
        return io->edu_liveness;
    case 0x24:
        return io->edu_irq;
    default:
        return UINT32_MAX;
    }
}

/* ---- dispatch ---- */

static void bytes(uint8_t *space, uint64_t offset, EngineExit *exit)
{
    if (exit->is_write) {
        memcpy(space + offset, &exit->data, exit->len);
    } else {
        exit->data = 0;
        memcpy(&exit->data, space + offset, exit->len);
    }
}

void x86_io_port(X86Io *io, EngineExit *exit)
{
    uint64_t port = exit->gpa;

    if (port >= UART && port < UART + 8 && exit->len == 1) {
        if (exit->is_write) {
            uart_write(io, (unsigned)(port - UART), (uint8_t)exit->data);
        } else {
            exit->data = uart_read(io, (unsigned)(port - UART));
        }
    } else if (port >= SCRATCH && port + exit->len <= SCRATCH + sizeof(io->scratch)) {
        bytes(io->scratch, port - SCRATCH, exit);
    } else if (port >= LINES && port < LINES + N_LINES && exit->is_write) {
        io->ops->vm_set_line(io->vm, (unsigned)(port - LINES), exit->data & 1);
    } else if (port >= CONFIG_ADDRESS && port + exit->len <= CONFIG_DATA + 4) {
        config_port(io, exit);
    } else if (!exit->is_write) {
        exit->data = UINT64_MAX;
    }
}

void x86_io_mmio(X86Io *io, EngineExit *exit)
{
    uint64_t a = exit->gpa;

    if (a >= TESTDEV && a + exit->len <= TESTDEV + X86_IO_TESTDEV_MMIO) {
        bytes(io->mmio, a - TESTDEV, exit);
    } else if (a >= X86_IO_ECAM && a < X86_IO_ECAM + 0x10000000) {
        config_access(io, (unsigned)(a - X86_IO_ECAM) >> 12, a & 0xfff, exit);
    } else if (a >= X86_IO_BAR && a < X86_IO_BAR + EDU_SIZE && exit->len == 4) {
        if (exit->is_write) {
            edu_write(io, (unsigned)(a - X86_IO_BAR), (uint32_t)exit->data);
        } else {
            exit->data = edu_read(io, (unsigned)(a - X86_IO_BAR));
        }
    } else if (!exit->is_write) {
        exit->data = UINT64_MAX;
    }
}
