/* SPDX-License-Identifier: GPL-2.0-or-later
 * The human monitor's view of devices and objects: adding, removing, properties, trees.
 */
#include <string.h>

#include "hmp-commands.h"
#include "hw/core/bus.h"
#include "hw/core/device-add.h"
#include "hw/core/hostmem.h"
#include "hw/core/machine.h"
#include "hw/core/qom.h"
#include "hw/core/user-object.h"
#include "hw/virtio/iothread-object.h"
#include "json-stream.h"
#include "util/error.h"
#include "vm.h"

static bool is_help(const char *text)
{
    return strcmp(text, "help") == 0 || strcmp(text, "?") == 0;
}

/* ---- devices and objects ---- */

/* Takes a new text, or NULL. */
static bool append(GString *out, char *taken)
{
    if (taken != NULL) {
        g_string_append(out, taken);
    }
    g_free(taken);
    return taken != NULL;
}

bool hmp_device_add(HmpCall *call, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(call->rest, "driver", error);
    const char *driver;

    if (kv == NULL) {
        return false;
    }
    driver = keyval_get(kv, "driver");
    if (driver != NULL && is_help(driver)) {
        return append(call->out, device_help());
    }
    if (driver != NULL && keyval_get(kv, "help") != NULL) {
        return append(call->out, device_type_help(driver, error));
    }
    if (vm_current() == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "there is no machine yet");
        return false;
    }
    return vm_add_device(vm_current(), kv, error);
}

bool hmp_device_del(HmpCall *call, GError **error)
{
    return device_del(call->words[0], error);
}

bool hmp_object_add(HmpCall *call, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(call->rest, "qom-type", error);
    const char *type;

    if (kv == NULL) {
        return false;
    }
    type = keyval_get(kv, "qom-type");
    if (type != NULL && is_help(type)) {
        return append(call->out, user_object_help());
    }
    if (type != NULL && keyval_get(kv, "help") != NULL) {
        return append(call->out, user_object_type_help(type, error));
    }
    return user_object_add(kv, error) != NULL;
}

bool hmp_object_del(HmpCall *call, GError **error)
{
    return user_object_del(call->words[0], error);
}

/* ---- properties ---- */

static GObject *resolve(const char *path, GError **error)
{
    GObject *obj = qom_resolve(path, NULL);

    if (obj == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "Device '%s' not found", path);
    }
    return obj;
}

bool hmp_qom_list(HmpCall *call, GError **error)
{
    GObject *obj = resolve(call->n > 0 ? call->words[0] : "/", error);
    g_autoptr(GPtrArray) list = obj != NULL ? qom_list(obj) : NULL;

    for (unsigned i = 0; list != NULL && i < list->len; i++) {
        const QomProperty *p = g_ptr_array_index(list, i);

        g_string_append_printf(call->out, "%s (%s)\n", p->name, p->type);
    }
    return obj != NULL;
}

bool hmp_qom_get(HmpCall *call, GError **error)
{
    GObject *obj = resolve(call->words[0], error);
    g_autoptr(JsonNode) value = obj != NULL ? qom_get(obj, call->words[1], error) : NULL;

    return value != NULL && append(call->out, json_to_string(value, TRUE)) &&
           g_string_append_c(call->out, '\n') != NULL;
}

bool hmp_qom_set(HmpCall *call, GError **error)
{
    GObject *obj = resolve(call->words[0], error);
    g_autoptr(JsonNode) value = NULL;

    if (obj == NULL) {
        return false;
    }
    /* What is no JSON is a string. */
    value = json_stream_parse(call->words[2], NULL);
    if (value == NULL) {
        value = json_node_init_string(json_node_alloc(), call->words[2]);
    }
    return qom_set(obj, call->words[1], value, error);
}

/* ---- trees ---- */

bool hmp_info_qtree(HmpCall *call, GError **error)
{
    if (vm_current() == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "there is no machine yet");
        return false;
    }
    qom_print_qtree(call->out);
    return true;
}

bool hmp_info_qom_tree(HmpCall *call, GError **error)
{
    return qom_print_tree(call->out, call->n > 0 ? call->words[0] : NULL, error);
}

static Machine *machine(GError **error)
{
    if (vm_current() == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "there is no machine yet");
        return NULL;
    }
    return vm_machine(vm_current());
}

bool hmp_info_numa(HmpCall *call, GError **error)
{
    Machine *m = machine(error);

    if (m != NULL) {
        numa_print(machine_numa(m), machine_n_cpus(m), call->out);
    }
    return m != NULL;
}

bool hmp_info_roms(HmpCall *call, GError **error)
{
    Machine *m = machine(error);

    if (m != NULL) {
        machine_print_roms(m, call->out);
    }
    return m != NULL;
}

/* ---- objects of a kind ---- */

static void print_iothread(const char *name, GObject *obj, void *opaque)
{
    if (HUMPY_IS_IOTHREAD_OBJECT(obj)) {
        IoThread *thread = iothread_object_thread(HUMPY_IOTHREAD_OBJECT(obj));

        g_string_append_printf(opaque, "%s:\n  thread_id=%d\n", name, (int)iothread_tid(thread));
    }
}

bool hmp_info_iothreads(HmpCall *call, GError **error)
{
    qom_foreach_child(qom_container("/objects"), print_iothread, call->out);
    return true;
}

static void print_memdev(const char *name, GObject *obj, void *opaque)
{
    MemoryBackendInfo info;

    if (HUMPY_IS_MEMORY_BACKEND(obj)) {
        memory_backend_info(HUMPY_MEMORY_BACKEND(obj), &info);
        g_string_append_printf(opaque,
                               "memory backend: %s\n  size:  %" G_GUINT64_FORMAT
                               "\n  dump: %s\n  prealloc: %s\n  share: %s\n",
                               info.id, info.size, info.dump ? "true" : "false",
                               info.prealloc ? "true" : "false", info.share ? "true" : "false");
    }
}

bool hmp_info_memdev(HmpCall *call, GError **error)
{
    qom_foreach_child(qom_container("/objects"), print_memdev, call->out);
    return true;
}
