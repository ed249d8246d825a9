/* SPDX-License-Identifier: GPL-2.0-or-later
 * The raw driver: a host file or block device, byte for byte. Opening, alignment rules of O_DIRECT
 * and plain requests; requests that O_DIRECT cannot take as they are go through raw-bounce.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "raw-priv.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/iov.h"

/* Where the host does not tell: no disk in use asks for more. */
enum { DIRECT_ALIGN_FALLBACK = 4096 };

static bool probe_direct(Raw *raw, const struct stat *st, const char *filename, GError **error)
{
    raw->offset_align = DIRECT_ALIGN_FALLBACK;
    raw->memory_align = DIRECT_ALIGN_FALLBACK;
    if (S_ISBLK(st->st_mode)) {
        int sector;

        if (ioctl(raw->fd, BLKSSZGET, &sector) != 0) {
            error_set_errno(error, errno, "cannot get the sector size of '%s'", filename);
            return false;
        }
        raw->offset_align = MAX(sector, BLOCK_SECTOR_SIZE);
        return true;
    }
#ifdef STATX_DIOALIGN
    struct statx stx;

    if (statx(raw->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
        (stx.stx_mask & STATX_DIOALIGN) != 0) {
        if (stx.stx_dio_offset_align == 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                        "'%s' cannot be opened with cache.direct=on: its file system has no "
                        "direct I/O",
                        filename);
            return false;
        }
        raw->offset_align = MAX(stx.stx_dio_offset_align, BLOCK_SECTOR_SIZE);
        raw->memory_align = stx.stx_dio_mem_align;
    }
#endif
    return true;
}

static bool probe_size(const Raw *raw, const struct stat *st, const char *filename, uint64_t *size,
                       GError **error)
{
    if (S_ISREG(st->st_mode)) {
        *size = st->st_size;
        return true;
    }
    if (ioctl(raw->fd, BLKGETSIZE64, size) != 0) {
        error_set_errno(error, errno, "cannot get the size of '%s'", filename);
        return false;
    }
    return true;
}

/* Opens the file; falls back to reading only if that was allowed. */
static int open_file(const BlockOptions *options, bool *read_only, GError **error)
{
    /* O_NONBLOCK: do not wait in open() for the other end of a FIFO, which is refused below. */
    int flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (options->cache_direct ? O_DIRECT : 0);
    int fd;

    *read_only = options->read_only;
    fd = open(options->filename, flags | (*read_only ? O_RDONLY : O_RDWR));
    if (fd < 0 && !*read_only && options->auto_read_only &&
        (errno == EACCES || errno == EROFS || errno == EPERM)) {
        *read_only = true;
        fd = open(options->filename, flags | O_RDONLY);
    }
    if (fd < 0 && errno == EINVAL && options->cache_direct) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "'%s' cannot be opened with cache.direct=on: its file system has no direct I/O",
                    options->filename);
    } else if (fd < 0) {
        error_set_errno(error, errno, "cannot open '%s'%s", options->filename,
                        *read_only ? "" : " for writing");
    }
    return fd;
}

static const BlockDriver raw_driver;

bool raw_open(const BlockOptions *options, BlockNode *node, GError **error)
{
    g_auto(Fd) fd = -1;
    Raw probed = { .discard_unmap = options->discard_unmap, .direct = options->cache_direct };
    bool read_only;
    struct stat st;
    uint64_t size;
    Raw *raw;

    fd = open_file(options, &read_only, error);
    if (fd < 0) {
        return false;
    }
    probed.fd = fd;
    if (fstat(fd, &st) != 0) {
        error_set_errno(error, errno, "cannot look at '%s'", options->filename);
        return false;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "'%s' is neither a regular file nor a block device", options->filename);
        return false;
    }
    probed.is_device = S_ISBLK(st.st_mode);
    if (!probe_size(&probed, &st, options->filename, &size, error)) {
        return false;
    }
    if (size > INT64_MAX - BLOCK_SECTOR_SIZE) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "'%s' is too large", options->filename);
        return false;
    }
    if (probed.direct && !probe_direct(&probed, &st, options->filename, error)) {
        return false;
    }
    if (probed.direct && !read_only && size % probed.offset_align != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "'%s' has %" G_GUINT64_FORMAT " bytes but cache.direct=on needs a multiple "
                    "of %u to write to it",
                    options->filename, size, probed.offset_align);
        return false;
    }
    if (options->locking && !raw_lock(fd, options->filename, !read_only, error)) {
        return false;
    }
    raw = g_new(Raw, 1);
    *raw = probed;
    raw->fd = fd_steal(&fd);
    raw->file_size = size;
    g_rw_lock_init(&raw->bounce_lock);
    pthread_mutex_init(&raw->plain_lock, NULL);
    pthread_cond_init(&raw->plain_ended, NULL);
    node->driver = &raw_driver;
    node->state = raw;
    node->length = ROUND_UP(size, BLOCK_SECTOR_SIZE);
    node->read_only = read_only;
    return true;
}

static void raw_close(void *state)
{
    Raw *raw = state;

    pthread_cond_destroy(&raw->plain_ended);
    pthread_mutex_destroy(&raw->plain_lock);
    g_rw_lock_clear(&raw->bounce_lock);
    close(raw->fd);
    g_free(raw);
}

int raw_transfer(Raw *raw, uint64_t offset, const struct iovec *iov, unsigned n, bool is_write)
{
    g_autofree struct iovec *rest = NULL;
    uint64_t left = iov_size(iov, n);

    while (left > 0) {
        ssize_t got = is_write ? pwritev(raw->fd, iov, MIN(n, IOV_MAX), offset)
                               : preadv(raw->fd, iov, MIN(n, IOV_MAX), offset);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        if (got == 0) {
            return is_write ? -EIO : RAW_AT_END;
        }
        offset += got;
        left -= got;
        if (left > 0) {
            if (rest == NULL) {
                rest = g_memdup2(iov, sizeof(*iov) * n);
            }
            n = iov_slice(rest, rest, n, got, left);
            iov = rest;
        }
    }
    return 0;
}

static bool is_aligned(const Raw *raw, uint64_t offset, const struct iovec *iov, unsigned n)
{
    uintptr_t memory = 0;

    if (!raw->direct) {
        return true;
    }
    for (unsigned i = 0; i < n; i++) {
        memory |= (uintptr_t)iov[i].iov_base;
        offset |= iov[i].iov_len;
    }
    return offset % raw->offset_align == 0 && memory % raw->memory_align == 0;
}

/* The part behind the file's end is zeroes; see the rule about sizes in block.h. */
static int read_tail(Raw *raw, uint64_t offset, const struct iovec *iov, unsigned n,
                     uint64_t in_file)
{
    static const uint8_t zeroes[BLOCK_SECTOR_SIZE];
    uint64_t len = iov_size(iov, n);
    g_autofree struct iovec *part = g_new(struct iovec, n);
    unsigned n_part = iov_slice(part, iov, n, 0, in_file);
    int result = 0;

    if (in_file > 0) {
        result = raw->direct ? raw_bounce_read(raw, offset, part, n_part)
                             : raw_transfer(raw, offset, part, n_part, false);
    }
    iov_from_buf(iov, n, in_file, zeroes, len - in_file);
    return result;
}

static int raw_preadv(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    Raw *raw = state;
    uint64_t end = offset + iov_size(iov, n);
    uint64_t size = __atomic_load_n(&raw->file_size, __ATOMIC_RELAXED);
    int result;

    if (end > size) {
        result = read_tail(raw, offset, iov, n, size > offset ? size - offset : 0);
    } else if (is_aligned(raw, offset, iov, n)) {
        result = raw_transfer(raw, offset, iov, n, false);
    } else {
        result = raw_bounce_read(raw, offset, iov, n);
    }
    return result == RAW_AT_END ? -EIO : result;
}

/* ---- plain transfers for io_uring ---- */

static int raw_plain_begin(void *state, uint64_t offset, const struct iovec *iov, unsigned n,
                           bool is_write)
{
    Raw *raw = state;
    uint64_t size = __atomic_load_n(&raw->file_size, __ATOMIC_RELAXED);
    bool ok = true;

    if (!is_aligned(raw, offset, iov, n) || (!is_write && offset + iov_size(iov, n) > size)) {
        return -1;
    }
    if (raw->direct && is_write) {
        pthread_mutex_lock(&raw->plain_lock);
        ok = raw->n_bounced == 0;
        raw->n_plain += ok;
        pthread_mutex_unlock(&raw->plain_lock);
    }
    return ok ? raw->fd : -1;
}

static void raw_plain_end(void *state, bool is_write, uint64_t end)
{
    Raw *raw = state;

    if (is_write && end > __atomic_load_n(&raw->file_size, __ATOMIC_RELAXED)) {
        __atomic_store_n(&raw->file_size, end, __ATOMIC_RELAXED);
    }
    if (raw->direct && is_write) {
        pthread_mutex_lock(&raw->plain_lock);
        raw->n_plain--;
        pthread_cond_broadcast(&raw->plain_ended);
        pthread_mutex_unlock(&raw->plain_lock);
    }
}

/* From here on no plain write begins, and none is left. */
static void begin_bounce(Raw *raw)
{
    pthread_mutex_lock(&raw->plain_lock);
    raw->n_bounced++;
    while (raw->n_plain > 0) {
        pthread_cond_wait(&raw->plain_ended, &raw->plain_lock);
    }
    pthread_mutex_unlock(&raw->plain_lock);
}

static void end_bounce(Raw *raw)
{
    pthread_mutex_lock(&raw->plain_lock);
    raw->n_bounced--;
    pthread_mutex_unlock(&raw->plain_lock);
}

static int raw_pwritev(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    Raw *raw = state;
    uint64_t end = offset + iov_size(iov, n);
    int result;

    if (is_aligned(raw, offset, iov, n)) {
        if (raw->direct) {
            g_rw_lock_reader_lock(&raw->bounce_lock);
        }
        result = raw_transfer(raw, offset, iov, n, true);
        if (raw->direct) {
            g_rw_lock_reader_unlock(&raw->bounce_lock);
        }
    } else {
        begin_bounce(raw);
        result = raw_bounce_write(raw, offset, iov, n);
        end_bounce(raw);
    }
    if (result == 0 && end > __atomic_load_n(&raw->file_size, __ATOMIC_RELAXED)) {
        __atomic_store_n(&raw->file_size, end, __ATOMIC_RELAXED);
    }
    return result;
}

static int raw_flush(void *state)
{
    Raw *raw = state;
    int failed = __atomic_load_n(&raw->flush_error, __ATOMIC_RELAXED);

    if (failed != 0) {
        return -failed;
    }
    if (fdatasync(raw->fd) == 0) {
        return 0;
    }
    failed = errno;
    __atomic_store_n(&raw->flush_error, failed, __ATOMIC_RELAXED);
    return -failed;
}

static bool raw_resize(void *state, uint64_t length, GError **error)
{
    Raw *raw = state;
    uint64_t size;

    if (raw->is_device) {
        if (ioctl(raw->fd, BLKGETSIZE64, &size) != 0) {
            error_set_errno(error, errno, "cannot get the size of the host device");
            return false;
        }
        if (length > size) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                        "a host device cannot be made larger than the %" G_GUINT64_FORMAT
                        " bytes it has",
                        size);
            return false;
        }
        return true;
    }
    if (ftruncate(raw->fd, length) != 0) {
        error_set_errno(error, errno, "cannot change the length of the file");
        return false;
    }
    __atomic_store_n(&raw->file_size, length, __ATOMIC_RELAXED);
    return true;
}

static bool is_unsupported(int err)
{
    return err == EOPNOTSUPP || err == ENOSYS || err == ENOTTY || err == EINVAL;
}

static int allocate(Raw *raw, int mode, uint64_t offset, uint64_t length)
{
    int result;

    do {
        result = fallocate(raw->fd, mode, offset, length);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
}

static int raw_discard(void *state, uint64_t offset, uint64_t length)
{
    Raw *raw = state;
    uint64_t range[2] = { offset, length };
    int result;

    if (!raw->discard_unmap) {
        return 0;
    }
    if (raw->is_device) {
        result = ioctl(raw->fd, BLKDISCARD, range) == 0 ? 0 : -errno;
    } else {
        result = allocate(raw, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
    }
    return is_unsupported(-result) ? 0 : result;
}

static int write_zero_bytes(Raw *raw, uint64_t offset, uint64_t length)
{
    static const uint8_t zeroes[65536] __attribute__((aligned(4096)));
    enum { PARTS = 16 };
    struct iovec iov[PARTS];

    while (length > 0) {
        uint64_t now = MIN(length, PARTS * sizeof(zeroes));
        unsigned n = 0;
        int result;

        for (uint64_t left = now; left > 0; n++) {
            iov[n].iov_base = (void *)zeroes;
            iov[n].iov_len = MIN(left, sizeof(zeroes));
            left -= iov[n].iov_len;
        }
        result = raw_pwritev(raw, offset, iov, n);
        if (result != 0) {
            return result;
        }
        offset += now;
        length -= now;
    }
    return 0;
}

static int raw_write_zeroes(void *state, uint64_t offset, uint64_t length, bool may_unmap)
{
    Raw *raw = state;
    int result;

    if (may_unmap && raw->discard_unmap) {
        result = allocate(raw, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
        if (!is_unsupported(-result)) {
            return result;
        }
    }
    result = allocate(raw, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length);
    return is_unsupported(-result) ? write_zero_bytes(raw, offset, length) : result;
}

static const BlockDriver raw_driver = {
    .name = "raw",
    .resize = raw_resize,
    .plain_begin = raw_plain_begin,
    .plain_end = raw_plain_end,
    .preadv = raw_preadv,
    .pwritev = raw_pwritev,
    .flush = raw_flush,
    .discard = raw_discard,
    .write_zeroes = raw_write_zeroes,
    .close = raw_close,
};
