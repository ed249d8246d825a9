/* SPDX-License-Identifier: GPL-2.0-or-later
 * PL011 through the memory API, against Arm DDI 0183 chapter 3.
 */
#include <string.h>

#include "chardev-double.h"
#include "hw/char/pl011.h"
#include "util/error.h"

enum {
    DR = 0x00,
    RSR = 0x04,
    FR = 0x18,
    IBRD = 0x24,
    FBRD = 0x28,
    LCR_H = 0x2c,
    CR = 0x30,
    IFLS = 0x34,
    IMSC = 0x38,
    RIS = 0x3c,
    MIS = 0x40,
    ICR = 0x44,
    FEN = 0x10,
    BRK = 0x01,
    UARTEN = 0x001,
    LBE = 0x080,
    TXE = 0x100,
    RXE = 0x200,
    ENABLED = UARTEN | TXE | RXE,
    INT_RX = 0x10,
    INT_TX = 0x20,
    INT_RT = 0x40,
    INT_BE = 0x200,
    INT_OE = 0x400,
    RXFE = 0x10,
    TXFF = 0x20,
    RXFF = 0x40,
    TXFE = 0x80,
};

/* ---- the bench ---- */

static void set_up(Bench *b, gconstpointer data)
{
    bench_set_up(b, pl011_new(&b->chr));
}

static uint32_t rd(Bench *b, unsigned reg)
{
    uint64_t value = 0;

    g_assert_cmpuint(address_space_ld(b->as, reg, 4, &value), ==, MEMTX_OK);
    return value;
}

static void wr(Bench *b, unsigned reg, uint32_t value)
{
    g_assert_cmpuint(address_space_st(b->as, reg, 4, value), ==, MEMTX_OK);
}

/* ---- rules ---- */

static void reset_values(Bench *b, gconstpointer data)
{
    g_assert_cmphex(rd(b, CR), ==, 0x300);
    g_assert_cmphex(rd(b, IFLS), ==, 0x12);
    g_assert_cmphex(rd(b, FR) & (RXFE | TXFF | RXFF | TXFE), ==, RXFE | TXFE);
    g_assert_cmphex(rd(b, LCR_H), ==, 0);
    g_assert_cmphex(rd(b, IMSC), ==, 0);
    g_assert_cmphex(rd(b, RIS), ==, 0);
}

static void primecell_id(Bench *b, gconstpointer data)
{
    static const uint8_t id[] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

    for (unsigned i = 0; i < G_N_ELEMENTS(id); i++) {
        g_assert_cmphex(rd(b, 0xfe0 + 4 * i), ==, id[i]);
    }
}

static void registers_keep_their_bits(Bench *b, gconstpointer data)
{
    static const struct {
        unsigned reg;
        uint32_t mask;
    } rows[] = {
        { 0x20, 0xff }, { IBRD, 0xffff }, { FBRD, 0x3f },  { LCR_H, 0xff },
        { CR, 0xff87 }, { IFLS, 0x3f },   { IMSC, 0x7ff }, { 0x48, 7 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        wr(b, rows[i].reg, UINT32_MAX);
        g_assert_cmphex(rd(b, rows[i].reg), ==, rows[i].mask);
        wr(b, rows[i].reg, 0);
        g_assert_cmphex(rd(b, rows[i].reg), ==, 0);
    }
}

static void transmits_bytes(Bench *b, gconstpointer data)
{
    wr(b, DR, 'h');
    g_assert_cmpuint(address_space_st(b->as, DR, 1, 'i'), ==, MEMTX_OK);
    g_assert_cmpstr(b->chr.written->str, ==, "hi");
    g_assert_cmphex(rd(b, FR) & (TXFE | TXFF), ==, TXFE);
}

static void transmit_disabled_holds(Bench *b, gconstpointer data)
{
    wr(b, LCR_H, FEN);
    wr(b, CR, UARTEN);
    for (unsigned i = 0; i < 20; i++) {
        wr(b, DR, 'a' + i);
        g_assert_cmphex(rd(b, FR) & TXFF, ==, i >= 15 ? TXFF : 0);
    }
    g_assert_cmpstr(b->chr.written->str, ==, "");
    wr(b, CR, UARTEN | TXE);
    g_assert_cmpstr(b->chr.written->str, ==, "abcdefghijklmnop");
    g_assert_cmphex(rd(b, FR) & TXFE, ==, TXFE);
}

static void transmit_interrupt(Bench *b, gconstpointer data)
{
    wr(b, IMSC, INT_TX);
    g_assert_cmpint(b->level, ==, 0);
    wr(b, DR, 'x');
    g_assert_cmphex(rd(b, RIS), ==, INT_TX);
    g_assert_cmphex(rd(b, MIS), ==, INT_TX);
    g_assert_cmpint(b->level, ==, 1);
    wr(b, ICR, INT_TX);
    g_assert_cmphex(rd(b, RIS), ==, 0);
    g_assert_cmpint(b->level, ==, 0);
}

static void mask_gates_the_line(Bench *b, gconstpointer data)
{
    wr(b, DR, 'x');
    g_assert_cmphex(rd(b, RIS), ==, INT_TX);
    g_assert_cmphex(rd(b, MIS), ==, 0);
    g_assert_cmpint(b->level, ==, 0);
    wr(b, IMSC, INT_TX);
    g_assert_cmpint(b->level, ==, 1);
    wr(b, IMSC, 0);
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmpuint(b->edges, ==, 1);
}

static void receiver_off_takes_nothing(Bench *b, gconstpointer data)
{
    g_assert_cmpuint(chardev_double_type(&b->chr, "x"), ==, 0);
    wr(b, CR, ENABLED);
    g_assert_cmpuint(b->chr.accepted, >, 0);
    g_assert_cmpuint(chardev_double_type(&b->chr, "x"), ==, 1);
    g_assert_cmphex(rd(b, DR), ==, 'x');
}

static void character_mode_is_one_deep(Bench *b, gconstpointer data)
{
    wr(b, CR, ENABLED);
    wr(b, IMSC, INT_RX);
    g_assert_cmpuint(chardev_double_type(&b->chr, "ab"), ==, 1);
    g_assert_cmphex(rd(b, FR) & (RXFF | RXFE), ==, RXFF);
    g_assert_cmpint(b->level, ==, 1);
    g_assert_cmphex(rd(b, DR), ==, 'a');
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmphex(rd(b, FR) & (RXFF | RXFE), ==, RXFE);
}

static void fifo_is_sixteen_deep(Bench *b, gconstpointer data)
{
    wr(b, LCR_H, FEN);
    wr(b, CR, ENABLED);
    g_assert_cmpuint(chardev_double_type(&b->chr, "0123456789abcdefghij"), ==, 16);
    g_assert_cmphex(rd(b, FR) & RXFF, ==, RXFF);
    for (unsigned i = 0; i < 16; i++) {
        g_assert_cmphex(rd(b, DR), ==, "0123456789abcdef"[i]);
    }
    g_assert_cmphex(rd(b, FR) & RXFE, ==, RXFE);
    g_assert_cmphex(rd(b, DR), ==, 0);
}

static void full_fifo_asks_again(Bench *b, gconstpointer data)
{
    unsigned before;

    wr(b, LCR_H, FEN);
    wr(b, CR, ENABLED);
    chardev_double_type(&b->chr, "0123456789abcdef");
    before = b->chr.accepted;
    rd(b, DR);
    g_assert_cmpuint(b->chr.accepted, ==, before + 1);
}

static void trigger_levels(Bench *b, gconstpointer data)
{
    static const unsigned levels[] = { 2, 4, 8, 12, 14 };

    wr(b, CR, ENABLED);
    for (unsigned i = 0; i < G_N_ELEMENTS(levels); i++) {
        wr(b, LCR_H, FEN);
        wr(b, IFLS, i << 3);
        for (unsigned n = 1; n <= 16; n++) {
            chardev_double_type(&b->chr, "z");
            g_assert_cmphex(rd(b, RIS) & INT_RX, ==, n >= levels[i] ? INT_RX : 0);
        }
        for (unsigned n = 16; n-- > 0;) {
            rd(b, DR);
            g_assert_cmphex(rd(b, RIS) & INT_RX, ==, n >= levels[i] ? INT_RX : 0);
        }
        wr(b, LCR_H, 0);
    }
}

static void timeout_below_trigger(Bench *b, gconstpointer data)
{
    wr(b, LCR_H, FEN);
    wr(b, CR, ENABLED);
    wr(b, IMSC, INT_RT);
    chardev_double_type(&b->chr, "ab");
    g_assert_cmphex(rd(b, RIS), ==, INT_RT);
    g_assert_cmpint(b->level, ==, 1);
    rd(b, DR);
    g_assert_cmphex(rd(b, RIS), ==, INT_RT);
    rd(b, DR);
    g_assert_cmphex(rd(b, RIS), ==, 0);
    g_assert_cmpint(b->level, ==, 0);
}

static void loopback_returns_data(Bench *b, gconstpointer data)
{
    wr(b, LCR_H, FEN);
    wr(b, CR, ENABLED | LBE);
    wr(b, DR, 'L');
    g_assert_cmpstr(b->chr.written->str, ==, "");
    g_assert_cmpuint(chardev_double_type(&b->chr, "x"), ==, 0);
    g_assert_cmphex(rd(b, DR), ==, 'L');
}

static void loopback_returns_modem_lines(Bench *b, gconstpointer data)
{
    wr(b, CR, LBE);
    g_assert_cmphex(rd(b, FR) & 0x107, ==, 0);
    wr(b, ICR, 0x7ff);
    wr(b, CR, LBE | 1 << 11);
    g_assert_cmphex(rd(b, FR) & 0x107, ==, 1);
    g_assert_cmphex(rd(b, RIS), ==, 1 << 1);
    wr(b, CR, LBE | 0xf << 10);
    g_assert_cmphex(rd(b, FR) & 0x107, ==, 0x107);
    g_assert_cmphex(rd(b, RIS), ==, 0xf);
}

static void overrun_is_flagged(Bench *b, gconstpointer data)
{
    wr(b, CR, ENABLED | LBE);
    wr(b, DR, 'a');
    wr(b, DR, 'b');
    g_assert_cmphex(rd(b, RIS) & INT_OE, ==, INT_OE);
    g_assert_cmphex(rd(b, RSR), ==, 8);
    g_assert_cmphex(rd(b, DR), ==, 'a' | 1 << 11);
    wr(b, RSR, 0);
    g_assert_cmphex(rd(b, RSR), ==, 0);
    wr(b, DR, 'c');
    g_assert_cmphex(rd(b, DR), ==, 'c');
}

/* DDI 0183, 3.3.2: only a write to ECR clears RSR.OE; the other bits go with the character. */
static void overrun_stays_until_cleared(Bench *b, gconstpointer data)
{
    wr(b, CR, ENABLED | LBE);
    wr(b, DR, 'a');
    wr(b, DR, 'b');
    rd(b, DR);
    wr(b, DR, 'c');
    g_assert_cmphex(rd(b, DR), ==, 'c');
    g_assert_cmphex(rd(b, RSR), ==, 8);
    wr(b, RSR, 0);
    g_assert_cmphex(rd(b, RSR), ==, 0);
}

static void break_is_flagged(Bench *b, gconstpointer data)
{
    wr(b, CR, ENABLED | LBE);
    wr(b, LCR_H, BRK);
    g_assert_cmphex(rd(b, RIS) & INT_BE, ==, INT_BE);
    g_assert_cmphex(rd(b, DR), ==, 1 << 10);
    g_assert_cmphex(rd(b, RSR), ==, 4);
}

static void break_from_the_line(Bench *b, gconstpointer data)
{
    b->chr.fe->event(b->chr.opaque, CHARDEV_BREAK);
    g_assert_cmphex(rd(b, RIS), ==, 0);
    wr(b, CR, ENABLED);
    b->chr.fe->event(b->chr.opaque, CHARDEV_OPENED);
    g_assert_cmphex(rd(b, RIS), ==, 0);
    b->chr.fe->event(b->chr.opaque, CHARDEV_BREAK);
    g_assert_cmphex(rd(b, RIS) & INT_BE, ==, INT_BE);
    g_assert_cmphex(rd(b, DR), ==, 1 << 10);
}

static void fifo_switch_empties(Bench *b, gconstpointer data)
{
    wr(b, LCR_H, FEN);
    wr(b, CR, ENABLED);
    chardev_double_type(&b->chr, "abc");
    wr(b, LCR_H, 0);
    g_assert_cmphex(rd(b, FR) & RXFE, ==, RXFE);
    g_assert_cmphex(rd(b, RIS) & (INT_RX | INT_RT), ==, 0);
}

static gpointer vcpu(gpointer data)
{
    Bench *b = data;

    memory_thread_register();
    for (unsigned i = 0; i < 2000; i++) {
        wr(b, DR, 'v');
        rd(b, DR);
        wr(b, ICR, 0x7ff);
    }
    memory_thread_unregister();
    return NULL;
}

/* Two vCPUs in the registers while the main context types: every character leaves once. The
 * sanitizer build for threads watches the rest. */
static void threads_share_it(Bench *b, gconstpointer data)
{
    GThread *threads[2];

    wr(b, LCR_H, FEN);
    wr(b, CR, ENABLED);
    for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++) {
        threads[i] = g_thread_new("vcpu", vcpu, b);
    }
    for (unsigned i = 0; i < 2000; i++) {
        chardev_double_type(&b->chr, "abc");
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++) {
        g_thread_join(threads[i]);
    }
    g_assert_cmpuint(b->chr.written->len, ==, 4000);
}

static void device_reset_lowers_the_line(Bench *b, gconstpointer data)
{
    wr(b, IMSC, INT_TX);
    wr(b, DR, 'x');
    g_assert_cmpint(b->level, ==, 1);
    device_reset(b->uart);
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmphex(rd(b, CR), ==, 0x300);
}

static void holes_read_zero(Bench *b, gconstpointer data)
{
    uint64_t value;

    for (unsigned reg = 0x4c; reg < 0xfe0; reg += 4) {
        wr(b, reg, UINT32_MAX);
        g_assert_cmphex(rd(b, reg), ==, 0);
    }
    chardev_double_type(&b->chr, "q");
    g_assert_cmpuint(address_space_ld(b->as, DR + 1, 1, &value), ==, MEMTX_OK);
    g_assert_cmphex(value, ==, 0);
}

static void wide_access_is_refused(Bench *b, gconstpointer data)
{
    uint64_t value;

    g_assert_cmpuint(address_space_ld(b->as, DR, 8, &value), !=, MEMTX_OK);
    g_assert_cmpuint(address_space_st(b->as, DR, 8, 'x'), !=, MEMTX_OK);
    g_assert_cmpstr(b->chr.written->str, ==, "");
}

static void busy_chardev_fails_realize(void)
{
    struct Chardev chr = { .refuse = true };
    g_autoptr(Device) uart = pl011_new(&chr);
    g_autoptr(GError) error = NULL;

    g_assert_false(device_realize(uart, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_assert_false(device_is_realized(uart));
}

static void no_chardev_swallows(void)
{
    g_autoptr(Device) uart = pl011_new(NULL);
    MemoryRegion root;
    AddressSpace *as;

    memory_region_init(&root, NULL, "root", UINT64_MAX);
    as = address_space_new(&root, "test");
    g_assert_true(device_realize(uart, NULL));
    device_map(uart, 0, &root, 0);
    g_assert_cmpuint(address_space_st(as, DR, 4, 'x'), ==, MEMTX_OK);
    device_unrealize(uart);
    address_space_free(as);
    memory_region_destroy(&root);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "reset/values", reset_values },
        { "reset/lowers-the-line", device_reset_lowers_the_line },
        { "id/primecell", primecell_id },
        { "registers/keep-their-bits", registers_keep_their_bits },
        { "registers/holes-read-zero", holes_read_zero },
        { "registers/wide-access-is-refused", wide_access_is_refused },
        { "tx/byte-and-word-writes-leave-at-once", transmits_bytes },
        { "tx/disabled-transmitter-holds-sixteen", transmit_disabled_holds },
        { "tx/interrupt-after-data-left", transmit_interrupt },
        { "threads/share-it", threads_share_it },
        { "irq/mask-gates-the-line", mask_gates_the_line },
        { "rx/disabled-receiver-takes-nothing", receiver_off_takes_nothing },
        { "rx/character-mode-is-one-deep", character_mode_is_one_deep },
        { "rx/fifo-is-sixteen-deep", fifo_is_sixteen_deep },
        { "rx/full-fifo-asks-again-after-a-read", full_fifo_asks_again },
        { "rx/trigger-levels", trigger_levels },
        { "rx/timeout-below-trigger", timeout_below_trigger },
        { "rx/fifo-switch-empties", fifo_switch_empties },
        { "rx/overrun-is-flagged", overrun_is_flagged },
        { "rx/overrun-stays-until-cleared", overrun_stays_until_cleared },
        { "rx/break-is-flagged", break_is_flagged },
        { "rx/break-from-the-line", break_from_the_line },
        { "loopback/returns-data", loopback_returns_data },
        { "loopback/returns-modem-lines", loopback_returns_modem_lines },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/pl011/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, bench_tear_down);
    }
    g_test_add_func("/pl011/chardev/busy-fails-realize", busy_chardev_fails_realize);
    g_test_add_func("/pl011/chardev/none-swallows", no_chardev_swallows);
    return g_test_run();
}
