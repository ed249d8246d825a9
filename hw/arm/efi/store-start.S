/* SPDX-License-Identifier: GPL-2.0-or-later
 * The start of the driver's code: what Humpy fills in (store-params.h), then the entry point.
 */
    .section .start, "ax"
    .globl store_params
    .hidden store_params
    .balign 8
store_params:
    .skip 64
    .globl store_entry
store_entry:
    b store_main
