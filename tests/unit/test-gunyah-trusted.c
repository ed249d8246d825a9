/* SPDX-License-Identifier: GPL-2.0-or-later
 * -accel gunyah with a trusted VM's identity, on the model: what it needs, what is said when
 * something of that is missing, and that it starts where its image says.
 */
#include <glib.h>
#include <string.h>

#include "gunyah-model-world.h"
#include "models/models.h"
#include "probe.h"

#define IDS ",trusted-vm-id=45,trusted-vm-pas-id=28"

static void properties(World *w, gconstpointer data)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        { ",trusted-vm-id=45", "trusted-vm-id is given without trusted-vm-pas-id" },
        { ",trusted-vm-pas-id=28", "trusted-vm-pas-id is given without trusted-vm-id" },
        { ",trusted-vm-id=0,trusted-vm-pas-id=28", "trusted-vm-id is '0' but" },
        { ",trusted-vm-id=65536,trusted-vm-pas-id=28", "from 1 to 65535" },
        { ",trusted-vm-id=45,trusted-vm-pas-id=4294967296", "from 0 to 4294967295" },
        { ",trusted-vm-id=x,trusted-vm-pas-id=1", "trusted-vm-id is 'x' but" },
    };

    model("rev=android15,trusted-vm=accept", "off");
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(world_create(rows[i].text, &error));
        world_assert_says(error, rows[i].says);
    }
}

static void older_kernels(World *w, gconstpointer data)
{
    static const char *const revisions[] = { "rev=android14", "rev=v17" };

    for (unsigned i = 0; i < G_N_ELEMENTS(revisions); i++) {
        g_autoptr(GError) error = NULL;

        model(revisions[i], "off");
        g_assert_null(world_create(IDS, &error));
        g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED);
        world_assert_says(error, "trusted-vm-id=45");
        world_assert_says(error, "has no SET_AUTH_TYPE (Android 15 or newer has)");
    }
}

/* Knobs, the accelerator's properties, and what START says. */
static const struct {
    const char *knobs, *text, *says;
} refusals[] = {
    { "rev=android15", ",protected=on,start-retries=0" IDS,
      "SET_AUTH_TYPE for VM ID 45, PAS ID 28 (this kernel has nobody for trusted VMs: its module "
      "gunyah_qtvm is not there)" },
    { "rev=android15,trusted-vm=accept", ",start-retries=0" IDS,
      "a trusted VM's memory is lent to it (give protected=on)" },
    { "rev=android15,trusted-vm=check", ",protected=on,start-retries=0" IDS,
      "the image was not authenticated: its metadata must be the first bytes of -kernel" },
    { "rev=android15,trusted-vm=check", ",protected=on,start-retries=0" IDS,
      "the kernel log says 'Failed to Authenticate VM: -22'" },
    { "rev=android15,trusted-vm=check,fail=authenticate:3", ",protected=on,start-retries=0" IDS,
      "Failed to Authenticate VM: -1" },
    { "rev=android15,trusted-vm=accept",
      ",protected=on,start-retries=0,trusted-vm-id=3,"
      "trusted-vm-pas-id=28",
      "the resource manager has no such VM ID or another VM has it" },
};

static void refused(World *w, gconstpointer data)
{
    const unsigned i = GPOINTER_TO_UINT(data);
    g_autoptr(GError) error = NULL;

    model(refusals[i].knobs, "off");
    w->boot.protect = strstr(refusals[i].text, "protected=on") != NULL;
    build(w, refusals[i].text, 1);
    g_assert_false(accel_start(w->accel, &w->boot, &error));
    world_assert_says(error, refusals[i].says);
}

/* The machine's idea of an entry does not matter. */
static void starts(World *w, gconstpointer data)
{
    AccelProtection wanted;
    uint64_t entry = 0;

    model("rev=android15,trusted-vm=accept", "off");
    build(w, ",protected=auto" IDS, 1);
    accel_protection(w->accel, &wanted);
    g_assert_cmpint(wanted.mode, ==, ACCEL_PROTECT_ON);
    g_assert_true(wanted.signed_image);
    g_assert_true(accel_fixed_entry(w->accel, RAM_BASE, &entry));
    g_assert_cmphex(entry, ==, RAM_BASE);
    w->boot.entry = RAM_BASE + 0x80000;
    world_start(w);
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_SHUTDOWN);
    assert_guest_saw("boot 0 pc=0x40000000 ");
}

static void goes_on_after_einval(World *w, gconstpointer data)
{
    model("rev=android15,trusted-vm=accept,auth-einval=on", "off");
    build(w, ",protected=on" IDS, 1);
    g_test_expect_message("humpy-gunyah", G_LOG_LEVEL_MESSAGE, "SET_AUTH_TYPE: *going on");
    world_start(w);
    g_test_assert_expected_messages();
    world_wait_event(w);
    assert_guest_saw("boot 0 pc=0x40000000 ");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!can_map_twice()) {
        return 0;
    }
    models_register();
    g_test_add("/gunyah-trusted/properties", World, NULL, model_world_init_protected, properties,
               model_world_clear);
    g_test_add("/gunyah-trusted/older-kernels", World, NULL, model_world_init_protected,
               older_kernels, model_world_clear);
    for (unsigned i = 0; i < G_N_ELEMENTS(refusals); i++) {
        g_autofree char *path = g_strdup_printf("/gunyah-trusted/refused/%u", i);

        g_test_add(path, World, GUINT_TO_POINTER(i), model_world_init_protected, refused,
                   model_world_clear);
    }
    g_test_add("/gunyah-trusted/starts-where-the-image-says", World, NULL,
               model_world_init_protected, starts, model_world_clear);
    g_test_add("/gunyah-trusted/goes-on-after-einval", World, NULL, model_world_init_protected,
               goes_on_after_einval, model_world_clear);
    return g_test_run();
}
