/* SPDX-License-Identifier: GPL-2.0-or-later
 * The probe's accesses to a window of device memory that keeps what is written, compared with a
 * copy in ordinary memory: every width at every place, over the ends of pages, at random, and
 * beyond the window's end. How long one takes is measured here as well. No strings here.
 */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By size: the width of the instruction is what the device sees. */
static void store(volatile uint8_t *to, unsigned size, uint64_t value)
{
    switch (size) {
    case 1:
        __asm__ volatile("movb %b1, %0" : "=m"(*to) : "q"(value) : "memory");
        break;
    case 2:
        __asm__ volatile("movw %w1, %0" : "=m"(*to) : "r"(value) : "memory");
        break;
    case 4:
        __asm__ volatile("movl %k1, %0" : "=m"(*to) : "r"(value) : "memory");
        break;
    default:
        __asm__ volatile("movq %q1, %0" : "=m"(*to) : "r"(value) : "memory");
    }
}

static uint64_t load(volatile uint8_t *from, unsigned size)
{
    uint64_t value = 0;

    switch (size) {
    case 1:
        __asm__ volatile("movzbl %1, %k0" : "=r"(value) : "m"(*from) : "memory");
        break;
    case 2:
        __asm__ volatile("movzwl %1, %k0" : "=r"(value) : "m"(*from) : "memory");
        break;
    case 4:
        __asm__ volatile("movl %1, %k0" : "=r"(value) : "m"(*from) : "memory");
        break;
    default:
        __asm__ volatile("movq %1, %q0" : "=r"(value) : "m"(*from) : "memory");
    }
    return value;
}

static uint64_t expected(const uint8_t *copy, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, copy, size);
    return value;
}

static void one(volatile uint8_t *window, uint8_t *copy, size_t at, unsigned size, uint64_t value)
{
    store(window + at, size, value);
    memcpy(copy + at, &value, size);
    check_value(load(window + at, size), expected(copy + at, size), "%u bytes at %#zx", size, at);
    /* Neither the one before nor the one after has changed. */
    if (at > 0) {
        check_value(load(window + at - 1, 1), copy[at - 1], "the byte before %#zx", at);
    }
    check_value(load(window + at + size, 1), copy[at + size], "the byte after %u at %#zx", size,
                at);
}

static void signed_loads(volatile uint8_t *window)
{
    int64_t value;

    store(window, 8, 0x8899aabbccddeeffu);
    __asm__ volatile("movsbq %1, %0" : "=r"(value) : "m"(window[0]));
    check_value((uint64_t)value, (uint64_t)(int64_t)(int8_t)0xff, "movsx of a byte");
    __asm__ volatile("movswq %1, %0" : "=r"(value) : "m"(window[0]));
    check_value((uint64_t)value, (uint64_t)(int64_t)(int16_t)0xeeff, "movsx of a word");
    __asm__ volatile("movslq %1, %0" : "=r"(value) : "m"(window[0]));
    check_value((uint64_t)value, (uint64_t)(int64_t)(int32_t)0xccddeeff, "movsxd");
}

void probe_memory(uint64_t base, size_t size)
{
    volatile uint8_t *window = map_physical(base, size + PAGE);
    uint8_t *copy = locked_memory(size);
    uint32_t seed = 3;
    uint64_t value;

    /* What is there from before does not matter where it is not used. */
    for (size_t at = 0; at < 64; at += 8) {
        store(window + at, 8, 0);
    }
    for (unsigned width = 1; width <= 8; width *= 2) {
        for (size_t at = 0; at < 8; at++) {
            value = (uint64_t)next_random(&seed) << 32 | next_random(&seed);
            one(window, copy, at, width, value);
        }
    }
    signed_loads(window);

    /* Over the end of a page: in parts, none of them lost. */
    store(window + PAGE - 8, 8, 0);
    store(window + PAGE, 8, 0);
    for (unsigned width = 2; width <= 8; width *= 2) {
        for (size_t at = PAGE - width + 1; at < PAGE; at++) {
            value = (uint64_t)next_random(&seed) << 32 | next_random(&seed);
            one(window, copy, at, width, value);
        }
    }

    /* At random in the second half, all of it compared at the end. */
    for (size_t at = size - 2 * PAGE; at < size - 2 * PAGE + 256; at += 8) {
        store(window + at, 8, 0);
    }
    for (unsigned i = 0; i < 400; i++) {
        unsigned width = 1u << next_random(&seed) % 4;
        size_t at = size - 2 * PAGE + next_random(&seed) % (256 - width);

        value = (uint64_t)next_random(&seed) << 32 | next_random(&seed);
        store(window + at, width, value);
        memcpy(copy + at, &value, width);
    }
    for (size_t at = size - 2 * PAGE; at < size - 2 * PAGE + 256; at += 8) {
        check_value(load(window + at, 8), expected(copy + at, 8), "8 bytes at %#zx", at);
    }

    /* Beyond the end: all ones, and writes are dropped; over it, which is the end of a page, the
     * part that is inside is written. */
    for (unsigned width = 1; width <= 8; width *= 2) {
        store(window + size, width, 0);
        check_value(load(window + size, width), ~0ull >> (64 - 8 * width),
                    "%u bytes beyond the end", width);
    }
    store(window + size - 4, 4, 0x600dcafe);
    store(window + size - 2, 4, 0);
    check_value(load(window + size - 4, 4), 0xcafe, "after a write over the end");
}

/* ---- how long ---- */

static uint64_t cycles(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *each, unsigned count)
{
    qsort(each, count, sizeof(*each), ascending);
    return each[count / 2];
}

/* One read from either in turn, so that what else the machines below do meets both alike. */
static void compare(volatile uint8_t *const windows[2], const uint16_t ports[2], unsigned count)
{
    uint64_t *each = (uint64_t *)locked_memory((2ull * count + 1) * sizeof(*each));

    for (unsigned i = 0; i < 2 * count; i++) {
        unsigned which = (i ^ i >> 1) & 1; /* 0 1 1 0 */
        uint64_t began = cycles();

        if (windows != NULL) {
            load(windows[which], 4);
        } else {
            inl(ports[which]);
        }
        each[which * count + i / 2] = cycles() - began;
    }
    printf("probe: median cycles first %llu second %llu of %u\n",
           (unsigned long long)median(each, count), (unsigned long long)median(each + count, count),
           count);
}

void probe_compare(uint64_t first, uint64_t second, unsigned count)
{
    volatile uint8_t *windows[2] = { map_physical(first, PAGE), map_physical(second, PAGE) };

    compare(windows, NULL, count);
}

void probe_compare_ports(uint16_t first, uint16_t second, unsigned count)
{
    uint16_t ports[2] = { first, second };

    compare(NULL, ports, count);
}
