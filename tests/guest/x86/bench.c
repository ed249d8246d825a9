/* SPDX-License-Identifier: GPL-2.0-or-later
 * What scripts/bench runs on each accelerator: accesses that leave the guest, counted against the
 * time-stamp counter. Instructions may be emulated, so loops are unrolled and do nothing else.
 *
 *   kind=pio       writes to a register of the first UART that does nothing
 *   kind=mmio      reads of the virtio-mmio device at mmio=
 *   kind=doorbell  notifications of its first queue, which is empty
 *   kind=request   round trips: one request (virtio-blk), one interrupt on pin=
 *
 * count= of them on each of cpus= CPUs, a multiple of 256, in 16 rounds that each print "cycles N",
 * the time of one in all; with latency=1 each is timed on one CPU, and "bucket CYCLES COUNT" lines
 * follow. Needs: a 16550, a virtio-mmio device.
 */
#include "lib.h"

enum {
    UART_SCRATCH = 0x3ff,
    UNROLL = 16,
    ROUNDS = 16,
    PER_OCTAVE_BITS = 4,

    MMIO_MAGIC = 0x00,
    MMIO_DEVICE_ID = 0x08,
    MMIO_STEP = 0x200,
    MMIO_SLOTS = 32,
    MMIO_DRIVER_FEATURES = 0x20,
    MMIO_DRIVER_FEATURES_SEL = 0x24,
    MMIO_QUEUE_SEL = 0x30,
    MMIO_QUEUE_NUM = 0x38,
    MMIO_QUEUE_READY = 0x44,
    MMIO_QUEUE_NOTIFY = 0x50,
    MMIO_INTERRUPT_STATUS = 0x60,
    MMIO_INTERRUPT_ACK = 0x64,
    MMIO_STATUS = 0x70,
    MMIO_QUEUE_DESC = 0x80,
    MMIO_QUEUE_DRIVER = 0x90,
    MMIO_QUEUE_DEVICE = 0xa0,
    STATUS_DRIVER = 3,
    STATUS_FEATURES_OK = 8,
    STATUS_DRIVER_OK = 4,
    FEATURE_VERSION_1 = 1, /* in the upper word */
    DESC_NEXT = 1,
    DESC_WRITE = 2,
    RING = 8,
};

static volatile uint32_t left, go;
static uint64_t mmio;
static unsigned pin;
static uint32_t count, buckets[64 << PER_OCTAVE_BITS];
static void (*work)(uint32_t n);

static struct {
    struct {
        uint64_t addr;
        uint32_t len;
        uint16_t flags, next;
    } desc[RING];
    volatile uint16_t avail_flags, avail_index, avail[RING + 1];
} ring __attribute__((aligned(4096)));
static struct {
    volatile uint16_t flags, index;
    volatile uint32_t used[2 * RING + 1];
} used __attribute__((aligned(4096)));
static struct {
    uint32_t type, reserved;
    uint64_t sector;
    uint8_t status, data[512];
} request __attribute__((aligned(4096)));

static inline uint64_t cycles(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

/* ---- kinds ---- */

static void pio(uint32_t n)
{
    do {
        __asm__ volatile(".rept %c2; outb %b0, %w1; .endr" ::"a"(0), "d"(UART_SCRATCH),
                         "i"(UNROLL));
    } while (n -= UNROLL);
}

static void pio_one(uint32_t n)
{
    __asm__ volatile("outb %b0, %w1" ::"a"(0), "d"(UART_SCRATCH));
}

static void mmio_read(uint32_t n)
{
    uint32_t value;

    do {
        __asm__ volatile(".rept %c2; movl (%1), %0; .endr" : "=r"(value) : "r"(mmio), "i"(UNROLL));
    } while (n -= UNROLL);
}

static void mmio_one(uint32_t n)
{
    mem_read32(mmio);
}

static void doorbell(uint32_t n)
{
    do {
        __asm__ volatile(".rept %c2; movl %0, (%1); .endr" ::"r"(0), "r"(mmio + MMIO_QUEUE_NOTIFY),
                         "i"(UNROLL));
    } while (n -= UNROLL);
}

static void doorbell_one(uint32_t n)
{
    mem_write32(mmio + MMIO_QUEUE_NOTIFY, 0);
}

static void acknowledge(void)
{
    mem_write32(mmio + MMIO_INTERRUPT_ACK, 1);
}

static void request_one(uint32_t n)
{
    uint32_t before = vector_count[VECTOR_LINE];

    ring.avail_index++; /* its entries are all 0 */
    mem_write32(mmio + MMIO_QUEUE_NOTIFY, 0);
    wait_vector(VECTOR_LINE, before + 1);
}

static void requests(uint32_t n)
{
    while (n--) {
        request_one(1);
    }
}

/* ---- the device ---- */

static void put_address(uint32_t reg, volatile void *p)
{
    mem_write32(mmio + reg, (uint32_t)(uint64_t)p);
    mem_write32(mmio + reg + 4, 0);
}

/* The first slot with a device in it; its pin follows from pin=, that of the first slot. */
static void find_device(uint64_t first)
{
    for (unsigned i = 0; i < MMIO_SLOTS && !mmio; i++) {
        uint64_t slot = first + i * MMIO_STEP;

        if (mem_read32(slot + MMIO_MAGIC) == 0x74726976 && mem_read32(slot + MMIO_DEVICE_ID)) {
            mmio = slot;
            pin = (unsigned)option("pin", 0) + i;
        }
    }
}

/* Virtio 1.2 sections 3.1.1, 4.2.3.2; chain 0 reads a sector (5.2.6). */
static void device_start(void)
{
    ring.desc[0].addr = (uint64_t)&request;
    ring.desc[0].len = 16;
    ring.desc[0].flags = DESC_NEXT;
    ring.desc[0].next = 1;
    ring.desc[1].addr = (uint64_t)request.data;
    ring.desc[1].len = sizeof(request.data);
    ring.desc[1].flags = DESC_NEXT | DESC_WRITE;
    ring.desc[1].next = 2;
    ring.desc[2].addr = (uint64_t)&request.status;
    ring.desc[2].len = 1;
    ring.desc[2].flags = DESC_WRITE;

    mem_write32(mmio + MMIO_STATUS, 0);
    mem_write32(mmio + MMIO_STATUS, STATUS_DRIVER);
    mem_write32(mmio + MMIO_DRIVER_FEATURES_SEL, 1);
    mem_write32(mmio + MMIO_DRIVER_FEATURES, FEATURE_VERSION_1);
    mem_write32(mmio + MMIO_DRIVER_FEATURES_SEL, 0);
    mem_write32(mmio + MMIO_DRIVER_FEATURES, 0);
    mem_write32(mmio + MMIO_STATUS, STATUS_DRIVER | STATUS_FEATURES_OK);
    mem_write32(mmio + MMIO_QUEUE_SEL, 0);
    mem_write32(mmio + MMIO_QUEUE_NUM, RING);
    put_address(MMIO_QUEUE_DESC, ring.desc);
    put_address(MMIO_QUEUE_DRIVER, &ring.avail_flags);
    put_address(MMIO_QUEUE_DEVICE, &used);
    mem_write32(mmio + MMIO_QUEUE_READY, 1);
    mem_write32(mmio + MMIO_STATUS, STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
}

/* ---- measuring ---- */

static void on_cpu(unsigned cpu)
{
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        while (go < round) {
            cpu_pause();
        }
        work(count / ROUNDS);
        __atomic_fetch_add(&left, 1, __ATOMIC_SEQ_CST);
    }
}

static void rate(unsigned cpus)
{
    if (cpus > 1) {
        check_equal(start_cpus(cpus, on_cpu), cpus, "bench/cpus");
    }
    work(UNROLL * 16);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        uint64_t began = cycles();

        go = round;
        work(count / ROUNDS);
        while (left != round * (cpus - 1)) {
            cpu_pause();
        }
        print("cycles %u\n", (unsigned)((cycles() - began) / (count / ROUNDS * cpus)));
    }
}

static void latency(void)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t began = cycles(), taken;
        unsigned octave;

        work(1);
        taken = cycles() - began;
        octave = 63 - (unsigned)__builtin_clzll(taken | 1 << PER_OCTAVE_BITS);
        buckets[octave << PER_OCTAVE_BITS |
                (taken >> (octave - PER_OCTAVE_BITS) & ((1 << PER_OCTAVE_BITS) - 1))]++;
    }
    for (unsigned i = 0; i < sizeof(buckets) / sizeof(buckets[0]); i++) {
        if (buckets[i]) {
            unsigned octave = i >> PER_OCTAVE_BITS, part = i & ((1 << PER_OCTAVE_BITS) - 1);

            print("bucket %u %u\n", ((1 << PER_OCTAVE_BITS) + part) << (octave - PER_OCTAVE_BITS),
                  buckets[i]);
        }
    }
}

void test_bench(void)
{
    static const struct {
        const char *name;
        void (*many)(uint32_t), (*one)(uint32_t);
    } kinds[] = { { "pio", pio, pio_one },
                  { "mmio", mmio_read, mmio_one },
                  { "doorbell", doorbell, doorbell_one },
                  { "request", requests, request_one } };
    bool one = option("latency", 0) != 0;

    find_device(option("mmio", 0));
    count = (uint32_t)option("count", 1024);
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (option_is("kind", kinds[i].name)) {
            work = one ? kinds[i].one : kinds[i].many;
        }
    }
    check(work != NULL, "bench/kind");
    check(mmio != 0, "bench/device");
    apic_init();
    device_start();
    vector_hook[VECTOR_LINE] = acknowledge;
    ioapic_route(pin, VECTOR_LINE, false);
    if (one) {
        latency();
    } else {
        rate((unsigned)option("cpus", 1));
    }
    mem_write32(mmio + MMIO_STATUS, 0);
}
