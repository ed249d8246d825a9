/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of the console device (virtio-serial.c), of its ports (virtio-serial-port.c) and of what it
 * has to tell the driver (virtio-serial-control.c).
 *
 * Threads: ports come and go in [main]; queue handlers run in the device's I/O thread with their
 * queue locked. A handler finds its port in its slot; who takes a port out of its slot then waits
 * for the port's two queues.
 * Lock order: queue, VirtIOSerial.lock, the chardev's.
 */
#pragma once

#include <linux/virtio_console.h>
#include <pthread.h>

#include "chardev/chardev.h"
#include "hw/core/bus.h"
#include "hw/virtio/virtio.h"

#define TYPE_VIRTIO_SERIAL virtio_serial_get_type()
G_DECLARE_FINAL_TYPE(VirtIOSerial, virtio_serial, HUMPY, VIRTIO_SERIAL, VirtIODevice)
#define TYPE_SERIAL_PORT serial_port_get_type()
#define SERIAL_PORT(obj) G_TYPE_CHECK_INSTANCE_CAST(obj, TYPE_SERIAL_PORT, SerialPort)

enum {
    SERIAL_MAX_PORTS = 31,
    SERIAL_NR_AUTO = UINT32_MAX,
    SERIAL_INPUT_SIZE = 4096, /* bytes from the host that wait for the driver */
    SERIAL_MAX_NAME = 256,
};

typedef struct {
    DeviceClass parent_class;
    bool is_console;
} SerialPortClass;

typedef struct {
    Device parent;
    uint32_t nr;
    char *chardev, *name;

    VirtIOSerial *serial; /* whose bus it is on; NULL: none */
    Chardev *chr;
    VirtQueueElement *out_elem; /* [queue] the part behind out_done waits for the chardev */
    size_t out_done;

    /* Under the device's lock: */
    GSource *out_source; /* waits for the chardev to take more */
    bool guest_open, host_open;
    uint16_t columns, rows; /* of a console; 0: not known */
    uint8_t input[SERIAL_INPUT_SIZE];
    unsigned input_head, input_used;
} SerialPort;

/* A port number and what the driver has yet to hear of it, in this order. */
typedef struct {
    SerialPort *port; /* or NULL */
    bool remove, add, console, name, resize;
    bool ready;       /* the driver has said so of the port */
    bool host_closed; /* before it opened again */
    bool host_open;
} SerialSlot;

struct _VirtIOSerial {
    VirtIODevice parent;
    VirtIOProps props;
    uint32_t max_ports;
    bool emergency_write;

    Bus *bus;
    VirtQueue *control_in;

    pthread_mutex_t lock; /* what follows */
    bool multiport;       /* negotiated, and the driver runs */
    bool driver_ready;    /* it said so on the control queue */
    bool running;         /* DRIVER_OK */
    SerialSlot slots[SERIAL_MAX_PORTS];
};

GType serial_port_get_type(void);
bool serial_port_is_console(SerialPort *port);
/* A port's queues: towards the driver and from it. */
VirtQueue *serial_port_in(VirtIOSerial *s, unsigned nr);
VirtQueue *serial_port_out(VirtIOSerial *s, unsigned nr);
/* The port whose queue vq is, or NULL. [queue] */
SerialPort *serial_port_of(VirtIOSerial *s, VirtQueue *vq);

/* ---- virtio-serial-port.c ---- */
void serial_port_serve_in(VirtIODevice *vdev, VirtQueue *vq);
void serial_port_serve_out(VirtIODevice *vdev, VirtQueue *vq);
/* [device lock held] The driver opened or closed it. */
void serial_port_set_guest_open(SerialPort *port, bool open);
/* The driver is gone and the queues are stopped. */
void serial_port_reset(SerialPort *port);
/* One byte past all queues. [device lock held] */
void serial_port_emergency_write(SerialPort *port, uint8_t byte);

/* ---- virtio-serial-control.c ---- */
void serial_control_serve_in(VirtIODevice *vdev, VirtQueue *vq);
void serial_control_serve_out(VirtIODevice *vdev, VirtQueue *vq);
/* Tell the driver, if there is one that wants to know. [device lock held] */
void serial_control_added(VirtIOSerial *s, SerialPort *port);
void serial_control_removed(VirtIOSerial *s, unsigned nr);
void serial_control_host_open(VirtIOSerial *s, SerialPort *port, bool open);
void serial_control_resized(VirtIOSerial *s, SerialPort *port);
