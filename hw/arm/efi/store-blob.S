/* SPDX-License-Identifier: GPL-2.0-or-later
 * The driver's code as bytes of the program.
 */
    .section .rodata
    .globl efi_store_driver
    .globl efi_store_driver_end
    .balign 8
efi_store_driver:
    .incbin STORE_DRIVER
efi_store_driver_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
