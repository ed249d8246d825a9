/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the files of chardev/ share: the object, the operations of a back end type, and the helpers
 * for back ends that sit on a file descriptor. Not for other folders.
 *
 * Threads: everything runs in the main context's thread except write, which runs in any thread with
 * the object's lock held, and chardev_accept_input().
 */
#pragma once

#include <pthread.h>

#include "chardev/chardev.h"
#include "util/keyval.h"

typedef struct ChardevMux ChardevMux;
typedef struct ChardevLog ChardevLog;

typedef struct {
    const char *name;
    const char *summary;
    const char *const *keys; /* properties besides backend, id and mux; NULL-terminated */
    bool (*open)(Chardev *chr, KeyVal *kv, GError **error);
    /* [any] Bytes got rid of; what is left over is counted as dropped by the caller. */
    size_t (*write)(Chardev *chr, const uint8_t *buf, size_t len);
    /* (optional) The input descriptor came to its end. [main] */
    void (*hangup)(Chardev *chr);
    /* (optional) Where write writes to, for waiting; -1: nowhere. [lock held] */
    int (*output_fd)(const Chardev *chr);
    void (*close)(Chardev *chr); /* of a half-opened object too */
    /* (optional) What it is connected to; new string. Without: the type's name. */
    char *(*describe)(const Chardev *chr);
    /* (optional) The front end has room: for a back end that gets its input from others. [any] */
    void (*accept_input)(Chardev *chr);
    /* (optional) The descriptor of a terminal whose size is the user's, or -1. [main] */
    int (*terminal)(const Chardev *chr);
} ChardevOps;

struct Chardev {
    const ChardevOps *ops;
    char *id;
    void *state; /* of the back end */
    bool opened; /* someone is at the other end */
    const ChardevFrontend *frontend;
    void *frontend_opaque;
    ChardevMux *mux; /* NULL without mux=on */
    ChardevLog *log; /* NULL without logfile=; under lock */

    uint16_t columns, rows;          /* as the front end knows them */
    GMainContext *context;           /* that serves the input; NULL: the default one */
    int input_fd;                    /* atomic; -1: nothing to read */
    GSource *input_source;           /* touched in the context's thread only */
    GSource *gone_source;            /* the same; while the front end is full */
    bool input_running, input_again; /* the same; the source is within its callback, twice */
    int input_waiting;               /* atomic: the front end was full */

    pthread_mutex_t lock; /* of what write touches: the output side of state, stalled, dropped */
    bool is_socket;
    bool stalled;   /* the last write ran out of patience */
    bool impatient; /* this write takes only what goes at once */
    uint64_t dropped;
    bool keeps_fds;
    GArray *fds; /* of int, received and not yet taken; NULL: none so far */
};

extern const ChardevOps chardev_null_ops, chardev_file_ops, chardev_stdio_ops, chardev_socket_ops;
extern const ChardevOps chardev_hub_ops;
extern const ChardevOps chardev_memory_ops, chardev_pipe_ops, chardev_pty_ops, chardev_ringbuf_ops;

/* Value of a property that must be there and not empty, or NULL with MISSING; borrowed. */
const char *chardev_take_required(KeyVal *kv, const char *key, GError **error);

/* ---- core.c: towards the front end ---- */
void chardev_set_opened(Chardev *chr, bool opened);
void chardev_event(Chardev *chr, ChardevEvent event);
size_t chardev_frontend_room(Chardev *chr);
/* Tells the front end if the size is not what it was. [main] */
void chardev_check_size(Chardev *chr);

/* ---- fd.c ---- */
/* Reads fd whenever it is readable and the front end has room; fd stays the caller's. */
void chardev_input_start(Chardev *chr, int fd);
void chardev_input_stop(Chardev *chr);
/* Watches again if the front end has room now; in the context's thread, maybe later. */
void chardev_input_resume(Chardev *chr);
/* Writes to fd, waiting a bounded time for a slow reader; after that nothing is waited for until fd
 * is writable again. [lock held] */
size_t chardev_fd_write(Chardev *chr, int fd, const uint8_t *buf, size_t len);

/* ---- logfile.c ---- */
/* Takes logfile= and what belongs to it out of kv; *opened is NULL if it is not there. */
bool chardev_log_open(KeyVal *kv, ChardevLog **opened, GError **error);
void chardev_log_free(ChardevLog *log);
/* All of buf; what cannot be written is dropped, and warned of once. [lock held] */
void chardev_log_write(ChardevLog *log, const uint8_t *buf, size_t len);

/* ---- received.c ---- */
/* read(), which keeps descriptors that come along with the bytes. */
ssize_t chardev_receive(Chardev *chr, int fd, void *buf, size_t len);
/* Closes all that nobody took. */
void chardev_drop_fds(Chardev *chr);

/* ---- mux.c ---- */
ChardevMux *chardev_mux_new(void);
void chardev_mux_free(ChardevMux *mux);
bool chardev_mux_has_monitor(const Chardev *chr);
size_t chardev_mux_room(Chardev *chr);
/* Takes input apart into commands and what the front end gets; len <= chardev_mux_room(). */
void chardev_mux_input(Chardev *chr, const uint8_t *buf, size_t len);
void chardev_mux_tell_opened(Chardev *chr, bool opened); /* the monitor on it */
/* Hands on what was kept back. */
void chardev_mux_flush(Chardev *chr);
/* Output with time stamps, if they are on. [lock held] */
size_t chardev_mux_write(Chardev *chr, const uint8_t *buf, size_t len);
