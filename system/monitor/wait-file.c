/* SPDX-License-Identifier: GPL-2.0-or-later
 * A file read while the main context is served.
 */
#include "wait-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <stdbool.h>

#include "qmp-monitor.h"
#include "runstate.h"
#include "util/error.h"
#include "util/fd.h"

enum { MAX_SIZE = 1 << 20 };

static gboolean set_ready(int fd, GIOCondition condition, gpointer ready)
{
    *(bool *)ready = true;
    return G_SOURCE_CONTINUE;
}

/* FALSE: the program is to end. Of a FIFO without a writer so far nothing is ready, not even its
 * end. */
static bool wait_readable(int fd)
{
    bool ready = false;
    guint id = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP | G_IO_ERR, set_ready, &ready);

    monitor_kick(); /* another client's command may wait since before this one began */
    while (!ready && runstate_get() == RUN_ON) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_source_remove(id);
    return ready;
}

/* TRUE: bytes were read, or the end was. */
static bool read_some(int fd, const char *path, GString *text, bool *end, GError **error)
{
    char buf[4096];
    ssize_t n = read(fd, buf, sizeof(buf));

    if (n < 0 && errno != EINTR && errno != EAGAIN) {
        error_set_errno(error, errno, "cannot read '%s'", path);
        return false;
    }
    *end = n == 0;
    if (n > 0) {
        g_string_append_len(text, buf, n);
    }
    if (text->len > MAX_SIZE) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "'%s' is longer than %d bytes", path,
                    MAX_SIZE);
        return false;
    }
    return true;
}

char *wait_file_read(const char *path, GError **error)
{
    g_auto(Fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    g_autoptr(GString) text = g_string_new(NULL);
    bool end = false;

    if (fd < 0) {
        error_set_errno(error, errno, "cannot open '%s'", path);
        return NULL;
    }
    while (!end) {
        if (!wait_readable(fd)) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                        "nobody wrote to '%s' before the end was asked for", path);
            return NULL;
        }
        if (!read_some(fd, path, text, &end, error)) {
            return NULL;
        }
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}
