/* SPDX-License-Identifier: GPL-2.0-or-later
 * accel/kvm: interrupts by line and by message, several vCPUs, pause and resume wherever a vCPU
 * happens to be, reset in place, and how a VM ends.
 */
#include "../../accel/kvm/kvm-priv.h"
#include "kvm-world.h"

#define TELL(reg) "mov $0x600, %dx\nout %" reg ", %dx\n"
#define SLEEP     "1: hlt\njmp 1b\n"
#define EOI       "mov $0x20, %al\nout %al, $0x20\n"

/* The PIC pair with vectors from 0x20, all lines but line 4 masked, 4 by level if elcr says so. */
#define PIC_SETUP(elcr)                                                                            \
    "mov $0x11, %al\nout %al, $0x20\n"                                                             \
    "mov $0x20, %al\nout %al, $0x21\n"                                                             \
    "mov $0x04, %al\nout %al, $0x21\n"                                                             \
    "mov $0x01, %al\nout %al, $0x21\n"                                                             \
    "mov $" elcr ", %al\nmov $0x4d0, %dx\nout %al, %dx\n"                                          \
    "mov $0xef, %al\nout %al, $0x21\n"

/* Waits until the device has been accessed n times. */
static void wait_seen(World *w, unsigned n)
{
    pthread_mutex_lock(&w->lock);
    while (w->n_seen < n) {
        pthread_cond_wait(&w->changed, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

/* ---- lines ---- */

PAYLOAD(edge, "movw $(2f - payload_edge + 0x1000), 0x90\n"
              "movw $0, 0x92\n" PIC_SETUP("0") "mov $0x11, %eax\n" TELL(
                  "eax") "sti\n" SLEEP "2: incl 0x2000\n"
                         "mov 0x2000, %eax\n" TELL("eax") EOI "iret\n");

static void connect_line(World *w, unsigned gsi, AccelIrqMode mode)
{
    GError *error = NULL;

    accel_irq_connect(w->accel, gsi, mode, &error);
    g_assert_no_error(error);
}

static void line_edge(World *w, gconstpointer data)
{
    world_setup(w, "", 1);
    connect_line(w, 4, ACCEL_IRQ_EDGE);
    world_load(w, PAYLOAD_OF(edge));
    world_start(w);
    g_assert_cmphex(world_hear(w), ==, 0x11);
    for (unsigned i = 1; i <= 100; i++) {
        accel_irq_set(w->accel, 4, true);
        g_assert_cmpuint(world_hear(w), ==, i);
        accel_irq_set(w->accel, 4, true); /* no change, no interrupt */
        accel_irq_set(w->accel, 4, false);
    }
}

/* The handler reads the device, which lowers the line: as long as it is high, it comes again. */
PAYLOAD(level, "movw $(2f - payload_level + 0x1000), 0x90\n"
               "movw $0, 0x92\n" PIC_SETUP("0x10") "mov $0x11, %eax\n" TELL(
                   "eax") "sti\n" SLEEP "2: incl 0x2000\n"
                          "mov 0x2000, %eax\n" TELL("eax") EOI "iret\n");

static void line_level(World *w, gconstpointer data)
{
    world_setup(w, "", 1);
    connect_line(w, 4, ACCEL_IRQ_LEVEL);
    world_load(w, PAYLOAD_OF(level));
    world_start(w);
    g_assert_cmphex(world_hear(w), ==, 0x11);
    accel_irq_set(w->accel, 4, true);
    for (unsigned i = 1; i <= 20; i++) {
        g_assert_cmpuint(world_hear(w), ==, i);
    }
    accel_irq_set(w->accel, 4, false);
}

/* ---- messages ---- */

/* x2APIC mode, so that real mode reaches the local APIC by MSRs: on, spurious vector 0xff. */
#define X2APIC_ON                                                                                  \
    "mov $0x1b, %ecx\nrdmsr\nor $0xc00, %eax\nwrmsr\n"                                             \
    "mov $0x80f, %ecx\nmov $0x1ff, %eax\nxor %edx, %edx\nwrmsr\n"
#define X2APIC_EOI "mov $0x80b, %ecx\nxor %eax, %eax\nxor %edx, %edx\nwrmsr\n"

PAYLOAD(msi, "movw $(2f - payload_msi + 0x1000), 0x100\n"
             "movw $0, 0x102\n" X2APIC_ON
             "mov $0x11, %eax\n" TELL("eax") "sti\n" SLEEP "2: incl 0x2000\n"
                                             "mov 0x2000, %eax\n" TELL("eax") X2APIC_EOI "iret\n");

static void msi(World *w, gconstpointer data)
{
    world_run(w, PAYLOAD_OF(msi));
    g_assert_cmphex(world_hear(w), ==, 0x11);
    accel_msi(w->accel, 0xfee05000, 0x40); /* for APIC 5, which is not there */
    for (unsigned i = 1; i <= 100; i++) {
        accel_msi(w->accel, 0xfee00000, 0x40);
        g_assert_cmpuint(world_hear(w), ==, i);
    }
    g_assert_cmpuint(accel_msis(w->accel), ==, 101);
}

/* ---- the PIT ---- */

/* Channel 0 in mode 2, as fast as it goes without trouble, on line 0; and the speaker gate's port
 * is there. */
PAYLOAD(pit, "movw $(2f - payload_pit + 0x1000), 0x80\n"
             "movw $0, 0x82\n" PIC_SETUP("0") "mov $0xfe, %al\n"
                                              "out %al, $0x21\n"
                                              "mov $0x34, %al\n"
                                              "out %al, $0x43\n"
                                              "mov $0, %al\n"
                                              "out %al, $0x40\n"
                                              "mov $0x10, %al\n"
                                              "out %al, $0x40\n"
                                              "sti\n" SLEEP "2: incl 0x2000\n"
                                              "in $0x61, %al\n"
                                              "movzx %al, %eax\n"
                                              "shl $16, %eax\n"
                                              "mov 0x2000, %ax\n" TELL("eax") EOI "iret\n");

static void pit(World *w, gconstpointer data)
{
    world_run(w, PAYLOAD_OF(pit));
    for (unsigned i = 1; i <= 5; i++) {
        uint32_t word = world_hear(w);

        g_assert_cmpuint(word & 0xffff, ==, i);
        g_assert_cmphex(word >> 24, ==, 0);
    }
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->unclaimed_reads, ==, 0);
}

/* ---- several vCPUs ---- */

/* The boot vCPU sends INIT and SIPI to all others, which start at 0x3000 with their ID in hand. */
PAYLOAD(smp, X2APIC_ON "mov $0x830, %ecx\n"
                       "xor %edx, %edx\n"
                       "mov $0xc4500, %eax\n"
                       "wrmsr\n"
                       "mov $0xc4603, %eax\n"
                       "wrmsr\n"
                       "mov $0x100, %eax\n" TELL("eax") SLEEP);
PAYLOAD(ap, "mov $1, %eax\n"
            "cpuid\n"
            "shr $24, %ebx\n"
            "lock incl %cs:0x10\n"
            "mov $0x600, %dx\n"
            "mov %ebx, %eax\n"
            "out %eax, %dx\n" SLEEP);

static void start_four(World *w)
{
    world_setup(w, "", 4);
    world_load(w, PAYLOAD_OF(smp));
    address_space_write(w->as, 0x3000 + 0x40, payload_ap, payload_ap_end - payload_ap);
    address_space_write(w->as, 0x3000, "\xeb\x3e", 2); /* jmp over the counter */
    world_start(w);
}

static void hear_four(World *w)
{
    unsigned heard = 0;

    for (unsigned i = 0; i < 4; i++) {
        uint32_t word = world_hear(w);

        heard |= word == 0x100 ? 1 : 1 << word;
    }
    g_assert_cmphex(heard, ==, 0xf);
}

static void smp(World *w, gconstpointer data)
{
    start_four(w);
    hear_four(w);
    g_assert_cmpuint(world_ram32(w, 0x3010), ==, 3);
}

static void smp_reset(World *w, gconstpointer data)
{
    GError *error = NULL;

    start_four(w);
    for (unsigned i = 0; i < 50; i++) {
        hear_four(w);
        accel_pause(w->accel);
        accel_start(w->accel, &w->boot, &error);
        g_assert_no_error(error);
        accel_resume(w->accel);
    }
    hear_four(w);
    g_assert_cmpuint(world_ram32(w, 0x3010), ==, 3 * 51);
}

/* One vCPU makes a device change the memory from which both execute; the other counts. */
PAYLOAD(changer, X2APIC_ON "mov $0x830, %ecx\n"
                           "xor %edx, %edx\n"
                           "mov $0xc4500, %eax\n"
                           "wrmsr\n"
                           "mov $0xc4603, %eax\n"
                           "wrmsr\n"
                           "2: pause\n"
                           "cmpl $0, 0x2000\n"
                           "je 2b\n"
                           "mov $0x500, %dx\n"
                           "mov $300, %cx\n"
                           "3: out %al, %dx\n"
                           "loop 3b\n"
                           "mov 0x2000, %eax\n" TELL("eax") SLEEP);
PAYLOAD(counter, "xor %ax, %ax\n"
                 "mov %ax, %ds\n"
                 "2: lock incl 0x2000\n"
                 "jmp 2b\n");

static void toggle(World *w)
{
    static bool there;

    if (there) {
        memory_region_del_subregion(&w->root, w->over);
    } else {
        memory_region_add_subregion_overlap(&w->root, 0x8000, w->over, 1);
    }
    there = !there;
}

static void slots_by_vcpu(World *w, gconstpointer data)
{
    MemoryRegion over;

    g_assert_true(memory_region_init_ram(&over, NULL, "over", 0x1000, NULL));
    w->over = &over;
    w->written = toggle;
    world_setup(w, "", 2);
    world_load(w, PAYLOAD_OF(changer));
    address_space_write(w->as, 0x3000, PAYLOAD_OF(counter));
    world_start(w);
    g_assert_cmpuint(world_hear(w), >, 1);
    g_assert_cmpuint(world_n_seen(w), ==, 300);
    accel_pause(w->accel);
    g_assert_cmpuint(w->n_events, ==, 0);
    memory_region_destroy(&over);
}

/* ---- pause ---- */

PAYLOAD(sleeper, "movw $(2f - payload_sleeper + 0x1000), 0x90\n"
                 "movw $0, 0x92\n" PIC_SETUP("0") "mov $0x11, %eax\n" TELL(
                     "eax") "sti\n" SLEEP "2: mov $0x22, %eax\n" TELL("eax") EOI "iret\n");

/* An interrupt that comes while paused is there afterwards. */
static void pause_in_hlt(World *w, gconstpointer data)
{
    world_setup(w, "", 1);
    connect_line(w, 4, ACCEL_IRQ_EDGE);
    world_load(w, PAYLOAD_OF(sleeper));
    world_start(w);
    g_assert_cmphex(world_hear(w), ==, 0x11);
    for (unsigned i = 0; i < 200; i++) {
        accel_pause(w->accel);
        accel_irq_set(w->accel, 4, true);
        accel_irq_set(w->accel, 4, false);
        g_assert_cmpuint(w->told->len, ==, w->told_taken);
        accel_resume(w->accel);
        g_assert_cmphex(world_hear(w), ==, 0x22);
    }
}

PAYLOAD(spinner, "2: incl 0x2000\njmp 2b\n");

static void pause_in_loop(World *w, gconstpointer data)
{
    world_run(w, PAYLOAD_OF(spinner));
    for (unsigned i = 0; i < 100; i++) {
        uint32_t count;

        accel_pause(w->accel);
        count = world_ram32(w, 0x2000);
        g_assert_cmpuint(world_ram32(w, 0x2000), ==, count);
        accel_resume(w->accel);
        while (world_ram32(w, 0x2000) == count) {
            g_thread_yield();
        }
    }
}

/* Each read's answer must arrive once: the guest sums them up, and its sum is told. */
PAYLOAD(reader, "mov $0xd000, %ax\n"
                "mov %ax, %ds\n"
                "xor %ebx, %ebx\n"
                "2: incl %ebx\n"
                "mov 0x20, %eax\n"
                "cmp %ebx, %eax\n"
                "jne 3f\n"
                "incl %ebx\n"
                "mov $0x500, %dx\n"
                "in %dx, %eax\n"
                "cmp %ebx, %eax\n"
                "jne 3f\n"
                "mov %eax, %cs:0x2000\n"
                "jmp 2b\n"
                "3: mov $0xbad, %eax\n" TELL("eax") SLEEP);

static void pause_in_reads(World *w, gconstpointer data)
{
    w->to_read = 1;
    w->step = 1;
    world_run(w, PAYLOAD_OF(reader));
    for (unsigned i = 0; i < 300; i++) {
        wait_seen(w, world_n_seen(w) + 1);
        accel_pause(w->accel);
        g_assert_cmpuint(w->told->len, ==, 0);
        accel_resume(w->accel);
    }
    accel_pause(w->accel);
    g_assert_cmpuint(w->told->len, ==, 0);
}

/* ---- reset ---- */

/* Says what it finds, then leaves traces everywhere it can. */
PAYLOAD(tracks,
        "mov $0x1b, %ecx\n"
        "rdmsr\n" TELL(
            "eax") "mov $0x10a0, %ebx\n"
                   "mov %cr0, %eax\n" TELL("eax") "mov %cr4, %eax\n" TELL(
                       "eax") "in $0x21, %al\n"
                              "movzx %al, %eax\n" TELL("eax") "mov %ebp, %eax\n" TELL(
                                  "eax") "movq %mm3, 0x2008\n"
                                         "mov 0x2008, %eax\n" TELL(
                                             "eax") "mov $0x174, %ecx\n"
                                                    "rdmsr\n" TELL("eax") "mov %dr0, %eax\n" TELL(
                                                        "eax") "incl "
                                                               "0x2000\n"
                                                               "mov "
                                                               "0x2000, "
                                                               "%eax"
                                                               "\n" TELL("eax")
        /* the traces */
        "mov $0x174, %ecx\n"
        "mov $0x33, %eax\n"
        "xor %edx, %edx\n"
        "wrmsr\n" X2APIC_ON PIC_SETUP("0") "mov $0x12345678, %ebp\n"
                                           "mov %ebp, 0x2010\n"
                                           "movq 0x2010, %mm3\n"
                                           "mov %ebp, %dr0\n"
                                           "mov %cr4, %eax\n"
                                           "or $0x10, %eax\n"
                                           "mov %eax, %cr4\n"
                                           "mov $0x838, %ecx\n" /* the local APIC's timer runs */
                                           "xor %edx, %edx\n"
                                           "mov $0x100000, %eax\n"
                                           "wrmsr\n"
                                           "mov $0x34, %al\n"
                                           "out %al, $0x43\n"
                                           "mov $0, %al\n"
                                           "out %al, $0x40\n"
                                           "out %al, $0x40\n"
                                           "mov $0x500, %dx\n"
                                           "in %dx, %eax\n" /* left here with an answer pending */
                                           "4: jmp 4b\n");

static void reset_in_place(World *w, gconstpointer data)
{
    uint32_t first[8];
    GError *error = NULL;

    world_run(w, PAYLOAD_OF(tracks));
    for (unsigned i = 0; i <= 1000; i++) {
        for (unsigned j = 0; j < 8; j++) {
            uint32_t word = world_hear(w);

            if (i == 0) {
                first[j] = word;
            } else {
                g_assert_cmphex(word, ==, first[j]);
            }
        }
        g_assert_cmpuint(world_hear(w), ==, i + 1); /* RAM keeps what is in it */
        wait_seen(w, i + 1);
        accel_pause(w->accel);
        accel_start(w->accel, &w->boot, &error);
        g_assert_no_error(error);
        accel_resume(w->accel);
    }
    g_assert_cmphex(first[0], ==, 0xfee00900);
    g_assert_cmphex(first[1], ==, 0x10);
    g_assert_cmphex(first[2], ==, 0);
    g_assert_cmphex(first[4], ==, 0);
    g_assert_cmphex(first[5], ==, 0);
}

PAYLOAD(asker, "2: mov $0x99999999, %eax\n"
               "mov %eax, 0x2000\n"
               "mov $0x500, %dx\n"
               "in %dx, %eax\n" TELL("eax") "jmp 2b\n");
PAYLOAD(mmio_asker, "2: mov $0xd000, %ax\n"
                    "mov %ax, %fs\n"
                    "mov $0x99999999, %eax\n"
                    "mov %eax, 0x2000\n"
                    "mov %fs:0x20, %eax\n" TELL("eax") "jmp 2b\n");

static void wait_in_read(World *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->in_read == 0) {
        pthread_cond_wait(&w->changed, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

static void hold(World *w, bool on)
{
    pthread_mutex_lock(&w->lock);
    w->hold_reads = on;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* The device answers when the vCPU has been kicked: it comes out with the answer in hand. */
static void until_kicked(World *w)
{
    const struct kvm_run *run = HUMPY_ACCEL_KVM(w->accel)->vcpus[0]->run;

    while (!__atomic_load_n(&run->immediate_exit, __ATOMIC_RELAXED)) {
        g_thread_yield();
    }
}

static void pause_before_answer(World *w, gconstpointer data)
{
    w->reading = until_kicked;
    w->to_read = 0x5a5a5a5a;
    world_run(w, PAYLOAD_OF(asker));
    for (unsigned i = 0; i < 50; i++) {
        wait_seen(w, i + 1);
        accel_pause(w->accel);
        g_assert_cmpuint(world_n_seen(w), ==, i + 1);
        accel_resume(w->accel);
        g_assert_cmphex(world_hear(w), ==, 0x5a5a5a5a);
    }
    accel_pause(w->accel);
}

/* The answer belongs to a guest that is no more: it must not go on behind its read. */
static void reset_50_times(World *w)
{
    GError *error = NULL;

    for (unsigned i = 0; i < 50; i++) {
        wait_seen(w, i + 1);
        g_assert_cmphex(world_ram32(w, 0x2000), ==, 0x99999999);
        accel_pause(w->accel);
        world_set_ram32(w, 0x2000, 0);
        accel_start(w->accel, &w->boot, &error);
        g_assert_no_error(error);
        accel_resume(w->accel);
    }
    wait_seen(w, 51);
    accel_pause(w->accel);
    g_assert_cmpuint(w->told->len, ==, 0);
}

static void reset_before_answer(World *w, gconstpointer data)
{
    w->reading = until_kicked;
    world_run(w, PAYLOAD_OF(asker));
    reset_50_times(w);
}

static void reset_before_mmio_answer(World *w, gconstpointer data)
{
    w->reading = until_kicked;
    world_run(w, PAYLOAD_OF(mmio_asker));
    reset_50_times(w);
}

/* Teardown while the device still thinks must wait for it, and for nothing else. */
static gpointer let_go(gpointer data)
{
    hold(data, false);
    return NULL;
}

static void stop_before_answer(World *w, gconstpointer data)
{
    GThread *helper;

    w->hold_reads = true;
    world_run(w, PAYLOAD_OF(asker));
    wait_in_read(w);
    helper = g_thread_new("helper", let_go, w);
    accel_teardown(w->accel);
    g_thread_join(helper);
    g_assert_cmpuint(w->n_events, ==, 0);
}

/* ---- ends ---- */

/* In protected mode without any descriptor table. */
PAYLOAD(triple_fault, ".code32\n"
                      "lidt 3f - payload_triple_fault + 0x1000\n"
                      "ud2\n"
                      "3: .word 0\n"
                      ".long 0\n");

static void triple_fault(World *w, gconstpointer data)
{
    AccelX86State real = w->x86;
    GError *error = NULL;

    w->x86.cr0 = 0x11;
    w->x86.cs = (AccelX86Segment){ .selector = 8, .attributes = 0xc09b, .limit = UINT32_MAX };
    w->x86.data = (AccelX86Segment){ .selector = 16, .attributes = 0xc093, .limit = UINT32_MAX };
    world_run(w, PAYLOAD_OF(triple_fault));
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_RESET);
    g_assert_cmpstr(w->message, ==, "vCPU 0: triple fault");
    /* and what a machine does then */
    w->x86 = real;
    accel_pause(w->accel);
    w->n_events = 0;
    world_load(w, PAYLOAD_OF(spinner));
    accel_start(w->accel, &w->boot, &error);
    g_assert_no_error(error);
    accel_resume(w->accel);
    while (world_ram32(w, 0x2000) < 10) {
        g_thread_yield();
    }
    g_assert_cmpuint(w->n_events, ==, 0);
}

/* Code where there is no memory: KVM cannot fetch it. */
static void no_memory(World *w, gconstpointer data)
{
    w->x86.rip = 0xb000;
    w->x86.cs.base = 0xb0000;
    w->x86.cs.selector = 0xb000;
    world_setup(w, "", 1);
    world_start(w);
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_CRASH);
    g_assert_true(g_str_has_suffix(w->message, "at CS base 0xb0000 RIP 0xb000"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    world_test("/kvm/line/edge", line_edge);
    world_test("/kvm/line/level-comes-again", line_level);
    world_test("/kvm/msi/delivered-by-destination", msi);
    world_test("/kvm/pit/ticks", pit);
    world_test("/kvm/smp/init-and-sipi", smp);
    world_test("/kvm/smp/reset-in-place", smp_reset);
    world_test("/kvm/smp/slots-changed-by-a-vcpu", slots_by_vcpu);
    world_test("/kvm/pause/in-hlt", pause_in_hlt);
    world_test("/kvm/pause/in-a-loop", pause_in_loop);
    world_test("/kvm/pause/between-reads", pause_in_reads);
    world_test("/kvm/pause/before-the-answer", pause_before_answer);
    world_test("/kvm/reset/thousand-times", reset_in_place);
    world_test("/kvm/reset/before-the-answer", reset_before_answer);
    world_test("/kvm/reset/before-the-answer-of-memory", reset_before_mmio_answer);
    world_test("/kvm/stop/before-the-answer", stop_before_answer);
    world_test("/kvm/end/triple-fault-and-reset", triple_fault);
    world_test("/kvm/end/no-memory", no_memory);
    return g_test_run();
}
