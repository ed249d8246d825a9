/* SPDX-License-Identifier: GPL-2.0-or-later
 * Input devices (virtio 1.2, section 5.8): keyboard, mouse and tablet. What they can do is a table
 * each; events come from displays and the monitor through display/input.h and wait for the
 * driver's buffers, a bounded number, whole reports or nothing.
 */
#include <endian.h>
#include <linux/input.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_input.h>
#include <pthread.h>
#include <string.h>

#include "display/input.h"
#include "hw/virtio/virtio.h"
#include "util/error.h"
#include "util/iov.h"

enum {
    INPUT_QUEUE_SIZE = 64,
    INPUT_WAITING = 512, /* events, a power of two */
    INPUT_VENDOR = 0x0627,
    INPUT_STRING = 128,
    LAST_KEY = KEY_MICMUTE,
};

typedef struct {
    uint16_t type, first, last; /* codes of an event type */
} Capability;

typedef struct {
    const char *name;
    uint16_t product;
    unsigned kinds;
    const Capability *caps;
    unsigned n_caps;
} Model;

typedef struct {
    VirtIODevice parent;
    VirtIOProps props;
    char *serial;

    VirtQueue *events;
    InputSink *sink;

    pthread_mutex_t lock; /* what follows; leaf */
    bool running;
    struct virtio_input_event waiting[INPUT_WAITING];
    unsigned head, used;
} VirtIOInput;

typedef struct {
    VirtIODeviceClass parent_class;
    const Model *model;
} VirtIOInputClass;

#define TYPE_VIRTIO_INPUT virtio_input_get_type()
#define VIRTIO_INPUT(obj) G_TYPE_CHECK_INSTANCE_CAST(obj, TYPE_VIRTIO_INPUT, VirtIOInput)

GType virtio_input_get_type(void);
DEVICE_DEFINE_ABSTRACT_TYPE(VirtIOInput, virtio_input, "virtio-input-device", TYPE_VIRTIO_DEVICE)

static const Model *model_of(VirtIOInput *s)
{
    return G_TYPE_INSTANCE_GET_CLASS(s, TYPE_VIRTIO_INPUT, VirtIOInputClass)->model;
}

/* ---- events ---- */

/* [lock held] */
static void add_event(VirtIOInput *s, uint16_t type, uint16_t code, int32_t value)
{
    s->waiting[(s->head + s->used++) % INPUT_WAITING] = (struct virtio_input_event){
        .type = htole16(type),
        .code = htole16(code),
        .value = htole32(value),
    };
}

static void input_seen(void *opaque, const InputEvent *events, unsigned n)
{
    VirtIOInput *s = opaque;

    pthread_mutex_lock(&s->lock);
    if (s->running && n < INPUT_WAITING - s->used) {
        for (unsigned i = 0; i < n; i++) {
            add_event(s, events[i].type, events[i].code, events[i].value);
        }
        add_event(s, EV_SYN, SYN_REPORT, 0);
    }
    pthread_mutex_unlock(&s->lock);
    virtio_queue_kick(s->events);
}

static bool take_event(VirtIOInput *s, struct virtio_input_event *event)
{
    bool any;

    pthread_mutex_lock(&s->lock);
    any = s->used > 0;
    if (any) {
        *event = s->waiting[s->head];
        s->head = (s->head + 1) % INPUT_WAITING;
        s->used--;
    }
    pthread_mutex_unlock(&s->lock);
    return any;
}

/* One event in each buffer (section 5.8.6.1). */
static void serve_events(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOInput *s = VIRTIO_INPUT(vdev);
    struct virtio_input_event event;
    VirtQueueElement *elem;
    bool any = false;

    while ((elem = virtio_queue_pop(vq)) != NULL) {
        if (elem->in_size < sizeof(event)) {
            virtio_error(vdev, "a buffer of %" G_GUINT64_FORMAT " bytes for events of %zu",
                         elem->in_size, sizeof(event));
            virtio_queue_drop(vq, elem);
            return;
        }
        if (!take_event(s, &event)) {
            virtio_queue_unpop(vq, elem);
            break;
        }
        iov_from_buf(elem->in, elem->n_in, 0, &event, sizeof(event));
        virtio_queue_push(vq, elem, sizeof(event));
        any = true;
    }
    if (any) {
        virtio_queue_notify(vq);
    }
}

/* Lights of a keyboard nobody sees. */
static void serve_status(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtQueueElement *elem;

    while ((elem = virtio_queue_pop(vq)) != NULL) {
        virtio_queue_push(vq, elem, 0);
        virtio_queue_notify(vq);
    }
}

/* ---- configuration: the driver asks by writing select and subsel ---- */

static unsigned set_string(struct virtio_input_config *c, const char *text)
{
    size_t len = text != NULL ? MIN(strlen(text), sizeof(c->u.string)) : 0;

    memcpy(c->u.string, text != NULL ? text : "", len);
    return len;
}

/* The bits of codes of one event type; the size ends with the last byte that has one. */
static unsigned set_codes(struct virtio_input_config *c, const Model *m, uint8_t type)
{
    unsigned size = 0;

    for (unsigned i = 0; i < m->n_caps; i++) {
        const Capability *cap = &m->caps[i];

        for (unsigned code = cap->first; cap->type == type && code <= cap->last; code++) {
            c->u.bitmap[code / 8] |= 1 << code % 8;
            size = MAX(size, code / 8 + 1);
        }
    }
    return size;
}

static bool has_axis(const Model *m, uint8_t code)
{
    for (unsigned i = 0; i < m->n_caps; i++) {
        const Capability *cap = &m->caps[i];

        if (cap->type == EV_ABS && code >= cap->first && code <= cap->last) {
            return true;
        }
    }
    return false;
}

static unsigned answer(VirtIOInput *s, struct virtio_input_config *c)
{
    const Model *m = model_of(s);

    switch (c->select) {
    case VIRTIO_INPUT_CFG_ID_NAME:
        return c->subsel == 0 ? set_string(c, m->name) : 0;
    case VIRTIO_INPUT_CFG_ID_SERIAL:
        return c->subsel == 0 ? set_string(c, s->serial) : 0;
    case VIRTIO_INPUT_CFG_ID_DEVIDS:
        if (c->subsel != 0) {
            return 0;
        }
        c->u.ids = (struct virtio_input_devids){
            .bustype = htole16(BUS_VIRTUAL),
            .vendor = htole16(INPUT_VENDOR),
            .product = htole16(m->product),
            .version = htole16(1),
        };
        return sizeof(c->u.ids);
    case VIRTIO_INPUT_CFG_EV_BITS:
        return set_codes(c, m, c->subsel);
    case VIRTIO_INPUT_CFG_ABS_INFO:
        if (!has_axis(m, c->subsel)) {
            return 0;
        }
        c->u.abs.max = htole32(INPUT_ABS_MAX);
        return sizeof(c->u.abs);
    default:
        return 0; /* no property bits, nothing selected, or not known */
    }
}

static void input_config_written(VirtIODevice *vdev, uint8_t *config, const uint8_t *before)
{
    struct virtio_input_config c = { .select = config[0], .subsel = config[1] };

    c.size = answer(VIRTIO_INPUT(vdev), &c);
    memcpy(config, &c, sizeof(c));
}

/* ---- life cycle ---- */

static void input_started(VirtIODevice *vdev)
{
    VirtIOInput *s = VIRTIO_INPUT(vdev);

    pthread_mutex_lock(&s->lock);
    s->running = true;
    pthread_mutex_unlock(&s->lock);
}

static void input_reset(VirtIODevice *vdev)
{
    VirtIOInput *s = VIRTIO_INPUT(vdev);
    struct virtio_input_config none = { 0 };

    pthread_mutex_lock(&s->lock);
    s->running = false;
    s->used = 0;
    pthread_mutex_unlock(&s->lock);
    virtio_config_update(vdev, 0, &none, sizeof(none));
}

static bool input_realize(VirtIODevice *vdev, GError **error)
{
    VirtIOInput *s = VIRTIO_INPUT(vdev);

    if (s->serial != NULL && strlen(s->serial) > INPUT_STRING) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "serial is %zu bytes long but must be at most %d", strlen(s->serial),
                    INPUT_STRING);
        return false;
    }
    virtio_init(vdev, &s->props, 0, NULL, sizeof(struct virtio_input_config));
    s->events = virtio_add_queue(vdev, INPUT_QUEUE_SIZE, serve_events);
    virtio_add_queue(vdev, INPUT_QUEUE_SIZE, serve_status);
    s->sink = input_sink_new(model_of(s)->kinds, input_seen, s);
    return true;
}

static void input_unrealize(VirtIODevice *vdev)
{
    g_clear_pointer(&VIRTIO_INPUT(vdev)->sink, input_sink_free);
}

static void virtio_input_finalize(GObject *obj)
{
    pthread_mutex_destroy(&VIRTIO_INPUT(obj)->lock);
    G_OBJECT_CLASS(virtio_input_parent_class)->finalize(obj);
}

static void virtio_input_init(VirtIOInput *s)
{
    pthread_mutex_init(&s->lock, NULL);
}

static const Prop virtio_input_props[] = {
    VIRTIO_PROPS(VirtIOInput, props),
    PROP_STRING("serial", VirtIOInput, serial, NULL, "Serial number, at most 128 bytes"),
};

static void virtio_input_class_init(VirtIOInputClass *klass)
{
    VirtIODeviceClass *vc = HUMPY_VIRTIO_DEVICE_CLASS(klass);

    G_STATIC_ASSERT(sizeof(struct virtio_input_config) == 136);
    G_STATIC_ASSERT(sizeof(struct virtio_input_event) == 8);
    G_OBJECT_CLASS(klass)->finalize = virtio_input_finalize;
    props_install(G_OBJECT_CLASS(klass), virtio_input_props, G_N_ELEMENTS(virtio_input_props));
    vc->device_id = VIRTIO_ID_INPUT;
    vc->realize = input_realize;
    vc->unrealize = input_unrealize;
    vc->reset = input_reset;
    vc->started = input_started;
    vc->config_written = input_config_written;
}

/* ---- the three ---- */

static const Capability keyboard_caps[] = {
    { EV_KEY, KEY_ESC, LAST_KEY },
    { EV_LED, LED_NUML, LED_SCROLLL },
    { EV_REP, REP_DELAY, REP_PERIOD },
};
static const Capability mouse_caps[] = {
    { EV_KEY, BTN_LEFT, BTN_EXTRA },
    { EV_REL, REL_X, REL_Y },
    { EV_REL, REL_HWHEEL, REL_HWHEEL },
    { EV_REL, REL_WHEEL, REL_WHEEL },
};
static const Capability tablet_caps[] = {
    { EV_KEY, BTN_LEFT, BTN_EXTRA },
    { EV_ABS, ABS_X, ABS_Y },
    { EV_REL, REL_WHEEL, REL_WHEEL },
};

#define MODEL(text, id, kinds, caps)                                                               \
    {                                                                                              \
        text, id, kinds, caps, G_N_ELEMENTS(caps)                                                  \
    }
static const Model keyboard = MODEL("Humpy Virtio Keyboard", 1, INPUT_KEYS, keyboard_caps);
static const Model mouse = MODEL("Humpy Virtio Mouse", 2, INPUT_REL, mouse_caps);
static const Model tablet = MODEL("Humpy Virtio Tablet", 3, INPUT_ABS, tablet_caps);

#define DEFINE_MODEL(Type, prefix, NAME, model_, summary_)                                         \
    typedef VirtIOInput Type;                                                                      \
    typedef VirtIOInputClass Type##Class;                                                          \
    DEVICE_DEFINE_TYPE(Type, prefix, NAME, TYPE_VIRTIO_INPUT)                                      \
    static void prefix##_init(Type *s)                                                             \
    {                                                                                              \
    }                                                                                              \
    static void prefix##_class_init(Type##Class *klass)                                            \
    {                                                                                              \
        klass->model = &model_;                                                                    \
        HUMPY_DEVICE_CLASS(klass)->summary = summary_;                                             \
        HUMPY_DEVICE_CLASS(klass)->user_creatable = true;                                          \
    }
DEFINE_MODEL(VirtIOKeyboard, virtio_keyboard, "virtio-keyboard-device", keyboard, "Keyboard")
DEFINE_MODEL(VirtIOMouse, virtio_mouse, "virtio-mouse-device", mouse, "Mouse")
DEFINE_MODEL(VirtIOTablet, virtio_tablet, "virtio-tablet-device", tablet,
             "Pointer with absolute positions")
