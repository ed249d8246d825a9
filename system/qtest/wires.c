/* SPDX-License-Identifier: GPL-2.0-or-later
 * The qtest commands about wires: listening to the unnamed inputs or outputs of one device, which
 * sends a line for each change of level, and driving inputs.
 */
#include <string.h>

#include "hw/core/device.h"
#include "hw/core/qom.h"
#include "qtest-priv.h"

enum { MAX_WIRES = 256 };

static Device *listened; /* referenced */
static gint levels[MAX_WIRES];
static gint listening; /* a client wants to hear */

static void heard(void *opaque, int n, int level)
{
    if (n < 0 || n >= MAX_WIRES || !g_atomic_int_get(&listening)) {
        return;
    }
    level = level != 0;
    if (g_atomic_int_exchange(&levels[n], level) != level) {
        qtest_sendf("IRQ %s %d", level ? "raise" : "lower", n);
    }
}

void qtest_forget_wires(void)
{
    g_atomic_int_set(&listening, 0);
    g_clear_object(&listened);
}

static Device *find_device(const QtestLine *line)
{
    GObject *obj = line->n > 1 ? qom_resolve(line->word[1], NULL) : NULL;

    if (obj == NULL || !HUMPY_IS_DEVICE(obj)) {
        qtest_send("FAIL Unknown device");
        return NULL;
    }
    return HUMPY_DEVICE(obj);
}

static void intercept(const QtestLine *line, bool outputs)
{
    Device *dev = find_device(line);

    if (dev == NULL) {
        return;
    }
    if (listened != NULL && listened != dev) {
        qtest_send("FAIL IRQ intercept already enabled");
        return;
    }
    if (listened == NULL) {
        memset(levels, 0, sizeof(levels));
        listened = g_object_ref(dev);
        g_atomic_int_set(&listening, 1);
        /* A device without such wires has nothing to tell. */
        if (outputs) {
            device_intercept_outputs(dev, heard, NULL);
        } else {
            device_intercept_inputs(dev, heard, NULL);
        }
    }
    qtest_send("OK");
}

void qtest_intercept_in(const QtestLine *line)
{
    intercept(line, false);
}

void qtest_intercept_out(const QtestLine *line)
{
    intercept(line, true);
}

void qtest_set_irq_in(const QtestLine *line)
{
    Device *dev = find_device(line);
    const char *name;
    uint64_t n, level;

    if (dev == NULL || !qtest_number(line, 3, &n) || !qtest_number(line, 4, &level)) {
        return;
    }
    name = strcmp(line->word[2], "unnamed-gpio-in") == 0 ? NULL : line->word[2];
    if (n > INT_MAX || !device_set_input(dev, name, n, level != 0)) {
        qtest_sendf("FAIL no input %.80s number %.20s", line->word[2], line->word[3]);
        return;
    }
    qtest_send("OK");
}
