/* SPDX-License-Identifier: GPL-2.0-or-later
 * The object around an I/O thread. Devices that use it count as its users, so it outlives them.
 */
#include "hw/virtio/iothread-object.h"

#include "hw/core/device.h" /* DEVICE_DEFINE_TYPE */

struct _IoThreadObject {
    UserObject parent_instance;
    IoThreadPolling polling;
    IoThread *thread;
};

DEVICE_DEFINE_TYPE(IoThreadObject, iothread_object, "iothread", TYPE_USER_OBJECT)

IoThread *iothread_object_thread(IoThreadObject *obj)
{
    return obj->thread;
}

const IoThreadPolling *iothread_object_polling(IoThreadObject *obj)
{
    return &obj->polling;
}

static bool complete(UserObject *obj, GError **error)
{
    IoThreadObject *t = HUMPY_IOTHREAD_OBJECT(obj);

    t->thread = iothread_new(user_object_id(obj), &t->polling, error);
    return t->thread != NULL;
}

static void finalize(GObject *obj)
{
    iothread_free(HUMPY_IOTHREAD_OBJECT(obj)->thread);
    G_OBJECT_CLASS(iothread_object_parent_class)->finalize(obj);
}

static const Prop iothread_props[] = {
    PROP_U64("poll-max-ns", IoThreadObject, polling.max_ns, IOTHREAD_POLL_MAX_NS, 0, INT64_MAX,
             "Longest look for an event before it sleeps, 0: none"),
    PROP_U64("poll-grow", IoThreadObject, polling.grow, 0, 0, INT64_MAX,
             "Factor for the next look after a wait that was longer, 0: 2"),
    PROP_U64("poll-shrink", IoThreadObject, polling.shrink, 0, 0, INT64_MAX,
             "Divisor after a wait of more than poll-max-ns, 0: look no more"),
};

static void iothread_object_init(IoThreadObject *t)
{
}

static void iothread_object_class_init(IoThreadObjectClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = finalize;
    props_install(G_OBJECT_CLASS(klass), iothread_props, G_N_ELEMENTS(iothread_props));
    HUMPY_USER_OBJECT_CLASS(klass)->summary = "Thread that serves devices' queues";
    HUMPY_USER_OBJECT_CLASS(klass)->complete = complete;
}
