/* SPDX-License-Identifier: GPL-2.0-or-later
 * ACPI fixed hardware: see hw/acpi/pm.h. The machine is always in ACPI mode (SCI_EN is fixed to 1
 * and there is no SMI_CMD), has no sleeping state but S5, and neither GPE blocks nor a bus master
 * that would set BM_STS. Registers run in vCPU threads, the timer in the main context, all under
 * the device's lock.
 */
#include "hw/acpi/pm.h"

#include "hw/core/clock.h"
#include "hw/core/machine.h"

enum {
    PM1_TIMER = 1 << 0,
    PM1_GLOBAL = 1 << 5,
    PM1_POWER_BUTTON = 1 << 8,
    PM1_SLEEP_BUTTON = 1 << 9,
    PM1_RTC = 1 << 10,
    PM1_EVENTS = PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_SLEEP_BUTTON | PM1_RTC,

    CNT_SCI_EN = 1 << 0,
    CNT_BM_RLD = 1 << 1,
    CNT_SLP_TYP_SHIFT = 10,
    CNT_SLP_TYP = 7 << CNT_SLP_TYP_SHIFT,
    CNT_SLP_EN = 1 << 13,

    PM_TIMER_HZ = 3579545,
    TIMER_BITS = 32,
};

struct _AcpiPm {
    Device parent_instance;
    MemoryRegion mr;
    IrqLine *irq[1];
    bool irq_level;
    ClockTimer *timer;
    int64_t half_turns; /* of the timer's top bit, when it was last looked at */
    uint16_t status, enable, control;
};

DEVICE_DEFINE_TYPE(AcpiPm, acpi_pm, "acpi-pm", TYPE_DEVICE)

static void update_irq(AcpiPm *s)
{
    bool level = (s->status & s->enable) != 0;

    if (level != s->irq_level) {
        s->irq_level = level;
        irq_set(s->irq[0], level);
    }
}

/* Ticks since the clock's zero. In two steps, for the product would overflow within minutes. */
static int64_t ticks(void)
{
    int64_t now = clock_now(), seconds = now / CLOCK_NS_PER_SEC;

    return seconds * PM_TIMER_HZ + now % CLOCK_NS_PER_SEC * PM_TIMER_HZ / CLOCK_NS_PER_SEC;
}

/* The first moment at which there have been n ticks. */
static int64_t time_of(int64_t n)
{
    int64_t rest = n % PM_TIMER_HZ;

    return n / PM_TIMER_HZ * CLOCK_NS_PER_SEC +
           (rest * CLOCK_NS_PER_SEC + PM_TIMER_HZ - 1) / PM_TIMER_HZ;
}

/* TMR_STS is set whenever the top bit changes. */
static void check_timer(AcpiPm *s)
{
    int64_t half_turns = ticks() >> (TIMER_BITS - 1);

    if (half_turns != s->half_turns) {
        s->half_turns = half_turns;
        s->status |= PM1_TIMER;
    }
    if (s->enable & PM1_TIMER) {
        clock_timer_arm(s->timer, time_of((half_turns + 1) << (TIMER_BITS - 1)));
    } else {
        clock_timer_disarm(s->timer);
    }
    update_irq(s);
}

static void timer_fired(void *opaque)
{
    AcpiPm *s = opaque;

    memory_lock(device_lock(&s->parent_instance));
    check_timer(s);
    memory_unlock(device_lock(&s->parent_instance));
}

void acpi_pm_power_button(AcpiPm *s)
{
    memory_lock(device_lock(&s->parent_instance));
    s->status |= PM1_POWER_BUTTON;
    update_irq(s);
    memory_unlock(device_lock(&s->parent_instance));
}

static void write_control(AcpiPm *s, uint16_t value)
{
    s->control = value & (CNT_BM_RLD | CNT_SLP_TYP);
    if ((value & CNT_SLP_EN) && (value & CNT_SLP_TYP) >> CNT_SLP_TYP_SHIFT == ACPI_PM_S5) {
        machine_report_guest(MACHINE_GUEST_SHUTDOWN);
    }
}

/* The 32 bits at offset, a multiple of 4. */
static uint32_t read_word(AcpiPm *s, hwaddr offset)
{
    switch (offset) {
    case ACPI_PM1_EVENT:
        check_timer(s);
        return s->status | (uint32_t)s->enable << 16;
    case ACPI_PM1_CONTROL:
        return s->control | CNT_SCI_EN;
    case ACPI_PM_TIMER:
        return ticks();
    default:
        return 0;
    }
}

static uint64_t acpi_pm_read(void *opaque, hwaddr offset, unsigned size)
{
    return read_word(opaque, offset & ~UINT64_C(3)) >> offset % 4 * 8;
}

static void acpi_pm_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    AcpiPm *s = opaque;
    unsigned shift = offset % 4 * 8;
    uint32_t mask = (UINT32_MAX >> (32 - size * 8)) << shift; /* what of the word is written */
    uint32_t bits = ((uint32_t)value << shift) & mask;

    switch (offset & ~UINT64_C(3)) {
    case ACPI_PM1_EVENT:
        s->status &= ~bits; /* ones clear */
        if (mask >> 16 != 0) {
            s->enable = ((s->enable & ~(mask >> 16)) | bits >> 16) & PM1_EVENTS;
        }
        check_timer(s);
        break;
    case ACPI_PM1_CONTROL:
        write_control(s, (s->control & ~mask) | bits);
        break;
    case ACPI_PM_RESET:
        if ((mask & 0xff) && (bits & 0xff) == ACPI_PM_RESET_VALUE) {
            machine_report_guest(MACHINE_GUEST_RESET);
        }
        break;
    default:
        break;
    }
}

static const MemoryRegionOps acpi_pm_ops = {
    .read = acpi_pm_read,
    .write = acpi_pm_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

static bool acpi_pm_realize(Device *dev, GError **error)
{
    AcpiPm *s = HUMPY_ACPI_PM(dev);

    s->timer = clock_timer_new(timer_fired, s);
    memory_region_init_io(&s->mr, G_OBJECT(dev), &acpi_pm_ops, s, "acpi-pm", ACPI_PM_SIZE);
    device_add_mmio(dev, &s->mr);
    return true;
}

static void acpi_pm_unrealize(Device *dev)
{
    AcpiPm *s = HUMPY_ACPI_PM(dev);

    g_clear_pointer(&s->timer, clock_timer_free);
    memory_region_destroy(&s->mr);
}

static void acpi_pm_reset(Device *dev)
{
    AcpiPm *s = HUMPY_ACPI_PM(dev);

    s->status = s->enable = s->control = 0;
    s->half_turns = ticks() >> (TIMER_BITS - 1);
    check_timer(s);
}

static void acpi_pm_init(AcpiPm *s)
{
    device_declare_irqs(HUMPY_DEVICE(s), s->irq, G_N_ELEMENTS(s->irq));
}

static void acpi_pm_class_init(AcpiPmClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "ACPI power management block of a PC";
    dc->bus = "System";
    dc->realize = acpi_pm_realize;
    dc->unrealize = acpi_pm_unrealize;
    dc->reset = acpi_pm_reset;
}
