/* SPDX-License-Identifier: GPL-2.0-or-later
 * Rules of /dev/acrn_hsm that take a guest that really runs: on the model the KVM engine is below,
 * on a board the hypervisor.
 */
#include "acrn-guest.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    PM1A_CONTROL = 0x404,
    STORM_PORT = 0x5000,
    ACK_PORT = 0x5004,
    STORM_WRITES = 20000,
    STORM_IRQS = 2000,
    VECTOR_MSI = 0x50,
    RESETS = 1000,
};

/* ---- requests ---- */

typedef struct {
    uint32_t type, direction;
    uint64_t address, size, value;
} Request;

/* Takes the next request and answers it with value if it reads. */
static void expect(AcrnGuest *guest, unsigned vcpu, Request want)
{
    struct acrn_io_request *slot = acrn_wait(guest->vm, vcpu);
    struct acrn_mmio_request *req = &slot->reqs.mmio_request;

    g_assert_cmpuint(slot->type, ==, want.type);
    g_assert_cmpuint(req->direction, ==, want.direction);
    g_assert_cmphex(req->address, ==, want.address);
    g_assert_cmpuint(req->size, ==, want.size);
    if (want.direction == ACRN_IOREQ_DIR_READ) {
        req->value = want.value;
    } else {
        g_assert_cmphex(slot->type == ACRN_IOREQ_TYPE_MMIO ? req->value
                                                           : slot->reqs.pio_request.value,
                        ==, want.value);
    }
    acrn_finish(guest->vm, vcpu);
}

static void expect_out(AcrnGuest *guest, uint16_t port, unsigned size, uint32_t value)
{
    expect(guest, 0, (Request){ ACRN_IOREQ_TYPE_PORTIO, ACRN_IOREQ_DIR_WRITE, port, size, value });
}

/* What comes back replaces as much of RAX as the access is wide. */
static void ports_of_each_size(void)
{
    /* mov $0x11223344, %eax; out %al, $0xe0; out %ax, $0xe0; out %eax, $0xe0;
     * in $0xe0, %al; out %eax, $0xe0; in $0xe0, %ax; out %eax, $0xe0; in $0xe0, %eax; out */
    static const uint8_t code[] = { 0x66, 0xb8, 0x44, 0x33, 0x22, 0x11, 0xe6, 0xe0, 0xe7, 0xe0,
                                    0x66, 0xe7, 0xe0, 0xe4, 0xe0, 0x66, 0xe7, 0xe0, 0xe5, 0xe0,
                                    0x66, 0xe7, 0xe0, 0x66, 0xe5, 0xe0, 0x66, 0xe7, 0xe0 };
    AcrnGuest *guest = acrn_guest_new(1, code, sizeof(code));
    static const uint32_t after[] = { 0x112233ff, 0x1122fefd, 0xfcfbfaf9 };
    static const uint32_t answers[] = { 0xaaaaaaff, 0xaaaafefd, 0xfcfbfaf9 };

    if (!guest) {
        return;
    }
    acrn_guest_start(guest);
    expect_out(guest, 0xe0, 1, 0x44);
    expect_out(guest, 0xe0, 2, 0x3344);
    expect_out(guest, 0xe0, 4, 0x11223344);
    for (unsigned i = 0; i < 3; i++) {
        expect(guest, 0,
               (Request){ ACRN_IOREQ_TYPE_PORTIO, ACRN_IOREQ_DIR_READ, 0xe0, 1u << i, answers[i] });
        expect_out(guest, 0xe0, 4, after[i]);
    }
    acrn_guest_free(guest);
}

/* A read-modify-write is two requests. Real mode reaches behind RAM with CS's base only. */
static void memory_of_each_size(void)
{
    /* movb $1, %cs:(0x8000); movw $2, %cs:(0x8002); movl $3, %cs:(0x8004); addl $1, %cs:(0x8008) */
    static const uint8_t code[] = { 0x2e, 0xc6, 0x06, 0x00, 0x80, 0x01, 0x2e, 0xc7, 0x06, 0x02,
                                    0x80, 0x02, 0x00, 0x66, 0x2e, 0xc7, 0x06, 0x04, 0x80, 0x03,
                                    0x00, 0x00, 0x00, 0x66, 0x2e, 0x83, 0x06, 0x08, 0x80, 0x01 };
    const uint64_t base = ACRN_TEST_RAM - 0x8000, mmio = ACRN_TEST_RAM;
    AcrnGuest *guest = acrn_guest_new(1, code, sizeof(code));

    if (!guest) {
        return;
    }
    memcpy(guest->vm->ram + base, code, sizeof(code));
    guest->regs.vcpu_regs.cs_base = GUINT64_TO_LE(base);
    guest->regs.vcpu_regs.cs_ar = GUINT32_TO_LE(0x93); /* writable, as real mode has it */
    guest->regs.vcpu_regs.rip = 0;
    acrn_guest_start(guest);
    expect(guest, 0, (Request){ ACRN_IOREQ_TYPE_MMIO, ACRN_IOREQ_DIR_WRITE, mmio, 1, 1 });
    expect(guest, 0, (Request){ ACRN_IOREQ_TYPE_MMIO, ACRN_IOREQ_DIR_WRITE, mmio + 2, 2, 2 });
    expect(guest, 0, (Request){ ACRN_IOREQ_TYPE_MMIO, ACRN_IOREQ_DIR_WRITE, mmio + 4, 4, 3 });
    expect(guest, 0, (Request){ ACRN_IOREQ_TYPE_MMIO, ACRN_IOREQ_DIR_READ, mmio + 8, 4, 41 });
    expect(guest, 0, (Request){ ACRN_IOREQ_TYPE_MMIO, ACRN_IOREQ_DIR_WRITE, mmio + 8, 4, 42 });
    acrn_guest_free(guest);
}

/* ---- registers ---- */

/* mov %esi, %eax; out %eax, $0xe0; mov %cs, %ax; out; mov %ds, %ax; out;
 * mov %esp, %eax; out */
static const uint8_t show_code[] = { 0x66, 0x89, 0xf0, 0x66, 0xe7, 0xe0, 0x8c, 0xc8, 0xe7, 0xe0,
                                     0x8c, 0xd8, 0xe7, 0xe0, 0x66, 0x89, 0xe0, 0x66, 0xe7, 0xe0 };

static void registers_reach_the_guest(void)
{
    AcrnGuest *guest = acrn_guest_new(1, show_code, sizeof(show_code));

    if (!guest) {
        return;
    }
    guest->regs.vcpu_regs.gprs.rsi = GUINT64_TO_LE(0x12345678);
    guest->regs.vcpu_regs.gprs.rsp = GUINT64_TO_LE(0x9abc);
    guest->regs.vcpu_regs.cs_sel = GUINT16_TO_LE(0x100);
    guest->regs.vcpu_regs.cs_base = GUINT64_TO_LE(0x1000);
    guest->regs.vcpu_regs.rip = 0;
    guest->regs.vcpu_regs.ds_sel = GUINT16_TO_LE(0x55);
    acrn_guest_start(guest);
    expect_out(guest, 0xe0, 4, 0x12345678);
    expect_out(guest, 0xe0, 2, 0x100);
    expect_out(guest, 0xe0, 2, 0x55);
    expect_out(guest, 0xe0, 4, 0x9abc);
    acrn_guest_free(guest);
}

static void triple_fault_powers_off(void)
{
    /* lidt 0x2000 (zeroes); mov %cr0, %eax; or $1, %al; mov %eax, %cr0; ud2 */
    static const uint8_t code[] = { 0x0f, 0x01, 0x1e, 0x00, 0x20, 0x0f, 0x20, 0xc0,
                                    0x0c, 0x01, 0x0f, 0x22, 0xc0, 0x0f, 0x0b };
    AcrnGuest *guest = acrn_guest_new(1, code, sizeof(code));

    if (!guest) {
        return;
    }
    acrn_guest_start(guest);
    expect_out(guest, PM1A_CONTROL, 2, 1 << 13 | 5 << 10);
    acrn_guest_free(guest);
}

static void paused_while(const uint8_t *code, size_t size)
{
    AcrnGuest *guest = acrn_guest_new(2, code, size);

    for (unsigned i = 0; guest && i < 20; i++) {
        acrn_guest_start(guest);
        acrn_guest_reset(guest);
    }
    if (guest) {
        acrn_guest_free(guest);
    }
}

static void pause_ends_halt(void)
{
    static const uint8_t code[] = { 0xf4, 0xeb, 0xfd };

    paused_while(code, sizeof(code));
}

static void pause_ends_spin(void)
{
    static const uint8_t code[] = { 0xeb, 0xfe };

    paused_while(code, sizeof(code));
}

/* Memory stays, registers do not: the guest adds one to a word in each life and tells it. */
static void reset_in_place(void)
{
    /* incw (0x2000); mov (0x2000), %ax; out %ax, $0xe0; hlt */
    static const uint8_t code[] = { 0xff, 0x06, 0x00, 0x20, 0xa1, 0x00, 0x20, 0xe7, 0xe0, 0xf4 };
    AcrnGuest *guest = acrn_guest_new(1, code, sizeof(code));

    for (unsigned i = 1; guest && i <= RESETS; i++) {
        acrn_guest_start(guest);
        expect_out(guest, 0xe0, 2, i);
        acrn_guest_reset(guest);
    }
    if (guest) {
        acrn_guest_free(guest);
    }
}

/* ---- the payload ---- */

static void payload_passes(AcrnGuest *guest)
{
    acrn_guest_run(guest);
    g_assert_cmpuint(guest->status, ==, 0);
    g_assert_nonnull(strstr(guest->output->str, "ok 1 - "));
    g_assert_null(strstr(guest->output->str, "not ok"));
}

static void four_vcpus(void)
{
    AcrnGuest *guest = acrn_guest_payload(4, "exit=0x501 test=smp cpus=4");

    if (!guest) {
        return;
    }
    acrn_guest_start(guest);
    payload_passes(guest);
    acrn_guest_free(guest);
}

/* Lines as pc-testdev drives them: a port each. */
static void drive_line(AcrnGuest *guest, struct acrn_io_request *req)
{
    const struct acrn_pio_request *pio = &req->reqs.pio_request;

    if (req->type == ACRN_IOREQ_TYPE_PORTIO && pio->address >= 0x2000 && pio->address < 0x2018) {
        uint64_t op = pio->value & 1 ? ACRN_IRQLINE_SET_HIGH : ACRN_IRQLINE_SET_LOW;

        g_assert_cmpint(
            acrn_call_value(guest->vm, ACRN_IOCTL_SET_IRQLINE, (pio->address - 0x2000) | op << 32),
            ==, 0);
    }
}

static void lines(void)
{
    AcrnGuest *guest = acrn_guest_payload(1, "exit=0x501 test=irq");

    if (!guest) {
        return;
    }
    guest->serve = drive_line;
    acrn_guest_start(guest);
    payload_passes(guest);
    acrn_guest_free(guest);
}

/* Each write is counted, and the device model hears of none. */
static void ioeventfd_storm(void)
{
    AcrnGuest *guest = acrn_guest_payload(1, "exit=0x501 test=storm port=0x5000 writes=20000");
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct acrn_ioeventfd args = {
        .fd = (uint32_t)fd, .flags = ACRN_IOEVENTFD_FLAG_PIO, .addr = STORM_PORT, .len = 4
    };
    uint64_t count = 0;

    if (guest) {
        acrn_ok(guest->vm, ACRN_IOCTL_IOEVENTFD, &args);
        acrn_guest_start(guest);
        payload_passes(guest);
        g_assert_cmpint(read(fd, &count, sizeof(count)), ==, sizeof(count));
        g_assert_cmpuint(count, ==, STORM_WRITES);
        g_assert_cmpuint(guest->requests, <, 1000);
        acrn_guest_free(guest);
    }
    close(fd);
}

/* The guest asks for the next one when it has taken the last. */
static void signal_again(AcrnGuest *guest, struct acrn_io_request *req)
{
    const struct acrn_pio_request *pio = &req->reqs.pio_request;
    const uint64_t one = 1;

    if (req->type == ACRN_IOREQ_TYPE_PORTIO && pio->address == ACK_PORT &&
        pio->value < STORM_IRQS) {
        g_assert_cmpint(write((int)guest->user, &one, sizeof(one)), ==, sizeof(one));
    }
}

static void irqfd_storm(void)
{
    AcrnGuest *guest =
        acrn_guest_payload(1, "exit=0x501 test=storm port=0x5004 writes=0 irqs=2000 ack=0x5004");
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct acrn_irqfd args = { .fd = fd,
                               .msi = { .msi_addr = 0xfee00000, .msi_data = VECTOR_MSI } };

    if (guest) {
        guest->user = (uint64_t)fd;
        guest->serve = signal_again;
        acrn_ok(guest->vm, ACRN_IOCTL_IRQFD, &args);
        acrn_guest_start(guest);
        payload_passes(guest);
        acrn_guest_free(guest);
    }
    close(fd);
}

void acrn_add_guest_tests(void)
{
    g_test_add_func("/acrn/guest/ports-of-each-size", ports_of_each_size);
    g_test_add_func("/acrn/guest/memory-of-each-size", memory_of_each_size);
    g_test_add_func("/acrn/guest/registers", registers_reach_the_guest);
    g_test_add_func("/acrn/guest/triple-fault-powers-off", triple_fault_powers_off);
    g_test_add_func("/acrn/guest/pause-ends-halt", pause_ends_halt);
    g_test_add_func("/acrn/guest/pause-ends-spin", pause_ends_spin);
    g_test_add_func("/acrn/guest/reset-in-place-1000-times", reset_in_place);
    g_test_add_func("/acrn/guest/four-vcpus", four_vcpus);
    g_test_add_func("/acrn/guest/lines", lines);
    g_test_add_func("/acrn/guest/ioeventfd-storm", ioeventfd_storm);
    g_test_add_func("/acrn/guest/irqfd-storm", irqfd_storm);
}
