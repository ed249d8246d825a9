/* SPDX-License-Identifier: GPL-2.0-or-later
 * The qtest commands by name, and those that take only numbers: single accesses, ports, the clock.
 */
#include <string.h>

#include "../vm.h"
#include "accel/accel.h"
#include "hw/core/clock.h"
#include "hw/core/machine.h"
#include "qtest-priv.h"

bool qtest_number(const QtestLine *line, unsigned i, uint64_t *value)
{
    const char *text = i < line->n ? line->word[i] : NULL;
    char *end;

    if (text == NULL) {
        qtest_sendf("FAIL %s: argument %u is missing", line->word[0], i);
        return false;
    }
    *value = g_ascii_strtoull(text, &end, 0);
    if (end == text || *end != '\0') {
        qtest_sendf("FAIL %s: '%.80s' is not a number", line->word[0], text);
        return false;
    }
    return true;
}

/* ---- single accesses ---- */

static unsigned size_of(char letter)
{
    return letter == 'b' ? 1 : letter == 'w' ? 2 : letter == 'l' ? 4 : 8;
}

static AddressSpace *memory(void)
{
    return machine_memory(vm_machine(vm_current()));
}

/* readb ... readq */
static void load(const QtestLine *line)
{
    uint64_t addr, value = 0;

    if (qtest_number(line, 1, &addr)) {
        address_space_ld(memory(), addr, size_of(line->word[0][4]), &value);
        qtest_sendf("OK 0x%016" G_GINT64_MODIFIER "x", value);
    }
}

/* writeb ... writeq */
static void store(const QtestLine *line)
{
    uint64_t addr, value;

    if (qtest_number(line, 1, &addr) && qtest_number(line, 2, &value)) {
        address_space_st(memory(), addr, size_of(line->word[0][5]), value);
        qtest_send("OK");
    }
}

static bool port(const QtestLine *line, uint64_t *addr)
{
    if (!qtest_number(line, 1, addr)) {
        return false;
    }
    if (*addr > UINT16_MAX) {
        qtest_sendf("FAIL %s: a port is at most 0xffff", line->word[0]);
        return false;
    }
    return true;
}

static AddressSpace *ports(void)
{
    return machine_io(vm_machine(vm_current()));
}

/* inb, inw, inl: where nothing answers all lines are high. */
static void in(const QtestLine *line)
{
    unsigned size = size_of(line->word[0][2]);
    uint64_t addr, value;

    if (port(line, &addr)) {
        if (ports() == NULL || address_space_ld(ports(), addr, size, &value) != MEMTX_OK) {
            value = UINT32_MAX >> (4 - size) * 8;
        }
        qtest_sendf("OK 0x%04" G_GINT64_MODIFIER "x", value);
    }
}

static void out(const QtestLine *line)
{
    uint64_t addr, value;

    if (port(line, &addr) && qtest_number(line, 2, &value)) {
        if (ports() != NULL) {
            address_space_st(ports(), addr, size_of(line->word[0][3]), value);
        }
        qtest_send("OK");
    }
}

static void endianness(const QtestLine *line)
{
    qtest_send("OK little");
}

/* ---- the clock ---- */

static void tell_time(void)
{
    qtest_sendf("OK %" G_GINT64_FORMAT, clock_now());
}

static void clock_step(const QtestLine *line)
{
    int64_t now = clock_now(), next;
    uint64_t ns;

    if (line->n > 1) {
        if (!qtest_number(line, 1, &ns)) {
            return;
        }
        next = ns > (uint64_t)(INT64_MAX - now) ? INT64_MAX : now + (int64_t)ns;
    } else {
        next = clock_next_deadline();
    }
    if (next > now) {
        clock_set(next);
    }
    tell_time();
}

static void set_clock(const QtestLine *line)
{
    uint64_t ns;

    if (qtest_number(line, 1, &ns)) {
        clock_set(MIN(ns, INT64_MAX));
        tell_time();
    }
}

/* There is nothing that could be loaded. */
static void module_load(const QtestLine *line)
{
    qtest_send("FAIL");
}

/* ---- by name ---- */

static const struct {
    const char *name;
    void (*serve)(const QtestLine *line);
    bool clock; /* only where the virtual clock is ours to move */
    bool early; /* needs no machine */
} commands[] = {
    { "readl", load },
    { "writel", store },
    { "readb", load },
    { "readw", load },
    { "readq", load },
    { "writeb", store },
    { "writew", store },
    { "writeq", store },
    { "read", qtest_read },
    { "write", qtest_write },
    { "b64read", qtest_b64read },
    { "b64write", qtest_b64write },
    { "memset", qtest_memset },
    { "inb", in },
    { "inw", in },
    { "inl", in },
    { "outb", out },
    { "outw", out },
    { "outl", out },
    { "clock_step", clock_step, true, true },
    { "clock_set", set_clock, true, true },
    { "irq_intercept_in", qtest_intercept_in },
    { "irq_intercept_out", qtest_intercept_out },
    { "set_irq_in", qtest_set_irq_in },
    { "endianness", endianness, .early = true },
    { "module_load", module_load, .early = true },
};

void qtest_command(const QtestLine *line)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(line->word[0], commands[i].name) == 0 &&
            (!commands[i].clock || clock_is_manual())) {
            if (vm_current() != NULL || commands[i].early) {
                commands[i].serve(line);
            } else {
                qtest_sendf("FAIL %s: there is no machine yet", line->word[0]);
            }
            return;
        }
    }
    qtest_sendf("FAIL Unknown command '%.80s'", line->word[0]);
}
