/* SPDX-License-Identifier: GPL-2.0-or-later
 * The ports of a console device, "virtserialport" and "virtconsole": their bytes from and to a
 * character back end, and whether either side has the port open. A port waits for a slow back end
 * by keeping the driver's buffer; a console does not, since a kernel may spin until it has it back.
 */
#include <endian.h>
#include <string.h>

#include "util/error.h"
#include "util/event.h"
#include "util/iov.h"
#include "virtio-priv.h"
#include "virtio-serial-priv.h"

DEVICE_DEFINE_ABSTRACT_TYPE(SerialPort, serial_port, "virtio-serial-port", TYPE_DEVICE)

bool serial_port_is_console(SerialPort *port)
{
    return G_TYPE_INSTANCE_GET_CLASS(port, TYPE_SERIAL_PORT, SerialPortClass)->is_console;
}

/* ---- to the driver ---- */

/* [device lock held] */
static bool takes_input(SerialPort *port)
{
    return port->serial->running && port->guest_open;
}

static size_t can_receive(void *opaque)
{
    SerialPort *port = opaque;
    size_t room;

    pthread_mutex_lock(&port->serial->lock);
    room = takes_input(port) ? SERIAL_INPUT_SIZE - port->input_used : 0;
    pthread_mutex_unlock(&port->serial->lock);
    return room;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    SerialPort *port = opaque;

    pthread_mutex_lock(&port->serial->lock);
    len = MIN(len, SERIAL_INPUT_SIZE - port->input_used);
    for (size_t i = 0; i < len; i++) {
        port->input[(port->input_head + port->input_used++) % SERIAL_INPUT_SIZE] = buf[i];
    }
    pthread_mutex_unlock(&port->serial->lock);
    virtio_queue_kick(serial_port_in(port->serial, port->nr));
}

/* [device lock held] Moves waiting bytes into elem. */
static size_t take_input(SerialPort *port, const VirtQueueElement *elem)
{
    size_t done = 0;

    while (port->input_used > 0) {
        size_t run = MIN(port->input_used, SERIAL_INPUT_SIZE - port->input_head);
        size_t n = iov_from_buf(elem->in, elem->n_in, done, port->input + port->input_head, run);

        done += n;
        port->input_head = (port->input_head + n) % SERIAL_INPUT_SIZE;
        port->input_used -= n;
        if (n < run) {
            break;
        }
    }
    return done;
}

void serial_port_serve_in(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOSerial *s = HUMPY_VIRTIO_SERIAL(vdev);
    SerialPort *port = serial_port_of(s, vq);
    VirtQueueElement *elem;

    while (port != NULL) {
        size_t waiting, taken;

        pthread_mutex_lock(&s->lock);
        waiting = port->input_used;
        pthread_mutex_unlock(&s->lock);
        if (waiting == 0 || (elem = virtio_queue_pop(vq)) == NULL) {
            return;
        }
        pthread_mutex_lock(&s->lock);
        taken = take_input(port, elem); /* 0: the port was closed meanwhile */
        pthread_mutex_unlock(&s->lock);
        virtio_queue_push(vq, elem, taken);
        virtio_queue_notify(vq);
        chardev_accept_input(port->chr);
    }
}

/* ---- from the driver ---- */

/* [device lock held] */
static void stop_waiting(SerialPort *port)
{
    if (port->out_source != NULL) {
        g_source_destroy(port->out_source);
        g_clear_pointer(&port->out_source, g_source_unref);
    }
}

static gboolean may_write(gint fd, GIOCondition condition, gpointer opaque)
{
    SerialPort *port = opaque;

    pthread_mutex_lock(&port->serial->lock);
    if (port->out_source == g_main_current_source()) { /* not yet replaced by another */
        g_clear_pointer(&port->out_source, g_source_unref);
    }
    pthread_mutex_unlock(&port->serial->lock);
    virtio_queue_kick(serial_port_out(port->serial, port->nr));
    return G_SOURCE_REMOVE;
}

/* FALSE: the chardev will take no more, ever. */
static bool wait_for_chardev(SerialPort *port)
{
    GSource *source = chardev_output_source(port->chr);

    if (source == NULL) {
        return false;
    }
    g_source_set_callback(source, G_SOURCE_FUNC(may_write), port, NULL);
    pthread_mutex_lock(&port->serial->lock);
    stop_waiting(port);
    port->out_source = source;
    g_source_attach(source, NULL);
    pthread_mutex_unlock(&port->serial->lock);
    return true;
}

/* TRUE: all of the element is written, or nobody wants the rest. */
static bool write_out(SerialPort *port, VirtQueue *vq)
{
    const VirtQueueElement *elem = port->out_elem;
    uint8_t bytes[4096];
    size_t n, written;

    while (port->chr != NULL && port->out_done < elem->out_size) {
        n = iov_to_buf(elem->out, elem->n_out, port->out_done, bytes, sizeof(bytes));
        if (serial_port_is_console(port)) {
            chardev_write(port->chr, bytes, n);
            written = n;
        } else {
            written = chardev_try_write(port->chr, bytes, n);
        }
        port->out_done += written;
        if (written < n) {
            return !wait_for_chardev(port);
        }
        if (queue_is_wanted(vq)) {
            return false; /* a request may be long: goes on at the next run, if there is one */
        }
    }
    return true;
}

void serial_port_serve_out(VirtIODevice *vdev, VirtQueue *vq)
{
    SerialPort *port = serial_port_of(HUMPY_VIRTIO_SERIAL(vdev), vq);
    VirtQueueElement *elem;

    if (port == NULL) { /* nobody there: gone */
        while ((elem = virtio_queue_pop(vq)) != NULL) {
            virtio_queue_push(vq, elem, 0);
            virtio_queue_notify(vq);
        }
        return;
    }
    for (;;) {
        if (port->out_elem == NULL) {
            port->out_elem = virtio_queue_pop(vq);
            port->out_done = 0;
        }
        if (port->out_elem == NULL || !write_out(port, vq)) {
            return;
        }
        virtio_queue_push(vq, g_steal_pointer(&port->out_elem), 0);
        virtio_queue_notify(vq);
    }
}

void serial_port_emergency_write(SerialPort *port, uint8_t byte)
{
    if (port->chr != NULL) {
        chardev_try_write(port->chr, &byte, 1);
    }
}

/* ---- open and closed ---- */

static void tell_change(SerialPort *port)
{
    const char *id = device_id(HUMPY_DEVICE(port));
    JsonObject *data;

    if (id == NULL || serial_port_is_console(port)) {
        return;
    }
    data = json_object_new();
    json_object_set_string_member(data, "id", id);
    json_object_set_boolean_member(data, "open", port->guest_open);
    event_emit("VSERPORT_CHANGE", data);
}

void serial_port_set_guest_open(SerialPort *port, bool open)
{
    if (port->guest_open == open) {
        return;
    }
    port->guest_open = open;
    port->input_used = 0; /* what the last one to open it did not read is not the next one's */
    tell_change(port);
    if (open && port->chr != NULL) {
        chardev_accept_input(port->chr);
    }
}

void serial_port_reset(SerialPort *port)
{
    VirtIOSerial *s = port->serial;

    if (port->out_elem != NULL) {
        virtio_queue_drop(serial_port_out(s, port->nr), g_steal_pointer(&port->out_elem));
    }
    pthread_mutex_lock(&s->lock);
    serial_port_set_guest_open(port, false);
    stop_waiting(port);
    pthread_mutex_unlock(&s->lock);
}

/* [main] A console's size is its chardev's; that of port 0 is in the configuration, too, for
 * drivers without the control queues (section 5.3.4). */
static void take_size(SerialPort *port, const Chardev *chr)
{
    VirtIOSerial *s = port->serial;
    uint16_t columns = 0, rows = 0, config[2];

    if (!serial_port_is_console(port) || !chardev_get_size(chr, &columns, &rows)) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    if (columns != port->columns || rows != port->rows) {
        port->columns = columns;
        port->rows = rows;
        serial_control_resized(s, port);
    }
    pthread_mutex_unlock(&s->lock);
    if (port->nr == 0) {
        config[0] = htole16(columns);
        config[1] = htole16(rows);
        virtio_config_update(HUMPY_VIRTIO_DEVICE(s), offsetof(struct virtio_console_config, cols),
                             config, sizeof(config));
    }
}

static void chardev_changed(void *opaque, ChardevEvent event)
{
    SerialPort *port = opaque;
    VirtIOSerial *s = port->serial;

    if (event == CHARDEV_OPENED || event == CHARDEV_RESIZED) {
        take_size(port, port->chr);
    }
    if (event != CHARDEV_OPENED && event != CHARDEV_CLOSED) {
        return; /* virtio has no break */
    }
    pthread_mutex_lock(&s->lock);
    if (!serial_port_is_console(port)) {
        serial_control_host_open(s, port, event == CHARDEV_OPENED);
        port->host_open = event == CHARDEV_OPENED;
    }
    stop_waiting(port);
    pthread_mutex_unlock(&s->lock);
    virtio_queue_kick(serial_port_out(s, port->nr)); /* the rest of a buffer: to whom? */
}

static void chardev_replaced(void *opaque, Chardev *chr)
{
    SerialPort *port = opaque;
    VirtIOSerial *s = port->serial;
    VirtQueue *in = serial_port_in(s, port->nr), *out = serial_port_out(s, port->nr);

    chardev_changed(port, CHARDEV_CLOSED);
    queue_lock_idle(in); /* handlers use the old one */
    queue_lock_idle(out);
    pthread_mutex_lock(&s->lock);
    port->chr = chr;
    stop_waiting(port);
    pthread_mutex_unlock(&s->lock);
    queue_unlock(out);
    queue_unlock(in);
    virtio_queue_kick(out);
    take_size(port, chr);
}

static const ChardevFrontend frontend = {
    .can_receive = can_receive,
    .receive = receive,
    .event = chardev_changed,
    .replaced = chardev_replaced,
};

/* ---- life cycle ---- */

static bool port_realize(Device *dev, GError **error)
{
    SerialPort *port = SERIAL_PORT(dev);
    VirtIOSerial *s = port->serial;

    if (port->name != NULL && strlen(port->name) >= SERIAL_MAX_NAME) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "name is %zu bytes long but must be at most %d", strlen(port->name),
                    SERIAL_MAX_NAME - 1);
        return false;
    }
    if (port->chardev != NULL) {
        port->chr = chardev_find(port->chardev);
        if (port->chr == NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no chardev with id '%s'",
                        port->chardev);
            return false;
        }
    }
    port->host_open = port->chr != NULL && serial_port_is_console(port);
    if (port->chr != NULL && !chardev_attach(port->chr, &frontend, port, error)) {
        port->chr = NULL;
        return false;
    }
    pthread_mutex_lock(&s->lock);
    s->slots[port->nr].port = port;
    /* Without the control queues there is one port, and it is always open. */
    port->guest_open = s->running && !s->multiport && port->nr == 0;
    serial_control_added(s, port);
    pthread_mutex_unlock(&s->lock);
    virtio_queue_kick(serial_port_out(s, port->nr));
    return true;
}

static void port_unrealize(Device *dev)
{
    SerialPort *port = SERIAL_PORT(dev);
    VirtIOSerial *s = port->serial;
    VirtQueue *queues[] = { serial_port_in(s, port->nr), serial_port_out(s, port->nr) };

    if (port->chr != NULL) {
        chardev_detach(port->chr);
    }
    pthread_mutex_lock(&s->lock);
    serial_port_set_guest_open(port, false);
    serial_control_removed(s, port->nr);
    stop_waiting(port);
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < G_N_ELEMENTS(queues); i++) { /* no handler has it any more then */
        queue_lock_idle(queues[i]);
        if (i == 1 && port->out_elem != NULL) {
            virtio_queue_push(queues[i], g_steal_pointer(&port->out_elem), 0);
            virtio_queue_notify(queues[i]);
        }
        queue_unlock(queues[i]);
    }
    pthread_mutex_lock(&s->lock);
    stop_waiting(port); /* a handler that was just running may have begun to wait */
    pthread_mutex_unlock(&s->lock);
    port->chr = NULL;
    virtio_queue_kick(queues[1]); /* what is still in it goes nowhere */
}

static void serial_port_init(SerialPort *port)
{
}

static const Prop serial_port_props[] = {
    PROP_U32("nr", SerialPort, nr, SERIAL_NR_AUTO, 0, SERIAL_NR_AUTO,
             "Port number; 0 is for a virtconsole"),
    PROP_STRING("chardev", SerialPort, chardev, NULL, "Id of the character back end"),
    PROP_STRING("name", SerialPort, name, NULL, "What the guest finds the port by"),
};

static void serial_port_class_init(SerialPortClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    props_install(G_OBJECT_CLASS(klass), serial_port_props, G_N_ELEMENTS(serial_port_props));
    dc->bus = "virtio-serial-bus";
    dc->realize = port_realize;
    dc->unrealize = port_unrealize;
}

/* ---- the two types ---- */

typedef SerialPort VirtSerialPort;
typedef SerialPortClass VirtSerialPortClass;
typedef SerialPort VirtConsole;
typedef SerialPortClass VirtConsoleClass;

DEVICE_DEFINE_TYPE(VirtSerialPort, virtserialport, "virtserialport", TYPE_SERIAL_PORT)
DEVICE_DEFINE_TYPE(VirtConsole, virtconsole, "virtconsole", TYPE_SERIAL_PORT)

static void virtserialport_init(VirtSerialPort *port)
{
}

static void virtserialport_class_init(VirtSerialPortClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Port of a virtio console device, for programs in the guest";
    dc->user_creatable = true;
}

static void virtconsole_init(VirtConsole *port)
{
}

static void virtconsole_class_init(VirtConsoleClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Port of a virtio console device that is a terminal (hvc0)";
    dc->user_creatable = true;
    klass->is_console = true;
}
