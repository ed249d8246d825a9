/* SPDX-License-Identifier: GPL-2.0-or-later
 * A wire between a device's output and whoever listens. It keeps no level: the listener does,
 * because only it knows whether the line means an edge or a state.
 */
#include "hw/core/irq.h"

#include <glib.h>

struct IrqLine {
    IrqHandler handler;
    void *opaque;
    int n;
};

IrqLine *irq_new(IrqHandler handler, void *opaque, int n)
{
    IrqLine *irq = g_new(IrqLine, 1);

    *irq = (IrqLine){ .handler = handler, .opaque = opaque, .n = n };
    return irq;
}

void irq_free(IrqLine *irq)
{
    g_free(irq);
}

void irq_set(IrqLine *irq, int level)
{
    if (irq != NULL) {
        irq->handler(irq->opaque, irq->n, level);
    }
}
