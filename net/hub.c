/* SPDX-License-Identifier: GPL-2.0-or-later
 * -netdev hubport: a port of a hub, which passes every packet on to all its other ports. A port is
 * for a NIC, or (netdev=) for a back end. A hub lives as long as it has ports.
 *
 * Back pressure: a packet that some port took is gone; it is held back (BUSY) only if every port
 * that could have taken it was busy, so one slow port does not stop the others.
 */
#include <string.h>

#include "net-priv.h"
#include "util/error.h"
#include "util/props.h"

typedef struct Hub Hub;

typedef struct {
    Hub *hub;
    NetClient *nc;
} HubPort;

struct Hub {
    unsigned id;
    GPtrArray *ports; /* of HubPort; the wires' lock */
};

static GPtrArray *hubs; /* [main] */

static NetVerdict pass_on(void *opaque, const struct iovec *iov, unsigned n, bool more)
{
    HubPort *port = opaque;
    Hub *hub = port->hub;
    bool taken = false, busy = false;

    for (unsigned i = 0; i < hub->ports->len; i++) {
        HubPort *other = g_ptr_array_index(hub->ports, i);

        if (other == port) {
            continue;
        }
        if ((more ? net_send_more : net_send)(other->nc, 0, iov, n) == NET_TAKEN) {
            taken = true;
        } else {
            busy = true;
        }
    }
    return busy && !taken ? NET_BUSY : NET_TAKEN;
}

static NetVerdict port_receive(void *opaque, unsigned queue, const struct iovec *iov, unsigned n)
{
    return pass_on(opaque, iov, n, false);
}

static NetVerdict port_receive_more(void *opaque, unsigned queue, const struct iovec *iov,
                                    unsigned n)
{
    return pass_on(opaque, iov, n, true);
}

static void port_flush(void *opaque)
{
    HubPort *port = opaque;

    for (unsigned i = 0; i < port->hub->ports->len; i++) {
        HubPort *other = g_ptr_array_index(port->hub->ports, i);

        if (other != port) {
            net_flush(other->nc);
        }
    }
}

static void port_peer_ready(void *opaque, unsigned queue)
{
    HubPort *port = opaque;
    Hub *hub = port->hub;

    for (unsigned i = 0; i < hub->ports->len; i++) {
        HubPort *other = g_ptr_array_index(hub->ports, i);

        if (other != port) {
            net_ready(other->nc, 0);
        }
    }
}

static void hub_free(Hub *hub)
{
    g_ptr_array_remove(hubs, hub);
    if (hubs->len == 0) {
        g_clear_pointer(&hubs, g_ptr_array_unref);
    }
    g_ptr_array_unref(hub->ports);
    g_free(hub);
}

static void port_close(void *opaque)
{
    HubPort *port = opaque;
    Hub *hub = port->hub;

    net_wires_lock();
    g_ptr_array_remove(hub->ports, port);
    net_wires_unlock();
    if (hub->ports->len == 0) {
        hub_free(hub);
    }
    g_free(port);
}

static const NetOps port_ops = {
    .type = "hubport",
    .receive = port_receive,
    .receive_more = port_receive_more,
    .flush = port_flush,
    .peer_ready = port_peer_ready,
    .close = port_close,
};

static Hub *hub_of(unsigned id)
{
    Hub *hub;

    if (hubs == NULL) {
        hubs = g_ptr_array_new();
    }
    for (unsigned i = 0; i < hubs->len; i++) {
        hub = g_ptr_array_index(hubs, i);
        if (hub->id == id) {
            return hub;
        }
    }
    hub = g_new0(Hub, 1);
    hub->id = id;
    hub->ports = g_ptr_array_new();
    g_ptr_array_add(hubs, hub);
    return hub;
}

static NetClient *add_port(const char *id, unsigned hub_id)
{
    HubPort *port = g_new0(HubPort, 1);
    g_autofree char *info = g_strdup_printf("hubid=%u", hub_id);
    Hub *hub = hub_of(hub_id);

    port->hub = hub;
    port->nc = net_backend_new(&port_ops, port, id, 1, false, info);
    net_wires_lock();
    g_ptr_array_add(hub->ports, port);
    net_wires_unlock();
    return port->nc;
}

static NetClient *hubport_open(const char *id, KeyVal *kv, GError **error)
{
    const char *hubid = keyval_take(kv, "hubid"), *netdev = keyval_take(kv, "netdev");
    NetClient *behind = NULL, *nc;
    uint64_t number;

    if (hubid == NULL || !props_parse_u64(hubid, &number, NULL) || number > INT32_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "hubid is '%s' but must be the number of a hub", hubid != NULL ? hubid : "");
        return NULL;
    }
    if (netdev != NULL) {
        behind = net_backend_find(netdev);
        if (behind == NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no netdev '%s'", netdev);
            return NULL;
        }
        if (behind->peer != NULL || behind->ops == &port_ops) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "netdev '%s' is already used",
                        netdev);
            return NULL;
        }
    }
    nc = add_port(id, number);
    if (behind != NULL) {
        net_connect(nc, behind);
    }
    return nc;
}

const NetType net_type_hubport = {
    .name = "hubport",
    .summary = "a port of a hub in this program",
    .keys = (const char *const[]){ "hubid", "netdev", NULL },
    .open = hubport_open,
};
