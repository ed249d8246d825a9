/* SPDX-License-Identifier: GPL-2.0-or-later
 * hello.S that stays: says H on the PL011 of the virt machine and sleeps.
 */
        .section .text
        .global _start
_start:
        b       1f                      /* code0 */
        .long   0                       /* code1 */
        .quad   0                       /* text_offset */
        .quad   _end - _start           /* image_size */
        .quad   0xa                     /* flags: little endian, 4K, anywhere */
        .quad   0, 0, 0
        .ascii  "ARM\x64"
        .long   0
1:      mov     x1, #0x09000000
        mov     w0, #'H'
        str     w0, [x1]
2:      wfi
        b       2b
_end:
