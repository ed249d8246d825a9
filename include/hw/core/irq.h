/* SPDX-License-Identifier: GPL-2.0-or-later
 * A wire: a source drives it, one handler hears it. Handlers run in the caller's thread.
 */
#pragma once

#include <stdbool.h>

typedef void (*IrqHandler)(void *opaque, int n, int level);
typedef struct IrqLine IrqLine;

IrqLine *irq_new(IrqHandler handler, void *opaque, int n);
void irq_free(IrqLine *irq);           /* NULL is fine */
void irq_set(IrqLine *irq, int level); /* [any] NULL is fine: unconnected */
