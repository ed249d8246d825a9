/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which driver reads a disk image: what the user says, else what its first bytes look like. A guest
 * writes the first bytes of its own disks, so looks alone never make the host read another file:
 * images that name one need the user's word. Layouts: qcow2 and QED as QEMU's docs/interop tells.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "plan.h"
#include "util/error.h"
#include "util/fd.h"

enum {
    QCOW_VERSION = 4,
    QCOW_BACKING_OFFSET = 8,
    QCOW_INCOMPATIBLE = 72,
    QCOW_INCOMPATIBLE_DATA_FILE = 1 << 2,
    QED_FEATURES = 16,
    QED_FEATURES_BACKING_FILE = 1 << 0,
    HEAD_SIZE = 512,
};

static const char *const formats[] = { "raw", "sparse", "qcow2", "vmdk", "vdi",
                                       "vpc", "vhdx",   "qed",   NULL };

static uint64_t get_be(const uint8_t *at, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

/* A backing file, or an external data file. */
static bool qcow_names_file(const uint8_t *head)
{
    return get_be(head + QCOW_BACKING_OFFSET, 8) != 0 ||
           (get_be(head + QCOW_VERSION, 4) >= 3 &&
            (get_be(head + QCOW_INCOMPATIBLE, 8) & QCOW_INCOMPATIBLE_DATA_FILE) != 0);
}

static bool qed_names_file(const uint8_t *head)
{
    return (head[QED_FEATURES] & QED_FEATURES_BACKING_FILE) != 0;
}

/* Its descriptor is a text with file names, wherever it stands. */
static bool always(const uint8_t *head)
{
    return true;
}

static const struct {
    const char *magic;
    unsigned len;
    const char *format;
    bool (*names_file)(const uint8_t *head); /* NULL: never */
} kinds[] = {
    { "\x3a\xff\x26\xed", 4, "sparse", NULL },
    { "QFI\xfb", 4, "qcow2", qcow_names_file },
    { "KDMV", 4, "vmdk", always },
    { "conectix", 8, "vpc", NULL },
    { "vhdxfile", 8, "vhdx", NULL },
    { "<<< ", 4, "vdi", NULL },
    { "QED\0", 4, "qed", qed_names_file },
};

bool plan_check_format(const char *format, GError **error)
{
    if (!g_strv_contains(formats, format)) {
        error_set_unknown(error, "format", format, formats);
        return false;
    }
    return true;
}

/* What path looks like; *names_file: other files may be read through it. */
static const char *look_at(const char *path, const char *format, bool *names_file)
{
    g_auto(Fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    uint8_t head[HEAD_SIZE] = {};

    *names_file = g_strcmp0(format, "vmdk") == 0;
    if (fd < 0 || pread(fd, head, sizeof(head), 0) < 0) {
        return "raw"; /* opening it for real says what is wrong */
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (memcmp(head, kinds[i].magic, kinds[i].len) == 0) {
            *names_file |= kinds[i].names_file != NULL && kinds[i].names_file(head);
            return kinds[i].format;
        }
    }
    return "raw";
}

bool plan_find_format(const Plan *plan, const char *name, const char *path, char **format,
                      GError **error)
{
    bool names_file;
    const char *looks = look_at(path, *format, &names_file);
    const char *used = *format != NULL ? *format : looks;

    if (strcmp(used, "raw") == 0 || strcmp(used, "sparse") == 0) {
        names_file = false; /* however it looks, what it names is only bytes */
    }
    if (names_file && plan->confine != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "'%s' is a %s image that names other files, which --confine does not allow",
                    name, used);
        return false;
    }
    if (names_file && *format == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "'%s' looks like a %s image that names other files, which a guest may have "
                    "written into it; 'format' takes it for what you say it is: %s or raw",
                    name, used, used);
        return false;
    }
    if (*format == NULL) {
        *format = g_strdup(used);
    }
    return true;
}
