/* SPDX-License-Identifier: GPL-2.0-or-later
 * A connection to an NBD server with any number of requests of any threads in flight. nbd.c makes a
 * disk of it.
 */
#pragma once

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "nbd-lib.h"

typedef struct {
    struct nbd_handle *nbd; /* used under the lock; NULL once the server was given up */
    int wake_fd;
    GThread *thread;

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    bool dead, stopping;
    GPtrArray *requests; /* of NbdRequest: in flight */
    int64_t progress;    /* when an answer came, or the first of these requests went out; in ms */
} NbdLink;

/* Commands of which all must be answered. The caller's, between nbd_request_begin() and _end(). */
typedef struct {
    NbdLink *link;
    unsigned pending;
    int result; /* 0, or -errno of one that failed */
} NbdRequest;

/* Takes nbd, which is connected. */
bool nbd_link_start(NbdLink *link, struct nbd_handle *nbd, GError **error);
/* No request is in flight. Closes the connection. */
void nbd_link_stop(NbdLink *link);

/* Takes the lock: what is sent until nbd_request_end() belongs to the request. */
void nbd_request_begin(NbdRequest *r, NbdLink *link);
/* Whether the next command can be sent. */
static inline bool nbd_request_ok(const NbdRequest *r)
{
    return !r->link->dead && r->result == 0;
}
/* For the completion argument of a nbd_aio_ function. */
nbd_completion_callback nbd_request_callback(NbdRequest *r);
/* Notes what that function returned. */
void nbd_request_sent(NbdRequest *r, int64_t cookie);
/* Waits for all answers and releases the lock. 0 or -errno. */
int nbd_request_end(NbdRequest *r);
