/* SPDX-License-Identifier: GPL-2.0-or-later
 * Writes a picture to a file: PPM (P6) or PNG through libpng.
 */
#include <errno.h>
#include <fcntl.h>
#include <png.h>
#include <stdio.h>
#include <unistd.h>

#include "display/display.h"
#include "util/error.h"
#include "util/fd.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(pixman_image_t, pixman_image_unref)

static bool write_ppm(FILE *out, pixman_image_t *rgb)
{
    int width = pixman_image_get_width(rgb), height = pixman_image_get_height(rgb);
    const uint8_t *row = (const uint8_t *)pixman_image_get_data(rgb);

    if (fprintf(out, "P6\n%d %d\n255\n", width, height) < 0) {
        return false;
    }
    for (int y = 0; y < height; y++, row += pixman_image_get_stride(rgb)) {
        if (fwrite(row, 3, width, out) != (size_t)width) {
            return false;
        }
    }
    return true;
}

/* libpng tells errors in words; errno is set where the file is to blame. */
static bool write_png(FILE *out, pixman_image_t *rgb)
{
    png_image png = {
        .version = PNG_IMAGE_VERSION,
        .width = pixman_image_get_width(rgb),
        .height = pixman_image_get_height(rgb),
        .format = PNG_FORMAT_RGB,
        .flags = PNG_IMAGE_FLAG_FAST,
    };

    return png_image_write_to_stdio(&png, out, 0, pixman_image_get_data(rgb),
                                    pixman_image_get_stride(rgb), NULL) != 0;
}

bool screendump_write(pixman_image_t *image, const char *path, ScreendumpFormat format,
                      GError **error)
{
    int width = pixman_image_get_width(image), height = pixman_image_get_height(image);
    /* Bytes red, green, blue in memory. */
    g_autoptr(pixman_image_t) rgb = pixman_image_create_bits(PIXMAN_b8g8r8, width, height, NULL, 0);
    g_auto(Fd) fd = -1;
    FILE *out;
    bool ok;

    if (rgb == NULL) {
        error_set_errno(error, ENOMEM, "cannot convert a picture of %d by %d", width, height);
        return false;
    }
    pixman_image_composite32(PIXMAN_OP_SRC, image, NULL, rgb, 0, 0, 0, 0, 0, 0, width, height);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (out == NULL) {
        error_set_errno(error, errno, "cannot open '%s'", path);
        return false;
    }
    fd_steal(&fd);
    errno = 0;
    ok = format == SCREENDUMP_PNG ? write_png(out, rgb) : write_ppm(out, rgb);
    if (fclose(out) != 0 || !ok) {
        error_set_errno(error, errno != 0 ? errno : EIO, "cannot write '%s'", path);
        return false;
    }
    return true;
}
