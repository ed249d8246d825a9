/* SPDX-License-Identifier: GPL-2.0-or-later
 * The kernel side of the seam, the table of models that stand in for nodes, and the choice
 * between them. What a model does lives in models/; which node to open is the accelerator's
 * business.
 */
#include "accel/hostdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hostdev-priv.h"
#include "util/error.h"

typedef struct {
    char *path;
    const HostDevOps *ops;
} ModelEntry;

static pthread_mutex_t models_lock = PTHREAD_MUTEX_INITIALIZER;
static GArray *models; /* of ModelEntry */

static int kernel_open(const char *path, int flags)
{
    return open(path, flags);
}

static int kernel_ioctl(int fd, unsigned long request, uintptr_t arg)
{
    return ioctl(fd, request, arg);
}

static bool may_lock_any_amount(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

    if (syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    return data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK);
}

static uint64_t kernel_memlock_limit(void)
{
    struct rlimit limit;

    if (may_lock_any_amount() || getrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
        limit.rlim_cur == RLIM_INFINITY) {
        return UINT64_MAX;
    }
    return limit.rlim_cur;
}

const HostDevOps hostdev_kernel_ops = {
    .name = "kernel",
    .open = kernel_open,
    .ioctl = kernel_ioctl,
    .mmap = mmap,
    .munmap = munmap,
    .close = close,
    .memlock_limit = kernel_memlock_limit,
    .log_follow = hostdev_kernel_log_follow,
    .log_newest = hostdev_kernel_log_newest,
};

static ModelEntry *find_model(const char *path)
{
    for (unsigned i = 0; models != NULL && i < models->len; i++) {
        ModelEntry *entry = &g_array_index(models, ModelEntry, i);

        if (strcmp(entry->path, path) == 0) {
            return entry;
        }
    }
    return NULL;
}

void hostdev_register_model(const char *path, const HostDevOps *ops)
{
    ModelEntry *entry;

    g_assert(ops->name && ops->open && ops->ioctl && ops->mmap && ops->munmap && ops->close &&
             ops->memlock_limit);
    pthread_mutex_lock(&models_lock);
    if (models == NULL) {
        models = g_array_new(false, false, sizeof(ModelEntry));
    }
    entry = find_model(path);
    if (entry != NULL) {
        entry->ops = ops;
    } else {
        ModelEntry fresh = { g_strdup(path), ops };

        g_array_append_val(models, fresh);
    }
    pthread_mutex_unlock(&models_lock);
}

const HostDevOps *hostdev_model_for(const char *path)
{
    const HostDevOps *ops;
    ModelEntry *entry;

    pthread_mutex_lock(&models_lock);
    entry = find_model(path);
    ops = entry != NULL ? entry->ops : NULL;
    pthread_mutex_unlock(&models_lock);
    return ops;
}

static bool node_is_absent(const char *path)
{
    struct stat st;

    return stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

static bool open_with(const HostDevOps *ops, const char *path, HostDev *dev, GError **error)
{
    int fd = ops->open(path, O_RDWR | O_CLOEXEC);
    int cause = errno;

    if (fd < 0) {
        error_set_errno(error, cause, "cannot open %s%s", path,
                        ops == &hostdev_kernel_ops ? "" : " (model)");
        errno = cause;
        return false;
    }
    *dev = (HostDev){ .fd = fd, .ops = ops };
    return true;
}

bool hostdev_open(const char *path, HostDevChoice choice, HostDev *dev, GError **error)
{
    const HostDevOps *model = hostdev_model_for(path);

    if (choice == HOSTDEV_MODEL && model == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED, "this build has no model of %s",
                    path);
        errno = ENOENT;
        return false;
    }
    if (choice == HOSTDEV_AUTO && model != NULL && node_is_absent(path) &&
        (model->can_run == NULL || model->can_run())) {
        if (!open_with(model, path, dev, error)) {
            return false;
        }
        g_printerr("humpy: there is no %s on this host, its userspace model stands in\n", path);
        return true;
    }
    return open_with(choice == HOSTDEV_MODEL ? model : &hostdev_kernel_ops, path, dev, error);
}
