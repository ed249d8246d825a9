/* SPDX-License-Identifier: GPL-2.0-or-later
 * The table of engines, best first, and the look-up by name. What an engine does is in its folder.
 */
#include "engine-priv.h"
#include "util/error.h"

static const EngineOps *const engines[] = {
#ifdef HAVE_ENGINE_A64
    &engine_a64_ops,
#endif
    &engine_script_ops,
};

const EngineOps *engine_get(const char *name, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(engines); i++) {
        /* The scripted engine executes nothing: only by name. */
        if (name ? g_str_equal(name, engines[i]->name) : engines[i] != &engine_script_ops) {
            return engines[i];
        }
    }
    if (name) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "engine '%s' is not part of this build", name);
    } else {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "this build has no engine that executes arm64 code (libdynarmic was missing)");
    }
    return NULL;
}
