/* SPDX-License-Identifier: GPL-2.0-or-later
 * See overlay-priv.h.
 */
#include "overlay-priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/iov.h"

enum {
    PAGE = 4096,
    BITMAP_OFFSET = PAGE,
    DATA_ALIGN = 1 << 20,
    VERSION = 1,
    AT_VERSION = 8,
    AT_CLUSTER = 12,
    AT_LENGTH = 16,
    HEADER = 24,
};
static const uint64_t max_length = (uint64_t)64 << 40;
static const char magic[8] = "HUMPYOVL";

/* ---- bytes ---- */

void overlay_set(Overlay *o, uint64_t cluster)
{
    o->bitmap[cluster / 8] |= 1 << cluster % 8;
    o->dirty[cluster / 8 / PAGE] = 1;
}

int overlay_transfer(Overlay *o, uint64_t offset, const struct iovec *iov, unsigned n,
                     bool is_write)
{
    enum { MAX_PARTS = 64 };
    uint64_t length = iov_size(iov, n), done = 0;
    struct iovec part[MAX_PARTS];

    while (done < length) {
        uint64_t skipped = 0;
        unsigned first = 0, used;
        ssize_t got;

        while (skipped + iov[first].iov_len <= done) {
            skipped += iov[first++].iov_len;
        }
        used = iov_slice(part, iov + first, MIN(n - first, MAX_PARTS), done - skipped, length);
        got = is_write ? pwritev(o->fd, part, used, o->data_offset + offset + done)
                       : preadv(o->fd, part, used, o->data_offset + offset + done);
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        if (got == 0) {
            return -EIO; /* the file was cut short */
        }
        done += MAX(got, 0);
    }
    return 0;
}

int overlay_zero(Overlay *o, uint64_t offset, uint64_t length)
{
    static const uint8_t zeroes[OVERLAY_CLUSTER];
    int result = 0;

    if (fallocate(o->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, o->data_offset + offset,
                  length) == 0) {
        return 0;
    }
    while (length > 0 && result == 0) {
        struct iovec iov = { (void *)zeroes, MIN(length, sizeof(zeroes)) };

        result = overlay_transfer(o, offset, &iov, 1, true);
        offset += iov.iov_len;
        length -= iov.iov_len;
    }
    return result;
}

/* ---- stable storage ---- */

/* Copies of the pages that changed, so that the bits are those whose data is written by now. */
static GArray *take_dirty(Overlay *o, uint8_t **copy)
{
    GArray *pages = g_array_new(FALSE, FALSE, sizeof(uint64_t));

    pthread_rwlock_wrlock(&o->lock);
    for (uint64_t i = 0; i < o->bitmap_size / PAGE; i++) {
        if (o->dirty[i]) {
            g_array_append_val(pages, i);
            o->dirty[i] = 0;
        }
    }
    *copy = g_malloc(MAX((gsize)pages->len * PAGE, 1));
    for (unsigned i = 0; i < pages->len; i++) {
        memcpy(*copy + (gsize)i * PAGE, o->bitmap + g_array_index(pages, uint64_t, i) * PAGE, PAGE);
    }
    pthread_rwlock_unlock(&o->lock);
    return pages;
}

static int sync_now(Overlay *o)
{
    g_autofree uint8_t *copy = NULL;
    g_autoptr(GArray) pages = take_dirty(o, &copy);
    int result = fdatasync(o->fd) < 0 ? -errno : 0;

    for (unsigned i = 0; i < pages->len && result == 0; i++) {
        result = block_write_at(o->fd, BITMAP_OFFSET + g_array_index(pages, uint64_t, i) * PAGE,
                                copy + (gsize)i * PAGE, PAGE);
    }
    if (result == 0 && pages->len > 0 && fdatasync(o->fd) < 0) {
        result = -errno;
    }
    return result;
}

int overlay_sync(Overlay *o)
{
    int result;

    if (o->temporary) {
        return 0; /* nothing of it outlives the program */
    }
    pthread_mutex_lock(&o->sync_lock);
    if (o->sync_error == 0) {
        o->sync_error = sync_now(o);
    }
    result = o->sync_error;
    pthread_mutex_unlock(&o->sync_lock);
    return result;
}

/* ---- opening ---- */

/* Without a name from the start, where the file system can: a name would outlive who is killed. */
static int open_temporary(GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *name = NULL;
    int fd = open(g_get_tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0) {
        return fd;
    }
    fd = g_file_open_tmp("humpy-overlay-XXXXXX", &name, &cause);
    if (fd < 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "cannot make a temporary file (TMPDIR names the directory): %s",
                    cause->message);
        return -1;
    }
    unlink(name);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

/* The header goes first: check_header() knows a file whose making ended there. */
static bool write_header(Overlay *o, const char *filename, GError **error)
{
    uint8_t header[HEADER] = {};
    int result;

    memcpy(header, magic, sizeof(magic));
    put_le(header + AT_VERSION, 4, VERSION);
    put_le(header + AT_CLUSTER, 4, OVERLAY_CLUSTER);
    put_le(header + AT_LENGTH, 8, o->length);
    result = block_write_at(o->fd, 0, header, sizeof(header));
    if (result == 0 && ftruncate(o->fd, o->data_offset + o->length) < 0) {
        result = -errno;
    }
    if (result != 0) {
        error_set_errno(error, -result, "cannot write to the overlay '%s'", filename);
    }
    return result == 0;
}

static bool check_header(Overlay *o, const char *filename, uint64_t size, GError **error)
{
    uint8_t header[HEADER], expected[HEADER] = {};
    int result;

    memcpy(expected, magic, sizeof(magic));
    put_le(expected + AT_VERSION, 4, VERSION);
    put_le(expected + AT_CLUSTER, 4, OVERLAY_CLUSTER);
    put_le(expected + AT_LENGTH, 8, o->length);
    if (size < HEADER || block_read_at(o->fd, 0, header, sizeof(header)) != 0 ||
        memcmp(header, expected, AT_LENGTH) != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "'%s' is not an overlay (a file that does not exist yet becomes one)",
                    filename);
        return false;
    }
    if (memcmp(header + AT_LENGTH, expected + AT_LENGTH, HEADER - AT_LENGTH) != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "'%s' was made for an image of another size than %" G_GUINT64_FORMAT " bytes",
                    filename, o->length);
        return false;
    }
    if (size == HEADER) {
        return write_header(o, filename, error);
    }
    if (size < o->data_offset + o->length) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "'%s' is cut short", filename);
        return false;
    }
    result = block_read_at(o->fd, BITMAP_OFFSET, o->bitmap, o->bitmap_size);
    if (result != 0) {
        error_set_errno(error, -result, "cannot read the overlay '%s'", filename);
    }
    return result == 0;
}

static bool open_named(Overlay *o, const BlockOptions *options, GError **error)
{
    struct stat st;

    o->fd = open(options->filename, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (o->fd < 0 || fstat(o->fd, &st) < 0) {
        error_set_errno(error, errno, "cannot open the overlay '%s'", options->filename);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "the overlay '%s' is not a regular file",
                    options->filename);
        return false;
    }
    if (options->locking && !raw_lock(o->fd, options->filename, true, error)) {
        return false;
    }
    return st.st_size == 0 ? write_header(o, options->filename, error)
                           : check_header(o, options->filename, st.st_size, error);
}

bool overlay_file_open(Overlay *o, const BlockOptions *options, GError **error)
{
    uint64_t clusters = (o->length + OVERLAY_CLUSTER - 1) / OVERLAY_CLUSTER;

    if (o->length > max_length) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "the image has %" G_GUINT64_FORMAT
                    " bytes; there are overlays for at most 64 TiB",
                    o->length);
        return false;
    }
    o->bitmap_size = (clusters / 8 + PAGE) / PAGE * PAGE;
    o->data_offset = (BITMAP_OFFSET + o->bitmap_size + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
    o->bitmap = g_malloc0(o->bitmap_size);
    o->dirty = g_malloc0(o->bitmap_size / PAGE);
    if (!o->temporary) {
        return open_named(o, options, error);
    }
    o->fd = open_temporary(error);
    return o->fd >= 0 && write_header(o, "(temporary)", error);
}

void overlay_file_close(Overlay *o)
{
    fd_clear(&o->fd);
    g_free(o->bitmap);
    g_free(o->dirty);
}
