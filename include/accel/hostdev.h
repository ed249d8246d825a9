/* SPDX-License-Identifier: GPL-2.0-or-later
 * The seam below an accelerator: every open, ioctl, mmap and close on a hypervisor node goes
 * through here, so that a userspace model (models/) can stand where the kernel would.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One way of reaching a hypervisor's kernel interface. All functions follow the system call of the
 * same name: -1 and errno. */
typedef struct {
    const char *name; /* "kernel" or "model" */
    int (*open)(const char *path, int flags);
    int (*ioctl)(int fd, unsigned long request, uintptr_t arg);
    void *(*mmap)(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
    int (*munmap)(void *addr, size_t length);
    int (*close)(int fd);
    /* Bytes this process may pin: RLIMIT_MEMLOCK, or UINT64_MAX with CAP_IPC_LOCK. */
    uint64_t (*memlock_limit)(void);
    /* (optional) Whether this build's model can run a guest: else it does not stand in by itself.
     */
    bool (*can_run)(void);
    /* (optional) The node, for a descriptor of it that another process has opened; a new one, or -1
     * and errno: EINVAL says that it is none. Without: a duplicate will do. */
    int (*adopt)(int fd);
    /* (optional, both or none) From now on the driver's log is followed. [main] */
    void (*log_follow)(void);
    /* Its newest line since then; NULL: there is none, or it cannot be read. New string. [main] */
    char *(*log_newest)(void);
} HostDevOps;

typedef enum { HOSTDEV_AUTO, HOSTDEV_KERNEL, HOSTDEV_MODEL } HostDevChoice;

extern const HostDevOps hostdev_kernel_ops;

/* Models register at start-up for the node they stand in for; ops borrowed for ever, every member
 * set but those that are optional. A second registration for the same path replaces the first.
 * [any] */
void hostdev_register_model(const char *path, const HostDevOps *ops);

typedef struct {
    int fd;
    const HostDevOps *ops;
} HostDev;

/* Opens path by choice. AUTO: the device node if it exists, else the model, which is said in one
 * line on stderr; a node that exists but cannot be opened is an error. FALSE: *error names path
 * and cause, errno is the cause. The caller closes dev->fd with hostdev_close(). [any] */
bool hostdev_open(const char *path, HostDevChoice choice, HostDev *dev, GError **error);

/* The same for a descriptor of the node that somebody else has opened and passed on. fd stays the
 * caller's; dev->fd is another one. FALSE: *error says what fd is instead. [main] */
bool hostdev_adopt(int fd, const char *path, HostDevChoice choice, HostDev *dev, GError **error);

static inline int hostdev_ioctl(const HostDevOps *ops, int fd, unsigned long request, uintptr_t arg)
{
    return ops->ioctl(fd, request, arg);
}

static inline void *hostdev_mmap(const HostDevOps *ops, size_t length, int prot, int flags, int fd,
                                 off_t offset)
{
    return ops->mmap(NULL, length, prot, flags, fd, offset);
}

static inline int hostdev_munmap(const HostDevOps *ops, void *addr, size_t length)
{
    return ops->munmap(addr, length);
}

static inline int hostdev_close(const HostDevOps *ops, int fd)
{
    return ops->close(fd);
}
