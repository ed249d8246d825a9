/* SPDX-License-Identifier: GPL-2.0-or-later
 * 16550A UART through the memory API, against the PC16550D data sheet, section 8.
 */
#include "chardev-double.h"
#include "hw/char/serial.h"
#include "util/error.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = IIR };

static void set_up(Bench *b, gconstpointer data)
{
    bench_set_up(b, serial_new(&b->chr));
    device_reset(b->uart);
    b->chr.accepted = 0;
}

static uint8_t get(Bench *b, unsigned reg)
{
    return address_space_ldub(b->as, reg, NULL);
}

static void put(Bench *b, unsigned reg, uint8_t value)
{
    address_space_stb(b->as, reg, value, NULL);
}

static void reset_values(Bench *b, gconstpointer data)
{
    static const uint8_t values[] = { 0, 0, 0x01, 0, 0, 0x60, 0xb0, 0 };

    for (unsigned reg = 0; reg < G_N_ELEMENTS(values); reg++) {
        g_assert_cmphex(get(b, reg), ==, values[reg]);
    }
}

static void divisor_latch(Bench *b, gconstpointer data)
{
    put(b, LCR, 0x83);
    put(b, DATA, 0x34);
    put(b, IER, 0x12);
    g_assert_cmphex(get(b, DATA), ==, 0x34);
    g_assert_cmphex(get(b, IER), ==, 0x12);
    put(b, LCR, 0x03);
    g_assert_cmphex(get(b, IER), ==, 0);
    g_assert_cmpuint(b->chr.written->len, ==, 0);
}

static void registers_keep(Bench *b, gconstpointer data)
{
    put(b, SCR, 0xa5);
    put(b, IER, 0xff);
    put(b, MCR, 0xef);
    g_assert_cmphex(get(b, SCR), ==, 0xa5);
    g_assert_cmphex(get(b, IER), ==, 0x0f);
    g_assert_cmphex(get(b, MCR), ==, 0x0f);
    put(b, LSR, 0);
    g_assert_cmphex(get(b, LSR), ==, 0x60);
}

static void transmits(Bench *b, gconstpointer data)
{
    put(b, DATA, 'h');
    put(b, DATA, 'i');
    g_assert_cmpstr(b->chr.written->str, ==, "hi");
    g_assert_cmphex(get(b, LSR), ==, 0x60);
}

/* 8.6.5: asserted when the register is empty, gone when IIR has told of it. */
static void thre_interrupt(Bench *b, gconstpointer data)
{
    put(b, IER, 2);
    g_assert_cmpint(b->level, ==, 1);
    g_assert_cmphex(get(b, IIR), ==, 0x02);
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmphex(get(b, IIR), ==, 0x01);
    put(b, DATA, 'x');
    g_assert_cmpint(b->level, ==, 1);
    put(b, IER, 0);
    g_assert_cmpint(b->level, ==, 0);
}

static void receives_one_without_fifos(Bench *b, gconstpointer data)
{
    put(b, IER, 1);
    g_assert_cmpuint(chardev_double_type(&b->chr, "ab"), ==, 1);
    g_assert_cmpint(b->level, ==, 1);
    g_assert_cmphex(get(b, IIR), ==, 0x04);
    g_assert_cmphex(get(b, LSR), ==, 0x61);
    g_assert_cmphex(get(b, DATA), ==, 'a');
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmpuint(b->chr.accepted, ==, 1);
}

static void trigger_levels(Bench *b, gconstpointer data)
{
    static const uint8_t levels[] = { 1, 4, 8, 14 };

    for (unsigned i = 0; i < G_N_ELEMENTS(levels); i++) {
        put(b, FCR, i << 6 | 3);
        put(b, IER, 1);
        for (unsigned n = 1; n <= 16; n++) {
            g_assert_cmpuint(chardev_double_type(&b->chr, "z"), ==, 1);
            g_assert_cmphex(get(b, IIR), ==, n < levels[i] ? 0xcc : 0xc4);
        }
        g_assert_cmpuint(chardev_double_type(&b->chr, "z"), ==, 0);
        while (get(b, LSR) & 1) {
            get(b, DATA);
        }
        g_assert_cmpint(b->level, ==, 0);
        put(b, IER, 0);
    }
}

static void fifo_order(Bench *b, gconstpointer data)
{
    put(b, FCR, 1);
    for (unsigned round = 0; round < 3; round++) {
        g_assert_cmpuint(chardev_double_type(&b->chr, "0123456789abcdefghi"), ==, 16);
        for (const char *c = "0123456789abcdef"; *c != '\0'; c++) {
            g_assert_cmphex(get(b, DATA), ==, *c);
        }
        g_assert_cmphex(get(b, LSR), ==, 0x60);
    }
}

static void fifos_clear(Bench *b, gconstpointer data)
{
    put(b, FCR, 1);
    chardev_double_type(&b->chr, "abc");
    put(b, FCR, 3);
    g_assert_cmphex(get(b, LSR), ==, 0x60);
    chardev_double_type(&b->chr, "abc");
    put(b, FCR, 0);
    g_assert_cmphex(get(b, LSR), ==, 0x60);
    g_assert_cmphex(get(b, IIR), ==, 0x01);
    g_assert_cmpuint(b->chr.accepted, ==, 3);
}

static void loopback(Bench *b, gconstpointer data)
{
    put(b, FCR, 1);
    put(b, MCR, 0x10);
    put(b, DATA, 'q');
    g_assert_cmphex(get(b, DATA), ==, 'q');
    g_assert_cmpuint(b->chr.written->len, ==, 0);
    g_assert_cmpuint(b->chr.fe->can_receive(b->chr.opaque), ==, 0);
    for (unsigned i = 0; i < 17; i++) {
        put(b, DATA, 'a' + i);
    }
    g_assert_cmphex(get(b, LSR), ==, 0x63); /* one was lost */
    g_assert_cmphex(get(b, LSR), ==, 0x61);
    g_assert_cmphex(get(b, DATA), ==, 'a');
}

static void modem_lines(Bench *b, gconstpointer data)
{
    put(b, MCR, 0x10);
    g_assert_cmphex(get(b, MSR), ==, 0x0b); /* all inputs fell */
    g_assert_cmphex(get(b, MSR), ==, 0);
    put(b, IER, 8);
    put(b, MCR, 0x12);
    g_assert_cmpint(b->level, ==, 1);
    g_assert_cmphex(get(b, IIR), ==, 0);
    g_assert_cmphex(get(b, MSR), ==, 0x11);
    g_assert_cmpint(b->level, ==, 0);
    put(b, MCR, 0x16); /* RI rises: told only when it falls */
    g_assert_cmphex(get(b, MSR), ==, 0x50);
    put(b, MCR, 0x12);
    g_assert_cmphex(get(b, MSR), ==, 0x14);
}

static void breaks(Bench *b, gconstpointer data)
{
    put(b, FCR, 1);
    put(b, IER, 4);
    chardev_double_type(&b->chr, "a");
    b->chr.fe->event(b->chr.opaque, CHARDEV_BREAK);
    g_assert_cmphex(get(b, LSR), ==, 0xe1); /* behind a good one */
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmphex(get(b, DATA), ==, 'a');
    g_assert_cmphex(get(b, IIR), ==, 0xc6);
    g_assert_cmphex(get(b, LSR), ==, 0xf1);
    g_assert_cmphex(get(b, LSR), ==, 0x61);
    g_assert_cmphex(get(b, DATA), ==, 0);
    put(b, MCR, 0x10);
    put(b, LCR, 0x40);
    put(b, LCR, 0x40);
    g_assert_cmphex(get(b, LSR), ==, 0xf1);
    get(b, DATA);
    g_assert_cmphex(get(b, LSR), ==, 0x60);
}

static void priorities(Bench *b, gconstpointer data)
{
    put(b, FCR, 1);
    put(b, IER, 0xf);
    put(b, MCR, 0x10); /* modem status */
    put(b, DATA, 'a'); /* data, and an empty transmitter */
    put(b, LCR, 0x40); /* a break behind it */
    get(b, DATA);
    g_assert_cmphex(get(b, IIR), ==, 0xc6);
    get(b, LSR);
    g_assert_cmphex(get(b, IIR), ==, 0xc4);
    get(b, DATA);
    g_assert_cmphex(get(b, IIR), ==, 0xc2);
    g_assert_cmphex(get(b, IIR), ==, 0xc0);
    get(b, MSR);
    g_assert_cmphex(get(b, IIR), ==, 0xc1);
    g_assert_cmpuint(b->edges, ==, 1); /* it was up all the time */
}

static void wide_accesses(Bench *b, gconstpointer data)
{
    address_space_stw_le(b->as, DATA, 0x0241, NULL);
    g_assert_cmpstr(b->chr.written->str, ==, "A");
    g_assert_cmphex(get(b, IER), ==, 2);
    g_assert_cmphex(address_space_ldl_le(b->as, LCR, NULL), ==, 0xb0600000);
}

static void reset_forgets(Bench *b, gconstpointer data)
{
    put(b, FCR, 1);
    put(b, IER, 0xf);
    chardev_double_type(&b->chr, "abc");
    g_assert_cmpint(b->level, ==, 1);
    device_reset(b->uart);
    g_assert_cmpint(b->level, ==, 0);
    reset_values(b, NULL);
}

static void busy_back_end(void)
{
    g_autoptr(GError) error = NULL;
    struct Chardev chr = { .refuse = true };
    Device *uart = serial_new(&chr);

    g_assert_false(device_realize(uart, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_object_unref(uart);
}

static void no_back_end(void)
{
    g_autoptr(GError) error = NULL;
    MemoryRegion root;
    AddressSpace *as;
    Device *uart = serial_new(NULL);

    memory_region_init(&root, NULL, "root", UINT64_MAX);
    as = address_space_new(&root, "test");
    g_assert_true(device_realize(uart, &error));
    device_map(uart, 0, &root, 0);
    device_reset(uart);
    address_space_stb(as, DATA, 'x', NULL);
    address_space_stb(as, FCR, 7, NULL);
    g_assert_cmphex(address_space_ldub(as, LSR, NULL), ==, 0x60);
    device_unrealize(uart);
    g_object_unref(uart);
    address_space_free(as);
    memory_region_destroy(&root);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "reset-values-are-the-data-sheet's", reset_values },
        { "dlab-shows-the-divisor", divisor_latch },
        { "registers-keep-what-they-have", registers_keep },
        { "characters-are-sent-in-order", transmits },
        { "empty-transmitter-interrupts-until-iir-is-read", thre_interrupt },
        { "one-character-without-fifos", receives_one_without_fifos },
        { "trigger-levels-and-time-out", trigger_levels },
        { "fifo-keeps-order", fifo_order },
        { "fifos-are-cleared", fifos_clear },
        { "loopback-comes-back-and-overruns", loopback },
        { "modem-lines-in-loopback", modem_lines },
        { "breaks-arrive-at-their-place", breaks },
        { "interrupts-by-priority", priorities },
        { "wide-accesses-are-byte-accesses", wide_accesses },
        { "reset-forgets", reset_forgets },
    };

    g_test_init(&argc, &argv, NULL);
    memory_thread_register();
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/serial/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, bench_tear_down);
    }
    g_test_add_func("/serial/busy-back-end", busy_back_end);
    g_test_add_func("/serial/no-back-end", no_back_end);
    return g_test_run();
}
