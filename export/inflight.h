/* SPDX-License-Identifier: GPL-2.0-or-later
 * The file with the records of what an export's queues have in flight (virtio_queue_set_log()), so
 * that a process that takes a device over from one that died knows what to serve again.
 *
 * Threads: [main] but for the records themselves.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Inflight Inflight;

/* What the device is; of a record that was left behind, it must be the same. */
typedef struct {
    uint32_t device_id, n_queues, queue_size;
    uint64_t features;
} InflightShape;

/* Where the record of the device called name is, unless something else is said. New string. */
char *inflight_default_path(const char *name);
/* A new one, empty; an old file of that name is removed. NULL: HOST error. */
Inflight *inflight_create(const char *path, const InflightShape *shape, GError **error);
/* The one that was left behind. NULL: *error says what is wrong with it. */
Inflight *inflight_open(const char *path, const InflightShape *shape, GError **error);
void inflight_close(Inflight *log);              /* the file stays; NULL is fine */
void inflight_remove(Inflight *log);             /* and closes it; NULL is fine */
void *inflight_queue(Inflight *log, unsigned n); /* the record of a queue */
