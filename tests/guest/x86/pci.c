/* SPDX-License-Identifier: GPL-2.0-or-later
 * PCI configuration by both ways, and its test: what CF8/CFC shows of bus 0, ECAM shows as well,
 * in every access size. Needs: ecam=ADDR on the command line and edu (1234:11e8).
 */
#include "lib.h"

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc, REG_COMMAND = 4, REG_CAPABILITIES = 0x34 };

static const uint32_t ENABLE = 1u << 31;

uint32_t pci_read(unsigned bdf, unsigned reg)
{
    out32(CONFIG_ADDRESS, ENABLE | bdf << 8 | (reg & 0xfc));
    return in32(CONFIG_DATA);
}

void pci_write(unsigned bdf, unsigned reg, uint32_t value)
{
    out32(CONFIG_ADDRESS, ENABLE | bdf << 8 | (reg & 0xfc));
    out32(CONFIG_DATA, value);
}

unsigned pci_find(uint32_t id)
{
    for (unsigned bdf = 0; bdf < 256; bdf += 1) {
        if (pci_read(bdf, 0) == id) {
            return bdf;
        }
    }
    return PCI_NONE;
}

unsigned pci_find_capability(unsigned bdf, uint8_t id)
{
    unsigned reg = pci_read(bdf, REG_CAPABILITIES) & 0xfc;

    while (reg) {
        uint32_t head = pci_read(bdf, reg);

        if ((head & 0xff) == id) {
            return reg;
        }
        reg = head >> 8 & 0xfc;
    }
    return 0;
}

static void compare(uint64_t ecam, unsigned bdf)
{
    uint64_t base = ecam + ((uint64_t)bdf << 12);
    bool same32 = true, same16 = true, same8 = true;

    for (unsigned reg = 0; reg < 0x40; reg += 4) {
        uint32_t value = pci_read(bdf, reg);

        same32 &= mem_read32(base + reg) == value;
        for (unsigned i = 0; i < 4; i += 2) {
            same16 &= in16((uint16_t)(CONFIG_DATA + i)) == (uint16_t)(value >> i * 8);
            same16 &= mem_read16(base + reg + i) == (uint16_t)(value >> i * 8);
        }
        for (unsigned i = 0; i < 4; i++) {
            same8 &= in8((uint16_t)(CONFIG_DATA + i)) == (uint8_t)(value >> i * 8);
            same8 &= mem_read8(base + reg + i) == (uint8_t)(value >> i * 8);
        }
    }
    print("# function %x: %x\n", bdf, pci_read(bdf, 0));
    check(same32, "pci/ecam-shows-what-the-ports-show");
    check(same16, "pci/halves-are-of-the-word");
    check(same8, "pci/bytes-are-of-the-word");
}

void test_pci(void)
{
    uint64_t ecam = option("ecam", 0);
    unsigned found = 0, edu = pci_find(PCI_ID_EDU);
    uint32_t command;

    for (unsigned bdf = 0; bdf < 256; bdf++) {
        if (pci_read(bdf, 0) != UINT32_MAX) {
            found++;
            compare(ecam, bdf);
        }
    }
    check(found > 0, "pci/a-function-is-there");
    out32(CONFIG_ADDRESS, 31 << 11);
    check_equal(in32(CONFIG_DATA), UINT32_MAX, "pci/disabled-reads-ones");
    check_equal(pci_read(0xff, 0), UINT32_MAX, "pci/absent-reads-ones");
    check_equal(mem_read32(ecam + (0xff << 12)), UINT32_MAX, "pci/absent-reads-ones-by-ecam");
    check(edu != PCI_NONE, "pci/the-test-device-is-there");
    if (edu == PCI_NONE) {
        return;
    }
    command = pci_read(edu, REG_COMMAND);
    mem_write16(ecam + ((uint64_t)edu << 12) + REG_COMMAND, 0x0002);
    check_equal(pci_read(edu, REG_COMMAND) & 0x0002, 0x0002, "pci/ecam-write-is-seen-by-ports");
    pci_write(edu, REG_COMMAND, command & 0xffff);
}
