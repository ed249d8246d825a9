/* SPDX-License-Identifier: GPL-2.0-or-later
 * The fast path of guest loads and stores, inlined into the interpreter and into dynarmic's
 * callbacks. Everything that is not a hit in the soft TLB is memory.c's.
 *
 * Guest memory is shared with other vCPUs and with device threads: each access is one host access,
 * so that aligned ones are single-copy atomic. The host is x86-64, whose ordering (TSO) is
 * stronger than plain Arm accesses ask for.
 */
#pragma once

#include "a64.h"

#include <string.h>

/* A guest's data races are its own affair: the thread sanitizer is not to see them. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define GUEST_ACCESS static __attribute__((noinline, no_sanitize("thread"), unused))
#else
#define GUEST_ACCESS static inline __attribute__((no_sanitize("alignment")))
#endif

typedef uint16_t __attribute__((may_alias, aligned(1))) Host16;
typedef uint32_t __attribute__((may_alias, aligned(1))) Host32;
typedef uint64_t __attribute__((may_alias, aligned(1))) Host64;

GUEST_ACCESS uint64_t host_load(uint64_t host, unsigned size)
{
    switch (size) {
    case 1:
        return *(const volatile uint8_t *)host;
    case 2:
        return *(const volatile Host16 *)host;
    case 4:
        return *(const volatile Host32 *)host;
    default:
        return *(const volatile Host64 *)host;
    }
}

GUEST_ACCESS void host_store(uint64_t host, unsigned size, uint64_t value)
{
    switch (size) {
    case 1:
        *(volatile uint8_t *)host = (uint8_t)value;
        break;
    case 2:
        *(volatile Host16 *)host = (uint16_t)value;
        break;
    case 4:
        *(volatile Host32 *)host = (uint32_t)value;
        break;
    default:
        *(volatile Host64 *)host = value;
        break;
    }
}

/* Orders all accesses before it before all after it, those of device threads and JITed code
 * included (a fence the sanitizers need not understand). */
static inline void full_fence(void)
{
    __asm__ volatile("lock orq $0, (%%rsp)" ::: "memory", "cc");
}

static inline unsigned tlb_index(uint64_t va)
{
    return va >> 12 & (TLB_ENTRIES - 1);
}

/* FALSE: v->fault is set. The tag is compared with the page of the last byte, so that an access
 * which crosses into the next page misses. */
static inline bool mem_load(A64Vcpu *v, unsigned view, uint64_t va, unsigned size, uint64_t *value)
{
    const TlbEntry *e = &v->tlb[view][tlb_index(va)];

    if (LIKELY(e->read == PAGE_OF(va + size - 1))) {
        *value = host_load(va + e->addend, size);
        return true;
    }
    return mem_load_slow(v, view, va, size, value);
}

static inline bool mem_store(A64Vcpu *v, unsigned view, uint64_t va, unsigned size, uint64_t value)
{
    const TlbEntry *e = &v->tlb[view][tlb_index(va)];

    if (LIKELY(e->write == PAGE_OF(va + size - 1))) {
        host_store(va + e->addend, size, value);
        return true;
    }
    return mem_store_slow(v, view, va, size, value);
}
