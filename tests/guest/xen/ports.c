/* SPDX-License-Identifier: GPL-2.0-or-later
 * The probe's accesses to four bytes of ports that keep what is written: every width and place,
 * string instructions in both directions, and what does not fit. The ports beside them must be
 * nobody's.
 */
#include "probe.h"

#include <string.h>

static void out(uint16_t port, unsigned size, uint32_t value)
{
    if (size == 1) {
        outb((uint8_t)value, port);
    } else if (size == 2) {
        outw((uint16_t)value, port);
    } else {
        outl(value, port);
    }
}

static uint32_t in(uint16_t port, unsigned size)
{
    return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static void rep_out(uint16_t port, unsigned size, const uint8_t *from, size_t count)
{
    if (size == 1) {
        __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(port) : "memory");
    } else if (size == 2) {
        __asm__ volatile("rep outsw" : "+S"(from), "+c"(count) : "d"(port) : "memory");
    } else {
        __asm__ volatile("rep outsl" : "+S"(from), "+c"(count) : "d"(port) : "memory");
    }
}

static void rep_in(uint16_t port, unsigned size, uint8_t *to, size_t count)
{
    if (size == 1) {
        __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(port) : "memory");
    } else if (size == 2) {
        __asm__ volatile("rep insw" : "+D"(to), "+c"(count) : "d"(port) : "memory");
    } else {
        __asm__ volatile("rep insl" : "+D"(to), "+c"(count) : "d"(port) : "memory");
    }
}

static void plain(uint16_t base)
{
    uint32_t seed = 1;

    for (unsigned size = 1; size <= 4; size *= 2) {
        for (unsigned at = 0; at + size <= 4; at += size) {
            uint8_t bytes[4];
            uint32_t all = next_random(&seed), value = next_random(&seed);

            out(base, 4, all);
            out((uint16_t)(base + at), size, value);
            memcpy(bytes, &all, 4);
            memcpy(bytes + at, &value, size);
            memcpy(&all, bytes, 4);
            check_value(in(base, 4), all, "after out of %u bytes at %u, the whole", size, at);
            value &= 0xffffffffu >> (32 - 8 * size);
            check_value(in((uint16_t)(base + at), size), value, "in of %u bytes at %u", size, at);
        }
    }
}

/* A port does not step: the last item of a string is what stays, and each item read is the same. */
static void strings(uint16_t base, uint8_t *buffer, size_t count)
{
    uint32_t seed = 2;

    for (unsigned size = 1; size <= 4; size *= 2) {
        uint32_t last, stays = next_random(&seed);
        uint8_t *bytes = buffer + PAGE - 8 * size; /* so that it goes over the end of a page */
        unsigned wrong = 0;

        for (size_t i = 0; i < count * size; i++) {
            bytes[i] = (uint8_t)next_random(&seed);
        }
        out(base, 4, 0);
        rep_out(base, size, bytes, count);
        last = 0;
        memcpy(&last, bytes + (count - 1) * size, size);
        check_value(in(base, size), last, "after rep outs of %zu times %u bytes", count, size);

        out(base, 4, stays);
        memset(bytes, 0xaa, count * size + 1);
        rep_in(base, size, bytes, count);
        for (size_t i = 0; i < count * size; i++) {
            wrong += bytes[i] != (uint8_t)(stays >> (i % size * 8));
        }
        check_value(wrong, 0, "wrong bytes of rep ins, %zu times %u bytes", count, size);
        check_value(bytes[count * size], 0xaa, "the byte after rep ins");
    }
}

static void strings_down(uint16_t base, uint8_t *buffer)
{
    uint16_t words[8], got[8];
    void *from = buffer + 2 * (8 - 1), *to = from;
    size_t count = 8;

    for (unsigned i = 0; i < 8; i++) {
        words[i] = (uint16_t)(0x1100 * i + 7);
    }
    memcpy(buffer, words, sizeof(words));
    __asm__ volatile("std; rep outsw; cld" : "+S"(from), "+c"(count) : "d"(base) : "memory");
    check_value(in(base, 2), words[0], "after rep outsw downwards");
    check((uint8_t *)from == buffer - 2 && count == 0, "rep outsw downwards ends below its first");

    memset(buffer, 0, 32);
    count = 8;
    __asm__ volatile("std; rep insw; cld" : "+D"(to), "+c"(count) : "d"(base) : "memory");
    memcpy(got, buffer, sizeof(got));
    for (unsigned i = 0; i < 8; i++) {
        check_value(got[i], words[0], "word %u of rep insw downwards", i);
    }
}

void probe_ports(uint16_t base)
{
    uint8_t *buffer = locked_memory(8 * PAGE);

    plain(base);
    strings(base, buffer, 8);
    strings(base, buffer, 3000);
    strings_down(base, buffer + PAGE);

    /* Half inside: nobody's. */
    out(base, 4, 0x12345678);
    out((uint16_t)(base + 2), 4, 0);
    check_value(in((uint16_t)(base + 2), 4), 0xffffffff, "in over the end");
    check_value(in(base, 4), 0x12345678, "after out over the end");
    check_value(in((uint16_t)(base + 4), 1), 0xff, "in of nobody's port");
}
