/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commands for displays. Pictures and formats are display/'s.
 */
#include "display/display.h"
#include "qapi-commands.h"
#include "util/error.h"

JsonNode *qmp_screendump(JsonObject *args, GError **error)
{
    const char *device = json_object_get_string_member_with_default(args, "device", NULL);
    const char *format = json_object_get_string_member_with_default(args, "format", "ppm");
    unsigned head = json_object_get_int_member_with_default(args, "head", 0);
    pixman_image_t *image;
    Console *con;

    if (device == NULL && json_object_has_member(args, "head")) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "'head' must be specified together "
                    "with 'device'");
        return NULL;
    }
    con = console_find(device, head, error);
    if (con == NULL) {
        return NULL;
    }
    image = console_snapshot(con);
    if (image == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "no memory for the picture");
        return NULL;
    }
    screendump_write(image, json_object_get_string_member(args, "filename"),
                     g_str_equal(format, "png") ? SCREENDUMP_PNG : SCREENDUMP_PPM, error);
    pixman_image_unref(image);
    return NULL;
}
