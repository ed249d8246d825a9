/* SPDX-License-Identifier: GPL-2.0-or-later
 * accel/kvm: what guest code does to ports, devices and memory slots arrives as the accesses that
 * the instructions say, and doorbells ring without an exit.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../accel/kvm/kvm-priv.h"
#include "kvm-world.h"
#include "util/target.h"

#define TELL(reg) "mov $0x600, %dx\nout %" reg ", %dx\n"
#define SLEEP     "1: hlt\njmp 1b\n"

/* ---- ports ---- */

PAYLOAD(pio_write, "mov $0x501, %dx\n"
                   "mov $0x11223344, %eax\n"
                   "out %al, %dx\n"
                   "out %ax, %dx\n"
                   "out %eax, %dx\n" TELL("eax") SLEEP);

static void pio_write(World *w, gconstpointer data)
{
    world_run(w, PAYLOAD_OF(pio_write));
    g_assert_cmphex(world_hear(w), ==, 0x11223344);
    world_assert_seen(w, 0, true, 1, 1, 0x44);
    world_assert_seen(w, 1, true, 1, 2, 0x3344);
    world_assert_seen(w, 2, true, 1, 4, 0x11223344);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->by_space[IOREQ_PIO], >=, 4);
}

PAYLOAD(pio_read, "mov $0x502, %dx\n"
                  "mov $0xffffffff, %eax\n"
                  "in %dx, %al\n"
                  "mov %eax, 0x2000\n"
                  "in %dx, %ax\n"
                  "mov %eax, 0x2004\n"
                  "in %dx, %eax\n" TELL("eax") SLEEP);

static void pio_read(World *w, gconstpointer data)
{
    w->to_read = 0x8899aabbccddeeff;
    world_run(w, PAYLOAD_OF(pio_read));
    g_assert_cmphex(world_hear(w), ==, 0xccddeeff);
    g_assert_cmphex(world_ram32(w, 0x2000), ==, 0xffffffff);
    g_assert_cmphex(world_ram32(w, 0x2004), ==, 0xffffeeff);
    world_assert_seen(w, 0, false, 2, 1, 0);
    world_assert_seen(w, 1, false, 2, 2, 0);
    world_assert_seen(w, 2, false, 2, 4, 0);
}

PAYLOAD(pio_unclaimed, "mov $0x700, %dx\n"
                       "xor %eax, %eax\n"
                       "out %eax, %dx\n"
                       "in %dx, %ax\n" TELL("eax") SLEEP);

static void pio_unclaimed(World *w, gconstpointer data)
{
    world_run(w, PAYLOAD_OF(pio_unclaimed));
    g_assert_cmphex(world_hear(w), ==, 0xffff);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->unclaimed_reads, ==, 1);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->unclaimed_writes, ==, 1);
}

/* INS and OUTS with REP leave with more than one element; each is an access of its own. */
PAYLOAD(string_out, "cld\n"
                    "mov $0x504, %dx\n"
                    "mov $0x2000, %si\n"
                    "mov $4, %cx\n"
                    "rep outsb\n"
                    "mov $4, %cx\n"
                    "rep outsw\n"
                    "mov $4, %cx\n"
                    "rep outsl\n"
                    "mov %si, %ax\n" TELL("ax") SLEEP);

static void string_out(World *w, gconstpointer data)
{
    uint64_t at = 0x2000;
    unsigned i = 0;

    for (unsigned j = 0; j < 64; j++) {
        address_space_stb(w->as, 0x2000 + j, j + 1, NULL);
    }
    world_run(w, PAYLOAD_OF(string_out));
    g_assert_cmphex(world_hear(w), ==, 0x2000 + 4 * 7);
    for (unsigned size = 1; size <= 4; size *= 2) {
        for (unsigned j = 0; j < 4; j++, at += size, i++) {
            uint64_t value = 0;

            address_space_read(w->as, at, &value, size);
            world_assert_seen(w, i, true, 4, size, value);
        }
    }
    g_assert_cmpuint(world_n_seen(w), ==, i);
}

PAYLOAD(string_in, "cld\n"
                   "mov $0x504, %dx\n"
                   "mov $0x3000, %di\n"
                   "mov $300, %cx\n"
                   "rep insb\n"
                   "mov $3, %cx\n"
                   "rep insw\n"
                   "mov $3, %cx\n"
                   "rep insl\n"
                   "mov %di, %ax\n" TELL("ax") SLEEP);

static void string_in(World *w, gconstpointer data)
{
    uint64_t at = 0x3000;
    uint64_t value = 0x11223300;

    w->to_read = value;
    w->step = 1;
    world_run(w, PAYLOAD_OF(string_in));
    g_assert_cmphex(world_hear(w), ==, 0x3000 + 300 + 6 + 12);
    for (unsigned size = 1; size <= 4; size *= 2) {
        for (unsigned j = 0; j < (size == 1 ? 300 : 3); j++, at += size, value++) {
            uint64_t got = 0;

            address_space_read(w->as, at, &got, size);
            g_assert_cmphex(got, ==, value & (UINT64_MAX >> (64 - 8 * size)));
        }
    }
    g_assert_cmpuint(world_n_seen(w), ==, 306);
}

/* ---- MMIO ---- */

PAYLOAD(mmio_write, "mov $0xd000, %ax\n"
                    "mov %ax, %ds\n"
                    "mov $0x55667788, %eax\n"
                    "mov %al, 0x10\n"
                    "mov %ax, 0x12\n"
                    "mov %eax, 0x14\n"
                    "movq %cs:0x2000, %mm0\n"
                    "movq %mm0, 0x18\n" TELL("eax") SLEEP);

static void mmio_write(World *w, gconstpointer data)
{
    world_set_ram32(w, 0x2000, 0x89abcdef);
    world_set_ram32(w, 0x2004, 0x01234567);
    world_run(w, PAYLOAD_OF(mmio_write));
    world_hear(w);
    world_assert_seen(w, 0, true, 0x10, 1, 0x88);
    world_assert_seen(w, 1, true, 0x12, 2, 0x7788);
    world_assert_seen(w, 2, true, 0x14, 4, 0x55667788);
    world_assert_seen(w, 3, true, 0x18, 8, 0x0123456789abcdef);
}

PAYLOAD(mmio_read, "mov $0xd000, %ax\n"
                   "mov %ax, %ds\n"
                   "mov $0xffffffff, %eax\n"
                   "mov 0x11, %al\n"
                   "mov %eax, %es:0x2000\n"
                   "mov 0x12, %ax\n"
                   "mov %eax, %es:0x2004\n"
                   "mov 0x14, %eax\n"
                   "mov %eax, %es:0x2008\n"
                   "movq 0x18, %mm0\n"
                   "movq %mm0, %es:0x2010\n" TELL("eax") SLEEP);

static void mmio_read(World *w, gconstpointer data)
{
    w->to_read = 0x8877665544332211;
    world_run(w, PAYLOAD_OF(mmio_read));
    world_hear(w);
    g_assert_cmphex(world_ram32(w, 0x2000), ==, 0xffffff11);
    g_assert_cmphex(world_ram32(w, 0x2004), ==, 0xffff2211);
    g_assert_cmphex(world_ram32(w, 0x2008), ==, 0x44332211);
    g_assert_cmphex(world_ram32(w, 0x2010), ==, 0x44332211);
    g_assert_cmphex(world_ram32(w, 0x2014), ==, 0x88776655);
    world_assert_seen(w, 0, false, 0x11, 1, 0);
    world_assert_seen(w, 1, false, 0x12, 2, 0);
    world_assert_seen(w, 2, false, 0x14, 4, 0);
    world_assert_seen(w, 3, false, 0x18, 8, 0);
}

/* KVM cuts an access at the end of a page: parts of 3 and 1 bytes, which are no sizes that a
 * device knows. */
PAYLOAD(mmio_crossing, "mov $0xd000, %ax\n"
                       "mov %ax, %ds\n"
                       "mov $0x44332211, %eax\n"
                       "mov %eax, 0xffd\n"
                       "mov 0xffd, %eax\n" TELL("eax") SLEEP);

static void mmio_crossing(World *w, gconstpointer data)
{
    w->to_read = 0x0101;
    w->step = 0x0101;
    world_run(w, PAYLOAD_OF(mmio_crossing));
    g_assert_cmphex(world_hear(w), ==, 0x03020201);
    world_assert_seen(w, 0, true, 0xffd, 1, 0x11);
    world_assert_seen(w, 1, true, 0xffe, 2, 0x3322);
    world_assert_seen(w, 2, true, 0x1000, 1, 0x44);
    world_assert_seen(w, 3, false, 0xffd, 1, 0);
    world_assert_seen(w, 4, false, 0xffe, 2, 0);
    world_assert_seen(w, 5, false, 0x1000, 1, 0);
}

/* ---- slots ---- */

PAYLOAD(rom, "mov $0xc000, %ax\n"
             "mov %ax, %ds\n"
             "movl $0x77777777, 0\n"
             "mov 0, %eax\n" TELL("eax") SLEEP);

/* A write to ROM leaves the guest and vanishes; a read does not leave it. */
static void rom(World *w, gconstpointer data)
{
    MemoryRegion mr;

    g_assert_true(memory_region_init_rom(&mr, NULL, "rom", 0x1000, NULL));
    memcpy(memory_region_get_ram_ptr(&mr), "\x12\x34\x56\x78", 4);
    memory_region_add_subregion(&w->root, 0xc0000, &mr);
    world_run(w, PAYLOAD_OF(rom));
    g_assert_cmphex(world_hear(w), ==, 0x78563412);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->by_space[IOREQ_MMIO], ==, 1);
    memory_region_del_subregion(&w->root, &mr);
    memory_region_destroy(&mr);
}

/* Reads 0x8000 whenever port 0x500 was read, and counts in 0x2000. */
PAYLOAD(slots, "2: mov 0x8000, %eax\n" TELL("eax") "mov $100, %cx\n"
                                                   "3: incl 0x2000\n"
                                                   "loop 3b\n"
                                                   "jmp 2b\n");

/* RAM laid over RAM splits a slot below the code that runs from it. */
static void slots_while_running(World *w, gconstpointer data)
{
    MemoryRegion over;
    uint32_t word;

    g_assert_true(memory_region_init_ram(&over, NULL, "over", 0x1000, NULL));
    memset(memory_region_get_ram_ptr(&over), 0x22, 0x1000);
    world_set_ram32(w, 0x8000, 0x11111111);
    world_run(w, PAYLOAD_OF(slots));
    g_assert_cmphex(world_hear(w), ==, 0x11111111);
    for (unsigned i = 0; i < 200; i++) {
        memory_region_add_subregion_overlap(&w->root, 0x8000, &over, 1);
        do {
            word = world_hear(w);
        } while (word == 0x11111111);
        g_assert_cmphex(word, ==, 0x22222222);
        memory_region_del_subregion(&w->root, &over);
        do {
            word = world_hear(w);
        } while (word == 0x22222222);
        g_assert_cmphex(word, ==, 0x11111111);
    }
    accel_pause(w->accel);
    g_assert_cmpuint(w->n_events, ==, 0);
    memory_region_destroy(&over);
}

/* RAM that comes late, and that turns into ROM and back, under the same running code. */
PAYLOAD(late, "mov $0xb000, %ax\n"
              "mov %ax, %ds\n"
              "2: incl 0\n"
              "mov 0, %eax\n" TELL("eax") "jmp 2b\n");

static void late_ram(World *w, gconstpointer data)
{
    MemoryRegion mr;
    uint32_t word, next;

    g_assert_true(memory_region_init_ram(&mr, NULL, "late", 0x1000, NULL));
    world_run(w, PAYLOAD_OF(late));
    g_assert_cmphex(world_hear(w), ==, 0xffffffff);
    memory_region_add_subregion(&w->root, 0xb0000, &mr);
    while (world_hear(w) == 0xffffffff) {
    }
    memory_region_set_readonly(&mr, true);
    word = world_hear(w);
    while ((next = world_hear(w)) != word) {
        word = next;
    }
    memory_region_set_readonly(&mr, false);
    while (world_hear(w) == word) {
    }
    memory_region_del_subregion(&w->root, &mr);
    while (world_hear(w) != 0xffffffff) {
    }
    accel_pause(w->accel);
    memory_region_destroy(&mr);
}

/* A piece of RAM smaller than a page has no slot, but is RAM all the same. */
PAYLOAD(sliver, "mov $0xb000, %ax\n"
                "mov %ax, %ds\n"
                "movl $0x31415926, 0x804\n"
                "mov 0x804, %eax\n" TELL("eax") SLEEP);

static void sliver(World *w, gconstpointer data)
{
    MemoryRegion mr, window;

    g_assert_true(memory_region_init_ram(&mr, NULL, "sliver", 0x1000, NULL));
    memory_region_init_alias(&window, NULL, "window", &mr, 0x800, 0x100);
    memory_region_add_subregion(&w->root, 0xb0800, &window);
    world_run(w, PAYLOAD_OF(sliver));
    g_assert_cmphex(world_hear(w), ==, 0x31415926);
    g_assert_cmphex(*(uint32_t *)((char *)memory_region_get_ram_ptr(&mr) + 0x804), ==, 0x31415926);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->by_space[IOREQ_MMIO], ==, 2);
    memory_region_del_subregion(&w->root, &window);
    memory_region_destroy(&window);
    memory_region_destroy(&mr);
}

static void too_many_slots(World *w, gconstpointer data)
{
    const char *texts[] = { "kvm", NULL };
    AccelMachineInfo info = { .memory = w->as, .io = w->io, .n_vcpus = 1 };
    MemoryRegion mr[2];
    GError *error = NULL;

    for (unsigned i = 0; i < 2; i++) {
        g_assert_true(memory_region_init_ram(&mr[i], NULL, "more", 0x1000, NULL));
        memory_region_add_subregion(&w->root, 0x100000 + i * 0x10000, &mr[i]);
    }
    w->accel = accel_create(texts, &error);
    g_assert_no_error(error);
    HUMPY_ACCEL_KVM(w->accel)->max_slots = 2;
    accel_setup(w->accel, &info, &error);
    g_assert_no_error(error);
    g_assert_false(accel_start(w->accel, &w->boot, &error));
    g_assert_cmpstr(error->message, ==,
                    "-accel kvm: the machine needs 3 memory slots but KVM on this host took only 2 "
                    "of its 2");
    g_error_free(error);
    g_clear_object(&w->accel);
    for (unsigned i = 0; i < 2; i++) {
        memory_region_del_subregion(&w->root, &mr[i]);
        memory_region_destroy(&mr[i]);
    }
}

/* ---- doorbells ---- */

static uint64_t rings(int fd)
{
    uint64_t n = 0;

    return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

PAYLOAD(doorbell_pio, "mov $0x508, %dx\n"
                      "mov $7, %eax\n"
                      "out %ax, %dx\n" /* rings */
                      "out %al, %dx\n" /* other width */
                      "mov $8, %eax\n"
                      "out %ax, %dx\n" /* other value */
        TELL("eax") "mov $7, %eax\n"
                    "mov $0x508, %dx\n"
                    "out %ax, %dx\n" TELL("eax") SLEEP);

static void doorbell_pio(World *w, gconstpointer data)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    memory_region_add_eventfd(&w->ports, 8, 2, true, 7, fd);
    world_run(w, PAYLOAD_OF(doorbell_pio));
    g_assert_cmphex(world_hear(w), ==, 8);
    world_assert_seen(w, 0, true, 8, 1, 7);
    world_assert_seen(w, 1, true, 8, 2, 8);
    g_assert_cmphex(world_hear(w), ==, 7);
    g_assert_cmpuint(world_n_seen(w), ==, 2);
    g_assert_cmpuint(rings(fd), ==, 2);
    /* Two writes to a device and two words told: the rings themselves did not leave the guest. */
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->by_space[IOREQ_PIO], ==, 4);
    memory_region_del_eventfd(&w->ports, 8, 2, true, 7, fd);
    close(fd);
}

PAYLOAD(doorbell_mmio, "mov $0xd000, %ax\n"
                       "mov %ax, %ds\n"
                       "2: movl $1, 0x50\n"
                       "movw $2, 0x50\n" TELL("eax") "in %dx, %al\n"
                                                     "jmp 2b\n");

/* Of any width, and taken away while the guest runs. */
static void doorbell_mmio(World *w, gconstpointer data)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    memory_region_add_eventfd(&w->device, 0x50, 0, false, 0, fd);
    world_run(w, PAYLOAD_OF(doorbell_mmio));
    world_hear(w);
    world_hear(w);
    accel_pause(w->accel);
    g_assert_cmpuint(world_n_seen(w), ==, 0);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->by_space[IOREQ_MMIO], ==, 0);
    g_assert_cmpuint(rings(fd), >=, 4);
    memory_region_del_eventfd(&w->device, 0x50, 0, false, 0, fd);
    w->told_taken = w->told->len;
    accel_resume(w->accel);
    world_hear(w);
    world_hear(w);
    world_hear(w);
    accel_pause(w->accel);
    g_assert_cmpuint(world_n_seen(w), >=, 2);
    g_assert_cmpuint(rings(fd), ==, 0);
    close(fd);
}

/* ---- refusals ---- */

static void assert_refused(const char *text, const char *part)
{
    const char *texts[] = { text, NULL };
    GError *error = NULL;

    g_assert_null(accel_create(texts, &error));
    if (strstr(error->message, part) == NULL) {
        g_error("'%s' is not in: %s", part, error->message);
    }
    g_error_free(error);
}

static void refusals(void)
{
    target_set(TARGET_AARCH64);
    assert_refused("kvm", "-accel kvm: this host executes x86_64 guests only, not those of "
                          "humpy-system-aarch64");
    target_set(TARGET_X86_64);
    assert_refused("kvm,device=/dev/no-such-node",
                   "-accel kvm: cannot open /dev/no-such-node: No such file or directory (is the "
                   "module kvm-intel or kvm-amd loaded");
    assert_refused("kvm,device=/dev/null", "-accel kvm: /dev/null does not answer "
                                           "KVM_GET_API_VERSION: Inappropriate ioctl for device");
    assert_refused("kvm,kernel-irqchip=maybe", "kernel-irqchip");
}

/* ---- failing calls ---- */

static unsigned calls_left;

static int failing_ioctl(int fd, unsigned long request, uintptr_t arg)
{
    if (calls_left == 0) {
        errno = EIO;
        return -1;
    }
    calls_left--;
    return hostdev_kernel_ops.ioctl(fd, request, arg);
}

/* Sets a machine up on a kernel whose call number n, and all later ones, fail. FALSE: there is no
 * such call, all went well. */
static bool setup_fails(World *w, unsigned n)
{
    static HostDevOps failing;
    const char *texts[] = { "kvm", NULL };
    AccelMachineInfo info = { .memory = w->as, .io = w->io, .n_vcpus = 2 };
    g_autoptr(Accel) accel = NULL;
    GError *error = NULL;
    bool ok;

    failing = hostdev_kernel_ops;
    failing.ioctl = failing_ioctl;
    accel = accel_create(texts, &error);
    g_assert_no_error(error);
    HUMPY_ACCEL_KVM(accel)->dev.ops = &failing;
    calls_left = n;
    ok = accel_setup(accel, &info, &error) && accel_irq_connect(accel, 4, ACCEL_IRQ_EDGE, &error);
    if (ok) {
        accel_pause(accel);
        ok = accel_start(accel, &w->boot, &error) && accel_start(accel, &w->boot, &error);
    }
    g_assert_true(ok == (error == NULL));
    if (error != NULL) {
        g_assert_true(g_str_has_prefix(error->message, "-accel kvm: "));
        g_error_free(error);
    }
    accel_teardown(accel);
    return !ok;
}

/* Each failure is told, and nothing is left behind for the leak sanitizer to find. */
static void failing_calls(World *w, gconstpointer data)
{
    unsigned n = 0;

    while (setup_fails(w, n)) {
        n += n < 30 ? 1 : 7;
    }
    g_assert_cmpuint(n, >, 40);
}

/* ---- the guest's clock ---- */

static uint64_t clock_got, clock_set;

static int watching_ioctl(int fd, unsigned long request, uintptr_t arg)
{
    int ret = hostdev_kernel_ops.ioctl(fd, request, arg);

    if (request == KVM_GET_CLOCK) {
        clock_got = ((const struct kvm_clock_data *)arg)->clock;
    } else if (request == KVM_SET_CLOCK) {
        g_assert_cmpuint(((const struct kvm_clock_data *)arg)->flags, ==, 0);
        clock_set = ((const struct kvm_clock_data *)arg)->clock;
    }
    return ret;
}

PAYLOAD(sleep, SLEEP);

/* It goes on after a pause with what it had before. */
static void clock_is_held(World *w, gconstpointer data)
{
    static HostDevOps watching;

    watching = hostdev_kernel_ops;
    watching.ioctl = watching_ioctl;
    world_setup(w, "", 1);
    HUMPY_ACCEL_KVM(w->accel)->dev.ops = &watching;
    world_load(w, PAYLOAD_OF(sleep));
    world_start(w);
    clock_got = clock_set = 0;
    accel_pause(w->accel);
    g_assert_cmpuint(clock_got, !=, 0);
    g_assert_cmpuint(clock_set, ==, 0);
    accel_resume(w->accel);
    g_assert_cmpuint(clock_set, ==, clock_got);
    clock_set = 0;
    accel_pause(w->accel);
    g_assert_cmpuint(clock_set, ==, 0);
}

static void refused_chips(World *w, gconstpointer data)
{
    assert_refused("kvm,kernel-irqchip=off", "-accel kvm: kernel-irqchip=off: ");
}

static void too_many_vcpus(World *w, gconstpointer data)
{
    const char *texts[] = { "kvm", NULL };
    AccelMachineInfo info = { .memory = w->as, .io = w->io, .n_vcpus = 256 };
    GError *error = NULL;

    w->accel = accel_create(texts, &error);
    g_assert_no_error(error);
    g_assert_false(accel_setup(w->accel, &info, &error));
    g_assert_true(g_str_has_prefix(error->message, "-accel kvm: 256 vCPUs, but "));
    g_error_free(error);
}

static void line_out_of_range(World *w, gconstpointer data)
{
    GError *error = NULL;

    world_setup(w, "", 1);
    g_assert_false(accel_irq_connect(w->accel, 24, ACCEL_IRQ_EDGE, &error));
    g_assert_cmpstr(error->message, ==,
                    "-accel kvm: interrupt line 24: KVM's IOAPIC has lines 0 to 23");
    g_error_free(error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/refuses/target-and-node", refusals);
    world_test("/kvm/refuses/irqchip-off", refused_chips);
    world_test("/kvm/refuses/too-many-vcpus", too_many_vcpus);
    world_test("/kvm/refuses/line-out-of-range", line_out_of_range);
    world_test("/kvm/fails/each-call", failing_calls);
    world_test("/kvm/pause/holds-the-clock", clock_is_held);
    world_test("/kvm/pio/write-of-each-width", pio_write);
    world_test("/kvm/pio/read-of-each-width", pio_read);
    world_test("/kvm/pio/unclaimed", pio_unclaimed);
    world_test("/kvm/pio/string-out", string_out);
    world_test("/kvm/pio/string-in", string_in);
    world_test("/kvm/mmio/write-of-each-width", mmio_write);
    world_test("/kvm/mmio/read-of-each-width", mmio_read);
    world_test("/kvm/mmio/across-a-page", mmio_crossing);
    world_test("/kvm/slots/rom-reads-stay-and-writes-leave", rom);
    world_test("/kvm/slots/change-below-running-code", slots_while_running);
    world_test("/kvm/slots/late-ram-and-rom", late_ram);
    world_test("/kvm/slots/less-than-a-page", sliver);
    world_test("/kvm/slots/too-many", too_many_slots);
    world_test("/kvm/doorbell/port-with-datamatch", doorbell_pio);
    world_test("/kvm/doorbell/memory-of-any-width", doorbell_mmio);
    return g_test_run();
}
