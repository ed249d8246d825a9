/* SPDX-License-Identifier: GPL-2.0-or-later
 * libhumpy-models-preload.so: LD_PRELOAD it, and any program finds the nodes that the models stand
 * in for. Calls on a model's path or descriptor go to the model, all others to the C library.
 * Descriptors are real files, so dup(), fcntl(), poll() and passing them need nothing here.
 *
 *     LD_PRELOAD=libhumpy-models-preload.so HUMPY_MODEL_GUNYAH=rev=android15,log=on crosvm …
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "models/acrn-model.h"
#include "models/gunyah-model.h"

typedef struct {
    const char *path;
    const HostDevOps *ops;
    bool (*owns)(int fd);
} Model;

static const Model models[] = {
    { GUNYAH_MODEL_PATH, &gunyah_model_ops, gunyah_model_owns },
    { ACRN_MODEL_PATH, &acrn_model_ops, acrn_model_owns },
};

/* What a model calls itself is for the C library. */
static __thread bool inside;
static int opened; /* atomic: before the first open nothing can be ours */

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

#define NEXT(type, name)                                                                           \
    static __typeof__(type) *real_##name;                                                          \
    static __typeof__(type) *find_##name(void)                                                     \
    {                                                                                              \
        if (!real_##name) {                                                                        \
            real_##name = (__typeof__(type) *)next(#name);                                         \
        }                                                                                          \
        return real_##name;                                                                        \
    }

typedef int OpenFn(const char *path, int flags, ...);
typedef int OpenatFn(int dir, const char *path, int flags, ...);

NEXT(OpenFn, open)
NEXT(OpenFn, open64)
NEXT(OpenatFn, openat)
NEXT(OpenatFn, openat64)
NEXT(access, access)
NEXT(ioctl, ioctl)
NEXT(mmap, mmap)
NEXT(munmap, munmap)
NEXT(close, close)

static const Model *by_path(const char *path)
{
    for (unsigned i = 0; !inside && path && i < sizeof(models) / sizeof(models[0]); i++) {
        if (strcmp(path, models[i].path) == 0) {
            return &models[i];
        }
    }
    return NULL;
}

static const Model *by_fd(int fd)
{
    const Model *found = NULL;
    int err = errno;

    if (inside || fd < 0 || !__atomic_load_n(&opened, __ATOMIC_ACQUIRE)) {
        return NULL;
    }
    inside = true;
    for (unsigned i = 0; !found && i < sizeof(models) / sizeof(models[0]); i++) {
        found = models[i].owns(fd) ? &models[i] : NULL;
    }
    inside = false;
    errno = err;
    return found;
}

static int open_model(const Model *model, int flags)
{
    int fd;

    inside = true;
    fd = model->ops->open(model->path, flags);
    inside = false;
    if (fd >= 0) {
        __atomic_store_n(&opened, 1, __ATOMIC_RELEASE);
    }
    return fd;
}

/* ---- the C library's names ---- */

#define EXPORT __attribute__((visibility("default")))

#define DEFINE_OPEN(name)                                                                          \
    EXPORT int name(const char *path, int flags, ...)                                              \
    {                                                                                              \
        const Model *model = by_path(path);                                                        \
        mode_t mode = 0;                                                                           \
        va_list args;                                                                              \
                                                                                                   \
        if (model) {                                                                               \
            return open_model(model, flags);                                                       \
        }                                                                                          \
        va_start(args, flags);                                                                     \
        mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;                           \
        va_end(args);                                                                              \
        return find_##name()(path, flags, mode);                                                   \
    }

#define DEFINE_OPENAT(name)                                                                        \
    EXPORT int name(int dir, const char *path, int flags, ...)                                     \
    {                                                                                              \
        const Model *model = by_path(path);                                                        \
        mode_t mode = 0;                                                                           \
        va_list args;                                                                              \
                                                                                                   \
        if (model) {                                                                               \
            return open_model(model, flags);                                                       \
        }                                                                                          \
        va_start(args, flags);                                                                     \
        mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;                           \
        va_end(args);                                                                              \
        return find_##name()(dir, path, flags, mode);                                              \
    }

DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

/* What open() and openat() become in programs built with _FORTIFY_SOURCE. */
EXPORT int __open_2(const char *path, int flags);
EXPORT int __open64_2(const char *path, int flags);
EXPORT int __openat_2(int dir, const char *path, int flags);
EXPORT int __openat64_2(int dir, const char *path, int flags);

int __open_2(const char *path, int flags)
{
    return open(path, flags & ~O_CREAT);
}

int __open64_2(const char *path, int flags)
{
    return open64(path, flags & ~O_CREAT);
}

int __openat_2(int dir, const char *path, int flags)
{
    return openat(dir, path, flags & ~O_CREAT);
}

int __openat64_2(int dir, const char *path, int flags)
{
    return openat64(dir, path, flags & ~O_CREAT);
}

EXPORT int access(const char *path, int mode)
{
    return by_path(path) ? 0 : find_access()(path, mode);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    const Model *model = by_fd(fd);
    va_list args;
    void *arg;
    int ret;

    va_start(args, request);
    arg = va_arg(args, void *);
    va_end(args);
    if (!model) {
        return find_ioctl()(fd, request, arg);
    }
    inside = true;
    ret = model->ops->ioctl(fd, request, (uintptr_t)arg);
    inside = false;
    return ret;
}

EXPORT void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    const Model *model = by_fd(flags & MAP_ANONYMOUS ? -1 : fd);
    void *ret;

    if (!model) {
        return find_mmap()(addr, length, prot, flags, fd, offset);
    }
    inside = true;
    ret = model->ops->mmap(addr, length, prot, flags, fd, offset);
    inside = false;
    return ret;
}

EXPORT void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off64_t offset)
{
    return mmap(addr, length, prot, flags, fd, offset);
}

/* Any of these may be the last reference to a model's file, so models look afterwards. */
EXPORT int munmap(void *addr, size_t length)
{
    int ret;

    if (inside || !__atomic_load_n(&opened, __ATOMIC_ACQUIRE)) {
        return find_munmap()(addr, length);
    }
    inside = true;
    ret = models[0].ops->munmap(addr, length);
    inside = false;
    return ret;
}

EXPORT int close(int fd)
{
    int ret;

    if (inside || !__atomic_load_n(&opened, __ATOMIC_ACQUIRE)) {
        return find_close()(fd);
    }
    inside = true;
    ret = models[0].ops->close(fd);
    inside = false;
    return ret;
}
