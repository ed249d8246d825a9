/* SPDX-License-Identifier: GPL-2.0-or-later
 * -netdev tap: a network interface of the host. Made here (ifname=, which takes CAP_NET_ADMIN or an
 * interface that belongs to the user) or inherited (fd=, fds=). With vnet_hdr (default: if the
 * kernel has it) packets carry virtio-net headers, so that checksums and segmentation are left to
 * whoever finally sends. Several queues are several descriptors of one interface. Configuring the
 * interface is a script's business: script= and downscript= are run with its name as argument.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#include "net-priv.h"
#include "util/error.h"
#include "util/props.h"

typedef struct {
    NetClient *nc;
    char *ifname;
    char *downscript; /* or NULL */
    bool vnet_hdr;
    unsigned n; /* queues */
    NetPacketEnd *ends[NET_MAX_QUEUES];
    int fds[NET_MAX_QUEUES]; /* the ends' */
} Tap;

/* ---- the back end ---- */

static NetVerdict tap_receive(void *opaque, unsigned queue, const struct iovec *iov, unsigned n)
{
    return net_packet_end_receive(((Tap *)opaque)->ends[queue], iov, n);
}

static void tap_peer_ready(void *opaque, unsigned queue)
{
    net_packet_end_peer_ready(((Tap *)opaque)->ends[queue]);
}

static void tap_set_vnet_hdr(void *opaque, unsigned len)
{
    Tap *tap = opaque;
    int fd_len = len == 0 ? 10 : len;

    if (!tap->vnet_hdr) {
        return;
    }
    for (unsigned i = 0; i < tap->n; i++) {
        if (ioctl(tap->fds[i], TUNSETVNETHDRSZ, &fd_len) != 0) {
            g_warning("netdev '%s': cannot set the header's length: %s", tap->nc->id,
                      g_strerror(errno));
            return;
        }
        net_packet_end_set_vnet_hdr(tap->ends[i], fd_len, len);
    }
}

static void tap_set_offloads(void *opaque, unsigned offloads)
{
    Tap *tap = opaque;
    unsigned flags = 0;

    if (!tap->vnet_hdr) {
        return;
    }
    if (offloads & NET_OFFLOAD_CSUM) {
        flags = TUN_F_CSUM | ((offloads & NET_OFFLOAD_TSO4) ? TUN_F_TSO4 : 0) |
                ((offloads & NET_OFFLOAD_TSO6) ? TUN_F_TSO6 : 0);
        if ((flags & (TUN_F_TSO4 | TUN_F_TSO6)) && (offloads & NET_OFFLOAD_ECN)) {
            flags |= TUN_F_TSO_ECN;
        }
    }
    for (unsigned i = 0; i < tap->n; i++) {
        if (ioctl(tap->fds[i], TUNSETOFFLOAD, flags) != 0) {
            g_message("netdev '%s': the host refuses offloads: %s", tap->nc->id, g_strerror(errno));
            return;
        }
    }
}

/* Detached queues get no packets of the host. */
static void tap_set_queues(void *opaque, unsigned n)
{
    Tap *tap = opaque;

    for (unsigned i = 0; i < tap->n && tap->n > 1; i++) {
        struct ifreq request = { .ifr_flags = i < n ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

        if (i >= n) { /* polling it would only give errors */
            net_packet_end_enable(tap->ends[i], false);
        }
        /* EINVAL: it is so already. */
        if (ioctl(tap->fds[i], TUNSETQUEUE, &request) != 0 && errno != EINVAL) {
            g_message("netdev '%s': cannot switch queue %u: %s", tap->nc->id, i, g_strerror(errno));
        }
        if (i < n) {
            net_packet_end_enable(tap->ends[i], true);
        }
    }
}

static bool run_script(const char *script, const char *ifname, GError **error)
{
    const char *argv[] = { script, ifname, NULL };
    GError *cause = NULL;
    int status;

    if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL,
                      NULL, &status, &cause) ||
        !g_spawn_check_wait_status(status, &cause)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "script '%s': %s", script,
                    cause->message);
        g_error_free(cause);
        return false;
    }
    return true;
}

static void tap_close(void *opaque)
{
    Tap *tap = opaque;
    g_autoptr(GError) error = NULL;

    if (tap->downscript != NULL && !run_script(tap->downscript, tap->ifname, &error)) {
        g_message("netdev '%s': %s", tap->nc->id, error->message);
    }
    for (unsigned i = 0; i < tap->n; i++) {
        net_packet_end_free(tap->ends[i]);
    }
    g_free(tap->downscript);
    g_free(tap->ifname);
    g_free(tap);
}

static const NetOps tap_ops = {
    .type = "tap",
    .receive = tap_receive,
    .peer_ready = tap_peer_ready,
    .set_vnet_hdr = tap_set_vnet_hdr,
    .set_offloads = tap_set_offloads,
    .set_queues = tap_set_queues,
    .close = tap_close,
};

/* ---- set-up ---- */

typedef struct {
    const char *ifname, *script, *downscript;
    int vnet_hdr; /* -1: if the kernel has it */
    unsigned queues;
} TapOptions;

/* One queue of the interface whose name is in request, or the name is made up in it. */
static int open_queue(struct ifreq *request, const TapOptions *o, bool vnet_hdr, GError **error)
{
    g_auto(Fd) fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        error_set_errno(error, errno, "cannot open /dev/net/tun");
        return -1;
    }
    request->ifr_flags =
        IFF_TAP | IFF_NO_PI | (vnet_hdr ? IFF_VNET_HDR : 0) | (o->queues > 1 ? IFF_MULTI_QUEUE : 0);
    if (ioctl(fd, TUNSETIFF, request) != 0) {
        error_set_errno(error, errno, "cannot open interface '%s'", request->ifr_name);
        return -1;
    }
    return fd_steal(&fd);
}

static bool kernel_has_vnet_hdr(void)
{
    g_auto(Fd) fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    unsigned features = 0;

    return fd >= 0 && ioctl(fd, TUNGETFEATURES, &features) == 0 && (features & IFF_VNET_HDR);
}

static bool make_interface(Tap *tap, const TapOptions *o, GError **error)
{
    struct ifreq request = { 0 };

    tap->vnet_hdr = o->vnet_hdr != 0 && kernel_has_vnet_hdr();
    if (o->vnet_hdr == 1 && !tap->vnet_hdr) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "vnet_hdr=on: the host's kernel has no such headers");
        return false;
    }
    if (o->ifname != NULL && strlen(o->ifname) >= IFNAMSIZ) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "ifname is '%s' but must be shorter than %d bytes", o->ifname, IFNAMSIZ);
        return false;
    }
    g_strlcpy(request.ifr_name, o->ifname != NULL ? o->ifname : "tap%d", IFNAMSIZ);
    for (tap->n = 0; tap->n < o->queues; tap->n++) {
        tap->fds[tap->n] = open_queue(&request, o, tap->vnet_hdr, error);
        if (tap->fds[tap->n] < 0) {
            return false;
        }
    }
    tap->ifname = g_strdup(request.ifr_name);
    return o->script == NULL || run_script(o->script, tap->ifname, error);
}

static bool inherit(Tap *tap, const char *text, GError **error)
{
    g_auto(GStrv) fds = g_strsplit(text, ":", -1);

    for (unsigned i = 0; fds[i] != NULL; i++) {
        struct ifreq request = { 0 };

        if (i == NET_MAX_QUEUES) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "fds: more than %d queues",
                        NET_MAX_QUEUES);
            return false;
        }
        tap->fds[i] = net_take_fd(fds[i], error);
        if (tap->fds[i] < 0) {
            return false;
        }
        if (ioctl(tap->fds[i], TUNGETIFF, &request) != 0) {
            error_set_errno(error, errno, "fd %s is not a tap interface", fds[i]);
            return false;
        }
        if (i == 0) {
            tap->ifname = g_strdup(request.ifr_name);
            tap->vnet_hdr = (request.ifr_flags & IFF_VNET_HDR) != 0;
        }
        tap->n++;
    }
    return true;
}

static const char *script_of(KeyVal *kv, const char *key)
{
    const char *script = keyval_take(kv, key);

    return script == NULL || strcmp(script, "no") == 0 || *script == '\0' ? NULL : script;
}

static bool take_options(KeyVal *kv, TapOptions *o, GError **error)
{
    const char *queues = keyval_take(kv, "queues");
    bool vnet_hdr = false, vhost = false;
    uint64_t n = 1;

    o->ifname = keyval_take(kv, "ifname");
    o->script = script_of(kv, "script");
    o->downscript = script_of(kv, "downscript");
    if (queues != NULL && (!props_parse_u64(queues, &n, NULL) || n < 1 || n > NET_MAX_QUEUES)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "queues is '%s' but must be 1 to %d",
                    queues, NET_MAX_QUEUES);
        return false;
    }
    o->queues = n;
    if (!keyval_take_bool(kv, "vnet_hdr", &vnet_hdr, error) ||
        !keyval_take_bool(kv, "vhost", &vhost, error)) {
        return false;
    }
    if (vhost) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "vhost=on is not supported: packets go through this program");
        return false;
    }
    o->vnet_hdr = keyval_get(kv, "vnet_hdr") == NULL ? -1 : vnet_hdr;
    return true;
}

static NetClient *tap_open(const char *id, KeyVal *kv, GError **error)
{
    const char *fd = keyval_take(kv, "fd"), *fds = keyval_take(kv, "fds");
    TapOptions o = { 0 };
    Tap *tap;
    g_autofree char *info = NULL;

    if (!take_options(kv, &o, error)) {
        return NULL;
    }
    if ((fd != NULL || fds != NULL) && (o.ifname != NULL || o.script != NULL || o.queues > 1 ||
                                        (fd != NULL && fds != NULL) || o.vnet_hdr >= 0)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "fd and fds exclude each other and ifname, script, queues and vnet_hdr");
        return NULL;
    }
    tap = g_new0(Tap, 1);
    if (fd != NULL || fds != NULL ? !inherit(tap, fd != NULL ? fd : fds, error)
                                  : !make_interface(tap, &o, error)) {
        for (unsigned i = 0; i < tap->n; i++) {
            fd_clear(&tap->fds[i]);
        }
        g_free(tap->ifname);
        g_free(tap);
        return NULL;
    }
    tap->downscript = g_strdup(o.downscript);
    info = g_strdup_printf("ifname=%s,queues=%u,vnet_hdr=%s", tap->ifname, tap->n,
                           tap->vnet_hdr ? "on" : "off");
    tap->nc = net_backend_new(&tap_ops, tap, id, tap->n, tap->vnet_hdr, info);
    for (unsigned i = 0; i < tap->n; i++) {
        tap->ends[i] =
            net_packet_end_new(tap->nc, i, tap->fds[i], false, NULL, tap->vnet_hdr ? 10 : 0);
    }
    tap_set_vnet_hdr(tap, 0);
    tap_set_offloads(tap, 0);
    return tap->nc;
}

const NetType net_type_tap = {
    .name = "tap",
    .summary = "a network interface of the host",
    .keys = (const char *const[]){ "ifname", "fd", "fds", "script", "downscript", "vnet_hdr",
                                   "vhost", "queues", NULL },
    .open = tap_open,
};
