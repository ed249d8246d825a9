/* SPDX-License-Identifier: GPL-2.0-or-later
 * accel/kvm on arm64: what its half for that architecture says to KVM, on a few instructions at EL1
 * with the MMU off. Accesses, aborts, lines, PSCI, the counter that a pause holds. What all hosts
 * have in common is in test-kvm.c and test-kvm-run.c, on x86.
 */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kvm-world.h"

enum {
    VECTORS = RAM_BASE + 0x4000,
    SECOND_CODE = RAM_BASE + 0x8000, /* where another CPU starts */
    SPI = 4,
    INTID = SPI + 32,
};

/* x19: the device; x20: where to tell; x21: data in RAM. */
#define BASES                                                                                      \
    "movz x19, #0x0a00, lsl #16\n"                                                                 \
    "movz x20, #0x0b00, lsl #16\n"                                                                 \
    "movz x21, #0x4000, lsl #16\n"                                                                 \
    "movk x21, #0x2000\n"
#define TELL(reg) "str " reg ", [x20]\n"
#define SLEEP     "9: wfi\nb 9b\n"
#define SET_VBAR                                                                                   \
    "movz x0, #0x4000, lsl #16\n"                                                                  \
    "movk x0, #0x4000\n"                                                                           \
    "msr vbar_el1, x0\nisb\n"
#define PSCI(low)                                                                                  \
    "movz w0, #0x8400, lsl #16\n"                                                                  \
    "movk w0, #" low "\n"                                                                          \
    "hvc #0\n"

static void load_at(World *w, uint64_t addr, const uint8_t *code, size_t size)
{
    g_assert_cmpint(address_space_write(w->as, addr, code, size), ==, MEMTX_OK);
}

/* ---- accesses ---- */

PAYLOAD(writes, BASES "movz x0, #0x7788\n"
                      "movk x0, #0x5566, lsl #16\n"
                      "movk x0, #0x3344, lsl #32\n"
                      "movk x0, #0x1122, lsl #48\n"
                      "strb w0, [x19, #1]\n"
                      "strh w0, [x19, #2]\n"
                      "str w0, [x19, #4]\n"
                      "str x0, [x19, #8]\n"
                      "str xzr, [x19, #16]\n" TELL("w0") SLEEP);

static void writes(World *w, gconstpointer data)
{
    world_run(w, PAYLOAD_OF(writes));
    g_assert_cmphex(world_hear(w), ==, 0x55667788);
    world_assert_seen(w, 0, true, 1, 1, 0x88);
    world_assert_seen(w, 1, true, 2, 2, 0x7788);
    world_assert_seen(w, 2, true, 4, 4, 0x55667788);
    world_assert_seen(w, 3, true, 8, 8, 0x1122334455667788);
    world_assert_seen(w, 4, true, 16, 8, 0);
    g_assert_cmpuint(world_n_seen(w), ==, 5);
}

/* Each result is told in two halves: a load fills the whole register. */
#define TELL_BOTH TELL("w0") "lsr x0, x0, #32\n" TELL("w0")
PAYLOAD(reads, BASES "mov x0, #-1\n"
                     "ldrb w0, [x19, #1]\n" TELL_BOTH "ldrsb w0, [x19, #1]\n" TELL_BOTH
                     "ldrsb x0, [x19, #1]\n" TELL_BOTH "ldrh w0, [x19, #2]\n" TELL_BOTH
                     "ldrsh x0, [x19, #2]\n" TELL_BOTH "ldr w0, [x19, #4]\n" TELL_BOTH
                     "ldrsw x0, [x19, #4]\n" TELL_BOTH "ldr x0, [x19, #8]\n" TELL_BOTH SLEEP);

static void reads(World *w, gconstpointer data)
{
    static const struct {
        uint64_t addr, value;
        unsigned size;
    } expected[] = {
        { 1, 0x88, 1 },
        { 1, 0xffffff88, 1 },
        { 1, 0xffffffffffffff88, 1 },
        { 2, 0xff88, 2 },
        { 2, 0xffffffffffffff88, 2 },
        { 4, 0xa5a5ff88, 4 },
        { 4, 0xffffffffa5a5ff88, 4 },
        { 8, 0x12345678a5a5ff88, 8 },
    };

    w->to_read = 0x12345678a5a5ff88;
    world_run(w, PAYLOAD_OF(reads));
    for (unsigned i = 0; i < G_N_ELEMENTS(expected); i++) {
        uint64_t low = world_hear(w);

        uint64_t value = (uint64_t)world_hear(w) << 32 | low;

        /* QEMU 7.2 never says in the syndrome that a load extends the sign. */
        if (g_getenv("HUMPY_KVM_ON_TCG") == NULL || expected[i].value < 0x80000000) {
            g_assert_cmphex(value, ==, expected[i].value);
        }
        world_assert_seen(w, i, false, expected[i].addr, expected[i].size, 0);
    }
}

PAYLOAD(nobody, BASES "ldr w0, [x19, #0x3000]\n"
                      "str w0, [x19, #0x3000]\n" TELL("w0") SLEEP);

static void unclaimed(World *w, gconstpointer data)
{
    world_run(w, PAYLOAD_OF(nobody));
    g_assert_cmphex(world_hear(w), ==, UINT32_MAX);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->unclaimed_reads, ==, 1);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->unclaimed_writes, ==, 1);
}

/* A handler that tells the syndrome and where, and goes on behind the instruction. */
PAYLOAD(abort_vectors,
        ".org payload_abort_vectors + 0x200\n"
        "mrs x9, esr_el1\n" TELL("w9") "mrs x9, elr_el1\n" TELL("w9") "add x9, x9, #4\n"
                                                                      "msr elr_el1, x9\n"
                                                                      "eret\n");
PAYLOAD(pairs,
        BASES SET_VBAR "mov x1, #0x51\n"
                       "ldp x1, x2, [x19]\n" TELL("w1") "stp x1, x2, [x19]\n"
                                                        "ldr w1, [x19], #4\n" TELL("w19") SLEEP);

/* Nobody tells KVM what a pair or a write-back does: the guest finds an external abort, and no
 * device has been touched. */
static void undecoded(World *w, gconstpointer data)
{
    world_setup(w, "", 1);
    world_load(w, PAYLOAD_OF(pairs));
    load_at(w, VECTORS, PAYLOAD_OF(abort_vectors));
    g_test_expect_message("humpy-kvm", G_LOG_LEVEL_WARNING,
                          "vCPU 0: an instruction that KVM cannot decode touches a device at "
                          "0xa000000 at PC 0x400010*; this and further ones abort");
    world_start(w);
    for (unsigned i = 0; i < 3; i++) {
        uint32_t esr = world_hear(w);

        g_assert_cmphex(esr >> 26, ==, 0x25);  /* a data abort from EL1 */
        g_assert_cmphex(esr & 0x3f, ==, 0x10); /* synchronous external */
        g_assert_cmphex(world_hear(w), >=, CODE_ADDR);
        if (i == 0) {
            g_assert_cmphex(world_hear(w), ==, 0x51); /* untouched */
        }
    }
    g_assert_cmphex(world_hear(w), ==, DEVICE_BASE);
    g_assert_cmpuint(world_n_seen(w), ==, 0);
    g_test_assert_expected_messages();
}

/* ---- memory ---- */

PAYLOAD(slots, BASES "add x22, x21, #6, lsl #12\n2: ldr w0, [x22]\n" TELL(
                   "w0") "mov x1, #100\n"
                         "3: subs x1, x1, #1\nb.ne 3b\nb 2b\n");

/* Other memory appears below a running guest, and goes again. */
static void slots_while_running(World *w, gconstpointer data)
{
    MemoryRegion over;

    world_set_ram32(w, RAM_BASE + 0x8000, 0x11);
    g_assert_true(memory_region_init_ram(&over, NULL, "over", 0x1000, NULL));
    *(uint32_t *)memory_region_get_ram_ptr(&over) = 0x22;
    world_run(w, PAYLOAD_OF(slots));
    for (unsigned i = 0; i < 20; i++) {
        while (world_hear(w) != 0x11) {
        }
        memory_region_add_subregion_overlap(&w->root, RAM_BASE + 0x8000, &over, 1);
        while (world_hear(w) != 0x22) {
        }
        memory_region_del_subregion(&w->root, &over);
    }
    accel_teardown(w->accel);
    memory_region_destroy(&over);
}

PAYLOAD(rings, BASES "movz w0, #7\n"
                     "strh w0, [x19, #8]\n" /* rings */
                     "strb w0, [x19, #8]\n" /* other width */
                     "movz w0, #8\n"
                     "strh w0, [x19, #8]\n" /* other value */
        TELL("w0") SLEEP);

static void doorbell(World *w, gconstpointer data)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t count = 0;

    memory_region_add_eventfd(&w->device, 8, 2, true, 7, fd);
    world_run(w, PAYLOAD_OF(rings));
    g_assert_cmphex(world_hear(w), ==, 8);
    world_assert_seen(w, 0, true, 8, 1, 7);
    world_assert_seen(w, 1, true, 8, 2, 8);
    g_assert_cmpint(read(fd, &count, sizeof(count)), ==, sizeof(count));
    g_assert_cmpuint(count, ==, 1);
    /* Two writes to the device and a word told: the ring itself did not leave the guest. */
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->by_space[IOREQ_MMIO], ==, 3);
    memory_region_del_eventfd(&w->device, 8, 2, true, 7, fd);
    close(fd);
}

/* ---- lines ---- */

/* Distributor and CPU interface on, group 1, all priorities, INTID 36 enabled; w1: its ICFGR. */
#define GIC_SETUP                                                                                  \
    "movz x3, #0x0800, lsl #16\n"                                                                  \
    "mov w0, #0x12\nstr w0, [x3]\n"                                                                \
    "add x4, x3, #0xc00\nstr w1, [x4, #8]\n"                                                       \
    "mov w0, #0x10\n"                                                                              \
    "str w0, [x3, #0x84]\n"                                                                        \
    "str w0, [x3, #0x104]\n"                                                                       \
    "mov x0, #0xf0\nmsr S3_0_C4_C6_0, x0\n"                                                        \
    "mov x0, #1\nmsr S3_0_C12_C12_7, x0\nisb\n"                                                    \
    "msr daifclr, #2\n"

/* Tells the INTID with the number of interrupts so far above it. */
PAYLOAD(irq_vectors, ".org payload_irq_vectors + 0x280\n"
                     "mrs x8, S3_0_C12_C12_0\n"
                     "add w22, w22, #0x10000\n"
                     "orr w9, w8, w22\n" TELL("w9") "msr S3_0_C12_C12_1, x8\n"
                                                    "eret\n");
#define LINE(icfgr)                                                                                \
    BASES SET_VBAR "mov w22, #0\n"                                                                 \
                   "mov w1, #" icfgr "\n" GIC_SETUP "mov w9, #0x11\n" TELL("w9") SLEEP
PAYLOAD(edge, LINE("0x200"));
PAYLOAD(level, LINE("0"));

static void start_line(World *w, AccelIrqMode mode, const uint8_t *code, size_t size)
{
    GError *error = NULL;

    world_setup(w, "", 1);
    accel_irq_connect(w->accel, SPI, mode, &error);
    g_assert_no_error(error);
    world_load(w, code, size);
    load_at(w, VECTORS, PAYLOAD_OF(irq_vectors));
    world_start(w);
    g_assert_cmphex(world_hear(w), ==, 0x11);
}

static void line_edge(World *w, gconstpointer data)
{
    start_line(w, ACCEL_IRQ_EDGE, PAYLOAD_OF(edge));
    for (unsigned i = 1; i <= 100; i++) {
        accel_irq_set(w->accel, SPI, true);
        g_assert_cmphex(world_hear(w), ==, i << 16 | INTID);
        accel_irq_set(w->accel, SPI, true); /* no change, no interrupt */
        accel_irq_set(w->accel, SPI, false);
    }
}

/* As long as it is high, it comes again. */
static void line_level(World *w, gconstpointer data)
{
    start_line(w, ACCEL_IRQ_LEVEL, PAYLOAD_OF(level));
    accel_irq_set(w->accel, SPI, true);
    for (unsigned i = 1; i <= 20; i++) {
        g_assert_cmphex(world_hear(w), ==, i << 16 | INTID);
    }
    accel_irq_set(w->accel, SPI, false);
}

static void line_out_of_range(World *w, gconstpointer data)
{
    GError *error = NULL;

    world_setup(w, "", 1);
    g_assert_true(accel_irq_connect(w->accel, 959, ACCEL_IRQ_EDGE, &error));
    g_assert_false(accel_irq_connect(w->accel, 960, ACCEL_IRQ_EDGE, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    g_assert_nonnull(strstr(error->message, "SPI 960: the GIC is made with SPIs 0 to 959"));
    g_error_free(error);
}

/* ---- PSCI, and how a VM starts and ends ---- */

PAYLOAD(second, "mov x5, x0\n" BASES TELL("w5") "mrs x0, mpidr_el1\n"
                                                "and w0, w0, #0xffffff\n" TELL("w0") SLEEP);
PAYLOAD(first, "mov x5, x0\n" BASES TELL("w5") "mrs x0, CurrentEL\n" TELL(
                   "w0") "mrs x0, daif\n" TELL("w0") "movz w0, #0xc400, lsl #16\n"
                                                     "movk w0, #3\n" /* CPU_ON */
                                                     "mov x1, #1\n"
                                                     "movz x2, #0x4000, lsl #16\n"
                                                     "movk x2, #0x8000\n"
                                                     "mov x3, #0x77\n"
                                                     "hvc #0\n" SLEEP);

/* The first vCPU has the device tree's address in X0; the second waits for the first. */
static void boot_and_cpu_on(World *w, gconstpointer data)
{
    w->boot.dtb_gpa = RAM_BASE + 0x9000;
    world_setup(w, "", 2);
    world_load(w, PAYLOAD_OF(first));
    load_at(w, SECOND_CODE, PAYLOAD_OF(second));
    world_start(w);
    g_assert_cmphex(world_hear(w), ==, RAM_BASE + 0x9000);
    g_assert_cmphex(world_hear(w), ==, 1 << 2);
    g_assert_cmphex(world_hear(w), ==, 0x3c0);
    g_assert_cmphex(world_hear(w), ==, 0x77);
    g_assert_cmphex(world_hear(w), ==, 1);
}

PAYLOAD(off, PSCI("8"));
PAYLOAD(again, PSCI("9"));

static void system_off(World *w, gconstpointer data)
{
    world_run(w, PAYLOAD_OF(off));
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_SHUTDOWN);
}

static void system_reset(World *w, gconstpointer data)
{
    world_run(w, PAYLOAD_OF(again));
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_RESET);
}

/* ---- pause ---- */

/* In units of 256 ticks, so that a word is long enough. */
PAYLOAD(counter, BASES "2: isb\n"
                       "mrs x0, cntvct_el0\n"
                       "lsr x0, x0, #8\n" TELL("w0") "b 2b\n");

static uint32_t host_counter(void)
{
    uint64_t value;

    __asm__ volatile("isb\nmrs %0, cntvct_el0" : "=r"(value)::"memory");
    return (uint32_t)(value >> 8);
}

/* A word that the guest has told from here on. */
static uint32_t hear_new(World *w)
{
    pthread_mutex_lock(&w->lock);
    w->told_taken = w->told->len;
    pthread_mutex_unlock(&w->lock);
    world_hear(w); /* its counter may have been read before */
    return world_hear(w);
}

/* What the guest counts between two words is no more than what the host does around them, less the
 * pause: true on a slow machine too. */
static void counter_is_held(World *w, gconstpointer data)
{
    uint32_t began, paused, guest;

    world_run(w, PAYLOAD_OF(counter));
    for (unsigned i = 0; i < 3; i++) {
        began = host_counter();
        guest = hear_new(w);
        accel_pause(w->accel);
        paused = host_counter();
        g_usleep(G_USEC_PER_SEC / 3);
        paused = host_counter() - paused;
        accel_resume(w->accel);
        guest = hear_new(w) - guest;
        g_assert_cmpuint(guest, <=, host_counter() - began - paused + 2 /* rounding */);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    world_test("/kvm-arm64/access/writes-of-each-width", writes);
    world_test("/kvm-arm64/access/reads-of-each-width-and-sign", reads);
    world_test("/kvm-arm64/access/nobody-there", unclaimed);
    world_test("/kvm-arm64/access/undecoded-ones-abort", undecoded);
    world_test("/kvm-arm64/memory/slots-while-running", slots_while_running);
    world_test("/kvm-arm64/memory/doorbell", doorbell);
    world_test("/kvm-arm64/line/edge", line_edge);
    world_test("/kvm-arm64/line/level", line_level);
    world_test("/kvm-arm64/line/out-of-range", line_out_of_range);
    world_test("/kvm-arm64/psci/boot-and-cpu-on", boot_and_cpu_on);
    world_test("/kvm-arm64/psci/system-off", system_off);
    world_test("/kvm-arm64/psci/system-reset", system_reset);
    world_test("/kvm-arm64/pause/counter-is-held", counter_is_held);
    return g_test_run();
}
