/* SPDX-License-Identifier: GPL-2.0-or-later
 * The PCI part of client.h: configuration space through the machine's ECAM, BARs handed out one
 * after the other from its windows.
 */
#include "client.h"

enum {
    COMMAND = 0x04,
    COMMAND_ALL = 7, /* I/O, memory, bus master */
    BAR0 = 0x10,
    CAPABILITIES = 0x34,
    MAX_CAPABILITIES = 48, /* as many as fit */
    BUS_NUMBERS = 0x18,
    MEMORY_WINDOW = 0x20,
    PREFETCH_WINDOW = 0x24,
    PREFETCH_HIGH = 0x28,
    CAP_EXPRESS = 0x10,
    SLOT_CONTROL = 0x18,
    SLOT_POWER_OFF = 0x400,
    SLOT_IND_ON = 0x100,
    SLOT_IND_OFF = 0x300,
    BAR_IO = 1,
    BAR_64 = 4,
};

static uint64_t config_address(unsigned devfn, unsigned offset)
{
    return qtest_board()->ecam + devfn * UINT64_C(4096) + offset;
}

uint32_t qpci_config_read(QTest *q, unsigned devfn, unsigned offset, unsigned size)
{
    return qtest_read_value(q, config_address(devfn, offset), size);
}

void qpci_config_write(QTest *q, unsigned devfn, unsigned offset, unsigned size, uint32_t value)
{
    qtest_write_value(q, config_address(devfn, offset), size, value);
}

unsigned qpci_find_capability(QTest *q, unsigned devfn, uint8_t id, unsigned start)
{
    unsigned at = start == 0 ? qpci_config_read(q, devfn, CAPABILITIES, 1)
                             : qpci_config_read(q, devfn, start + 1, 1);

    for (unsigned i = 0; at != 0 && i < MAX_CAPABILITIES; i++) {
        if (qpci_config_read(q, devfn, at, 1) == id) {
            return at;
        }
        at = qpci_config_read(q, devfn, at + 1, 1);
    }
    return 0;
}

/* A place for each slot and BAR: 4 MiB of memory, 512 ports. Bus 1 has that of slot 15. */
enum { PLACE = 0x400000, BEHIND_SLOT = 15 };

static unsigned place_of(unsigned devfn, unsigned n)
{
    g_assert_cmpuint(devfn, <=, QPCI_BEHIND);
    g_assert_cmpuint(devfn == QPCI_BEHIND ? 0 : devfn / 8, <, BEHIND_SLOT);
    return (devfn == QPCI_BEHIND ? BEHIND_SLOT : devfn / 8) * 6 + n;
}

uint64_t qpci_map_bar(QTest *q, unsigned devfn, unsigned n)
{
    unsigned place = place_of(devfn, n);
    uint64_t memory = qtest_board()->pci_memory + place * (uint64_t)PLACE;
    uint64_t window = qtest_board()->pci_ports, port = 0x200 * (place + 1);
    unsigned bar = BAR0 + 4 * n;
    uint32_t kind = qpci_config_read(q, devfn, bar, 4);

    if (kind & BAR_IO) {
        /* Behind the window's base in memory is port 0; where ports are ports, it starts high. */
        if (window & QTEST_PORTS) {
            port = (uint16_t)(window + port % 0x8000);
            window = QTEST_PORTS;
        }
        qpci_config_write(q, devfn, bar, 4, port);
        return window + port;
    }
    qpci_config_write(q, devfn, bar, 4, memory);
    if (kind & BAR_64) {
        qpci_config_write(q, devfn, bar + 4, 4, 0);
    }
    return memory;
}

void qpci_enable(QTest *q, unsigned devfn)
{
    qpci_config_write(q, devfn, COMMAND, 2, COMMAND_ALL);
}

/* BARs 0 to 3 behind it go through the plain window, 4 and 5 through the prefetchable one. */
void qpci_open_port(QTest *q, unsigned devfn)
{
    uint32_t plain = qtest_board()->pci_memory + place_of(QPCI_BEHIND, 0) * (uint64_t)PLACE;
    uint32_t prefetch = plain + 4 * PLACE, end = plain + 6 * PLACE;

    qpci_config_write(q, devfn, BUS_NUMBERS, 4, 0x010100);
    qpci_config_write(q, devfn, MEMORY_WINDOW, 4,
                      ((prefetch - 1) & 0xfff00000) | (plain >> 16 & 0xfff0));
    qpci_config_write(q, devfn, PREFETCH_WINDOW, 4,
                      ((end - 1) & 0xfff00000) | (prefetch >> 16 & 0xfff0));
    qpci_config_write(q, devfn, PREFETCH_HIGH, 4, 0);
    qpci_config_write(q, devfn, PREFETCH_HIGH + 4, 4, 0);
    qpci_enable(q, devfn);
}

void qpci_slot_power(QTest *q, unsigned devfn, bool on)
{
    unsigned express = qpci_find_capability(q, devfn, CAP_EXPRESS, 0);

    g_assert_cmpuint(express, !=, 0);
    qpci_config_write(q, devfn, express + SLOT_CONTROL, 2,
                      on ? SLOT_IND_ON : SLOT_IND_OFF | SLOT_POWER_OFF);
}
