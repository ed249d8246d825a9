/* SPDX-License-Identifier: GPL-2.0-or-later
 * Character back ends (-chardev): stdio, file, socket, null. One front end at a time.
 * Reading: the back end calls the front end's functions in the main context's thread.
 * Writing: [any] thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Chardev Chardev;

typedef enum {
    CHARDEV_OPENED,
    CHARDEV_CLOSED,
    CHARDEV_BREAK,   /* the user sent a break (Ctrl-A b) */
    CHARDEV_FOCUS,   /* the keyboard is with this front end of a mux from now on */
    CHARDEV_BLURRED, /* ... with the other one */
    CHARDEV_RESIZED, /* chardev_get_size() has something new to say */
} ChardevEvent;

typedef struct {
    /* [main] Bytes the front end can take now; 0 stops reading until chardev_accept_input(). */
    size_t (*can_receive)(void *opaque);
    void (*receive)(void *opaque, const uint8_t *buf, size_t len); /* len <= can_receive() */
    void (*event)(void *opaque, ChardevEvent event);               /* (optional) */
    /* (optional) It is attached to chr from now on; on return no thread of the front end's uses
     * the one before. NULL: chardev_replace() is refused. */
    void (*replaced)(void *opaque, Chardev *chr);
} ChardevFrontend;

/* "stdio,id=c0,mux=on" as typed after -chardev; id may be missing when made from -serial. */
Chardev *chardev_new(const char *text, GError **error);
/* The short forms of -serial: stdio, null, none, pty, ringbuf, file:PATH, pipe:PATH,
 * unix:PATH[,server][,nowait], tcp:…, mon:stdio, chardev:ID. NULL without *error for "none". */
Chardev *chardev_new_from_short(const char *text, const char *id, GError **error);
Chardev *chardev_find(const char *id);
const char *chardev_id(const Chardev *chr);
char *chardev_help(void);
/* Calls fn for each, oldest first. fn makes and closes none. [main] */
void chardev_foreach(void (*fn)(Chardev *chr, void *opaque), void *opaque);
/* What it is connected to, as QMP tells it: "unix:PATH,server=on", "stdio". New string. [main] */
char *chardev_filename(const Chardev *chr);
bool chardev_is_attached(const Chardev *chr); /* has a front end */
const char *chardev_type(const Chardev *chr); /* "socket" */
/* The slave's path of a pty; NULL: it is none. Borrowed. */
const char *chardev_pty_path(const Chardev *chr);
/* What a user sees at a time, in characters; FALSE: it has no size, or none that is known. [main]
 */
bool chardev_get_size(const Chardev *chr, uint16_t *columns, uint16_t *rows);
/* Closes it. FALSE: there is none of this id, or it is in use (CONFLICT). [main] */
bool chardev_remove(const char *id, GError **error);
/* Closes the one called id and opens text's back end under that id. NULL: as chardev_new(), or it
 * is a mux or its front end cannot go along; nothing has changed then. [main] */
Chardev *chardev_replace(const char *id, const char *text, GError **error);
/* Tells the front end of a break (Ctrl-A b). [main] */
void chardev_send_break(Chardev *chr);
/* fn hears of each that is made and, before it goes, of each that is closed. One at most. [main] */
void chardev_set_observer(void (*fn)(Chardev *chr, bool made));

/* ---- ringbuf ---- */
bool chardev_is_ringbuf(const Chardev *chr);
/* Takes the oldest bytes out, at most max. [any] */
GBytes *chardev_ringbuf_read(Chardev *chr, size_t max);

/* Names of the types, NULL-terminated; free the array only. */
const char **chardev_types(void);

/* FALSE (CONFLICT) if another front end holds it. functions borrowed until detach. [main] */
bool chardev_attach(Chardev *chr, const ChardevFrontend *functions, void *opaque, GError **error);
void chardev_detach(Chardev *chr);
void chardev_accept_input(Chardev *chr); /* [any] */
/* The second front end of a mux: Ctrl-A c switches the keyboard to it and back; it has the
 * keyboard, too, while there is no first one. Its can_receive is not asked. Otherwise as above. */
bool chardev_attach_monitor(Chardev *chr, const ChardevFrontend *functions, void *opaque,
                            GError **error);
void chardev_detach_monitor(Chardev *chr);

/* Writes all of buf or as much as the back end takes without blocking for long; returns bytes
 * written. A closed socket or a full file drops bytes and counts them. [any] */
size_t chardev_write(Chardev *chr, const void *buf, size_t len);

/* ---- for a front end that must not wait, or that has a thread of its own (the monitor) ---- */
/* Before attach: can_receive and receive run in the thread that serves context, events stay in
 * [main]. That thread must have ended when detach is called. Not with mux. */
void chardev_set_context(Chardev *chr, GMainContext *context);
bool chardev_is_mux(const Chardev *chr);
/* Writes what goes without waiting; what is left over is not counted as dropped. [any] */
size_t chardev_try_write(Chardev *chr, const void *buf, size_t len);
/* A source, not attached, that is ready when a chardev_try_write() may do more. NULL: nothing will
 * ever make it do more (nobody is there, or the disk is full). [any] */
GSource *chardev_output_source(Chardev *chr);
/* From now on descriptors that come over a UNIX socket (SCM_RIGHTS) are kept, a few at most. */
void chardev_keep_fds(Chardev *chr);
/* The oldest of them, now the caller's, or -1. [any] */
int chardev_take_fd(Chardev *chr);

/* Ctrl-A on a mux (or -nographic's stdio): x leaves, h helps, s, b, c switches. */
typedef void (*ChardevQuitFn)(void *opaque);
void chardev_set_quit_handler(ChardevQuitFn fn, void *opaque);

/* Bytes that writes could not get rid of. [any] */
uint64_t chardev_dropped(Chardev *chr);

/* Makes a chardev_new() that waits for a peer (socket as client, or server=on,wait=on) give up with
 * a CONFLICT error; it serves the main context while it waits, so this can come from a signal
 * source. [main]
 */
void chardev_cancel_wait(void);

/* Closes all, restores the terminal. Safe to call from an exit path more than once. */
void chardev_cleanup(void);
