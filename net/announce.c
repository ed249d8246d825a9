/* SPDX-License-Identifier: GPL-2.0-or-later
 * announce-self: after a machine has moved, switches learn where it is from frames that come from
 * it. Each round a NIC sends one RARP request (RFC 903) and asks a driver that can to do its part.
 * Time is the host's: switches do not wait for the guest's clock.
 */
#include <string.h>

#include "net-priv.h"

typedef struct {
    char *id; /* or NULL */
    GStrv interfaces;
    int64_t delay, max, step;
    unsigned rounds; /* left */
    guint timer;
} Announcement;

static GPtrArray *going_on; /* of Announcement */

enum { RARP_FRAME = 60 };

static void fill_rarp(uint8_t *frame, const uint8_t mac[6])
{
    static const uint8_t middle[] = { 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3 };

    memset(frame, 0, RARP_FRAME);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, mac, 6);
    memcpy(frame + 12, middle, sizeof(middle));
    memcpy(frame + 22, mac, 6); /* sender */
    memcpy(frame + 32, mac, 6); /* target; protocol addresses are zero */
}

static void announce_nic(NetClient *nc, void *opaque)
{
    const Announcement *a = opaque;
    static uint8_t no_header[12];
    uint8_t frame[RARP_FRAME];
    struct iovec iov[] = { { no_header, 0 }, { frame, sizeof(frame) } };

    if (!nc->is_nic || nc->mac == NULL ||
        (a->interfaces != NULL && !g_strv_contains((const char *const *)a->interfaces, nc->id))) {
        return;
    }
    fill_rarp(frame, nc->mac);
    if (nc->peer != NULL) {
        iov[0].iov_len = g_atomic_int_get(&nc->vnet_hdr);
        net_send(nc, 0, iov, 2); /* BUSY: the next round comes */
    }
    if (nc->ops->announce != NULL) {
        nc->ops->announce(nc->opaque);
    }
}

static void announcement_free(gpointer data)
{
    Announcement *a = data;

    if (a->timer != 0) {
        g_source_remove(a->timer);
    }
    g_strfreev(a->interfaces);
    g_free(a->id);
    g_free(a);
}

static gboolean next_round(gpointer opaque)
{
    Announcement *a = opaque;

    a->timer = 0;
    net_foreach(announce_nic, a);
    if (--a->rounds == 0) {
        g_ptr_array_remove(going_on, a);
        return G_SOURCE_REMOVE;
    }
    a->timer = g_timeout_add(a->delay, next_round, a);
    a->delay = MIN(a->delay + a->step, a->max);
    return G_SOURCE_REMOVE;
}

static void end(const char *id)
{
    for (unsigned i = 0; i < going_on->len; i++) {
        const Announcement *a = g_ptr_array_index(going_on, i);

        if (g_strcmp0(a->id, id) == 0) {
            g_ptr_array_remove_index(going_on, i);
            return;
        }
    }
}

void net_announce(const NetAnnounce *params)
{
    Announcement *a;

    if (params == NULL) {
        g_clear_pointer(&going_on, g_ptr_array_unref);
        return;
    }
    if (going_on == NULL) {
        going_on = g_ptr_array_new_with_free_func(announcement_free);
    }
    end(params->id);
    if (params->rounds == 0) {
        return;
    }
    a = g_new0(Announcement, 1);
    a->id = g_strdup(params->id);
    a->interfaces = g_strdupv((char **)params->interfaces);
    a->delay = params->initial;
    a->max = params->max;
    a->step = params->step;
    a->rounds = params->rounds;
    g_ptr_array_add(going_on, a);
    next_round(a);
}
