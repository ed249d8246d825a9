/* SPDX-License-Identifier: GPL-2.0-or-later
 * The table of engines, best first, and the look-up by name. What an engine does is in its folder.
 */
#include <unistd.h>

#include "engine-priv.h"
#include "util/error.h"

/* The scripted engine executes nothing: only by name. */
static const EngineOps *const engines[] = {
#ifdef HAVE_ENGINE_KVM
    &engine_kvm_ops,
#endif
#ifdef HAVE_ENGINE_A64
    &engine_a64_ops,
#endif
    &engine_script_ops,
};

const EngineOps *engine_get(const char *name, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(engines); i++) {
        if (g_str_equal(name, engines[i]->name)) {
            return engines[i];
        }
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                "engine '%s' is not part of this build", name);
    return NULL;
}

const EngineOps *engine_for(const char *guest, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(engines); i++) {
        if (g_strcmp0(guest, engines[i]->guest) == 0) {
            return engines[i];
        }
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                "this build has no engine that executes %s code", guest);
    return NULL;
}

bool engine_can_run(const EngineOps *engine)
{
    return !g_str_equal(engine->name, "kvm") || access("/dev/kvm", R_OK | W_OK) == 0;
}
