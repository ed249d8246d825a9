/* SPDX-License-Identifier: GPL-2.0-or-later
 * Executes each of x0 words at SLOTS (8 bytes apart, a BRK behind each) REPEAT times with all
 * registers pointing into scratch memory, takes whatever exception ends it, and powers off.
 */
        .equ    SLOTS, 0x40100000
        .equ    SCRATCH, 0x40408000
        .equ    REPEAT, 300

        .section .text
        .global _start
_start: adr     x1, state
        str     x0, [x1]                /* words left */
        ldr     x2, =SLOTS
        mov     x3, #REPEAT
        stp     x2, x3, [x1, #8]        /* word, runs left */
        mov     x4, #3 << 20            /* CPACR_EL1.FPEN */
        msr     cpacr_el1, x4
        adr     x4, vectors
        msr     vbar_el1, x4
        isb

next:   msr     spsel, #1
        adr     x1, state
        ldp     x2, x3, [x1, #8]
        cbnz    x3, 1f
        add     x2, x2, #8
        mov     x3, #REPEAT
        ldr     x0, [x1]
        sub     x0, x0, #1
        str     x0, [x1]
        cbz     x0, off
1:      sub     x3, x3, #1
        stp     x2, x3, [x1, #8]
        ldr     x0, =SCRATCH
        mov     sp, x0
        .irp    r, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
        mov     x\r, x0
        .endr
        br      x2

off:    ldr     x0, =0x84000008         /* SYSTEM_OFF */
        hvc     #0
        b       .

        .balign 2048
vectors:
        .rept   16
        b       next
        .balign 128
        .endr
        .balign 8
state:  .quad   0, 0, 0
