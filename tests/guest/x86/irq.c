/* SPDX-License-Identifier: GPL-2.0-or-later
 * Interrupts and CPUs. Needs: pc-testdev (port 0x2000 + n drives line n), edu (PCI 1234:11e8) for
 * messages, cpus=N for the CPUs that are to come up.
 */
#include "lib.h"

enum {
    LINES = 0x2000,
    PIN = 20,
    EDU_IRQ_RAISE = 0x60,
    EDU_IRQ_ACK = 0x64,
    PCI_COMMAND = 4,
    PCI_BAR0 = 0x10,
    COMMAND_ON = 0x0006, /* memory, bus master */
    CAP_MSI = 5,
    MSI_64 = 1 << 23,
    MSI_ENABLE = 1 << 16,
    APIC_TIMER = 0x320,
    APIC_TIMER_COUNT = 0x380,
    APIC_TIMER_DIVIDE = 0x3e0,
    STORM = 500,
};

static volatile bool lowered;

static void lower_line(void)
{
    out8(LINES + PIN, 0);
    lowered = true;
}

/* A hypervisor may deliver a level once too often (docs/findings.md: one does when the vCPU's
 * thread changes CPUs), so rounds are counted here, not interrupts. */
static unsigned level_storm(void)
{
    unsigned rounds = 0;

    while (rounds < STORM) {
        lowered = false;
        out8(LINES + PIN, 1);
        while (!lowered) {
            __asm__ volatile("sti; hlt; cli" ::: "memory");
        }
        rounds++;
    }
    return rounds;
}

void test_irq(void)
{
    uint32_t before;

    apic_init();
    lower_line();
    ioapic_route(PIN, VECTOR_LINE, false);
    out8(LINES + PIN, 1);
    wait_vector(VECTOR_LINE, 1);
    check_equal(vector_count[VECTOR_LINE], 1, "irq/an-edge-is-one-interrupt");
    out8(LINES + PIN, 1);
    take_interrupts();
    check_equal(vector_count[VECTOR_LINE], 1, "irq/no-edge-no-interrupt");
    lower_line();
    for (unsigned i = 0; i < STORM; i++) {
        out8(LINES + PIN, 1);
        lower_line();
        wait_vector(VECTOR_LINE, i + 2);
    }
    check_equal(vector_count[VECTOR_LINE], STORM + 1, "irq/every-edge-of-many");

    ioapic_route(PIN, VECTOR_LINE + 1, true);
    vector_hook[VECTOR_LINE + 1] = lower_line;
    check_equal(level_storm(), STORM, "irq/level-until-lowered");
    check(vector_count[VECTOR_LINE + 1] >= STORM, "irq/level-once-for-each-raise");
    vector_hook[VECTOR_LINE + 1] = NULL;
    ioapic_mask(PIN);
    before = vector_count[VECTOR_LINE + 1];
    out8(LINES + PIN, 1);
    take_interrupts();
    check_equal(vector_count[VECTOR_LINE + 1], before, "irq/masked-is-quiet");
    lower_line();

    apic_write(APIC_TIMER_DIVIDE, 0xb);
    apic_write(APIC_TIMER, VECTOR_TIMER);
    apic_write(APIC_TIMER_COUNT, 100000);
    wait_vector(VECTOR_TIMER, 1);
    check_equal(vector_count[VECTOR_TIMER], 1, "irq/timer-of-the-local-apic");
    apic_send(apic_id(), 1 << 14 | VECTOR_IPI);
    wait_vector(VECTOR_IPI, 1);
    check_equal(vector_count[VECTOR_IPI], 1, "irq/to-itself");
}

void test_msi(void)
{
    unsigned bdf = pci_find(PCI_ID_EDU), cap;
    uint64_t bar = option("bar", 0xfd000000);
    uint32_t head;

    apic_init();
    check(bdf != PCI_NONE, "msi/the-device-is-there");
    if (bdf == PCI_NONE) {
        return;
    }
    cap = pci_find_capability(bdf, CAP_MSI);
    check(cap != 0, "msi/it-has-the-capability");
    pci_write(bdf, PCI_BAR0, (uint32_t)bar);
    pci_write(bdf, PCI_COMMAND, COMMAND_ON);
    head = pci_read(bdf, cap);
    pci_write(bdf, cap + 4, 0xfee00000 | apic_id() << 12);
    if (head & MSI_64) {
        pci_write(bdf, cap + 8, 0);
    }
    pci_write(bdf, cap + (head & MSI_64 ? 12 : 8), VECTOR_MSI);
    pci_write(bdf, cap, head | MSI_ENABLE);
    mem_write32(bar + 4, 0x12345678);
    check_equal(mem_read32(bar + 4), ~0x12345678u,
                "msi/liveness-register-inverts-what-was-written");
    for (unsigned i = 0; i < STORM; i++) {
        mem_write32(bar + EDU_IRQ_RAISE, 1);
        wait_vector(VECTOR_MSI, i + 1);
        mem_write32(bar + EDU_IRQ_ACK, 1);
    }
    check_equal(vector_count[VECTOR_MSI], STORM, "msi/every-message-of-many");
}

/* ---- CPUs ---- */

static uint32_t ids_seen, turns;

/* Each adds to a word they all share, then answers an interrupt for ever. */
static void busy(unsigned cpu)
{
    __atomic_fetch_or(&ids_seen, 1u << apic_id(), __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < 1000; i++) {
        __atomic_fetch_add(&turns, 1, __ATOMIC_SEQ_CST);
        out8(0xe0, (uint8_t)cpu);
    }
    for (;;) {
        __asm__ volatile("sti; hlt; cli" ::: "memory");
    }
}

void test_smp(void)
{
    unsigned wanted = (unsigned)option("cpus", 4);

    apic_init();
    __atomic_fetch_or(&ids_seen, 1u << apic_id(), __ATOMIC_SEQ_CST);
    check_equal(start_cpus(wanted, busy), wanted, "smp/all-come-up");
    while (__atomic_load_n(&turns, __ATOMIC_SEQ_CST) < (wanted - 1) * 1000) {
        cpu_pause();
    }
    check_equal(turns, (wanted - 1) * 1000, "smp/all-run-at-once");
    check_equal(ids_seen, (1u << wanted) - 1, "smp/each-has-its-id");
    for (unsigned i = 1; i < wanted; i++) {
        apic_send(i, 1 << 14 | VECTOR_IPI);
        while (vector_count[VECTOR_IPI] < i) {
            cpu_pause();
        }
    }
    check_equal(vector_count[VECTOR_IPI], wanted - 1, "smp/each-takes-an-interrupt");
}
