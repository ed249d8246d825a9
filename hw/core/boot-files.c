/* SPDX-License-Identifier: GPL-2.0-or-later
 * See include/hw/core/boot-files.h. The order of RAM disks is a bootloader's: the vendor's, the
 * generic one, and then -initrd's, so that each can replace files of those before it.
 */
#include "hw/core/boot-files.h"

#include <string.h>

#include "hw/core/android-boot.h"
#include "hw/core/bootconfig.h"
#include "util/error.h"

enum { HEAD = 64, MAX_BOOTCONFIG = 64 << 10, CPIO_ALIGN = 4 };

void boot_files_clear(BootFiles *f)
{
    loader_close(f->kernel);
    g_clear_pointer(&f->ramdisks, g_ptr_array_unref);
    g_clear_pointer(&f->tail, g_bytes_unref);
    g_clear_pointer(&f->initrd_name, g_free);
    if (f->words != NULL) {
        g_string_free(f->words, TRUE);
    }
    *f = (BootFiles){};
}

/* What is behind the RAM disks so far; only a plain archive must be aligned (the kernel looks for
 * it at multiples of four and skips zeroes). */
static bool add_ramdisk(BootFiles *f, LoaderStream *stream, GError **error)
{
    static const uint8_t zeroes[CPIO_ALIGN];
    size_t gap = (CPIO_ALIGN - f->initrd_size % CPIO_ALIGN) % CPIO_ALIGN, got;
    char first;

    if (loader_size(stream) == 0) {
        loader_close(stream);
        return true;
    }
    g_ptr_array_add(f->ramdisks, stream);
    if (!loader_peek(stream, 0, &first, 1, &got, error)) {
        return false;
    }
    if (gap > 0 && first == '0') {
        g_ptr_array_insert(f->ramdisks, f->ramdisks->len - 1, loader_open_bytes(zeroes, gap));
        f->initrd_size += gap;
    }
    f->initrd_size += loader_size(stream);
    return true;
}

static void add_words(BootFiles *f, const char *words)
{
    if (*words != '\0') {
        g_string_append_printf(f->words, "%s%s", f->words->len > 0 ? " " : "", words);
    }
}

/* The image's RAM disks, each a stream of its own. */
static bool add_image(BootFiles *f, const char *path, const AndroidImage *image, GError **error)
{
    for (unsigned i = 0; i < image->n_ramdisks; i++) {
        LoaderStream *stream = loader_open(path, error);

        if (stream == NULL ||
            !loader_narrow(stream, image->ramdisks[i].offset, image->ramdisks[i].size, error)) {
            loader_close(stream);
            return false;
        }
        if (!add_ramdisk(f, stream, error)) {
            return false;
        }
    }
    add_words(f, image->cmdline);
    return true;
}

/* Adds size bytes of stream at offset to text, a line of its own. */
static bool add_bootconfig(GString *text, LoaderStream *stream, AndroidPart part, GError **error)
{
    gsize at = text->len;
    size_t got;

    if (part.size == 0) {
        return true;
    }
    if (part.size > MAX_BOOTCONFIG) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "bootconfig has %" G_GUINT64_FORMAT " bytes; the kernel takes at most 32767",
                    part.size);
        return false;
    }
    g_string_set_size(text, at + part.size);
    if (!loader_peek(stream, part.offset, text->str + at, part.size, &got, error)) {
        return false;
    }
    while (got > 0 && text->str[at + got - 1] == '\0') { /* padding */
        got--;
    }
    g_string_truncate(text, at + got);
    if (got > 0 && text->str[text->len - 1] != '\n') {
        g_string_append_c(text, '\n');
    }
    return true;
}

static bool open_vendor_boot(BootFiles *f, const char *path, GString *bootconfig, GError **error)
{
    g_autoptr(LoaderStream) stream = loader_open(path, error);
    AndroidImage image;

    if (stream == NULL || !android_vendor_boot_parse(stream, &image, error) ||
        !add_image(f, path, &image, error) ||
        !add_bootconfig(bootconfig, stream, image.bootconfig, error)) {
        g_prefix_error(error, "-android-boot vendor-boot=%s: ", path);
        return false;
    }
    return true;
}

static bool open_init_boot(BootFiles *f, const char *path, GError **error)
{
    g_autoptr(LoaderStream) stream = loader_open(path, error);
    AndroidImage image;

    if (stream == NULL || !android_boot_parse(stream, &image, error) ||
        !add_image(f, path, &image, error)) {
        g_prefix_error(error, "-android-boot init-boot=%s: ", path);
        return false;
    }
    return true;
}

/* The kernel itself, and what a boot image brings besides. */
static bool open_kernel(BootFiles *f, const char *path, GError **error)
{
    AndroidImage image;
    char head[HEAD];
    size_t got;

    f->kernel = loader_open(path, error);
    if (f->kernel == NULL || !loader_peek(f->kernel, 0, head, sizeof(head), &got, error)) {
        return false;
    }
    if (!android_is_boot(head, got)) {
        return true;
    }
    if (!android_boot_parse(f->kernel, &image, error)) {
        return false;
    }
    if (image.kernel.size == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "is an Android image without a kernel (an init_boot image?)");
        return false;
    }
    return add_image(f, path, &image, error) &&
           loader_narrow(f->kernel, image.kernel.offset, image.kernel.size, error);
}

static bool open_initrd(BootFiles *f, const char *path, GError **error)
{
    LoaderStream *stream = loader_open(path, error);

    if (stream == NULL || !add_ramdisk(f, stream, error)) {
        g_prefix_error(error, "-initrd %s: ", path);
        return false;
    }
    return true;
}

static bool open_bootconfig(const char *path, GString *text, GError **error)
{
    g_autoptr(LoaderStream) stream = loader_open(path, error);

    if (stream == NULL ||
        !add_bootconfig(text, stream, (AndroidPart){ 0, loader_size(stream) }, error)) {
        g_prefix_error(error, "-android-boot bootconfig=%s: ", path);
        return false;
    }
    return true;
}

/* What the text is from: one file, or two in a row. */
static bool finish_bootconfig(BootFiles *f, const MachineConfig *config, const GString *text,
                              GError **error)
{
    const char *vendor = config->vendor_boot, *own = config->bootconfig;

    if (text->len == 0) {
        return true;
    }
    if (!bootconfig_check(text->str, text->len, error)) {
        g_prefix_error(error, "-android-boot %s%s%s%s%s: ", vendor != NULL ? "vendor-boot=" : "",
                       vendor != NULL ? vendor : "", vendor != NULL && own != NULL ? "," : "",
                       own != NULL ? "bootconfig=" : "", own != NULL ? own : "");
        return false;
    }
    f->tail = bootconfig_tail(text->str, text->len, f->initrd_size);
    f->initrd_size += g_bytes_get_size(f->tail);
    add_words(f, "bootconfig");
    return true;
}

static char *name_of_initrd(const MachineConfig *config)
{
    return config->initrd != NULL ? g_strdup_printf("-initrd %s", config->initrd)
           : config->init_boot != NULL
               ? g_strdup_printf("-android-boot init-boot=%s", config->init_boot)
           : config->vendor_boot != NULL
               ? g_strdup_printf("-android-boot vendor-boot=%s", config->vendor_boot)
           : config->bootconfig != NULL
               ? g_strdup_printf("-android-boot bootconfig=%s", config->bootconfig)
               : g_strdup_printf("-kernel %s", config->kernel);
}

bool boot_files_open(const MachineConfig *config, BootFiles *f, GError **error)
{
    g_autoptr(GString) bootconfig = g_string_new(NULL);

    *f = (BootFiles){
        .ramdisks = g_ptr_array_new_with_free_func((GDestroyNotify)loader_close),
        .words = g_string_new(NULL),
        .initrd_name = name_of_initrd(config),
    };
    if (config->vendor_boot != NULL &&
        !open_vendor_boot(f, config->vendor_boot, bootconfig, error)) {
        return false;
    }
    if (!open_kernel(f, config->kernel, error)) {
        g_prefix_error(error, "-kernel %s: ", config->kernel);
        return false;
    }
    return (config->init_boot == NULL || open_init_boot(f, config->init_boot, error)) &&
           (config->initrd == NULL || open_initrd(f, config->initrd, error)) &&
           (config->bootconfig == NULL || open_bootconfig(config->bootconfig, bootconfig, error)) &&
           finish_bootconfig(f, config, bootconfig, error);
}

char *boot_files_command_line(const BootFiles *f, const char *append)
{
    if (f->words == NULL || f->words->len == 0) {
        return g_strdup(append);
    }
    return append == NULL || *append == '\0' ? g_strdup(f->words->str)
                                             : g_strconcat(f->words->str, " ", append, NULL);
}

static bool copy_initrd(BootFiles *f, const LoaderDest *dest, uint64_t at, GError **error)
{
    for (unsigned i = 0; i < f->ramdisks->len; i++) {
        LoaderStream *stream = g_ptr_array_index(f->ramdisks, i);
        uint64_t got;

        if (!loader_copy(stream, dest, at, loader_size(stream), &got, error)) {
            return false;
        }
        at += got;
    }
    return f->tail == NULL || loader_store(dest, at, g_bytes_get_data(f->tail, NULL),
                                           g_bytes_get_size(f->tail), error);
}

bool boot_files_copy_initrd(BootFiles *f, const LoaderDest *dest, uint64_t at, GError **error)
{
    if (copy_initrd(f, dest, at, error)) {
        return true;
    }
    g_prefix_error(error, "%s: ", f->initrd_name);
    return false;
}
