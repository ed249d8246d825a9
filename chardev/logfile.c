/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a device writes, whatever becomes of it in the back end, in a file as well (logfile=). With
 * logrotate-size= the file is at most so long: when it is full it becomes PATH.1, what was PATH.1
 * becomes PATH.2, and so on; the last of logrotate-count= goes. No byte is lost or written twice by
 * that, and the order is PATH.N, ..., PATH.1, PATH. Every call has the chardev's lock, or is the
 * only one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chardev-priv.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/props.h"

enum {
    MIN_SIZE = 512, /* shorter files would be renaming and little else */
    MAX_COUNT = 1000,
    DEFAULT_COUNT = 4,
};

struct ChardevLog {
    char *path; /* absolute: the program may move */
    Fd fd;
    uint64_t size, max_size; /* max_size 0: no end */
    unsigned count;
    bool warned;
};

static bool parse_rotation(ChardevLog *log, KeyVal *kv, GError **error)
{
    const char *size = keyval_take(kv, "logrotate-size"),
               *count = keyval_take(kv, "logrotate-count");
    uint64_t n = DEFAULT_COUNT;

    if (size == NULL && count != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "logrotate-count needs logrotate-size");
        return false;
    }
    if (size != NULL && !props_parse_size(size, '\0', &log->max_size, error)) {
        g_prefix_error(error, "logrotate-size: ");
        return false;
    }
    if (size != NULL && log->max_size < MIN_SIZE) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "logrotate-size is '%s' but must be %d or more", size, MIN_SIZE);
        return false;
    }
    if (count != NULL && (!props_parse_u64(count, &n, NULL) || n < 1 || n > MAX_COUNT)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "logrotate-count is '%s' but must be 1 to %d", count, MAX_COUNT);
        return false;
    }
    log->count = n;
    return true;
}

/* O_NONBLOCK: a FIFO that nobody reads is an error, not something to wait for. */
static int open_file(const ChardevLog *log, int how)
{
    return open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | how,
                0666);
}

static bool open_first(ChardevLog *log, bool append, GError **error)
{
    struct stat st;

    log->fd = open_file(log, append ? 0 : O_TRUNC);
    if (log->fd < 0 || fstat(log->fd, &st) < 0) {
        error_set_errno(error, errno, "logfile: cannot open '%s' for writing", log->path);
        return false;
    }
    if (log->max_size > 0 && !S_ISREG(st.st_mode)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "logfile: '%s' is no regular file, which logrotate-size needs", log->path);
        return false;
    }
    log->size = S_ISREG(st.st_mode) ? st.st_size : 0;
    return true;
}

bool chardev_log_open(KeyVal *kv, ChardevLog **opened, GError **error)
{
    static const char *const keys[] = { "logappend", "logrotate-size", "logrotate-count" };
    const char *path = keyval_take(kv, "logfile");
    ChardevLog *log;
    bool append = false;

    *opened = NULL;
    for (unsigned i = 0; path == NULL && i < G_N_ELEMENTS(keys); i++) {
        if (keyval_get(kv, keys[i]) != NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "%s needs logfile", keys[i]);
            return false;
        }
    }
    if (path == NULL) {
        return true;
    }
    if (!keyval_take_bool(kv, "logappend", &append, error)) {
        return false;
    }
    log = g_new0(ChardevLog, 1);
    log->path = g_canonicalize_filename(path, NULL);
    log->fd = -1;
    if (!parse_rotation(log, kv, error) || !open_first(log, append, error)) {
        chardev_log_free(log);
        return false;
    }
    *opened = log;
    return true;
}

void chardev_log_free(ChardevLog *log)
{
    if (log != NULL) {
        fd_clear(&log->fd);
        g_free(log->path);
        g_free(log);
    }
}

static char *name_of(const ChardevLog *log, unsigned n)
{
    return n == 0 ? g_strdup(log->path) : g_strdup_printf("%s.%u", log->path, n);
}

static void warn_once(ChardevLog *log, const char *what, int cause)
{
    if (!log->warned) {
        log->warned = true;
        g_warning("logfile %s: cannot %s: %s", log->path, what, g_strerror(cause));
    }
}

/* Oldest first, so that a name is free when it is needed; killed in between, there is a gap in the
 * numbers and nothing else. */
static bool shift(ChardevLog *log)
{
    for (unsigned n = log->count; n > 0; n--) {
        g_autofree char *from = name_of(log, n - 1), *to = name_of(log, n);

        if (rename(from, to) < 0 && errno != ENOENT) {
            warn_once(log, "rename it, so it grows on", errno);
            return false;
        }
    }
    return true;
}

/* FALSE: everything is as before, and what comes is written behind what there is. */
static bool rotate(ChardevLog *log)
{
    int fd;

    if (!shift(log)) {
        return false;
    }
    fd = open_file(log, O_EXCL);
    if (fd < 0) {
        g_autofree char *back = name_of(log, 1);
        int cause = errno;

        rename(back, log->path);
        errno = cause;
        warn_once(log, "make it anew, so the old one grows on", errno);
        return false;
    }
    fd_clear(&log->fd);
    log->fd = fd;
    log->size = 0;
    return true;
}

static bool write_part(ChardevLog *log, const uint8_t *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = write(log->fd, buf, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            warn_once(log, "write to it", errno);
            return false;
        }
        buf += n;
        len -= n;
        log->size += n;
    }
    return true;
}

void chardev_log_write(ChardevLog *log, const uint8_t *buf, size_t len)
{
    while (len > 0) {
        size_t part = len;

        if (log->max_size > 0 && (log->size < log->max_size || rotate(log))) {
            part = MIN(len, log->max_size - log->size);
        }
        if (!write_part(log, buf, part)) {
            return;
        }
        buf += part;
        len -= part;
    }
}
