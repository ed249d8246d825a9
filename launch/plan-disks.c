/* SPDX-License-Identifier: GPL-2.0-or-later
 * A disk of a plan as -blockdev takes it. Which driver reads an image is decided by its first
 * bytes, unless the user says.
 */
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <unistd.h>

#include "plan.h"
#include "util/error.h"
#include "util/fd.h"

static const char *const formats[] = { "raw", "sparse", "qcow2", "vmdk", "vdi",
                                       "vpc", "vhdx",   "qed",   NULL };

static const char *look_at(const char *path)
{
    static const struct {
        const char *magic, *format;
    } kinds[] = {
        { "\x3a\xff\x26\xed", "sparse" },
        { "QFI\xfb", "qcow2" },
        { "KDMV", "vmdk" },
        { "conectix", "vpc" },
        { "vhdxfile", "vhdx" },
        { "<<< ", "vdi" },
        { "QED", "qed" },
    };
    g_auto(Fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char head[8] = {};

    if (fd < 0 || pread(fd, head, sizeof(head), 0) < 0) {
        return "raw"; /* opening it for real says what is wrong */
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (memcmp(head, kinds[i].magic, strlen(kinds[i].magic)) == 0) {
            return kinds[i].format;
        }
    }
    return "raw";
}

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
    format = format != NULL ? format : look_at(path);
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
        add_image(b, p->path, NULL, p->writable && !read_only, disk->direct);
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

char *plan_disk_blockdev(const PlanDisk *disk, const char *node, GError **error)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    g_autoptr(JsonNode) root = NULL;

    if (disk->format != NULL && !g_strv_contains(formats, disk->format)) {
        error_set_unknown(error, "format", disk->format, formats);
        return NULL;
    }
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
