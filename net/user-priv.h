/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the files of -netdev user share: user.c runs the TCP/IP stack (libslirp) in its thread,
 * user-options.c reads its configuration, user-forward.c its forwarded ports.
 */
#pragma once

#include <pthread.h>
#include <slirp/libslirp.h>

#include "net-priv.h"

typedef struct {
    char *id;
    NetClient *nc;
    Slirp *slirp;
    struct in_addr guest; /* where hostfwd goes without an address */
    bool ipv6;
    pthread_mutex_t lock; /* of slirp, and what follows */
    GPtrArray *guestfwds; /* of GuestFwd */
    bool sleeping;        /* the thread, on the sockets */
    unsigned visitors;    /* in net_user_enter() */
    pthread_cond_t changed;
} UserNet;

extern const NetOps net_user_ops;

/* user.c. config is used up on return. */
NetClient *net_user_start(const char *id, const SlirpConfig *config, const char *info,
                          UserNet **user, GError **error);
UserNet *net_user_of(NetClient *nc);
/* Makes the thread look at the stack again. */
void net_user_wake(UserNet *user);
/* Takes and releases the lock around a change of the stack's sockets: the thread does not sleep on
 * one meanwhile, which would keep a closed one open. */
void net_user_enter(UserNet *user);
void net_user_leave(UserNet *user);

/* user-forward.c. [main], lock not held */
bool net_user_add_hostfwd(UserNet *user, const char *rule, GError **error);
bool net_user_add_guestfwd(UserNet *user, const char *rule, GError **error);
/* After each round of the stack: what comes from their character devices may find room again. */
void net_user_guestfwds_ready(UserNet *user);
void net_user_free_guestfwds(UserNet *user);
