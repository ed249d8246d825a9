/* SPDX-License-Identifier: GPL-2.0-or-later
 * Owner, permissions and type that the mapped models keep beside a file instead of setting them on
 * the host; here in extended attributes (user.virtfs.*: uid, gid, mode as 4 bytes, rdev as 8,
 * little endian). An export can so be shared with other programs that know this format.
 */
#include <endian.h>
#include <errno.h>
#include <sys/xattr.h>

#include "local-priv.h"

static int get_value(const char *path, const char *name, void *value, size_t size, bool *has)
{
    ssize_t got = getxattr(path, name, value, size);

    *has = got == (ssize_t)size;
    if (got < 0 && errno != ENODATA && errno != EOPNOTSUPP && errno != ERANGE && errno != EPERM) {
        return -errno;
    }
    return 0;
}

int local_meta_get_fd(Local *l, int fd, LocalMeta *meta)
{
    LocalProcPath path = local_proc_path(fd);
    struct {
        const char *name;
        uint32_t *value;
        bool *has;
    } values[] = {
        { LOCAL_META_PREFIX "uid", &meta->uid, &meta->has_uid },
        { LOCAL_META_PREFIX "gid", &meta->gid, &meta->has_gid },
        { LOCAL_META_PREFIX "mode", &meta->mode, &meta->has_mode },
    };
    int result = 0;

    *meta = (LocalMeta){ 0 };
    for (unsigned i = 0; i < G_N_ELEMENTS(values) && result == 0; i++) {
        result = get_value(path.text, values[i].name, values[i].value, 4, values[i].has);
        *values[i].value = le32toh(*values[i].value);
    }
    if (result == 0) {
        result = get_value(path.text, LOCAL_META_PREFIX "rdev", &meta->rdev, 8, &meta->has_rdev);
        meta->rdev = le64toh(meta->rdev);
    }
    return result;
}

static int local_meta_get(Local *l, const LocalPlace *place, LocalMeta *meta)
{
    *meta = (LocalMeta){ 0 };
    switch (l->model) {
    case LOCAL_MAPPED_XATTR:
        return local_meta_get_fd(l, place->fd, meta);
    case LOCAL_MAPPED_FILE:
        return local_metafile_get(l, place, meta);
    default:
        return 0;
    }
}

static int set_value(const char *path, const char *name, const void *value, size_t size)
{
    return setxattr(path, name, value, size, 0) == 0 ? 0 : -errno;
}

static int set_xattrs(int fd, const LocalMeta *meta)
{
    LocalProcPath path = local_proc_path(fd);
    uint32_t uid = htole32(meta->uid), gid = htole32(meta->gid), mode = htole32(meta->mode);
    uint64_t rdev = htole64(meta->rdev);
    int result = 0;

    if (meta->has_uid) {
        result = set_value(path.text, LOCAL_META_PREFIX "uid", &uid, sizeof(uid));
    }
    if (meta->has_gid && result == 0) {
        result = set_value(path.text, LOCAL_META_PREFIX "gid", &gid, sizeof(gid));
    }
    if (meta->has_mode && result == 0) {
        result = set_value(path.text, LOCAL_META_PREFIX "mode", &mode, sizeof(mode));
    }
    if (meta->has_rdev && result == 0) {
        result = set_value(path.text, LOCAL_META_PREFIX "rdev", &rdev, sizeof(rdev));
    }
    return result;
}

int local_meta_set(Local *l, const LocalPlace *place, const LocalMeta *meta)
{
    return l->model == LOCAL_MAPPED_XATTR ? set_xattrs(place->fd, meta)
                                          : local_metafile_set(l, place, meta);
}

void local_meta_apply(const LocalMeta *meta, struct stat *st)
{
    /* A host directory stays one and so does what only the host can have made; a regular file may
     * stand for anything but a directory. */
    bool may_be = S_ISDIR(st->st_mode) == S_ISDIR(meta->mode) &&
                  (S_ISDIR(st->st_mode) || S_ISREG(st->st_mode));

    if (meta->has_uid) {
        st->st_uid = meta->uid;
    }
    if (meta->has_gid) {
        st->st_gid = meta->gid;
    }
    if (meta->has_mode) {
        st->st_mode = (may_be ? meta->mode & S_IFMT : st->st_mode & S_IFMT) | (meta->mode & 07777);
    }
    if (meta->has_rdev && (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))) {
        st->st_rdev = meta->rdev;
    }
}

int local_stat_place(Local *l, const LocalPlace *place, struct stat *st)
{
    LocalMeta meta;
    int result;

    if (fstat(place->fd, st) != 0) {
        return -errno;
    }
    result = local_meta_get(l, place, &meta);
    if (result == 0) {
        local_meta_apply(&meta, st);
    }
    return result;
}
