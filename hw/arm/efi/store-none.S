/* SPDX-License-Identifier: GPL-2.0-or-later
 * No driver: the build had no arm64 compiler.
 */
    .section .rodata
    .globl efi_store_driver
    .globl efi_store_driver_end
efi_store_driver:
efi_store_driver_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
