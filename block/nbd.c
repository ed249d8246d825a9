/* SPDX-License-Identifier: GPL-2.0-or-later
 * The nbd driver: a disk that another process or machine serves (NBD protocol), through libnbd. How
 * requests travel is nbd-link.c. A server that does not answer for a minute, or breaks the
 * protocol, is given up: all later requests fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "block-priv.h"
#include "nbd-link.h"
#include "nbd-serve.h"
#include "util/error.h"
#include "util/fd.h"

enum { NBD_PART_MAX = 32 << 20 }; /* what every server takes (NBD protocol, "size constraints") */

typedef struct {
    NbdLink link;
    NbdServer server; /* SERVED: ours */
    bool can_flush, can_trim, can_zero;
    uint64_t part_max;
} Nbd;

static void set_nbd_error(GError **error, const char *what)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "%s: %s", what, nbd_get_error());
}

/* ---- requests ---- */

static int64_t send_part(NbdRequest *r, void *buf, size_t len, uint64_t offset, bool is_write)
{
    struct nbd_handle *nbd = r->link->nbd;

    return is_write ? nbd_aio_pwrite(nbd, buf, len, offset, nbd_request_callback(r), 0)
                    : nbd_aio_pread(nbd, buf, len, offset, nbd_request_callback(r), 0);
}

static int transfer(Nbd *n, uint64_t offset, const struct iovec *iov, unsigned n_iov, bool is_write)
{
    NbdRequest r;

    nbd_request_begin(&r, &n->link);
    for (unsigned i = 0; i < n_iov; i++) {
        for (size_t at = 0; at < iov[i].iov_len && nbd_request_ok(&r);) {
            size_t len = MIN(iov[i].iov_len - at, n->part_max);

            nbd_request_sent(&r,
                             send_part(&r, (char *)iov[i].iov_base + at, len, offset, is_write));
            at += len;
            offset += len;
        }
    }
    return nbd_request_end(&r);
}

static int nbd_driver_preadv(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    return transfer(state, offset, iov, n, false);
}

static int nbd_driver_pwritev(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    return transfer(state, offset, iov, n, true);
}

static int nbd_driver_flush(void *state)
{
    Nbd *n = state;
    NbdRequest r;

    if (!n->can_flush) {
        return 0;
    }
    nbd_request_begin(&r, &n->link);
    if (nbd_request_ok(&r)) {
        nbd_request_sent(&r, nbd_aio_flush(n->link.nbd, nbd_request_callback(&r), 0));
    }
    return nbd_request_end(&r);
}

static int nbd_driver_discard(void *state, uint64_t offset, uint64_t length)
{
    Nbd *n = state;
    NbdRequest r;

    if (!n->can_trim) {
        return 0;
    }
    nbd_request_begin(&r, &n->link);
    for (uint64_t now; length > 0 && nbd_request_ok(&r); offset += now, length -= now) {
        now = MIN(length, NBD_PART_MAX);
        nbd_request_sent(&r, nbd_aio_trim(n->link.nbd, now, offset, nbd_request_callback(&r), 0));
    }
    return nbd_request_end(&r);
}

/* For a server that cannot: as data. */
static int write_zeroes_as_data(Nbd *n, uint64_t offset, uint64_t length)
{
    static const uint8_t zeroes[65536];
    int result = 0;

    while (length > 0 && result == 0) {
        struct iovec part = { (void *)zeroes, MIN(length, sizeof(zeroes)) };

        result = transfer(n, offset, &part, 1, true);
        offset += part.iov_len;
        length -= part.iov_len;
    }
    return result;
}

static int nbd_driver_write_zeroes(void *state, uint64_t offset, uint64_t length, bool may_unmap)
{
    uint32_t flags = may_unmap ? 0 : LIBNBD_CMD_FLAG_NO_HOLE;
    Nbd *n = state;
    NbdRequest r;

    if (!n->can_zero) {
        return write_zeroes_as_data(n, offset, length);
    }
    nbd_request_begin(&r, &n->link);
    for (uint64_t now; length > 0 && nbd_request_ok(&r); offset += now, length -= now) {
        now = MIN(length, NBD_PART_MAX);
        nbd_request_sent(&r,
                         nbd_aio_zero(n->link.nbd, now, offset, nbd_request_callback(&r), flags));
    }
    return nbd_request_end(&r);
}

static void nbd_driver_close(void *state)
{
    Nbd *n = state;

    nbd_link_stop(&n->link);
    nbd_server_stop(&n->server);
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

/* What a damaged or other file makes qemu-nbd say is clear only to those who know that it runs. */
static bool check_magic(const BlockOptions *o, GError **error)
{
    static const struct {
        const char *format, *magic;
    } magics[] = {
        { "qcow2", "QFI\xfb" },
        { "qcow", "QFI\xfb" },
        { "qed", "QED" },
        { "vhdx", "vhdxfile" },
    };
    g_auto(Fd) fd = open(o->filename, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char head[8] = {};

    if (fd < 0 || pread(fd, head, sizeof(head), 0) < 0) {
        error_set_errno(error, errno, "cannot open '%s'", o->filename);
        return false;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(magics); i++) {
        if (strcmp(o->format, magics[i].format) == 0 &&
            memcmp(head, magics[i].magic, strlen(magics[i].magic)) != 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "'%s' is not a %s image",
                        o->filename, o->format);
            return false;
        }
    }
    return true;
}

/* qemu-nbd for the image; it ends when we close the connection, or end. */
static bool start_server(NbdServer *server, const BlockOptions *o, GError **error)
{
    /* A descriptor of ours, which the server does not inherit. */
    const char *own = g_str_has_prefix(o->filename, "/proc/self/") ? o->filename + 11 : NULL;
    g_autofree char *path =
        own != NULL ? g_strdup_printf("/proc/%d/%s", (int)getpid(), own) : g_strdup(o->filename);
    g_auto(GStrv) parts = g_strsplit(path, ",", -1);
    g_autofree char *doubled = g_strjoinv(",,", parts);
    g_autofree char *image =
        g_strdup_printf("driver=%s,file.driver=file,file.filename=%s%s", o->format, doubled,
                        o->discard_unmap ? ",discard=unmap,file.discard=unmap" : "");
    char *argv[] = { (char *)"qemu-nbd", (char *)"--image-opts", image,
                     o->read_only ? (char *)"--read-only" : NULL, NULL };

    return nbd_server_start(server, argv, error);
}

static bool connect_own_server(struct nbd_handle *nbd, NbdServer *server, const BlockOptions *o,
                               GError **error)
{
    g_autofree char *said = NULL;

    if (!check_magic(o, error)) {
        return false;
    }
    if (start_server(server, o, error)) {
        if (nbd_connect_socket(nbd, nbd_server_take_connection(server)) == 0) {
            return true;
        }
        said = nbd_server_explain(server);
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "%s",
                    *said != '\0' ? said : nbd_get_error());
    }
    g_prefix_error(error, "cannot open '%s' with qemu-nbd, which reads %s images: ", o->filename,
                   o->format);
    return false;
}

static bool connect_server(struct nbd_handle *nbd, NbdServer *server, const BlockOptions *o,
                           GError **error)
{
    int result;

    if (o->nbd_export != NULL && nbd_set_export_name(nbd, o->nbd_export) != 0) {
        set_nbd_error(error, "cannot use the export name");
        return false;
    }
    if (o->driver == BLOCK_DRIVER_SERVED) {
        return connect_own_server(nbd, server, o, error);
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

static bool check_server(Nbd *n, struct nbd_handle *nbd, int64_t *size, GError **error)
{
    int64_t block = nbd_get_block_size(nbd, LIBNBD_SIZE_MINIMUM);
    int64_t max = nbd_get_block_size(nbd, LIBNBD_SIZE_MAXIMUM);

    *size = nbd_get_size(nbd);
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
    n->can_flush = nbd_can_flush(nbd) == 1;
    n->can_trim = nbd_can_trim(nbd) == 1;
    n->can_zero = nbd_can_zero(nbd) == 1;
    return true;
}

/* FALSE: both are still the caller's. */
static bool open_export(Nbd *n, struct nbd_handle *nbd, const BlockOptions *options, int64_t *size,
                        GError **error)
{
    if (!connect_server(nbd, &n->server, options, error)) {
        return false;
    }
    if (nbd_is_read_only(nbd) != 0 && !options->read_only && !options->auto_read_only) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "the NBD export is read-only (read-only=on uses it so)");
        return false;
    }
    return check_server(n, nbd, size, error);
}

bool nbd_open(const BlockOptions *options, BlockNode *node, GError **error)
{
    struct nbd_handle *nbd;
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
    n = g_new0(Nbd, 1);
    n->server = (NbdServer)NBD_SERVER_INIT;
    if (!open_export(n, nbd, options, &size, error)) {
        nbd_close(nbd);
        nbd_server_stop(&n->server);
        g_free(n);
        return false;
    }
    if (!nbd_link_start(&n->link, nbd, error)) {
        nbd_driver_close(n);
        return false;
    }
    *node = (BlockNode){ .driver = &nbd_driver,
                         .state = n,
                         .length = size,
                         .read_only = options->read_only || nbd_is_read_only(nbd) != 0 };
    return true;
}
