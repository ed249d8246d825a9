/* SPDX-License-Identifier: GPL-2.0-or-later
 * A node that somebody else has opened: the descriptor is checked, and taken for what it is. Which
 * driver is behind a character device only the accelerator can ask.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "hostdev-priv.h"
#include "util/error.h"

static const char *kind_of(mode_t mode)
{
    return S_ISREG(mode)    ? "a file"
           : S_ISDIR(mode)  ? "a directory"
           : S_ISSOCK(mode) ? "a socket"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISBLK(mode)  ? "a block device"
           : S_ISCHR(mode)  ? "a character device"
                            : "something else";
}

static bool refuse(int fd, const char *what, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *link = g_file_read_link(path, NULL);

    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "descriptor %d ('%s') is %s", fd,
                link != NULL ? link : "?", what);
    return false;
}

static bool take(int fd, const HostDevOps *ops, HostDev *dev, GError **error)
{
    int own = ops->adopt != NULL ? ops->adopt(fd) : fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (own >= 0) {
        *dev = (HostDev){ own, ops };
        return true;
    }
    if (errno == EINVAL && ops->adopt != NULL) {
        return refuse(fd, "not what the userspace model gives for its node", error);
    }
    error_set_errno(error, errno, "cannot take descriptor %d", fd);
    return false;
}

bool hostdev_adopt(int fd, const char *path, HostDevChoice choice, HostDev *dev, GError **error)
{
    const HostDevOps *model = hostdev_model_for(path);
    int flags = fcntl(fd, F_GETFL);
    struct stat st;

    if (flags < 0 || fstat(fd, &st) < 0) {
        error_set_errno(error, errno, "descriptor %d", fd);
        return false;
    }
    if ((flags & O_ACCMODE) != O_RDWR) {
        return refuse(fd, "not open for reading and writing", error);
    }
    if (choice == HOSTDEV_MODEL || (choice == HOSTDEV_AUTO && !S_ISCHR(st.st_mode) && model)) {
        if (model == NULL || model->adopt == NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        "this build has no model of %s that takes descriptors", path);
            return false;
        }
        return take(fd, model, dev, error);
    }
    if (!S_ISCHR(st.st_mode)) {
        g_autofree char *what = g_strdup_printf("%s, not a device node", kind_of(st.st_mode));

        return refuse(fd, what, error);
    }
    return take(fd, &hostdev_kernel_ops, dev, error);
}
