/* SPDX-License-Identifier: GPL-2.0-or-later
 * Each command of the qtest protocol and its replies to the letter, on the virt machine: RAM at
 * 0x40000000, PL011 at 0x09000000 with interrupt 1 (SPI), nothing at 0x0.
 */
#include <string.h>

#include "client.h"

#define RAM    "0x40000000"
#define RAM_AT UINT64_C(0x40000000)
#define PL011  UINT64_C(0x09000000)

static void values(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt");

    qtest_assert_reply(q, "OK", "writeq " RAM " 0x1122334455667788");
    qtest_assert_reply(q, "OK 0x1122334455667788", "readq " RAM);
    qtest_assert_reply(q, "OK 0x0000000055667788", "readl " RAM);
    qtest_assert_reply(q, "OK 0x0000000000007788", "readw " RAM);
    qtest_assert_reply(q, "OK 0x0000000000000088", "readb " RAM);
    qtest_assert_reply(q, "OK", "writeb 0x40000001 0xaa");
    qtest_assert_reply(q, "OK", "writew 0x40000002 0xbbcc");
    qtest_assert_reply(q, "OK", "writel 0x40000004 1");
    qtest_assert_reply(q, "OK 0x00000001bbccaa88", "readq " RAM);
}

/* Numbers as C writes them; values are cut to the size of the access. */
static void numbers(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt");

    qtest_assert_reply(q, "OK", "writel 1073741824 010");
    qtest_assert_reply(q, "OK 0x0000000000000008", "readl " RAM);
    qtest_assert_reply(q, "OK", "writeb " RAM " 0x1ff");
    qtest_assert_reply(q, "OK 0x00000000000000ff", "readl " RAM);
}

static void bytes(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt");

    qtest_assert_reply(q, "OK", "write " RAM " 4 0x0aBCde0f");
    qtest_assert_reply(q, "OK 0x0abcde0f00", "read " RAM " 5");
    /* Data that is too short stands for zeros, and what is too long is cut. */
    qtest_assert_reply(q, "OK", "write " RAM " 4 0x77");
    qtest_assert_reply(q, "OK", "write 0x40000004 1 0x112233");
    qtest_assert_reply(q, "OK 0x770000001100", "read " RAM " 6");
    qtest_assert_reply(q, "ERR invalid argument size", "write " RAM " 4 0x");
}

static void base64(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt");

    qtest_assert_reply(q, "OK", "b64write " RAM " 3 AQID");
    qtest_assert_reply(q, "OK 0x010203", "read " RAM " 3");
    qtest_assert_reply(q, "OK AQIDAA==", "b64read " RAM " 4");
    qtest_assert_reply(q, "ERR invalid argument size", "b64write " RAM " 3 A");
}

/* What one encoding writes the other reads, at the sizes around which the server changes its way:
 * groups of three and six bytes, parts of 48 KiB. */
static void encodings_agree(void)
{
    static const size_t sizes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 49151, 49152, 49153, 150001 };
    g_autoptr(QTest) q = qtest_start("-machine virt");

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        size_t n = sizes[i], given;
        g_autofree uint8_t *data = g_malloc(n);
        g_autofree uint8_t *back = g_malloc(n);
        g_autofree char *text = NULL, *ours = NULL;
        g_autofree guchar *decoded = NULL;

        for (size_t j = 0; j < n; j++) {
            data[j] = g_test_rand_int();
        }
        text = g_base64_encode(data, n);
        g_free(qtest_ok(q, "b64write " RAM " %zu %s", n, text));
        qtest_read_bytes(q, 0x40000000, back, n);
        g_assert_cmpmem(back, n, data, n);

        data[n - 1] ^= 0xff;
        qtest_write_bytes(q, 0x40000000, data, n);
        ours = qtest_ok(q, "b64read " RAM " %zu", n);
        decoded = g_base64_decode(ours, &given);
        g_assert_cmpmem(decoded, given, data, n);
        g_assert_cmpuint(strlen(ours), ==, (n + 2) / 3 * 4);
    }
    qtest_assert_reply(q, "ERR data is not hexadecimal", "write " RAM " 2 0x1g22");
    qtest_assert_reply(q, "OK", "write " RAM " 3 0xaFfA09");
    qtest_assert_reply(q, "OK 0xaffa09", "read " RAM " 3");
}

static void memset_command(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt");

    qtest_assert_reply(q, "OK", "memset " RAM " 3 0x5a");
    qtest_assert_reply(q, "OK", "memset " RAM " 0 0xff");
    qtest_assert_reply(q, "OK 0x5a5a5a00", "read " RAM " 4");
}

static void ports(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt");

    qtest_assert_reply(q, "OK 0x00ff", "inb 0x0");
    qtest_assert_reply(q, "OK 0xffff", "inw 0xffff");
    qtest_assert_reply(q, "OK 0xffffffff", "inl 0x10");
    qtest_assert_reply(q, "OK", "outb 0x0 1");
    qtest_assert_reply(q, "OK", "outw 0x0 1");
    qtest_assert_reply(q, "OK", "outl 0xffff 1");
}

static void endianness(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt");

    qtest_assert_reply(q, "OK little", "endianness");
}

static void module_load(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt");

    qtest_assert_reply(q, "FAIL", "module_load hw- nothing");
}

static void unknown_command(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt");

    qtest_assert_reply(q, "FAIL Unknown command 'readx'", "readx 0x1");
    qtest_assert_reply(q, "FAIL Unknown command 'rtas'", "rtas get-time-of-day 0 0 0 0");
    qtest_assert_reply(q, "FAIL Unknown command ''", "%s", "");
    qtest_assert_reply(q, "FAIL Unknown command 'READL'", "READL " RAM);
}

/* Whatever is wrong with a line, it is answered and the next one is served. */
static void bad_lines(void)
{
    static const char *const lines[] = {
        "readl",
        "readl x",
        "readl 0x",
        "readl 12z",
        "readl  " RAM,
        "writel " RAM,
        "writel " RAM " y",
        "read " RAM,
        "read " RAM " 0",
        "read " RAM " 0xffffffffffffffff",
        "read " RAM " 0x40000000",
        "write " RAM " 0xffffffffffff 0x00",
        "write " RAM " 2 0xzz",
        "write " RAM,
        "b64read " RAM " 0xffffffffffff",
        "memset " RAM " 0xffffffffffffff 0",
        "inb 0x10000",
        "outl 0x10000 0",
        "clock_step x",
        "clock_set",
        "set_irq_in",
        "set_irq_in /machine unnamed-gpio-in 0 1",
        "irq_intercept_in",
    };
    g_autoptr(QTest) q = qtest_start("-machine virt");

    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *reply = qtest_ask(q, "%s", lines[i]);

        if (!g_str_has_prefix(reply, "FAIL") && !g_str_has_prefix(reply, "ERR")) {
            g_error("'%s' was answered with '%s'", lines[i], reply);
        }
    }
    qtest_assert_reply(q, "OK little", "endianness");
}

/* Lines may come in pieces and many together; replies are in order. */
static void pieces(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt");
    static const char text[] = "writel " RAM " 7\nreadl " RAM "\nendianness\nfoo\n";
    static const char *const replies[] = { "OK", "OK 0x0000000000000007", "OK little",
                                           "FAIL Unknown command 'foo'" };

    for (size_t i = 0; i < strlen(text); i++) {
        qtest_send_raw(q, text + i, 1);
    }
    qtest_send_raw(q, text, strlen(text));
    for (unsigned i = 0; i < 2 * G_N_ELEMENTS(replies); i++) {
        g_autofree char *line = qtest_next_line(q);

        g_assert_cmpstr(line, ==, replies[i % G_N_ELEMENTS(replies)]);
    }
}

/* A line of 16 MiB is a line like any other. */
static void large_line(void)
{
    enum { SIZE = 8 << 20 };
    g_autoptr(QTest) q = qtest_start("-machine virt");
    g_autofree char *digits = g_malloc(2 * SIZE + 1), *text = NULL;
    g_autofree char *reply = NULL;

    for (unsigned i = 0; i < 2 * SIZE; i++) {
        digits[i] = "0123456789abcdef"[(i * 7 + i / 4096) % 16];
    }
    digits[2 * SIZE] = '\0';
    reply = qtest_ask(q, "write " RAM " %d 0x%s", SIZE, digits);
    g_assert_cmpstr(reply, ==, "OK");
    text = qtest_ok(q, "read " RAM " %d", SIZE);
    g_assert_true(g_str_has_prefix(text, "0x"));
    g_assert_cmpint(strcmp(text + 2, digits), ==, 0);
}

/* ---- clock ---- */

static void clock_moves_only_when_told(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt");

    qtest_assert_reply(q, "OK 0", "clock_step 0");
    qtest_assert_reply(q, "OK 0", "clock_step");
    qtest_assert_reply(q, "OK 1000", "clock_step 1000");
    qtest_assert_reply(q, "OK 5000", "clock_set 5000");
    qtest_assert_reply(q, "OK 5000", "clock_set 1");
    qtest_assert_reply(q, "OK 5000", "clock_step 0");
}

/* The power button is released 100 ms after it was pressed: pin 3 of the PL061. */
static void clock_step_finds_the_deadline(void)
{
    const uint64_t pin = 0x09030000 + (1 << 3 << 2);
    g_autoptr(QTest) q = qtest_start("-machine virt");

    qtest_clock_step(q, 50);
    qtest_qmp_ok(q, "{'execute': 'system_powerdown'}");
    g_assert_cmphex(qtest_readl(q, pin), ==, 1 << 3);
    qtest_assert_reply(q, "OK 100000049", "clock_step 99999999");
    g_assert_cmphex(qtest_readl(q, pin), ==, 1 << 3);
    qtest_assert_reply(q, "OK 100000050", "clock_step");
    g_assert_cmphex(qtest_readl(q, pin), ==, 0);
    qtest_assert_reply(q, "OK 100000050", "clock_step");
}

/* ---- interrupts ---- */

static char *find_device(QTest *q, const char *type)
{
    for (unsigned i = 0; i < 100; i++) {
        g_autofree char *path = g_strdup_printf("/machine/unattached/device[%u]", i);
        g_autoptr(JsonObject) reply = qtest_qmp(
            q, "{'execute': 'qom-get', 'arguments': {'path': '%s', 'property': 'type'}}", path);

        if (g_strcmp0(json_object_get_string_member_with_default(reply, "return", NULL), type) ==
            0) {
            return g_steal_pointer(&path);
        }
    }
    g_error("the machine has no %s", type);
}

/* PL011: UARTIMSC 0x38 with bit 5 (transmit) and a byte sent raise its interrupt. */
static void intercept_out(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt -serial null");
    g_autofree char *path = find_device(q, "pl011");

    qtest_assert_reply(q, "OK", "irq_intercept_out %s", path);
    qtest_assert_reply(q, "OK", "irq_intercept_out %s", path);
    g_assert_false(qtest_irq(q, 0));
    qtest_writel(q, PL011 + 0x30, 0x301);
    qtest_writel(q, PL011 + 0x38, 1 << 5);
    qtest_writel(q, PL011, 'x');
    g_assert_true(qtest_irq(q, 0));
    qtest_writel(q, PL011 + 0x44, 1 << 5);
    g_assert_false(qtest_irq(q, 0));
}

static void intercept_in(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt -serial null");
    g_autofree char *gic = find_device(q, "arm-gicv3");

    qtest_assert_reply(q, "OK", "irq_intercept_in %s", gic);
    qtest_writel(q, PL011 + 0x30, 0x301);
    qtest_writel(q, PL011 + 0x38, 1 << 5);
    qtest_writel(q, PL011, 'x');
    g_assert_true(qtest_irq(q, 1)); /* SPI 1 */
}

static void intercept_errors(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt");
    g_autofree char *uart = find_device(q, "pl011"), *rtc = find_device(q, "pl031");

    qtest_assert_reply(q, "FAIL Unknown device", "irq_intercept_in /machine/nothing");
    qtest_assert_reply(q, "FAIL Unknown device", "irq_intercept_out /machine/unattached");
    qtest_assert_reply(q, "OK", "irq_intercept_out %s", uart);
    qtest_assert_reply(q, "FAIL IRQ intercept already enabled", "irq_intercept_out %s", rtc);
}

/* The PL061's input 0: data register bit 0 with the direction "in". */
static void set_irq_in(void)
{
    const uint64_t gpio = 0x09030000;
    g_autoptr(QTest) q = qtest_start("-machine virt");
    g_autofree char *path = find_device(q, "pl061");

    g_assert_cmphex(qtest_readl(q, gpio + (1 << 2)), ==, 0);
    qtest_assert_reply(q, "OK", "set_irq_in %s unnamed-gpio-in 0 1", path);
    g_assert_cmphex(qtest_readl(q, gpio + (1 << 2)), ==, 1);
    qtest_assert_reply(q, "OK", "set_irq_in %s unnamed-gpio-in 0 0", path);
    g_assert_cmphex(qtest_readl(q, gpio + (1 << 2)), ==, 0);
    qtest_assert_reply(q, "FAIL Unknown device", "set_irq_in /nowhere unnamed-gpio-in 0 1");
}

/* ---- around it ---- */

/* A reset puts registers back and keeps memory and time. */
static void system_reset(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt");
    g_autoptr(JsonObject) data = NULL;

    qtest_writel(q, RAM_AT, 0x12345678);
    qtest_writel(q, PL011 + 0x38, 0x20);
    qtest_clock_step(q, 700);
    qtest_qmp_ok(q, "{'execute': 'system_reset'}");
    data = qtest_event(q, "RESET");
    g_assert_cmphex(qtest_readl(q, PL011 + 0x38), ==, 0);
    g_assert_cmphex(qtest_readl(q, RAM_AT), ==, 0x12345678);
    g_assert_cmpint(qtest_clock_step(q, 0), ==, 700);
}

/* The server answers what needs no machine while there is none. */
static void preconfig(void)
{
    g_autoptr(QTest) q = qtest_start("-machine virt -preconfig");
    g_autofree char *reply = NULL;

    qtest_assert_reply(q, "OK little", "endianness");
    reply = qtest_ask(q, "readl " RAM);
    g_assert_true(g_str_has_prefix(reply, "FAIL"));
    qtest_qmp_ok(q, "{'execute': 'x-exit-preconfig'}");
    qtest_assert_reply(q, "OK 0x0000000000000000", "readl " RAM);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(void);
    } tests[] = {
        { "/qtest/values", values },
        { "/qtest/numbers", numbers },
        { "/qtest/bytes", bytes },
        { "/qtest/base64", base64 },
        { "/qtest/encodings-agree", encodings_agree },
        { "/qtest/memset", memset_command },
        { "/qtest/ports", ports },
        { "/qtest/endianness", endianness },
        { "/qtest/module-load", module_load },
        { "/qtest/unknown-command", unknown_command },
        { "/qtest/bad-lines-are-answered", bad_lines },
        { "/qtest/lines-in-pieces", pieces },
        { "/qtest/line-of-16-mib", large_line },
        { "/qtest/clock/moves-only-when-told", clock_moves_only_when_told },
        { "/qtest/clock/bare-step-goes-to-deadline", clock_step_finds_the_deadline },
        { "/qtest/irq/intercept-out", intercept_out },
        { "/qtest/irq/intercept-in", intercept_in },
        { "/qtest/irq/errors", intercept_errors },
        { "/qtest/irq/set-in", set_irq_in },
        { "/qtest/system-reset", system_reset },
        { "/qtest/preconfig", preconfig },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add_func(tests[i].path, tests[i].test);
    }
    return g_test_run();
}
