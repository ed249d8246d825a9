/* SPDX-License-Identifier: GPL-2.0-or-later
 * -object rng-builtin and rng-random: where a virtio-rng gets its entropy from (rng=ID).
 */
#pragma once

#include <sys/types.h>

#include "hw/core/user-object.h"

#define TYPE_RNG_BACKEND rng_backend_get_type()
G_DECLARE_DERIVABLE_TYPE(RngBackend, rng_backend, HUMPY, RNG_BACKEND, UserObject)

struct _RngBackendClass {
    UserObjectClass parent_class;
    /* Up to len bytes, without waiting: 0 when there are none now, -1 when there will be none.
     * [any] */
    ssize_t (*read)(RngBackend *rng, void *buf, size_t len);
    /* (optional) Becomes readable when read would give bytes again. Without: read always does. */
    int (*fd)(RngBackend *rng);
};

ssize_t rng_backend_read(RngBackend *rng, void *buf, size_t len);
int rng_backend_fd(RngBackend *rng); /* or -1 */

GType rng_builtin_get_type(void);
GType rng_random_get_type(void);
