/* SPDX-License-Identifier: GPL-2.0-or-later
 * A hostile qtest client: lines in pieces whose size the first byte chooses, carried out on the
 * machine "none" with 1 MiB of memory.
 */
#include "drives.h"
#include "hw/core/device.h"
#include "models/models.h"
#include "options.h"
#include "qtest/qtest.h"
#include "serials.h"
#include "vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_machine(void)
{
    static const char *const argv[] = { "humpy",  "-machine", "none",   "-m",   "1",
                                        "-accel", "qtest",    "-qtest", "null", "-qtest-log",
                                        "none",   "-display", "none" };
    VmConfig *config = vm_config_new();
    GError *error = NULL;
    static Serials *serials; /* for ever, as the machine */
    static Drives *drives;

    hw_register_types();
    models_register();
    if (!options_parse(config, G_N_ELEMENTS(argv), (char **)argv, &error)) {
        g_error("%s", error->message);
    }
    vm_set_config(config);
    drives = drives_open(config, &error);
    serials = serials_open(config, &error);
    if (!qtest_open(config, &error) || vm_new(config, serials, drives, true, &error) == NULL) {
        g_error("%s", error->message);
    }
    qtest_ready();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t step = size > 0 ? 1 + data[0] : 1;

    if (vm_current() == NULL) {
        make_machine();
    }
    for (size_t at = 1; at < size; at += step) {
        qtest_feed(data + at, MIN(step, size - at));
    }
    qtest_feed((const uint8_t *)"\n", 1);
    return 0;
}
