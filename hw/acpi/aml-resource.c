/* SPDX-License-Identifier: GPL-2.0-or-later
 * Resource descriptors of ACPI 6.4, section 6.4: what a device decodes and which interrupts it
 * has, as small (6.4.2) and large (6.4.3) items.
 */
#include "aml-priv.h"

enum {
    SMALL_IRQ = 0x22,
    SMALL_PORTS = 0x47,
    SMALL_END = 0x79,
    LARGE_MEMORY32_FIXED = 0x86,
    LARGE_DWORD = 0x87,
    LARGE_WORD = 0x88,
    LARGE_INTERRUPT = 0x89,
    LARGE_QWORD = 0x8a,

    SPACE_MEMORY = 0,
    SPACE_PORTS = 1,
    SPACE_BUS = 2,

    PORTS_DECODE16 = 1,
    MEMORY_WRITABLE = 1,
    INTERRUPT_CONSUMER = 1 << 0,
    INTERRUPT_SHARED = 1 << 3,
    WINDOW_FIXED = 3 << 2, /* both ends; and produced, not consumed */
    WINDOW_ALL_PORTS = 3,
};

void aml_res_end(Aml *aml)
{
    aml_put(aml, SMALL_END, 1);
    aml_put(aml, 0, 1); /* no checksum */
}

void aml_res_ports(Aml *aml, uint16_t port, uint8_t size)
{
    aml_put(aml, SMALL_PORTS, 1);
    aml_put(aml, PORTS_DECODE16, 1);
    aml_put(aml, port, 2); /* lowest and highest place it could be put at */
    aml_put(aml, port, 2);
    aml_put(aml, 1, 1); /* alignment */
    aml_put(aml, size, 1);
}

void aml_res_isa_irq(Aml *aml, unsigned irq)
{
    g_assert(irq < 16);
    aml_put(aml, SMALL_IRQ, 1);
    aml_put(aml, 1 << irq, 2);
}

void aml_res_gsi(Aml *aml, uint32_t gsi, AmlTrigger trigger, bool shared)
{
    aml_put(aml, LARGE_INTERRUPT, 1);
    aml_put(aml, 6, 2);
    aml_put(aml, INTERRUPT_CONSUMER | trigger | (shared ? INTERRUPT_SHARED : 0), 1);
    aml_put(aml, 1, 1);
    aml_put(aml, gsi, 4);
}

void aml_res_memory32(Aml *aml, uint32_t base, uint32_t size)
{
    aml_put(aml, LARGE_MEMORY32_FIXED, 1);
    aml_put(aml, 9, 2);
    aml_put(aml, MEMORY_WRITABLE, 1);
    aml_put(aml, base, 4);
    aml_put(aml, size, 4);
}

/* Fields of width bytes: granularity, first, last, translation, length. */
static void window(Aml *aml, uint8_t tag, unsigned width, uint8_t space, uint8_t flags,
                   uint64_t first, uint64_t size)
{
    if (size == 0) {
        return;
    }
    aml_put(aml, tag, 1);
    aml_put(aml, 3 + 5 * width, 2);
    aml_put(aml, space, 1);
    aml_put(aml, WINDOW_FIXED, 1);
    aml_put(aml, flags, 1);
    aml_put(aml, 0, width);
    aml_put(aml, first, width);
    aml_put(aml, first + size - 1, width);
    aml_put(aml, 0, width);
    aml_put(aml, size, width);
}

void aml_res_bus_window(Aml *aml, uint16_t first, uint32_t n)
{
    window(aml, LARGE_WORD, 2, SPACE_BUS, 0, first, n);
}

void aml_res_port_window(Aml *aml, uint16_t first, uint32_t size)
{
    window(aml, LARGE_WORD, 2, SPACE_PORTS, WINDOW_ALL_PORTS, first, size);
}

void aml_res_memory_window32(Aml *aml, uint32_t base, uint32_t size)
{
    window(aml, LARGE_DWORD, 4, SPACE_MEMORY, MEMORY_WRITABLE, base, size);
}

void aml_res_memory_window64(Aml *aml, uint64_t base, uint64_t size)
{
    window(aml, LARGE_QWORD, 8, SPACE_MEMORY, MEMORY_WRITABLE, base, size);
}
