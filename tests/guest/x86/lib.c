/* SPDX-License-Identifier: GPL-2.0-or-later
 * Output, command line, end, and the list of tests of the x86 payload.
 */
#include "lib.h"

#include <stdarg.h>

enum {
    UART = 0x3f8,
    UART_LSR = UART + 5,
    UART_LSR_THRE = 0x20,
    KEYBOARD_COMMAND = 0x64,
    KEYBOARD_PULSE_RESET = 0xfe,
    PM1_SLEEP = 1 << 13,
};

/* PVH: struct hvm_start_info */
struct start_info {
    uint32_t magic, version, flags, n_modules;
    uint64_t modules, command_line;
};

extern uint32_t boot_info;
static unsigned n_checks, n_failed;

static void put(char c)
{
    while (!(in8(UART_LSR) & UART_LSR_THRE)) {
    }
    out8(UART, (uint8_t)c);
}

static void put_number(uint64_t value, unsigned base)
{
    char digits[24];
    unsigned n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (n) {
        put(digits[--n]);
    }
}

static void put_string(const char *s)
{
    while (*s) {
        put(*s++);
    }
}

void print(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    for (; *fmt; fmt++) {
        if (*fmt != '%') {
            put(*fmt);
            continue;
        }
        switch (*++fmt) {
        case 's':
            put_string(va_arg(args, const char *));
            break;
        case 'u':
            put_number(va_arg(args, unsigned), 10);
            break;
        case 'x':
            put_number(va_arg(args, unsigned), 16);
            break;
        case 'l':
            fmt++;
            put_number(va_arg(args, unsigned long), 16);
            break;
        }
    }
    va_end(args);
}

void check(bool good, const char *name)
{
    n_checks++;
    n_failed += !good;
    print("%sok %u - %s\n", good ? "" : "not ", n_checks, name);
}

void check_equal(uint64_t got, uint64_t expected, const char *name)
{
    check(got == expected, name);
    if (got != expected) {
        print("# got 0x%lx, not 0x%lx\n", got, expected);
    }
}

/* ---- command line ---- */

/* What follows "key=", or NULL. */
static const char *find_option(const char *key)
{
    const struct start_info *info = (const void *)(uint64_t)boot_info;
    const char *p = (const char *)info->command_line;

    while (p && *p) {
        const char *k = key;

        while (*k && *p == *k) {
            p++;
            k++;
        }
        if (!*k && *p == '=') {
            return p + 1;
        }
        while (*p && *p != ' ') {
            p++;
        }
        while (*p == ' ') {
            p++;
        }
    }
    return NULL;
}

static unsigned digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

uint64_t option(const char *key, uint64_t otherwise)
{
    const char *p = find_option(key);
    unsigned base = 10;
    uint64_t value = 0;

    if (!p) {
        return otherwise;
    }
    if (p[0] == '0' && p[1] == 'x') {
        base = 16;
        p += 2;
    }
    for (; digit(*p) < base; p++) {
        value = value * base + digit(*p);
    }
    return value;
}

bool option_is(const char *key, const char *value)
{
    const char *p = find_option(key);

    while (p && *value && *p == *value) {
        p++;
        value++;
    }
    return p && !*value && (*p == ' ' || !*p);
}

/* ---- ends ---- */

void finish(void)
{
    uint16_t debug_exit = (uint16_t)option("exit", 0), pm1 = (uint16_t)option("pm1", 0);

    print("1..%u\n", n_checks);
    if (debug_exit) {
        out32(debug_exit, n_failed != 0);
    }
    if (pm1) {
        out16(pm1, (uint16_t)(PM1_SLEEP | option("s5", 5) << 10));
    }
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

void reset_machine(void)
{
    out8(KEYBOARD_COMMAND, KEYBOARD_PULSE_RESET);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

void payload_main(void);
void idt_init(void);

static const struct {
    const char *name;
    void (*fn)(void);
} tests[] = {
    { "cpuid", test_cpuid }, { "pio", test_pio },       { "mmio", test_mmio },
    { "pci", test_pci },     { "irq", test_irq },       { "msi", test_msi },
    { "smp", test_smp },     { "reset", test_reset },   { "storm", test_storm },
    { "bench", test_bench }, { "virtio", test_virtio }, { "triple-fault", test_triple_fault },
};

void payload_main(void)
{
    idt_init();
    for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        if (option_is("test", tests[i].name)) {
            tests[i].fn();
            finish();
        }
    }
    check(false, "test= names a test");
    finish();
}
