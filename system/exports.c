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

static bool alone; /* there is no machine beside the exports */

/* A program that has nothing else to do is to be started again. */
static void lost(const char *id, const char *why)
{
    g_autofree char *message = g_strdup_printf("export '%s' is lost: %s", id, why);

    if (alone) {
        runstate_request(RUN_FAIL, CAUSE_HOST_ERROR, message);
    } else {
        g_message("%s", message);
    }
}

bool exports_open(const VmConfig *config, GError **error)
{
    alone = g_strcmp0(config->machine, "none") == 0;
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
