/* SPDX-License-Identifier: GPL-2.0-or-later
 * See config-json.h. One table per kind of object says which members it has and of what type; what
 * a member means is in its handler. The file is from anywhere: config-text.c bounds it before the
 * parser sees it.
 */
#include "config-json.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "place.h"
#include "semver.h"
#include "util/error.h"

enum { MAX_DISKS = 26, MAX_PARTITIONS = 128, INSTANCE_ID_BYTES = 64 };

/* What these files may require of the platform. */
static const Semver platform_version = { { 1, 0, 0 } };

typedef enum { TYPE_STRING, TYPE_BOOL, TYPE_INT, TYPE_ARRAY, TYPE_OBJECT } Type;

static const char *const type_names[] = { "a string", "true or false", "a whole number", "an array",
                                          "an object" };

typedef struct {
    Plan *plan;
    const char *file, *dir; /* dir: absolute, where file is */
    PlanDisk *disk;         /* that is being read */
    PlanPartition *part;    /* the same */
    bool has_platform_version;
    bool own_auth;           /* the hypervisor's own way to authenticate is asked for, with */
    const char *instance_id; /* the text of it, or NULL; borrowed */
} Reader;

typedef struct {
    const char *name;
    Type type;
    bool (*take)(Reader *r, JsonNode *node, GError **error);
} Member;

/* ---- types ---- */

static const char *describe(JsonNode *node)
{
    switch (json_node_get_node_type(node)) {
    case JSON_NODE_OBJECT:
        return "an object";
    case JSON_NODE_ARRAY:
        return "an array";
    case JSON_NODE_NULL:
        return "null";
    default:
        break;
    }
    switch (json_node_get_value_type(node)) {
    case G_TYPE_STRING:
        return "a string";
    case G_TYPE_BOOLEAN:
        return "true or false";
    case G_TYPE_INT64:
        return "a whole number";
    default:
        return "a number with a fraction";
    }
}

static bool check_type(const char *name, JsonNode *node, Type type, GError **error)
{
    if (strcmp(describe(node), type_names[type]) == 0) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "%s is %s but must be %s", name,
                describe(node), type_names[type]);
    return false;
}

/* Where in the file r is, for a warning; errors get it on their way up. */
static char *place_of(const Reader *r, const char *where)
{
    unsigned disk = r->plan->disks->len - 1;

    if (r->part != NULL) {
        return g_strdup_printf("disks[%u]: partitions[%u]: ", disk, r->disk->partitions->len - 1);
    }
    return r->disk != NULL ? g_strdup_printf("disks[%u]: ", disk) : g_strdup(where);
}

static void warn_unknown(const Reader *r, const char *where, const char *name,
                         const Member *members)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    g_autofree char *place = place_of(r, where);
    const char *near;

    for (const Member *m = members; m->name != NULL; m++) {
        g_ptr_array_add(names, (void *)m->name);
    }
    g_ptr_array_add(names, NULL);
    near = error_nearest(name, (const char *const *)names->pdata);
    if (near != NULL) {
        g_warning("%s: %s'%s' is not known and ignored (did you mean '%s'?)", r->file, place, name,
                  near);
    } else {
        g_warning("%s: %s'%s' is not known and ignored", r->file, place, name);
    }
}

/* A member that is null is the same as one that is not there. */
static bool read_object(Reader *r, JsonObject *object, const char *where, const Member *members,
                        GError **error)
{
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;

    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &name, &node)) {
        const Member *m = members;

        while (m->name != NULL && strcmp(m->name, name) != 0) {
            m++;
        }
        if (m->name == NULL) {
            warn_unknown(r, where, name, members);
            continue;
        }
        if (JSON_NODE_HOLDS_NULL(node)) {
            continue;
        }
        if (!check_type(name, node, m->type, error) || !m->take(r, node, error)) {
            g_prefix_error(error, "%s", where);
            return false;
        }
    }
    return true;
}

/* ---- members ---- */

static char *path_of(const Reader *r, JsonNode *node)
{
    const char *path = json_node_get_string(node);

    return g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(r->dir, path, NULL);
}

static bool take_path(const Reader *r, JsonNode *node, char **path, const char *name,
                      GError **error)
{
    if (*json_node_get_string(node) == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "%s is empty", name);
        return false;
    }
    g_free(*path);
    *path = path_of(r, node);
    return true;
}

#define PATH_MEMBER(field, name)                                                                   \
    static bool take_##field(Reader *r, JsonNode *node, GError **error)                            \
    {                                                                                              \
        return take_path(r, node, &r->plan->field, name, error);                                   \
    }
PATH_MEMBER(kernel, "kernel")
PATH_MEMBER(initrd, "initrd")
PATH_MEMBER(firmware, "bootloader")
PATH_MEMBER(vendor_boot, "vendor_boot")
PATH_MEMBER(init_boot, "init_boot")
PATH_MEMBER(bootconfig, "bootconfig")

static bool take_name(Reader *r, JsonNode *node, GError **error)
{
    if (!place_check_name(json_node_get_string(node), error)) {
        g_prefix_error(error, "name: ");
        return false;
    }
    if (r->plan->name == NULL) {
        r->plan->name = json_node_dup_string(node);
    }
    return true;
}

/* The command line's words come behind those of the file. */
static bool take_params(Reader *r, JsonNode *node, GError **error)
{
    const char *params = json_node_get_string(node);

    if (*params != '\0') {
        g_string_prepend(r->plan->params, r->plan->params->len > 0 ? " " : "");
        g_string_prepend(r->plan->params, params);
    }
    return true;
}

static bool take_protected(Reader *r, JsonNode *node, GError **error)
{
    r->plan->is_protected = r->plan->is_protected || json_node_get_boolean(node);
    return true;
}

static bool take_mib(JsonNode *node, const char *name, uint64_t *mib, bool zero_ok, GError **error)
{
    gint64 value = json_node_get_int(node);

    if (value < (zero_ok ? 0 : 1) || value > 255 << 10) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%s is %" G_GINT64_FORMAT " but must be %d to %d", name, value, zero_ok ? 0 : 1,
                    255 << 10);
        return false;
    }
    if (*mib == 0) {
        *mib = value;
    }
    return true;
}

static bool take_memory(Reader *r, JsonNode *node, GError **error)
{
    return take_mib(node, "memory_mib", &r->plan->memory_mib, false, error);
}

static bool take_swiotlb(Reader *r, JsonNode *node, GError **error)
{
    return take_mib(node, "swiotlb_mib", &r->plan->swiotlb_mib, true, error);
}

static bool take_topology(Reader *r, JsonNode *node, GError **error)
{
    unsigned given = r->plan->cpus;

    if (!plan_set_cpu_topology(r->plan, json_node_get_string(node), error)) {
        g_prefix_error(error, "cpu_topology: ");
        return false;
    }
    r->plan->cpus = given != 0 ? given : r->plan->cpus;
    return true;
}

static bool take_platform_version(Reader *r, JsonNode *node, GError **error)
{
    const char *text = json_node_get_string(node);
    bool matches;

    r->has_platform_version = true;
    if (!semver_match(text, platform_version, &matches, error)) {
        g_prefix_error(error, "platform_version: ");
        return false;
    }
    if (!matches) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "platform_version: '%s' does not allow for this platform's %u.%u.%u", text,
                    (unsigned)platform_version.part[0], (unsigned)platform_version.part[1],
                    (unsigned)platform_version.part[2]);
        return false;
    }
    return true;
}

/* Devices of the host, which only an IOMMU can hand to a guest. */
static bool take_devices(Reader *r, JsonNode *node, GError **error)
{
    if (json_array_get_length(json_node_get_array(node)) > 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "devices: devices of the host cannot be given to a VM");
        return false;
    }
    return true;
}

static bool take_console_input(Reader *r, JsonNode *node, GError **error)
{
    static const char *const names[] = { "ttyS0", "ttyAMA0", "hvc0", NULL };
    const char *name = json_node_get_string(node);

    if (!g_strv_contains(names, name)) {
        error_set_unknown(error, "console_input_device", name, names);
        return false;
    }
    g_free(r->plan->console_device);
    r->plan->console_device = g_strdup(name);
    return true;
}

static bool take_controller(Reader *r, JsonNode *node, GError **error)
{
    if (json_node_get_boolean(node)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "controller: there is no USB controller");
        return false;
    }
    return true;
}

static bool take_usb(Reader *r, JsonNode *node, GError **error)
{
    static const Member members[] = { { "controller", TYPE_BOOL, take_controller }, {} };

    return read_object(r, json_node_get_object(node), "usb_config: ", members, error);
}

/* ---- disks ---- */

static bool take_label(Reader *r, JsonNode *node, GError **error)
{
    r->part->label = json_node_dup_string(node);
    return true;
}

static bool take_part_path(Reader *r, JsonNode *node, GError **error)
{
    return take_path(r, node, &r->part->path, "path", error);
}

static bool take_format(JsonNode *node, char **format, GError **error)
{
    g_free(*format);
    *format = json_node_dup_string(node);
    return plan_check_format(*format, error);
}

static bool take_part_format(Reader *r, JsonNode *node, GError **error)
{
    return take_format(node, &r->part->format, error);
}

static bool take_part_writable(Reader *r, JsonNode *node, GError **error)
{
    r->part->writable = json_node_get_boolean(node);
    return true;
}

static bool take_guid(Reader *r, JsonNode *node, GError **error)
{
    if (!g_uuid_string_is_valid(json_node_get_string(node))) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "guid: '%s' is not a GUID of 8, 4, 4, 4 and 12 hexadecimal digits",
                    json_node_get_string(node));
        return false;
    }
    r->part->guid = json_node_dup_string(node);
    return true;
}

static bool take_part_size(Reader *r, JsonNode *node, GError **error)
{
    gint64 size = json_node_get_int(node);

    if (size < 1) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "size is %" G_GINT64_FORMAT " but must be at least 1", size);
        return false;
    }
    r->part->size = size;
    return true;
}

static bool missing(const char *name, GError **error)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "%s is missing", name);
    return false;
}

static bool read_partition(Reader *r, JsonNode *node, GError **error)
{
    static const Member members[] = {
        { "label", TYPE_STRING, take_label },
        { "path", TYPE_STRING, take_part_path },
        { "writable", TYPE_BOOL, take_part_writable },
        { "guid", TYPE_STRING, take_guid },
        { "size", TYPE_INT, take_part_size },
        { "format", TYPE_STRING, take_part_format },
        {},
    };

    if (!check_type("the partition", node, TYPE_OBJECT, error)) {
        return false;
    }
    r->part = plan_add_partition(r->disk);
    if (!read_object(r, json_node_get_object(node), "", members, error)) {
        return false;
    }
    if (r->part->label == NULL) {
        return missing("label", error);
    }
    return r->part->path != NULL || missing("path", error);
}

static bool take_partitions(Reader *r, JsonNode *node, GError **error)
{
    JsonArray *array = json_node_get_array(node);

    if (json_array_get_length(array) > MAX_PARTITIONS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "has %u partitions, at most %d fit",
                    json_array_get_length(array), MAX_PARTITIONS);
        return false;
    }
    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        if (!read_partition(r, json_array_get_element(array, i), error)) {
            g_prefix_error(error, "partitions[%u]: ", i);
            return false;
        }
        r->part = NULL;
    }
    return true;
}

static bool take_image(Reader *r, JsonNode *node, GError **error)
{
    return take_path(r, node, &r->disk->image, "image", error);
}

static bool take_writable(Reader *r, JsonNode *node, GError **error)
{
    r->disk->writable = json_node_get_boolean(node);
    return true;
}

static bool take_overlay(Reader *r, JsonNode *node, GError **error)
{
    return take_path(r, node, &r->disk->overlay, "overlay", error);
}

static bool take_disk_format(Reader *r, JsonNode *node, GError **error)
{
    return take_format(node, &r->disk->format, error);
}

static bool read_disk(Reader *r, JsonNode *node, GError **error)
{
    static const Member members[] = {
        { "image", TYPE_STRING, take_image },        { "partitions", TYPE_ARRAY, take_partitions },
        { "writable", TYPE_BOOL, take_writable },    { "overlay", TYPE_STRING, take_overlay },
        { "format", TYPE_STRING, take_disk_format }, {},
    };

    if (!check_type("the disk", node, TYPE_OBJECT, error)) {
        return false;
    }
    r->disk = plan_add_disk(r->plan, NULL);
    if (!read_object(r, json_node_get_object(node), "", members, error)) {
        return false;
    }
    if ((r->disk->image != NULL) == (r->disk->partitions->len > 0)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    r->disk->image != NULL ? "image and partitions exclude each other"
                                           : "has neither image nor partitions");
        return false;
    }
    return true;
}

static bool take_disks(Reader *r, JsonNode *node, GError **error)
{
    JsonArray *array = json_node_get_array(node);

    if (json_array_get_length(array) > MAX_DISKS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "disks: has %u disks, at most %d fit",
                    json_array_get_length(array), MAX_DISKS);
        return false;
    }
    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        if (!read_disk(r, json_array_get_element(array, i), error)) {
            g_prefix_error(error, "disks[%u]: ", i);
            return false;
        }
        r->disk = NULL;
    }
    return true;
}

static bool take_own_auth(Reader *r, JsonNode *node, GError **error)
{
    r->own_auth = json_node_get_boolean(node);
    return true;
}

static bool take_instance_id(Reader *r, JsonNode *node, GError **error)
{
    const char *text = json_node_get_string(node);

    if (strlen(text) != 2 * INSTANCE_ID_BYTES ||
        strspn(text, "0123456789abcdefABCDEF") != 2 * INSTANCE_ID_BYTES) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "instance_id is not %d hexadecimal digits", 2 * INSTANCE_ID_BYTES);
        return false;
    }
    r->instance_id = text;
    return true;
}

static uint32_t id_byte(const char *id, unsigned at)
{
    return (uint32_t)(g_ascii_xdigit_value(id[2 * at]) << 4 | g_ascii_xdigit_value(id[2 * at + 1]));
}

/* Android has the two numbers of a trusted VM at the end of its instance ID, little-endian. */
static bool apply_own_auth(Reader *r, GError **error)
{
    const char *id = r->instance_id;
    g_autofree char *vm_id = NULL, *pas_id = NULL;

    if (!r->own_auth) {
        return true;
    }
    if (id == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "enable_hypervisor_specific_auth_method: instance_id, which has the VM's "
                    "identity in it, is missing");
        return false;
    }
    vm_id = g_strdup_printf("%u", id_byte(id, 58) | id_byte(id, 59) << 8);
    pas_id = g_strdup_printf("%u", id_byte(id, 60) | id_byte(id, 61) << 8 | id_byte(id, 62) << 16 |
                                       id_byte(id, 63) << 24);
    if (!plan_set_trusted(r->plan, vm_id, pas_id, error)) {
        g_prefix_error(error, "instance_id: ");
        return false;
    }
    return true;
}

static const Member vm_members[] = {
    { "name", TYPE_STRING, take_name },
    { "kernel", TYPE_STRING, take_kernel },
    { "initrd", TYPE_STRING, take_initrd },
    { "params", TYPE_STRING, take_params },
    { "bootloader", TYPE_STRING, take_firmware },
    { "disks", TYPE_ARRAY, take_disks },
    { "protected", TYPE_BOOL, take_protected },
    { "memory_mib", TYPE_INT, take_memory },
    { "swiotlb_mib", TYPE_INT, take_swiotlb },
    { "cpu_topology", TYPE_STRING, take_topology },
    { "platform_version", TYPE_STRING, take_platform_version },
    { "devices", TYPE_ARRAY, take_devices },
    { "console_input_device", TYPE_STRING, take_console_input },
    { "usb_config", TYPE_OBJECT, take_usb },
    { "vendor_boot", TYPE_STRING, take_vendor_boot },
    { "init_boot", TYPE_STRING, take_init_boot },
    { "bootconfig", TYPE_STRING, take_bootconfig },
    { "enable_hypervisor_specific_auth_method", TYPE_BOOL, take_own_auth },
    { "instance_id", TYPE_STRING, take_instance_id },
    {},
};

GPtrArray *config_json_members(void)
{
    GPtrArray *names = g_ptr_array_new();

    for (const Member *m = vm_members; m->name != NULL; m++) {
        g_ptr_array_add(names, (void *)m->name);
    }
    return names;
}

/* ---- the whole ---- */

/* One line, without the parser's word for text that is in memory. */
static const char *parser_message(GError *cause)
{
    const char *text = g_strdelimit(cause->message, "\n", ' ');

    return g_str_has_prefix(text, "<data>:") ? text + strlen("<data>:") : text;
}

bool config_json_parse(const char *text, gssize len, const char *file, Plan *plan, GError **error)
{
    g_autofree char *given = g_path_get_dirname(file);
    g_autofree char *dir = g_canonicalize_filename(given, NULL);
    Reader r = { .plan = plan, .file = file, .dir = dir };
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) cause = NULL;
    gsize size = len < 0 ? strlen(text) : (gsize)len;
    JsonNode *root;

    if (!config_text_check(text, size, error)) {
        return false;
    }
    if (!g_utf8_validate_len(text, size, NULL) ||
        !json_parser_load_from_data(parser, text, size, &cause)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "is not JSON: %s",
                    cause != NULL ? parser_message(cause) : "it is not UTF-8");
        return false;
    }
    root = json_parser_get_root(parser);
    if (root == NULL || !JSON_NODE_HOLDS_OBJECT(root)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "is not a JSON object");
        return false;
    }
    if (!read_object(&r, json_node_get_object(root), "", vm_members, error) ||
        !apply_own_auth(&r, error)) {
        return false;
    }
    return r.has_platform_version || missing("platform_version", error);
}

bool config_json_read(const char *path, Plan *plan, GError **error)
{
    gsize len;
    g_autofree char *text = config_text_read(path, &len, error);

    return text != NULL && config_json_parse(text, len, path, plan, error);
}
