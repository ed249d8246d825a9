/* SPDX-License-Identifier: GPL-2.0-or-later
 * A guest that misbehaves: each rule does something absurd and must find itself in its own
 * exception handler, with the machine still working. What only the host can see (endless loops and
 * kicks, code that loses its vectors) is in test-engine-a64.c.
 */
#include "lib.h"

#define VA(index) (WINDOW + (u64)(index)*4096)

enum { RET = 0xd65f03c0 };

/* A xorshift generator: the same garbage each time. */
static u32 garbage(void)
{
    static u64 state = 0x123456789abcdef;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state >> 16;
}

/* EL0 runs a page of garbage words until something traps; its own data page is all it has. */
static void garbage_at_el0_always_ends_in_a_trap(void)
{
    u64 pa = take_pages(1);

    set_page(0, pa | PAGE | PTE_EL0 | PTE_RO);
    for (unsigned i = 0; i < 300; i++) {
        for (unsigned k = 0; k < 64; k++) {
            u32 word = garbage();

            if ((word & 0x7c000000) == 0x14000000) {
                word = 0; /* b and bl could leave for good or loop */
            }
            if ((word & 0xfe000000) == 0x54000000 || (word & 0x7e000000) == 0x34000000 ||
                (word & 0x7e000000) == 0x36000000) {
                word &= ~0x00800000u; /* conditional branches go forward */
            }
            write32(pa + k * 4, word);
        }
        for (unsigned k = 64; k < 1024; k++) {
            write32(pa + k * 4, 0xd4000021); /* svc #1 */
        }
        sync_code(VA(0), 4096);
        el0_call(VA(0), EL0_DATA + 4096, garbage());
        check_eq(this_cpu()->vector, 8);
    }
}

static void unallocated_words_are_undefined_at_el1(void)
{
    /* Unallocated in A64, at any feature level that the ID registers can claim */
    static const u32 words[] = { 0x00000000, 0x0000ffff, 0xffffffff, 0x02000000,
                                 0x06000000, 0xd4000000, 0xd4e00000, 0xd69f0be0 };
    u64 pa = take_pages(1);

    set_page(1, pa | PAGE);
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        for (unsigned times = 0; times < 3; times++) {
            write32(pa, words[i]);
            write32(pa + 4, RET);
            sync_code(VA(1), 8);
            check(exec_traps(VA(1)));
            check_eq(ESR_EC(this_cpu()->esr), EC_UNKNOWN);
            check_eq(this_cpu()->elr, VA(1));
        }
    }
}

static void jump_to_nowhere_is_an_abort(void)
{
    static const u64 targets[] = { UINT64_C(0xf00000000), UINT64_C(0x800000000000),
                                   UINT64_C(0xfffffffffffffffc), UINT64_C(0x7ffffffffc) };

    for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        check(exec_traps(targets[i]));
        check_eq(ESR_EC(this_cpu()->esr), EC_IABORT);
        check_eq(this_cpu()->elr, targets[i]);
    }
}

static void jump_to_unbacked_physical_address_is_external_abort(void)
{
    set_page(2, UINT64_C(0xf00000000) | PAGE);
    check(exec_traps(VA(2)));
    check_eq(ESR_EC(this_cpu()->esr), EC_IABORT);
    check_eq(ESR_FSC(this_cpu()->esr), FSC_EXTERNAL);
}

/* Without payload-run a UART is there, whose registers may read as anything. */
static void device_registers_as_code_do_no_harm(void)
{
    if (!have_ports()) {
        skip("no scratch port");
        return;
    }
    set_page(3, PORT_SCRATCH | (PAGE & ~(u64)(PTE_NORMAL | PTE_INNER)));
    check(exec_traps(VA(3)));
    check_eq(ESR_EC(this_cpu()->esr), EC_IABORT);
    set_page(4, GICD | (PAGE & ~(u64)(PTE_NORMAL | PTE_INNER)));
    check(exec_traps(VA(4)));
    check_eq(ESR_EC(this_cpu()->esr), EC_IABORT);
}

/* KVM does not say that it was a walk. */
static void check_walk_abort(void)
{
    u64 fsc = ESR_FSC(this_cpu()->esr);

    if (is_kvm()) {
        check_eq(fsc, FSC_EXTERNAL);
    } else {
        check_eq(fsc & ~3u, FSC_WALK_EXTERNAL);
    }
}

static void page_tables_in_a_device_are_an_abort(void)
{
    if (!have_ports()) {
        skip("no scratch port");
        return;
    }
    set_block(1, PORT_SCRATCH | PTE_VALID | PTE_PAGE);
    check(read_traps(BLOCKS + 0x200000));
    check_eq(ESR_EC(this_cpu()->esr), EC_DABORT);
    check_walk_abort();
    set_block(2, GICD | PTE_VALID | PTE_PAGE);
    check(read_traps(BLOCKS + 0x400000));
    check_walk_abort();
}

static void page_tables_of_garbage_do_no_harm(void)
{
    u64 table = take_pages(1);

    set_block(3, table | PTE_VALID | PTE_PAGE);
    for (unsigned i = 0; i < 2000; i++) {
        u64 value = 1;

        write64(table, (u64)garbage() << 32 | garbage());
        tlbi_all();
        /* any outcome but a wedged or dead machine: only fields of the descriptor decide */
        if (((read64(table) >> 12) & 0xfffffffff) < 0x40000) {
            write64(table, read64(table) | UINT64_C(0xf) << 32); /* not the devices */
        }
        this_cpu()->expect = 1;
        asm volatile("ldr %0, [%1]" : "+r"(value) : "r"(BLOCKS + 0x600000) : "memory");
        this_cpu()->expect = 0;
    }
    set_block(3, 0);
    tlbi_all();
}

static void a_table_that_contains_itself_ends(void)
{
    u64 table = take_pages(1);

    write64(table, table | PTE_VALID | PTE_PAGE | PTE_AF | PTE_NORMAL);
    set_block(4, table | PTE_VALID | PTE_PAGE);
    check_eq(read64(BLOCKS + 0x800000), read64(table));
}

static void root_table_in_nowhere_ends_at_the_vectors(void)
{
    u64 high = HIGH + 70 * 4096;

    /* TTBR1's root goes away; TTBR0 still maps the handler. */
    set_page(70, take_pages(1) | PAGE);
    check(!read_traps(high));
    write_sysreg(ttbr1_el1, UINT64_C(0xf00000000));
    tlbi_all();
    check(read_traps(high));
    check_walk_abort();
    write_sysreg(ttbr1_el1, (u64)table_high_l1);
    tlbi_all();
    check(!read_traps(high));
}

/* Writes all ones and zero to what a kernel writes; reserved bits must not wedge the machine. */
static void odd_values_in_system_registers_do_no_harm(void)
{
    u64 tcr = read_sysreg(tcr_el1), mair = read_sysreg(mair_el1);

    write_sysreg(contextidr_el1, UINT64_MAX);
    write_sysreg(mdscr_el1, 0);
    write_sysreg(afsr0_el1, UINT64_MAX);
    write_sysreg(amair_el1, UINT64_MAX);
    write_sysreg(mair_el1, 0xffffffffffffff00);
    write_sysreg(mair_el1, mair);
    write_sysreg(csselr_el1, UINT64_MAX);
    (void)read_sysreg(ccsidr_el1);
    write_sysreg(cntv_cval_el0, UINT64_MAX);
    write_sysreg(cntv_tval_el0, UINT64_MAX);
    write_sysreg(cntkctl_el1, UINT64_MAX);
    write_sysreg(cntkctl_el1, 0);
    write_sysreg(par_el1, UINT64_MAX);
    write_sysreg(tcr_el1, tcr);
    check_eq(read_sysreg(tcr_el1), tcr);
    check_eq(read64(RAM) == read64(RAM), 1);
}

/* T0SZ outside 16..39 must not index out of a table; the fault itself is unpredictable. TTBR1 is
 * the half that this payload does not stand on. */
static void odd_region_sizes_do_no_harm(void)
{
    u64 tcr = read_sysreg(tcr_el1);

    for (u64 t1sz = 0; t1sz < 64; t1sz++) {
        write_sysreg(tcr_el1, (tcr & ~(UINT64_C(0x3f) << 16)) | t1sz << 16);
        tlbi_all();
        for (unsigned bit = 12; bit < 64; bit += 3) {
            this_cpu()->expect = 1;
            asm volatile("ldr xzr, [%0]" ::"r"(UINT64_MAX << bit) : "memory");
            this_cpu()->expect = 0;
        }
    }
    for (u64 tg1 = 0; tg1 < 4; tg1++) { /* granules that the ID registers deny */
        write_sysreg(tcr_el1, (tcr & ~(UINT64_C(3) << 30)) | tg1 << 30);
        tlbi_all();
        this_cpu()->expect = 1;
        asm volatile("ldr xzr, [%0]" ::"r"(HIGH) : "memory");
        this_cpu()->expect = 0;
    }
    write_sysreg(tcr_el1, tcr);
    tlbi_all();
}

static void cache_operations_by_address_fault_or_work(void)
{
    u64 traps = this_cpu()->traps;

    this_cpu()->expect = 1;
    asm volatile("dc civac, %0" ::"r"(VA(40)) : "memory");
    this_cpu()->expect = 0;
    if (this_cpu()->traps != traps) {
        check_eq(ESR_EC(this_cpu()->esr), EC_DABORT);
        check(this_cpu()->esr & ESR_CM);
    }
    set_page(41, take_pages(1) | PAGE);
    asm volatile("dc civac, %0\n dc cvac, %0\n ic ivau, %0\n dsb ish" ::"r"(VA(41)) : "memory");
}

static void psci_entry_in_nowhere_keeps_the_machine_up(void)
{
    int64_t answer = psci(PSCI_CPU_ON, 1, UINT64_C(0xf00000000), 0);

    check(answer == PSCI_SUCCESS || answer == PSCI_INVALID_ADDRESS ||
          answer == PSCI_INVALID_PARAMETERS);
    check(read_sysreg(cntvct_el0) != 0);
}

static const Rule rules[] = {
    RULE("/hostile/garbage-at-el0-always-ends-in-a-trap", garbage_at_el0_always_ends_in_a_trap),
    RULE("/hostile/unallocated-words-are-undefined-at-el1", unallocated_words_are_undefined_at_el1),
    RULE("/hostile/jump-to-nowhere-is-an-abort", jump_to_nowhere_is_an_abort),
    RULE("/hostile/jump-to-unbacked-memory-is-external-abort",
         jump_to_unbacked_physical_address_is_external_abort),
    RULE("/hostile/device-registers-as-code-do-no-harm", device_registers_as_code_do_no_harm),
    RULE("/hostile/page-tables-in-a-device-are-an-abort", page_tables_in_a_device_are_an_abort),
    RULE("/hostile/page-tables-of-garbage-do-no-harm", page_tables_of_garbage_do_no_harm),
    RULE("/hostile/a-table-that-contains-itself-ends", a_table_that_contains_itself_ends),
    RULE("/hostile/root-table-in-nowhere-ends-at-the-vectors",
         root_table_in_nowhere_ends_at_the_vectors),
    RULE("/hostile/odd-values-in-system-registers-do-no-harm",
         odd_values_in_system_registers_do_no_harm),
    RULE("/hostile/odd-region-sizes-do-no-harm", odd_region_sizes_do_no_harm),
    RULE("/hostile/cache-operations-by-address-fault-or-work",
         cache_operations_by_address_fault_or_work),
    RULE("/hostile/psci-entry-in-nowhere-keeps-the-machine-up",
         psci_entry_in_nowhere_keeps_the_machine_up),
};

void payload_main(void)
{
    mmu_init();
    mmu_on();
    RUN(rules);
}
