/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the guest is told about itself, reset in place, and a storm of writes to a port.
 */
#include "lib.h"

enum {
    CPUID_HYPERVISOR = 1 << 31,
    RESETS_MAGIC = 0x52535400, /* and the number of resets in the lowest byte's place, times 256 */
    APIC_SPURIOUS = 0xf0,
    APIC_ENABLED = 1 << 8,
};

static void cpuid(uint32_t leaf, uint32_t r[4])
{
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
}

/* acrn=1: what a User VM of ACRN sees. */
void test_cpuid(void)
{
    const uint32_t acrn = 0x4e524341;
    uint32_t r[4];

    cpuid(1, r);
    check(r[2] >> 31, "cpuid/a-hypervisor-is-there");
    check_equal(r[1] >> 24, apic_id(), "cpuid/apic-id");
    check_equal(r[1] >> 16 & 0xff, option("cpus", 1), "cpuid/number-of-cpus");
    if (option("acrn", 0)) {
        cpuid(0x40000000, r);
        check(r[1] == acrn && r[2] == acrn && r[3] == acrn, "cpuid/signature");
        check_equal(r[0], 0x40000010, "cpuid/last-leaf");
        cpuid(0x40000001, r);
        check_equal(r[0] & 1, 0, "cpuid/not-privileged");
        cpuid(0x40000010, r);
        check(r[0] > 100000, "cpuid/tsc-frequency");
    }
}

/* resets=N: counts in a word that memory keeps; each start finds the CPU as after power-on. */
void test_reset(void)
{
    static volatile uint32_t *const count = (volatile uint32_t *)SURVIVOR;
    uint32_t wanted = (uint32_t)option("resets", 10);
    uint64_t cr3;

    if (count[0] != RESETS_MAGIC) {
        count[0] = RESETS_MAGIC;
        count[1] = count[2] = 0;
    }
    __asm__ volatile("mov %%dr0, %0" : "=r"(cr3));
    if (apic_read(APIC_SPURIOUS) & APIC_ENABLED || cr3 || in8(0xe0)) {
        count[2]++;
    }
    if (count[1] == wanted) {
        check_equal(count[1], wanted, "reset/as-often-as-asked");
        check_equal(count[2], 0, "reset/state-is-as-after-power-on");
        count[0] = 0;
        return;
    }
    count[1]++;
    apic_init();
    ioapic_route(20, VECTOR_LINE, true);
    __asm__ volatile("mov %0, %%dr0" ::"r"((uint64_t)0x1234));
    out8(0xe0, 0x55);
    out8(0x2000 + 20, 1);
    reset_machine();
}

/* Tells whoever sends interrupts how many have been taken. */
static void acknowledge(void)
{
    out32((uint16_t)option("ack", 0), vector_count[VECTOR_MSI]);
}

/* port=P writes=N: N writes of 4 bytes, which somebody counts; then irqs=N interrupts of MSI's
 * vector: ack=P hears the number so far, and sends the next. */
void test_storm(void)
{
    uint16_t port = (uint16_t)option("port", 0xe0);
    uint32_t writes = (uint32_t)option("writes", 1000), irqs = (uint32_t)option("irqs", 0);

    apic_init();
    for (uint32_t i = 0; i < writes; i++) {
        out32(port, 1);
    }
    check(true, "storm/all-written");
    if (irqs) {
        vector_hook[VECTOR_MSI] = acknowledge;
        acknowledge();
        wait_vector(VECTOR_MSI, irqs);
    }
    check_equal(vector_count[VECTOR_MSI], irqs, "storm/all-interrupts-taken");
}

/* What comes next is the accelerator's matter: the plan is printed before. */
void test_triple_fault(void)
{
    const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = { 0, 0 };

    check(true, "triple-fault/about-to-be");
    print("1..1\n");
    __asm__ volatile("lidt %0; ud2" ::"m"(none));
}
