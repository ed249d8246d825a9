/* SPDX-License-Identifier: GPL-2.0-or-later
 * Rules of PSCI 1.0 over HVC with two CPUs: version and features, each error of CPU_ON and
 * AFFINITY_INFO, off and on again, and the unknown function. The machine is turned off last.
 */
#include "lib.h"

enum { AFFINITY_ON = 0, AFFINITY_OFF = 1 };

static volatile u64 seen_el, seen_x0, may_go;
extern char secondary_start[];

static void note_state(u64 arg)
{
    seen_el = read_sysreg(CurrentEL);
    seen_x0 = arg;
    while (!may_go) {
        asm volatile("yield");
    }
}

static void version_is_1_0_or_later(void)
{
    check(psci(PSCI_VERSION, 0, 0, 0) >= 0x10000);
}

static void features_answer_what_is_there(void)
{
    static const u32 there[] = { PSCI_VERSION,       PSCI_CPU_OFF,    PSCI_CPU_ON,
                                 PSCI_AFFINITY_INFO, PSCI_SYSTEM_OFF, PSCI_SYSTEM_RESET,
                                 PSCI_FEATURES };

    for (unsigned i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
        check(psci(PSCI_FEATURES, there[i], 0, 0) >= 0);
    }
    check_eq(psci(PSCI_FEATURES, 0x8400001f, 0, 0), PSCI_NOT_SUPPORTED);
    check_eq(psci(PSCI_FEATURES, 0x12345678, 0, 0), PSCI_NOT_SUPPORTED);
}

static void unknown_function_is_not_supported(void)
{
    check_eq(psci(0x84ffffff, 0, 0, 0), PSCI_NOT_SUPPORTED);
    check_eq(psci(0xc4ffffff, 0, 0, 0), PSCI_NOT_SUPPORTED);
    check_eq(psci(0, 0, 0, 0), PSCI_NOT_SUPPORTED);
    check_eq(psci(UINT64_C(0xdead00000000), 0, 0, 0), PSCI_NOT_SUPPORTED);
}

static void migration_is_not_needed(void)
{
    check_eq(psci(PSCI_MIGRATE_TYPE, 0, 0, 0), 2);
}

static void affinity_info_tells_on_and_off(void)
{
    check_eq(psci(PSCI_AFFINITY_INFO, 0, 0, 0), AFFINITY_ON);
    check_eq(psci(PSCI_AFFINITY_INFO, 1, 0, 0), AFFINITY_OFF);
}

static void affinity_info_of_nobody_is_invalid(void)
{
    check_eq(psci(PSCI_AFFINITY_INFO, 2, 0, 0), PSCI_INVALID_PARAMETERS);
    check_eq(psci(PSCI_AFFINITY_INFO, UINT64_C(0x100000000), 0, 0), PSCI_INVALID_PARAMETERS);
    check_eq(psci(PSCI_AFFINITY_INFO, UINT64_MAX, 0, 0), PSCI_INVALID_PARAMETERS);
}

static void cpu_on_of_nobody_is_invalid(void)
{
    check_eq(psci(PSCI_CPU_ON, 2, (u64)secondary_start, 0), PSCI_INVALID_PARAMETERS);
    check_eq(psci(PSCI_CPU_ON, 0x100, (u64)secondary_start, 0), PSCI_INVALID_PARAMETERS);
    check_eq(psci(PSCI_CPU_ON, UINT64_MAX, (u64)secondary_start, 0), PSCI_INVALID_PARAMETERS);
}

static void cpu_on_of_itself_is_already_on(void)
{
    check_eq(psci(PSCI_CPU_ON, 0, (u64)secondary_start, 0), PSCI_ALREADY_ON);
}

static void cpu_on_starts_at_el1_with_its_argument(void)
{
    may_go = 0;
    seen_x0 = 0;
    start_cpu(1, note_state, 0xfeed);
    while (seen_x0 == 0) {
        asm volatile("yield");
    }
    check_eq(seen_el, 4);
    check_eq(seen_x0, 0xfeed);
    check_eq(psci(PSCI_AFFINITY_INFO, 1, 0, 0), AFFINITY_ON);
    check_eq(psci(PSCI_CPU_ON, 1, (u64)secondary_start, 1), PSCI_ALREADY_ON);
    may_go = 1;
    join_cpu(1);
    check_eq(psci(PSCI_AFFINITY_INFO, 1, 0, 0), AFFINITY_OFF);
}

/* Bare entry: x0 is the context, everything masked, MMU off, EL1h. Stores and turns off. */
asm(".globl bare_start\n"
    "bare_start:\n"
    "    mrs x1, sctlr_el1\n    mrs x2, daif\n    mrs x3, spsel\n"
    "    stp x1, x2, [x0]\n    stp x3, x0, [x0, #16]\n"
    "    movz w0, #0x8400, lsl #16\n    movk w0, #2\n    hvc #0\n    b .\n");
extern char bare_start[];

static void cpu_on_enters_with_reset_state(void)
{
    static u64 state[4] __attribute__((aligned(64)));

    for (unsigned i = 0; i < 20; i++) {
        state[3] = 0;
        dsb();
        check_eq(psci(PSCI_CPU_ON, 1, (u64)bare_start, (u64)state), PSCI_SUCCESS);
        check(psci(PSCI_AFFINITY_INFO, 1, 0, 0) >= 0);
        while (read64((u64)&state[3]) == 0) {
            asm volatile("yield");
        }
        while (psci(PSCI_AFFINITY_INFO, 1, 0, 0) != AFFINITY_OFF) {
            asm volatile("yield");
        }
        check_eq(read64((u64)&state[3]), (u64)state);
        check_eq(read64((u64)&state[0]) & 0x1005, 0);
        check_eq(read64((u64)&state[1]), 0x3c0);
        check_eq(read64((u64)&state[2]), 1);
    }
}

static void a_cpu_is_not_off_after_cpu_on(void)
{
    may_go = 0;
    start_cpu(1, note_state, 1);
    check(psci(PSCI_AFFINITY_INFO, 1, 0, 0) != AFFINITY_OFF);
    check(psci(PSCI_CPU_ON, 1, (u64)secondary_start, 1) != PSCI_SUCCESS);
    may_go = 1;
    join_cpu(1);
}

static void off_and_on_again_works_many_times(void)
{
    may_go = 1;
    for (unsigned i = 1; i <= 50; i++) {
        start_cpu(1, note_state, i);
        join_cpu(1);
        check_eq(seen_x0, i);
    }
}

static const Rule rules[] = {
    RULE("/psci/version-is-1.0-or-later", version_is_1_0_or_later),
    RULE("/psci/features-answer-what-is-there", features_answer_what_is_there),
    RULE("/psci/unknown-function-is-not-supported", unknown_function_is_not_supported),
    RULE("/psci/migration-is-not-needed", migration_is_not_needed),
    RULE("/psci/affinity-info-tells-on-and-off", affinity_info_tells_on_and_off),
    RULE("/psci/affinity-info-of-nobody-is-invalid", affinity_info_of_nobody_is_invalid),
    RULE("/psci/cpu-on-of-nobody-is-invalid", cpu_on_of_nobody_is_invalid),
    RULE("/psci/cpu-on-of-itself-is-already-on", cpu_on_of_itself_is_already_on),
    RULE("/psci/cpu-on-starts-at-el1-with-its-argument", cpu_on_starts_at_el1_with_its_argument),
    RULE("/psci/cpu-on-enters-with-reset-state", cpu_on_enters_with_reset_state),
    RULE("/psci/cpu-is-not-off-after-cpu-on", a_cpu_is_not_off_after_cpu_on),
    RULE("/psci/off-and-on-again-works-many-times", off_and_on_again_works_many_times),
};

void payload_main(void)
{
    mmu_init();
    mmu_on();
    RUN(rules);
}
