/* SPDX-License-Identifier: GPL-2.0-or-later
 * A disk of a plan as -blockdev takes it. Which driver reads an image was decided in plan-image.c.
 */
#include <json-glib/json-glib.h>
#include <string.h>

#include "plan.h"

static void add_text(JsonBuilder *b, const char *name, const char *value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_string_value(b, value);
}

static void add_bool(JsonBuilder *b, const char *name, bool value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_boolean_value(b, value);
}

/* The members of a node that reads the image at path; the object is open. */
static void add_image(JsonBuilder *b, const char *path, const char *format, bool writable,
                      bool direct)
{
    format = format != NULL ? format : "raw"; /* nobody has looked at the file */
    add_text(b, "driver", format);
    add_bool(b, "read-only", !writable || strcmp(format, "sparse") == 0);
    if (direct) {
        json_builder_set_member_name(b, "cache");
        json_builder_begin_object(b);
        add_bool(b, "direct", true);
        json_builder_end_object(b);
    }
    if (writable && strcmp(format, "raw") == 0) {
        add_text(b, "discard", "unmap");
    }
    json_builder_set_member_name(b, "file");
    json_builder_begin_object(b);
    add_text(b, "driver", "file");
    add_text(b, "filename", path);
    json_builder_end_object(b);
}

static void add_composite(JsonBuilder *b, const PlanDisk *disk, bool read_only)
{
    add_text(b, "driver", "composite");
    add_bool(b, "read-only", read_only);
    json_builder_set_member_name(b, "partitions");
    json_builder_begin_array(b);
    for (unsigned i = 0; i < disk->partitions->len; i++) {
        const PlanPartition *p = g_ptr_array_index(disk->partitions, i);

        json_builder_begin_object(b);
        add_text(b, "label", p->label);
        if (p->guid != NULL) {
            add_text(b, "guid", p->guid);
        }
        if (p->size != 0) {
            json_builder_set_member_name(b, "size");
            json_builder_add_int_value(b, p->size);
        }
        json_builder_set_member_name(b, "image");
        json_builder_begin_object(b);
        add_image(b, p->path, p->format, p->writable && !read_only, disk->direct);
        json_builder_end_object(b);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
}

static void add_base(JsonBuilder *b, const PlanDisk *disk, bool writable)
{
    if (disk->image == NULL) {
        add_composite(b, disk, !writable);
    } else {
        add_image(b, disk->image, disk->format, writable, disk->direct);
    }
}

char *plan_disk_blockdev(const PlanDisk *disk, const char *node)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    g_autoptr(JsonNode) root = NULL;

    json_builder_begin_object(b);
    add_text(b, "node-name", node);
    if (disk->overlay != NULL || disk->temporary) {
        add_text(b, "driver", "overlay");
        if (disk->overlay != NULL) {
            add_text(b, "filename", disk->overlay);
        }
        json_builder_set_member_name(b, "backing");
        json_builder_begin_object(b);
        add_base(b, disk, false);
        json_builder_end_object(b);
    } else {
        add_base(b, disk, disk->writable);
    }
    json_builder_end_object(b);
    root = json_builder_get_root(b);
    return json_to_string(root, FALSE);
}
