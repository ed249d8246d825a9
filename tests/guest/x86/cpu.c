/* SPDX-License-Identifier: GPL-2.0-or-later
 * Interrupts and CPUs for the x86 payload: IDT, local APIC, I/O APIC, INIT and SIPI. The 8259s are
 * masked; the APICs are where a PC has them.
 */
#include "lib.h"

enum {
    PIC1_DATA = 0x21,
    PIC2_DATA = 0xa1,
    APIC_ID = 0x20,
    APIC_EOI = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310,
    ICR_INIT = 5 << 8,
    ICR_STARTUP = 6 << 8,
    ICR_ASSERT = 1 << 14,
    ICR_BUSY = 1 << 12,
    IOAPIC_TABLE = 0x10,
    IOAPIC_MASKED = 1 << 16,
    IOAPIC_LEVEL = 1 << 15,
    FIRST_INTERRUPT = 0x20,
};

static const uint64_t APIC = 0xfee00000, IOAPIC = 0xfec00000;

struct gate {
    uint16_t offset_low, selector, flags, offset_mid;
    uint32_t offset_high, zero;
};
struct frame {
    uint64_t rip, cs, rflags, rsp, ss;
};

extern struct gate idt[256];
extern const char stubs[], trampoline[], trampoline_end[];
volatile uint32_t vector_count[256];
void (*volatile vector_hook[256])(void);
static void (*cpu_fn)(unsigned cpu);
static uint32_t cpus_there = 1;

void idt_init(void);
void on_vector(uint64_t vector, const struct frame *frame);
void cpu_main(unsigned cpu);

void idt_init(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t stub = (uint64_t)stubs + i * 16;

        idt[i] = (struct gate){ .offset_low = (uint16_t)stub,
                                .selector = SEL_CODE64,
                                .flags = 0x8e00,
                                .offset_mid = (uint16_t)(stub >> 16),
                                .offset_high = (uint32_t)(stub >> 32) };
    }
    out8(PIC1_DATA, 0xff);
    out8(PIC2_DATA, 0xff);
}

void on_vector(uint64_t vector, const struct frame *frame)
{
    if (vector < FIRST_INTERRUPT) {
        /* Some have an error code before the frame. */
        print("# exception %u: stack 0x%lx 0x%lx\n", (unsigned)vector, frame->rip, frame->cs);
        check(false, "no exception");
        finish();
    }
    __atomic_fetch_add(&vector_count[vector], 1, __ATOMIC_SEQ_CST);
    if (vector_hook[vector]) {
        vector_hook[vector]();
    }
    apic_write(APIC_EOI, 0);
}

uint32_t apic_read(uint32_t reg)
{
    return mem_read32(APIC + reg);
}

void apic_write(uint32_t reg, uint32_t value)
{
    mem_write32(APIC + reg, value);
}

uint32_t apic_id(void)
{
    return apic_read(APIC_ID) >> 24;
}

void apic_init(void)
{
    apic_write(APIC_SPURIOUS, 0x1ff);
}

void apic_send(uint32_t dest, uint32_t command)
{
    apic_write(APIC_ICR_HIGH, dest << 24);
    apic_write(APIC_ICR, command);
    while (apic_read(APIC_ICR) & ICR_BUSY) {
        cpu_pause();
    }
}

void wait_vector(uint8_t vector, uint32_t n)
{
    while (vector_count[vector] < n) {
        __asm__ volatile("sti; hlt; cli" ::: "memory");
    }
}

void take_interrupts(void)
{
    __asm__ volatile("sti; nop; nop; cli" ::: "memory");
}

static void ioapic_write(uint32_t reg, uint32_t value)
{
    mem_write32(IOAPIC, reg);
    mem_write32(IOAPIC + 0x10, value);
}

void ioapic_route(unsigned pin, uint8_t vector, bool level)
{
    ioapic_write(IOAPIC_TABLE + 2 * pin + 1, apic_id() << 24);
    ioapic_write(IOAPIC_TABLE + 2 * pin, vector | (level ? IOAPIC_LEVEL : 0));
}

void ioapic_mask(unsigned pin)
{
    ioapic_write(IOAPIC_TABLE + 2 * pin, IOAPIC_MASKED);
}

void cpu_main(unsigned cpu)
{
    apic_init();
    __atomic_fetch_add(&cpus_there, 1, __ATOMIC_SEQ_CST);
    cpu_fn(cpu);
}

/* All but the sender, as the SDM has it for unknown IDs; a CPU counts itself. */
unsigned start_cpus(unsigned wanted, void (*fn)(unsigned cpu))
{
    const uint32_t others = 3 << 18;

    cpu_fn = fn;
    for (const char *p = trampoline; p < trampoline_end; p++) {
        mem_write8(TRAMPOLINE + (uint64_t)(p - trampoline), (uint8_t)*p);
    }
    apic_send(0, others | ICR_ASSERT | ICR_INIT);
    apic_send(0, others | ICR_ASSERT | ICR_STARTUP | TRAMPOLINE >> 12);
    while (__atomic_load_n(&cpus_there, __ATOMIC_SEQ_CST) < wanted) {
        cpu_pause();
    }
    return __atomic_load_n(&cpus_there, __ATOMIC_SEQ_CST);
}
