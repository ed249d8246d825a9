/* SPDX-License-Identifier: GPL-2.0-or-later
 * Page tables of the payloads; the map is described in lib.h.
 */
#include "lib.h"

#define TABLE __attribute__((aligned(4096)))

u64 table_l1[512] TABLE, table_window_l2[512] TABLE, table_window_l3[512] TABLE;
u64 table_blocks_l2[512] TABLE, table_high_l1[512] TABLE;
static u64 table_ram_l2[512] TABLE, table_el0_l2[512] TABLE, table_el0_l3[2][512] TABLE;
static u64 free_page;
static u64 free_block = RAM + RAM_SIZE;

#define TCR_T0SZ      UINT64_C(25)
#define TCR_WB_INNER0 UINT64_C(0x3500) /* IRGN0, ORGN0 write-back, SH0 inner */
#define TCR_T1SZ      (UINT64_C(25) << 16)
#define TCR_WB_INNER1 (UINT64_C(0x3500) << 16)
#define TCR_TG1_4K    (UINT64_C(2) << 30)
#define TCR_IPS_36    (UINT64_C(1) << 32)

#define SCTLR_RES1 UINT64_C(0x30d00800)
#define SCTLR_M    1
#define SCTLR_C    4
#define SCTLR_SA   8
#define SCTLR_SA0  16
#define SCTLR_I    0x1000

static u64 table_at(const void *table)
{
    return (u64)table | PTE_VALID | PTE_PAGE;
}

void mmu_init(void)
{
    u64 first = (u64)_image & ~UINT64_C(0xfff);
    unsigned n = ((u64)_end - first) / 4096;

    free_page = (u64)_end;
    table_l1[0] = BLOCK & ~(u64)(PTE_NORMAL | PTE_INNER);
    table_l1[0] |= PTE_PXN | PTE_UXN;
    table_l1[1] = table_at(table_ram_l2);
    for (u64 i = 0; i < RAM_SIZE >> 21; i++) {
        table_ram_l2[i] = (RAM + (i << 21)) | BLOCK | PTE_UXN;
    }
    table_l1[2] = table_at(table_window_l2);
    table_window_l2[0] = table_at(table_window_l3);
    table_l1[BLOCKS >> 30] = table_at(table_blocks_l2);
    table_l1[3] = table_at(table_el0_l2);
    table_el0_l2[0] = table_at(table_el0_l3[0]);
    table_el0_l2[(EL0_DATA >> 21) & 511] = table_at(table_el0_l3[1]);
    for (unsigned i = 0; i < n && i < 512; i++) {
        table_el0_l3[0][i] = (first + i * 4096) | PAGE | PTE_EL0 | PTE_RO | PTE_PXN;
    }
    table_el0_l3[1][0] = take_pages(1) | PAGE | PTE_EL0 | PTE_PXN;
    table_high_l1[0] = table_at(table_window_l2);
}

void mmu_on(void)
{
    dsb();
    write_sysreg(mair_el1, 0xff00);
    write_sysreg(tcr_el1,
                 TCR_T0SZ | TCR_WB_INNER0 | TCR_T1SZ | TCR_WB_INNER1 | TCR_TG1_4K | TCR_IPS_36);
    write_sysreg(ttbr0_el1, (u64)table_l1);
    write_sysreg(ttbr1_el1, (u64)table_high_l1);
    tlbi_all();
    write_sysreg(sctlr_el1, SCTLR_RES1 | SCTLR_M | SCTLR_C | SCTLR_I | SCTLR_SA | SCTLR_SA0);
}

void mmu_off(void)
{
    write_sysreg(sctlr_el1, SCTLR_RES1);
}

void set_page(unsigned index, u64 descriptor)
{
    write64((u64)&table_window_l3[index], descriptor);
    dsb();
}

void set_block(unsigned index, u64 descriptor)
{
    write64((u64)&table_blocks_l2[index], descriptor);
    dsb();
}

void tlbi_all(void)
{
    asm volatile("dsb ish\n tlbi vmalle1is\n dsb ish\n isb" ::: "memory");
}

u64 take_pages(unsigned n)
{
    u64 pages = free_page;

    free_page += (u64)n * 4096;
    return pages;
}

u64 take_block(void)
{
    free_block -= 0x200000;
    return free_block;
}

void sync_code(u64 va, u64 size)
{
    for (u64 line = va; line < va + size; line += 16) {
        asm volatile("dc cvau, %0" ::"r"(line) : "memory");
    }
    asm volatile("dsb ish" ::: "memory");
    for (u64 line = va; line < va + size; line += 16) {
        asm volatile("ic ivau, %0" ::"r"(line) : "memory");
    }
    asm volatile("dsb ish\n isb" ::: "memory");
}

u64 run_el0(void (*code)(void), u64 arg)
{
    return el0_call(el0_alias((const void *)code), EL0_DATA + 4096, arg);
}
