/* SPDX-License-Identifier: GPL-2.0-or-later
 * The pvpanic register, against QEMU's docs/specs/pvpanic.txt.
 */
#include "hw/core/machine.h"
#include "hw/misc/pvpanic.h"

enum { BASE = 0xc000000 };

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    Device *dev;
    unsigned n[2]; /* reports of each kind */
} Bench;

static void hear(void *opaque, MachineGuestReport report)
{
    ((Bench *)opaque)->n[report]++;
}

static void set_up(Bench *b, gconstpointer events)
{
    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    b->dev = device_new("pvpanic-mmio", NULL);
    g_object_set(b->dev, "events", GPOINTER_TO_UINT(events), NULL);
    g_assert_true(device_realize(b->dev, NULL));
    device_map(b->dev, 0, &b->root, BASE);
    machine_set_guest_report_handler(hear, b);
}

static void tear_down(Bench *b, gconstpointer data)
{
    machine_set_guest_report_handler(NULL, NULL);
    device_unrealize(b->dev);
    g_object_unref(b->dev);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
}

static void wr(Bench *b, unsigned size, uint16_t value)
{
    g_assert_cmpuint(address_space_st(b->as, BASE, size, value), ==, MEMTX_OK);
}

static void tells_its_events(Bench *b, gconstpointer events)
{
    uint64_t value;

    g_assert_cmpuint(address_space_ld(b->as, BASE, 1, &value), ==, MEMTX_OK);
    g_assert_cmphex(value, ==, GPOINTER_TO_UINT(events));
    g_assert_cmpuint(address_space_ld(b->as, BASE, 2, &value), ==, MEMTX_OK);
    g_assert_cmphex(value, ==, GPOINTER_TO_UINT(events));
}

static void reports_each_write(Bench *b, gconstpointer data)
{
    wr(b, 1, PVPANIC_PANICKED);
    wr(b, 2, PVPANIC_PANICKED);
    g_assert_cmpuint(b->n[MACHINE_GUEST_PANICKED], ==, 2);
    wr(b, 1, PVPANIC_CRASH_LOADED);
    g_assert_cmpuint(b->n[MACHINE_GUEST_CRASH_LOADED], ==, 1);
    g_assert_cmpuint(b->n[MACHINE_GUEST_PANICKED], ==, 2);
}

static void unknown_events_are_ignored(Bench *b, gconstpointer events)
{
    wr(b, 1, (uint8_t)~GPOINTER_TO_UINT(events));
    wr(b, 2, 0xff00);
    wr(b, 1, 0);
    g_assert_cmpuint(b->n[0] + b->n[1], ==, 0);
}

static void nobody_hears(Bench *b, gconstpointer data)
{
    machine_set_guest_report_handler(NULL, NULL);
    wr(b, 1, PVPANIC_EVENTS);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *rule;
        unsigned events;
        void (*fn)(Bench *b, gconstpointer data);
    } rules[] = {
        { "read/tells-its-events", 3, tells_its_events },
        { "read/tells-fewer-events", 1, tells_its_events },
        { "write/reports-each", 3, reports_each_write },
        { "write/unknown-is-ignored", 3, unknown_events_are_ignored },
        { "write/switched-off-is-ignored", 1, unknown_events_are_ignored },
        { "write/nobody-need-hear", 3, nobody_hears },
    };

    g_test_init(&argc, &argv, NULL);
    g_type_ensure(TYPE_PVPANIC_MMIO);
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *path = g_strconcat("/pvpanic/", rules[i].rule, NULL);

        g_test_add(path, Bench, GUINT_TO_POINTER(rules[i].events), set_up, rules[i].fn, tear_down);
    }
    return g_test_run();
}
