/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands for displays: screendump.
 */
#include <string.h>

#include "hmp-commands.h"
#include "util/error.h"
#include "util/props.h"

/* FILE [-f FORMAT] [DEVICE [HEAD]] */
bool hmp_screendump(HmpCall *call, GError **error)
{
    JsonObject *args = json_object_new();
    unsigned i = 1;

    json_object_set_string_member(args, "filename", call->words[0]);
    if (i + 1 < call->n && strcmp(call->words[i], "-f") == 0) {
        json_object_set_string_member(args, "format", call->words[i + 1]);
        i += 2;
    }
    if (i < call->n) {
        json_object_set_string_member(args, "device", call->words[i++]);
    }
    if (i < call->n) {
        uint64_t head;

        if (!props_parse_u64(call->words[i], &head, error)) {
            g_prefix_error(error, "HEAD: ");
            json_object_unref(args);
            return false;
        }
        json_object_set_int_member(args, "head", MIN(head, INT32_MAX));
    }
    return hmp_qmp("screendump", args, NULL, error);
}
