/* SPDX-License-Identifier: GPL-2.0-or-later
 * See vdpa.h. Three short messages of generic netlink (the family's number, add, delete), each with
 * an acknowledgement: not enough to be worth a library.
 */
#include "vdpa.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/vdpa.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "util/error.h"
#include "util/fd.h"

enum { MESSAGE_MAX = 1024, ANSWER_MAX = 8192 };

typedef struct {
    struct nlmsghdr header;
    struct genlmsghdr generic;
    uint8_t attributes[MESSAGE_MAX];
} Message;

typedef struct {
    int fd;
    uint16_t family;
    uint8_t answer[ANSWER_MAX];
    size_t answer_len;
} Link;

static void start_message(Message *m, uint16_t type, uint8_t command, uint8_t version)
{
    *m = (Message){
        .header = { .nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
                    .nlmsg_type = type,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
        .generic = { .cmd = command, .version = version },
    };
}

static void add_string(Message *m, uint16_t type, const char *text)
{
    size_t len = strlen(text) + 1;
    struct nlattr *attr = (struct nlattr *)((uint8_t *)m + NLMSG_ALIGN(m->header.nlmsg_len));

    g_assert(m->header.nlmsg_len + NLA_HDRLEN + NLA_ALIGN(len) <= sizeof(*m));
    attr->nla_type = type;
    attr->nla_len = NLA_HDRLEN + len;
    memcpy((uint8_t *)attr + NLA_HDRLEN, text, len);
    m->header.nlmsg_len = NLMSG_ALIGN(m->header.nlmsg_len) + NLA_ALIGN(attr->nla_len);
}

/* The attribute of that type among len bytes, or NULL; *size is that of its content. */
static const void *find_attribute(const uint8_t *at, size_t len, uint16_t type, size_t *size)
{
    while (len >= NLA_HDRLEN) {
        const struct nlattr *attr = (const struct nlattr *)at;
        size_t step = NLA_ALIGN(attr->nla_len);

        if (attr->nla_len < NLA_HDRLEN || attr->nla_len > len) {
            break;
        }
        if ((attr->nla_type & NLA_TYPE_MASK) == type) {
            *size = attr->nla_len - NLA_HDRLEN;
            return at + NLA_HDRLEN;
        }
        at += MIN(step, len);
        len -= MIN(step, len);
    }
    return NULL;
}

/* What the kernel says besides the number, new, or NULL. */
static char *ack_text(const struct nlmsghdr *h)
{
    const struct nlmsgerr *e = NLMSG_DATA(h);
    size_t at = sizeof(*e), size;
    const char *text;

    if ((h->nlmsg_flags & NLM_F_ACK_TLVS) == 0) {
        return NULL;
    }
    if ((h->nlmsg_flags & NLM_F_CAPPED) == 0 && e->msg.nlmsg_len >= sizeof(e->msg)) {
        at += e->msg.nlmsg_len - sizeof(e->msg);
    }
    at = NLMSG_ALIGN(at);
    if (at > h->nlmsg_len - NLMSG_HDRLEN) {
        return NULL;
    }
    text = find_attribute((const uint8_t *)e + at, h->nlmsg_len - NLMSG_HDRLEN - at,
                          NLMSGERR_ATTR_MSG, &size);
    return text != NULL && size > 0 ? g_strndup(text, size) : NULL;
}

/* Reads up to the acknowledgement: 0 or errno, and in *text what the kernel has to say. */
static int read_answer(Link *l, char **text)
{
    l->answer_len = 0;
    while (true) {
        uint8_t buf[ANSWER_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
        ssize_t n = recv(l->fd, buf, sizeof(buf), 0);
        const struct nlmsghdr *h;

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? errno : EPROTO;
        }
        for (size_t at = 0; (size_t)n > at && n - at >= sizeof(*h);
             at += NLMSG_ALIGN(h->nlmsg_len)) {
            h = (const struct nlmsghdr *)(buf + at);
            if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > n - at) {
                return EPROTO;
            }
            if (h->nlmsg_type != NLMSG_ERROR) {
                memcpy(l->answer, h, h->nlmsg_len);
                l->answer_len = h->nlmsg_len;
            } else if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
                return EPROTO;
            } else {
                *text = ack_text(h);
                return -((struct nlmsgerr *)NLMSG_DATA(h))->error;
            }
        }
    }
}

static int ask(Link *l, Message *m, char **text)
{
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    ssize_t n;

    do {
        n = sendto(l->fd, m, m->header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
    } while (n < 0 && errno == EINTR);
    return n < 0 ? errno : read_answer(l, text);
}

static int find_family(Link *l)
{
    g_autofree char *text = NULL;
    const void *id;
    size_t size;
    Message m;
    int err;

    start_message(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
    add_string(&m, CTRL_ATTR_FAMILY_NAME, VDPA_GENL_NAME);
    err = ask(l, &m, &text);
    if (err != 0) {
        return err;
    }
    if (l->answer_len < NLMSG_LENGTH(GENL_HDRLEN)) {
        return EPROTO;
    }
    id = find_attribute(l->answer + NLMSG_LENGTH(GENL_HDRLEN),
                        l->answer_len - NLMSG_LENGTH(GENL_HDRLEN), CTRL_ATTR_FAMILY_ID, &size);
    if (id == NULL || size != sizeof(l->family)) {
        return EPROTO;
    }
    memcpy(&l->family, id, size);
    return 0;
}

/* FALSE: UNSUPPORTED where the kernel has no vDPA bus, else HOST. */
static bool open_link(Link *l, GError **error)
{
    int on = 1, err;

    l->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
    if (l->fd < 0 && errno == EPROTONOSUPPORT) {
        g_set_error_literal(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                            "the kernel has no generic netlink, and so no vDPA bus");
        return false;
    }
    if (l->fd < 0) {
        error_set_errno(error, errno, "cannot open a netlink socket");
        return false;
    }
    setsockopt(l->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)); /* else there is no text */
    err = find_family(l);
    if (err != 0) {
        close(l->fd);
        if (err == ENOENT) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        "the kernel has no vDPA bus (modprobe vdpa)");
        } else {
            error_set_errno(error, err, "cannot ask the kernel for its vDPA bus");
        }
        return false;
    }
    return true;
}

static void set_error(GError **error, const char *name, const char *what, int err, const char *text)
{
    error_set_errno(error, err, "cannot %s '%s'%s%s%s%s", what, name, text != NULL ? " (" : "",
                    text != NULL ? text : "", text != NULL ? ")" : "",
                    err == EPERM    ? " without CAP_NET_ADMIN"
                    : err == ENODEV ? ": the kernel knows no such device"
                                    : "");
}

bool vdpa_attach(const char *name, GError **error)
{
    g_autofree char *text = NULL;
    Message m;
    Link l;
    int err;

    if (!open_link(&l, error)) {
        return false;
    }
    start_message(&m, l.family, VDPA_CMD_DEV_NEW, VDPA_GENL_VERSION);
    add_string(&m, VDPA_ATTR_MGMTDEV_DEV_NAME, "vduse");
    add_string(&m, VDPA_ATTR_DEV_NAME, name);
    err = ask(&l, &m, &text);
    close(l.fd);
    if (err != 0 && err != EEXIST) {
        set_error(error, name, "attach", err, text);
        return false;
    }
    return true;
}

bool vdpa_detach(const char *name, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *text = NULL;
    Message m;
    Link l;
    int err;

    if (!open_link(&l, &cause)) {
        if (g_error_matches(cause, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED)) {
            return true; /* no bus that it could be on */
        }
        g_propagate_error(error, g_steal_pointer(&cause));
        return false;
    }
    start_message(&m, l.family, VDPA_CMD_DEV_DEL, VDPA_GENL_VERSION);
    add_string(&m, VDPA_ATTR_DEV_NAME, name);
    err = ask(&l, &m, &text);
    close(l.fd);
    if (err != 0 && err != ENODEV) {
        set_error(error, name, "detach", err, text);
        return false;
    }
    return true;
}
