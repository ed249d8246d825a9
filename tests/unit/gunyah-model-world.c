/* SPDX-License-Identifier: GPL-2.0-or-later
 * See gunyah-model-world.h.
 */
#include "gunyah-model-world.h"

#include <string.h>

#include "models/engine-script.h"
#include "models/gunyah-model.h"
#include "models/models.h"

static GString *guest_log;

void model_world_init(World *w, gconstpointer data)
{
    world_init(w, data);
    world_device = GUNYAH_MODEL_PATH;
    guest_log = g_string_new(NULL);
    g_free(engine_script_take_log());
    g_free(gunyah_model_take_dmesg());
}

void model_world_init_protected(World *w, gconstpointer data)
{
    model_world_init(w, data);
    w->window_base = RAM_BASE + RAM_SIZE - WINDOW;
    w->window_size = WINDOW;
    w->boot.protect = true;
}

void model_world_clear(World *w, gconstpointer data)
{
    GunyahModelStats stats;

    world_clear(w, data);
    gunyah_model_settle();
    gunyah_model_stats(&stats);
    g_assert_cmpuint(stats.vms, ==, 0);
    g_assert_cmpuint(stats.dangling_irqfds, ==, 0);
    g_assert_cmpuint(stats.dangling_writes, ==, 0);
    g_string_free(guest_log, TRUE);
}

void model(const char *knobs, const char *script)
{
    g_autofree char *all = g_strconcat("engine=script,", knobs, NULL);
    GError *error = NULL;

    g_assert_true(gunyah_model_configure(all, &error));
    g_assert_no_error(error);
    g_assert_true(engine_script_set(script, &error));
    g_assert_no_error(error);
}

void build(World *w, const char *text, unsigned n_vcpus)
{
    world_setup(w, text, n_vcpus);
    world_write_tree(w, n_vcpus);
}

void boot(World *w, const char *text, unsigned n_vcpus)
{
    build(w, text, n_vcpus);
    world_start(w);
}

bool guest_saw(const char *text)
{
    g_autofree char *fresh = engine_script_take_log();

    g_string_append(guest_log, fresh);
    return strstr(guest_log->str, text) != NULL;
}

void assert_guest_saw(const char *text)
{
    if (!guest_saw(text)) {
        g_error("the guest did not see '%s':\n%s", text, guest_log->str);
    }
}
