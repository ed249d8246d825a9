/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for ACRN's request slots: whatever a slot holds, it is finished once, nothing
 * but the guest's devices is touched, and another vCPU gets the right answer afterwards. Input: the
 * slots one after the other, each a type and 64 bytes of request. Run:
 * tests/fuzz/fuzz-acrn-slots -max_len=1088 CORPUS
 */
#include <string.h>

#include "acrn-world.h"

enum { OP = 68 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static World world;
static unsigned asked;

static void drop(const char *domain, GLogLevelFlags level, const char *text, gpointer data)
{
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    g_log_set_handler("humpy-acrn", G_LOG_LEVEL_WARNING, drop, NULL);
    world_init(&world, NULL);
    world_run(&world, 2);
    return 0;
}

static void check_other_vcpu(void)
{
    struct acrn_io_request slot = fake_mmio(0, WORLD_DEVICE + 8, 8, 0);

    g_assert_cmphex(fake_hsm_ask(1, &slot), ==, world_device_value(8, 8));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at + OP <= size; at += OP) {
        struct acrn_io_request slot = { 0 };

        memcpy(&slot.type, data + at, 4);
        memcpy(&slot.reqs, data + at + 4, 64);
        fake_hsm_ask(0, &slot);
        asked++;
        g_assert_cmpuint(fake_hsm.finished[0], ==, asked);
    }
    check_other_vcpu();
    g_assert_cmpuint(world.n_events, ==, 0);
    return 0;
}
