/* SPDX-License-Identifier: GPL-2.0-or-later
 * Wires: the list of all ends, which two are tied together, and the way of a packet from one to the
 * other. What an end is (a descriptor, a TCP/IP stack, a device) is not known here.
 */
#include <pthread.h>
#include <string.h>

#include "net-priv.h"
#include "util/error.h"

static GPtrArray *clients; /* of NetClient, oldest first; [main] */

/* peer and up of all ends, running, and the ports of hubs. Held for reading while a packet is on
 * its way, so that an end that was untied is not called any more. Readers nest (a hub sends on);
 * only the outermost takes the lock. */
static pthread_rwlock_t wires = PTHREAD_RWLOCK_INITIALIZER;
static _Thread_local unsigned wires_depth;
static bool running = true;

static void read_wires(void)
{
    if (wires_depth++ == 0) {
        pthread_rwlock_rdlock(&wires);
    }
}

static void read_wires_end(void)
{
    if (--wires_depth == 0) {
        pthread_rwlock_unlock(&wires);
    }
}

static NetClient *client_new(const NetOps *ops, void *opaque, const char *id, unsigned queues)
{
    NetClient *nc = g_new0(NetClient, 1);

    g_assert(queues >= 1 && queues <= NET_MAX_QUEUES);
    nc->ops = ops;
    nc->opaque = opaque;
    nc->id = g_strdup(id);
    nc->queues = queues;
    nc->up = true;
    if (clients == NULL) {
        clients = g_ptr_array_new();
    }
    g_ptr_array_add(clients, nc);
    return nc;
}

NetClient *net_backend_new(const NetOps *ops, void *opaque, const char *id, unsigned queues,
                           bool has_vnet_hdr, const char *info)
{
    NetClient *nc = client_new(ops, opaque, id, queues);

    nc->has_vnet_hdr = has_vnet_hdr;
    nc->info = g_strdup(info);
    return nc;
}

void net_foreach(NetClientFn fn, void *opaque)
{
    for (unsigned i = 0; clients != NULL && i < clients->len; i++) {
        fn(g_ptr_array_index(clients, i), opaque);
    }
}

static NetClient *find(const char *id, bool nics)
{
    for (unsigned i = 0; clients != NULL && i < clients->len; i++) {
        NetClient *nc = g_ptr_array_index(clients, i);

        if (strcmp(nc->id, id) == 0 && (nics || !nc->is_nic)) {
            return nc;
        }
    }
    return NULL;
}

NetClient *net_backend_find(const char *id)
{
    return find(id, false);
}

void net_set_info(NetClient *nc, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_free(nc->info);
    nc->info = g_strdup_vprintf(fmt, ap);
    va_end(ap);
}

/* ---- wires ---- */

static void tell_link(NetClient *nc)
{
    if (nc->ops->link_changed != NULL) {
        nc->ops->link_changed(nc->opaque);
    }
}

void net_connect(NetClient *a, NetClient *b)
{
    pthread_rwlock_wrlock(&wires);
    g_assert(a->peer == NULL && b->peer == NULL);
    a->peer = b;
    b->peer = a;
    pthread_rwlock_unlock(&wires);
}

void net_wires_lock(void)
{
    pthread_rwlock_wrlock(&wires);
}

void net_wires_unlock(void)
{
    pthread_rwlock_unlock(&wires);
}

/* [wires] */
static void wake_locked(NetClient *nc)
{
    for (unsigned i = 0; nc != NULL && i < nc->queues; i++) {
        nc->ops->peer_ready(nc->opaque, i);
    }
}

/* What waits for a packet of nc's to be taken has waited long enough. */
static void wake(NetClient *nc)
{
    read_wires();
    wake_locked(nc);
    read_wires_end();
}

void net_client_free(NetClient *nc)
{
    NetClient *peer;

    if (nc == NULL) {
        return;
    }
    pthread_rwlock_wrlock(&wires);
    peer = nc->peer;
    if (peer != NULL) {
        peer->peer = NULL;
    }
    nc->peer = NULL;
    pthread_rwlock_unlock(&wires);
    g_ptr_array_remove(clients, nc);
    if (peer != NULL) {
        wake(peer); /* sends into the void from now on */
        tell_link(peer);
    }
    if (nc->ops->close != NULL) {
        nc->ops->close(nc->opaque);
    }
    g_free(nc->info);
    g_free(nc->id);
    g_free(nc);
}

static NetVerdict pass_on(NetClient *nc, unsigned queue, const struct iovec *iov, unsigned n,
                          bool more)
{
    NetVerdict verdict = NET_TAKEN;
    NetClient *peer;

    read_wires();
    peer = nc->peer;
    if (peer == NULL || !peer->up || !nc->up) {
        /* nobody hears it */
    } else if (peer->is_nic && !running) {
        verdict = NET_BUSY;
    } else {
        bool hold = more && peer->ops->receive_more != NULL;

        verdict = (hold ? peer->ops->receive_more
                        : peer->ops->receive)(peer->opaque, MIN(queue, peer->queues - 1), iov, n);
    }
    read_wires_end();
    return verdict;
}

NetVerdict net_send(NetClient *nc, unsigned queue, const struct iovec *iov, unsigned n)
{
    return pass_on(nc, queue, iov, n, false);
}

NetVerdict net_send_more(NetClient *nc, unsigned queue, const struct iovec *iov, unsigned n)
{
    return pass_on(nc, queue, iov, n, true);
}

void net_flush(NetClient *nc)
{
    read_wires();
    if (nc->peer != NULL && nc->peer->ops->flush != NULL) {
        nc->peer->ops->flush(nc->peer->opaque);
    }
    read_wires_end();
}

void net_ready(NetClient *nc, unsigned queue)
{
    read_wires();
    if (nc->peer != NULL) {
        /* Of several queues any may be the one that waits: a sender chooses freely. */
        if (nc->peer->queues == nc->queues) {
            nc->peer->ops->peer_ready(nc->peer->opaque, queue);
        } else {
            wake_locked(nc->peer);
        }
    }
    read_wires_end();
}

bool net_link_is_up(NetClient *nc)
{
    bool up;

    read_wires();
    up = nc->up && nc->peer != NULL && nc->peer->up;
    read_wires_end();
    return up;
}

void net_set_running(bool now)
{
    pthread_rwlock_wrlock(&wires);
    running = now;
    pthread_rwlock_unlock(&wires);
    for (unsigned i = 0; now && clients != NULL && i < clients->len; i++) {
        NetClient *nc = g_ptr_array_index(clients, i);

        if (nc->peer != NULL && nc->peer->is_nic) {
            wake(nc);
        }
    }
}

/* ---- NICs ---- */

static bool claim(NetClient *nic, const char *netdev, GError **error)
{
    NetClient *backend = net_backend_find(netdev);

    if (backend == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no netdev '%s'", netdev);
        return false;
    }
    if (backend->peer != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "netdev '%s' is already used by '%s'",
                    netdev, backend->peer->id);
        return false;
    }
    nic->queues = backend->queues;
    net_connect(nic, backend);
    return true;
}

NetClient *net_nic_new(const NetOps *ops, void *opaque, const char *name, const char *netdev,
                       const uint8_t *mac, GError **error)
{
    NetClient *nic = client_new(ops, opaque, name, 1);

    nic->is_nic = true;
    nic->mac = mac;
    if (netdev != NULL && !claim(nic, netdev, error)) {
        net_client_free(nic);
        return NULL;
    }
    return nic;
}

void net_nic_free(NetClient *nic)
{
    net_client_free(nic);
}

unsigned net_peer_queues(NetClient *nic)
{
    return nic->queues;
}

bool net_peer_has_vnet_hdr(NetClient *nic)
{
    bool has;

    read_wires();
    has = nic->peer != NULL && nic->peer->has_vnet_hdr;
    read_wires_end();
    return has;
}

/* Calls the back end's function, if there is a back end that has it. */
#define CALL_PEER(nic, function, ...)                                                              \
    do {                                                                                           \
        read_wires();                                                                              \
        if ((nic)->peer != NULL && (nic)->peer->ops->function != NULL) {                           \
            (nic)->peer->ops->function((nic)->peer->opaque, __VA_ARGS__);                          \
        }                                                                                          \
        read_wires_end();                                                                          \
    } while (0)

void net_use_vnet_hdr(NetClient *nic, unsigned len)
{
    g_atomic_int_set(&nic->vnet_hdr, len);
    CALL_PEER(nic, set_vnet_hdr, len);
}

void net_set_offloads(NetClient *nic, unsigned offloads)
{
    CALL_PEER(nic, set_offloads, offloads);
}

void net_set_queues(NetClient *nic, unsigned n)
{
    CALL_PEER(nic, set_queues, n);
}

/* ---- management ---- */

bool net_set_link(const char *name, bool up, GError **error)
{
    NetClient *nc = find(name, true);

    if (nc == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found",
                    name);
        return false;
    }
    pthread_rwlock_wrlock(&wires);
    nc->up = up;
    pthread_rwlock_unlock(&wires);
    tell_link(nc);
    if (nc->peer != NULL) {
        tell_link(nc->peer);
        wake(nc->peer);
    }
    wake(nc);
    return true;
}

bool net_backend_del(const char *id, GError **error)
{
    NetClient *nc = net_backend_find(id);

    if (nc == NULL || nc->is_hub_side) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", id);
        return false;
    }
    net_client_free(nc);
    return true;
}

static void append_info(GString *out, NetClient *nc)
{
    g_autofree char *more = nc->ops->info != NULL ? nc->ops->info(nc->opaque) : NULL;
    g_autofree char *mac = nc->mac != NULL ? net_format_mac(nc->mac) : NULL;

    g_string_append_printf(out, "%s: index=0,type=%s", nc->id, nc->ops->type);
    if (mac != NULL) {
        g_string_append_printf(out, ",macaddr=%s", mac);
    }
    if (more != NULL || nc->info != NULL) {
        g_string_append_printf(out, ",%s", more != NULL ? more : nc->info);
    }
    g_string_append(out, nc->up ? "\n" : ",link=down\n");
}

char *net_info(void)
{
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; clients != NULL && i < clients->len; i++) {
        NetClient *nc = g_ptr_array_index(clients, i);

        if (!nc->is_nic && nc->peer != NULL && nc->peer->is_nic) {
            continue; /* follows its NIC */
        }
        append_info(out, nc);
        if (nc->is_nic && nc->peer != NULL) {
            g_string_append(out, " \\ ");
            append_info(out, nc->peer);
        }
    }
    return g_string_free(out, FALSE);
}

JsonArray *net_rx_filters(const char *name, GError **error)
{
    g_autoptr(JsonArray) all = json_array_new();
    NetClient *only = name != NULL ? find(name, true) : NULL;

    if (name != NULL && (only == NULL || !only->is_nic)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "invalid net client name: %s", name);
        return NULL;
    }
    for (unsigned i = 0; clients != NULL && i < clients->len; i++) {
        NetClient *nc = g_ptr_array_index(clients, i);

        if (nc->ops->rx_filter != NULL && (only == NULL || only == nc)) {
            JsonObject *info = nc->ops->rx_filter(nc->opaque);

            json_object_set_string_member(info, "name", nc->id);
            json_array_add_object_element(all, info);
        } else if (only == nc) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        "net client(%s) doesn't support rx-filter querying", name);
            return NULL;
        }
    }
    return g_steal_pointer(&all);
}

void net_cleanup(void)
{
    net_announce(NULL);
    while (clients != NULL && clients->len > 0) {
        net_client_free(g_ptr_array_index(clients, clients->len - 1));
    }
    g_clear_pointer(&clients, g_ptr_array_unref);
}
