/* SPDX-License-Identifier: GPL-2.0-or-later
 * The control queues of a console device with several ports (virtio 1.2, section 5.3.6.2). What the
 * driver is to be told is kept as one set of flags per port number, not as a list of messages: a
 * driver that asks without end and takes no answers costs nothing.
 */
#include <endian.h>
#include <string.h>

#include "util/iov.h"
#include "virtio-serial-priv.h"

/* ---- to the driver ---- */

typedef struct {
    struct virtio_console_control head;
    char data[SERIAL_MAX_NAME]; /* what follows it */
    size_t size;
} Message;

static bool message(Message *m, unsigned nr, uint16_t event, uint16_t value)
{
    m->head = (struct virtio_console_control){
        .id = htole32(nr),
        .event = htole16(event),
        .value = htole16(value),
    };
    m->size = sizeof(m->head);
    return true;
}

static bool take_flag(bool *flag)
{
    bool was = *flag;

    *flag = false;
    return was;
}

/* What number nr has to tell next; the flag falls with it. [device lock held] */
static bool next_message_of(SerialSlot *slot, unsigned nr, Message *m)
{
    SerialPort *port = slot->port;

    if (take_flag(&slot->remove)) {
        return message(m, nr, VIRTIO_CONSOLE_PORT_REMOVE, 1);
    }
    if (port == NULL) {
        return false;
    }
    if (take_flag(&slot->add)) {
        return message(m, nr, VIRTIO_CONSOLE_PORT_ADD, 1);
    }
    if (take_flag(&slot->console)) {
        return message(m, nr, VIRTIO_CONSOLE_CONSOLE_PORT, 1);
    }
    if (take_flag(&slot->resize)) {
        uint16_t size[] = { htole16(port->columns), htole16(port->rows) };

        message(m, nr, VIRTIO_CONSOLE_RESIZE, 0);
        memcpy(m->data, size, sizeof(size));
        m->size += sizeof(size);
        return true;
    }
    if (take_flag(&slot->name)) {
        message(m, nr, VIRTIO_CONSOLE_PORT_NAME, 1);
        g_strlcpy(m->data, port->name, sizeof(m->data));
        m->size += strlen(m->data) + 1;
        return true;
    }
    if (take_flag(&slot->host_closed)) {
        return message(m, nr, VIRTIO_CONSOLE_PORT_OPEN, 0);
    }
    if (take_flag(&slot->host_open)) {
        return message(m, nr, VIRTIO_CONSOLE_PORT_OPEN, port->host_open);
    }
    return false;
}

static bool is_pending(const SerialSlot *slot)
{
    return slot->remove ||
           (slot->port != NULL && (slot->add || slot->console || slot->resize || slot->name ||
                                   slot->host_closed || slot->host_open));
}

static bool has_message(VirtIOSerial *s)
{
    bool found = false;

    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->max_ports && !found; i++) {
        found = is_pending(&s->slots[i]);
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

static bool next_message(VirtIOSerial *s, Message *m)
{
    bool found = false;

    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->max_ports && !found; i++) {
        found = next_message_of(&s->slots[i], i, m);
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

void serial_control_serve_in(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOSerial *s = HUMPY_VIRTIO_SERIAL(vdev);
    VirtQueueElement *elem;
    Message m;

    while (has_message(s)) {
        size_t written;

        elem = virtio_queue_pop(vq);
        if (elem == NULL) {
            return;
        }
        if (!next_message(s, &m)) { /* the main thread took the port away */
            virtio_queue_unpop(vq, elem);
            return;
        }
        written = iov_from_buf(elem->in, elem->n_in, 0, &m.head, sizeof(m.head));
        written +=
            iov_from_buf(elem->in, elem->n_in, sizeof(m.head), m.data, m.size - sizeof(m.head));
        virtio_queue_push(vq, elem, written);
        virtio_queue_notify(vq);
    }
}

void serial_control_added(VirtIOSerial *s, SerialPort *port)
{
    if (s->multiport && s->driver_ready) {
        s->slots[port->nr].add = true;
        virtio_queue_kick(s->control_in);
    }
}

void serial_control_removed(VirtIOSerial *s, unsigned nr)
{
    bool unheard = s->slots[nr].add;

    s->slots[nr] = (SerialSlot){ .remove = s->slots[nr].remove };
    if (s->multiport && s->driver_ready && !unheard) {
        s->slots[nr].remove = true;
        virtio_queue_kick(s->control_in);
    }
}

void serial_control_host_open(VirtIOSerial *s, SerialPort *port, bool open)
{
    SerialSlot *slot = &s->slots[port->nr];

    if (!s->multiport || !s->driver_ready || slot->port != port) {
        return;
    }
    /* Still to be told that it closed, and open again: both, in this order. */
    slot->host_closed = open && slot->host_open && !port->host_open;
    slot->host_open = true;
    virtio_queue_kick(s->control_in);
}

void serial_control_resized(VirtIOSerial *s, SerialPort *port)
{
    SerialSlot *slot = &s->slots[port->nr];

    /* Until the port is ready its size is described along with it. */
    if (s->multiport && s->driver_ready && slot->port == port && slot->ready) {
        slot->resize = true;
        virtio_queue_kick(s->control_in);
    }
}

/* ---- from the driver ---- */

/* [device lock held] */
static void announce_ports(VirtIOSerial *s)
{
    s->driver_ready = true;
    for (unsigned i = 0; i < s->max_ports; i++) {
        s->slots[i].add = s->slots[i].port != NULL;
    }
}

/* [device lock held] */
static void describe_port(VirtIOSerial *s, SerialPort *port)
{
    SerialSlot *slot = &s->slots[port->nr];

    slot->ready = true;
    slot->console = serial_port_is_console(port);
    slot->resize = slot->console && port->columns != 0;
    slot->name = port->name != NULL;
    slot->host_open = port->host_open;
}

/* [device lock held] */
static void handle(VirtIOSerial *s, const struct virtio_console_control *message)
{
    uint32_t nr = le32toh(message->id);
    uint16_t event = le16toh(message->event);
    bool value = message->value != 0;
    SerialPort *port;

    if (event == VIRTIO_CONSOLE_DEVICE_READY) {
        if (value) {
            announce_ports(s);
        }
        return;
    }
    port = nr < s->max_ports ? s->slots[nr].port : NULL;
    if (port == NULL) {
        return; /* it may have been taken away meanwhile */
    }
    if (event == VIRTIO_CONSOLE_PORT_READY && value) {
        describe_port(s, port);
    } else if (event == VIRTIO_CONSOLE_PORT_OPEN) {
        serial_port_set_guest_open(port, value);
    }
}

void serial_control_serve_out(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOSerial *s = HUMPY_VIRTIO_SERIAL(vdev);
    struct virtio_console_control message;
    VirtQueueElement *elem;

    while ((elem = virtio_queue_pop(vq)) != NULL) {
        size_t len = iov_to_buf(elem->out, elem->n_out, 0, &message, sizeof(message));

        if (len == sizeof(message)) {
            pthread_mutex_lock(&s->lock);
            if (s->multiport) {
                handle(s, &message);
            }
            pthread_mutex_unlock(&s->lock);
        }
        virtio_queue_push(vq, elem, 0);
        virtio_queue_notify(vq);
    }
    virtio_queue_kick(s->control_in);
}
