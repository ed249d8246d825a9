/* SPDX-License-Identifier: GPL-2.0-or-later
 * ACPI fixed hardware through the memory API, against ACPI 6.4 section 4.8.3; the virtual clock
 * moves by hand.
 */
#include "hw/acpi/pm.h"
#include "hw/core/clock.h"
#include "hw/core/machine.h"

enum { STATUS = 0, ENABLE = 2, CONTROL = 4, TIMER = 8, RESET = 12, POWER_BUTTON = 0x100 };

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    Device *pm;
    int level;
    unsigned shutdowns, resets;
} Bench;

static void on_irq(void *opaque, int n, int level)
{
    ((Bench *)opaque)->level = level;
}

static void on_report(void *opaque, MachineGuestReport report)
{
    Bench *b = opaque;

    b->shutdowns += report == MACHINE_GUEST_SHUTDOWN;
    b->resets += report == MACHINE_GUEST_RESET;
}

static void set_up(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    b->pm = g_object_new(TYPE_ACPI_PM, NULL);
    device_connect_irq(b->pm, 0, irq_new(on_irq, b, 0));
    g_assert_true(device_realize(b->pm, &error));
    device_map(b->pm, 0, &b->root, 0x600);
    device_reset(b->pm);
    machine_set_guest_report_handler(on_report, b);
}

static void tear_down(Bench *b, gconstpointer data)
{
    machine_set_guest_report_handler(NULL, NULL);
    device_unrealize(b->pm);
    g_object_unref(b->pm);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
}

static uint16_t get16(Bench *b, unsigned reg)
{
    return address_space_lduw_le(b->as, 0x600 + reg, NULL);
}

static void put16(Bench *b, unsigned reg, uint16_t value)
{
    address_space_stw_le(b->as, 0x600 + reg, value, NULL);
}

static void always_acpi_mode(Bench *b, gconstpointer data)
{
    g_assert_cmphex(get16(b, CONTROL), ==, 1);
    put16(b, CONTROL, 0);
    g_assert_cmphex(get16(b, CONTROL), ==, 1);
    put16(b, CONTROL, 0x1402);
    g_assert_cmphex(get16(b, CONTROL), ==, 0x1403);
    g_assert_cmpuint(b->shutdowns, ==, 0);
}

static void power_button(Bench *b, gconstpointer data)
{
    acpi_pm_power_button(HUMPY_ACPI_PM(b->pm));
    g_assert_cmphex(get16(b, STATUS), ==, POWER_BUTTON);
    g_assert_cmpint(b->level, ==, 0);
    put16(b, ENABLE, POWER_BUTTON);
    g_assert_cmpint(b->level, ==, 1);
    put16(b, STATUS, 0x21);
    g_assert_cmpint(b->level, ==, 1);
    put16(b, STATUS, POWER_BUTTON);
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmphex(get16(b, STATUS), ==, 0);
    g_assert_cmphex(get16(b, ENABLE), ==, POWER_BUTTON);
}

static void bytes_of_registers(Bench *b, gconstpointer data)
{
    address_space_stb(b->as, 0x600 + ENABLE + 1, 1, NULL);
    g_assert_cmphex(get16(b, ENABLE), ==, POWER_BUTTON);
    address_space_stb(b->as, 0x600 + ENABLE, 1, NULL);
    g_assert_cmphex(address_space_ldub(b->as, 0x600 + ENABLE, NULL), ==, 1);
    g_assert_cmphex(address_space_ldl_le(b->as, 0x600, NULL), ==, 0x01010000);
    put16(b, ENABLE, 0xffff);
    g_assert_cmphex(get16(b, ENABLE), ==, 0x0721);
}

static void soft_off(Bench *b, gconstpointer data)
{
    put16(b, CONTROL, 5 << 10);
    g_assert_cmpuint(b->shutdowns, ==, 0);
    put16(b, CONTROL, 0x2000 | 3 << 10); /* there is no S3 */
    g_assert_cmpuint(b->shutdowns, ==, 0);
    put16(b, CONTROL, 0x2000 | 5 << 10);
    g_assert_cmpuint(b->shutdowns, ==, 1);
    g_assert_cmphex(get16(b, CONTROL), ==, 1 | 5 << 10); /* SLP_EN reads as zero */
}

/* Firmware may write SLP_TYP and SLP_EN as the two bytes of the register. */
static void soft_off_by_bytes(Bench *b, gconstpointer data)
{
    address_space_stb(b->as, 0x600 + CONTROL + 1, 0x34, NULL);
    g_assert_cmpuint(b->shutdowns, ==, 1);
}

static void reset_register(Bench *b, gconstpointer data)
{
    address_space_stb(b->as, 0x600 + RESET, 0, NULL);
    g_assert_cmpuint(b->resets, ==, 0);
    address_space_stb(b->as, 0x600 + RESET, ACPI_PM_RESET_VALUE, NULL);
    g_assert_cmpuint(b->resets, ==, 1);
    g_assert_cmphex(address_space_ldub(b->as, 0x600 + RESET, NULL), ==, 0);
    address_space_stb(b->as, 0x600 + RESET + 1, ACPI_PM_RESET_VALUE, NULL);
    g_assert_cmpuint(b->resets, ==, 1);
}

static void timer_counts(Bench *b, gconstpointer data)
{
    uint32_t before = address_space_ldl_le(b->as, 0x600 + TIMER, NULL);

    clock_set(clock_now() + 3 * CLOCK_NS_PER_SEC);
    g_assert_cmpuint(address_space_ldl_le(b->as, 0x600 + TIMER, NULL) - before, ==, 3 * 3579545);
    address_space_stl_le(b->as, 0x600 + TIMER, 0, NULL);
    g_assert_cmpuint(address_space_ldl_le(b->as, 0x600 + TIMER, NULL) - before, ==, 3 * 3579545);
}

/* The top bit changes every 2^31 ticks, which is 599.9 s. */
static void timer_interrupts(Bench *b, gconstpointer data)
{
    int64_t half = 599931835; /* us, rounded up */

    put16(b, ENABLE, 1);
    for (unsigned i = 0; i < 3; i++) {
        int64_t turn = clock_now() / (half * 1000) + 1;

        clock_set(turn * half * 1000 - CLOCK_NS_PER_SEC);
        g_assert_cmpint(b->level, ==, 0);
        clock_set(turn * half * 1000 + CLOCK_NS_PER_SEC);
        g_assert_cmpint(b->level, ==, 1);
        g_assert_cmphex(get16(b, STATUS), ==, 1);
        put16(b, STATUS, 1);
        g_assert_cmpint(b->level, ==, 0);
    }
    put16(b, ENABLE, 0);
    clock_set(clock_now() + half * 1000);
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmphex(get16(b, STATUS), ==, 1);
}

static void reset_forgets(Bench *b, gconstpointer data)
{
    put16(b, ENABLE, POWER_BUTTON);
    acpi_pm_power_button(HUMPY_ACPI_PM(b->pm));
    device_reset(b->pm);
    g_assert_cmpint(b->level, ==, 0);
    g_assert_cmphex(address_space_ldl_le(b->as, 0x600, NULL), ==, 0);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "always-in-acpi-mode", always_acpi_mode },
        { "power-button-sets-status-and-sci", power_button },
        { "registers-by-bytes", bytes_of_registers },
        { "s5-powers-off", soft_off },
        { "s5-by-bytes", soft_off_by_bytes },
        { "reset-register", reset_register },
        { "timer-counts", timer_counts },
        { "timer-interrupts-at-half-turns", timer_interrupts },
        { "reset-forgets", reset_forgets },
    };

    g_test_init(&argc, &argv, NULL);
    memory_thread_register();
    clock_set_manual();
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/acpi-pm/", rules[i].rule, NULL);

        g_test_add(path, Bench, NULL, set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
