/* SPDX-License-Identifier: GPL-2.0-or-later
 * -netdev, -nic and -net. -nic is a back end and a NIC in one; -net puts back ends and NICs on one
 * hub. What the back ends are is in net/.
 */
#include "nets.h"

#include <string.h>

#include "hw/core/bus.h"
#include "monitor/monitor.h"
#include "net/net.h"
#include "options.h"
#include "util/error.h"
#include "util/fd.h"

static GPtrArray *nics; /* of NicOption */
static unsigned made_ids;

static void nic_option_free(gpointer data)
{
    NicOption *nic = data;

    g_free(nic->option);
    g_free(nic->model);
    g_free(nic->rest);
    g_free(nic);
}

const GPtrArray *nets_nics(void)
{
    return nics;
}

char *nets_nic_device(const NicOption *nic)
{
    Bus *pci = nic->model == NULL ? bus_find_free("PCI", NULL) : NULL;
    const char *model = nic->model != NULL ? nic->model
                        : pci != NULL      ? "virtio-net-pci"
                                           : "virtio-net-device";

    return g_strconcat(model, nic->rest, NULL);
}

/* ",key=value", commas in value doubled. */
static void append_pair(GString *out, const char *key, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    g_autofree char *doubled = g_strjoinv(",,", parts);

    g_string_append_printf(out, ",%s=%s", key, doubled);
}

/* Moves the pairs that describe a NIC from kv into a new NicOption; netdev NULL: kv says. */
static NicOption *take_nic(KeyVal *kv, const char *option, const char *netdev)
{
    static const struct {
        const char *key, *property;
    } map[] = {
        { "netdev", "netdev" }, { "mac", "mac" },         { "macaddr", "mac" }, { "addr", "addr" },
        { "bus", "bus" },       { "vectors", "vectors" }, { "mq", "mq" },       { "name", "id" },
    };
    NicOption *nic = g_new0(NicOption, 1);
    const char *model = keyval_take(kv, "model");
    GString *rest = g_string_new(NULL);

    if (netdev != NULL) {
        append_pair(rest, "netdev", netdev);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(map); i++) {
        const char *value = keyval_take(kv, map[i].key);

        if (value != NULL) {
            append_pair(rest, map[i].property, value);
        }
    }
    nic->option = g_strdup(option);
    nic->model = model == NULL || strcmp(model, "virtio") == 0 ? NULL : g_strdup(model);
    nic->rest = g_string_free(rest, FALSE);
    return nic;
}

/* What nobody has taken, as options of a back end of that type and id. */
static bool open_rest(const KeyVal *kv, const char *type, const char *id, GError **error)
{
    g_autoptr(GString) text = g_string_new(type);
    g_autoptr(KeyVal) backend = NULL;

    append_pair(text, "id", id);
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (!pair->used) {
            append_pair(text, pair->key, pair->value);
        }
    }
    backend = keyval_parse(text->str, "type", error);
    return backend != NULL && net_backend_add(backend, error);
}

static char *make_id(const char *kind)
{
    return g_strdup_printf("#%s%u", kind, made_ids++);
}

/* ---- one function per option ---- */

static bool open_netdev(const char *text, const char *option, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_or_json(text, "type", error);

    return kv != NULL && net_backend_add(kv, error);
}

static bool open_nic(const char *text, const char *option, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_or_json(text, "type", error);
    const char *type, *given;
    g_autofree char *id = NULL;

    if (kv == NULL) {
        return false;
    }
    type = keyval_take(kv, "type");
    given = keyval_take(kv, "id");
    if (g_strcmp0(type, "none") == 0) {
        return true;
    }
    id = given != NULL ? g_strdup(given) : make_id("nic");
    g_ptr_array_add(nics, take_nic(kv, option, id));
    return open_rest(kv, type != NULL ? type : "user", id, error);
}

/* A port of hub 0 for the back end, or for a NIC. */
static bool open_port(const char *id, const char *netdev, GError **error)
{
    g_autofree char *text =
        g_strdup_printf("hubport,hubid=0,id=%s%s%s", id, netdev != NULL ? ",netdev=" : "",
                        netdev != NULL ? netdev : "");
    g_autoptr(KeyVal) kv = keyval_parse(text, "type", error);

    return kv != NULL && net_backend_add(kv, error);
}

static bool open_net(const char *text, const char *option, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_or_json(text, "type", error);
    g_autofree char *port = make_id("hub"), *id = NULL;
    const char *type, *name;

    if (kv == NULL) {
        return false;
    }
    type = keyval_take(kv, "type");
    if (type == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "the type is missing");
        return false;
    }
    if (strcmp(type, "none") == 0) {
        return true;
    }
    if (strcmp(type, "nic") == 0) {
        bool has_netdev = keyval_get(kv, "netdev") != NULL;
        const char *unused;

        g_ptr_array_add(nics, take_nic(kv, option, has_netdev ? NULL : port));
        unused = keyval_unused(kv);
        if (unused != NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                        "property '%s' is not known (netdev, macaddr, model, name, addr, vectors)",
                        unused);
            return false;
        }
        return has_netdev || open_port(port, NULL, error);
    }
    name = keyval_take(kv, "name");
    if (name == NULL) {
        name = keyval_take(kv, "id");
    }
    id = name != NULL ? g_strdup(name) : make_id(type);
    return open_rest(kv, type, id, error) && open_port(port, id, error);
}

/* Puts the number of a descriptor that getfd kept in place of its name; *fd is the caller's. */
static bool resolve_fd(KeyVal *kv, int *fd, GError **error)
{
    static const char *const keys[] = { "fd", "addr.str", "local.str", NULL };

    for (unsigned i = 0; i < kv->pairs->len; i++) {
        KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (g_strv_contains(keys, pair->key) && !g_ascii_isdigit(*pair->value) && *fd < 0) {
            *fd = monitor_take_named_fd(pair->value, error);
            if (*fd < 0) {
                return false;
            }
            g_free(pair->value);
            pair->value = g_strdup_printf("%d", *fd);
        }
    }
    return true;
}

bool nets_add(KeyVal *kv, GError **error)
{
    g_auto(Fd) fd = -1;

    if (!resolve_fd(kv, &fd, error) || !net_backend_add(kv, error)) {
        return false;
    }
    fd_steal(&fd);
    return true;
}

/* ---- all ---- */

static bool open_all(const GPtrArray *texts, const char *name,
                     bool (*open)(const char *text, const char *option, GError **error),
                     GError **error)
{
    for (unsigned i = 0; i < texts->len; i++) {
        const char *text = g_ptr_array_index(texts, i);
        g_autofree char *option = g_strdup_printf("%s %s", name, text);

        if (!open(text, option, error)) {
            g_prefix_error(error, "%s: ", option);
            return false;
        }
    }
    return true;
}

bool nets_open(const VmConfig *config, GError **error)
{
    nics = g_ptr_array_new_with_free_func(nic_option_free);
    return open_all(config->netdevs, "-netdev", open_netdev, error) &&
           open_all(config->nics, "-nic", open_nic, error) &&
           open_all(config->nets, "-net", open_net, error);
}

void nets_close(void)
{
    net_cleanup();
    g_clear_pointer(&nics, g_ptr_array_unref);
}
