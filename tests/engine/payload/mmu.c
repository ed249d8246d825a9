/* SPDX-License-Identifier: GPL-2.0-or-later
 * Rules of the stage-1 MMU as a guest sees them: translation, each kind of fault with its ESR and
 * FAR, TLB maintenance, ASIDs. Execution through changing mappings is in code.c.
 */
#include "lib.h"

#define VA(index)  (WINDOW + (u64)(index)*4096)
#define PA_OF(pte) ((pte)&UINT64_C(0xfffffffff000))

static void last_was(unsigned ec, unsigned fsc, u64 far)
{
    Cpu *cpu = this_cpu();

    check_eq(ESR_EC(cpu->esr), ec);
    check_eq(ESR_FSC(cpu->esr), fsc);
    check(cpu->esr & ESR_IL);
    check_eq(cpu->far, far);
}

static void page_maps_va_to_pa(void)
{
    u64 pa = take_pages(2);

    set_page(0, (pa + 4096) | PAGE);
    write64(VA(0) + 8, 0x1122334455667788);
    check_eq(read64(pa + 4096 + 8), 0x1122334455667788);
    write64(pa + 4096 + 4088, 42);
    check_eq(read64(VA(0) + 4088), 42);
}

static void block_maps_2_mib(void)
{
    u64 pa = take_block();

    set_block(3, pa | BLOCK);
    write64(BLOCKS + 3 * 0x200000 + 0x1ffff8, 77);
    check_eq(read64(pa + 0x1ffff8), 77);
}

static void ttbr1_maps_the_upper_half(void)
{
    u64 pa = take_pages(1);

    set_page(1, pa | PAGE);
    write64(HIGH + 4096, 99);
    check_eq(read64(pa), 99);
}

static void unmapped_is_translation_fault_of_its_level(void)
{
    check(read_traps(UINT64_C(0x1000000000)));
    last_was(EC_DABORT, FSC_TRANSLATION + 1, UINT64_C(0x1000000000));
    check(!(this_cpu()->esr & ESR_WNR));
    check(write_traps(WINDOW + 0x40000008));
    check(read_traps(WINDOW + 0x200010));
    last_was(EC_DABORT, FSC_TRANSLATION + 2, WINDOW + 0x200010);
    check(write_traps(VA(20) + 0x18));
    last_was(EC_DABORT, FSC_TRANSLATION + 3, VA(20) + 0x18);
    check(this_cpu()->esr & ESR_WNR);
}

static void va_beyond_t0sz_is_translation_fault_level_0(void)
{
    check(read_traps(UINT64_C(0x8000000000)));
    last_was(EC_DABORT, FSC_TRANSLATION, UINT64_C(0x8000000000));
    check(read_traps(UINT64_C(0xffff000000000000)));
    last_was(EC_DABORT, FSC_TRANSLATION, UINT64_C(0xffff000000000000));
}

static void output_beyond_ips_is_address_size_fault(void)
{
    set_page(2, UINT64_C(0x8000000000) | PAGE);
    check(read_traps(VA(2)));
    last_was(EC_DABORT, FSC_ADDRESS_SIZE + 3, VA(2));
}

static void read_only_page_is_permission_fault_on_write(void)
{
    set_page(3, take_pages(1) | PAGE | PTE_RO);
    check(!read_traps(VA(3)));
    check(write_traps(VA(3) + 16));
    last_was(EC_DABORT, FSC_PERMISSION + 3, VA(3) + 16);
    check(this_cpu()->esr & ESR_WNR);
    check_eq(read64(VA(3) + 16), 0);
}

static void read_only_block_is_permission_fault_level_2(void)
{
    set_block(4, take_block() | BLOCK | PTE_RO);
    check(write_traps(BLOCKS + 4 * 0x200000 + 0x12340));
    last_was(EC_DABORT, FSC_PERMISSION + 2, BLOCKS + 4 * 0x200000 + 0x12340);
}

static void clear_af_is_access_flag_fault(void)
{
    set_page(4, take_pages(1) | (PAGE & ~(u64)PTE_AF));
    check(read_traps(VA(4)));
    last_was(EC_DABORT, FSC_ACCESS_FLAG + 3, VA(4));
    set_block(5, take_block() | (BLOCK & ~(u64)PTE_AF));
    check(write_traps(BLOCKS + 5 * 0x200000));
    last_was(EC_DABORT, FSC_ACCESS_FLAG + 2, BLOCKS + 5 * 0x200000);
    set_page(4, PA_OF(table_window_l3[4]) | PAGE); /* an entry that faulted so is not cached */
    check(!read_traps(VA(4)));
}

static void table_bits_limit_what_is_below(void)
{
    u64 table = take_pages(1);
    u64 va = BLOCKS + 6 * 0x200000;

    write64(table, take_pages(1) | PAGE);
    set_block(6, table | PTE_VALID | PTE_PAGE | UINT64_C(2) << 61); /* APTable: read-only */
    check(!read_traps(va));
    check(write_traps(va));
    last_was(EC_DABORT, FSC_PERMISSION + 3, va);
    set_block(6, table | PTE_VALID | PTE_PAGE | UINT64_C(1) << 59); /* PXNTable */
    tlbi_all();
    check(!write_traps(va));
    check(exec_traps(va));
    last_was(EC_IABORT, FSC_PERMISSION + 3, va);
}

static void table_in_nowhere_is_external_abort_on_walk(void)
{
    set_block(7, UINT64_C(0xf00000000) | PTE_VALID | PTE_PAGE);
    check(read_traps(BLOCKS + 7 * 0x200000));
    /* KVM does not say that it was a walk. */
    last_was(EC_DABORT, is_kvm() ? FSC_EXTERNAL : FSC_WALK_EXTERNAL + 3, BLOCKS + 7 * 0x200000);
}

static void mapping_of_nowhere_is_external_abort(void)
{
    set_page(5, UINT64_C(0xf00000000) | PAGE);
    check(read_traps(VA(5) + 8));
    check_eq(ESR_EC(this_cpu()->esr), EC_DABORT);
    check_eq(ESR_FSC(this_cpu()->esr), FSC_EXTERNAL);
}

asm(".globl el0_load, el0_store, el0_nop\n"
    "el0_load: ldr x0, [x0]\n svc #1\n"
    "el0_store: str x0, [x0]\n svc #1\n"
    "el0_nop: nop\n svc #1\n");
void el0_load(void);
void el0_store(void);
void el0_nop(void);

static void el0_reaches_only_its_own_pages(void)
{
    set_page(6, take_pages(1) | PAGE);
    run_el0(el0_load, VA(6) + 24);
    last_was(EC_DABORT_EL0, FSC_PERMISSION + 3, VA(6) + 24);
    check_eq(this_cpu()->vector, 8);
    set_page(7, take_pages(1) | PAGE | PTE_EL0);
    write64(VA(7), 4711);
    check_eq(run_el0(el0_load, VA(7)), 4711);
    check_eq(ESR_EC(this_cpu()->esr), EC_SVC);
    run_el0(el0_load, VA(30));
    last_was(EC_DABORT_EL0, FSC_TRANSLATION + 3, VA(30));
}

static void el0_cannot_write_read_only_pages(void)
{
    set_page(8, take_pages(1) | PAGE | PTE_EL0 | PTE_RO);
    run_el0(el0_store, VA(8) + 8);
    last_was(EC_DABORT_EL0, FSC_PERMISSION + 3, VA(8) + 8);
    check(this_cpu()->esr & ESR_WNR);
}

static void ldtr_and_sttr_act_as_el0(void)
{
    Cpu *cpu = this_cpu();
    u64 value = 0, traps;

    set_page(9, take_pages(1) | PAGE);
    set_page(10, take_pages(1) | PAGE | PTE_EL0);
    set_page(11, take_pages(1) | PAGE | PTE_EL0 | PTE_RO);
    write64(VA(10), 5);
    traps = cpu->traps;
    cpu->expect = 2;
    asm volatile("ldtr %0, [%1]" : "+r"(value) : "r"(VA(9)) : "memory");
    check_eq(cpu->traps, traps + 1);
    last_was(EC_DABORT, FSC_PERMISSION + 3, VA(9));
    asm volatile("ldtr %0, [%1]" : "=r"(value) : "r"(VA(10)) : "memory");
    check_eq(value, 5);
    asm volatile("sttr %0, [%1]" ::"r"(value), "r"(VA(10) + 8) : "memory");
    check_eq(read64(VA(10) + 8), 5);
    check_eq(cpu->traps, traps + 1);
    asm volatile("sttr %0, [%1]" ::"r"(value), "r"(VA(11)) : "memory");
    check_eq(cpu->traps, traps + 2);
    last_was(EC_DABORT, FSC_PERMISSION + 3, VA(11));
    cpu->expect = 0;
}

static void ldtr_takes_every_size(void)
{
    u64 b, h, w, sb, sh, sw;

    set_page(10, take_pages(1) | PAGE | PTE_EL0);
    tlbi_all();
    write64(VA(10), 0xfedcba98f6e5d4c3);
    asm volatile("ldtrb %w0, [%1]" : "=r"(b) : "r"(VA(10)) : "memory");
    asm volatile("ldtrh %w0, [%1]" : "=r"(h) : "r"(VA(10)) : "memory");
    asm volatile("ldtr %w0, [%1]" : "=r"(w) : "r"(VA(10)) : "memory");
    asm volatile("ldtrsb %0, [%1]" : "=r"(sb) : "r"(VA(10)) : "memory");
    asm volatile("ldtrsh %0, [%1, #6]" : "=r"(sh) : "r"(VA(10)) : "memory");
    asm volatile("ldtrsw %0, [%1, #4]" : "=r"(sw) : "r"(VA(10)) : "memory");
    check_eq(b, 0xc3);
    check_eq(h, 0xd4c3);
    check_eq(w, 0xf6e5d4c3);
    check_eq(sb, 0xffffffffffffffc3);
    check_eq(sh, 0xfffffffffffffedc);
    check_eq(sw, 0xfffffffffedcba98);
    asm volatile("sttrb wzr, [%0, #1]\n sttrh wzr, [%0, #6]" ::"r"(VA(10)) : "memory");
    check_eq(read64(VA(10)), 0x0000ba98f6e500c3);
}

static void at_reports_in_par(void)
{
    u64 pa = take_pages(1);

    set_page(12, pa | PAGE | PTE_RO);
    asm volatile("at s1e1r, %0\n isb" ::"r"(VA(12) + 0x123));
    check_eq(read_sysreg(par_el1) & UINT64_C(0xfffffffff001), pa);
    asm volatile("at s1e1w, %0\n isb" ::"r"(VA(12)));
    check_eq(read_sysreg(par_el1) & 0x7f, 1 | (FSC_PERMISSION + 3) << 1);
    asm volatile("at s1e0r, %0\n isb" ::"r"(VA(12)));
    check_eq(read_sysreg(par_el1) & 0x7f, 1 | (FSC_PERMISSION + 3) << 1);
    asm volatile("at s1e1r, %0\n isb" ::"r"(VA(31)));
    check_eq(read_sysreg(par_el1) & 0x7f, 1 | (FSC_TRANSLATION + 3) << 1);
    set_page(13, pa | PAGE | PTE_EL0);
    asm volatile("at s1e0w, %0\n isb" ::"r"(VA(13)));
    check_eq(read_sysreg(par_el1) & UINT64_C(0xfffffffff001), pa);
}

static void access_across_pages_uses_both(void)
{
    u64 pa = take_pages(2);

    set_page(14, (pa + 4096) | PAGE);
    set_page(15, pa | PAGE);
    write64(VA(15) - 4, 0x1122334455667788);
    check_eq(read32(pa + 4096 + 4092), 0x55667788);
    check_eq(read32(pa), 0x11223344);
    check_eq(read64(VA(15) - 4), 0x1122334455667788);
}

static void access_into_an_unmapped_page_names_that_page(void)
{
    u64 pa = take_pages(1);

    set_page(16, pa | PAGE); /* 17 is empty */
    write64(pa + 4088, 0x0102030405060708);
    check(read_traps(VA(17) - 4));
    check_eq(ESR_FSC(this_cpu()->esr), FSC_TRANSLATION + 3);
    check_eq(this_cpu()->far & ~UINT64_C(0xfff), VA(17));
    check(write_traps(VA(17) - 4));
    check_eq(read64(pa + 4088), 0x0102030405060708); /* nothing of it was done */
}

static void faulting_load_pair_keeps_base_and_targets(void)
{
    u64 a = 1, b = 2, base = VA(17) - 8;

    set_page(16, take_pages(1) | PAGE);
    tlbi_all();
    this_cpu()->expect = 1;
    asm volatile("ldp %0, %1, [%2], #16" : "+r"(a), "+r"(b), "+r"(base)::"memory");
    this_cpu()->expect = 0;
    check_eq(base, VA(17) - 8);
    check_eq(b, 2);
}

static void top_byte_is_ignored_if_tcr_says_so(void)
{
    u64 tcr = read_sysreg(tcr_el1);
    u64 pa = take_pages(1);
    u64 tagged = VA(18) | UINT64_C(0x5a) << 56;

    set_page(18, pa | PAGE);
    write64(pa, 31);
    check(read_traps(tagged));
    write_sysreg(tcr_el1, tcr | UINT64_C(1) << 37);
    tlbi_all();
    check(!read_traps(tagged));
    check_eq(read64(tagged), 31);
    write_sysreg(tcr_el1, tcr);
    tlbi_all();
}

static void epd_turns_a_half_off(void)
{
    u64 tcr = read_sysreg(tcr_el1);

    set_page(1, take_pages(1) | PAGE);
    tlbi_all();
    check(!read_traps(HIGH + 4096));
    write_sysreg(tcr_el1, tcr | 1 << 23);
    tlbi_all();
    check(read_traps(HIGH + 4096));
    check_eq(ESR_FSC(this_cpu()->esr) & ~3u, FSC_TRANSLATION);
    write_sysreg(tcr_el1, tcr);
    tlbi_all();
}

static void without_mmu_addresses_are_physical(void)
{
    u64 pa = take_pages(1);

    write64(pa, 12);
    set_page(19, pa | PAGE);
    check_eq(read64(VA(19)), 12);
    mmu_off();
    check_eq(read64(pa), 12);
    check(read_traps(UINT64_C(0xf00000000)));
    check_eq(ESR_FSC(this_cpu()->esr), FSC_EXTERNAL);
    mmu_on();
    check_eq(read64(VA(19)), 12);
}

/* TLB maintenance. Each flavour must drop the translation it names, after break-before-make. */
enum { FLAVOURS = 12 };

static void tlbi(unsigned flavour, u64 va, u64 asid)
{
    u64 by_va = (va >> 12 & UINT64_C(0xfffffffffff)) | asid << 48;

    asm volatile("dsb ish" ::: "memory");
    switch (flavour) {
#define TLBI(n, op, operand)                                                                       \
    case n:                                                                                        \
        asm volatile("tlbi " op ", %0" ::"r"(operand) : "memory");                                 \
        break;
        TLBI(0, "vae1", by_va)
        TLBI(1, "vae1is", by_va)
        TLBI(2, "vaae1", by_va)
        TLBI(3, "vaae1is", by_va)
        TLBI(4, "vale1", by_va)
        TLBI(5, "vale1is", by_va)
        TLBI(6, "vaale1", by_va)
        TLBI(7, "vaale1is", by_va)
        TLBI(8, "aside1", asid << 48)
        TLBI(9, "aside1is", asid << 48)
    case 10:
        asm volatile("tlbi vmalle1" ::: "memory");
        break;
    case 11:
        asm volatile("tlbi vmalle1is" ::: "memory");
        break;
    }
    asm volatile("dsb ish\n isb" ::: "memory");
}

static void remap_and_read(unsigned index, u64 flags, u64 va)
{
    u64 a = take_pages(1), b = take_pages(1);

    write64(a, 'a');
    write64(b, 'b');
    for (unsigned flavour = 0; flavour < FLAVOURS; flavour++) {
        set_page(index, a | flags);
        tlbi(flavour, va, 0);
        check_eq(read64(va), 'a');
        set_page(index, 0);
        tlbi(flavour, va, 0);
        check(read_traps(va));
        set_page(index, b | flags);
        check_eq(read64(va), 'b');
        set_page(index, 0);
        tlbi(flavour, va, 0);
        check(write_traps(va));
    }
}

static void each_tlbi_drops_a_page(void)
{
    remap_and_read(40, PAGE | PTE_NG, VA(40));
}

static void each_tlbi_drops_a_page_of_the_upper_half(void)
{
    remap_and_read(41, PAGE | PTE_NG, HIGH + 41 * 4096);
}

static void each_tlbi_drops_a_block(void)
{
    u64 a = take_block();
    u64 va = BLOCKS + 10 * 0x200000;

    for (unsigned flavour = 0; flavour < FLAVOURS; flavour++) {
        set_block(10, a | BLOCK | PTE_NG);
        check(!write_traps(va));
        check(!write_traps(va + 0x1ff000));
        set_block(10, 0);
        tlbi(flavour, va + 0x1000, 0); /* any address in the block names all of it */
        check(read_traps(va));
        check(read_traps(va + 0x1ff000));
    }
}

static void tlbi_makes_a_page_read_only(void)
{
    u64 pa = take_pages(1);

    for (unsigned flavour = 0; flavour < FLAVOURS; flavour++) {
        set_page(42, pa | PAGE | PTE_NG);
        tlbi(flavour, VA(42), 0);
        check(!write_traps(VA(42)));
        set_page(42, pa | PAGE | PTE_NG | PTE_RO);
        tlbi(flavour, VA(42), 0);
        check(!read_traps(VA(42)));
        check(write_traps(VA(42)));
    }
}

/* A second root for VA 0 to 4 GiB that shares all but the window's last level. */
static void asid_selects_without_tlbi(void)
{
    u64 *root = (u64 *)take_pages(1), *l2 = (u64 *)take_pages(1), *l3 = (u64 *)take_pages(1);
    u64 pa = take_pages(2);

    for (unsigned i = 0; i < 512; i++) {
        root[i] = table_l1[i];
    }
    root[2] = (u64)l2 | PTE_VALID | PTE_PAGE;
    l2[0] = (u64)l3 | PTE_VALID | PTE_PAGE;
    l3[50] = (pa + 4096) | PAGE | PTE_NG;
    set_page(50, pa | PAGE | PTE_NG);
    write64(pa, 1);
    write64(pa + 4096, 2);
    for (unsigned i = 0; i < 5; i++) {
        write_sysreg(ttbr0_el1, (u64)table_l1 | UINT64_C(1) << 48);
        check_eq(read64(VA(50)), 1);
        write_sysreg(ttbr0_el1, (u64)root | UINT64_C(2) << 48);
        check_eq(read64(VA(50)), 2);
    }
    l3[50] = 0;
    tlbi(8, 0, 2);
    check(read_traps(VA(50)));
    write_sysreg(ttbr0_el1, (u64)table_l1 | UINT64_C(1) << 48);
    check_eq(read64(VA(50)), 1);
    write_sysreg(ttbr0_el1, (u64)table_l1);
    tlbi_all();
}

static void tlbi_vaae1_drops_every_asid(void)
{
    u64 pa = take_pages(2);

    for (unsigned flavour = 2; flavour < 4; flavour++) {
        write64(pa + 4096, 2);
        set_page(51, pa | PAGE | PTE_NG);
        write_sysreg(ttbr0_el1, (u64)table_l1 | UINT64_C(1) << 48);
        check(!read_traps(VA(51)));
        write_sysreg(ttbr0_el1, (u64)table_l1 | UINT64_C(2) << 48);
        check(!read_traps(VA(51)));
        set_page(51, (pa + 4096) | PAGE | PTE_NG);
        tlbi(flavour, VA(51), 7);
        check_eq(read64(VA(51)), 2);
        write_sysreg(ttbr0_el1, (u64)table_l1 | UINT64_C(1) << 48);
        check_eq(read64(VA(51)), 2);
    }
    write_sysreg(ttbr0_el1, (u64)table_l1);
    tlbi_all();
}

static void many_pages_stay_right(void)
{
    u64 pa = take_pages(256);

    for (unsigned i = 0; i < 256; i++) {
        set_page(100 + i, (pa + i * 4096) | PAGE);
        write64(pa + i * 4096 + 8, i * 3);
    }
    for (unsigned i = 0; i < 256; i++) {
        check_eq(read64(VA(100 + i) + 8), i * 3);
    }
    for (unsigned i = 0; i < 256; i++) {
        set_page(100 + i, 0);
    }
    tlbi_all();
    for (unsigned i = 0; i < 256; i += 17) {
        check(read_traps(VA(100 + i)));
    }
}

static const Rule rules[] = {
    RULE("/mmu/page-maps-va-to-pa", page_maps_va_to_pa),
    RULE("/mmu/block-maps-2-mib", block_maps_2_mib),
    RULE("/mmu/ttbr1-maps-the-upper-half", ttbr1_maps_the_upper_half),
    RULE("/mmu/unmapped-is-translation-fault-of-its-level",
         unmapped_is_translation_fault_of_its_level),
    RULE("/mmu/va-beyond-t0sz-is-translation-fault-level-0",
         va_beyond_t0sz_is_translation_fault_level_0),
    RULE("/mmu/output-beyond-ips-is-address-size-fault", output_beyond_ips_is_address_size_fault),
    RULE("/mmu/read-only-page-is-permission-fault-on-write",
         read_only_page_is_permission_fault_on_write),
    RULE("/mmu/read-only-block-is-permission-fault-level-2",
         read_only_block_is_permission_fault_level_2),
    RULE("/mmu/clear-af-is-access-flag-fault", clear_af_is_access_flag_fault),
    RULE("/mmu/table-bits-limit-what-is-below", table_bits_limit_what_is_below),
    RULE("/mmu/table-in-nowhere-is-external-abort-on-walk",
         table_in_nowhere_is_external_abort_on_walk),
    RULE("/mmu/mapping-of-nowhere-is-external-abort", mapping_of_nowhere_is_external_abort),
    RULE("/mmu/el0-reaches-only-its-own-pages", el0_reaches_only_its_own_pages),
    RULE("/mmu/el0-cannot-write-read-only-pages", el0_cannot_write_read_only_pages),
    RULE("/mmu/ldtr-and-sttr-act-as-el0", ldtr_and_sttr_act_as_el0),
    RULE("/mmu/ldtr-takes-every-size", ldtr_takes_every_size),
    RULE("/mmu/at-reports-in-par", at_reports_in_par),
    RULE("/mmu/access-across-pages-uses-both", access_across_pages_uses_both),
    RULE("/mmu/access-into-an-unmapped-page-names-that-page",
         access_into_an_unmapped_page_names_that_page),
    RULE("/mmu/faulting-load-pair-keeps-base-and-targets",
         faulting_load_pair_keeps_base_and_targets),
    RULE("/mmu/top-byte-is-ignored-if-tcr-says-so", top_byte_is_ignored_if_tcr_says_so),
    RULE("/mmu/epd-turns-a-half-off", epd_turns_a_half_off),
    RULE("/mmu/without-mmu-addresses-are-physical", without_mmu_addresses_are_physical),
    RULE("/tlb/each-tlbi-drops-a-page", each_tlbi_drops_a_page),
    RULE("/tlb/each-tlbi-drops-a-page-of-the-upper-half", each_tlbi_drops_a_page_of_the_upper_half),
    RULE("/tlb/each-tlbi-drops-a-block", each_tlbi_drops_a_block),
    RULE("/tlb/tlbi-makes-a-page-read-only", tlbi_makes_a_page_read_only),
    RULE("/tlb/asid-selects-without-tlbi", asid_selects_without_tlbi),
    RULE("/tlb/tlbi-vaae1-drops-every-asid", tlbi_vaae1_drops_every_asid),
    RULE("/tlb/many-pages-stay-right", many_pages_stay_right),
};

void payload_main(void)
{
    mmu_init();
    mmu_on();
    RUN(rules);
}
