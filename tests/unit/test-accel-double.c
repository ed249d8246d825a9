/* SPDX-License-Identifier: GPL-2.0-or-later
 * The accelerator of test-accel-double.h.
 */
#include "test-accel-double.h"

#include "util/error.h"

AccelDouble accel_double;

typedef struct {
    Accel parent_instance;
} Double;
typedef struct {
    AccelClass parent_class;
} DoubleClass;
typedef Double Bare;
typedef DoubleClass BareClass;
typedef Double PcDouble;
typedef DoubleClass PcDoubleClass;

GType double_get_type(void);
GType bare_get_type(void);
GType pc_double_get_type(void);
G_DEFINE_TYPE(Double, double, TYPE_ACCEL)
G_DEFINE_TYPE(Bare, bare, TYPE_ACCEL)
G_DEFINE_TYPE(PcDouble, pc_double, TYPE_ACCEL)

static bool double_open(Accel *accel, GError **error)
{
    return true;
}

static void double_close(Accel *accel)
{
}

static bool double_setup(Accel *accel, const AccelMachineInfo *info, GError **error)
{
    accel_double.info = *info;
    return true;
}

static void double_teardown(Accel *accel)
{
    accel_double.teardowns++;
}

static bool double_irq_connect(Accel *accel, unsigned gsi, AccelIrqMode mode, GError **error)
{
    int line = mode == ACCEL_IRQ_LEVEL ? (int)gsi : -(int)gsi - 1;

    g_array_append_val(accel_double.lines, line);
    return true;
}

static void double_irq_set(Accel *accel, unsigned gsi, bool level)
{
    accel_double.levels &= ~(UINT64_C(1) << gsi);
    accel_double.levels |= (uint64_t)level << gsi;
}

static bool double_fdt_fixup(Accel *accel, void *fdt, const AccelFdtInfo *info, GError **error)
{
    accel_double.fixups++;
    g_strlcpy(accel_double.gic_path, info->gic_path, sizeof(accel_double.gic_path));
    if (accel_double.refuse_fdt) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "the tree is not to my taste");
        return false;
    }
    return true;
}

static uint64_t double_dtb_room(Accel *accel, uint64_t size)
{
    return accel_double.room != 0 ? accel_double.room : size;
}

static bool double_fixed_entry(Accel *accel, uint64_t base, uint64_t *entry)
{
    *entry = base + accel_double.entry_shift;
    return accel_double.fixed;
}

static void double_protection(Accel *accel, AccelProtection *wanted)
{
    *wanted = accel_double.protection;
}

static bool double_wants_protection(Accel *accel)
{
    return accel_double.lent_only;
}

static bool double_start(Accel *accel, const AccelBootInfo *boot, GError **error)
{
    if (accel_double.lent_only && !boot->protect) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "lent memory only");
        return false;
    }
    accel_double.boot = *boot;
    if (boot->x86 != NULL) {
        accel_double.x86 = *boot->x86;
    }
    accel_double.starts++;
    return true;
}

static void double_msi(Accel *accel, uint64_t addr, uint32_t data)
{
    accel_double.msi_addr = addr;
    accel_double.msi_data = data;
    accel_double.msis++;
}

static AccelRunResult double_run(Accel *accel, AccelVcpu *vcpu)
{
    return ACCEL_RUN_DONE;
}

static void class_common(AccelClass *klass)
{
    klass->summary = "test double";
    klass->open = double_open;
    klass->close = double_close;
    klass->setup = double_setup;
    klass->teardown = double_teardown;
    klass->fdt_fixup = double_fdt_fixup;
    klass->dtb_room = double_dtb_room;
    klass->fixed_entry = double_fixed_entry;
    klass->start = double_start;
    klass->vcpu_run = double_run;
    klass->protection = double_protection;
    klass->wants_protection = double_wants_protection;
    klass->caps = ACCEL_CAP_VCPUS;
}

static void double_class_init(DoubleClass *klass)
{
    AccelClass *ac = HUMPY_ACCEL_CLASS(klass);

    class_common(ac);
    ac->name = "double";
    ac->caps |= ACCEL_CAP_IRQCHIP | ACCEL_CAP_PROTECT;
    ac->irq_connect = double_irq_connect;
    ac->irq_set = double_irq_set;
}

static void bare_class_init(BareClass *klass)
{
    AccelClass *ac = HUMPY_ACCEL_CLASS(klass);

    class_common(ac);
    ac->name = "bare";
}

static void pc_double_class_init(PcDoubleClass *klass)
{
    AccelClass *ac = HUMPY_ACCEL_CLASS(klass);

    double_class_init(klass);
    ac->name = "pc";
    ac->caps &= ~(uint64_t)ACCEL_CAP_PROTECT;
    ac->caps |= ACCEL_CAP_MSI | ACCEL_CAP_RESET_IN_PLACE | ACCEL_CAP_HIGH_MMIO;
    ac->msi = double_msi;
    ac->reset = double_start;
}

static void double_init(Double *self)
{
}

static void pc_double_init(PcDouble *self)
{
}

static void bare_init(Bare *self)
{
}

Accel *accel_double_new(const char *name)
{
    static gsize once;
    g_autoptr(GError) error = NULL;
    Accel *accel;

    if (g_once_init_enter(&once)) {
        accel_register_type(double_get_type());
        accel_register_type(bare_get_type());
        accel_register_type(pc_double_get_type());
        g_once_init_leave(&once, 1);
    }
    if (accel_double.lines != NULL) {
        g_array_unref(accel_double.lines);
    }
    accel_double = (AccelDouble){ .lines = g_array_new(FALSE, FALSE, sizeof(int)) };
    accel = accel_create((const char *const[]){ name, NULL }, &error);
    g_assert_no_error(error);
    return accel;
}
