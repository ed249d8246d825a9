/* SPDX-License-Identifier: GPL-2.0-or-later
 * A thread that waits for file descriptors to become readable and calls a handler for each:
 * where virtio queues are served, away from the vCPUs.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct IoThread IoThread;

/* Called in the thread each time fd is readable; reads it empty. */
typedef void (*IoThreadFn)(void *opaque);

/* Starts the thread; it may use the memory API. NULL: HOST error. [any] */
IoThread *iothread_new(const char *name, GError **error);
/* Joins the thread. No handler is left; not from the thread itself. NULL is fine. */
void iothread_free(IoThread *thread);

/* The host's number of the thread. [any] */
pid_t iothread_tid(IoThread *thread);

/* Watches fd, which stays the caller's. Returns an id, or 0 with *error (HOST). [any] */
uint64_t iothread_watch(IoThread *thread, int fd, IoThreadFn fn, void *opaque, GError **error);
/* Ends a watch. On return its handler does not run and will not; a handler may end watches,
 * itself included. id 0 is fine. [any] */
void iothread_unwatch(IoThread *thread, uint64_t id);
