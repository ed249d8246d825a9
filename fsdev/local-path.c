/* SPDX-License-Identifier: GPL-2.0-or-later
 * From a path relative to the exported root to an O_PATH descriptor, without leaving the root and
 * without following a link: openat2() where the kernel has it, else one component at a time.
 */
#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "local-priv.h"

LocalProcPath local_proc_path(int fd)
{
    LocalProcPath path;

    snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);
    return path;
}

void local_place_clear(LocalPlace *place)
{
    fd_clear(&place->fd);
    fd_clear(&place->dir);
}

static int walk_beneath(int dir, const char *path, int flags)
{
    struct open_how how = {
        .flags = flags | O_PATH | O_NOFOLLOW | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd;

    do {
        fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    return fd < 0 ? -errno : (int)fd;
}

/* A component is never "..", fsdev.c has seen to that. */
static int walk_by_steps(int root, const char *path, int flags)
{
    g_auto(Fd) at = fcntl(root, F_DUPFD_CLOEXEC, 0);
    char name[NAME_MAX + 1];

    if (at < 0) {
        return -errno;
    }
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        bool last = path[len] == '\0';
        int next;

        memcpy(name, path, len);
        name[len] = '\0';
        next = openat(at, name, (last ? flags : O_DIRECTORY) | O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0) {
            struct stat st;
            int cause = errno;

            /* As openat2() says it; O_DIRECTORY is looked at before O_NOFOLLOW. */
            return cause == ENOTDIR && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                           S_ISLNK(st.st_mode)
                       ? -ELOOP
                       : -cause;
        }
        fd_clear(&at);
        at = next;
        path += len + !last;
    }
    return fd_steal(&at);
}

static int walk(Local *l, const char *path, int flags)
{
    if (*path == '\0') {
        int fd = fcntl(l->root, F_DUPFD_CLOEXEC, 0);

        return fd < 0 ? -errno : fd;
    }
    return l->has_openat2 ? walk_beneath(l->root, path, flags)
                          : walk_by_steps(l->root, path, flags);
}

int local_find_dir(Local *l, const char *path)
{
    return walk(l, path, O_DIRECTORY);
}

int local_find(Local *l, const char *path, LocalPlace *place)
{
    const char *slash = strrchr(path, '/');
    g_autofree char *parent = slash != NULL ? g_strndup(path, slash - path) : g_strdup("");

    place->name = slash != NULL ? slash + 1 : path;
    if (l->model == LOCAL_MAPPED_FILE) { /* the only one that needs to know where the name is */
        place->dir = local_find_dir(l, parent);
        if (place->dir < 0) {
            return place->dir;
        }
        if (*path != '\0') {
            place->fd = openat(place->dir, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
            return place->fd < 0 ? -errno : 0;
        }
    }
    place->fd = walk(l, path, 0);
    return place->fd < 0 ? place->fd : 0;
}

int local_reopen(int fd, int flags)
{
    LocalProcPath path = local_proc_path(fd);
    int opened;

    /* The magic link itself is what must be followed; behind it nothing is. */
    opened = open(path.text, (flags & ~O_NOFOLLOW) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return opened < 0 ? -errno : opened;
}
