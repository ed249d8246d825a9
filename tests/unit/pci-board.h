/* SPDX-License-Identifier: GPL-2.0-or-later
 * A board for the PCI tests: RAM and a PCI Express host, and a function with one BAR of each kind
 * whose registers count accesses.
 */
#pragma once

#include "hw/pci/gpex.h"

enum {
    BOARD_RAM = 0x40000000,
    BOARD_RAM_SIZE = 4 << 20,
    BOARD_IO = 0x3eff0000,
    BOARD_MEM = 0x10000000,
    BOARD_MEM_SIZE = 0x2eff0000,
    /* BARs of the test function */
    T_BAR_IO = 0,
    T_BAR_MEM = 1,
    T_BAR_MEM64 = 2,
    T_BAR_MSIX = 4,
    T_IO_SIZE = 32,
    T_MEM_SIZE = 0x1000,
    T_MEM64_SIZE = 0x100000,
    T_VECTORS = 70,
};
#define BOARD_ECAM  UINT64_C(0x4010000000)
#define BOARD_MEM64 UINT64_C(0x8000000000)

typedef struct {
    MemoryRegion root, ram;
    AddressSpace *as;
    Device *host;
    PciBus *bus;
    gint levels[PCI_N_LINES]; /* atomic */
} Board;

typedef struct {
    PciDevice parent;
    MemoryRegion io, mem, mem64;
    unsigned reads, writes;
} TestFn;
GType test_fn_get_type(void);

Board *board_new(bool msi);
void board_free(Board *b);
/* Plugs a device of type with properties ("name=value", NULL-terminated) into bus. Borrowed. */
Device *board_plug(Board *b, PciBus *bus, const char *type, const char *const *props,
                   GError **error);
Device *board_plug_ok(Board *b, const char *type, const char *addr);

/* Configuration space through ECAM. */
uint32_t cfg_rd(Board *b, unsigned bus, unsigned devfn, unsigned reg, unsigned size);
void cfg_wr(Board *b, unsigned bus, unsigned devfn, unsigned reg, unsigned size, uint32_t value);
/* Physical memory. */
uint64_t mem_rd(Board *b, uint64_t addr, unsigned size);
void mem_wr(Board *b, uint64_t addr, unsigned size, uint64_t value);
/* Offset of the n-th (from 0) capability with this id of a function on bus 0, or 0. */
unsigned cfg_cap(Board *b, unsigned devfn, unsigned id, unsigned n);
