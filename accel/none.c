/* SPDX-License-Identifier: GPL-2.0-or-later
 * The accelerator of a machine without CPUs: nothing runs, so nothing is asked of the host. It is
 * not to be had by -accel.
 */
#include "accel/accel-impl.h"

#define ACCEL_TYPE_NONE accel_none_get_type()
G_DECLARE_FINAL_TYPE(AccelNone, accel_none, HUMPY, ACCEL_NONE, Accel)

struct _AccelNone {
    Accel parent_instance;
};

G_DEFINE_FINAL_TYPE(AccelNone, accel_none, TYPE_ACCEL)

static const AccelCapReason reasons[] = {
    { ACCEL_CAP_VCPUS, "the machine has no CPUs" },
    { ACCEL_CAP_HOTPLUG_VCPU, "the machine has no CPUs" },
    { 0, NULL },
};

static void close_none(Accel *accel)
{
}

static void accel_none_init(AccelNone *none)
{
}

static void accel_none_class_init(AccelNoneClass *klass)
{
    AccelClass *ac = HUMPY_ACCEL_CLASS(klass);

    ac->name = "none";
    ac->summary = "No CPUs";
    ac->caps = ACCEL_CAP_RESET_IN_PLACE | ACCEL_CAP_LATE_RAM | ACCEL_CAP_PAUSE;
    ac->cap_reasons = reasons;
    ac->close = close_none;
}

Accel *accel_new_none(void)
{
    return g_object_new(ACCEL_TYPE_NONE, NULL);
}
