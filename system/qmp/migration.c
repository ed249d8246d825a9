/* SPDX-License-Identifier: GPL-2.0-or-later
 * What there is of migration, which no accelerator can do, and the descriptors that clients hand
 * over for it or for back ends.
 */
#include <unistd.h>

#include "monitor/monitor.h"
#include "node.h"
#include "qapi-commands.h"
#include "util/error.h"
#include "util/fd.h"

JsonNode *qmp_query_migrate(JsonObject *args, GError **error)
{
    return node_object(json_object_new());
}

JsonNode *qmp_migrate_pause(JsonObject *args, GError **error)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                "there is no postcopy migration that could be paused");
    return NULL;
}

JsonNode *qmp_getfd(JsonObject *args, GError **error)
{
    const char *name = json_object_get_string_member(args, "fdname");
    g_auto(Fd) fd = monitor_take_fd();

    if (fd < 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "no file descriptor came with the command (SCM_RIGHTS)");
        return NULL;
    }
    if (g_ascii_isdigit(*name) || *name == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "fdname is '%s' but must not be empty or begin with a digit", name);
        return NULL;
    }
    monitor_name_fd(name, fd_steal(&fd));
    return NULL;
}

JsonNode *qmp_closefd(JsonObject *args, GError **error)
{
    const char *name = json_object_get_string_member(args, "fdname");

    if (!monitor_close_fd(name)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "there is no file descriptor named '%s'", name);
    }
    return NULL;
}
