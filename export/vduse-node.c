/* SPDX-License-Identifier: GPL-2.0-or-later
 * See vduse-node.h. The table of reasons says for each request what an errno means there; an errno
 * that is not in it is told as the system words it.
 */
#include "vduse-node.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "util/error.h"

#define GIVEN_UP                                                                                   \
    "the kernel has given the device up, as a message was not answered in time; detach it "        \
    "(vdpa dev del) and start again"

static const HostDevOps *host = &hostdev_kernel_ops;

void vduse_node_set_host(const HostDevOps *ops)
{
    host = ops;
}

typedef struct {
    unsigned long request; /* 0: any of a device's node */
    int err;
    HumpyError code;
    const char *reason;
} Reason;

static const Reason reasons[] = {
    { VDUSE_SET_API_VERSION, EINVAL, HUMPY_ERROR_UNSUPPORTED,
      "the kernel does not know that version of the interface" },
    { VDUSE_CREATE_DEV, EINVAL, HUMPY_ERROR_UNSUPPORTED,
      "the kernel does not take such a device (kernels before 6.12 only take block devices)" },
    { VDUSE_CREATE_DEV, EPERM, HUMPY_ERROR_HOST,
      "a network device takes CAP_NET_ADMIN (run it as root)" },
    { VDUSE_CREATE_DEV, ENOMEM, HUMPY_ERROR_HOST, "the kernel has no memory for it" },
    { VDUSE_DESTROY_DEV, EBUSY, HUMPY_ERROR_CONFLICT,
      "it is attached to a vDPA bus (vdpa dev del) or another process serves it" },
    { VDUSE_DESTROY_DEV, EINVAL, HUMPY_ERROR_UNKNOWN, "there is no such device" },
    { VDUSE_VQ_SETUP, EINVAL, HUMPY_ERROR_CONFLICT, "the device has fewer queues" },
    { VDUSE_VQ_GET_INFO, EINVAL, HUMPY_ERROR_CONFLICT, "the device has fewer queues" },
    { VDUSE_VQ_SETUP_KICKFD, EINVAL, HUMPY_ERROR_CONFLICT, "the device has fewer queues" },
    { VDUSE_VQ_SETUP_KICKFD, EBADF, HUMPY_ERROR_HOST, "the eventfd is gone" },
    { VDUSE_IOTLB_GET_FD, EINVAL, HUMPY_ERROR_RANGE, "the driver has mapped nothing there" },
    { VDUSE_IOTLB_GET_FD, EMFILE, HUMPY_ERROR_HOST, "too many open files (ulimit -n)" },
    { VDUSE_DEV_SET_CONFIG, EINVAL, HUMPY_ERROR_CONFLICT,
      "the device has fewer configuration bytes" },
    { VDUSE_IOTLB_REG_UMEM, EINVAL, HUMPY_ERROR_UNSUPPORTED,
      "the memory is not as large as the bounce buffer" },
    { VDUSE_IOTLB_REG_UMEM, EEXIST, HUMPY_ERROR_CONFLICT, "there is memory registered" },
    { VDUSE_IOTLB_REG_UMEM, ENOMEM, HUMPY_ERROR_HOST,
      "so much memory must not be locked (ulimit -l)" },
    { VDUSE_IOTLB_GET_INFO, ENOTTY, HUMPY_ERROR_UNSUPPORTED, "the kernel is too old" },
    { 0, EPERM, HUMPY_ERROR_HOST, GIVEN_UP },
};

static const Reason *find_reason(unsigned long request, int err)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(reasons); i++) {
        const Reason *r = &reasons[i];

        if (r->err == err && (r->request == request || r->request == 0)) {
            return r;
        }
    }
    return NULL;
}

/* what: "cannot …", of the device called name */
static void set_error(GError **error, const char *name, const char *what, unsigned long request,
                      int err)
{
    const Reason *r = find_reason(request, err);

    if (r == NULL) {
        error_set_errno(error, err, "VDUSE device '%s': %s", name, what);
    } else {
        g_set_error(error, HUMPY_ERROR, r->code, "VDUSE device '%s': %s: %s: %s", name, what,
                    g_strerror(err), r->reason);
    }
}

static int call(int fd, unsigned long request, const void *arg)
{
    int result;

    do {
        result = hostdev_ioctl(host, fd, request, (uintptr_t)arg);
    } while (result < 0 && errno == EINTR);
    return result;
}

static bool call_node(const VduseNode *node, const char *what, unsigned long request,
                      const void *arg, GError **error)
{
    if (call(node->fd, request, arg) < 0) {
        set_error(error, node->name, what, request, errno);
        return false;
    }
    return true;
}

bool vduse_node_check_name(const char *name, GError **error)
{
    /* What the kernel puts into the directory of that name in sysfs beside it. */
    static const char *const taken[] = { "msg_timeout", "bounce_size", "power",   "uevent",
                                         "subsystem",   "device",      "control", NULL };
    unsigned number;
    char rest;
    const char *why = NULL;

    if (*name == '\0') {
        why = "is empty";
    } else if (strlen(name) >= VDUSE_NAME_MAX) {
        why = "is longer than 255 bytes";
    } else if (strchr(name, '/') != NULL || strstr(name, "..") != NULL || *name == '.') {
        why = "has a '/', '..' or a '.' at its start, but becomes a file's name";
    } else if (g_strv_contains(taken, name) || sscanf(name, "vq%u%c", &number, &rest) == 1) {
        why = "is the name of a file that the kernel puts beside it in sysfs";
    } else {
        for (const char *c = name; *c != '\0'; c++) {
            if (!g_ascii_isgraph(*c)) {
                why = "has a blank or a control character";
            }
        }
    }
    if (why != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "name: '%.64s' %s", name, why);
        return false;
    }
    return true;
}

/* ---- control ---- */

static void set_open_error(GError **error, const char *path, int err)
{
    const char *reason = err == ENOENT || err == ENXIO || err == ENODEV
                             ? " (is the kernel's module there? modprobe vduse)"
                         : err == EACCES || err == EPERM ? " (run it as root)"
                                                         : "";

    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "cannot open %s: %s%s", path, g_strerror(err),
                reason);
}

int vduse_control_open(uint64_t *version, GError **error)
{
    g_auto(Fd) fd = host->open(VDUSE_CONTROL_PATH, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        set_open_error(error, VDUSE_CONTROL_PATH, errno);
        return -1;
    }
    for (*version = VDUSE_API_VERSION_1;; --*version) {
        if (call(fd, VDUSE_SET_API_VERSION, version) == 0) {
            return fd_steal(&fd);
        }
        if (errno != EINVAL || *version == VDUSE_API_VERSION) {
            set_error(error, "control", "cannot set the version of the interface",
                      VDUSE_SET_API_VERSION, errno);
            return -1;
        }
    }
}

VduseCreated vduse_control_create(int control, const struct vduse_dev_config *config,
                                  GError **error)
{
    if (call(control, VDUSE_CREATE_DEV, config) == 0) {
        return VDUSE_CREATED;
    }
    if (errno == EEXIST) {
        return VDUSE_EXISTS;
    }
    set_error(error, config->name, "cannot make it", VDUSE_CREATE_DEV, errno);
    return VDUSE_REFUSED;
}

bool vduse_control_destroy(int control, const char *name, GError **error)
{
    char text[VDUSE_NAME_MAX] = "";

    g_strlcpy(text, name, sizeof(text));
    if (call(control, VDUSE_DESTROY_DEV, text) < 0) {
        set_error(error, name, "cannot destroy it", VDUSE_DESTROY_DEV, errno);
        return false;
    }
    return true;
}

/* ---- a device ---- */

bool vduse_node_open(VduseNode *node, const char *name, GError **error)
{
    g_autofree char *path = g_strdup_printf("/dev/vduse/%s", name);

    node->name = name;
    node->fd = host->open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (node->fd >= 0) {
        return true;
    }
    if (errno == EBUSY) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "VDUSE device '%s': another process serves it", name);
    } else {
        set_open_error(error, path, errno);
    }
    return false;
}

void vduse_node_close(VduseNode *node)
{
    if (node->fd >= 0) {
        hostdev_close(host, node->fd);
        node->fd = -1;
    }
}

bool vduse_node_get_features(const VduseNode *node, uint64_t *features, GError **error)
{
    return call_node(node, "cannot read the driver's features", VDUSE_DEV_GET_FEATURES, features,
                     error);
}

bool vduse_node_set_config(const VduseNode *node, const void *config, size_t len, GError **error)
{
    g_autofree struct vduse_config_data *data = g_malloc0(sizeof(*data) + len);

    data->length = len;
    memcpy(data->buffer, config, len);
    return call_node(node, "cannot set the configuration bytes", VDUSE_DEV_SET_CONFIG, data, error);
}

bool vduse_node_setup_queue(const VduseNode *node, unsigned n, unsigned max_size, GError **error)
{
    struct vduse_vq_config config = { .index = n, .max_size = max_size };

    return call_node(node, "cannot set up a queue", VDUSE_VQ_SETUP, &config, error);
}

bool vduse_node_queue_info(const VduseNode *node, unsigned n, struct vduse_vq_info *info,
                           GError **error)
{
    *info = (struct vduse_vq_info){ .index = n };
    return call_node(node, "cannot read a queue's state", VDUSE_VQ_GET_INFO, info, error);
}

bool vduse_node_set_kick(const VduseNode *node, unsigned n, int fd, GError **error)
{
    struct vduse_vq_eventfd kick = { .index = n, .fd = fd };

    return call_node(node, "cannot set a queue's eventfd", VDUSE_VQ_SETUP_KICKFD, &kick, error);
}

int vduse_node_iotlb_fd(const VduseNode *node, uint64_t addr, struct vduse_iotlb_entry *entry,
                        GError **error)
{
    int fd;

    *entry = (struct vduse_iotlb_entry){ .start = addr, .last = addr };
    fd = call(node->fd, VDUSE_IOTLB_GET_FD, entry);
    if (fd < 0) {
        set_error(error, node->name, "cannot get at the driver's memory", VDUSE_IOTLB_GET_FD,
                  errno);
    }
    return fd;
}

int vduse_node_interrupt(const VduseNode *node, unsigned n)
{
    uint32_t index = n;

    return call(node->fd, VDUSE_VQ_INJECT_IRQ, &index) < 0 ? errno : 0;
}

int vduse_node_interrupt_config(const VduseNode *node)
{
    return call(node->fd, VDUSE_DEV_INJECT_CONFIG_IRQ, NULL) < 0 ? errno : 0;
}

int vduse_node_read(const VduseNode *node, struct vduse_dev_request *request)
{
    ssize_t n;

    do {
        n = read(node->fd, request, sizeof(*request));
    } while (n < 0 && errno == EINTR);
    return n < 0 ? errno : n == sizeof(*request) ? 0 : EPROTO;
}

int vduse_node_answer(const VduseNode *node, const struct vduse_dev_response *response)
{
    ssize_t n;

    do {
        n = write(node->fd, response, sizeof(*response));
    } while (n < 0 && errno == EINTR);
    return n < 0 ? errno : n == sizeof(*response) ? 0 : EPROTO;
}

void *vduse_node_map(int fd, uint64_t length, int prot, uint64_t offset)
{
    return hostdev_mmap(host, length, prot, MAP_SHARED, fd, offset);
}

void vduse_node_unmap(void *memory, uint64_t length)
{
    hostdev_munmap(host, memory, length);
}

bool vduse_node_is_broken(const VduseNode *node)
{
    struct pollfd p = { .fd = node->fd };

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

unsigned vduse_node_timeout_ms(const char *name)
{
    enum { DEFAULT_SECONDS = 30, MAX_SECONDS = 1000000 };
    g_autofree char *path = g_strdup_printf("/sys/class/vduse/%s/msg_timeout", name);
    g_autofree char *text = NULL;
    guint64 seconds = DEFAULT_SECONDS;

    if (g_file_get_contents(path, &text, NULL, NULL)) {
        seconds = g_ascii_strtoull(text, NULL, 10);
    }
    return MIN(seconds, MAX_SECONDS) * 1000;
}
