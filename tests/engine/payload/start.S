/* SPDX-License-Identifier: GPL-2.0-or-later
 * Entry of the first and of further CPUs, the vector table, and the two ways into code that may
 * not come back: guarded_call() at EL1 and el0_call(). What an exception means is lib.c's job.
 */
#include "offsets.h"

    .section .text.start, "ax"
    .globl _start
_start:
    ldr x1, =_bss
    ldr x2, =_end
1:  stp xzr, xzr, [x1], #16
    cmp x1, x2
    b.lo 1b
    mov x0, #0
    bl set_up_cpu
    bl payload_main
0:  wfi
    b 0b

/* PSCI CPU_ON: x0 = number of the CPU. */
    .globl secondary_start
secondary_start:
    bl set_up_cpu
    bl secondary_main
0:  wfi
    b 0b

/* x0 = number of the CPU, kept. Stack, vectors, FP, TPIDR_EL1 = its struct Cpu. */
set_up_cpu:
    msr spsel, #1
    ldr x1, =stacks
    add x2, x0, #1
    add x1, x1, x2, lsl #STACK_SHIFT
    mov sp, x1
    ldr x1, =vectors
    msr vbar_el1, x1
    mov x1, #3 << 20
    msr cpacr_el1, x1
    ldr x1, =cpus
    mov x2, #CPU_SIZE
    madd x1, x0, x2, x1
    msr tpidr_el1, x1
    isb
    ret

    .text
    .macro vector number
    .balign 128
    sub sp, sp, #FRAME_SIZE
    stp x0, x1, [sp]
    mov x1, #\number
    b common
    .endm

    .balign 2048
    .globl vectors
vectors:
    vector 0
    vector 1
    vector 2
    vector 3
    vector 4
    vector 5
    vector 6
    vector 7
    vector 8
    vector 9
    vector 10
    vector 11
    vector 12
    vector 13
    vector 14
    vector 15

common:
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    mrs x2, sp_el0
    stp x30, x2, [sp, #240]
    mrs x2, elr_el1
    mrs x3, spsr_el1
    stp x2, x3, [sp, #256]
    mrs x2, esr_el1
    mrs x3, far_el1
    stp x2, x3, [sp, #272]
    mov x0, sp
    bl exception
    ldp x2, x3, [sp, #256]
    msr elr_el1, x2
    msr spsr_el1, x3
    ldp x30, x2, [sp, #240]
    msr sp_el0, x2
    ldp x28, x29, [sp, #224]
    ldp x26, x27, [sp, #208]
    ldp x24, x25, [sp, #192]
    ldp x22, x23, [sp, #176]
    ldp x20, x21, [sp, #160]
    ldp x18, x19, [sp, #144]
    ldp x16, x17, [sp, #128]
    ldp x14, x15, [sp, #112]
    ldp x12, x13, [sp, #96]
    ldp x10, x11, [sp, #80]
    ldp x8, x9, [sp, #64]
    ldp x6, x7, [sp, #48]
    ldp x4, x5, [sp, #32]
    ldp x2, x3, [sp, #16]
    ldp x0, x1, [sp]
    add sp, sp, #FRAME_SIZE
    eret

    .macro save_callee
    stp x29, x30, [sp, #-96]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    .endm

    .macro restore_callee
    ldp x27, x28, [sp, #80]
    ldp x25, x26, [sp, #64]
    ldp x23, x24, [sp, #48]
    ldp x21, x22, [sp, #32]
    ldp x19, x20, [sp, #16]
    ldp x29, x30, [sp], #96
    .endm

/* u64 guarded_call(u64 pc, u64 arg): calls pc(arg); comes back also if that traps. */
    .globl guarded_call
guarded_call:
    save_callee
    mrs x9, tpidr_el1
    adr x10, 1f
    str x10, [x9, #CPU_RESUME]
    mov x10, sp
    str x10, [x9, #CPU_RESUME_SP]
    mov x9, x0
    mov x0, x1
    blr x9
1:  mrs x9, tpidr_el1
    ldr x10, [x9, #CPU_RESUME_SP]
    mov sp, x10
    str xzr, [x9, #CPU_RESUME]
    restore_callee
    ret

/* u64 el0_call(u64 pc, u64 sp, u64 arg): runs at EL0 until the first synchronous exception, which
 * is recorded in struct Cpu; returns x0 at that point. */
    .globl el0_call
el0_call:
    save_callee
    mrs x9, tpidr_el1
    mov x10, sp
    str x10, [x9, #CPU_EL0_SP]
    msr elr_el1, x0
    msr sp_el0, x1
    msr spsr_el1, xzr
    mov x0, x2
    eret

/* void el0_leave(u64 value): returns value from the el0_call() that is under way. */
    .globl el0_leave
el0_leave:
    mrs x9, tpidr_el1
    ldr x10, [x9, #CPU_EL0_SP]
    mov sp, x10
    restore_callee
    ret
