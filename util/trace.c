/* SPDX-License-Identifier: GPL-2.0-or-later
 * The switches of trace events, and where their lines go.
 */
#include "util/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"

uint8_t trace_state[TRACE_N_EVENTS];

static int sink = STDERR_FILENO; /* atomic */

#define TRACE_ROW(name, help) { #name, help },
static const struct {
    const char *name, *help;
} rows[TRACE_N_EVENTS] = { TRACE_EVENTS(TRACE_ROW) };
#undef TRACE_ROW

const char *trace_name(TraceId id)
{
    return rows[id].name;
}

const char *trace_help(TraceId id)
{
    return rows[id].help;
}

unsigned trace_set(const char *pattern, bool on)
{
    unsigned n = 0;

    for (unsigned i = 0; i < TRACE_N_EVENTS; i++) {
        if (g_pattern_match_simple(pattern, rows[i].name)) {
            __atomic_store_n(&trace_state[i], on, __ATOMIC_RELAXED);
            n++;
        }
    }
    return n;
}

bool trace_is_known(const char *pattern)
{
    for (unsigned i = 0; i < TRACE_N_EVENTS; i++) {
        if (g_pattern_match_simple(pattern, rows[i].name)) {
            return true;
        }
    }
    return false;
}

bool trace_open(const char *path, GError **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);

    if (fd < 0) {
        error_set_errno(error, errno, "cannot open '%s' for writing", path);
        return false;
    }
    fd = __atomic_exchange_n(&sink, fd, __ATOMIC_RELAXED);
    if (fd != STDERR_FILENO) {
        close(fd);
    }
    return true;
}

void trace_print(TraceId id, const char *fmt, ...)
{
    g_autofree char *text = NULL, *line = NULL;
    ssize_t written;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    for (char *c = text; *c != '\0'; c++) {
        if (g_ascii_iscntrl(*c)) {
            *c = ' ';
        }
    }
    line = g_strdup_printf("%s %s\n", rows[id].name, text);
    /* One write, so that threads do not mix their lines. What does not fit is lost. */
    written = write(__atomic_load_n(&sink, __ATOMIC_RELAXED), line, strlen(line));
    (void)written;
}
