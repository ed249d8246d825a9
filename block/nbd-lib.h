/* SPDX-License-Identifier: GPL-2.0-or-later
 * libnbd, loaded when the first disk needs it: it brings GnuTLS, libxml2 and a dozen more. What
 * nbd.c and nbd-link.c call of it is listed here; include this instead of <libnbd.h>.
 */
#pragma once

#include <libnbd.h>

#include "util/lazy-lib.h"

#define NBD_FUNCTIONS(X)                                                                           \
    X(nbd_aio_flush)                                                                               \
    X(nbd_aio_get_direction)                                                                       \
    X(nbd_aio_get_fd)                                                                              \
    X(nbd_aio_is_closed)                                                                           \
    X(nbd_aio_is_dead)                                                                             \
    X(nbd_aio_notify_read)                                                                         \
    X(nbd_aio_notify_write)                                                                        \
    X(nbd_aio_pread)                                                                               \
    X(nbd_aio_pwrite)                                                                              \
    X(nbd_aio_trim)                                                                                \
    X(nbd_aio_zero)                                                                                \
    X(nbd_can_flush)                                                                               \
    X(nbd_can_trim)                                                                                \
    X(nbd_can_zero)                                                                                \
    X(nbd_close)                                                                                   \
    X(nbd_connect_socket)                                                                          \
    X(nbd_connect_tcp)                                                                             \
    X(nbd_connect_unix)                                                                            \
    X(nbd_connect_uri)                                                                             \
    X(nbd_create)                                                                                  \
    X(nbd_get_block_size)                                                                          \
    X(nbd_get_errno)                                                                               \
    X(nbd_get_error)                                                                               \
    X(nbd_get_size)                                                                                \
    X(nbd_is_read_only)                                                                            \
    X(nbd_set_export_name)                                                                         \
    X(nbd_shutdown)

extern struct {
    NBD_FUNCTIONS(LAZY_FIELD)
} nbd_lib;
bool nbd_lib_load(GError **error);

#ifndef NBD_LIB_NAMES
#define nbd_aio_flush         nbd_lib.nbd_aio_flush
#define nbd_aio_get_direction nbd_lib.nbd_aio_get_direction
#define nbd_aio_get_fd        nbd_lib.nbd_aio_get_fd
#define nbd_aio_is_closed     nbd_lib.nbd_aio_is_closed
#define nbd_aio_is_dead       nbd_lib.nbd_aio_is_dead
#define nbd_aio_notify_read   nbd_lib.nbd_aio_notify_read
#define nbd_aio_notify_write  nbd_lib.nbd_aio_notify_write
#define nbd_aio_pread         nbd_lib.nbd_aio_pread
#define nbd_aio_pwrite        nbd_lib.nbd_aio_pwrite
#define nbd_aio_trim          nbd_lib.nbd_aio_trim
#define nbd_aio_zero          nbd_lib.nbd_aio_zero
#define nbd_can_flush         nbd_lib.nbd_can_flush
#define nbd_can_trim          nbd_lib.nbd_can_trim
#define nbd_can_zero          nbd_lib.nbd_can_zero
#define nbd_close             nbd_lib.nbd_close
#define nbd_connect_socket    nbd_lib.nbd_connect_socket
#define nbd_connect_tcp       nbd_lib.nbd_connect_tcp
#define nbd_connect_unix      nbd_lib.nbd_connect_unix
#define nbd_connect_uri       nbd_lib.nbd_connect_uri
#define nbd_create            nbd_lib.nbd_create
#define nbd_get_block_size    nbd_lib.nbd_get_block_size
#define nbd_get_errno         nbd_lib.nbd_get_errno
#define nbd_get_error         nbd_lib.nbd_get_error
#define nbd_get_size          nbd_lib.nbd_get_size
#define nbd_is_read_only      nbd_lib.nbd_is_read_only
#define nbd_set_export_name   nbd_lib.nbd_set_export_name
#define nbd_shutdown          nbd_lib.nbd_shutdown
#endif
