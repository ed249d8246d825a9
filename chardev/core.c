/* SPDX-License-Identifier: GPL-2.0-or-later
 * The list of character back ends by id, the tie between one back end and its front end, and the
 * way of bytes and events between them. Option text is options.c's, descriptors are fd.c's.
 */
#include "chardev-priv.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/ioctl.h>

#include "options.h"
#include "util/error.h"

static GPtrArray *chardevs; /* of Chardev, in order of creation; [main] */
static void (*observer)(Chardev *chr, bool made);

static void chardev_free(Chardev *chr)
{
    chardev_input_stop(chr);
    chr->ops->close(chr);
    chardev_drop_fds(chr);
    g_clear_pointer(&chr->fds, g_array_unref);
    g_clear_pointer(&chr->mux, chardev_mux_free);
    chardev_log_free(chr->log);
    pthread_mutex_destroy(&chr->lock);
    g_free(chr->id);
    g_free(chr);
}

Chardev *chardev_open(const ChardevOps *ops, const char *id, bool mux, KeyVal *kv, GError **error)
{
    ChardevLog *log;
    Chardev *chr;

    if (!chardev_log_open(kv, &log, error)) {
        return NULL;
    }
    chr = g_new0(Chardev, 1);
    chr->ops = ops;
    chr->id = g_strdup(id);
    chr->log = log;
    chr->input_fd = -1;
    chr->mux = mux ? chardev_mux_new() : NULL;
    pthread_mutex_init(&chr->lock, NULL);
    if (!ops->open(chr, kv, error)) {
        chardev_free(chr);
        return NULL;
    }
    if (chardevs == NULL) {
        chardevs = g_ptr_array_new();
    }
    g_ptr_array_add(chardevs, chr);
    if (observer != NULL) {
        observer(chr, true);
    }
    return chr;
}

void chardev_set_observer(void (*fn)(Chardev *chr, bool made))
{
    observer = fn;
}

/* It is in no list any more. */
static void chardev_close(Chardev *chr)
{
    if (observer != NULL) {
        observer(chr, false);
    }
    chardev_free(chr);
}

static bool has_monitor(const Chardev *chr)
{
    return chr->mux != NULL && chardev_mux_has_monitor(chr);
}

bool chardev_remove(const char *id, GError **error)
{
    Chardev *chr = chardev_find(id);

    if (chr == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no chardev with id '%s'",
                    id);
        return false;
    }
    if (chr->frontend != NULL || has_monitor(chr)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "chardev '%s' is in use", id);
        return false;
    }
    g_ptr_array_remove(chardevs, chr);
    chardev_close(chr);
    return true;
}

static bool check_replace(const Chardev *chr, GError **error)
{
    const char *wrong = chr->mux != NULL ? "is a mux"
                        : chr->frontend != NULL && chr->frontend->replaced == NULL
                            ? "is used by a device that cannot go along"
                            : NULL;

    if (wrong != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "chardev '%s' cannot be changed: it %s", chr->id, wrong);
    }
    return wrong == NULL;
}

static void rename_to(Chardev *chr, char *id)
{
    if (observer != NULL) {
        observer(chr, false);
    }
    g_free(chr->id);
    chr->id = id;
    if (observer != NULL) {
        observer(chr, true);
    }
}

Chardev *chardev_replace(const char *id, const char *text, GError **error)
{
    Chardev *old = chardev_find(id), *chr;
    const ChardevFrontend *functions;
    void *opaque;

    if (old == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no chardev with id '%s'",
                    id);
        return NULL;
    }
    if (!check_replace(old, error)) {
        return NULL;
    }
    chr = chardev_new(text, error);
    if (chr == NULL) {
        return NULL;
    }
    functions = old->frontend;
    opaque = old->frontend_opaque;
    if (functions != NULL) {
        chardev_detach(old);
        functions->replaced(opaque, chr);
    }
    g_ptr_array_remove(chardevs, old);
    chardev_close(old);
    rename_to(chr, g_strdup(id));
    if (functions != NULL) {
        chardev_attach(chr, functions, opaque, NULL);
    }
    return chr;
}

const char *chardev_type(const Chardev *chr)
{
    return chr->ops->name;
}

void chardev_send_break(Chardev *chr)
{
    chardev_event(chr, CHARDEV_BREAK);
}

Chardev *chardev_find(const char *id)
{
    for (unsigned i = 0; chardevs != NULL && i < chardevs->len; i++) {
        Chardev *chr = g_ptr_array_index(chardevs, i);

        if (g_strcmp0(chr->id, id) == 0) {
            return chr;
        }
    }
    return NULL;
}

const char *chardev_id(const Chardev *chr)
{
    return chr->id;
}

void chardev_foreach(void (*fn)(Chardev *chr, void *opaque), void *opaque)
{
    for (unsigned i = 0; chardevs != NULL && i < chardevs->len; i++) {
        fn(g_ptr_array_index(chardevs, i), opaque);
    }
}

char *chardev_filename(const Chardev *chr)
{
    return chr->ops->describe != NULL ? chr->ops->describe(chr) : g_strdup(chr->ops->name);
}

bool chardev_is_attached(const Chardev *chr)
{
    return chr->frontend != NULL;
}

/* ---- front end ---- */

size_t chardev_frontend_room(Chardev *chr)
{
    return chr->frontend != NULL ? chr->frontend->can_receive(chr->frontend_opaque) : 0;
}

void chardev_event(Chardev *chr, ChardevEvent event)
{
    if (chr->frontend != NULL && chr->frontend->event != NULL) {
        chr->frontend->event(chr->frontend_opaque, event);
    }
}

bool chardev_get_size(const Chardev *chr, uint16_t *columns, uint16_t *rows)
{
    int fd = chr->ops->terminal != NULL ? chr->ops->terminal(chr) : -1;
    struct winsize size;

    if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0) {
        return false;
    }
    *columns = size.ws_col;
    *rows = size.ws_row;
    return true;
}

void chardev_check_size(Chardev *chr)
{
    uint16_t columns, rows;

    if (chardev_get_size(chr, &columns, &rows) && (columns != chr->columns || rows != chr->rows)) {
        chr->columns = columns;
        chr->rows = rows;
        chardev_event(chr, CHARDEV_RESIZED);
    }
}

void chardev_set_opened(Chardev *chr, bool opened)
{
    if (chr->opened == opened) {
        return;
    }
    chr->opened = opened;
    chardev_event(chr, opened ? CHARDEV_OPENED : CHARDEV_CLOSED);
    if (chr->mux != NULL) {
        chardev_mux_tell_opened(chr, opened);
    }
}

bool chardev_attach(Chardev *chr, const ChardevFrontend *functions, void *opaque, GError **error)
{
    if (chr->frontend != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "chardev '%s' is already used by another device", chr->id);
        return false;
    }
    chr->frontend = functions;
    chr->frontend_opaque = opaque;
    if (chr->opened) {
        chardev_event(chr, CHARDEV_OPENED);
    }
    chardev_input_resume(chr);
    return true;
}

void chardev_detach(Chardev *chr)
{
    chr->frontend = NULL;
    chr->frontend_opaque = NULL;
}

/* ---- bytes ---- */

size_t chardev_write(Chardev *chr, const void *buf, size_t len)
{
    size_t written;

    pthread_mutex_lock(&chr->lock);
    if (chr->log != NULL) {
        chardev_log_write(chr->log, buf, len);
    }
    if (chr->mux != NULL) {
        written = chardev_mux_write(chr, buf, len);
    } else {
        written = chr->ops->write(chr, buf, len);
    }
    chr->dropped += len - written;
    pthread_mutex_unlock(&chr->lock);
    return written;
}

size_t chardev_try_write(Chardev *chr, const void *buf, size_t len)
{
    size_t written;

    pthread_mutex_lock(&chr->lock);
    chr->impatient = true;
    if (chr->mux != NULL) {
        written = chardev_mux_write(chr, buf, len);
    } else {
        written = chr->ops->write(chr, buf, len);
    }
    chr->impatient = false;
    if (chr->log != NULL) { /* the rest comes again */
        chardev_log_write(chr->log, buf, written);
    }
    pthread_mutex_unlock(&chr->lock);
    return written;
}

GSource *chardev_output_source(Chardev *chr)
{
    int fd = -1;

    pthread_mutex_lock(&chr->lock);
    if (chr->ops->output_fd != NULL) {
        fd = chr->ops->output_fd(chr);
    }
    pthread_mutex_unlock(&chr->lock);
    return fd >= 0 ? g_unix_fd_source_new(fd, G_IO_OUT | G_IO_HUP | G_IO_ERR) : NULL;
}

void chardev_set_context(Chardev *chr, GMainContext *context)
{
    g_assert(chr->frontend == NULL && chr->mux == NULL);
    chr->context = context;
}

bool chardev_is_mux(const Chardev *chr)
{
    return chr->mux != NULL;
}

uint64_t chardev_dropped(Chardev *chr)
{
    uint64_t dropped;

    pthread_mutex_lock(&chr->lock);
    dropped = chr->dropped;
    pthread_mutex_unlock(&chr->lock);
    return dropped;
}

void chardev_cleanup(void)
{
    GPtrArray *all = g_steal_pointer(&chardevs);

    if (all == NULL) {
        return;
    }
    for (unsigned i = all->len; i-- > 0;) {
        chardev_close(g_ptr_array_index(all, i));
    }
    g_ptr_array_unref(all);
}
