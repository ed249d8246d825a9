/* SPDX-License-Identifier: GPL-2.0-or-later
 * 'vm create-partition': an empty image of a size, as Android's tool makes it. A file that is there
 * already is not touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/props.h"
#include "verbs.h"

enum { SECTOR = 512 };

static bool parse_size(const char *text, uint64_t *size, GError **error)
{
    if (!props_parse_size(text, 0, size, error)) {
        return false;
    }
    if (*size == 0 || *size % SECTOR != 0 || *size > INT64_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "SIZE '%s' is not a multiple of %d bytes above 0", text, SECTOR);
        return false;
    }
    return true;
}

/* Android's tool marks a partition that a VM has not formatted yet with these bytes. */
static bool mark(int fd, const char *type, const char *path, GError **error)
{
    static const char instance_magic[] = "Android-VM-instance";
    uint8_t header[SECTOR] = {};

    if (type == NULL || strcmp(type, "raw") == 0) {
        return true;
    }
    memcpy(header, instance_magic, sizeof(instance_magic) - 1);
    header[sizeof(instance_magic) - 1] = 1; /* version, 16 bits, little endian */
    if (pwrite(fd, header, sizeof(header), 0) != sizeof(header)) {
        error_set_errno(error, errno, "cannot write to '%s'", path);
        return false;
    }
    return true;
}

int run_create_partition(Request *r, GError **error)
{
    const char *path = g_ptr_array_index(r->words, 0), *text = g_ptr_array_index(r->words, 1);
    g_auto(Fd) fd = -1;
    uint64_t size;

    if (!parse_size(text, &size, error)) {
        return -1;
    }
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        error_set_errno(error, errno, "cannot make '%s'", path);
        return -1;
    }
    if (ftruncate(fd, size) < 0) {
        error_set_errno(error, errno, "cannot make '%s' %s bytes long", path, text);
        unlink(path);
        return -1;
    }
    if (!mark(fd, r->type, path, error)) {
        unlink(path);
        return -1;
    }
    return 0;
}
