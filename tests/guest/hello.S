/* SPDX-License-Identifier: GPL-2.0-or-later
 * The smallest arm64 Image: says H on the PL011 of the virt machine and powers off by PSCI, or
 * (WAITS) says H and sleeps. Header layout: Documentation/arm64/booting.rst.
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
#ifndef WAITS
        mov     w0, #'\n'
        str     w0, [x1]
        movz    x0, #0x0008             /* SYSTEM_OFF, 0x84000008 */
        movk    x0, #0x8400, lsl #16
        hvc     #0
#endif
2:      wfi
        b       2b
_end:
