/* SPDX-License-Identifier: GPL-2.0-or-later
 * The keyboard controller without keyboard, through the memory API.
 */
#include "hw/core/machine.h"
#include "hw/input/i8042.h"

enum { DATA = 0x60, COMMAND = 0x64, PORT_A = 0x92 };

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    Device *dev;
    int level[2];
    unsigned resets;
} Bench;

static void on_irq(void *opaque, int n, int level)
{
    ((Bench *)opaque)->level[n] = level;
}

static void on_report(void *opaque, MachineGuestReport report)
{
    ((Bench *)opaque)->resets += report == MACHINE_GUEST_RESET;
}

static void set_up(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    b->dev = g_object_new(TYPE_I8042, NULL);
    device_connect_irq(b->dev, 0, irq_new(on_irq, b, 0));
    device_connect_irq(b->dev, 1, irq_new(on_irq, b, 1));
    g_assert_true(device_realize(b->dev, &error));
    device_map(b->dev, I8042_DATA, &b->root, DATA);
    device_map(b->dev, I8042_COMMAND, &b->root, COMMAND);
    device_map(b->dev, I8042_PORT_A, &b->root, PORT_A);
    device_reset(b->dev);
    machine_set_guest_report_handler(on_report, b);
}

static void tear_down(Bench *b, gconstpointer data)
{
    machine_set_guest_report_handler(NULL, NULL);
    device_unrealize(b->dev);
    g_object_unref(b->dev);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
}

static uint8_t get(Bench *b, unsigned port)
{
    return address_space_ldub(b->as, port, NULL);
}

static void put(Bench *b, unsigned port, uint8_t value)
{
    address_space_stb(b->as, port, value, NULL);
}

static uint8_t ask(Bench *b, uint8_t command)
{
    put(b, COMMAND, command);
    g_assert_cmphex(get(b, COMMAND) & 0x03, ==, 0x01);
    return get(b, DATA);
}

static void self_tests(Bench *b, gconstpointer data)
{
    g_assert_cmphex(get(b, COMMAND), ==, 0x10);
    g_assert_cmphex(ask(b, 0xaa), ==, 0x55);
    g_assert_cmphex(get(b, COMMAND), ==, 0x1c); /* self-test passed, last write a command */
    g_assert_cmphex(ask(b, 0xab), ==, 0);
    g_assert_cmphex(ask(b, 0xa9), ==, 0);
}

static void mode_and_ram(Bench *b, gconstpointer data)
{
    put(b, COMMAND, 0x60);
    put(b, DATA, 0x47);
    g_assert_cmphex(ask(b, 0x20), ==, 0x47);
    put(b, COMMAND, 0x7f);
    put(b, DATA, 0x99);
    g_assert_cmphex(ask(b, 0x3f), ==, 0x99);
    put(b, COMMAND, 0xad);
    put(b, COMMAND, 0xa7);
    g_assert_cmphex(ask(b, 0x20), ==, 0x77);
    put(b, COMMAND, 0xae);
    put(b, COMMAND, 0xa8);
    g_assert_cmphex(ask(b, 0x20), ==, 0x47);
}

static void nobody_answers(Bench *b, gconstpointer data)
{
    put(b, DATA, 0xff); /* reset, to a keyboard */
    g_assert_cmphex(get(b, COMMAND) & 1, ==, 0);
    put(b, COMMAND, 0xd4);
    put(b, DATA, 0xf2); /* identify, to a mouse */
    g_assert_cmphex(get(b, COMMAND) & 1, ==, 0);
}

static void interrupts(Bench *b, gconstpointer data)
{
    put(b, COMMAND, 0x60);
    put(b, DATA, 3);
    put(b, COMMAND, 0xd2);
    put(b, DATA, 0x1e);
    g_assert_cmpint(b->level[0], ==, 1);
    g_assert_cmphex(ask(b, 0xd0), ==, 0x13); /* asked before: full */
    put(b, COMMAND, 0xd3);
    put(b, DATA, 0x2e);
    g_assert_cmpint(b->level[0], ==, 0);
    g_assert_cmpint(b->level[1], ==, 1);
    g_assert_cmphex(get(b, COMMAND) & 0x21, ==, 0x21);
    g_assert_cmphex(get(b, DATA), ==, 0x2e);
    g_assert_cmpint(b->level[1], ==, 0);
}

static void resets(Bench *b, gconstpointer data)
{
    put(b, COMMAND, 0xff);
    g_assert_cmpuint(b->resets, ==, 0);
    put(b, COMMAND, 0xfe);
    g_assert_cmpuint(b->resets, ==, 1);
    put(b, COMMAND, 0xd1);
    put(b, DATA, 0xdf);
    g_assert_cmpuint(b->resets, ==, 1);
    put(b, COMMAND, 0xd1);
    put(b, DATA, 0xde);
    g_assert_cmpuint(b->resets, ==, 2);
    put(b, PORT_A, 0x03);
    g_assert_cmpuint(b->resets, ==, 3);
}

static void a20(Bench *b, gconstpointer data)
{
    g_assert_cmphex(get(b, PORT_A), ==, 2);
    put(b, PORT_A, 0);
    g_assert_cmphex(get(b, PORT_A), ==, 0);
    g_assert_cmphex(ask(b, 0xd0), ==, 0x01);
    put(b, COMMAND, 0xd1);
    put(b, DATA, 0xdf);
    g_assert_cmphex(get(b, PORT_A), ==, 2);
}

static void reset_forgets(Bench *b, gconstpointer data)
{
    put(b, COMMAND, 0x60);
    put(b, DATA, 0x47);
    put(b, COMMAND, 0xd2); /* waits for a byte */
    put(b, PORT_A, 0);
    device_reset(b->dev);
    put(b, DATA, 0x55);
    g_assert_cmphex(get(b, COMMAND), ==, 0x10);
    g_assert_cmphex(ask(b, 0x20), ==, 0x30);
    g_assert_cmphex(get(b, PORT_A), ==, 2);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "self-tests-pass", self_tests },
        { "mode-and-ram-keep", mode_and_ram },
        { "keyboard-and-mouse-do-not-answer", nobody_answers },
        { "interrupts-by-mode", interrupts },
        { "three-ways-to-reset", resets },
        { "a20-remembers", a20 },
        { "reset-forgets", reset_forgets },
    };

    g_test_init(&argc, &argv, NULL);
    memory_thread_register();
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/i8042/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
