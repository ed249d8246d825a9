/* SPDX-License-Identifier: GPL-2.0-or-later
 * Event channels as dom0's kernel hands them to a program: an event masks its channel and queues
 * it until the program has taken and unmasked it; one that comes meanwhile is kept, not counted.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "xen-priv.h"

void *model_evtchn_open(void)
{
    Evtchn *ev;
    int fd;

    pthread_mutex_lock(&model_lock);
    fd = model_fails("evtchn_open") ? -1 : eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    pthread_mutex_unlock(&model_lock);
    if (fd < 0) {
        return NULL;
    }
    ev = g_new0(Evtchn, 1);
    ev->fd = fd;
    ev->ports = g_ptr_array_new();
    ev->next_local = 1;
    return ev;
}

void model_unbind(Port *port)
{
    if (port->end != NULL) {
        g_ptr_array_remove(port->end->ports, port);
        g_queue_remove(&port->end->queue, port);
    }
    *port = (Port){ .number = port->number, .notified = port->notified };
}

void model_evtchn_close(void *handle)
{
    Evtchn *ev = handle;

    pthread_mutex_lock(&model_lock);
    while (ev->ports->len > 0) {
        model_unbind(g_ptr_array_index(ev->ports, 0));
    }
    pthread_mutex_unlock(&model_lock);
    g_ptr_array_unref(ev->ports);
    g_queue_clear(&ev->queue);
    close(ev->fd);
    g_free(ev);
}

void model_send(Port *port)
{
    if (port->end == NULL || port->masked) {
        port->pending = true;
        return;
    }
    port->pending = false;
    port->masked = true;
    g_queue_push_tail(&port->end->queue, port);
    eventfd_write(port->end->fd, 1);
}

static Port *find_remote(XenModelDomain *d, uint32_t number)
{
    for (unsigned i = 0; i < MAX_SERVERS; i++) {
        Server *s = &d->servers[i];

        for (unsigned k = 0; s->exists && k <= d->n_vcpus; k++) {
            if (number != 0 && s->ports[k].number == number) {
                return &s->ports[k];
            }
        }
    }
    return NULL;
}

/* A channel that has just been bound is pending. */
int model_evtchn_bind(void *handle, uint16_t domid, uint32_t remote)
{
    Evtchn *ev = handle;
    XenModelDomain *d;
    Port *port = NULL;
    int local = -1;

    pthread_mutex_lock(&model_lock);
    d = model_find_domain(domid);
    if (!model_fails("evtchn_bind")) {
        port = d != NULL ? find_remote(d, remote) : NULL;
        errno = d == NULL ? ESRCH : EINVAL;
    }
    if (port != NULL && port->end == NULL) {
        port->end = ev;
        port->local = local = ev->next_local++;
        g_ptr_array_add(ev->ports, port);
        model_send(port);
    }
    pthread_mutex_unlock(&model_lock);
    return local;
}

static Port *find_local(Evtchn *ev, uint32_t local)
{
    for (unsigned i = 0; i < ev->ports->len; i++) {
        Port *port = g_ptr_array_index(ev->ports, i);

        if (port->local == local) {
            return port;
        }
    }
    errno = ENOTCONN;
    return NULL;
}

/* Both ends are the handle's: self is where events arrive, the number behind it where they are
 * sent. */
int model_evtchn_bind_self(void *handle, uint32_t *sender)
{
    Evtchn *ev = handle;
    int local = -1;

    pthread_mutex_lock(&model_lock);
    if (!model_fails("evtchn_bind_self")) {
        local = ev->next_local;
        ev->next_local += 2;
        ev->self = (Port){ .local = local, .end = ev };
        *sender = local + 1;
        g_ptr_array_add(ev->ports, &ev->self);
    }
    pthread_mutex_unlock(&model_lock);
    return local;
}

int model_evtchn_unbind(void *handle, uint32_t local)
{
    Port *port;

    pthread_mutex_lock(&model_lock);
    port = find_local(handle, local);
    if (port != NULL) {
        model_unbind(port);
    }
    pthread_mutex_unlock(&model_lock);
    return port != NULL ? 0 : -1;
}

/* What was unbound since it was queued is passed over, with an error. */
int model_evtchn_pending(void *handle)
{
    Evtchn *ev = handle;
    eventfd_t one;
    Port *port;
    int local = -1;

    if (eventfd_read(ev->fd, &one) != 0) {
        return -1;
    }
    pthread_mutex_lock(&model_lock);
    if (!model_fails("evtchn_pending")) {
        port = g_queue_pop_head(&ev->queue);
        local = port != NULL ? (int)port->local : -1;
        errno = EIO;
    }
    pthread_mutex_unlock(&model_lock);
    return local;
}

int model_evtchn_unmask(void *handle, uint32_t local)
{
    Port *port;

    pthread_mutex_lock(&model_lock);
    port = find_local(handle, local);
    if (port != NULL) {
        port->masked = false;
        if (port->pending) {
            model_send(port);
        }
    }
    pthread_mutex_unlock(&model_lock);
    return port != NULL ? 0 : -1;
}

/* Towards the vCPU whose channel it is, or ourselves. */
int model_evtchn_notify(void *handle, uint32_t local)
{
    Evtchn *ev = handle;
    Port *port;

    pthread_mutex_lock(&model_lock);
    if (ev->self.end != NULL && local == ev->self.local + 1) {
        port = &ev->self;
        model_send(port);
    } else {
        port = model_fails("evtchn_notify") ? NULL : find_local(ev, local);
    }
    if (port != NULL) {
        port->notified++;
    }
    pthread_cond_broadcast(&model_changed);
    pthread_mutex_unlock(&model_lock);
    return port != NULL ? 0 : -1;
}
