/* SPDX-License-Identifier: GPL-2.0-or-later
 * The console device (virtio 1.2, section 5.3): its queues, configuration and the bus its ports are
 * on. Ports are in virtio-serial-port.c, the control queues in virtio-serial-control.c.
 */
#include <endian.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "util/error.h"
#include "virtio-serial-priv.h"

enum { SERIAL_QUEUE_SIZE = 128, SERIAL_CONTROL_QUEUE_SIZE = 32 };

DEVICE_DEFINE_TYPE(VirtIOSerial, virtio_serial, "virtio-serial-device", TYPE_VIRTIO_DEVICE)

/* ---- numbers (section 5.3.2): port 0 has queues 0 and 1, control 2 and 3, port N 2N+2 and on ----
 */

VirtQueue *serial_port_in(VirtIOSerial *s, unsigned nr)
{
    return virtio_queue(HUMPY_VIRTIO_DEVICE(s), nr == 0 ? 0 : 2 * nr + 2);
}

VirtQueue *serial_port_out(VirtIOSerial *s, unsigned nr)
{
    return virtio_queue(HUMPY_VIRTIO_DEVICE(s), nr == 0 ? 1 : 2 * nr + 3);
}

SerialPort *serial_port_of(VirtIOSerial *s, VirtQueue *vq)
{
    unsigned index = virtio_queue_index(vq);
    SerialPort *port;

    pthread_mutex_lock(&s->lock);
    port = s->slots[index < 2 ? 0 : index / 2 - 1].port;
    pthread_mutex_unlock(&s->lock);
    return port;
}

/* ---- the bus ---- */

#define TYPE_SERIAL_BUS serial_bus_get_type()
typedef struct {
    Bus parent;
} SerialBus;
typedef struct {
    BusClass parent_class;
} SerialBusClass;

GType serial_bus_get_type(void);
DEVICE_DEFINE_TYPE(SerialBus, serial_bus, "virtio-serial-bus", TYPE_BUS)

/* Number 0 is a console's, with and without the control queues. */
static bool choose_nr(VirtIOSerial *s, SerialPort *port, GError **error)
{
    if (serial_port_is_console(port) && s->slots[0].port == NULL) {
        port->nr = 0;
        return true;
    }
    for (unsigned i = 1; i < s->max_ports; i++) {
        if (s->slots[i].port == NULL) {
            port->nr = i;
            return true;
        }
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                "all %u port numbers of the device are taken", s->max_ports);
    return false;
}

static bool check_nr(VirtIOSerial *s, SerialPort *port, GError **error)
{
    if (port->nr >= s->max_ports) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "nr is %u but must be 0 to %u", port->nr,
                    s->max_ports - 1);
        return false;
    }
    if (s->slots[port->nr].port != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "nr %u is taken by another port",
                    port->nr);
        return false;
    }
    if (port->nr == 0 && !serial_port_is_console(port)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "nr 0 is for a virtconsole");
        return false;
    }
    return true;
}

static bool bus_attach(Bus *bus, Device *dev, GError **error)
{
    VirtIOSerial *s = HUMPY_VIRTIO_SERIAL(bus_parent(bus));
    SerialPort *port = SERIAL_PORT(dev);

    /* Ports change in this thread only: no lock to look. */
    if (port->nr == SERIAL_NR_AUTO ? !choose_nr(s, port, error) : !check_nr(s, port, error)) {
        return false;
    }
    port->serial = s;
    return true;
}

static void bus_detach(Bus *bus, Device *dev)
{
    SERIAL_PORT(dev)->serial = NULL;
}

static bool request_unplug(Bus *bus, Device *dev, GError **error)
{
    bus_remove_device(bus, dev); /* the driver is told, and has no say in it */
    return true;
}

static char *bus_address(Bus *bus, Device *dev)
{
    return g_strdup_printf("%u", SERIAL_PORT(dev)->nr);
}

static void serial_bus_init(SerialBus *bus)
{
}

static void serial_bus_class_init(SerialBusClass *klass)
{
    BusClass *bc = HUMPY_BUS_CLASS(klass);

    bc->kind = "virtio-serial-bus";
    bc->attach = bus_attach;
    bc->detach = bus_detach;
    bc->request_unplug = request_unplug;
    bc->address = bus_address;
}

/* ---- configuration and status ---- */

/* Section 5.3.4: works at any time, before the driver runs too. */
static void serial_config_written(VirtIODevice *vdev, uint8_t *config, const uint8_t *before)
{
    VirtIOSerial *s = HUMPY_VIRTIO_SERIAL(vdev);
    struct virtio_console_config written;

    memcpy(&written, config, sizeof(written));
    memcpy(config, before, sizeof(written));
    if (!s->emergency_write || written.emerg_wr == 0) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->max_ports; i++) {
        SerialPort *port = s->slots[i].port;

        if (port != NULL && serial_port_is_console(port)) {
            serial_port_emergency_write(port, le32toh(written.emerg_wr));
            break;
        }
    }
    pthread_mutex_unlock(&s->lock);
}

static void serial_started(VirtIODevice *vdev)
{
    VirtIOSerial *s = HUMPY_VIRTIO_SERIAL(vdev);

    pthread_mutex_lock(&s->lock);
    s->running = true;
    s->multiport = virtio_has_feature(vdev, VIRTIO_CONSOLE_F_MULTIPORT);
    if (!s->multiport && s->slots[0].port != NULL) {
        serial_port_set_guest_open(s->slots[0].port, true);
    }
    pthread_mutex_unlock(&s->lock);
}

static void serial_reset(VirtIODevice *vdev)
{
    VirtIOSerial *s = HUMPY_VIRTIO_SERIAL(vdev);

    pthread_mutex_lock(&s->lock);
    s->running = false;
    s->multiport = false;
    s->driver_ready = false;
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->max_ports; i++) {
        SerialPort *port;

        pthread_mutex_lock(&s->lock);
        port = s->slots[i].port;
        s->slots[i] = (SerialSlot){ .port = port };
        pthread_mutex_unlock(&s->lock);
        if (port != NULL) {
            serial_port_reset(port);
        }
    }
}

/* ---- life cycle ---- */

static bool serial_realize(VirtIODevice *vdev, GError **error)
{
    VirtIOSerial *s = HUMPY_VIRTIO_SERIAL(vdev);
    struct virtio_console_config config = { .max_nr_ports = htole32(s->max_ports) };
    uint64_t features = 1ull << VIRTIO_CONSOLE_F_SIZE; /* 0 by 0 where it is not known */

    if (s->emergency_write) {
        features |= 1ull << VIRTIO_CONSOLE_F_EMERG_WRITE;
    }
    if (s->max_ports > 1) {
        features |= 1ull << VIRTIO_CONSOLE_F_MULTIPORT;
    }
    virtio_init(vdev, &s->props, features, &config, sizeof(config));
    for (unsigned i = 0; i < s->max_ports; i++) {
        virtio_add_queue(vdev, SERIAL_QUEUE_SIZE, serial_port_serve_in);
        virtio_add_queue(vdev, SERIAL_QUEUE_SIZE, serial_port_serve_out);
        if (i == 0) {
            s->control_in =
                virtio_add_queue(vdev, SERIAL_CONTROL_QUEUE_SIZE, serial_control_serve_in);
            virtio_add_queue(vdev, SERIAL_CONTROL_QUEUE_SIZE, serial_control_serve_out);
        }
    }
    s->bus = bus_new(TYPE_SERIAL_BUS, HUMPY_DEVICE(vdev), NULL);
    bus_set_hotpluggable(s->bus, true);
    return true;
}

static void virtio_serial_finalize(GObject *obj)
{
    pthread_mutex_destroy(&HUMPY_VIRTIO_SERIAL(obj)->lock);
    G_OBJECT_CLASS(virtio_serial_parent_class)->finalize(obj);
}

static void virtio_serial_init(VirtIOSerial *s)
{
    pthread_mutex_init(&s->lock, NULL);
}

static const Prop virtio_serial_props[] = {
    VIRTIO_PROPS(VirtIOSerial, props),
    PROP_U32("max_ports", VirtIOSerial, max_ports, SERIAL_MAX_PORTS, 1, SERIAL_MAX_PORTS,
             "Port numbers there are"),
    PROP_BOOL("emergency-write", VirtIOSerial, emergency_write, true,
              "Offer to write single characters without a queue"),
};

static void virtio_serial_class_init(VirtIOSerialClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);
    VirtIODeviceClass *vc = HUMPY_VIRTIO_DEVICE_CLASS(klass);

    G_STATIC_ASSERT(sizeof(struct virtio_console_config) == 12);
    G_STATIC_ASSERT(sizeof(struct virtio_console_control) == 8);
    G_OBJECT_CLASS(klass)->finalize = virtio_serial_finalize;
    props_install(G_OBJECT_CLASS(klass), virtio_serial_props, G_N_ELEMENTS(virtio_serial_props));
    dc->summary = "Console device, with a bus for virtconsole and virtserialport";
    dc->user_creatable = true;
    vc->device_id = VIRTIO_ID_CONSOLE;
    vc->realize = serial_realize;
    vc->reset = serial_reset;
    vc->started = serial_started;
    vc->config_written = serial_config_written;
}
