/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for PCI: configuration space of a host bridge, plain functions, a root port with
 * a function behind it and a virtio function, base addresses and windows moved anywhere, MSI-X
 * tables and INTx meanwhile. It must neither crash nor hang, and after a reset configuration space
 * must look as at power-on. Input: operations of 8 bytes. Run: tests/fuzz/fuzz-pci -max_len=2048
 * CORPUS
 */
#include <string.h>

#include "pci-board.h"

enum { OP = 8, N_FNS = 5 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Board *board;
static PciDevice *plain, *behind;
static const uint8_t devfns[N_FNS] = { 0, PCI_MAKE_DEVFN(4, 0), PCI_MAKE_DEVFN(5, 0),
                                       PCI_MAKE_DEVFN(6, 0), PCI_MAKE_DEVFN(7, 3) };
static uint32_t at_power_on[N_FNS][PCIE_CONFIG_SIZE / 4];

static void read_all(uint32_t seen[N_FNS][PCIE_CONFIG_SIZE / 4])
{
    for (unsigned i = 0; i < N_FNS; i++) {
        for (unsigned reg = 0; reg < PCIE_CONFIG_SIZE; reg += 4) {
            seen[i][reg / 4] = cfg_rd(board, 0, devfns[i], reg, 4);
        }
    }
}

static Device *plug(PciBus *bus, const char *type, const char *addr)
{
    g_autofree char *prop = g_strdup_printf("addr=%s", addr);

    return board_plug(board, bus, type, (const char *[]){ prop, NULL }, NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    Device *port;

    board = board_new(true);
    plain = HUMPY_PCI_DEVICE(plug(board->bus, "pci-test-function", "4"));
    port = plug(board->bus, "pcie-root-port", "5");
    g_assert(plug(board->bus, "virtio-rng-pci", "6") != NULL);
    g_assert(port != NULL);
    behind =
        HUMPY_PCI_DEVICE(plug(HUMPY_PCI_BUS(bus_find("PCIE.0", NULL)), "pci-test-function", "0"));
    device_reset(board->host);
    read_all(at_power_on);
    return 0;
}

static void configure(const uint8_t *op, uint32_t value)
{
    static const unsigned sizes[] = { 1, 2, 4 };
    unsigned size = sizes[op[1] % 3], fn = op[1] >> 2 & 7;
    /* Mostly the header and the capabilities, now and then anywhere. */
    unsigned reg = (op[1] & 0x80 ? op[2] << 4 | op[3] >> 4 : op[2]) & ~(size - 1);
    unsigned bus = fn >= N_FNS ? op[3] : 0;

    cfg_wr(board, bus, fn >= N_FNS ? 0 : devfns[fn], reg, size, value);
    cfg_rd(board, bus, fn >= N_FNS ? 0 : devfns[fn], reg, size);
}

static void touch(const uint8_t *op, uint32_t value)
{
    static const uint64_t bases[] = { BOARD_MEM, BOARD_MEM64, BOARD_IO, BOARD_ECAM };
    uint64_t addr = bases[op[1] & 3] + (op[2] << 8 | op[3]);
    unsigned size = 1 << (op[1] >> 2 & 3);

    if (op[1] & 0x80) {
        mem_wr(board, addr, size, value);
    } else {
        mem_rd(board, addr, size);
    }
}

static void signal_something(const uint8_t *op, uint32_t value)
{
    PciDevice *dev = op[1] & 1 ? plain : behind;

    if (op[1] & 2) {
        pci_msix_notify(dev, value & 0xff);
    } else {
        pci_set_irq(dev, value & 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint32_t now[N_FNS][PCIE_CONFIG_SIZE / 4];

    for (; size >= OP; data += OP, size -= OP) {
        uint32_t value;

        memcpy(&value, data + 4, sizeof(value));
        switch (data[0] % 4) {
        case 0:
        case 1:
            configure(data, value);
            break;
        case 2:
            touch(data, value);
            break;
        case 3:
            signal_something(data, value);
            break;
        }
    }
    device_reset(board->host);
    read_all(now);
    g_assert(memcmp(now, at_power_on, sizeof(now)) == 0);
    for (unsigned i = 0; i < PCI_N_LINES; i++) {
        g_assert(g_atomic_int_get(&board->levels[i]) == 0);
    }
    return 0;
}
