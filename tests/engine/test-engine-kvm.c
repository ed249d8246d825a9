/* SPDX-License-Identifier: GPL-2.0-or-later
 * The KVM engine through its table alone: kicks, ends, memory slots, start registers and reset, on
 * a few bytes of real-mode code. What guests can do with it is the payload's matter.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "models/engine.h"

enum { RAM = 1 << 20, ENTRY = 0x1000, TIME_OUT = 60 };

static const EngineOps *ops;

typedef struct {
    EngineVm *vm;
    EngineVcpu *vcpu;
    uint8_t *ram;
    int rounds; /* atomic */
} Guest;

static uint8_t *pages(size_t size)
{
    uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    g_assert_true(p != MAP_FAILED);
    return p;
}

static bool never(void *opaque)
{
    return false;
}

static const EngineRunHooks no_hooks = { never, NULL, -1 };

static EngineX86Regs real_mode(void)
{
    const EngineX86Segment data = { 0, 0x93, UINT16_MAX, 0 };

    return (EngineX86Regs){
        .rflags = 2,
        .cr0 = 0x10,
        .cs = { 0, 0x9b, UINT16_MAX, 0 },
        .ss = data,
        .ds = data,
        .es = data,
        .fs = data,
        .gs = data,
        .ldt = { 0, 0x82, UINT16_MAX, 0 },
        .tr = { 0, 0x8b, UINT16_MAX, 0 },
        .idt_limit = UINT16_MAX,
    };
}

static void boot(Guest *g)
{
    EngineX86Regs regs = real_mode();

    g_assert_true(ops->vcpu_set_x86(g->vcpu, &regs));
    ops->vcpu_boot(g->vcpu, ENTRY, 0);
}

/* Not booted; NULL: skipped. */
static Guest *guest_new(const void *code, size_t size)
{
    const EngineVmConfig config = { .n_vcpus = 1, .mmio_limit = UINT64_MAX };
    g_autoptr(GError) error = NULL;
    Guest *g;

    if (access("/dev/kvm", R_OK | W_OK) < 0) {
        g_test_skip("no /dev/kvm");
        return NULL;
    }
    g = g_new0(Guest, 1);
    g->ram = pages(RAM);
    memcpy(g->ram + ENTRY, code, size);
    g->vm = ops->vm_new(&config, &error);
    g_assert_no_error(error);
    ops->vm_map(g->vm, 0, RAM, g->ram, ENGINE_MAP_READ | ENGINE_MAP_WRITE | ENGINE_MAP_EXEC,
                &error);
    g_assert_no_error(error);
    g->vcpu = ops->vcpu_new(g->vm, 0, &error);
    g_assert_no_error(error);
    return g;
}

static void guest_free(Guest *g)
{
    ops->vcpu_free(g->vcpu);
    ops->vm_free(g->vm);
    munmap(g->ram, RAM);
    g_free(g);
}

static void run(Guest *g, EngineExit *exit)
{
    ops->vcpu_run(g->vcpu, exit, &no_hooks);
}

static void expect_out(Guest *g, EngineExit *exit, uint16_t port, uint8_t value)
{
    run(g, exit);
    g_assert_cmpint(exit->kind, ==, ENGINE_EXIT_PIO);
    g_assert_true(exit->is_write);
    g_assert_cmphex(exit->gpa, ==, port);
    g_assert_cmphex(exit->data, ==, value);
}

/* ---- kick ---- */

/* hlt; jmp: with an interrupt controller inside, nobody hears of it */
static const uint8_t halt_code[] = { 0xf4, 0xeb, 0xfd };
static const uint8_t spin_code[] = { 0xeb, 0xfe };

static void *kicker(void *opaque)
{
    ops->vcpu_kick(((Guest *)opaque)->vcpu);
    return NULL;
}

static void kicked_while(const uint8_t *code, size_t size, bool booted)
{
    Guest *g = guest_new(code, size);
    EngineExit exit = { 0 };

    for (unsigned i = 0; g && i < 200; i++) {
        GThread *thread;

        if (i == 0 && booted) {
            boot(g);
        }
        thread = g_thread_new("kicker", kicker, g);
        run(g, &exit);
        g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_INTERRUPTED);
        g_thread_join(thread);
    }
    if (g) {
        guest_free(g);
    }
}

static void kick_ends_halt(void)
{
    kicked_while(halt_code, sizeof(halt_code), true);
}

static void kick_ends_spin(void)
{
    kicked_while(spin_code, sizeof(spin_code), true);
}

static void kick_ends_power_off(void)
{
    kicked_while(spin_code, sizeof(spin_code), false);
}

static bool usr1_is_pending(void *opaque)
{
    sigset_t pending;

    return sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1;
}

static void *halt_until_signal(void *opaque)
{
    Guest *g = opaque;
    EngineExit exit = { 0 };
    sigset_t usr1, mask;
    EngineRunHooks hooks = { usr1_is_pending, NULL, -1, &mask };
    int sig;

    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, &mask);
    sigdelset(&mask, SIGUSR1);
    for (unsigned i = 0; i < 50; i++) {
        g_atomic_int_set(&g->rounds, i + 1);
        ops->vcpu_run(g->vcpu, &exit, &hooks);
        g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_INTERRUPTED);
        sigwait(&usr1, &sig);
    }
    return NULL;
}

/* A signal that the thread has blocked, but not for the time the guest runs. */
static void signal_outside_the_mask_ends_halt(void)
{
    Guest *g = guest_new(halt_code, sizeof(halt_code));
    pthread_t thread;

    if (!g) {
        return;
    }
    boot(g);
    g_assert_cmpint(pthread_create(&thread, NULL, halt_until_signal, g), ==, 0);
    for (int i = 0; i < 50; i++) {
        while (g_atomic_int_get(&g->rounds) <= i) {
            g_thread_yield();
        }
        g_assert_cmpint(pthread_kill(thread, SIGUSR1), ==, 0);
    }
    pthread_join(thread, NULL);
    guest_free(g);
}

static void kick_before_run_is_kept(void)
{
    static const uint8_t code[] = { 0xe6, 0x10, 0xeb, 0xfc }; /* out %al, $0x10; jmp */
    Guest *g = guest_new(code, sizeof(code));
    EngineExit exit = { 0 };

    if (!g) {
        return;
    }
    boot(g);
    ops->vcpu_kick(g->vcpu);
    run(g, &exit);
    g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_INTERRUPTED);
    expect_out(g, &exit, 0x10, 0);
    guest_free(g);
}

/* An element that has been told is not lost nor told twice. */
static void kick_inside_a_string(void)
{
    /* mov $0x2000, %si; mov $8, %cx; mov $0x220, %dx; cld; rep outsb; out %al, $0x11 */
    static const uint8_t code[] = { 0xbe, 0x00, 0x20, 0xb9, 0x08, 0x00, 0xba,
                                    0x20, 0x02, 0xfc, 0xf3, 0x6e, 0xe6, 0x11 };
    Guest *g = guest_new(code, sizeof(code));
    EngineExit exit = { 0 };

    if (!g) {
        return;
    }
    memcpy(g->ram + 0x2000, "ABCDEFGH", 8);
    boot(g);
    for (unsigned i = 0; i < 8; i++) {
        expect_out(g, &exit, 0x220, (uint8_t)('A' + i));
        ops->vcpu_kick(g->vcpu);
        run(g, &exit);
        g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_INTERRUPTED);
    }
    expect_out(g, &exit, 0x11, 0);
    guest_free(g);
}

/* ---- ends ---- */

static void triple_fault(void)
{
    /* lidt 0x2000 (zeroes); mov %cr0, %eax; or $1, %al; mov %eax, %cr0; ud2 */
    static const uint8_t code[] = { 0x0f, 0x01, 0x1e, 0x00, 0x20, 0x0f, 0x20, 0xc0,
                                    0x0c, 0x01, 0x0f, 0x22, 0xc0, 0x0f, 0x0b };
    Guest *g = guest_new(code, sizeof(code));
    EngineExit exit = { 0 };

    if (!g) {
        return;
    }
    boot(g);
    run(g, &exit);
    g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_TRIPLE_FAULT);
    guest_free(g);
}

static void what_kvm_cannot_do_is_named(void)
{
    /* ljmp $0xf000, $0: where no memory is */
    static const uint8_t code[] = { 0xea, 0x00, 0x00, 0x00, 0xf0 };
    g_autoptr(GError) error = NULL;
    Guest *g = guest_new(code, sizeof(code));
    EngineExit exit = { 0 };

    if (!g) {
        return;
    }
    ops->vm_unmap(g->vm, 0, RAM, &error);
    g_assert_no_error(error);
    ops->vm_map(g->vm, 0, 0x10000, g->ram, ENGINE_MAP_READ | ENGINE_MAP_WRITE, &error);
    g_assert_no_error(error);
    boot(g);
    run(g, &exit);
    g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_ERROR);
    g_test_message("%s", exit.text);
    g_assert_nonnull(strstr(exit.text, "KVM internal error 1, emulation failure"));
    g_assert_nonnull(strstr(exit.text, "f000:0x0"));
    guest_free(g);
}

static void impossible_registers_are_an_error(void)
{
    Guest *g = guest_new(spin_code, sizeof(spin_code));
    EngineX86Regs regs = real_mode();
    EngineExit exit = { 0 };

    if (!g) {
        return;
    }
    regs.cr0 = UINT64_C(1) << 31; /* paging without protection */
    g_assert_true(ops->vcpu_set_x86(g->vcpu, &regs));
    ops->vcpu_boot(g->vcpu, ENTRY, 0);
    run(g, &exit);
    g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_ERROR);
    g_assert_nonnull(strstr(exit.text, "start registers"));
    guest_free(g);
}

/* ---- memory ---- */

static void bad_mappings_are_refused(void)
{
    Guest *g = guest_new(spin_code, sizeof(spin_code));
    static const struct {
        uint64_t gpa, size, offset;
    } bad[] = { { RAM, 0, 0 },          { RAM + 1, 4096, 0 },           { RAM, 4095, 0 },
                { RAM, 4096, 1 },       { UINT64_MAX - 4095, 8192, 0 }, { 0, 4096, 0 },
                { RAM - 4096, 8192, 0 } };

    for (unsigned i = 0; g && i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(ops->vm_map(g->vm, bad[i].gpa, bad[i].size, g->ram + bad[i].offset,
                                   ENGINE_MAP_READ, &error));
        g_assert_nonnull(error);
        g_clear_error(&error);
        g_assert_false(ops->vm_unmap(g->vm, bad[i].gpa, bad[i].size, &error));
        g_assert_nonnull(error);
    }
    if (g) {
        guest_free(g);
    }
}

/* mov $0x8000, %bx; mov %bx, %ds; mov %bx, (0); mov (0), %al; out %al, $0x10 */
static const uint8_t touch_code[] = { 0xbb, 0x00, 0x80, 0x8e, 0xdb, 0x89, 0x1e,
                                      0x00, 0x00, 0xa0, 0x00, 0x00, 0xe6, 0x10 };

static void read_only_memory_is_read_and_not_written(void)
{
    g_autoptr(GError) error = NULL;
    Guest *g = guest_new(touch_code, sizeof(touch_code));
    EngineExit exit = { 0 };

    if (!g) {
        return;
    }
    g_assert_true(ops->vm_unmap(g->vm, 0, RAM, &error));
    g_assert_true(ops->vm_map(g->vm, 0, 0x80000, g->ram, 7, &error));
    g_assert_true(ops->vm_map(g->vm, 0x80000, 0x80000, g->ram + 0x80000, ENGINE_MAP_READ, &error));
    g->ram[0x80000] = 0x5a;
    boot(g);
    run(g, &exit);
    g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_MMIO);
    g_assert_true(exit.is_write);
    g_assert_cmphex(exit.gpa, ==, 0x80000);
    g_assert_cmpuint(exit.len, ==, 2);
    g_assert_cmphex(exit.data, ==, 0x8000);
    expect_out(g, &exit, 0x10, 0x5a);
    g_assert_cmphex(g->ram[0x80000], ==, 0x5a);
    guest_free(g);
}

static void unmapped_memory_is_mmio(void)
{
    g_autoptr(GError) error = NULL;
    Guest *g = guest_new(touch_code, sizeof(touch_code));
    EngineExit exit = { 0 };

    if (!g) {
        return;
    }
    g_assert_true(ops->vm_unmap(g->vm, 0, RAM, &error));
    g_assert_true(ops->vm_map(g->vm, 0, 0x80000, g->ram, 7, &error));
    boot(g);
    run(g, &exit);
    g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_MMIO);
    g_assert_true(exit.is_write);
    run(g, &exit);
    g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_MMIO);
    g_assert_false(exit.is_write);
    g_assert_cmpuint(exit.len, ==, 1);
    exit.data = 0x77;
    expect_out(g, &exit, 0x10, 0x77);
    guest_free(g);
}

/* ---- reset ---- */

/* in $0x10, %al; out %al, $0x11; jmp: a read that is never answered does not reach the next life.
 */
static void reset_forgets_an_access(void)
{
    static const uint8_t code[] = { 0xe6, 0x12, 0xe4, 0x10, 0xe6, 0x11, 0xeb, 0xf8 };
    g_autoptr(GError) error = NULL;
    Guest *g = guest_new(code, sizeof(code));
    EngineExit exit = { 0 };

    for (unsigned i = 0; g && i < 20; i++) {
        boot(g);
        memset(&exit, 0, sizeof(exit));
        expect_out(g, &exit, 0x12, 0);
        run(g, &exit);
        g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_PIO);
        exit.data = 0x33;
        if (i % 2) {
            expect_out(g, &exit, 0x11, 0x33);
        }
        g_assert_true(ops->vm_reset(g->vm, &error));
        g_assert_no_error(error);
    }
    if (g) {
        guest_free(g);
    }
}

static void reset_inside_a_string(void)
{
    /* out %al, $0x12; mov $0x2000, %di; mov $0xd000, %cx; cld; mov $0x220, %dx; rep insb */
    static const uint8_t code[] = { 0xe6, 0x12, 0xbf, 0x00, 0x20, 0xb9, 0x00, 0xd0,
                                    0xfc, 0xba, 0x20, 0x02, 0xf3, 0x6c, 0xeb, 0xfe };
    g_autoptr(GError) error = NULL;
    Guest *g = guest_new(code, sizeof(code));

    for (unsigned i = 0; g && i < 5; i++) {
        EngineExit exit = { 0 };

        boot(g);
        expect_out(g, &exit, 0x12, 0);
        for (unsigned n = 0; n < i * 700 + 1; n++) {
            run(g, &exit);
            g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_PIO);
            g_assert_cmphex(exit.gpa, ==, 0x220);
            exit.data = n & 0x7f;
        }
        g_assert_true(ops->vm_reset(g->vm, &error));
        g_assert_no_error(error);
        memset(g->ram + 0x2000, 0xee, 0xd000);
        boot(g);
        expect_out(g, &exit, 0x12, 0);
        run(g, &exit);
        for (unsigned n = 0; n < 0xd000; n++) {
            g_assert_cmphex(g->ram[0x2000 + n], ==, 0xee); /* nothing of the old life arrives */
        }
        g_assert_true(ops->vm_reset(g->vm, &error));
        g_assert_no_error(error);
    }
    if (g) {
        guest_free(g);
    }
}

/* A level that was high is low, so the new life sees no interrupt that nobody raised. */
static void reset_lowers_lines(void)
{
    g_autoptr(GError) error = NULL;
    Guest *g = guest_new(halt_code, sizeof(halt_code));

    if (!g) {
        return;
    }
    for (unsigned gsi = 0; gsi < 64; gsi++) {
        ops->vm_set_line(g->vm, gsi, true);
    }
    ops->vm_msi(g->vm, 0xfee00000, 0x30);
    ops->vm_msi(g->vm, UINT64_MAX, UINT32_MAX);
    g_assert_true(ops->vm_reset(g->vm, &error));
    g_assert_no_error(error);
    guest_free(g);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    g_test_init(&argc, &argv, NULL);
    ops = engine_get("kvm", &error);
    g_assert_no_error(error);
    alarm(TIME_OUT); /* a guest that halts for nothing does so for ever */
    g_test_add_func("/engine-kvm/kick/ends-halt", kick_ends_halt);
    g_test_add_func("/engine-kvm/kick/ends-spin", kick_ends_spin);
    g_test_add_func("/engine-kvm/kick/ends-power-off", kick_ends_power_off);
    g_test_add_func("/engine-kvm/kick/signal-ends-halt", signal_outside_the_mask_ends_halt);
    g_test_add_func("/engine-kvm/kick/before-run-is-kept", kick_before_run_is_kept);
    g_test_add_func("/engine-kvm/kick/inside-a-string", kick_inside_a_string);
    g_test_add_func("/engine-kvm/end/triple-fault", triple_fault);
    g_test_add_func("/engine-kvm/end/kvm-error-is-named", what_kvm_cannot_do_is_named);
    g_test_add_func("/engine-kvm/end/impossible-registers", impossible_registers_are_an_error);
    g_test_add_func("/engine-kvm/memory/bad-mappings-are-refused", bad_mappings_are_refused);
    g_test_add_func("/engine-kvm/memory/read-only", read_only_memory_is_read_and_not_written);
    g_test_add_func("/engine-kvm/memory/unmapped-is-mmio", unmapped_memory_is_mmio);
    g_test_add_func("/engine-kvm/reset/forgets-an-access", reset_forgets_an_access);
    g_test_add_func("/engine-kvm/reset/inside-a-string", reset_inside_a_string);
    g_test_add_func("/engine-kvm/reset/lowers-lines", reset_lowers_lines);
    return g_test_run();
}
