/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the monitor's commands about user networking say in a build without it.
 */
#include "net/net.h"
#include "util/error.h"

static bool refuse(GError **error)
{
    g_set_error_literal(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        "this build has no user networking (its option -Dslirp)");
    return false;
}

bool net_user_hostfwd_add(const char *id, const char *rule, GError **error)
{
    return refuse(error);
}

bool net_user_hostfwd_remove(const char *id, const char *rule, GError **error)
{
    return refuse(error);
}

char *net_user_info(void)
{
    return g_strdup("");
}
