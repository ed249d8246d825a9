/* SPDX-License-Identifier: GPL-2.0-or-later
 * A device's wires: groups of outputs and inputs, each with a name or without, and listening to
 * them. Interrupts of a system-bus device are the outputs called "sysbus-irq".
 */
#include "core-priv.h"

#define SYSBUS_IRQ "sysbus-irq"

typedef struct {
    char *name; /* NULL: the unnamed */
    unsigned n;
    IrqHandler seen; /* who listens besides, or NULL */
    void *seen_opaque;
    /* outputs */
    IrqLine **slots;
    IrqLine **real; /* while somebody listens: what the slots' wires go to, owned */
    /* inputs */
    Device *dev;
    IrqHandler handler;
} WireGroup;

static void group_free(gpointer data)
{
    WireGroup *g = data;

    g_free(g->name);
    g_free(g->real);
    g_free(g);
}

static WireGroup *find_group(GPtrArray *groups, const char *name)
{
    for (unsigned i = 0; groups != NULL && i < groups->len; i++) {
        WireGroup *g = g_ptr_array_index(groups, i);

        if (g_strcmp0(g->name, name) == 0) {
            return g;
        }
    }
    return NULL;
}

static WireGroup *add_group(GPtrArray **groups, const char *name, unsigned n)
{
    WireGroup *g = g_new0(WireGroup, 1);

    if (*groups == NULL) {
        *groups = g_ptr_array_new_with_free_func(group_free);
    }
    g->name = g_strdup(name);
    g->n = n;
    g_ptr_array_add(*groups, g);
    return g;
}

void device_wires_drop(DeviceWires *wires)
{
    for (unsigned i = 0; wires->outputs != NULL && i < wires->outputs->len; i++) {
        WireGroup *g = g_ptr_array_index(wires->outputs, i);

        for (unsigned k = 0; k < g->n; k++) {
            g_clear_pointer(&g->slots[k], irq_free);
            if (g->real != NULL) {
                g_clear_pointer(&g->real[k], irq_free);
            }
        }
        g_clear_pointer(&g->real, g_free);
        g->seen = NULL;
    }
}

void device_wires_free(DeviceWires *wires)
{
    device_wires_drop(wires);
    g_clear_pointer(&wires->outputs, g_ptr_array_unref);
    g_clear_pointer(&wires->inputs, g_ptr_array_unref);
}

/* ---- outputs ---- */

void device_declare_outputs(Device *dev, const char *name, IrqLine **slots, unsigned n)
{
    DeviceWires *w = device_wires(dev);
    WireGroup *g = find_group(w->outputs, name);

    if (g == NULL) {
        g = add_group(&w->outputs, name, n);
        g->slots = slots;
    }
    g_assert(g->slots == slots && g->n == n);
}

void device_connect_output(Device *dev, const char *name, unsigned n, IrqLine *irq)
{
    WireGroup *g = find_group(device_wires(dev)->outputs, name);
    IrqLine **slot;

    g_assert(g != NULL && n < g->n);
    slot = g->real != NULL ? &g->real[n] : &g->slots[n];
    g_assert(*slot == NULL);
    *slot = irq;
}

void device_declare_irqs(Device *dev, IrqLine **slots, unsigned n)
{
    device_declare_outputs(dev, SYSBUS_IRQ, slots, n);
}

void device_connect_irq(Device *dev, unsigned n, IrqLine *irq)
{
    device_connect_output(dev, SYSBUS_IRQ, n, irq);
}

static void hear_output(void *opaque, int n, int level)
{
    const WireGroup *g = opaque;

    irq_set(g->real[n], level);
    g->seen(g->seen_opaque, n, level);
}

bool device_intercept_outputs(Device *dev, IrqHandler seen, void *opaque)
{
    GPtrArray *outputs = device_wires(dev)->outputs;
    WireGroup *g = find_group(outputs, NULL);

    if (g == NULL) {
        g = find_group(outputs, SYSBUS_IRQ);
    }
    if (g == NULL || g->n == 0) {
        return false;
    }
    g->seen = seen;
    g->seen_opaque = opaque;
    if (g->real == NULL) {
        g->real = g_new0(IrqLine *, g->n);
        for (unsigned i = 0; i < g->n; i++) {
            g->real[i] = g->slots[i];
            g->slots[i] = irq_new(hear_output, g, i);
        }
    }
    return true;
}

/* ---- inputs ---- */

static void drive_input(void *opaque, int n, int level)
{
    const WireGroup *g = opaque;

    g->handler(g->dev, n, level);
    if (g->seen != NULL) {
        g->seen(g->seen_opaque, n, level);
    }
}

void device_declare_inputs(Device *dev, const char *name, IrqHandler handler, unsigned n)
{
    DeviceWires *w = device_wires(dev);
    WireGroup *g = find_group(w->inputs, name);

    if (g == NULL) {
        g = add_group(&w->inputs, name, n);
        g->dev = dev;
        g->handler = handler;
    }
    g_assert(g->handler == handler);
    g->n = n;
}

IrqLine *device_input(Device *dev, const char *name, unsigned n)
{
    WireGroup *g = find_group(device_wires(dev)->inputs, name);

    return g != NULL && n < g->n ? irq_new(drive_input, g, n) : NULL;
}

bool device_set_input(Device *dev, const char *name, unsigned n, int level)
{
    WireGroup *g = find_group(device_wires(dev)->inputs, name);

    if (g == NULL || n >= g->n) {
        return false;
    }
    drive_input(g, n, level);
    return true;
}

bool device_intercept_inputs(Device *dev, IrqHandler seen, void *opaque)
{
    WireGroup *g = find_group(device_wires(dev)->inputs, NULL);

    if (g == NULL || g->n == 0) {
        return false;
    }
    g->seen_opaque = opaque;
    g->seen = seen;
    return true;
}

void device_print_wires(Device *dev, GString *out, unsigned indent)
{
    const DeviceWires *w = device_wires(dev);

    for (unsigned i = 0; w->outputs != NULL && i < w->outputs->len; i++) {
        const WireGroup *g = g_ptr_array_index(w->outputs, i);

        g_string_append_printf(out, "%*sgpio-out \"%s\" %u\n", indent, "",
                               g->name != NULL ? g->name : "", g->n);
    }
    for (unsigned i = 0; w->inputs != NULL && i < w->inputs->len; i++) {
        const WireGroup *g = g_ptr_array_index(w->inputs, i);

        g_string_append_printf(out, "%*sgpio-in \"%s\" %u\n", indent, "",
                               g->name != NULL ? g->name : "", g->n);
    }
}
