/* SPDX-License-Identifier: GPL-2.0-or-later
 * The scripted engine: replays a list of accesses and exits instead of executing a guest, so that
 * a model's protocol can be tested without a CPU. It writes down what "the guest" saw.
 *
 * A script is steps separated by ';' or newlines. A step may start with "N:" for vCPU N (default:
 * the vCPU of the step before, at first 0). vCPU 0 runs once booted, others after "on N".
 *
 *     w4 ADDR DATA   store (1, 2, 4, 8 bytes): RAM, or an MMIO exit below the MMIO limit
 *     r4 ADDR        load; the answer is logged
 *     o4 PORT DATA   write a port (1, 2, 4 bytes): always a PIO exit
 *     i4 PORT        read a port; the answer is logged
 *     wfi            sleep until an SPI, I/O APIC input or MSI vector is pending, then acknowledge
 *                    all that are
 *     spin           run without any exit until interrupted, for ever
 *     on N           power vCPU N on
 *     off reset reset2 error     leave for good
 *     loop           start again at this vCPU's first step
 *
 * Past its last step a vCPU sleeps for ever.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The script of every VM made from now on; overrides the HUMPY_ENGINE_SCRIPT variable. NULL: no
 * steps. FALSE: *error (SYNTAX) names the step. [any] */
bool engine_script_set(const char *text, GError **error);

/* What happened so far in all scripted VMs, a line per event, and forgets it:
 *     map 0x40000000+0x200000 rwx     unmap …     boot 0 pc=0x40000000 x0=0x44000000
 *     0 w4 0x9000000 0x41             0 r4 0x9000018 = 0x90
 *     0 irq 16 17                     0 abort 0x50000000
 * Free with g_free(). [any] */
char *engine_script_take_log(void);
