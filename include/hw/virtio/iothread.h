/* SPDX-License-Identifier: GPL-2.0-or-later
 * A thread that waits for file descriptors to become readable and calls a handler for each:
 * where virtio queues are served, away from the vCPUs. It looks for the next event a moment longer
 * before it sleeps, as long as that pays: see IoThreadPolling.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct IoThread IoThread;

/* Called in the thread each time fd is readable; reads it empty. */
typedef void (*IoThreadFn)(void *opaque);

/* How long a thread looks for an event before it sleeps: not at all at first and after a wait of
 * more than max_ns, else longer after each wait that was not over in that time. Whoever kicks a
 * thread that sleeps pays for waking it up, some microseconds on both sides. */
typedef struct {
    uint64_t max_ns; /* 0: never */
    uint64_t grow;   /* factor; 0: 2 */
    uint64_t shrink; /* divisor; 0: back to nothing */
} IoThreadPolling;

/* How long to look next, after a look of up to poll_ns in a wait of waited_ns. */
uint64_t iothread_next_poll_ns(const IoThreadPolling *polling, uint64_t poll_ns,
                               uint64_t waited_ns);

/* A look costs the time that it takes: no more than twice what sleeping would, so that guests with
 * as many vCPUs as there are CPUs do not lose. */
enum { IOTHREAD_POLL_MAX_NS = 8000 };

/* Starts the thread; it may use the memory API. polling may be NULL: IOTHREAD_POLL_MAX_NS and
 * zeroes. NULL: HOST error. [any] */
IoThread *iothread_new(const char *name, const IoThreadPolling *polling, GError **error);
/* Joins the thread. No handler is left; not from the thread itself. NULL is fine. */
void iothread_free(IoThread *thread);

/* The host's number of the thread. [any] */
pid_t iothread_tid(IoThread *thread);

/* Watches fd, which stays the caller's. Returns an id, or 0 with *error (HOST). [any] */
uint64_t iothread_watch(IoThread *thread, int fd, IoThreadFn fn, void *opaque, GError **error);
/* Ends a watch. On return its handler does not run and will not; a handler may end watches,
 * itself included. id 0 is fine. [any] */
void iothread_unwatch(IoThread *thread, uint64_t id);
