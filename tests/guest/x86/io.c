/* SPDX-License-Identifier: GPL-2.0-or-later
 * Ports and memory-mapped accesses in every size. Needs pc-testdev: 4 bytes to write and read at
 * ports 0xe0-0xe3, and 64 KiB at 0xff000000.
 */
#include "lib.h"

enum { SCRATCH = 0xe0, UART = 0x3f8, UART_FCR = 2, UART_MCR = 4, UART_LSR = 5 };

static const uint64_t MMIO = 0xff000000;

static void out_string8(uint16_t port, const void *data, uint64_t n)
{
    __asm__ volatile("rep outsb" : "+S"(data), "+c"(n) : "d"(port) : "memory");
}

static void in_string8(uint16_t port, void *data, uint64_t n)
{
    __asm__ volatile("rep insb" : "+D"(data), "+c"(n) : "d"(port) : "memory");
}

static void out_string32(uint16_t port, const void *data, uint64_t n)
{
    __asm__ volatile("rep outsl" : "+S"(data), "+c"(n) : "d"(port) : "memory");
}

static void in_string32(uint16_t port, void *data, uint64_t n)
{
    __asm__ volatile("rep insl" : "+D"(data), "+c"(n) : "d"(port) : "memory");
}

static void in_string16(uint16_t port, void *data, uint64_t n)
{
    __asm__ volatile("rep insw" : "+D"(data), "+c"(n) : "d"(port) : "memory");
}

static bool equal(const uint8_t *a, const uint8_t *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

/* What goes out comes back in order through the UART's loop and FIFO. */
static void test_string(void)
{
    static const uint8_t text[8] = "Humpy's";
    static uint8_t back[8];
    static uint32_t words[64], out[64];
    static uint16_t halves[32];
    bool same = true;

    out8(UART + UART_MCR, 0x10);
    out8(UART + UART_FCR, 0x07);
    out_string8(UART, text, sizeof(text));
    while (!(in8(UART + UART_LSR) & 0x40)) {
    }
    in_string8(UART, back, sizeof(back));
    out8(UART + UART_FCR, 0x06);
    out8(UART + UART_MCR, 0);
    check(equal(text, back, sizeof(text)), "pio/bytes-of-a-string-in-order");
    for (unsigned i = 0; i < 64; i++) {
        out[i] = 0x01010101 * i;
    }
    out_string32(SCRATCH, out, 64);
    check_equal(in32(SCRATCH), out[63], "pio/last-word-of-a-string");
    in_string32(SCRATCH, words, 64);
    in_string16(SCRATCH, halves, 32);
    for (unsigned i = 0; i < 64; i++) {
        same &= words[i] == out[63] && halves[i % 32] == (uint16_t)out[63];
    }
    check(same, "pio/every-word-of-a-string-is-read");
}

void test_pio(void)
{
    out32(SCRATCH, 0x44332211);
    check_equal(in32(SCRATCH), 0x44332211, "pio/four-bytes");
    check_equal(in16(SCRATCH), 0x2211, "pio/two-bytes-of-four");
    check_equal(in8(SCRATCH), 0x11, "pio/one-byte-of-four");
    check_equal(in16(SCRATCH + 2), 0x4433, "pio/upper-half");
    out8(SCRATCH + 3, 0xaa);
    out16(SCRATCH, 0x5566);
    check_equal(in32(SCRATCH), 0xaa335566, "pio/parts-leave-the-rest");
    check_equal(in8(0x2f0), 0xff, "pio/nobody-reads-ones");
    check_equal(in32(0x2f0), UINT32_MAX, "pio/nobody-reads-ones-in-every-byte");
    test_string();
}

void test_mmio(void)
{
    uint64_t value;

    mem_write64(MMIO, 0x8877665544332211);
    check_equal(mem_read64(MMIO), 0x8877665544332211, "mmio/eight-bytes");
    check_equal(mem_read32(MMIO), 0x44332211, "mmio/four-of-eight");
    check_equal(mem_read32(MMIO + 4), 0x88776655, "mmio/upper-four");
    check_equal(mem_read16(MMIO + 2), 0x4433, "mmio/two-of-eight");
    check_equal(mem_read8(MMIO + 7), 0x88, "mmio/one-of-eight");
    mem_write8(MMIO, 0xa0);
    mem_write16(MMIO + 2, 0xa2a1);
    mem_write32(MMIO + 4, 0xa6a5a4a3);
    check_equal(mem_read64(MMIO), 0xa6a5a4a3a2a122a0, "mmio/parts-leave-the-rest");
    __asm__ volatile("addl $1, (%0)" ::"r"(MMIO) : "memory", "cc");
    check_equal(mem_read32(MMIO), 0xa2a122a1, "mmio/read-modify-write");
    __asm__ volatile("movzbl (%1), %k0" : "=r"(value) : "r"(MMIO + 7) : "memory");
    check_equal(value, 0xa6, "mmio/zero-extension");
    __asm__ volatile("movsbq (%1), %0" : "=r"(value) : "r"(MMIO + 7) : "memory");
    check_equal(value, 0xffffffffffffffa6, "mmio/sign-extension");
    mem_write64(MMIO + 0xffc, 0x1122334455667788);
    check_equal(mem_read32(MMIO + 0xffc), 0x55667788, "mmio/lower-half-before-a-page's-end");
    check_equal(mem_read64(MMIO + 0xffc), 0x1122334455667788, "mmio/across-pages");
    mem_write64(MMIO + 0x1ffd, 0x0102030405060708);
    check_equal(mem_read64(MMIO + 0x1ffd), 0x0102030405060708, "mmio/odd-parts-across-pages");
    check_equal(mem_read32(0xf8000000), UINT32_MAX, "mmio/nobody-reads-ones");
}
