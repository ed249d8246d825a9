/* SPDX-License-Identifier: GPL-2.0-or-later
 * The qtest server's line: bytes in from a character device, cut into lines, replies and
 * interrupts out, and the log of both. Each byte is looked at once, however it arrives.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../monitor/monitor-out.h"
#include "chardev/chardev.h"
#include "qtest-priv.h"
#include "qtest.h"
#include "util/error.h"

enum {
    ROOM = 1 << 20,                      /* taken from the chardev at once */
    SHORT = 512,                         /* a reply that is sent at once, with its end */
    LONGEST = 2 * QTEST_MAX_DATA + 4096, /* a write of all of it in hex */
};

static struct {
    Chardev *chr;
    MonitorOut *out;
    GByteArray *in;
    size_t seen; /* bytes of in without a newline */
    bool ready, too_long, attached;
    FILE *log;
    gint64 began;
} server;

static double elapsed(void)
{
    return (g_get_monotonic_time() - server.began) / 1e6;
}

/* ---- out ---- */

/* A line may go in parts; no other comes between. Lock order: no other lock is taken within. */
static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;

void qtest_begin_line(void)
{
    pthread_mutex_lock(&line_lock);
    if (server.log != NULL) {
        fprintf(server.log, "[S +%f] ", elapsed());
    }
}

void qtest_send_part(const char *text, size_t len)
{
    monitor_out_send(server.out, text, len);
    if (server.log != NULL) {
        fwrite(text, 1, len, server.log);
    }
}

void qtest_end_line(void)
{
    if (server.log != NULL) {
        fflush(server.log);
    }
    pthread_mutex_unlock(&line_lock);
}

void qtest_send(const char *text)
{
    char line[SHORT + 1];
    size_t len = strlen(text);

    g_assert(len < SHORT);
    memcpy(line, text, len);
    line[len] = '\n';
    pthread_mutex_lock(&line_lock);
    monitor_out_send(server.out, line, len + 1);
    if (server.log != NULL) {
        fprintf(server.log, "[S +%f] %s\n", elapsed(), text);
        fflush(server.log);
    }
    pthread_mutex_unlock(&line_lock);
}

void qtest_sendf(const char *fmt, ...)
{
    char text[SHORT];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    qtest_send(text);
}

/* ---- in ---- */

static void serve_line(char *text, size_t len)
{
    QtestLine line = {};
    char *end = text + len;

    text[len] = '\0';
    if (server.log != NULL) {
        fprintf(server.log, "[R +%f] %s\n", elapsed(), text);
        fflush(server.log);
    }
    while (line.n < QTEST_MAX_WORDS) {
        char *space = line.n + 1 < QTEST_MAX_WORDS ? memchr(text, ' ', end - text) : NULL;
        char *stop = space != NULL ? space : end;

        *stop = '\0';
        line.word[line.n] = text;
        line.len[line.n++] = stop - text;
        if (space == NULL) {
            break;
        }
        text = space + 1;
    }
    qtest_command(&line);
}

/* Serves the lines that are complete, unless the client does not take replies. */
static void serve_lines(void)
{
    size_t done = 0;

    while (server.ready && !monitor_out_is_full(server.out)) {
        char *start = (char *)server.in->data + done;
        char *newline = NULL;

        if (server.seen < server.in->len) {
            newline = memchr(server.in->data + server.seen, '\n', server.in->len - server.seen);
        }
        if (newline == NULL) {
            server.seen = server.in->len;
            break;
        }
        if (server.too_long) {
            server.too_long = false;
            qtest_sendf("FAIL line is longer than %d bytes", LONGEST);
        } else {
            serve_line(start, newline - start);
        }
        done = newline + 1 - (char *)server.in->data;
        server.seen = done;
    }
    if (done > 0) {
        g_byte_array_remove_range(server.in, 0, done);
        server.seen -= done;
    }
    if (server.seen > LONGEST) { /* what is left of it is read and forgotten */
        server.too_long = true;
        g_byte_array_set_size(server.in, 0);
        server.seen = 0;
    }
}

static size_t can_receive(void *opaque)
{
    return server.ready && !monitor_out_is_full(server.out) ? ROOM : 0;
}

void qtest_feed(const uint8_t *buf, size_t len)
{
    g_byte_array_append(server.in, buf, len);
    serve_lines();
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    qtest_feed(buf, len);
}

static void drained(void *opaque)
{
    serve_lines();
    chardev_accept_input(server.chr);
}

static void event(void *opaque, ChardevEvent what)
{
    if (what == CHARDEV_BREAK) {
        return;
    }
    g_byte_array_set_size(server.in, 0);
    server.seen = 0;
    server.too_long = false;
    qtest_forget_wires();
    if (what == CHARDEV_OPENED) {
        monitor_out_reset(server.out);
    }
    if (server.log != NULL) {
        fprintf(server.log, "[I %f] %s\n", elapsed(), what == CHARDEV_OPENED ? "OPENED" : "CLOSED");
        fflush(server.log);
    }
}

static const ChardevFrontend frontend = {
    .can_receive = can_receive,
    .receive = receive,
    .event = event,
};

/* ---- life ---- */

/* TRUE: what is written there is gone, so it need not be made. */
static bool is_null_device(FILE *file)
{
    struct stat st;

    return fstat(fileno(file), &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static bool open_log(const char *name, GError **error)
{
    if (name == NULL) {
        server.log = stderr;
    } else if (strcmp(name, "none") != 0) {
        server.log = fopen(name, "w+e");
        if (server.log == NULL) {
            error_set_errno(error, errno, "-qtest-log %s: cannot open", name);
            return false;
        }
        if (is_null_device(server.log)) {
            fclose(g_steal_pointer(&server.log));
        }
    }
    return true;
}

bool qtest_open(const VmConfig *config, GError **error)
{
    GError *cause = NULL;

    if (config->qtest == NULL) {
        return true;
    }
    server.began = g_get_monotonic_time();
    if (!open_log(config->qtest_log, error)) {
        return false;
    }
    server.chr = chardev_new_from_short(config->qtest, "qtest", &cause);
    if (cause != NULL) {
        g_propagate_prefixed_error(error, cause, "-qtest %s: ", config->qtest);
        return false;
    }
    if (server.chr == NULL) {
        return true; /* "none" */
    }
    server.in = g_byte_array_new();
    server.out = monitor_out_new(server.chr, NULL, drained, NULL);
    if (!chardev_attach(server.chr, &frontend, NULL, error)) {
        g_prefix_error(error, "-qtest %s: ", config->qtest);
        return false;
    }
    server.attached = true;
    return true;
}

void qtest_ready(void)
{
    if (server.attached) {
        server.ready = true;
        chardev_accept_input(server.chr);
    }
}

void qtest_suspend(void)
{
    server.ready = false;
    qtest_forget_wires();
}

void qtest_close(void)
{
    if (server.attached) {
        chardev_detach(server.chr);
        server.attached = false;
    }
    g_clear_pointer(&server.out, monitor_out_free);
    g_clear_pointer(&server.in, g_byte_array_unref);
    if (server.log != NULL && server.log != stderr) {
        fclose(server.log);
    }
    server.log = NULL;
}
