/* SPDX-License-Identifier: GPL-2.0-or-later
 * The table of exit statuses; see outcome.h.
 */
#include "util/outcome.h"

static const OutcomeRow rows[N_OUTCOMES] = {
    [OUTCOME_POWEROFF] = { "poweroff", 0, 0,
                           "the guest powered off, or the user or the monitor ended it" },
    [OUTCOME_ERROR] = { "error", 1, 1,
                        "a file, device or call of the host failed; one line on stderr says "
                        "which" },
    [OUTCOME_USAGE] = { "usage", 1, 2,
                        "the command line is wrong; only the program humpy tells this apart" },
    [OUTCOME_RESET] = { "reset", 0, 32, "the guest asked for a reset, and -no-reboot was given" },
    [OUTCOME_CRASH] = { "crash", 1, 33, "the hypervisor says that the guest crashed" },
    [OUTCOME_PANIC] = { "panic", 0, 34,
                        "the guest told of a panic (pvpanic); plain status 1 with -action "
                        "panic=exit-failure" },
    [OUTCOME_WATCHDOG] = { "watchdog", 0, 36,
                           "the guest's watchdog ran out, and -no-reboot was given" },
    [OUTCOME_LOAD] = { "load", 1, 37, "the hypervisor refused to build or start the VM" },
    [OUTCOME_HYPERVISOR] = { "hypervisor", 1, 38, "the hypervisor failed while the guest ran" },
    [OUTCOME_STOPPED] = { "stopped", 1, 39, "the hypervisor was told to stop the VM by others" },
};

const OutcomeRow *outcome_row(Outcome outcome)
{
    g_assert(outcome < N_OUTCOMES);
    return &rows[outcome];
}

void outcome_dump(JsonBuilder *b)
{
    json_builder_set_member_name(b, "exit-status");
    json_builder_begin_array(b);
    for (unsigned i = 0; i < N_OUTCOMES; i++) {
        json_builder_begin_object(b);
        json_builder_set_member_name(b, "name");
        json_builder_add_string_value(b, rows[i].name);
        json_builder_set_member_name(b, "plain");
        json_builder_add_int_value(b, rows[i].plain);
        json_builder_set_member_name(b, "detailed");
        json_builder_add_int_value(b, rows[i].detailed);
        json_builder_set_member_name(b, "meaning");
        json_builder_add_string_value(b, rows[i].meaning);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
}
