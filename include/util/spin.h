/* SPDX-License-Identifier: GPL-2.0-or-later
 * Waiting for another CPU by looking: what to do between two looks.
 */
#pragma once

/* Takes some ten nanoseconds and leaves the core to its other thread. [any] */
static inline void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}
