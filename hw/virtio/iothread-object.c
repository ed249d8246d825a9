/* SPDX-License-Identifier: GPL-2.0-or-later
 * The object around an I/O thread. Devices that use it count as its users, so it outlives them.
 */
#include "hw/virtio/iothread-object.h"

#include "hw/core/device.h" /* DEVICE_DEFINE_TYPE */

struct _IoThreadObject {
    UserObject parent_instance;
    IoThread *thread;
};

DEVICE_DEFINE_TYPE(IoThreadObject, iothread_object, "iothread", TYPE_USER_OBJECT)

IoThread *iothread_object_thread(IoThreadObject *obj)
{
    return obj->thread;
}

static bool complete(UserObject *obj, GError **error)
{
    IoThreadObject *t = HUMPY_IOTHREAD_OBJECT(obj);

    t->thread = iothread_new(user_object_id(obj), error);
    return t->thread != NULL;
}

static void finalize(GObject *obj)
{
    iothread_free(HUMPY_IOTHREAD_OBJECT(obj)->thread);
    G_OBJECT_CLASS(iothread_object_parent_class)->finalize(obj);
}

static void iothread_object_init(IoThreadObject *t)
{
}

static void iothread_object_class_init(IoThreadObjectClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = finalize;
    HUMPY_USER_OBJECT_CLASS(klass)->summary = "Thread that serves devices' queues";
    HUMPY_USER_OBJECT_CLASS(klass)->complete = complete;
}
