/* SPDX-License-Identifier: GPL-2.0-or-later
 * A storm of doorbells and of their interrupts: a virtio entropy device (modern PCI transport,
 * VIRTIO 1.0 sections 2.4 and 4.1) is asked for a few bytes, again and again, each time by one
 * notification and with one MSI-X message back. Needs: virtio-rng-pci, bar=ADDR
 * where its BARs may be.
 */
#include "lib.h"

enum {
    PCI_COMMAND = 4,
    PCI_BAR0 = 0x10,
    COMMAND_ON = 0x0006,
    CAP_MSIX = 0x11,
    CAP_VENDOR = 0x09,
    MSIX_ENABLE = 1u << 31,
    CFG_COMMON = 1,
    CFG_NOTIFY = 2,
    N_BARS = 6,

    COMMON_FEATURE_SELECT = 8,
    COMMON_FEATURES = 12,
    COMMON_STATUS = 20,
    COMMON_QUEUE = 22,
    COMMON_QUEUE_SIZE = 24,
    COMMON_QUEUE_VECTOR = 26,
    COMMON_QUEUE_ENABLE = 28,
    COMMON_QUEUE_NOTIFY_OFF = 30,
    COMMON_DESC = 32,
    COMMON_AVAIL = 40,
    COMMON_USED = 48,

    STATUS_STARTED = 1 | 2,
    STATUS_FEATURES_OK = 8,
    STATUS_DRIVER_OK = 4,
    DESC_WRITE = 2,
    QUEUE_SIZE = 8,
    BUFFER_SIZE = 16,
};

static const uint32_t RNG_MODERN = 0x10441af4, RNG_TRANSITIONAL = 0x10051af4;

static struct {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
} desc[QUEUE_SIZE] __attribute__((aligned(16)));
static struct {
    volatile uint16_t flags, idx, ring[QUEUE_SIZE];
} avail __attribute__((aligned(2)));
static struct {
    volatile uint16_t flags, idx;
    volatile struct {
        uint32_t id, len;
    } ring[QUEUE_SIZE];
} used __attribute__((aligned(4)));
static uint8_t buffer[BUFFER_SIZE];

static uint64_t bars[N_BARS], common, notify;

/* Memory BARs one after the other, each at a multiple of its size. */
static void place_bars(unsigned bdf)
{
    uint64_t next = option("bar", 0xfd000000);

    for (unsigned i = 0; i < N_BARS; i++) {
        unsigned reg = PCI_BAR0 + 4 * i;
        uint32_t mask, size;

        pci_write(bdf, reg, UINT32_MAX);
        mask = pci_read(bdf, reg);
        if (!mask || mask & 1) {
            continue;
        }
        size = -(mask & ~15u);
        next = (next + size - 1) & ~(uint64_t)(size - 1);
        bars[i] = next;
        pci_write(bdf, reg, (uint32_t)next);
        next += size;
        if ((mask & 6) == 4) {
            pci_write(bdf, reg + 4, 0);
            i++;
        }
    }
    pci_write(bdf, PCI_COMMAND, COMMAND_ON);
}

/* The structures' places; notifications of queue 0 go to the returned address. */
static void find_structures(unsigned bdf)
{
    unsigned cap = pci_read(bdf, 0x34) & 0xfc;
    uint32_t multiplier = 0;

    while (cap) {
        uint32_t head = pci_read(bdf, cap);
        uint64_t at = bars[pci_read(bdf, cap + 4) & 7] + pci_read(bdf, cap + 8);

        if ((head & 0xff) == CAP_VENDOR && head >> 24 == CFG_COMMON) {
            common = at;
        } else if ((head & 0xff) == CAP_VENDOR && head >> 24 == CFG_NOTIFY) {
            notify = at;
            multiplier = pci_read(bdf, cap + 16);
        }
        cap = head >> 8 & 0xfc;
    }
    mem_write16(common + COMMON_QUEUE, 0);
    notify += (uint64_t)multiplier * mem_read16(common + COMMON_QUEUE_NOTIFY_OFF);
}

static void set_message(unsigned bdf)
{
    unsigned cap = pci_find_capability(bdf, CAP_MSIX);
    uint32_t table = pci_read(bdf, cap + 4);
    uint64_t at = bars[table & 7] + (table & ~7u);

    mem_write32(at, 0xfee00000 | apic_id() << 12);
    mem_write32(at + 4, 0);
    mem_write32(at + 8, VECTOR_MSI);
    mem_write32(at + 12, 0);
    pci_write(bdf, cap, pci_read(bdf, cap) | MSIX_ENABLE);
}

static void start_device(void)
{
    mem_write8(common + COMMON_STATUS, 0);
    while (mem_read8(common + COMMON_STATUS)) {
    }
    mem_write8(common + COMMON_STATUS, STATUS_STARTED);
    mem_write32(common + COMMON_FEATURE_SELECT, 1);
    mem_write32(common + COMMON_FEATURES, 1); /* VERSION_1 */
    mem_write8(common + COMMON_STATUS, STATUS_STARTED | STATUS_FEATURES_OK);
    check(mem_read8(common + COMMON_STATUS) & STATUS_FEATURES_OK, "virtio/features-are-taken");
    mem_write16(common + COMMON_QUEUE, 0);
    mem_write16(common + COMMON_QUEUE_SIZE, QUEUE_SIZE);
    mem_write16(common + COMMON_QUEUE_VECTOR, 0);
    mem_write32(common + COMMON_DESC, (uint32_t)(uint64_t)desc);
    mem_write32(common + COMMON_AVAIL, (uint32_t)(uint64_t)&avail);
    mem_write32(common + COMMON_USED, (uint32_t)(uint64_t)&used);
    mem_write16(common + COMMON_QUEUE_ENABLE, 1);
    mem_write8(common + COMMON_STATUS, STATUS_STARTED | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
}

void test_virtio(void)
{
    unsigned bdf = pci_find(RNG_MODERN);
    uint32_t rounds = (uint32_t)option("rounds", 1000);
    bool all_used = true;

    bdf = bdf == PCI_NONE ? pci_find(RNG_TRANSITIONAL) : bdf;
    check(bdf != PCI_NONE, "virtio/the-device-is-there");
    if (bdf == PCI_NONE) {
        return;
    }
    apic_init();
    place_bars(bdf);
    find_structures(bdf);
    set_message(bdf);
    start_device();
    desc[0].addr = (uint64_t)buffer;
    desc[0].len = BUFFER_SIZE;
    desc[0].flags = DESC_WRITE;
    for (uint32_t i = 0; i < rounds; i++) {
        __atomic_store_n(&avail.idx, (uint16_t)(i + 1), __ATOMIC_SEQ_CST);
        mem_write16(notify, 0);
        wait_vector(VECTOR_MSI, i + 1);
        all_used &= used.idx == (uint16_t)(i + 1) && used.ring[i % QUEUE_SIZE].len == BUFFER_SIZE;
    }
    check(all_used, "virtio/every-notification-is-served");
    check_equal(vector_count[VECTOR_MSI], rounds, "virtio/every-completion-is-one-message");
}
