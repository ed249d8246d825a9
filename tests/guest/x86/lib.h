/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the tests in the x86 payload use: ports, memory, TAP on the first UART, interrupts, other
 * CPUs, PCI configuration. The boards that run it promise: a 16550 at 0x3f8, a way to end named on
 * the command line, and what each test says that it needs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

/* ---- ports and memory ---- */
#define PORT_ACCESS(bits, suffix, reg)                                                             \
    static inline void out##bits(uint16_t port, uint##bits##_t value)                              \
    {                                                                                              \
        __asm__ volatile("out" suffix " %" reg "0, %1" ::"a"(value), "Nd"(port) : "memory");       \
    }                                                                                              \
    static inline uint##bits##_t in##bits(uint16_t port)                                           \
    {                                                                                              \
        uint##bits##_t value;                                                                      \
        __asm__ volatile("in" suffix " %1, %" reg "0" : "=a"(value) : "Nd"(port) : "memory");      \
        return value;                                                                              \
    }                                                                                              \
    static inline void mem_write##bits(uint64_t addr, uint##bits##_t value)                        \
    {                                                                                              \
        *(volatile uint##bits##_t *)addr = value;                                                  \
    }                                                                                              \
    static inline uint##bits##_t mem_read##bits(uint64_t addr)                                     \
    {                                                                                              \
        return *(volatile uint##bits##_t *)addr;                                                   \
    }
PORT_ACCESS(8, "b", "b")
PORT_ACCESS(16, "w", "w")
PORT_ACCESS(32, "l", "k")
static inline void mem_write64(uint64_t addr, uint64_t value)
{
    *(volatile uint64_t *)addr = value;
}
static inline uint64_t mem_read64(uint64_t addr)
{
    return *(volatile uint64_t *)addr;
}

/* ---- TAP ---- */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* %s %u %x %lx only */
/* One rule: "ok N - name", or "not ok" and why. */
void check(bool good, const char *name);
void check_equal(uint64_t got, uint64_t expected, const char *name);
/* The value of "key=..." on the command line, or otherwise. */
uint64_t option(const char *key, uint64_t otherwise);
bool option_is(const char *key, const char *value);
void __attribute__((noreturn)) finish(void);
void __attribute__((noreturn)) reset_machine(void);

/* ---- CPUs and interrupts ---- */
enum { VECTOR_LINE = 0x40, VECTOR_MSI = 0x50, VECTOR_IPI = 0x60, VECTOR_TIMER = 0x70 };

extern volatile uint32_t vector_count[256]; /* interrupts taken since start, on any CPU */
/* What an interrupt does beside being counted. */
extern void (*volatile vector_hook[256])(void);
void apic_init(void); /* this CPU's */
uint32_t apic_id(void);
uint32_t apic_read(uint32_t reg);
void apic_write(uint32_t reg, uint32_t value);
void apic_send(uint32_t dest, uint32_t command);
/* Sleeps until the vector has been taken n times in all. */
void wait_vector(uint8_t vector, uint32_t n);
/* Takes what is pending, without sleep. */
void take_interrupts(void);
void ioapic_route(unsigned pin, uint8_t vector, bool level);
void ioapic_mask(unsigned pin);
/* Starts all others, which then call fn with their number; returns how many came up of wanted. */
unsigned start_cpus(unsigned wanted, void (*fn)(unsigned cpu));
extern uint32_t cpu_count;

static inline void cpu_pause(void)
{
    __asm__ volatile("pause" ::: "memory");
}

/* ---- PCI ---- */
uint32_t pci_read(unsigned bdf, unsigned reg);
void pci_write(unsigned bdf, unsigned reg, uint32_t value);
#define PCI_NONE   (~0u)
#define PCI_ID_EDU 0x11e81234   /* the device that raises interrupts on request */
unsigned pci_find(uint32_t id); /* device id << 16 | vendor id */
unsigned pci_find_capability(unsigned bdf, uint8_t id);

/* ---- tests ---- */
void test_pio(void);
void test_mmio(void);
void test_pci(void);
void test_irq(void);
void test_msi(void);
void test_smp(void);
void test_cpuid(void);
void test_reset(void);
void test_storm(void);
void test_bench(void);
void test_virtio(void);
void test_triple_fault(void);
