/* SPDX-License-Identifier: GPL-2.0-or-later
 * Rules of instruction fetch: permissions, remapped and modified code, also once it is hot; code
 * by ASID; accesses to devices. Each rule that changes code does it cold and hot.
 */
#include "lib.h"

#define VA(index) (WINDOW + (u64)(index)*4096)

enum {
    RET = 0xd65f03c0,
    MOVZ_X0 = 0xd2800000, /* | imm16 << 5 */
    HOT = 2000,
};

static void put_function(u64 va, unsigned result)
{
    write32(va, MOVZ_X0 | result << 5);
    write32(va + 4, RET);
}

static bool returns(u64 va, unsigned times, u64 value)
{
    for (unsigned i = 0; i < times; i++) {
        if (guarded_call(va, 0) != value) {
            return false;
        }
    }
    return true;
}

static void last_was(unsigned ec, unsigned fsc, u64 va)
{
    Cpu *cpu = this_cpu();

    check_eq(ESR_EC(cpu->esr), ec);
    check_eq(ESR_FSC(cpu->esr), fsc);
    check_eq(cpu->far, va);
    check_eq(cpu->elr, va);
}

static void unmapped_code_is_instruction_abort(void)
{
    check(exec_traps(VA(20) + 0x40));
    last_was(EC_IABORT, FSC_TRANSLATION + 3, VA(20) + 0x40);
    check(exec_traps(UINT64_C(0x8000000000)));
    last_was(EC_IABORT, FSC_TRANSLATION, UINT64_C(0x8000000000));
}

static void pxn_stops_el1_and_uxn_stops_el0(void)
{
    u64 pa = take_pages(1);

    put_function(pa, 1);
    write32(pa + 4, 0xd4000021); /* svc #1 for EL0 */
    sync_code(pa, 8);
    set_page(0, pa | PAGE | PTE_PXN);
    check(exec_traps(VA(0)));
    last_was(EC_IABORT, FSC_PERMISSION + 3, VA(0));
    set_page(1, pa | PAGE | PTE_EL0 | PTE_RO | PTE_UXN);
    el0_call(VA(1), EL0_DATA + 4096, 0);
    last_was(EC_IABORT_EL0, FSC_PERMISSION + 3, VA(1));
    set_page(2, pa | PAGE | PTE_EL0 | PTE_RO);
    check_eq(el0_call(VA(2), EL0_DATA + 4096, 0), 1);
    check_eq(ESR_EC(this_cpu()->esr), EC_SVC);
}

static void code_writable_by_el0_is_not_for_el1(void)
{
    u64 pa = take_pages(1);

    put_function(pa, 1);
    set_page(3, pa | PAGE | PTE_EL0);
    check(exec_traps(VA(3)));
    last_was(EC_IABORT, FSC_PERMISSION + 3, VA(3));
}

/* AP keeps EL0 from data only: without UXN the page is execute-only. */
static void el0_can_execute_what_it_cannot_read(void)
{
    u64 pa = take_pages(1);

    put_function(pa, 6);
    write32(pa + 4, 0xd4000021); /* svc #1 */
    set_page(4, pa | PAGE);
    sync_code(VA(4), 8);
    check_eq(el0_call(VA(4), EL0_DATA + 4096, 0), 6);
    check_eq(ESR_EC(this_cpu()->esr), EC_SVC);
}

static void remap_runs(unsigned index, unsigned times)
{
    u64 a = take_pages(1), b = take_pages(1);

    put_function(a, 1);
    put_function(b, 2);
    for (unsigned round = 0; round < 4; round++) {
        set_page(index, a | PAGE);
        sync_code(VA(index), 8);
        check(returns(VA(index), times, 1));
        set_page(index, 0);
        tlbi_all();
        check(exec_traps(VA(index)));
        set_page(index, b | PAGE);
        sync_code(VA(index), 8);
        check(returns(VA(index), times, 2));
        set_page(index, 0);
        tlbi_all();
    }
}

static void remapped_cold_code_is_the_new_code(void)
{
    remap_runs(5, 1);
}

static void remapped_hot_code_is_the_new_code(void)
{
    remap_runs(6, HOT);
}

static void unmapped_hot_code_stops_running(void)
{
    u64 pa = take_pages(1);

    put_function(pa, 9);
    set_page(7, pa | PAGE);
    sync_code(VA(7), 8);
    check(returns(VA(7), HOT, 9));
    set_page(7, 0);
    asm volatile("dsb ish\n tlbi vae1is, %0\n dsb ish\n isb" ::"r"(VA(7) >> 12) : "memory");
    check(exec_traps(VA(7)));
    last_was(EC_IABORT, FSC_TRANSLATION + 3, VA(7));
    set_page(7, pa | PAGE | PTE_PXN);
    check(exec_traps(VA(7)));
    last_was(EC_IABORT, FSC_PERMISSION + 3, VA(7));
}

/* Writes through another VA than the one that runs. */
static void modify_runs(unsigned index, unsigned times)
{
    u64 pa = take_pages(1);

    set_page(index, pa | PAGE);
    for (unsigned value = 1; value < 6; value++) {
        put_function(pa, value);
        sync_code(VA(index), 8);
        check(returns(VA(index), times, value));
    }
    for (unsigned value = 1; value < 6; value++) {
        put_function(VA(index), value);
        asm volatile("dsb ish\n ic iallu\n dsb ish\n isb" ::: "memory");
        check(returns(VA(index), times, value));
        put_function(VA(index), value + 100);
        asm volatile("dsb ish\n ic ialluis\n dsb ish\n isb" ::: "memory");
        check(returns(VA(index), times, value + 100));
    }
}

static void modified_cold_code_is_the_new_code(void)
{
    modify_runs(8, 1);
}

static void modified_hot_code_is_the_new_code(void)
{
    modify_runs(9, HOT);
}

/* A loop that patches an instruction ahead of itself on its own page. */
asm(".balign 4096\n"
    ".globl patch_self\n"
    "patch_self:\n" /* x0 = rounds; returns the sum of what the patched instruction yields */
    "    mov x1, x0\n"
    "    mov x0, #0\n"
    "    adr x2, 2f\n"
    "1:  ldr w3, 3f\n"
    "    add w3, w3, w1, lsl #5\n"
    "    str w3, [x2]\n"
    "    dc cvau, x2\n"
    "    dsb ish\n"
    "    ic ivau, x2\n"
    "    dsb ish\n"
    "    isb\n"
    "2:  movz x4, #0\n"
    "    add x0, x0, x4\n"
    "    subs x1, x1, #1\n"
    "    b.ne 1b\n"
    "    ret\n"
    "3:  movz x4, #0\n");
extern char patch_self[];

static void code_that_patches_itself_runs_the_patch(void)
{
    check_eq(guarded_call((u64)patch_self, 1000), 1000 * 1001 / 2);
}

static void code_of_an_asid_stays_its_own(void)
{
    u64 *root = (u64 *)take_pages(1), *l2 = (u64 *)take_pages(1), *l3 = (u64 *)take_pages(1);
    u64 a = take_pages(1), b = take_pages(1);

    put_function(a, 1);
    put_function(b, 2);
    sync_code(a, 8);
    sync_code(b, 8);
    for (unsigned i = 0; i < 512; i++) {
        root[i] = table_l1[i];
    }
    root[2] = (u64)l2 | PTE_VALID | PTE_PAGE;
    l2[0] = (u64)l3 | PTE_VALID | PTE_PAGE;
    l3[10] = b | PAGE | PTE_NG;
    set_page(10, a | PAGE | PTE_NG);
    for (unsigned i = 0; i < 6; i++) {
        unsigned times = i < 3 ? 1 : HOT;

        write_sysreg(ttbr0_el1, (u64)table_l1 | UINT64_C(1) << 48);
        check(returns(VA(10), times, 1));
        write_sysreg(ttbr0_el1, (u64)root | UINT64_C(2) << 48);
        check(returns(VA(10), times, 2));
    }
    write_sysreg(ttbr0_el1, (u64)table_l1);
    tlbi_all();
}

asm(".globl el0_target, el0_often\n"
    "el0_target: blr x0\n svc #1\n"
    "el0_often: mov x9, #1000\n mov x10, x0\n mov x11, #0\n" /* sum of 1000 calls */
    "1: blr x10\n add x11, x11, x0\n subs x9, x9, #1\n b.ne 1b\n mov x0, x11\n svc #1\n");
void el0_target(void);
void el0_often(void);

static void el0_code_goes_with_its_mapping(void)
{
    u64 a = take_pages(1), b = take_pages(1);

    put_function(a, 1);
    put_function(b, 2);
    for (unsigned i = 0; i < 1000; i++) {
        set_page(11, (i & 1 ? b : a) | PAGE | PTE_EL0 | PTE_RO | PTE_NG);
        asm volatile("dsb ish\n tlbi vae1is, %0\n dsb ish\n isb" ::"r"(VA(11) >> 12) : "memory");
        if (run_el0(el0_target, VA(11)) != 1 + (i & 1)) {
            check(!"the other page's code");
            return;
        }
        set_page(11, 0);
        asm volatile("dsb ish\n tlbi vae1is, %0\n dsb ish\n isb" ::"r"(VA(11) >> 12) : "memory");
    }
    run_el0(el0_target, VA(11));
    last_was(EC_IABORT_EL0, FSC_TRANSLATION + 3, VA(11));
}

/* Address spaces as a kernel switches them: each has another page, the same one, or none. */
static void el0_code_follows_its_address_space(void)
{
    enum { SPACES = 4 };
    u64 *roots[SPACES], *leaves[SPACES], pages[SPACES];

    for (unsigned i = 0; i < SPACES; i++) {
        u64 *l2 = (u64 *)take_pages(1);

        roots[i] = (u64 *)take_pages(1);
        leaves[i] = (u64 *)take_pages(1);
        pages[i] = take_pages(1);
        for (unsigned k = 0; k < 512; k++) {
            roots[i][k] = table_l1[k];
        }
        roots[i][2] = (u64)l2 | PTE_VALID | PTE_PAGE;
        l2[0] = (u64)leaves[i] | PTE_VALID | PTE_PAGE;
        put_function(pages[i], i + 1);
        sync_code(pages[i], 8);
        leaves[i][13] = pages[i] | PAGE | PTE_EL0 | PTE_RO | PTE_NG; /* one of its own */
        leaves[i][14] = pages[0] | PAGE | PTE_EL0 | PTE_RO | PTE_NG; /* shared */
        leaves[i][15] = i & 1 ? pages[i] | PAGE | PTE_EL0 | PTE_RO | PTE_NG : 0;
    }
    for (unsigned round = 0; round < 40; round++) {
        unsigned i = round % SPACES;

        write_sysreg(ttbr0_el1, (u64)roots[i] | (u64)(i + 1) << 48);
        check_eq(run_el0(el0_often, VA(13)), 1000 * (i + 1));
        check_eq(run_el0(el0_often, VA(14)), 1000);
        if (i & 1) {
            check_eq(run_el0(el0_often, VA(15)), 1000 * (i + 1));
        } else {
            run_el0(el0_often, VA(15));
            last_was(EC_IABORT_EL0, FSC_TRANSLATION + 3, VA(15));
        }
    }

    /* An ASID is given to another address space: its old translations go, also those of code. */
    asm volatile("dsb ish\n tlbi aside1is, %0\n dsb ish\n isb" ::"r"(UINT64_C(1) << 48));
    write_sysreg(ttbr0_el1, (u64)roots[3] | UINT64_C(1) << 48);
    check_eq(run_el0(el0_often, VA(13)), 4000);

    /* What one address space changes in a shared page, the other runs too. */
    put_function(pages[0], 9);
    sync_code(pages[0], 8);
    check_eq(run_el0(el0_often, VA(14)), 9000);
    write_sysreg(ttbr0_el1, (u64)roots[1] | UINT64_C(2) << 48);
    check_eq(run_el0(el0_often, VA(14)), 9000);

    /* Taken away while another one runs. */
    leaves[2][13] = 0;
    asm volatile(
        "dsb ish\n tlbi vae1is, %0\n dsb ish\n isb" ::"r"(VA(13) >> 12 | UINT64_C(3) << 48));
    check_eq(run_el0(el0_often, VA(13)), 2000);
    write_sysreg(ttbr0_el1, (u64)roots[2] | UINT64_C(3) << 48);
    run_el0(el0_often, VA(13));
    last_was(EC_IABORT_EL0, FSC_TRANSLATION + 3, VA(13));
    write_sysreg(ttbr0_el1, (u64)table_l1);
    tlbi_all();
}

static void a_fault_in_hot_code_names_its_instruction(void)
{
    u64 pa = take_pages(1);

    write32(pa, 0xf9400001);     /* ldr x1, [x0] */
    write32(pa + 4, 0x8b010020); /* add x0, x1, x1 */
    write32(pa + 8, RET);
    set_page(12, pa | PAGE);
    sync_code(VA(12), 12);
    write64(pa + 64, 21);
    for (unsigned i = 0; i < HOT; i++) {
        check_eq(guarded_call(VA(12), pa + 64), 42);
    }
    guarded_call(VA(12), VA(30));
    check_eq(ESR_EC(this_cpu()->esr), EC_DABORT);
    check_eq(this_cpu()->far, VA(30));
    check_eq(this_cpu()->elr, VA(12));
}

static void device_accesses_keep_their_size(void)
{
    u64 value;

    if (!have_ports()) {
        skip("no scratch port");
        return;
    }
    for (unsigned i = 0; i < 1000; i++) { /* cold, then hot */
        write64(PORT_SCRATCH, 0x1122334455667788);
        check_eq(read32(PORT_LAST_LEN), 8);
        asm volatile("strb %w0, [%1]" ::"r"(0x1ff), "r"((u64)PORT_SCRATCH) : "memory");
        check_eq(read32(PORT_LAST_LEN), 1);
        check_eq(read64(PORT_SCRATCH), 0x11223344556677ff);
        asm volatile("ldrsh %0, [%1]" : "=r"(value) : "r"((u64)PORT_SCRATCH) : "memory");
        check_eq(read32(PORT_LAST_LEN), 2);
        check_eq(value, 0x77ff);
        asm volatile("ldrsb %0, [%1]" : "=r"(value) : "r"((u64)PORT_SCRATCH) : "memory");
        if (!is_kvm_on_qemu()) { /* its syndrome never says that a load extends the sign */
            check_eq(value, UINT64_MAX);
        }
    }
}

/* A hypervisor learns from the syndrome only of single general registers without write-back; it
 * can but abort the rest. On a machine with a real UART there such an access works. */
static void device_access_without_syndrome_is_external_abort(void)
{
    u64 base = PORT_SCRATCH, traps = this_cpu()->traps;

    if (!have_ports()) {
        skip("no scratch port");
        return;
    }
    this_cpu()->expect = 2;
    asm volatile("ldp x16, x17, [%0]\n ldr x16, [%0], #8" : "+r"(base)::"x16", "x17", "memory");
    this_cpu()->expect = 0;
    check_eq(this_cpu()->traps, traps + 2);
    check_eq(ESR_FSC(this_cpu()->esr), FSC_EXTERNAL);
    check_eq(base, PORT_SCRATCH);
}

/* Whoever answers may also refuse, and each access is one abort that names its address. */
static void refused_device_access_is_external_abort(void)
{
    u64 traps = this_cpu()->traps, value = 5;

    if (!have_ports()) {
        skip("no port that refuses");
        return;
    }
    this_cpu()->expect = 2;
    asm volatile("ldr %w0, [%1]" : "+r"(value) : "r"((u64)PORT_FAULT) : "memory");
    check_eq(ESR_ISS(this_cpu()->esr) & 0x40, 0);
    asm volatile("str wzr, [%0]" ::"r"((u64)PORT_FAULT) : "memory");
    this_cpu()->expect = 0;
    check_eq(this_cpu()->traps, traps + 2);
    check_eq(ESR_FSC(this_cpu()->esr), FSC_EXTERNAL);
    check_eq(ESR_ISS(this_cpu()->esr) & 0x40, is_kvm() ? 0 : 0x40); /* WnR, which KVM leaves out */
    check_eq(this_cpu()->far, PORT_FAULT);
    check_eq(value, 5);
}

static const Rule rules[] = {
    RULE("/code/unmapped-is-instruction-abort", unmapped_code_is_instruction_abort),
    RULE("/code/pxn-stops-el1-and-uxn-stops-el0", pxn_stops_el1_and_uxn_stops_el0),
    RULE("/code/writable-by-el0-is-not-for-el1", code_writable_by_el0_is_not_for_el1),
    RULE("/code/el0-can-execute-what-it-cannot-read", el0_can_execute_what_it_cannot_read),
    RULE("/code/remapped-cold-code-is-the-new-code", remapped_cold_code_is_the_new_code),
    RULE("/code/remapped-hot-code-is-the-new-code", remapped_hot_code_is_the_new_code),
    RULE("/code/unmapped-hot-code-stops-running", unmapped_hot_code_stops_running),
    RULE("/code/modified-cold-code-is-the-new-code", modified_cold_code_is_the_new_code),
    RULE("/code/modified-hot-code-is-the-new-code", modified_hot_code_is_the_new_code),
    RULE("/code/patching-itself-runs-the-patch", code_that_patches_itself_runs_the_patch),
    RULE("/code/of-an-asid-stays-its-own", code_of_an_asid_stays_its_own),
    RULE("/code/el0-goes-with-its-mapping", el0_code_goes_with_its_mapping),
    RULE("/code/el0-follows-its-address-space", el0_code_follows_its_address_space),
    RULE("/code/fault-in-hot-code-names-its-instruction",
         a_fault_in_hot_code_names_its_instruction),
    RULE("/device/accesses-keep-their-size", device_accesses_keep_their_size),
    RULE("/device/access-without-syndrome-is-external-abort",
         device_access_without_syndrome_is_external_abort),
    RULE("/device/refused-access-is-external-abort", refused_device_access_is_external_abort),
};

void payload_main(void)
{
    mmu_init();
    mmu_on();
    RUN(rules);
}
