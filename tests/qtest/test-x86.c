/* SPDX-License-Identifier: GPL-2.0-or-later
 * The microvm machine as a CPU sees it: ports by the qtest protocol's in and out, what is where in
 * docs/machine-microvm.md, the ways to reset and to power off, PCI by both its mechanisms.
 */
#include <string.h>

#include "client.h"

enum {
    COM1 = 0x3f8,
    PM = 0x600,
    FW_CFG = 0x510,
    RTC = 0x70,
    RSDP = 0xe0000,
    CONFIG_ADDRESS = 0xcf8,
    CONFIG_DATA = 0xcfc,
};

static uint64_t in(QTest *q, unsigned port, unsigned size)
{
    return qtest_read_value(q, QTEST_PORTS | port, size);
}

static void out(QTest *q, unsigned port, unsigned size, uint64_t value)
{
    qtest_write_value(q, QTEST_PORTS | port, size, value);
}

/* ---- ports ---- */

static void unclaimed_ports(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults");

    qtest_assert_reply(q, "OK 0x00ff", "inb 0x300");
    qtest_assert_reply(q, "OK 0xffff", "inw 0x300");
    qtest_assert_reply(q, "OK 0xffffffff", "inl 0x300");
    qtest_assert_reply(q, "OK", "outl 0x300 0x12345678");
}

/* Memory of the same number is somewhere else. */
static void ports_are_not_memory(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults");

    qtest_write_value(q, COM1 + 7, 1, 0x5a);
    out(q, COM1 + 7, 1, 0xa5);
    g_assert_cmphex(qtest_read_value(q, COM1 + 7, 1), ==, 0x5a);
    g_assert_cmphex(in(q, COM1 + 7, 1), ==, 0xa5);
}

static void serial_ports(void)
{
    static const unsigned ports[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults -serial null -serial null "
                                     "-serial null -serial null");

    for (unsigned i = 0; i < G_N_ELEMENTS(ports); i++) {
        g_assert_cmphex(in(q, ports[i] + 5, 1) & 0x60, ==, 0x60); /* can be written to */
    }
}

static void serial_ports_not_asked_for(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults");

    g_assert_cmphex(in(q, 0x3f8 + 5, 1), ==, 0x60);
    g_assert_cmphex(in(q, 0x2f8 + 5, 1), ==, 0xff);
}

static void no_serial_ports(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm,isa-serial=off -nodefaults");

    g_assert_cmphex(in(q, 0x3f8 + 5, 1), ==, 0xff);
}

/* ---- ACPI ---- */

static unsigned sum(QTest *q, uint64_t addr, unsigned size)
{
    uint8_t total = 0;

    for (unsigned i = 0; i < size; i++) {
        total += qtest_read_value(q, addr + i, 1);
    }
    return total;
}

/* What tests/unit/test-acpi-tables.c has looked into is where a kernel looks for it. */
static void tables(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults -smp 2");
    uint64_t xsdt;

    g_assert_cmphex(qtest_read_value(q, RSDP, 8), ==, UINT64_C(0x2052545020445352));
    g_assert_cmpuint(sum(q, RSDP, 36), ==, 0);
    xsdt = qtest_read_value(q, RSDP + 24, 8);
    g_assert_cmphex(qtest_readl(q, xsdt), ==, 0x54445358);
    g_assert_cmpuint(sum(q, xsdt, qtest_readl(q, xsdt + 4)), ==, 0);
    g_assert_cmphex(qtest_readl(q, qtest_read_value(q, xsdt + 36, 8)), ==, 0x50434146);
}

static void no_tables(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm,acpi=off -nodefaults");

    g_assert_cmphex(qtest_read_value(q, RSDP, 8), ==, 0);
}

/* ---- clock ---- */

static unsigned cmos(QTest *q, unsigned index)
{
    out(q, RTC, 1, index);
    return in(q, RTC + 1, 1);
}

/* The time of day goes on with the clock, and its interrupt arrives. */
static void clock_ticks(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults");

    out(q, RTC, 1, 0x0b);
    out(q, RTC + 1, 1, 0x96); /* stands still; UIE is then cleared; binary */
    out(q, RTC, 1, 0);
    out(q, RTC + 1, 1, 58);
    out(q, RTC, 1, 2);
    out(q, RTC + 1, 1, 7);
    out(q, RTC, 1, 0x0b);
    out(q, RTC + 1, 1, 0x16);
    g_free(qtest_ok(q, "clock_step 3000000000"));
    g_assert_cmpuint(cmos(q, 0), ==, 1);
    g_assert_cmpuint(cmos(q, 2), ==, 8);
    g_assert_cmphex(cmos(q, 0x0c) & 0x90, ==, 0x90);
    g_assert_cmphex(cmos(q, 0x0c) & 0x90, ==, 0);
}

static void clock_knows_memory(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults -m 4G");

    g_assert_cmphex(cmos(q, 0x34) | cmos(q, 0x35) << 8, ==, 0xbf00);
    g_assert_cmphex(cmos(q, 0x5b) | cmos(q, 0x5c) << 8, ==, 0x4000);
}

static void no_clock(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm,rtc=off -nodefaults");

    g_assert_cmphex(cmos(q, 0x0d), ==, 0xff);
}

/* ---- timer ---- */

/* By which a kernel measures its TSC: the third counter runs out in 10 ms. */
static void timer_runs_out(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults");

    out(q, 0x61, 1, 1);
    out(q, 0x43, 1, 0xb0);
    out(q, 0x42, 1, 11932 & 0xff);
    out(q, 0x42, 1, 11932 >> 8);
    g_free(qtest_ok(q, "clock_step 9900000"));
    g_assert_cmphex(in(q, 0x61, 1) & 0x20, ==, 0);
    g_free(qtest_ok(q, "clock_step 200000"));
    g_assert_cmphex(in(q, 0x61, 1) & 0x20, ==, 0x20);
}

static void no_timer(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm,pit=off -nodefaults");

    g_assert_cmphex(in(q, 0x40, 1), ==, 0xff);
    g_assert_cmphex(in(q, 0x61, 1), ==, 0xff);
}

/* ---- debugging ---- */

static void debug_console(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults -chardev ringbuf,id=r "
                                     "-device isa-debugcon,chardev=r");
    g_autoptr(JsonObject) reply = NULL;
    const char *text = "hi\n";

    g_assert_cmphex(in(q, 0xe9, 1), ==, 0xe9);
    for (; *text != '\0'; text++) {
        out(q, 0xe9, 1, (uint8_t)*text);
    }
    reply = qtest_qmp(q, "{'execute': 'ringbuf-read', 'arguments': {'device': 'r', 'size': 16}}");
    g_assert_cmpstr(json_object_get_string_member(reply, "return"), ==, "hi\n");
}

/* ---- interrupt controllers ---- */

/* An interrupt of the UART can be polled for. */
static void lines_arrive(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults");

    out(q, 0x20, 1, 0x11);
    out(q, 0x21, 1, 0x30);
    out(q, 0x21, 1, 0x04);
    out(q, 0x21, 1, 0x01);
    out(q, 0x21, 1, 0xef);     /* COM1 only */
    out(q, COM1 + 4, 1, 0x08); /* OUT2 */
    g_assert_cmphex(in(q, 0x20, 1) & 0x10, ==, 0);
    out(q, COM1 + 1, 1, 0x02); /* transmitter empty */
    g_assert_cmphex(in(q, 0x20, 1) & 0x10, ==, 0x10);
    out(q, 0x20, 1, 0x0c);
    g_assert_cmphex(in(q, 0x20, 1), ==, 0x84);
    qtest_writel(q, 0xfec00000, 1);
    g_assert_cmphex(qtest_readl(q, 0xfec00010), ==, 0x00170020);
}

/* ---- fw_cfg ---- */

static void firmware_configuration(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults -smp 3 "
                                     "-fw_cfg name=opt/a,string=hello");
    char text[6] = "";

    out(q, FW_CFG, 2, 5); /* number of CPUs */
    g_assert_cmphex(in(q, FW_CFG + 1, 1), ==, 3);
    out(q, FW_CFG, 2, 0x21); /* second file: they are sorted */
    for (unsigned i = 0; i < 5; i++) {
        text[i] = in(q, FW_CFG + 1, 1);
    }
    g_assert_cmpstr(text, ==, "hello");
    g_assert_cmphex(in(q, FW_CFG + 4, 4), ==, 0x554d4551);
}

/* The first file, etc/e820: 20 bytes for each range of memory. */
static void memory_for_firmware(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults -m 64M");
    uint64_t words[5] = {};

    out(q, FW_CFG, 2, 0x20);
    for (unsigned i = 0; i < 4 * 20; i++) {
        uint64_t byte = in(q, FW_CFG + 1, 1);

        if (i >= 60) { /* the fourth: memory above 1 MiB */
            words[(i - 60) / 4] |= byte << i % 4 * 8;
        }
    }
    g_assert_cmphex(words[0], ==, 0x100000);
    g_assert_cmphex(words[2], ==, 0x3f00000);
    g_assert_cmphex(words[4], ==, 1);
}

/* ---- memory ---- */

/* 3 GiB are below the hole, the rest is behind it. */
static void memory_around_the_hole(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults -m 4G");

    qtest_write_value(q, 0xbffffff8, 8, 1);
    qtest_write_value(q, 0x100000000, 8, 2);
    qtest_write_value(q, 0x13ffffff8, 8, 3);
    g_assert_cmpuint(qtest_read_value(q, 0xbffffff8, 8), ==, 1);
    g_assert_cmpuint(qtest_read_value(q, 0x100000000, 8), ==, 2);
    g_assert_cmpuint(qtest_read_value(q, 0x13ffffff8, 8), ==, 3);
    qtest_assert_reply(q, "OK 0xffffffffffffffff", "readq 0x140000000");
    qtest_assert_reply(q, "OK 0xffffffffffffffff", "readq 0xc0000000");
}

static void both_spaces_are_shown(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults");
    g_autoptr(JsonObject) reply = qtest_qmp(q, "{'execute': 'human-monitor-command',"
                                               " 'arguments': {'command-line': 'info mtree'}}");
    const char *text = json_object_get_string_member(reply, "return");

    g_assert_nonnull(strstr(text, "address-space: memory"));
    g_assert_nonnull(strstr(text, "address-space: I/O"));
    g_assert_nonnull(strstr(text, "pci-config-ports"));
}

/* ---- reset and power ---- */

static void expect_reset(QTest *q)
{
    json_object_unref(qtest_event(q, "RESET"));
}

static void resets_by(unsigned port, unsigned value)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults");

    out(q, COM1 + 7, 1, 0x77);
    out(q, port, 1, value);
    expect_reset(q);
    g_assert_cmphex(in(q, COM1 + 7, 1), ==, 0);
}

static void reset_by_keyboard_controller(void)
{
    resets_by(0x64, 0xfe);
}

static void reset_by_port_92(void)
{
    resets_by(0x92, 1);
}

static void reset_by_cf9(void)
{
    resets_by(0xcf9, 6);
}

static void reset_by_acpi(void)
{
    resets_by(PM + 0x0c, 6);
}

/* Bit 2 resets as it goes up, not by being written again. */
static void cf9_is_an_edge(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults");

    out(q, 0xcf9, 1, 2);
    g_assert_cmphex(in(q, 0xcf9, 1), ==, 2);
    g_assert_cmphex(in(q, CONFIG_ADDRESS, 4), ==, 0);
    out(q, 0xcf9, 1, 6);
    expect_reset(q);
    g_assert_cmphex(in(q, 0xcf9, 1), ==, 0);
}

static void power_off(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults -no-shutdown");
    g_autoptr(JsonObject) data = NULL;

    out(q, PM + 4, 2, 5 << 10 | 1 << 13);
    data = qtest_event(q, "SHUTDOWN");
    g_assert_cmpstr(json_object_get_string_member(data, "reason"), ==, "guest-shutdown");
}

static void power_button(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults");

    g_assert_cmphex(in(q, PM, 2) & 0x100, ==, 0);
    qtest_qmp_ok(q, "{'execute': 'system_powerdown'}");
    g_assert_cmphex(in(q, PM, 2) & 0x100, ==, 0x100);
}

static void panic(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults -device pvpanic -action "
                                     "panic=none");
    g_autoptr(JsonObject) data = NULL;

    g_assert_cmphex(in(q, 0x505, 1), ==, 3);
    out(q, 0x505, 1, 1);
    data = qtest_event(q, "GUEST_PANICKED");
    g_assert_cmpstr(json_object_get_string_member(data, "action"), ==, "run");
}

static void panic_at_another_port(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults -device pvpanic,ioport=0x600c,"
                                     "events=1");

    g_assert_cmphex(in(q, 0x505, 1), ==, 0xff);
    g_assert_cmphex(in(q, 0x600c, 1), ==, 1);
}

/* ---- PCI ---- */

static uint32_t by_ports(QTest *q, unsigned devfn, unsigned reg)
{
    out(q, CONFIG_ADDRESS, 4, 1u << 31 | devfn << 8 | (reg & 0xfc));
    return in(q, CONFIG_DATA, 4);
}

static void both_mechanisms_agree(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults -device virtio-rng-pci,addr=04");

    for (unsigned reg = 0; reg < 0x100; reg += 4) {
        g_assert_cmphex(by_ports(q, 0x20, reg), ==, qpci_config_read(q, 0x20, reg, 4));
    }
    g_assert_cmphex(by_ports(q, 0x20, 0) & 0xffff, ==, 0x1af4);
}

static void parts_of_the_data_port(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults -device virtio-rng-pci,addr=04");
    uint32_t id = by_ports(q, 0x20, 0);

    g_assert_cmphex(in(q, CONFIG_DATA + 2, 2), ==, id >> 16);
    g_assert_cmphex(in(q, CONFIG_DATA + 1, 1), ==, (id >> 8 & 0xff));
    out(q, CONFIG_ADDRESS, 4, 1u << 31 | 0x20 << 8 | 4);
    out(q, CONFIG_DATA, 1, 4); /* bus master, in the command's low byte */
    g_assert_cmphex(qpci_config_read(q, 0x20, 4, 2), ==, 4);
}

static void address_port(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults");

    out(q, CONFIG_ADDRESS, 4, UINT32_MAX);
    g_assert_cmphex(in(q, CONFIG_ADDRESS, 4), ==, 0x80fffffc);
    out(q, CONFIG_ADDRESS, 1, 0x40); /* bytes do not reach it */
    out(q, CONFIG_ADDRESS, 2, 0x40);
    g_assert_cmphex(in(q, CONFIG_ADDRESS, 4), ==, 0x80fffffc);
    out(q, CONFIG_ADDRESS, 4, 0); /* not enabled: nothing is there */
    g_assert_cmphex(in(q, CONFIG_DATA, 4), ==, UINT32_MAX);
}

static void nothing_in_an_empty_slot(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm -nodefaults");

    g_assert_cmphex(by_ports(q, 0x28, 0), ==, UINT32_MAX);
    out(q, CONFIG_DATA, 4, 0);
}

static void without_pci(void)
{
    g_autoptr(QTest) q = qtest_start("-machine microvm,pcie=off -nodefaults");

    g_assert_cmphex(by_ports(q, 0, 0), ==, UINT32_MAX);
    g_assert_cmphex(qtest_readl(q, 0xe0000000), ==, UINT32_MAX);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x86/ports/unclaimed", unclaimed_ports);
    g_test_add_func("/x86/ports/are-not-memory", ports_are_not_memory);
    g_test_add_func("/x86/serial/four", serial_ports);
    g_test_add_func("/x86/serial/one-by-default", serial_ports_not_asked_for);
    g_test_add_func("/x86/serial/none", no_serial_ports);
    g_test_add_func("/x86/acpi/tables", tables);
    g_test_add_func("/x86/acpi/off", no_tables);
    g_test_add_func("/x86/fw-cfg/ports", firmware_configuration);
    g_test_add_func("/x86/fw-cfg/memory", memory_for_firmware);
    g_test_add_func("/x86/timer/runs-out", timer_runs_out);
    g_test_add_func("/x86/timer/off", no_timer);
    g_test_add_func("/x86/debugging/console", debug_console);
    g_test_add_func("/x86/interrupts/arrive", lines_arrive);
    g_test_add_func("/x86/clock/ticks", clock_ticks);
    g_test_add_func("/x86/clock/knows-memory", clock_knows_memory);
    g_test_add_func("/x86/clock/off", no_clock);
    g_test_add_func("/x86/memory/around-the-hole", memory_around_the_hole);
    g_test_add_func("/x86/memory/info-mtree", both_spaces_are_shown);
    g_test_add_func("/x86/reset/keyboard-controller", reset_by_keyboard_controller);
    g_test_add_func("/x86/reset/port-92", reset_by_port_92);
    g_test_add_func("/x86/reset/cf9", reset_by_cf9);
    g_test_add_func("/x86/reset/cf9-is-an-edge", cf9_is_an_edge);
    g_test_add_func("/x86/reset/acpi", reset_by_acpi);
    g_test_add_func("/x86/power/off", power_off);
    g_test_add_func("/x86/power/button", power_button);
    g_test_add_func("/x86/panic/told", panic);
    g_test_add_func("/x86/panic/another-port", panic_at_another_port);
    g_test_add_func("/x86/pci/both-mechanisms-agree", both_mechanisms_agree);
    g_test_add_func("/x86/pci/parts-of-the-data-port", parts_of_the_data_port);
    g_test_add_func("/x86/pci/address-port", address_port);
    g_test_add_func("/x86/pci/empty-slot", nothing_in_an_empty_slot);
    g_test_add_func("/x86/pci/off", without_pci);
    return g_test_run();
}
