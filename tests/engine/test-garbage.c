/* SPDX-License-Identifier: GPL-2.0-or-later
 * Random instruction words, interpreted and translated: whatever they are, the guest gets an
 * exception or goes on, and the host survives (design: a guest that crashes or executes garbage
 * never takes the monitor down).
 */
#include "models/engine.h"

#include <sys/mman.h>

enum { RAM_BASE = 0x40000000, RAM_SIZE = 16 << 20, SLOTS = 0x100000, N_SLOTS = 3000 };

/* Left out: what could loop (immediate branches), leave the mode or rewrite the machine (system
 * instructions, ERET). */
static bool suitable(uint32_t word)
{
    return (word & 0x7c000000) != 0x14000000 && (word & 0xfe000000) != 0x54000000 &&
           (word & 0x7c000000) != 0x34000000 && (word & 0xff000000) != 0xd5000000 &&
           (word & 0xfe800000) != 0xd6800000;
}

static void test_survives(gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GRand) rand = g_rand_new_with_seed(GPOINTER_TO_UINT(opaque));
    const EngineOps *ops = engine_get("a64", &error);
    const EngineVmConfig config = { .n_vcpus = 1,
                                    .n_spis = 32,
                                    .gicd_base = 0x08000000,
                                    .gicr_base = 0x080a0000,
                                    .mmio_limit = RAM_BASE };
    const EngineRunHooks hooks = { .wake_fd = -1 };
    EngineExit exit = { 0 };
    g_autofree char *code = NULL;
    EngineVm *vm;
    EngineVcpu *vcpu;
    uint8_t *ram;
    gsize length;

    g_assert_no_error(error);
    g_file_get_contents(g_test_get_filename(G_TEST_BUILT, "garbage.img", NULL), &code, &length,
                        &error);
    g_assert_no_error(error);
    ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(ram != MAP_FAILED);
    memcpy(ram, code, length);
    for (unsigned i = 0; i < N_SLOTS; i++) {
        uint32_t words[2] = { 0, 0xd4200000 }; /* BRK #0 */

        do {
            words[0] = g_rand_int(rand);
        } while (!suitable(words[0]));
        memcpy(ram + SLOTS + i * sizeof(words), words, sizeof(words));
    }

    vm = ops->vm_new(&config, &error);
    g_assert_no_error(error);
    ops->vm_map(vm, RAM_BASE, RAM_SIZE, ram, ENGINE_MAP_READ | ENGINE_MAP_WRITE | ENGINE_MAP_EXEC,
                &error);
    g_assert_no_error(error);
    vcpu = ops->vcpu_new(vm, 0, &error);
    g_assert_no_error(error);
    ops->vcpu_boot(vcpu, RAM_BASE, N_SLOTS);
    do {
        ops->vcpu_run(vcpu, &exit, &hooks);
        exit.data = 0;
    } while (exit.kind == ENGINE_EXIT_MMIO || exit.kind == ENGINE_EXIT_INTERRUPTED);
    g_assert_cmpint(exit.kind, ==, ENGINE_EXIT_SYSTEM_OFF);
    ops->vcpu_free(vcpu);
    ops->vm_free(vm);
    munmap(ram, RAM_SIZE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (g_getenv("GARBAGE_SEED")) {
        g_test_add_data_func("/engine/garbage/never-brings-the-host-down/by-seed",
                             GUINT_TO_POINTER(g_ascii_strtoull(g_getenv("GARBAGE_SEED"), NULL, 0)),
                             test_survives);
        return g_test_run();
    }
    g_test_add_data_func("/engine/garbage/never-brings-the-host-down/1", GUINT_TO_POINTER(1),
                         test_survives);
    g_test_add_data_func("/engine/garbage/never-brings-the-host-down/2", GUINT_TO_POINTER(2),
                         test_survives);
    return g_test_run();
}
