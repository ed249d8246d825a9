/* SPDX-License-Identifier: GPL-2.0-or-later
 * The types vduse-blk and vduse-net: their options, spelled as QEMU's storage daemon spells them,
 * become properties of the virtio device.
 */
#include <linux/virtio_blk.h>
#include <string.h>

#include "block/block.h"
#include "export-priv.h"
#include "util/error.h"
#include "util/props.h"
#include "vduse-priv.h"
#include "vduse.h"

static const char *const blk_keys[] = {
    "type",       "id",     "name",         "node-name",          "writable",
    "num-queues", "serial", "queue-size",   "logical-block-size", "writethrough",
    "iothread",   "attach", "inflight-log", "fixed-iothread",     NULL,
};
static const char *const net_keys[] = {
    "type", "id", "name", "netdev", "mac", "queue-size", "attach", "inflight-log", NULL,
};

/* Where an option becomes a property: */
typedef struct {
    const char *key, *property;
} Mapping;

static bool set(Device *dev, const char *property, const char *value)
{
    g_autoptr(GError) error = NULL;
    bool ok = device_set_property(dev, property, value, &error);

    g_assert(ok); /* it is ours */
    return ok;
}

static bool pass_on(Device *dev, KeyVal *kv, const Mapping *map, unsigned n, GError **error)
{
    for (unsigned i = 0; i < n; i++) {
        const char *value = keyval_take(kv, map[i].key);

        if (value != NULL && !device_set_property(dev, map[i].property, value, error)) {
            return false;
        }
    }
    return true;
}

static bool take_required(KeyVal *kv, const char *key, const char **value, GError **error)
{
    *value = keyval_take(kv, key);
    if (*value == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property '%s' is missing", key);
    }
    return *value != NULL;
}

/* ---- block ---- */

static bool check_block_sizes(KeyVal *kv, GError **error)
{
    const char *text = keyval_get(kv, "logical-block-size");
    uint64_t size;

    if (text == NULL) {
        return true;
    }
    if (!props_parse_u64(text, &size, error)) {
        return false;
    }
    if (size < 512 || size > 4096 || (size & (size - 1)) != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "logical-block-size is %s but must be a power of two from 512 to 4096", text);
        return false;
    }
    return true;
}

static bool check_node(const char *node, bool writable, GError **error)
{
    BlockBackend *blk = block_find(node);

    if (blk == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "node-name: there is no block node '%s'", node);
        return false;
    }
    if (writable && block_is_read_only(blk)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "writable: block node '%s' is read-only", node);
        return false;
    }
    return true;
}

static bool read_blk(KeyVal *kv, VduseOptions *o, Device *dev, GError **error)
{
    static const Mapping map[] = {
        { "num-queues", "num-queues" },
        { "queue-size", "queue-size" },
        { "logical-block-size", "logical_block_size" },
        { "serial", "serial" },
        { "iothread", "iothread" },
    };
    bool writable = false, writethrough = false, fixed = false; /* it is always */
    const char *block_size = keyval_get(kv, "logical-block-size");

    if (!take_required(kv, "node-name", &o->backend, error) ||
        !keyval_take_bool(kv, "writable", &writable, error) ||
        !keyval_take_bool(kv, "writethrough", &writethrough, error) ||
        !keyval_take_bool(kv, "fixed-iothread", &fixed, error) || !check_block_sizes(kv, error) ||
        !check_node(o->backend, writable, error)) {
        return false;
    }
    if (block_size != NULL) { /* the larger one first: physical must not be below logical */
        set(dev, "physical_block_size", block_size);
    }
    set(dev, "drive", o->backend);
    set(dev, "config-wce", "off"); /* a driver cannot write configuration bytes here */
    set(dev, "write-cache", writethrough ? "off" : "auto");
    set(dev, "read-only", writable ? "off" : "on");
    set(dev, "rerror", "report"); /* there is no machine to stop */
    set(dev, "werror", "report");
    return pass_on(dev, kv, map, G_N_ELEMENTS(map), error);
}

/* ---- net ---- */

static bool read_net(KeyVal *kv, VduseOptions *o, Device *dev, GError **error)
{
    const char *size = keyval_take(kv, "queue-size");
    static const Mapping map[] = { { "mac", "mac" } };

    if (!take_required(kv, "netdev", &o->backend, error)) {
        return false;
    }
    if (size != NULL && (!device_set_property(dev, "rx_queue_size", size, error) ||
                         !device_set_property(dev, "tx_queue_size", size, error))) {
        g_prefix_error(error, "queue-size: ");
        return false;
    }
    set(dev, "netdev", o->backend);
    set(dev, "ctrl_vq", "off"); /* the kernel does not take it from a process */
    return pass_on(dev, kv, map, G_N_ELEMENTS(map), error);
}

/* ---- both ---- */

typedef bool (*ReadFn)(KeyVal *kv, VduseOptions *o, Device *dev, GError **error);

static void *open_as(const char *type, const char *device, ReadFn read, const char *id, KeyVal *kv,
                     GError **error)
{
    g_autoptr(Device) dev = device_new(device, error);
    VduseOptions o = { .id = id, .type = type, .attach = export_default_attach() };

    if (dev == NULL || !take_required(kv, "name", &o.name, error) ||
        !keyval_take_bool(kv, "attach", &o.attach, error) || !read(kv, &o, dev, error)) {
        return NULL;
    }
    o.log_path = keyval_take(kv, "inflight-log");
    o.vdev = HUMPY_VIRTIO_DEVICE(g_steal_pointer(&dev));
    return vduse_open(&o, error);
}

static void *open_blk(const char *id, KeyVal *kv, GError **error)
{
    return open_as("vduse-blk", "virtio-blk-device", read_blk, id, kv, error);
}

static void *open_net(const char *id, KeyVal *kv, GError **error)
{
    return open_as("vduse-net", "virtio-net-device", read_net, id, kv, error);
}

static void describe(void *export, ExportDescription *d)
{
    const VduseExport *x = export;

    d->node = x->backend;
    d->attached = g_atomic_int_get(&x->in_use);
}

const ExportType vduse_blk_export = {
    .name = "vduse-blk",
    .summary = "block node as a disk of the host's kernel",
    .keys = blk_keys,
    .open = open_blk,
    .may_close = vduse_may_close,
    .close = vduse_close,
    .describe = describe,
};

const ExportType vduse_net_export = {
    .name = "vduse-net",
    .summary = "network back end as a card of the host's kernel",
    .keys = net_keys,
    .open = open_net,
    .may_close = vduse_may_close,
    .close = vduse_close,
    .describe = describe,
};
