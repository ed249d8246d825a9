/* SPDX-License-Identifier: GPL-2.0-or-later
 * -accel qtest: a machine without a hypervisor and without CPUs. Devices are driven by the qtest
 * server (system/qtest/) instead of a guest, and the virtual clock moves only when that says so.
 */
#include "../accel-priv.h"

typedef struct {
    Accel parent_instance;
} AccelQtest;

typedef struct {
    AccelClass parent_class;
} AccelQtestClass;

G_DEFINE_TYPE(AccelQtest, accel_qtest, TYPE_ACCEL)

static bool qtest_open(Accel *accel, GError **error)
{
    return true;
}

static void qtest_close(Accel *accel)
{
}

static bool qtest_setup(Accel *accel, const AccelMachineInfo *info, GError **error)
{
    return true;
}

static void qtest_teardown(Accel *accel)
{
}

static bool qtest_start(Accel *accel, const AccelBootInfo *boot, GError **error)
{
    return true;
}

static void accel_qtest_init(AccelQtest *qtest)
{
}

static const AccelCapReason missing_caps[] = {
    { ACCEL_CAP_VCPUS, "it runs no guest code" },
    { ACCEL_CAP_GDB, "it runs no guest code" },
    { ACCEL_CAP_REGISTERS, "it runs no guest code" },
    {},
};

static void accel_qtest_class_init(AccelQtestClass *klass)
{
    AccelClass *ac = HUMPY_ACCEL_CLASS(klass);

    ac->name = "qtest";
    ac->summary = "no guest code: devices are driven by the qtest protocol (-qtest)";
    ac->caps = ACCEL_CAP_MEMORY_NODES | ACCEL_CAP_RESET_IN_PLACE | ACCEL_CAP_LATE_RAM |
               ACCEL_CAP_ROM_SLOTS | ACCEL_CAP_MSI | ACCEL_CAP_HIGH_MMIO | ACCEL_CAP_MANUAL_CLOCK |
               ACCEL_CAP_PAUSE;
    ac->cap_reasons = missing_caps;
    ac->open = qtest_open;
    ac->close = qtest_close;
    ac->setup = qtest_setup;
    ac->teardown = qtest_teardown;
    ac->start = qtest_start;
}
