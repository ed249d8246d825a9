/* SPDX-License-Identifier: GPL-2.0-or-later
 * Rules of synchronous exceptions and of PSTATE: syndrome, return address, vector, stack pointer
 * selection, traps of EL0, illegal returns, what ERET does. Interrupts are in gic.c and timer.c.
 */
#include "lib.h"

static void last_was(unsigned ec, u64 iss, u64 vector)
{
    Cpu *cpu = this_cpu();

    check_eq(ESR_EC(cpu->esr), ec);
    check_eq(ESR_ISS(cpu->esr), iss);
    check_eq(cpu->vector, vector);
    check(cpu->esr & ESR_IL);
}

/* Runs text, whose trapping instruction is labelled 77, with one trap expected there. */
#define TRAPS(text, ...)                                                                           \
    ({                                                                                             \
        u64 at_;                                                                                   \
        this_cpu()->expect = 1;                                                                    \
        asm volatile("adr %0, 77f\n" text : "=&r"(at_) : __VA_ARGS__ : "memory", "x17", "x16");    \
        this_cpu()->expect = 0;                                                                    \
        at_;                                                                                       \
    })

static void svc_returns_after_itself(void)
{
    u64 at = TRAPS("77: svc #0x1234\n");

    last_was(EC_SVC, 0x1234, 4);
    check_eq(this_cpu()->elr, at + 4);
}

static void brk_points_at_itself(void)
{
    u64 at = TRAPS("77: brk #0xabcd\n");

    last_was(EC_BRK, 0xabcd, 4);
    check_eq(this_cpu()->elr, at);
}

static void undefined_points_at_itself(void)
{
    u64 at = TRAPS("77: udf #7\n");

    last_was(EC_UNKNOWN, 0, 4);
    check_eq(this_cpu()->elr, at);
    TRAPS("77: smc #0\n"); /* no EL3 */
    last_was(EC_UNKNOWN, 0, 4);
    TRAPS("77: mrs x17, s3_4_c1_c1_0\n"); /* HCR_EL2: no EL2 */
    last_was(EC_UNKNOWN, 0, 4);
    TRAPS("77: .inst 0xffffffff\n");
    last_was(EC_UNKNOWN, 0, 4);
}

static void writing_a_read_only_register_is_undefined(void)
{
    TRAPS("77: .inst 0xd5180011\n"); /* msr midr_el1, x17 */
    last_was(EC_UNKNOWN, 0, 4);
}

static void spsr_keeps_flags_and_mode(void)
{
    u64 flags = 0x6 << 28;

    asm volatile("msr nzcv, %0" ::"r"(flags));
    TRAPS("msr nzcv, %1\n77: svc #0\n", "r"(flags));
    check_eq(this_cpu()->spsr >> 28 & 15, 6);
    check_eq(this_cpu()->spsr & 0x1f, 5);
    irq_on();
    TRAPS("77: svc #0\n");
    irq_off();
    check_eq(this_cpu()->spsr >> 6 & 15, 0xd); /* DAIF as at the SVC: only I clear */
}

static u64 daif_inside, spsel_inside, el_inside;

static void note_pstate(Frame *frame)
{
    daif_inside = read_sysreg(daif);
    spsel_inside = read_sysreg(spsel);
    el_inside = read_sysreg(CurrentEL);
    this_cpu()->on_sync = 0;
}

static void entry_masks_everything(void)
{
    asm volatile("msr daifclr, #0xd");
    this_cpu()->on_sync = note_pstate;
    asm volatile("svc #0" ::: "memory");
    asm volatile("msr daifset, #0xd");
    check_eq(daif_inside, 0x3c0);
    check_eq(spsel_inside, 1);
    check_eq(el_inside, 4);
}

static void sp_el0_at_el1_uses_the_first_vectors(void)
{
    Cpu *cpu = this_cpu();
    u64 sp;

    cpu->expect = 1;
    asm volatile("mov x16, sp\n msr spsel, #0\n mov x17, sp\n mov sp, %1\n svc #5\n"
                 "mov %0, sp\n mov sp, x17\n msr spsel, #1"
                 : "=&r"(sp)
                 : "r"(UINT64_C(0x41234560))
                 : "x16", "x17", "memory");
    last_was(EC_SVC, 5, 0);
    check_eq(cpu->spsr & 0x1f, 4);
    check_eq(sp, 0x41234560);
}

static void each_stack_pointer_is_its_own(void)
{
    u64 a, b;

    write_sysreg(sp_el0, 0x1110);
    asm volatile("mov x16, sp\n msr spsel, #0\n mov %0, sp\n mov x17, #0x2220\n mov sp, x17\n"
                 "msr spsel, #1\n mov %1, sp\n cmp x16, %1\n cset %1, eq"
                 : "=&r"(a), "=&r"(b)::"x16", "x17", "memory", "cc");
    check_eq(a, 0x1110);
    check_eq(b, 1);
    check_eq(read_sysreg(sp_el0), 0x2220);
}

static u64 nested_esr;

static void take_another(Frame *frame)
{
    u64 elr = read_sysreg(elr_el1), spsr = read_sysreg(spsr_el1);

    this_cpu()->on_sync = 0;
    this_cpu()->expect = 1;
    asm volatile("brk #3" ::: "memory");
    nested_esr = this_cpu()->esr;
    check(read_sysreg(elr_el1) != elr); /* the inner one has overwritten it */
    write_sysreg(elr_el1, elr);
    write_sysreg(spsr_el1, spsr);
}

static void exceptions_nest(void)
{
    u64 before = this_cpu()->traps;

    this_cpu()->on_sync = take_another;
    asm volatile("svc #9" ::: "memory");
    check_eq(ESR_EC(nested_esr), EC_BRK);
    check_eq(this_cpu()->traps, before + 1);
}

static void misaligned_pc_is_pc_alignment_fault(void)
{
    u64 va = (u64)vectors + 2;

    check(exec_traps(va));
    check_eq(ESR_EC(this_cpu()->esr), EC_PC_ALIGN);
    check_eq(this_cpu()->far, va);
    check_eq(this_cpu()->elr, va);
}

static void alignment_is_checked_if_sctlr_a_says_so(void)
{
    u64 sctlr = read_sysreg(sctlr_el1);
    u64 va = EL0_DATA + 0x101;

    check(!read_traps(va));
    write_sysreg(sctlr_el1, sctlr | 2);
    check(read_traps(va));
    write_sysreg(sctlr_el1, sctlr);
    check_eq(ESR_EC(this_cpu()->esr), EC_DABORT);
    check_eq(ESR_FSC(this_cpu()->esr), FSC_ALIGNMENT);
    check_eq(this_cpu()->far, va);
}

static void exclusives_and_acquires_must_be_aligned(void)
{
    TRAPS("77: ldxr x17, [%1]\n", "r"(EL0_DATA + 0x104));
    check_eq(ESR_FSC(this_cpu()->esr), FSC_ALIGNMENT);
    check_eq(this_cpu()->far, EL0_DATA + 0x104);
    TRAPS("77: ldar x17, [%1]\n", "r"(EL0_DATA + 0x104));
    check_eq(ESR_FSC(this_cpu()->esr), FSC_ALIGNMENT);
    TRAPS("77: stlr wzr, [%1]\n", "r"(EL0_DATA + 0x102));
    check_eq(ESR_FSC(this_cpu()->esr), FSC_ALIGNMENT);
    check(this_cpu()->esr & ESR_WNR);
}

static void an_exception_return_clears_the_monitor(void)
{
    u64 status;

    this_cpu()->expect = 1;
    asm volatile("ldxr x16, [%1]\n svc #0\n stxr %w0, x16, [%1]"
                 : "=&r"(status)
                 : "r"(EL0_DATA + 0x100)
                 : "x16", "memory");
    check_eq(status, 1);
    asm volatile("ldxr x16, [%1]\n clrex\n stxr %w0, x16, [%1]"
                 : "=&r"(status)
                 : "r"(EL0_DATA + 0x100)
                 : "x16", "memory");
    check_eq(status, 1);
}

static void fp_traps_where_cpacr_says(void)
{
    write_sysreg(cpacr_el1, 0);
    TRAPS("77: fmov d0, xzr\n");
    check_eq(ESR_EC(this_cpu()->esr), EC_FP);
    write_sysreg(cpacr_el1, UINT64_C(3) << 20);
    asm volatile("fmov d0, xzr");
}

#define EL0(name, text)                                                                            \
    asm(".globl " #name "\n" #name ": " text "\n svc #0x77\n");                                    \
    void name(void)

EL0(el0_svc, "mov x0, #5\n svc #0x21");
EL0(el0_mrs_el1, "mrs x0, sctlr_el1");
EL0(el0_eret, "eret");
EL0(el0_hvc, "hvc #0");
EL0(el0_tlbi, "tlbi vmalle1");
EL0(el0_daif, "msr daifset, #2");
EL0(el0_ctr, "mrs x0, ctr_el0");
EL0(el0_cntvct, "mrs x0, cntvct_el0");
EL0(el0_cntp, "mrs x0, cntp_ctl_el0");
EL0(el0_zva, "dc zva, x0");
EL0(el0_cvau, "dc cvau, x0");
EL0(el0_wfi, "wfi");
EL0(el0_fp, "fmov d0, xzr");
EL0(el0_sp, "add sp, sp, #8\n ldr x1, [sp, #-32]");
EL0(el0_pc, "add x0, x0, #2\n br x0");
EL0(el0_tpidr, "msr tpidr_el0, x0\n mrs x0, tpidr_el0");
EL0(el0_tpidrro, "mrs x0, tpidrro_el0");
EL0(el0_vectors, "fadd d1, d0, d0\n ins v2.d[1], x0\n add v3.4s, v3.4s, v3.4s\n mrs x0, fpcr");
EL0(el0_set_fpcr, "msr fpcr, x0\n msr fpsr, x0");
EL0(el0_nzcv, "mov x1, #0xf0000000\n msr nzcv, x1\n mrs x0, nzcv");

static void el0_svc_uses_the_lower_el_vector(void)
{
    check_eq(run_el0(el0_svc, 0), 5);
    last_was(EC_SVC, 0x21, 8);
    check_eq(this_cpu()->spsr & 0x1f, 0);
    check_eq(this_cpu()->elr, el0_alias((void *)el0_svc) + 8);
}

static void el0_has_no_privileged_instructions(void)
{
    static void (*const code[])(void) = { el0_mrs_el1, el0_eret, el0_hvc, el0_tlbi };

    for (unsigned i = 0; i < sizeof(code) / sizeof(code[0]); i++) {
        run_el0(code[i], 0);
        last_was(EC_UNKNOWN, 0, 8);
        check_eq(this_cpu()->elr, el0_alias((const void *)code[i]));
    }
}

/* ISS of EC_SYSREG: op0, op2, op1, CRn, Rt, CRm, read */
#define ISS(op0, op1, crn, crm, op2, rt, read)                                                     \
    ((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (rt) << 5 | (crm) << 1 | (read))

static void el0_traps_follow_sctlr_and_cntkctl(void)
{
    u64 sctlr = read_sysreg(sctlr_el1);

    write_sysreg(cntkctl_el1, 0);
    run_el0(el0_ctr, 0);
    last_was(EC_SYSREG, ISS(3, 3, 0, 0, 1, 0, 1), 8);
    run_el0(el0_daif, 0);
    check_eq(ESR_EC(this_cpu()->esr), EC_SYSREG);
    run_el0(el0_cntvct, 0);
    last_was(EC_SYSREG, ISS(3, 3, 14, 0, 2, 0, 1), 8);
    run_el0(el0_cntp, 0);
    last_was(EC_SYSREG, ISS(3, 3, 14, 2, 1, 0, 1), 8);
    run_el0(el0_zva, EL0_DATA);
    last_was(EC_SYSREG, ISS(1, 3, 7, 4, 1, 0, 0), 8);
    run_el0(el0_cvau, EL0_DATA);
    last_was(EC_SYSREG, ISS(1, 3, 7, 11, 1, 0, 0), 8);
    run_el0(el0_wfi, 0);
    check_eq(ESR_EC(this_cpu()->esr), EC_WFX);

    /* UCT, UMA, DZE, UCI, nTWI; EL0VCTEN, EL0PTEN */
    write_sysreg(sctlr_el1, sctlr | 1 << 15 | 1 << 9 | 1 << 14 | 1 << 26 | 1 << 16);
    write_sysreg(cntkctl_el1, 2 | 1 << 9);
    run_el0(el0_ctr, 0);
    last_was(EC_SVC, 0x77, 8);
    run_el0(el0_daif, 0);
    last_was(EC_SVC, 0x77, 8);
    check_eq(this_cpu()->spsr >> 6 & 15, 2);
    run_el0(el0_cntvct, 0);
    last_was(EC_SVC, 0x77, 8);
    run_el0(el0_cntp, 0);
    last_was(EC_SVC, 0x77, 8);
    run_el0(el0_zva, EL0_DATA);
    last_was(EC_SVC, 0x77, 8);
    run_el0(el0_cvau, EL0_DATA);
    last_was(EC_SVC, 0x77, 8);
    write_sysreg(sctlr_el1, sctlr);
    write_sysreg(cntkctl_el1, 0);
}

static void dc_zva_zeroes_its_block(void)
{
    u64 size = 4u << (read_sysreg(dczid_el0) & 15);
    u64 base = EL0_DATA + 0x400;

    check(!(read_sysreg(dczid_el0) & 0x10));
    for (u64 i = 0; i < 3 * size; i += 8) {
        write64(base + i, i + 1);
    }
    asm volatile("dc zva, %0" ::"r"(base + size + 24) : "memory");
    for (u64 i = 0; i < 3 * size; i += 8) {
        check_eq(read64(base + i), i >= size && i < 2 * size ? 0 : i + 1);
    }
}

static void fp_of_el0_traps_alone_if_cpacr_is_1(void)
{
    write_sysreg(cpacr_el1, UINT64_C(1) << 20);
    asm volatile("fmov d0, xzr");
    run_el0(el0_fp, 0);
    check_eq(ESR_EC(this_cpu()->esr), EC_FP);
    check_eq(this_cpu()->vector, 8);
    write_sysreg(cpacr_el1, UINT64_C(3) << 20);
    run_el0(el0_fp, 0);
    last_was(EC_SVC, 0x77, 8);
}

/* V0 to V31, FPCR and FPSR are the same at both levels, cold and hot. */
static void vector_state_is_one_for_both_levels(void)
{
    for (u64 i = 1; i < 600; i++) {
        u64 d1, high, sum;

        asm volatile("msr fpcr, %0\n scvtf d0, %1\n dup v3.2d, %1" ::"r"(UINT64_C(1) << 22), "r"(i)
                     : "memory");
        check_eq(run_el0(el0_vectors, i), 1 << 22);
        asm volatile("fcvtzs %0, d1\n mov %1, v2.d[1]\n mov %2, v3.d[0]"
                     : "=r"(d1), "=r"(high), "=r"(sum));
        check_eq(d1, 2 * i);
        check_eq(high, i);
        check_eq(sum, 2 * i);
        run_el0(el0_set_fpcr, UINT64_C(1) << 25); /* DN in FPCR; RES0 in FPSR */
        check_eq(read_sysreg(fpcr), 1 << 25);
        write_sysreg(fpcr, 0);
    }
}

static void el0_misaligned_pc_is_pc_alignment_fault(void)
{
    run_el0(el0_pc, el0_alias((const void *)el0_pc));
    check_eq(ESR_EC(this_cpu()->esr), EC_PC_ALIGN);
    check_eq(this_cpu()->far, el0_alias((const void *)el0_pc) + 2);
}

static void thread_registers_are_kept_apart(void)
{
    write_sysreg(tpidrro_el0, 0x1234);
    check_eq(run_el0(el0_tpidr, 0x5678), 0x5678);
    check_eq(run_el0(el0_tpidrro, 0), 0x1234);
    check_eq(read_sysreg(tpidr_el0), 0x5678);
    check_eq(read_sysreg(tpidr_el1), (u64)this_cpu());
    check_eq(run_el0(el0_nzcv, 0), 0xf0000000);
}

static void illegal_return_sets_il(void)
{
    static const u64 modes[] = { 0x1, 0x8, 0x9, 0xc, 0xd, 0x7, 0x10 };

    unsigned n = sizeof(modes) / sizeof(modes[0]);

    if (read_sysreg(id_aa64pfr0_el1) & 2) {
        n--; /* this CPU has AArch32 at EL0: mode 0x10 is legal */
    }
    for (unsigned i = 0; i < n; i++) {
        u64 before = this_cpu()->traps;
        u64 at;

        this_cpu()->expect = 1;
        asm volatile("adr %0, 1f\n msr elr_el1, %0\n msr spsr_el1, %1\n adr x16, 2f\n"
                     "str x16, [%2]\n mov x16, sp\n str x16, [%2, #8]\n isb\n eret\n"
                     "1: nop\n nop\n2: str xzr, [%2]\n"
                     : "=&r"(at)
                     : "r"(modes[i]), "r"(this_cpu())
                     : "x16", "memory");
        this_cpu()->expect = 0;
        check_eq(this_cpu()->traps, before + 1);
        check_eq(ESR_EC(this_cpu()->esr), EC_ILLEGAL);
        check_eq(this_cpu()->elr, at);
        check(this_cpu()->spsr >> 20 & 1);
        check_eq(this_cpu()->vector, 4);
    }
}

static void vbar_moves_the_vectors(void)
{
    u64 copy = take_pages(1);
    u64 hit;

    for (unsigned i = 0; i < 16; i++) { /* x17 = 1, skip the instruction, return */
        u64 at = copy + i * 128;

        write32(at, 0xd2800031);     /* mov x17, #1 */
        write32(at + 4, 0xd69f03e0); /* eret */
    }
    sync_code(copy, 2048);
    for (unsigned i = 0; i < 1000; i++) {
        asm volatile("mov x17, #0\n msr vbar_el1, %1\n isb\n svc #0\n msr vbar_el1, %2\n isb\n"
                     "mov %0, x17"
                     : "=&r"(hit)
                     : "r"(copy), "r"(vectors)
                     : "x17", "memory");
        check_eq(hit, 1);
    }
}

static void wfe_with_an_event_goes_on(void)
{
    asm volatile("sev\n wfe\n sevl\n wfe" ::: "memory");
}

static void id_registers_promise_a_64_bit_cpu(void)
{
    check(read_sysreg(id_aa64pfr0_el1) >> 4 & 15); /* EL1 has AArch64 */
    if (!is_kvm()) {
        check_eq(read_sysreg(id_aa64pfr0_el1) >> 8 & 0xff, 0); /* no EL2, no EL3 */
    }
    check_eq(read_sysreg(id_aa64pfr0_el1) >> 24 & 15, 1);  /* GIC by system registers */
    check((read_sysreg(id_aa64mmfr0_el1) >> 28 & 15) < 2); /* 4 KiB granule, of 52 bits or less */
    check_eq(read_sysreg(mpidr_el1) & 0xff, 0);
}

static const Rule rules[] = {
    RULE("/exception/svc-returns-after-itself", svc_returns_after_itself),
    RULE("/exception/brk-points-at-itself", brk_points_at_itself),
    RULE("/exception/undefined-points-at-itself", undefined_points_at_itself),
    RULE("/exception/writing-a-read-only-register-is-undefined",
         writing_a_read_only_register_is_undefined),
    RULE("/exception/spsr-keeps-flags-and-mode", spsr_keeps_flags_and_mode),
    RULE("/exception/entry-masks-everything", entry_masks_everything),
    RULE("/exception/sp-el0-at-el1-uses-the-first-vectors", sp_el0_at_el1_uses_the_first_vectors),
    RULE("/exception/each-stack-pointer-is-its-own", each_stack_pointer_is_its_own),
    RULE("/exception/nest", exceptions_nest),
    RULE("/exception/misaligned-pc-is-pc-alignment-fault", misaligned_pc_is_pc_alignment_fault),
    RULE("/exception/alignment-is-checked-if-sctlr-a-says-so",
         alignment_is_checked_if_sctlr_a_says_so),
    RULE("/exception/exclusives-and-acquires-must-be-aligned",
         exclusives_and_acquires_must_be_aligned),
    RULE("/exception/return-clears-the-monitor", an_exception_return_clears_the_monitor),
    RULE("/exception/fp-traps-where-cpacr-says", fp_traps_where_cpacr_says),
    RULE("/el0/svc-uses-the-lower-el-vector", el0_svc_uses_the_lower_el_vector),
    RULE("/el0/has-no-privileged-instructions", el0_has_no_privileged_instructions),
    RULE("/el0/traps-follow-sctlr-and-cntkctl", el0_traps_follow_sctlr_and_cntkctl),
    RULE("/el0/fp-traps-alone-if-cpacr-is-1", fp_of_el0_traps_alone_if_cpacr_is_1),
    RULE("/el0/vector-state-is-one-for-both-levels", vector_state_is_one_for_both_levels),
    RULE("/el0/misaligned-pc-is-pc-alignment-fault", el0_misaligned_pc_is_pc_alignment_fault),
    RULE("/el0/thread-registers-are-kept-apart", thread_registers_are_kept_apart),
    RULE("/exception/dc-zva-zeroes-its-block", dc_zva_zeroes_its_block),
    RULE("/exception/illegal-return-sets-il", illegal_return_sets_il),
    RULE("/exception/vbar-moves-the-vectors", vbar_moves_the_vectors),
    RULE("/exception/wfe-with-an-event-goes-on", wfe_with_an_event_goes_on),
    RULE("/exception/id-registers-promise-a-64-bit-cpu", id_registers_promise_a_64_bit_cpu),
};

void payload_main(void)
{
    mmu_init();
    mmu_on();
    RUN(rules);
}
