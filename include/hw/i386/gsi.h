/* SPDX-License-Identifier: GPL-2.0-or-later
 * Global system interrupts: the lines into the interrupt controllers, wherever those are. Several
 * devices may share a line, which is up while one of them holds it up.
 */
#pragma once

#include "accel/accel.h"
#include "hw/core/irq.h"

enum { X86_N_GSIS = 24 };

typedef struct X86Gsis X86Gsis;

X86Gsis *x86_gsis_new(void);
/* Nothing drives a line any more. NULL is fine. */
void x86_gsis_free(X86Gsis *gsis);
/* gsi also drives out, which is taken; at most two. Before the guest runs. [main] */
void x86_gsi_add_output(X86Gsis *gsis, unsigned gsi, IrqLine *out);
/* A new wire to gsi, for one device's output. [main] */
IrqLine *x86_gsi_line(X86Gsis *gsis, unsigned gsi);
