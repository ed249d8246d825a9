/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands that list objects of a kind.
 */
#include "hw/core/hostmem.h"
#include "hw/core/qom.h"
#include "hw/virtio/iothread-object.h"
#include "node.h"
#include "qapi-commands.h"

static void add_memdev(const char *name, GObject *obj, void *opaque)
{
    MemoryBackendInfo info;
    JsonObject *memdev;

    if (!HUMPY_IS_MEMORY_BACKEND(obj)) {
        return;
    }
    memory_backend_info(HUMPY_MEMORY_BACKEND(obj), &info);
    memdev = json_object_new();
    json_object_set_string_member(memdev, "id", info.id);
    json_object_set_int_member(memdev, "size", info.size);
    json_object_set_boolean_member(memdev, "merge", FALSE);
    json_object_set_boolean_member(memdev, "dump", info.dump);
    json_object_set_boolean_member(memdev, "prealloc", info.prealloc);
    json_object_set_boolean_member(memdev, "share", info.share);
    json_object_set_array_member(memdev, "host-nodes", json_array_new());
    json_object_set_string_member(memdev, "policy", "default");
    json_array_add_object_element(opaque, memdev);
}

JsonNode *qmp_query_memdev(JsonObject *args, GError **error)
{
    JsonArray *all = json_array_new();

    qom_foreach_child(qom_container("/objects"), add_memdev, all);
    return node_array(all);
}

static void add_iothread(const char *name, GObject *obj, void *opaque)
{
    const IoThreadPolling *polling;
    JsonObject *info;

    if (!HUMPY_IS_IOTHREAD_OBJECT(obj)) {
        return;
    }
    info = json_object_new();
    json_object_set_string_member(info, "id", name);
    json_object_set_int_member(info, "thread-id",
                               iothread_tid(iothread_object_thread(HUMPY_IOTHREAD_OBJECT(obj))));
    polling = iothread_object_polling(HUMPY_IOTHREAD_OBJECT(obj));
    json_object_set_int_member(info, "poll-max-ns", (gint64)polling->max_ns);
    json_object_set_int_member(info, "poll-grow", (gint64)polling->grow);
    json_object_set_int_member(info, "poll-shrink", (gint64)polling->shrink);
    json_object_set_int_member(info, "aio-max-batch", 0);
    json_array_add_object_element(opaque, info);
}

JsonNode *qmp_query_iothreads(JsonObject *args, GError **error)
{
    JsonArray *all = json_array_new();

    qom_foreach_child(qom_container("/objects"), add_iothread, all);
    return node_array(all);
}
