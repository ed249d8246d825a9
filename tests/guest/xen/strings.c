/* SPDX-License-Identifier: GPL-2.0-or-later
 * The probe's string instructions on a window of device memory that keeps what is written: between
 * it and ordinary memory, within it, in every width, upwards and downwards, and over the ends of
 * pages on both sides; then the instructions that read and write at once. Compared with what the
 * same instruction does to ordinary memory.
 */
#include "probe.h"

#include <stdio.h>
#include <string.h>

enum { LENGTH = PAGE + 104, BLOCK = 32 << 10 };

typedef void Moves(volatile void *to, const volatile void *from, size_t count);

#define MOVES(name, instruction)                                                                   \
    static void name(volatile void *to, const volatile void *from, size_t count)                   \
    {                                                                                              \
        __asm__ volatile(instruction : "+D"(to), "+S"(from), "+c"(count) : : "memory");            \
    }

MOVES(up_1, "rep movsb")
MOVES(up_2, "rep movsw")
MOVES(up_4, "rep movsl")
MOVES(up_8, "rep movsq")
MOVES(down_1, "std; rep movsb; cld")
MOVES(down_2, "std; rep movsw; cld")
MOVES(down_4, "std; rep movsl; cld")
MOVES(down_8, "std; rep movsq; cld")

static Moves *const moves[2][4] = { { up_1, up_2, up_4, up_8 },
                                    { down_1, down_2, down_4, down_8 } };

/* Moves length bytes with items of 1 << shift; downwards it begins with the last item. */
static void move(volatile uint8_t *to, const volatile uint8_t *from, size_t length, unsigned shift,
                 bool down)
{
    size_t count = length >> shift, first = down ? (count - 1) << shift : 0;

    moves[down][shift](to + first, from + first, count);
}

static void fill(uint8_t *bytes, size_t size, uint32_t *seed)
{
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)next_random(seed);
    }
}

/* The window as single loads see it, or, which takes one exit for a page, one kind of string. */
static void peek(uint8_t *to, volatile uint8_t *window, size_t size)
{
    if (size > 256) {
        move(to, window, size, 3, false);
        return;
    }
    for (size_t at = 0; at < size; at += 8) {
        uint64_t value = *(volatile uint64_t *)(window + at);

        memcpy(to + at, &value, 8);
    }
}

static void poke(volatile uint8_t *window, const uint8_t *from, size_t size)
{
    for (size_t at = 0; at < size; at += 8) {
        uint64_t value;

        memcpy(&value, from + at, 8);
        *(volatile uint64_t *)(window + at) = value;
    }
}

static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t size)
{
    size_t i = 0;

    while (i < size && a[i] == b[i]) {
        i++;
    }
    return i;
}

/* That kind is compared with single loads. */
static void first_move(volatile uint8_t *window, uint8_t *buffer, uint8_t *seen, uint32_t *seed)
{
    fill(buffer, LENGTH, seed);
    poke(window + 16, buffer, LENGTH);
    peek(seen, window + 16, LENGTH);
    check_value(first_difference(seen, buffer, LENGTH), LENGTH,
                "first wrong byte, rep movsq of what single stores wrote,");
    fill(buffer, LENGTH, seed);
    move(window + 16, buffer, LENGTH, 3, false);
    for (size_t at = 0; at < LENGTH; at += 8) {
        peek(seen + at, window + 16 + at, 8);
    }
    check_value(first_difference(seen, buffer, LENGTH), LENGTH,
                "first wrong byte, single loads of what rep movsq wrote,");
}

static void both_ways(volatile uint8_t *window, uint8_t *buffer, uint8_t *seen, unsigned shift,
                      bool down, uint32_t *seed)
{
    const char *way = down ? "downwards" : "upwards";
    uint8_t *bytes = buffer + 3; /* so that items go over the ends of its pages */

    fill(bytes, LENGTH, seed);
    move(window + 8, bytes, LENGTH, shift, down);
    peek(seen, window + 8, LENGTH);
    check_value(first_difference(seen, bytes, LENGTH), LENGTH,
                "first wrong byte, rep movs to the device by %u %s,", 1 << shift, way);

    memset(bytes - 1, 0x55, LENGTH + 2);
    move(bytes, window + 8, LENGTH, shift, down);
    check_value(first_difference(bytes, seen, LENGTH), LENGTH,
                "first wrong byte, rep movs from the device by %u %s,", 1 << shift, way);
    check(bytes[-1] == 0x55 && bytes[LENGTH] == 0x55, "rep movs by %u %s stays inside", 1 << shift,
          way);
}

static void within(volatile uint8_t *window, uint8_t *buffer, uint8_t *seen, unsigned shift,
                   bool down, uint32_t *seed)
{
    enum { SIZE = 64 };
    volatile uint8_t *from = window + PAGE - 24, *to = window + 2 * PAGE - 40;

    fill(buffer, SIZE, seed);
    poke(from, buffer, SIZE);
    move(to, from, SIZE, shift, down);
    peek(seen, to, SIZE);
    check_value(first_difference(seen, buffer, SIZE), SIZE,
                "first wrong byte, rep movs within the device by %u,", 1 << shift);
}

static void stores(volatile uint8_t *window, uint8_t *buffer, uint8_t *seen)
{
    enum { SIZE = 4096 + 64 };
    volatile void *to = window;
    void *copy = buffer;
    size_t count = SIZE / 8;
    uint64_t value = 0x1122334455667788;

    memset(buffer, 0, SIZE + 8);
    poke(window, buffer, 64);
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(value) : "memory");
    count = SIZE / 8;
    __asm__ volatile("rep stosq" : "+D"(copy), "+c"(count) : "a"(value) : "memory");
    peek(seen, window, SIZE);
    check_value(first_difference(seen, buffer, SIZE), SIZE, "first wrong byte, rep stosq,");

    to = window + SIZE - 2;
    copy = buffer + SIZE - 2;
    count = SIZE / 2;
    value = 0xa55a;
    __asm__ volatile("std; rep stosw; cld" : "+D"(to), "+c"(count) : "a"(value) : "memory");
    count = SIZE / 2;
    __asm__ volatile("std; rep stosw; cld" : "+D"(copy), "+c"(count) : "a"(value) : "memory");
    peek(seen, window, SIZE);
    check_value(first_difference(seen, buffer, SIZE), SIZE,
                "first wrong byte, rep stosw downwards,");
}

static void compares(volatile uint8_t *window, uint8_t *buffer)
{
    const volatile void *at = window, *copy = buffer;
    size_t count = 64;

    memset(buffer, 7, 64);
    buffer[41] = 9;
    poke(window, buffer, 64);
    __asm__ volatile("repne scasb" : "+D"(at), "+c"(count) : "a"(9) : "memory", "cc");
    check_value(64 - count, 42, "items that repne scasb looked at");
    buffer[50] = 8;
    at = window;
    count = 64;
    __asm__ volatile("repe cmpsb" : "+D"(at), "+S"(copy), "+c"(count) : : "memory", "cc");
    check_value(64 - count, 51, "items that repe cmpsb looked at");
}

/* Instructions that read and write: the same, one after the other, on both kinds of memory. */
static uint64_t modify(volatile uint8_t *memory, uint8_t *vector)
{
    uint32_t sum = 5, swapped = 0xfeedf00d, compared = 0x10203045, other = 0x99;
    uint16_t mask = 0x0ff0;
    uint64_t one = 1;

    *(volatile uint64_t *)memory = 0x7700000010203040;
    __asm__ volatile("lock xaddl %0, %1" : "+r"(sum), "+m"(*(volatile uint32_t *)memory));
    __asm__ volatile("lock cmpxchgl %2, %1"
                     : "+a"(compared), "+m"(*(volatile uint32_t *)memory)
                     : "r"(other)
                     : "cc");
    __asm__ volatile("xchgl %0, %1" : "+r"(swapped), "+m"(*(volatile uint32_t *)(memory + 4)));
    __asm__ volatile("orw %1, %0" : "+m"(*(volatile uint16_t *)(memory + 2)) : "r"(mask) : "cc");
    __asm__ volatile("incb %0" : "+m"(memory[7]) : : "cc");
    __asm__ volatile("subq %1, %0" : "+m"(*(volatile uint64_t *)memory) : "r"(one) : "cc");
    __asm__ volatile("btsl $9, %0" : "+m"(*(volatile uint32_t *)memory) : : "cc");
    __asm__ volatile("movups (%0), %%xmm0; movups %%xmm0, 16(%1)"
                     :
                     : "r"(vector), "r"(memory)
                     : "xmm0", "memory");
    __asm__ volatile("movups 16(%1), %%xmm1; movups %%xmm1, (%0)"
                     :
                     : "r"(vector + 16), "r"(memory)
                     : "xmm1", "memory");
    return *(volatile uint64_t *)memory ^ (uint64_t)sum << 32 ^ swapped ^ compared;
}

void probe_strings(uint64_t base, size_t size)
{
    volatile uint8_t *window = map_physical(base, size);
    uint8_t *buffer = locked_memory(BLOCK + PAGE), *seen = locked_memory(BLOCK + PAGE);
    uint32_t seed = 4;
    uint64_t sum;

    first_move(window, buffer, seen, &seed);
    for (unsigned shift = 0; shift < 4; shift++) {
        for (unsigned down = 0; down < 2; down++) {
            both_ways(window, buffer, seen, shift, down != 0, &seed);
            within(window, buffer, seen, shift, down != 0, &seed);
        }
    }
    stores(window, buffer, seen);
    compares(window, buffer);

    fill(buffer, 16, &seed);
    fill(buffer + 2048, 16, &seed);
    memcpy(buffer + 2048, buffer, 16);
    check_value(modify(window, buffer), modify(buffer + 1024, buffer + 2048),
                "what reading and writing instructions leave");
    check(memcmp(buffer, buffer + 16, 16) == 0, "16 bytes by a vector register come back");

    fill(buffer, BLOCK, &seed);
    sum = checksum(buffer, BLOCK);
    move(window, buffer, BLOCK, 3, false);
    memset(seen, 0, BLOCK);
    move(seen, window, BLOCK, 2, true);
    check_value(checksum(seen, BLOCK), sum, "the checksum of %u bytes", BLOCK);
    printf("probe: checksum %#llx of %u bytes\n", (unsigned long long)checksum(seen, BLOCK), BLOCK);
}
