/* SPDX-License-Identifier: GPL-2.0-or-later
 * The nbd driver: a disk that another process or machine serves (NBD protocol), through libnbd. The
 * parts of a request go to the server together; requests of several threads follow each other. A
 * server that does not answer for a minute, or breaks the protocol, is given up: all later requests
 * fail.
 */
#include <errno.h>
#include <pthread.h>

#include "block-priv.h"
#include "nbd-lib.h"
#include "util/error.h"
#include "util/iov.h"

enum {
    NBD_TIMEOUT_MS = 60 * 1000,
    NBD_PART_MAX = 32 << 20, /* what every server takes (NBD protocol, "size constraints") */
    NBD_PARTS_MAX = 64,      /* at a time */
};

typedef struct {
    pthread_mutex_t lock; /* libnbd's handle waits for answers in one thread */
    struct nbd_handle *nbd;
    bool dead;
    bool can_flush, can_trim, can_zero;
    uint64_t part_max;
} Nbd;

static void set_nbd_error(GError **error, const char *what)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "%s: %s", what, nbd_get_error());
}

/* ---- requests; all under the lock ---- */

/* 0 or -errno of the last libnbd call that failed. */
static int last_error(Nbd *n)
{
    int err = nbd_get_errno();

    if (nbd_aio_is_dead(n->nbd) || nbd_aio_is_closed(n->nbd)) {
        n->dead = true;
    }
    return err > 0 ? -err : -EIO;
}

/* Waits until the command is answered. */
static int wait_for(Nbd *n, int64_t cookie)
{
    for (;;) {
        int done = nbd_aio_command_completed(n->nbd, cookie);

        if (done != 0) {
            return done > 0 ? 0 : last_error(n);
        }
        done = nbd_poll(n->nbd, NBD_TIMEOUT_MS);
        if (done == 0) {
            n->dead = true; /* an answer that comes later must not find the buffer */
            nbd_close(n->nbd);
            n->nbd = NULL;
            return -ETIMEDOUT;
        }
        if (done < 0) {
            return last_error(n);
        }
    }
}

static int wait_for_all(Nbd *n, const int64_t *cookies, unsigned n_cookies)
{
    int result = 0;

    for (unsigned i = 0; i < n_cookies; i++) {
        int one = n->nbd != NULL ? wait_for(n, cookies[i]) : -ETIMEDOUT;

        result = result == 0 ? one : result;
    }
    return result;
}

static int64_t start_part(Nbd *n, char *buf, size_t len, uint64_t offset, bool is_write)
{
    return is_write ? nbd_aio_pwrite(n->nbd, buf, len, offset, NBD_NULL_COMPLETION, 0)
                    : nbd_aio_pread(n->nbd, buf, len, offset, NBD_NULL_COMPLETION, 0);
}

static int transfer(Nbd *n, uint64_t offset, const struct iovec *iov, unsigned n_iov, bool is_write)
{
    int64_t cookies[NBD_PARTS_MAX];
    unsigned in_flight = 0;
    int result = 0;

    for (unsigned i = 0; i < n_iov && result == 0; i++) {
        for (size_t at = 0; at < iov[i].iov_len && result == 0;) {
            size_t len = MIN(iov[i].iov_len - at, n->part_max);

            if (in_flight == NBD_PARTS_MAX) {
                result = wait_for_all(n, cookies, in_flight);
                in_flight = 0;
                continue;
            }
            cookies[in_flight] = start_part(n, (char *)iov[i].iov_base + at, len, offset, is_write);
            if (cookies[in_flight] < 0) {
                result = last_error(n);
                break;
            }
            in_flight++;
            at += len;
            offset += len;
        }
    }
    if (n->nbd != NULL) { /* also after an error: the server still has the buffers */
        int rest = wait_for_all(n, cookies, in_flight);

        result = result == 0 ? rest : result;
    }
    return result;
}

static int locked_transfer(Nbd *n, uint64_t offset, const struct iovec *iov, unsigned n_iov,
                           bool is_write)
{
    int result;

    pthread_mutex_lock(&n->lock);
    result = n->dead ? -ESHUTDOWN : transfer(n, offset, iov, n_iov, is_write);
    pthread_mutex_unlock(&n->lock);
    return result;
}

static int nbd_driver_preadv(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    return locked_transfer(state, offset, iov, n, false);
}

static int nbd_driver_pwritev(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    return locked_transfer(state, offset, iov, n, true);
}

/* Starts and ends one command without data. */
#define COMMAND(n, call)                                                                           \
    ({                                                                                             \
        int64_t cookie_;                                                                           \
        int result_ = -ESHUTDOWN;                                                                  \
                                                                                                   \
        pthread_mutex_lock(&(n)->lock);                                                            \
        if (!(n)->dead) {                                                                          \
            cookie_ = (call);                                                                      \
            result_ = cookie_ < 0 ? last_error(n) : wait_for(n, cookie_);                          \
        }                                                                                          \
        pthread_mutex_unlock(&(n)->lock);                                                          \
        result_;                                                                                   \
    })

static int nbd_driver_flush(void *state)
{
    Nbd *n = state;

    return n->can_flush ? COMMAND(n, nbd_aio_flush(n->nbd, NBD_NULL_COMPLETION, 0)) : 0;
}

static int nbd_driver_discard(void *state, uint64_t offset, uint64_t length)
{
    Nbd *n = state;
    int result = 0;

    while (n->can_trim && length > 0 && result == 0) {
        uint64_t now = MIN(length, NBD_PART_MAX);

        result = COMMAND(n, nbd_aio_trim(n->nbd, now, offset, NBD_NULL_COMPLETION, 0));
        offset += now;
        length -= now;
    }
    return result;
}

static int nbd_driver_write_zeroes(void *state, uint64_t offset, uint64_t length, bool may_unmap)
{
    static const uint8_t zeroes[65536];
    uint32_t flags = may_unmap ? 0 : LIBNBD_CMD_FLAG_NO_HOLE;
    Nbd *n = state;
    int result = 0;

    while (length > 0 && result == 0) {
        uint64_t now = MIN(length, n->can_zero ? NBD_PART_MAX : sizeof(zeroes));
        struct iovec part = { (void *)zeroes, now };

        result = n->can_zero
                     ? COMMAND(n, nbd_aio_zero(n->nbd, now, offset, NBD_NULL_COMPLETION, flags))
                     : locked_transfer(n, offset, &part, 1, true);
        offset += now;
        length -= now;
    }
    return result;
}

static void nbd_driver_close(void *state)
{
    Nbd *n = state;

    if (n->nbd != NULL) {
        if (!n->dead) {
            nbd_shutdown(n->nbd, 0);
        }
        nbd_close(n->nbd);
    }
    pthread_mutex_destroy(&n->lock);
    g_free(n);
}

static const BlockDriver nbd_driver = {
    .name = "nbd",
    .preadv = nbd_driver_preadv,
    .pwritev = nbd_driver_pwritev,
    .flush = nbd_driver_flush,
    .discard = nbd_driver_discard,
    .write_zeroes = nbd_driver_write_zeroes,
    .close = nbd_driver_close,
};

/* ---- opening ---- */

static bool connect_server(struct nbd_handle *nbd, const BlockOptions *o, GError **error)
{
    int result;

    if (o->nbd_export != NULL && nbd_set_export_name(nbd, o->nbd_export) != 0) {
        set_nbd_error(error, "cannot use the export name");
        return false;
    }
    if (o->filename != NULL) {
        result = nbd_connect_uri(nbd, o->filename);
    } else if (o->nbd_path != NULL) {
        result = nbd_connect_unix(nbd, o->nbd_path);
    } else {
        result = nbd_connect_tcp(nbd, o->nbd_host, o->nbd_port);
    }
    if (result != 0) {
        set_nbd_error(error, "cannot connect to the NBD server");
    }
    return result == 0;
}

static bool check_server(Nbd *n, int64_t *size, GError **error)
{
    int64_t block = nbd_get_block_size(n->nbd, LIBNBD_SIZE_MINIMUM);
    int64_t max = nbd_get_block_size(n->nbd, LIBNBD_SIZE_MAXIMUM);

    *size = nbd_get_size(n->nbd);
    if (*size < 0) {
        set_nbd_error(error, "cannot get the size of the NBD export");
        return false;
    }
    if (block > BLOCK_SECTOR_SIZE || *size % BLOCK_SECTOR_SIZE != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "the NBD export has %" G_GINT64_FORMAT " bytes in blocks of %" G_GINT64_FORMAT
                    ", but multiples and blocks of %d are needed",
                    *size, block, BLOCK_SECTOR_SIZE);
        return false;
    }
    n->part_max = max > BLOCK_SECTOR_SIZE ? MIN(max, NBD_PART_MAX) : NBD_PART_MAX;
    n->part_max -= n->part_max % BLOCK_SECTOR_SIZE;
    n->can_flush = nbd_can_flush(n->nbd) == 1;
    n->can_trim = nbd_can_trim(n->nbd) == 1;
    n->can_zero = nbd_can_zero(n->nbd) == 1;
    return true;
}

bool nbd_open(const BlockOptions *options, BlockNode *node, GError **error)
{
    struct nbd_handle *nbd;
    bool read_only;
    int64_t size;
    Nbd *n;

    if (!nbd_lib_load(error)) {
        return false;
    }
    nbd = nbd_create();
    if (nbd == NULL) {
        set_nbd_error(error, "cannot use libnbd");
        return false;
    }
    if (!connect_server(nbd, options, error)) {
        nbd_close(nbd);
        return false;
    }
    n = g_new0(Nbd, 1);
    n->nbd = nbd;
    pthread_mutex_init(&n->lock, NULL);
    read_only = nbd_is_read_only(nbd) != 0;
    if (!check_server(n, &size, error)) {
        nbd_driver_close(n);
        return false;
    }
    if (read_only && !options->read_only && !options->auto_read_only) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "the NBD export is read-only (read-only=on uses it so)");
        nbd_driver_close(n);
        return false;
    }
    *node = (BlockNode){ .driver = &nbd_driver,
                         .state = n,
                         .length = size,
                         .read_only = options->read_only || read_only };
    return true;
}
