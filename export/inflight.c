/* SPDX-License-Identifier: GPL-2.0-or-later
 * See inflight.h. The file is on a file system in memory by default: it has to outlive the process,
 * and the kernel's device does not outlive the kernel either.
 */
#include "inflight.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/virtio/virtio-transport.h"
#include "util/error.h"
#include "util/fd.h"

#define INFLIGHT_MAGIC 0x3151565948504d55ull

typedef struct {
    uint64_t magic; /* written last */
    InflightShape shape;
} Header;

struct Inflight {
    char *path;
    int fd;
    uint8_t *map;
    size_t len, stride;
};

enum { ALIGN = 64 };

static size_t aligned(size_t len)
{
    return (len + ALIGN - 1) / ALIGN * ALIGN;
}

char *inflight_default_path(const char *name)
{
    return g_strdup_printf("/dev/shm/humpy-vduse-%s", name);
}

static Inflight *map_file(const char *path, int fd, const InflightShape *shape, GError **error)
{
    g_autofree Inflight *log = g_new0(Inflight, 1);

    log->stride = aligned(virtio_queue_log_size(shape->queue_size));
    log->len = aligned(sizeof(Header)) + log->stride * shape->n_queues;
    log->map = mmap(NULL, log->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (log->map == MAP_FAILED) {
        error_set_errno(error, errno, "cannot map %s", path);
        return NULL;
    }
    log->path = g_strdup(path);
    log->fd = fd;
    return g_steal_pointer(&log);
}

static size_t file_size(const InflightShape *shape)
{
    return aligned(sizeof(Header)) +
           aligned(virtio_queue_log_size(shape->queue_size)) * shape->n_queues;
}

/* Whatever is at path now may be removed: nothing, a record, or the beginning of one. */
static bool may_replace(const char *path, const InflightShape *shape, GError **error)
{
    g_auto(Fd) fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    uint64_t magic = 0;
    struct stat st;

    if (fd < 0 && errno == ENOENT) {
        return true;
    }
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        pread(fd, &magic, sizeof(magic), 0) >= 0 &&
        (magic == INFLIGHT_MAGIC || st.st_size == 0 ||
         (magic == 0 && (size_t)st.st_size == file_size(shape)))) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                "%s is there already and is no record of requests", path);
    return false;
}

Inflight *inflight_create(const char *path, const InflightShape *shape, GError **error)
{
    g_auto(Fd) fd = -1;
    Inflight *log;
    Header *header;
    int err;

    if (!may_replace(path, shape, error)) {
        return NULL;
    }
    if (unlink(path) < 0 && errno != ENOENT) {
        error_set_errno(error, errno, "cannot replace %s", path);
        return NULL;
    }
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set_errno(error, errno, "cannot make %s", path);
        return NULL;
    }
    err = posix_fallocate(fd, 0, file_size(shape)); /* a store into it must not fail later */
    if (err != 0) {
        error_set_errno(error, err, "cannot size %s", path);
        unlink(path);
        return NULL;
    }
    log = map_file(path, fd, shape, error);
    if (log == NULL) {
        unlink(path);
        return NULL;
    }
    fd_steal(&fd);
    header = (Header *)log->map;
    header->shape = *shape;
    __atomic_store_n(&header->magic, INFLIGHT_MAGIC, __ATOMIC_SEQ_CST);
    return log;
}

/* What somebody else may have put there is not trusted. */
static const char *check_file(int fd, const InflightShape *shape)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        return "is not a file";
    }
    if (st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
        return "may be written by other users";
    }
    if ((size_t)st.st_size != file_size(shape)) {
        return "is of an export with other settings";
    }
    return NULL;
}

static const char *check_header(const Header *header, const InflightShape *shape)
{
    if (header->magic != INFLIGHT_MAGIC) {
        return "is no record of requests";
    }
    if (header->shape.device_id != shape->device_id || header->shape.n_queues != shape->n_queues ||
        header->shape.queue_size != shape->queue_size ||
        header->shape.features != shape->features) {
        return "is of an export with other settings";
    }
    return NULL;
}

Inflight *inflight_open(const char *path, const InflightShape *shape, GError **error)
{
    g_auto(Fd) fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    const char *wrong;
    Inflight *log = NULL;

    if (fd < 0) {
        error_set_errno(error, errno, "cannot open %s", path);
        return NULL;
    }
    wrong = check_file(fd, shape);
    if (wrong == NULL) {
        log = map_file(path, fd, shape, error);
        if (log == NULL) {
            return NULL;
        }
        fd_steal(&fd);
        wrong = check_header((Header *)log->map, shape);
    }
    if (wrong != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "%s %s", path, wrong);
        inflight_close(log);
        return NULL;
    }
    return log;
}

void inflight_close(Inflight *log)
{
    if (log == NULL) {
        return;
    }
    munmap(log->map, log->len);
    fd_clear(&log->fd);
    g_free(log->path);
    g_free(log);
}

void inflight_remove(Inflight *log)
{
    if (log != NULL) {
        unlink(log->path);
        inflight_close(log);
    }
}

void *inflight_queue(Inflight *log, unsigned n)
{
    return log->map + aligned(sizeof(Header)) + log->stride * n;
}
