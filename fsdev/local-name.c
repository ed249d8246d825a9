/* SPDX-License-Identifier: GPL-2.0-or-later
 * Making, linking, removing and renaming names in a local export. Under the mapped models links,
 * FIFOs, sockets and devices are plain host files whose record says what they are.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "local-priv.h"

/* The new object's owner and permissions, on the host or in its record. */
static int dress(Local *l, LocalPlace *place, mode_t mode, dev_t rdev, const FsOwner *owner)
{
    LocalMeta meta = {
        .has_uid = true,
        .has_gid = true,
        .has_mode = true,
        .has_rdev = S_ISCHR(mode) || S_ISBLK(mode),
        .uid = owner->uid,
        .gid = owner->gid,
        .mode = mode,
        .rdev = rdev,
    };
    LocalProcPath path = local_proc_path(place->fd);

    if (local_is_mapped(l)) {
        return local_meta_set(l, place, &meta);
    }
    if (fchownat(place->fd, "", owner->uid, owner->gid, AT_EMPTY_PATH) != 0 &&
        l->model != LOCAL_NONE) {
        return -errno;
    }
    if (!S_ISLNK(mode) && chmod(path.text, mode & 07777) != 0) {
        return -errno;
    }
    return 0;
}

/* place->dir and name are set: finds what was just made and dresses it, or removes it. */
static int finish(Local *l, LocalPlace *place, mode_t mode, dev_t rdev, const FsOwner *owner)
{
    int result = 0;

    if (place->fd < 0) {
        place->fd = openat(place->dir, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }
    if (place->fd < 0) {
        result = -errno;
    } else {
        result = dress(l, place, mode, rdev, owner);
    }
    if (result != 0) {
        unlinkat(place->dir, place->name, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
    }
    return result;
}

static int begin(Local *l, const char *dir, const char *name, LocalPlace *place)
{
    place->name = name;
    place->dir = local_find_dir(l, dir);
    return place->dir < 0 ? place->dir : 0;
}

/* A new host file of the mapped models. Descriptor or -errno. */
static int make_plain(Local *l, const LocalPlace *place, int flags)
{
    int fd = openat(place->dir, place->name,
                    flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                    l->file_mode);

    return fd < 0 ? -errno : fd;
}

int local_create(FsDev *fs, const char *dir, const char *name, int flags, mode_t mode,
                 const FsOwner *owner, FsFile **file)
{
    enum { TAKEN = O_ACCMODE | O_APPEND | O_TRUNC | O_DSYNC | O_SYNC };
    Local *l = (Local *)fs;
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    g_auto(Fd) fd = -1;
    int result = begin(l, dir, name, &place);

    if (result != 0) {
        return result;
    }
    fd = make_plain(l, &place, flags & TAKEN);
    if (fd == -EEXIST && (flags & O_EXCL) == 0) {
        g_autofree char *path = *dir != '\0' ? g_strconcat(dir, "/", name, NULL) : g_strdup(name);

        return local_open(fs, path, flags, file); /* which looks at what it opens */
    }
    if (fd < 0) {
        return fd;
    }
    result = finish(l, &place, S_IFREG | mode, 0, owner);
    if (result == 0) {
        *file = local_file_new(fd_steal(&fd));
    }
    return result;
}

int local_mkdir(FsDev *fs, const char *dir, const char *name, mode_t mode, const FsOwner *owner)
{
    Local *l = (Local *)fs;
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    int result = begin(l, dir, name, &place);

    if (result == 0 && mkdirat(place.dir, name, local_is_mapped(l) ? l->dir_mode : 0700) != 0) {
        result = -errno;
    }
    return result != 0 ? result : finish(l, &place, S_IFDIR | mode, 0, owner);
}

int local_mknod(FsDev *fs, const char *dir, const char *name, mode_t mode, dev_t rdev,
                const FsOwner *owner)
{
    Local *l = (Local *)fs;
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    g_auto(Fd) plain = -1;
    int result;

    if (!S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode) && !S_ISCHR(mode) && !S_ISBLK(mode)) {
        return -EINVAL;
    }
    result = begin(l, dir, name, &place);
    if (result != 0) {
        return result;
    }
    if (local_is_mapped(l)) {
        plain = make_plain(l, &place, O_WRONLY);
        result = MIN(plain, 0);
    } else if (mknodat(place.dir, name, (mode & S_IFMT) | 0600, rdev) != 0) {
        result = -errno;
    }
    return result != 0 ? result : finish(l, &place, mode & (S_IFMT | 07777), rdev, owner);
}

int local_symlink(FsDev *fs, const char *dir, const char *name, const char *target,
                  const FsOwner *owner)
{
    Local *l = (Local *)fs;
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    g_auto(Fd) plain = -1;
    int result = begin(l, dir, name, &place);

    if (result != 0) {
        return result;
    }
    if (local_is_mapped(l)) {
        plain = make_plain(l, &place, O_WRONLY);
        if (plain < 0) {
            return plain;
        }
        if (write(plain, target, strlen(target)) != (ssize_t)strlen(target)) {
            unlinkat(place.dir, name, 0);
            return -ENOSPC;
        }
    } else if (symlinkat(target, place.dir, name) != 0) {
        return -errno;
    }
    return finish(l, &place, S_IFLNK | 0777, 0, owner);
}

/* Two names and their directories. */
typedef struct {
    Fd from, to;
} DirPair;

static void dir_pair_clear(DirPair *p)
{
    fd_clear(&p->from);
    fd_clear(&p->to);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DirPair, dir_pair_clear)

static int find_pair(Local *l, const char *from, const char *to, DirPair *p)
{
    p->from = local_find_dir(l, from);
    if (p->from < 0) {
        return p->from;
    }
    p->to = local_find_dir(l, to);
    return MIN(p->to, 0);
}

int local_link(FsDev *fs, const char *path, const char *dir, const char *name)
{
    Local *l = (Local *)fs;
    const char *slash = strrchr(path, '/'), *old = slash != NULL ? slash + 1 : path;
    g_autofree char *old_dir = slash != NULL ? g_strndup(path, slash - path) : g_strdup("");
    g_auto(DirPair) p = { -1, -1 };
    int result = *path == '\0' ? -EPERM : find_pair(l, old_dir, dir, &p);

    if (result == 0 && linkat(p.from, old, p.to, name, 0) != 0) {
        result = -errno;
    }
    if (result == 0 && l->model == LOCAL_MAPPED_FILE) {
        result = local_metafile_link(p.from, old, p.to, name);
        if (result != 0) {
            unlinkat(p.to, name, 0);
        }
    }
    return result;
}

int local_unlink(FsDev *fs, const char *dir, const char *name, bool is_dir)
{
    Local *l = (Local *)fs;
    g_auto(Fd) fd = local_find_dir(l, dir);

    if (fd < 0) {
        return fd;
    }
    if (l->model == LOCAL_MAPPED_FILE && is_dir) {
        int result = local_metafile_forget_dir(fd, name);

        if (result != 0) {
            return result;
        }
    }
    if (unlinkat(fd, name, is_dir ? AT_REMOVEDIR : 0) != 0) {
        return -errno;
    }
    return l->model == LOCAL_MAPPED_FILE ? local_metafile_remove(fd, name) : 0;
}

int local_rename(FsDev *fs, const char *dir, const char *name, const char *new_dir,
                 const char *new_name)
{
    Local *l = (Local *)fs;
    g_auto(DirPair) p = { -1, -1 };
    int result = find_pair(l, dir, new_dir, &p);

    if (result != 0) {
        return result;
    }
    if (renameat(p.from, name, p.to, new_name) != 0) {
        result = -errno;
        /* A directory that is empty for the guest still holds its empty metadata directory. */
        if (l->model != LOCAL_MAPPED_FILE || (result != -ENOTEMPTY && result != -EEXIST) ||
            local_metafile_forget_dir(p.to, new_name) != 0 ||
            renameat(p.from, name, p.to, new_name) != 0) {
            return result;
        }
    }
    return l->model == LOCAL_MAPPED_FILE ? local_metafile_rename(p.from, name, p.to, new_name) : 0;
}
