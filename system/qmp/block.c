/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands about disks and their images.
 */
#include "block/block.h"

#include "monitor/wait-file.h"
#include "node.h"
#include "options.h"
#include "qapi-commands.h"
#include "util/error.h"
#include "vm.h"

static JsonObject *describe_image(const BlockDescription *d)
{
    JsonObject *image = json_object_new();

    json_object_set_string_member(image, "filename", d->filename);
    json_object_set_string_member(image, "format", d->driver);
    json_object_set_int_member(image, "virtual-size", d->length);
    return image;
}

static JsonObject *describe_cache(const BlockDescription *d)
{
    JsonObject *cache = json_object_new();

    json_object_set_boolean_member(cache, "writeback", !d->writethrough);
    json_object_set_boolean_member(cache, "direct", d->cache_direct);
    json_object_set_boolean_member(cache, "no-flush", d->cache_no_flush);
    return cache;
}

static JsonObject *describe_node(const BlockDescription *d)
{
    static const char *const zeroes[] = { "bps",     "bps_rd",  "bps_wr",         "iops",
                                          "iops_rd", "iops_wr", "write_threshold" };
    JsonObject *node = json_object_new();

    json_object_set_string_member(node, "node-name", d->node_name);
    json_object_set_string_member(node, "file", d->filename);
    json_object_set_string_member(node, "drv", d->driver);
    json_object_set_boolean_member(node, "ro", d->read_only);
    json_object_set_int_member(node, "backing_file_depth", 0);
    json_object_set_boolean_member(node, "encrypted", FALSE);
    json_object_set_string_member(node, "detect_zeroes", "off");
    for (unsigned i = 0; i < G_N_ELEMENTS(zeroes); i++) {
        json_object_set_int_member(node, zeroes[i], 0);
    }
    json_object_set_object_member(node, "image", describe_image(d));
    json_object_set_object_member(node, "cache", describe_cache(d));
    return node;
}

static void add_node(const BlockDescription *d, void *all)
{
    json_array_add_object_element(all, describe_node(d));
}

JsonNode *qmp_query_named_block_nodes(JsonObject *args, GError **error)
{
    JsonArray *all = json_array_new();

    block_foreach(add_node, all);
    return node_array(all);
}

static void add_disk(const BlockDescription *d, void *all)
{
    JsonObject *disk = json_object_new();

    /* A node that nobody named belongs to no -drive. */
    json_object_set_string_member(disk, "device", *d->node_name != '#' ? d->node_name : "");
    if (d->user != NULL) {
        json_object_set_string_member(disk, "qdev", d->user);
    }
    json_object_set_string_member(disk, "type", "unknown");
    json_object_set_boolean_member(disk, "removable", FALSE);
    json_object_set_boolean_member(disk, "locked", FALSE);
    json_object_set_object_member(disk, "inserted", describe_node(d));
    json_array_add_object_element(all, disk);
}

JsonNode *qmp_query_block(JsonObject *args, GError **error)
{
    JsonArray *all = json_array_new();

    block_foreach(add_disk, all);
    return node_array(all);
}

JsonNode *qmp_query_block_jobs(JsonObject *args, GError **error)
{
    return node_array(json_array_new());
}

JsonNode *qmp_blockdev_add(JsonObject *args, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_from_json(args, error);

    if (kv != NULL) {
        drives_blockdev_add(vm_drives(vm_current()), kv, wait_file_read, error);
    }
    return NULL;
}

JsonNode *qmp_blockdev_del(JsonObject *args, GError **error)
{
    drives_blockdev_del(vm_drives(vm_current()), json_object_get_string_member(args, "node-name"),
                        error);
    return NULL;
}

/* The node that device or node-name means. */
static BlockBackend *find_node(JsonObject *args, GError **error)
{
    const char *device = json_object_get_string_member_with_default(args, "device", NULL);
    const char *node = json_object_get_string_member_with_default(args, "node-name", NULL);
    BlockBackend *blk;

    if ((device == NULL) == (node == NULL)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "one of device and node-name is needed, and not both");
        return NULL;
    }
    if (node == NULL) {
        node = drives_node_name(vm_drives(vm_current()), device);
    }
    blk = block_find(node);
    if (blk == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no disk '%s'",
                    device != NULL ? device : node);
    }
    return blk;
}

JsonNode *qmp_block_resize(JsonObject *args, GError **error)
{
    BlockBackend *blk = find_node(args, error);

    if (blk != NULL) {
        block_resize(blk, json_object_get_int_member(args, "size"), error);
    }
    return NULL;
}

static void add_stats(const BlockDescription *d, void *all)
{
    static const struct {
        const char *name;
        BlockStat kind;
    } kinds[] = {
        { "rd", BLOCK_STAT_READ },
        { "wr", BLOCK_STAT_WRITE },
        { "flush", BLOCK_STAT_FLUSH },
        { "unmap", BLOCK_STAT_UNMAP },
    };
    JsonObject *disk = json_object_new(), *stats = json_object_new();
    BlockStats s;

    block_get_stats(block_find(d->node_name), &s);
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        BlockStat kind = kinds[i].kind;
        g_autofree char *bytes = g_strdup_printf("%s_bytes", kinds[i].name);
        g_autofree char *operations = g_strdup_printf("%s_operations", kinds[i].name);
        g_autofree char *time = g_strdup_printf("%s_total_time_ns", kinds[i].name);
        g_autofree char *failed = g_strdup_printf("failed_%s_operations", kinds[i].name);

        if (kind != BLOCK_STAT_FLUSH) {
            json_object_set_int_member(stats, bytes, s.bytes[kind]);
        }
        json_object_set_int_member(stats, operations, s.operations[kind]);
        json_object_set_int_member(stats, time, s.nanoseconds[kind]);
        json_object_set_int_member(stats, failed, s.failed[kind]);
    }
    json_object_set_string_member(disk, "device", *d->node_name != '#' ? d->node_name : "");
    json_object_set_string_member(disk, "node-name", d->node_name);
    json_object_set_object_member(disk, "stats", stats);
    json_array_add_object_element(all, disk);
}

JsonNode *qmp_query_blockstats(JsonObject *args, GError **error)
{
    JsonArray *all = json_array_new();

    block_foreach(add_stats, all);
    return node_array(all);
}
