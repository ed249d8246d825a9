/* SPDX-License-Identifier: GPL-2.0-or-later
 * What an object is: Tgetattr, Tsetattr, Tstatfs, Treadlink.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "p9-priv.h"

static void put_time(P9Writer *out, const struct timespec *t)
{
    p9_put64(out, t->tv_sec);
    p9_put64(out, t->tv_nsec);
}

P9_HANDLER(p9_getattr)
{
    static const struct timespec unknown;
    uint32_t id = p9_get32(in);
    uint64_t mask G_GNUC_UNUSED = p9_get64(in); /* more than was asked for may be told */
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree char *path = NULL;
    struct stat st;
    P9Qid qid;
    int result = in->bad ? -EPROTO : p9_object(s, id, &ref, &path);

    if (result == 0) {
        result = p9_stat_fid(s, ref.fid, path, &st);
    }
    if (result != 0) {
        return result;
    }
    qid = p9_qid(s, &st);
    p9_put64(out, P9_GETATTR_BASIC);
    p9_put_qid(out, &qid);
    p9_put32(out, st.st_mode);
    p9_put32(out, st.st_uid);
    p9_put32(out, st.st_gid);
    p9_put64(out, st.st_nlink);
    p9_put64(out, st.st_rdev);
    p9_put64(out, st.st_size);
    p9_put64(out, st.st_blksize);
    p9_put64(out, st.st_blocks);
    put_time(out, &st.st_atim);
    put_time(out, &st.st_mtim);
    put_time(out, &st.st_ctim);
    put_time(out, &unknown); /* birth time, generation and data version are not in the mask */
    p9_put64(out, 0);
    p9_put64(out, 0);
    return 0;
}

typedef struct {
    uint32_t valid, mode, uid, gid;
    uint64_t size;
    struct timespec times[2]; /* access, modification */
} Change;

static struct timespec get_time(P9Reader *in)
{
    uint64_t sec = p9_get64(in), nsec = p9_get64(in);

    return (struct timespec){ .tv_sec = (time_t)sec,
                              .tv_nsec = nsec < 1000000000 ? (long)nsec : -1 };
}

static bool get_change(P9Reader *in, Change *c)
{
    static const uint32_t set[2] = { P9_SETATTR_ATIME, P9_SETATTR_MTIME };
    static const uint32_t given[2] = { P9_SETATTR_ATIME_SET, P9_SETATTR_MTIME_SET };

    c->valid = p9_get32(in);
    c->mode = p9_get32(in);
    c->uid = p9_get32(in);
    c->gid = p9_get32(in);
    c->size = p9_get64(in);
    c->times[0] = get_time(in);
    c->times[1] = get_time(in);
    for (unsigned i = 0; i < 2; i++) {
        if ((c->valid & set[i]) == 0) {
            c->times[i] = (struct timespec){ .tv_nsec = UTIME_OMIT };
        } else if ((c->valid & given[i]) == 0) {
            c->times[i] = (struct timespec){ .tv_nsec = UTIME_NOW };
        }
    }
    return !in->bad;
}

static int change_size(P9Session *s, P9Fid *fid, const char *path, uint64_t size)
{
    /* Through the open file where that can write: its name may be gone. */
    if (p9_fid_kind(s, fid) == P9_FID_FILE) {
        int result = fs_ftruncate(fid->file, size);

        if (result != -EINVAL && result != -EBADF) {
            return result;
        }
    }
    return fs_truncate(s->fs, path, size);
}

P9_HANDLER(p9_setattr)
{
    enum { OWNER = P9_SETATTR_UID | P9_SETATTR_GID, TIMES = P9_SETATTR_ATIME | P9_SETATTR_MTIME };
    uint32_t id = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree char *path = NULL;
    bool only_ctime;
    Change c;
    int result = !get_change(in, &c) ? -EPROTO : p9_object(s, id, &ref, &path);

    only_ctime = (c.valid & (P9_SETATTR_SIZE | P9_SETATTR_MODE | OWNER | TIMES)) == 0 &&
                 (c.valid & P9_SETATTR_CTIME) != 0;
    /* The owner first: that takes set-id bits away; times last: the others change them. */
    if (result == 0 && ((c.valid & OWNER) != 0 || only_ctime)) {
        result = fs_chown(s->fs, path, (c.valid & P9_SETATTR_UID) != 0 ? c.uid : (uid_t)-1,
                          (c.valid & P9_SETATTR_GID) != 0 ? c.gid : (gid_t)-1);
    }
    if (result == 0 && (c.valid & P9_SETATTR_MODE) != 0) {
        result = fs_chmod(s->fs, path, c.mode);
    }
    if (result == 0 && (c.valid & P9_SETATTR_SIZE) != 0) {
        result = change_size(s, ref.fid, path, c.size);
    }
    if (result == 0 && (c.valid & TIMES) != 0) {
        result = fs_utimens(s->fs, path, c.times);
    }
    return result;
}

P9_HANDLER(p9_statfs)
{
    uint32_t id = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree char *path = NULL;
    struct statfs st;
    uint64_t fsid;
    int result = in->bad ? -EPROTO : p9_object(s, id, &ref, &path);

    if (result == 0) {
        result = fs_statfs(s->fs, path, &st);
    }
    if (result != 0) {
        return result;
    }
    memcpy(&fsid, &st.f_fsid, sizeof(fsid));
    p9_put32(out, st.f_type);
    p9_put32(out, st.f_bsize);
    p9_put64(out, st.f_blocks);
    p9_put64(out, st.f_bfree);
    p9_put64(out, st.f_bavail);
    p9_put64(out, st.f_files);
    p9_put64(out, st.f_ffree);
    p9_put64(out, fsid);
    p9_put32(out, st.f_namelen);
    return 0;
}

P9_HANDLER(p9_readlink)
{
    uint32_t id = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree char *path = NULL;
    char target[PATH_MAX];
    ssize_t len = in->bad ? -EPROTO : p9_object(s, id, &ref, &path);

    if (len == 0) {
        len = fs_readlink(s->fs, path, target, sizeof(target));
    }
    if (len < 0) {
        return len;
    }
    p9_put_text(out, target, len);
    return 0;
}
