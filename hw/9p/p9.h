/* SPDX-License-Identifier: GPL-2.0-or-later
 * A 9P server: one session over one file system back end. It serves messages that lie in scatter
 * lists and knows nothing of what carries them (hw/9p/virtio-9p.c does); Tversion and Tflush, which
 * have to do with other messages in flight, are served with that carrier's help.
 *
 * Threads: p9_serve() [any], for several messages at a time; the rest while none is served.
 */
#pragma once

#include "fsdev/fsdev.h"

typedef struct P9Session P9Session;

typedef struct {
    const struct iovec *out; /* the message; may change while it is read */
    unsigned n_out;
    uint64_t out_size;
    const struct iovec *in; /* room for the reply */
    unsigned n_in;
    uint64_t in_size;
    FsCall *call; /* cancelled: the client gave the message up */

    uint32_t size; /* set by p9_read_header() */
    uint8_t type;
    uint16_t tag;

    uint32_t reply_size; /* set by p9_serve(); 0: given up, there is no reply */
} P9Message;

/* fs is referenced. */
P9Session *p9_session_new(FsDev *fs);
void p9_session_free(P9Session *s);
/* Forgets all fids and what was negotiated. */
void p9_session_reset(P9Session *s);

/* FALSE: there is no room for a header on either side. To be called first, once. */
bool p9_read_header(P9Message *m);
/* Serves m, blocking, and writes the reply. A Tversion while no other message is being served.
 * FALSE: not even an error fits into the room for the reply. */
bool p9_serve(P9Session *s, P9Message *m);
/* Tflush: the tag that is given up. FALSE: the message is too short, p9_serve() says so. */
bool p9_flushed_tag(const P9Message *m, uint16_t *tag);
