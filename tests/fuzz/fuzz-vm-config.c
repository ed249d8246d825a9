/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for the files of 'humpy vm run', and for the command lines that come of them.
 * Run: tests/fuzz/fuzz-vm-config -max_len=4096 CORPUS
 */
#include "config-json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void quiet(const char *domain, GLogLevelFlags level, const char *message, void *opaque)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const PlanPlace nowhere = { .program = "program" };
    g_autoptr(Plan) plan = plan_new();
    g_autoptr(GError) error = NULL;

    g_log_set_default_handler(quiet, NULL);
    if (!config_json_parse((const char *)data, size, "/nowhere/vm.json", plan, &error)) {
        g_assert_nonnull(error);
        return 0;
    }
    g_assert_null(error);
    if (plan_check(plan, NULL)) {
        g_auto(GStrv) argv = NULL;

        plan->arch = g_strdup("aarch64");
        argv = plan_argv(plan, &nowhere, NULL);
        g_assert_nonnull(argv);
    }
    return 0;
}
