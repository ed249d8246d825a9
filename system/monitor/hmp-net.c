/* SPDX-License-Identifier: GPL-2.0-or-later
 * The human monitor's commands about the network.
 */
#include <string.h>

#include "hmp-commands.h"
#include "net/net.h"
#include "nets.h"
#include "util/error.h"
#include "util/props.h"

bool hmp_netdev_add(HmpCall *call, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(call->rest, "type", error);
    g_autofree char *help = NULL;

    if (kv == NULL) {
        return false;
    }
    if (g_strcmp0(keyval_get(kv, "type"), "help") == 0) {
        help = net_backend_help();
        g_string_append(call->out, help);
        return true;
    }
    return nets_add(kv, error);
}

bool hmp_netdev_del(HmpCall *call, GError **error)
{
    return net_backend_del(call->words[0], error);
}

bool hmp_set_link(HmpCall *call, GError **error)
{
    bool up;

    if (!props_parse_bool(call->words[1], &up)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "'%s' is not on or off", call->words[1]);
        return false;
    }
    return net_set_link(call->words[0], up, error);
}

/* [ID] RULE */
static bool run_rule(HmpCall *call, bool (*run)(const char *id, const char *rule, GError **error),
                     GError **error)
{
    return run(call->n == 2 ? call->words[0] : NULL, call->words[call->n - 1], error);
}

bool hmp_hostfwd_add(HmpCall *call, GError **error)
{
    return run_rule(call, net_user_hostfwd_add, error);
}

bool hmp_hostfwd_remove(HmpCall *call, GError **error)
{
    if (!run_rule(call, net_user_hostfwd_remove, error)) {
        return false;
    }
    g_string_append_printf(call->out, "host forwarding rule for %s removed\n",
                           call->words[call->n - 1]);
    return true;
}

/* [INTERFACE,INTERFACE...] [ID], at the pace that migration would use. */
bool hmp_announce_self(HmpCall *call, GError **error)
{
    g_auto(GStrv) names = call->n > 0 ? g_strsplit(call->words[0], ",", -1) : NULL;
    NetAnnounce params = {
        .initial = 50,
        .max = 550,
        .step = 100,
        .rounds = 5,
        .interfaces = names != NULL && *names != NULL ? (const char *const *)names : NULL,
        .id = call->n > 1 ? call->words[1] : NULL,
    };

    net_announce(&params);
    return true;
}

static bool show(HmpCall *call, char *taken)
{
    g_string_append(call->out, taken);
    g_free(taken);
    return true;
}

bool hmp_info_network(HmpCall *call, GError **error)
{
    return show(call, net_info());
}

bool hmp_info_usernet(HmpCall *call, GError **error)
{
    return show(call, net_user_info());
}
