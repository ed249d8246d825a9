/* SPDX-License-Identifier: GPL-2.0-or-later
 * Start of the x86 payload: a PVH kernel (32-bit protected mode, no paging, EBX = start info) that
 * goes to long mode with the first 4 GiB mapped one to one, and the way other CPUs follow from
 * their SIPI. Interrupt stubs are at the end.
 */
#include "layout.h"

        .section .note.pvh, "a", @note
        .balign 4
        .long   4, 4, 18                /* XEN_ELFNOTE_PHYS32_ENTRY */
        .asciz  "Xen"
        .long   _start

        .section .text.start, "ax"
        .code32
        .global _start
_start:
        cli
        cld
        movl    %ebx, boot_info
        lgdt    gdtr
        ljmp    $SEL_CODE32, $1f
1:      movl    $SEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $stacks + STACK_SIZE, %esp
        xorl    %edi, %edi              /* CPU 0 */

/* EDI = number of the CPU, ESP = its stack. */
go_long:
        movl    %cr4, %eax
        orl     $0x20, %eax             /* PAE */
        movl    %eax, %cr4
        movl    $pml4, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx       /* EFER */
        rdmsr
        orl     $0x100, %eax            /* LME */
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax       /* PG */
        movl    %eax, %cr0
        ljmp    $SEL_CODE64, $1f
        .code64
1:      lidt    idtr(%rip)
        testl   %edi, %edi
        jnz     2f
        call    payload_main
2:      call    cpu_main
3:      cli
        hlt
        jmp     3b

/* Copied to TRAMPOLINE; a SIPI starts here in real mode with CS:0. */
        .code16
        .global trampoline, trampoline_end
trampoline:
        cli
        lgdtl   %cs:(trampoline_gdtr - trampoline)
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        ljmpl   $SEL_CODE32, $cpu_start
        .balign 8
trampoline_gdtr:
        .word   gdt_end - gdt - 1
        .long   gdt
trampoline_end:

        .code32
cpu_start:
        movl    $SEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $1, %edi
        lock xaddl %edi, cpu_count
        movl    %edi, %eax
        andl    $MAX_CPUS - 1, %eax
        imull   $STACK_SIZE, %eax
        leal    stacks + STACK_SIZE(%eax), %esp
        jmp     go_long

/* ---- interrupts ---- */
        .code64
        .text
        .balign 16
        .global stubs
stubs:
        .set    vector, 0
        .rept   256
        .balign 16
        pushq   $vector
        jmp     common
        .set    vector, vector + 1
        .endr
common:
        pushq   %rax
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %rbx
        movq    80(%rsp), %rdi          /* the vector */
        leaq    88(%rsp), %rsi          /* what the CPU has pushed */
        movq    %rsp, %rbx
        andq    $-16, %rsp
        cld
        call    on_vector
        movq    %rbx, %rsp
        popq    %rbx
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rdi
        popq    %rsi
        popq    %rdx
        popq    %rcx
        popq    %rax
        addq    $8, %rsp
        iretq

        .data
        .balign 8
gdt:    .quad   0
        .quad   0x00cf9b000000ffff      /* 32-bit code */
        .quad   0x00cf93000000ffff      /* data */
        .quad   0x00af9b000000ffff      /* 64-bit code */
gdt_end:
gdtr:   .word   gdt_end - gdt - 1
        .long   gdt
        .balign 8
        .global idtr, boot_info, cpu_count
idtr:   .word   256 * 16 - 1
        .quad   idt
boot_info:
        .long   0
cpu_count:
        .long   1

/* Ready made, with two MiB pages: a loop would be most of what a start costs where KVM emulates. */
        .balign 4096
pml4:   .quad   pdpt + 3
        .skip   4096 - 8
pdpt:   .quad   pds + 3, pds + 0x1003, pds + 0x2003, pds + 0x3003
        .skip   4096 - 32
pds:
        .set    page, 0x83
        .rept   2048
        .quad   page
        .set    page, page + 0x200000
        .endr

        .bss
        .global idt
idt:    .skip   4096
stacks: .skip   MAX_CPUS * STACK_SIZE

        .section .note.GNU-stack, "", @progbits
