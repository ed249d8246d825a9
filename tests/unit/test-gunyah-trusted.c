/* SPDX-License-Identifier: GPL-2.0-or-later
 * -accel gunyah with a trusted VM's identity, on the model: what it needs, what is said when
 * something of that is missing, and that it starts where its image says.
 */
#include <glib.h>
#include <string.h>

#include "fake-gunyah-world.h"
#include "models/engine-script.h"
#include "models/gunyah-model.h"
#include "models/models.h"
#include "probe.h"

#define MIB    (1ULL << 20)
#define WINDOW (8 * MIB)
#define IDS    ",trusted-vm-id=45,trusted-vm-pas-id=28"

static void init(World *w, gconstpointer data)
{
    world_init(w, data);
    world_device = GUNYAH_MODEL_PATH;
    w->window_base = RAM_BASE + RAM_SIZE - WINDOW;
    w->window_size = WINDOW;
    w->boot.protect = true;
    g_free(engine_script_take_log());
}

static void clear(World *w, gconstpointer data)
{
    world_clear(w, data);
    gunyah_model_settle();
}

static void model(const char *knobs)
{
    g_autofree char *all = g_strconcat("engine=script,", knobs, NULL);
    GError *error = NULL;

    g_assert_true(gunyah_model_configure(all, &error));
    g_assert_no_error(error);
    g_assert_true(engine_script_set("off", &error));
    g_assert_no_error(error);
}

static void build(World *w, const char *text)
{
    world_setup(w, text, 1);
    world_write_tree(w, 1);
}

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

    model("rev=android15,trusted-vm=accept");
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

        model(revisions[i]);
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

    model(refusals[i].knobs);
    w->boot.protect = strstr(refusals[i].text, "protected=on") != NULL;
    build(w, refusals[i].text);
    g_assert_false(accel_start(w->accel, &w->boot, &error));
    world_assert_says(error, refusals[i].says);
}

static void assert_booted(const char *line)
{
    g_autofree char *log = engine_script_take_log();

    if (strstr(log, line) == NULL) {
        g_error("'%s' is not in: %s", line, log);
    }
}

/* The machine's idea of an entry does not matter. */
static void starts(World *w, gconstpointer data)
{
    AccelProtection wanted;
    uint64_t entry = 0;

    model("rev=android15,trusted-vm=accept");
    build(w, ",protected=auto" IDS);
    accel_protection(w->accel, &wanted);
    g_assert_cmpint(wanted.mode, ==, ACCEL_PROTECT_ON);
    g_assert_true(wanted.signed_image);
    g_assert_true(accel_fixed_entry(w->accel, RAM_BASE, &entry));
    g_assert_cmphex(entry, ==, RAM_BASE);
    w->boot.entry = RAM_BASE + 0x80000;
    world_start(w);
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_SHUTDOWN);
    assert_booted("boot 0 pc=0x40000000 ");
}

static void goes_on_after_einval(World *w, gconstpointer data)
{
    model("rev=android15,trusted-vm=accept,auth-einval=on");
    build(w, ",protected=on" IDS);
    g_test_expect_message("humpy-gunyah", G_LOG_LEVEL_MESSAGE, "SET_AUTH_TYPE: *going on");
    world_start(w);
    g_test_assert_expected_messages();
    world_wait_event(w);
    assert_booted("boot 0 pc=0x40000000 ");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!can_map_twice()) {
        return 0;
    }
    models_register();
    g_test_add("/gunyah-trusted/properties", World, NULL, init, properties, clear);
    g_test_add("/gunyah-trusted/older-kernels", World, NULL, init, older_kernels, clear);
    for (unsigned i = 0; i < G_N_ELEMENTS(refusals); i++) {
        g_autofree char *path = g_strdup_printf("/gunyah-trusted/refused/%u", i);

        g_test_add(path, World, GUINT_TO_POINTER(i), init, refused, clear);
    }
    g_test_add("/gunyah-trusted/starts-where-the-image-says", World, NULL, init, starts, clear);
    g_test_add("/gunyah-trusted/goes-on-after-einval", World, NULL, init, goes_on_after_einval,
               clear);
    return g_test_run();
}
