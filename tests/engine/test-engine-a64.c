/* SPDX-License-Identifier: GPL-2.0-or-later
 * The arm64 engine from the host's side (include/models/engine.h): a guest that spins, sleeps or
 * faults for ever is still stopped, kicks are not lost, RAM that is unmapped is not touched any
 * more. What the guest sees is the payloads' part. A rule that breaks shows as a time-out.
 */
#include "payload-vm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    FLAG = PAYLOAD_RAM + 0x100000, /* x20: the guest says here that it has got somewhere */
    EXTRA = 0x50000000,            /* x21 */
    EXTRA_SIZE = 0x10000,
    VECTORS = PAYLOAD_ENTRY + 0x800,
};

/* x20 = FLAG, x21 = EXTRA, VBAR = VECTORS; then what the test has put behind. */
static const uint32_t prologue[] = {
    0xd2a80214, /* movz x20, #0x4010, lsl #16 */
    0xd2aa0015, /* movz x21, #0x5000, lsl #16 */
    0xd2a80400, /* movz x0, #0x4020, lsl #16 */
    0xf2810000, /* movk x0, #0x800 */
    0xd518c000, /* msr vbar_el1, x0 */
    0x52800021, /* mov w1, #1 */
};

enum {
    SET_FLAG = 0xb9000281, /* str w1, [x20] */
    SELF = 0x14000000,     /* b . */
    WFI = 0xd503207f,
    UDF = 0x00000000,
    HVC = 0xd4000002,
    ERET = 0xd69f03e0,
};

static PayloadVm *new_vm(unsigned n_cpus, const uint32_t *code, gsize size)
{
    g_autoptr(GError) error = NULL;
    PayloadVm *vm = payload_vm_new("a64", n_cpus, &error);
    uint8_t *entry;

    g_assert_no_error(error);
    entry = payload_vm_ram(vm, PAYLOAD_ENTRY, 0x1000);
    memcpy(entry, prologue, sizeof(prologue));
    memcpy(entry + sizeof(prologue), code, size);
    return vm;
}

static uint32_t flag(PayloadVm *vm)
{
    return __atomic_load_n((uint32_t *)payload_vm_ram(vm, FLAG, 4), __ATOMIC_ACQUIRE);
}

static void wait_for_flag(PayloadVm *vm)
{
    while (flag(vm) == 0) {
        g_thread_yield();
    }
}

static void must_stop(unsigned n_cpus, const uint32_t *code, gsize size)
{
    g_autoptr(PayloadVm) vm = new_vm(n_cpus, code, size);
    PayloadResult result;

    payload_vm_start(vm, PAYLOAD_ENTRY);
    wait_for_flag(vm);
    payload_vm_stop(vm);
    result = payload_vm_wait(vm);
    g_assert_cmpint(result.end, ==, PAYLOAD_END_STOPPED);
}

static void kick_ends_an_endless_loop(void)
{
    static const uint32_t code[] = { SET_FLAG, SELF };

    must_stop(1, code, sizeof(code));
}

static void kick_ends_blocks_that_follow_each_other(void)
{
    static const uint32_t code[] = {
        SET_FLAG,   0x91000442, /* add x2, x2, #1 */
        0x14000001,             /* b to the next word */
        0xb4ffffdf,             /* cbz xzr, back to the add */
        SELF,
    };

    for (unsigned i = 0; i < 20; i++) {
        must_stop(1, code, sizeof(code));
    }
}

static void kick_ends_a_loop_of_stores(void)
{
    static const uint32_t code[] = { 0xb9000281, 0x17ffffff }; /* str w1, [x20]; b back */

    must_stop(1, code, sizeof(code));
}

static void kick_ends_sleep_and_power_off(void)
{
    static const uint32_t code[] = { SET_FLAG, WFI, 0x17ffffff };

    must_stop(3, code, sizeof(code));
}

static void kick_ends_exceptions_without_end(void)
{
    /* The vector's page is empty: UDF at the vector, for ever. */
    static const uint32_t code[] = { SET_FLAG, UDF };

    must_stop(1, code, sizeof(code));
}

static void kick_ends_aborts_of_the_vector_itself(void)
{
    static const uint32_t code[] = {
        SET_FLAG, 0xd2e00020, /* movz x0, #1, lsl #48 */
        0xd518c000,           /* msr vbar_el1, x0: nowhere */
        0xd4000001,           /* svc #0 */
    };

    must_stop(1, code, sizeof(code));
}

static void kick_ends_a_jump_to_nowhere(void)
{
    static const uint32_t code[] = {
        SET_FLAG, 0xd518c01f, /* msr vbar_el1, xzr: MMIO as vectors */
        0xd2e00020,           /* movz x0, #1, lsl #48 */
        0xd61f0000,           /* br x0 */
    };

    must_stop(1, code, sizeof(code));
}

static void kick_ends_eret_to_itself(void)
{
    static const uint32_t code[] = {
        SET_FLAG,   0x10000060, /* adr x0, the eret */
        0xd5184020,             /* msr elr_el1, x0 */
        0xd28078a2,             /* mov x2, #0x3c5 */
        0xd5184002,             /* msr spsr_el1, x2 */
        ERET,       SELF,
    };

    must_stop(1, code, sizeof(code));
}

static void ends_with(uint32_t function, PayloadEnd end)
{
    const uint32_t code[] = {
        0x52b08000,                 /* mov w0, #0x8400 << 16 */
        0x72800000 | function << 5, /* movk w0, #function */
        HVC,
        SELF,
    };
    g_autoptr(PayloadVm) vm = new_vm(2, code, sizeof(code));

    g_assert_cmpint(payload_vm_run(vm, PAYLOAD_ENTRY).end, ==, end);
}

static void psci_system_off_ends_the_run(void)
{
    ends_with(8, PAYLOAD_END_OFF);
}

static void psci_system_reset_ends_the_run(void)
{
    ends_with(9, PAYLOAD_END_RESET);
}

/* The run loop by hand, without payload-vm's threads. */
typedef struct {
    unsigned asked;
    unsigned yes_after;
    int clear_fd;
} Hook;

static bool ask(void *opaque)
{
    Hook *hook = opaque;
    eventfd_t value;

    if (hook->clear_fd >= 0) {
        eventfd_read(hook->clear_fd, &value);
    }
    return ++hook->asked > hook->yes_after;
}

static void run_by_hand(const uint32_t *code, gsize size, bool kick, Hook *hook, int wake_fd)
{
    g_autoptr(PayloadVm) vm = new_vm(1, code, size);
    const EngineOps *ops = payload_vm_ops(vm);
    EngineVcpu *vcpu = payload_vm_vcpu(vm, 0);
    EngineRunHooks hooks = { .interrupted = ask, .opaque = hook, .wake_fd = wake_fd };
    EngineExit exit = { 0 };

    ops->vcpu_boot(vcpu, PAYLOAD_ENTRY, 0);
    if (kick) {
        ops->vcpu_kick(vcpu);
    }
    ops->vcpu_run(vcpu, &exit, &hooks);
    g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_INTERRUPTED);
}

static void kick_before_the_run_is_not_lost(void)
{
    static const uint32_t spin[] = { SELF }, sleep[] = { WFI, 0x17ffffff };
    Hook never = { 0, G_MAXUINT - 1, -1 };

    run_by_hand(spin, sizeof(spin), true, &never, -1);
    run_by_hand(sleep, sizeof(sleep), true, &never, -1);
}

static void hook_is_asked_while_the_guest_spins(void)
{
    static const uint32_t spin[] = { SELF };
    Hook hook = { 0, 5, -1 };

    run_by_hand(spin, sizeof(spin), false, &hook, -1);
    g_assert_cmpuint(hook.asked, ==, 6);
}

static void readable_wake_fd_asks_the_hook_of_a_sleeper(void)
{
    static const uint32_t sleep[] = { WFI, 0x17ffffff };
    int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    Hook hook = { 0, 0, fd };

    run_by_hand(sleep, sizeof(sleep), false, &hook, fd);
    g_assert_cmpuint(hook.asked, >=, 1);
    close(fd);
}

static void mapping_must_be_aligned_and_free(void)
{
    static const uint32_t spin[] = { SELF };
    g_autoptr(PayloadVm) vm = new_vm(1, spin, sizeof(spin));
    const EngineOps *ops = payload_vm_ops(vm);
    EngineVm *engine = payload_vm_engine(vm);
    void *host = payload_vm_ram(vm, PAYLOAD_RAM, 0x10000);
    static const struct {
        uint64_t gpa, size;
    } bad[] = { { EXTRA + 1, 0x1000 },
                { EXTRA, 0x1001 },
                { EXTRA, 0 },
                { PAYLOAD_RAM + 0x1000, 0x1000 },
                { PAYLOAD_RAM - 0x1000, 0x2000 },
                { UINT64_MAX - 0xfff, 0x2000 },
                { UINT64_C(1) << 60, 0x1000 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("0x%" G_GINT64_MODIFIER "x + 0x%" G_GINT64_MODIFIER "x", bad[i].gpa,
                       bad[i].size);
        g_assert_false(ops->vm_map(engine, bad[i].gpa, bad[i].size, host, 7, &error));
        g_assert_nonnull(error);
    }
}

/* The guest counts in EXTRA; its first fault sets FLAG to 2 and stays there. */
static void unmapped_memory_is_not_touched_any_more(void)
{
    static const uint32_t code[] = {
        SET_FLAG,   0xb94002a3, /* ldr w3, [x21] */
        0x11000463,             /* add w3, w3, #1 */
        0xb90002a3,             /* str w3, [x21] */
        0x17fffffd,             /* b to the load */
    };
    static const uint32_t handler[] = { 0x52800041 /* mov w1, #2 */, SET_FLAG, SELF };
    uint32_t *extra =
        mmap(NULL, EXTRA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    for (unsigned i = 0; i < 10; i++) {
        g_autoptr(PayloadVm) vm = new_vm(1, code, sizeof(code));
        const EngineOps *ops = payload_vm_ops(vm);
        EngineVm *engine = payload_vm_engine(vm);

        memcpy(payload_vm_ram(vm, VECTORS + 0x200, sizeof(handler)), handler, sizeof(handler));
        g_assert_true(ops->vm_map(engine, EXTRA, EXTRA_SIZE, extra, 7, NULL));
        __atomic_store_n(extra, 0, __ATOMIC_RELEASE);
        payload_vm_start(vm, PAYLOAD_ENTRY);
        while (__atomic_load_n(extra, __ATOMIC_ACQUIRE) < 100) {
            g_thread_yield();
        }
        g_assert_true(ops->vm_unmap(engine, EXTRA, EXTRA_SIZE, NULL));
        __atomic_store_n(extra, 0x55aa, __ATOMIC_RELEASE);
        while (flag(vm) != 2) {
            g_thread_yield();
        }
        g_assert_cmphex(__atomic_load_n(extra, __ATOMIC_ACQUIRE), ==, 0x55aa);
        payload_vm_stop(vm);
        payload_vm_wait(vm);
    }
    munmap(extra, EXTRA_SIZE);
}

static void machines_come_and_go(void)
{
    static const uint32_t code[] = { SET_FLAG, SELF };

    for (unsigned i = 0; i < 10; i++) {
        must_stop(1 + i % 4, code, sizeof(code));
    }
}

/* ---- placement ---- */

enum { CACHE = 64 << 20 };

static const uint64_t TWO_GIB = UINT64_C(1) << 31;

typedef void (*MapFn)(uint64_t start, uint64_t end, const char *rights, const char *name,
                      void *opaque);

static void each_map(MapFn fn, void *opaque)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    g_assert_true(g_file_get_contents("/proc/self/maps", &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (unsigned i = 0; lines[i] != NULL; i++) {
        char rights[5];
        uint64_t start, end;

        if (sscanf(lines[i], "%" SCNx64 "-%" SCNx64 " %4s", &start, &end, rights) == 3) {
            fn(start, end, rights, lines[i], opaque);
        }
    }
}

static void find_dynarmic(uint64_t start, uint64_t end, const char *rights, const char *name,
                          void *opaque)
{
    if (strcmp(rights, "r-xp") == 0 && strstr(name, "/libdynarmic.") != NULL) {
        *(uint64_t *)opaque = start;
    }
}

static void count_code(uint64_t start, uint64_t end, const char *rights, const char *name,
                       void *opaque)
{
    if (strncmp(rights, "rwx", 3) == 0) {
        *(uint64_t *)opaque += end - start;
    }
}

typedef struct {
    uint64_t addr;
    bool is_code;
} Place;

static void look_at(uint64_t start, uint64_t end, const char *rights, const char *name,
                    void *opaque)
{
    Place *place = opaque;

    if (strncmp(rights, "rwx", 3) == 0 && start <= place->addr && place->addr < end) {
        place->is_code = true;
    }
}

/* Runs until code has been translated. */
static PayloadVm *spin_translated(void)
{
    static const uint32_t code[] = { SET_FLAG, SELF };
    PayloadVm *vm = new_vm(1, code, sizeof(code));
    uint64_t before = 0, now;

    each_map(count_code, &before);
    payload_vm_start(vm, PAYLOAD_ENTRY);
    do {
        g_thread_yield();
        now = 0;
        each_map(count_code, &now);
    } while (now == before);
    payload_vm_stop(vm);
    payload_vm_wait(vm);
    return vm;
}

/* Dynarmic throws when code is within 5 bytes of 2 GiB from a function that it calls. */
static void code_is_not_2_gib_from_what_it_calls(void)
{
    uint64_t text = 0, bad;
    uint8_t *next, *spacer;
    size_t size;

    payload_vm_free(spin_translated()); /* loads the library */
    each_map(find_dynarmic, &text);
    g_assert_cmphex(text, !=, 0);
    bad = text + 0x10000 - TWO_GIB;
    next = mmap(NULL, CACHE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_true(next != MAP_FAILED);
    g_assert_cmphex((uintptr_t)next, >, bad + CACHE); /* the kernel goes on downwards from here */
    size = (uintptr_t)next + CACHE - bad - CACHE / 4;
    munmap(next, CACHE);
    spacer = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    g_assert_true(spacer != MAP_FAILED);
    for (unsigned i = 0; i < 4; i++) {
        PayloadVm *vm = spin_translated();
        Place place = { bad, true };

        while (place.is_code) { /* until it has been given up for a better one */
            g_thread_yield();
            place.is_code = false;
            each_map(look_at, &place);
        }
        payload_vm_free(vm);
    }
    munmap(spacer, size);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define RULE(path, function) g_test_add_func("/engine/a64/" path, function)
    RULE("kick/ends-an-endless-loop", kick_ends_an_endless_loop);
    RULE("kick/ends-blocks-that-follow-each-other", kick_ends_blocks_that_follow_each_other);
    RULE("kick/ends-a-loop-of-stores", kick_ends_a_loop_of_stores);
    RULE("kick/ends-sleep-and-power-off", kick_ends_sleep_and_power_off);
    RULE("kick/ends-exceptions-without-end", kick_ends_exceptions_without_end);
    RULE("kick/ends-aborts-of-the-vector-itself", kick_ends_aborts_of_the_vector_itself);
    RULE("kick/ends-a-jump-to-nowhere", kick_ends_a_jump_to_nowhere);
    RULE("kick/ends-eret-to-itself", kick_ends_eret_to_itself);
    RULE("kick/before-the-run-is-not-lost", kick_before_the_run_is_not_lost);
    RULE("hook/is-asked-while-the-guest-spins", hook_is_asked_while_the_guest_spins);
    RULE("hook/readable-wake-fd-asks-it-of-a-sleeper", readable_wake_fd_asks_the_hook_of_a_sleeper);
    RULE("psci/system-off-ends-the-run", psci_system_off_ends_the_run);
    RULE("psci/system-reset-ends-the-run", psci_system_reset_ends_the_run);
    RULE("map/must-be-aligned-and-free", mapping_must_be_aligned_and_free);
    RULE("map/unmapped-memory-is-not-touched-any-more", unmapped_memory_is_not_touched_any_more);
    RULE("vm/machines-come-and-go", machines_come_and_go);
    RULE("code/is-not-2-gib-from-what-it-calls", code_is_not_2_gib_from_what_it_calls);
    return g_test_run();
}
