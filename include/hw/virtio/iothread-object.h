/* SPDX-License-Identifier: GPL-2.0-or-later
 * -object iothread: an I/O thread that several devices share (iothread=ID).
 *
 * Threads: [main] only.
 */
#pragma once

#include "hw/core/user-object.h"
#include "hw/virtio/iothread.h"

#define TYPE_IOTHREAD_OBJECT iothread_object_get_type()
G_DECLARE_FINAL_TYPE(IoThreadObject, iothread_object, HUMPY, IOTHREAD_OBJECT, UserObject)

IoThread *iothread_object_thread(IoThreadObject *obj); /* borrowed */
const IoThreadPolling *iothread_object_polling(IoThreadObject *obj);
