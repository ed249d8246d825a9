/* SPDX-License-Identifier: GPL-2.0-or-later
 * The command line's exports.
 */
#include "exports.h"

#include "export/export.h"
#include "options.h"
#include "runstate.h"

static bool open_one(const VmConfig *config, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_or_json(text, "type", error);

    return kv != NULL && export_add(kv, error);
}

/* Without any machine beside it a program that has lost an export is to be started again. */
static void lost(const char *id, const char *why)
{
    g_autofree char *message = g_strdup_printf("export '%s' is lost: %s", id, why);

    runstate_request(RUN_FAIL, CAUSE_HOST_ERROR, message);
}

bool exports_open(const VmConfig *config, GError **error)
{
    export_set_lost_handler(lost);
    export_set_default_attach(config->attach);
    for (unsigned i = 0; i < config->exports->len; i++) {
        const char *text = g_ptr_array_index(config->exports, i);

        if (!open_one(config, text, error)) {
            g_prefix_error(error, "-export %s: ", text);
            return false;
        }
    }
    return true;
}
