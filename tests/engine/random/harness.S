/* SPDX-License-Identifier: GPL-2.0-or-later
 * Runs the sequences of a program (layout.h) one after another, each as often as asked, and keeps
 * what they leave behind. Built twice: -DBARE for the engine, without it for a user-mode emulator
 * of Linux.
 */
#include "layout.h"

    .text
    .globl _start
_start:
    b main
    b seq_exit

main:
#ifdef BARE
    mov x0, #3 << 20
    msr cpacr_el1, x0
    mov x0, #0xff00
    msr mair_el1, x0
    ldr x0, =0x100803519 /* T0SZ 25, inner write-back, no TTBR1, 36-bit IPA */
    msr tcr_el1, x0
    ldr x0, =TABLES
    msr ttbr0_el1, x0
    adr x0, vectors
    msr vbar_el1, x0
    tlbi vmalle1
    dsb sy
    isb
    ldr x0, =0x34d0d81d /* M, C, I, SA, SA0, UCI, UCT, DZE and RES1 */
    msr sctlr_el1, x0
    isb
    ldr x0, =PROGRAM
    ldr x0, [x0, #PROGRAM_EL]
    cbnz x0, run
    msr spsr_el1, xzr
    adr x0, run
    msr elr_el1, x0
    eret
#endif

run:
    ldr x19, =PROGRAM
    ldr x20, [x19, #PROGRAM_COUNT]
    ldr x21, [x19, #PROGRAM_ITERATIONS]
    add x22, x19, #PROGRAM_ENTRIES
    ldr x23, =RESULTS
next_sequence:
    cbz x20, done
    ldp x24, x25, [x22], #16
    mov x26, x21
again:
    add x0, x25, #STATE_WINDOW
    ldr x1, =WINDOW
    mov x2, #WINDOW_SIZE / 32
1:  ldp q0, q1, [x0], #32
    stp q0, q1, [x1], #32
    subs x2, x2, #1
    b.ne 1b
    ldr x0, =CONTEXT
    stp x20, x21, [x0]
    stp x22, x23, [x0, #16]
    stp x24, x25, [x0, #32]
    add x1, x23, #STATE_SIZE
    cmp x26, x21
    csel x1, x23, x1, eq
    stp x26, xzr, [x0, #48]
    str x1, [x0, #CONTEXT_OUT]

    add x0, x25, #STATE_V
    ldp q0, q1, [x0]
    ldp q2, q3, [x0, #32]
    ldp q4, q5, [x0, #64]
    ldp q6, q7, [x0, #96]
    ldp q8, q9, [x0, #128]
    ldp q10, q11, [x0, #160]
    ldp q12, q13, [x0, #192]
    ldp q14, q15, [x0, #224]
    ldp q16, q17, [x0, #256]
    ldp q18, q19, [x0, #288]
    ldp q20, q21, [x0, #320]
    ldp q22, q23, [x0, #352]
    ldp q24, q25, [x0, #384]
    ldp q26, q27, [x0, #416]
    ldp q28, q29, [x0, #448]
    ldp q30, q31, [x0, #480]
    ldr x0, [x25, #STATE_FPCR]
    msr fpcr, x0
    ldr x0, [x25, #STATE_FPSR]
    msr fpsr, x0
    ldr x0, [x25, #STATE_NZCV]
    msr nzcv, x0
    ldr x0, [x25, #STATE_X + 31 * 8]
    mov sp, x0
    ldp x0, x1, [x25]
    ldp x2, x3, [x25, #16]
    ldp x4, x5, [x25, #32]
    ldp x6, x7, [x25, #48]
    ldp x8, x9, [x25, #64]
    ldp x10, x11, [x25, #80]
    ldp x12, x13, [x25, #96]
    ldp x14, x15, [x25, #112]
    ldp x16, x17, [x25, #128]
    ldp x18, x19, [x25, #144]
    ldp x20, x21, [x25, #160]
    ldp x22, x23, [x25, #176]
    ldp x26, x27, [x25, #208]
    ldp x28, x29, [x25, #224]
    ldr x30, [x25, #240] /* the sequence's address */
    ldp x24, x25, [x25, #192]
    br x30

seq_exit:
    msr tpidr_el0, x0
    ldr x0, =CONTEXT
    ldr x0, [x0, #CONTEXT_OUT]
    str x1, [x0, #8]
    stp x2, x3, [x0, #16]
    stp x4, x5, [x0, #32]
    stp x6, x7, [x0, #48]
    stp x8, x9, [x0, #64]
    stp x10, x11, [x0, #80]
    stp x12, x13, [x0, #96]
    stp x14, x15, [x0, #112]
    stp x16, x17, [x0, #128]
    stp x18, x19, [x0, #144]
    stp x20, x21, [x0, #160]
    stp x22, x23, [x0, #176]
    stp x24, x25, [x0, #192]
    stp x26, x27, [x0, #208]
    stp x28, x29, [x0, #224]
    mov x1, sp
    stp x30, x1, [x0, #240]
    mrs x1, tpidr_el0
    str x1, [x0]
    mrs x1, nzcv
    str x1, [x0, #STATE_NZCV]
    mrs x1, fpcr
    str x1, [x0, #STATE_FPCR]
    mrs x1, fpsr
    str x1, [x0, #STATE_FPSR]
    add x1, x0, #STATE_V
    stp q0, q1, [x1]
    stp q2, q3, [x1, #32]
    stp q4, q5, [x1, #64]
    stp q6, q7, [x1, #96]
    stp q8, q9, [x1, #128]
    stp q10, q11, [x1, #160]
    stp q12, q13, [x1, #192]
    stp q14, q15, [x1, #224]
    stp q16, q17, [x1, #256]
    stp q18, q19, [x1, #288]
    stp q20, q21, [x1, #320]
    stp q22, q23, [x1, #352]
    stp q24, q25, [x1, #384]
    stp q26, q27, [x1, #416]
    stp q28, q29, [x1, #448]
    stp q30, q31, [x1, #480]
    add x0, x0, #STATE_WINDOW
    ldr x1, =WINDOW
    mov x2, #WINDOW_SIZE / 32
1:  ldp q0, q1, [x1], #32
    stp q0, q1, [x0], #32
    subs x2, x2, #1
    b.ne 1b
sequence_over:
    ldr x0, =CONTEXT
    ldp x20, x21, [x0]
    ldp x22, x23, [x0, #16]
    ldp x24, x25, [x0, #32]
    ldr x26, [x0, #48]
    subs x26, x26, #1
    b.ne again
    add x23, x23, #2 * STATE_SIZE
    sub x20, x20, #1
    b next_sequence

#ifdef BARE
done:
    svc #0

    .balign 2048
vectors:
    .rept 16
    .balign 128
    b trapped
    .endr
trapped: /* an SVC is the end; anything else ends its sequence and is its result */
    mrs x1, esr_el1
    lsr x2, x1, #26
    cmp x2, #0x15
    b.eq 1f
    ldr x0, =CONTEXT
    ldr x0, [x0, #CONTEXT_OUT]
    mov x2, #TRAPPED
    str x2, [x0, #STATE_FPCR]
    mrs x2, elr_el1
    stp x1, x2, [x0]
    adr x1, sequence_over
    msr elr_el1, x1
    eret
1:  ldr x0, =0x09001000
    str wzr, [x0]
    b .
#else
done: /* write(1, RESULTS, x23 - RESULTS), exit(0) */
    ldr x24, =RESULTS
1:  subs x2, x23, x24
    b.eq 2f
    mov x0, #1
    mov x1, x24
    mov x8, #64
    svc #0
    cmp x0, #0
    b.le 3f
    add x24, x24, x0
    b 1b
2:  mov x0, #0
    mov x8, #93
    svc #0
3:  mov x0, #1
    mov x8, #93
    svc #0
#endif
    .ltorg
