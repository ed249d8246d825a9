/* SPDX-License-Identifier: GPL-2.0-or-later
 * What only 9P2000.u has: Topen, Tcreate, Tstat, Twstat, and directories that are read as a file of
 * stat records.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "p9-priv.h"

static uint32_t u_mode(const struct stat *st)
{
    uint32_t mode = st->st_mode & 0777;

    mode |= S_ISDIR(st->st_mode) ? P9_DM_DIR : 0;
    mode |= S_ISLNK(st->st_mode) ? P9_DM_SYMLINK : 0;
    mode |= S_ISSOCK(st->st_mode) ? P9_DM_SOCKET : 0;
    mode |= S_ISFIFO(st->st_mode) ? P9_DM_NAMED_PIPE : 0;
    mode |= S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode) ? P9_DM_DEVICE : 0;
    mode |= (st->st_mode & S_ISUID) != 0 ? P9_DM_SETUID : 0;
    mode |= (st->st_mode & S_ISGID) != 0 ? P9_DM_SETGID : 0;
    return mode;
}

static mode_t host_permissions(uint32_t mode)
{
    return (mode & 0777) | ((mode & P9_DM_SETUID) != 0 ? S_ISUID : 0) |
           ((mode & P9_DM_SETGID) != 0 ? S_ISGID : 0);
}

/* A link's target, a device's numbers, else the number of links. */
static char *extension(P9Session *s, const char *path, const struct stat *st)
{
    char target[PATH_MAX];
    ssize_t len;

    if (S_ISLNK(st->st_mode)) {
        len = fs_readlink(s->fs, path, target, sizeof(target));
        return len < 0 ? g_strdup("") : g_strndup(target, len);
    }
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
        return g_strdup_printf("%c %u %u", S_ISCHR(st->st_mode) ? 'c' : 'b', major(st->st_rdev),
                               minor(st->st_rdev));
    }
    return g_strdup_printf("HARDLINKCOUNT %lu", (unsigned long)st->st_nlink);
}

/* Bytes of the record behind its own length field. */
static size_t stat_size(const char *name, const char *ext)
{
    enum { FIXED = 2 + 4 + P9_QID_SIZE + 4 + 4 + 4 + 8, STRINGS = 5, IDS = 3 * 4 };

    return FIXED + STRINGS * 2 + strlen(name) + strlen(ext) + IDS;
}

static void put_stat(P9Session *s, P9Writer *out, const char *name, const char *ext,
                     const struct stat *st)
{
    P9Qid qid = p9_qid(s, st);

    p9_put16(out, stat_size(name, ext));
    p9_put16(out, 0);
    p9_put32(out, 0);
    p9_put_qid(out, &qid);
    p9_put32(out, u_mode(st));
    p9_put32(out, st->st_atim.tv_sec);
    p9_put32(out, st->st_mtim.tv_sec);
    p9_put64(out, S_ISDIR(st->st_mode) ? 0 : st->st_size);
    p9_put_string(out, name);
    p9_put_string(out, ""); /* owners are told by number */
    p9_put_string(out, "");
    p9_put_string(out, "");
    p9_put_string(out, ext);
    p9_put32(out, st->st_uid);
    p9_put32(out, st->st_gid);
    p9_put32(out, P9_NO_UID);
}

P9_HANDLER(p9_stat)
{
    uint32_t id = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree char *path = NULL, *dir = NULL, *ext = NULL;
    const char *name;
    struct stat st;
    int result = in->bad ? -EPROTO : p9_object(s, id, &ref, &path);

    if (result == 0) {
        result = p9_stat_fid(s, ref.fid, path, &st);
    }
    if (result != 0) {
        return result;
    }
    p9_split(path, &dir, &name);
    name = *path != '\0' ? name : "/";
    ext = extension(s, path, &st);
    p9_put16(out, stat_size(name, ext) + 2);
    put_stat(s, out, name, ext, &st);
    return 0;
}

/* ---- reading directories ---- */

typedef struct {
    P9Session *s;
    P9Writer *out;
    const char *dir;
    uint64_t room, next;
    bool refused;
} Listing;

static bool put_entry(const FsDirEntry *entry, void *opaque)
{
    Listing *l = opaque;
    g_autofree char *path = NULL, *ext = NULL;
    struct stat st;
    size_t size;

    if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0) {
        l->next = entry->next;
        return true;
    }
    path = p9_join(l->dir, entry->name);
    if (fs_stat(l->s->fs, path, &st) == 0) { /* else it is gone again */
        ext = extension(l->s, path, &st);
        size = stat_size(entry->name, ext) + 2;
        if (size > l->room) {
            l->refused = true;
            return false;
        }
        l->room -= size;
        put_stat(l->s, l->out, entry->name, ext, &st);
    }
    l->next = entry->next;
    return true;
}

int p9_read_dir(P9Session *s, P9Fid *fid, uint64_t offset, uint32_t count, P9Writer *out)
{
    g_autofree char *dir = p9_fid_path(s, fid);
    Listing l = { .s = s, .out = out, .dir = dir };
    P9Writer head = *out;
    uint64_t done, from;
    bool expected;
    int result;

    pthread_mutex_lock(&s->lock);
    expected = offset == 0 || offset == fid->dir_pos;
    from = offset == 0 ? 0 : fid->dir_next;
    pthread_mutex_unlock(&s->lock);
    if (!expected) {
        return -EINVAL; /* section read(5): only where the last read ended */
    }
    p9_put32(out, 0);
    l.room = MIN(count, p9_room(out));
    l.next = from;
    pthread_rwlock_rdlock(&s->tree);
    result = fs_readdir(fid->file, from, put_entry, &l);
    pthread_rwlock_unlock(&s->tree);
    done = out->pos - head.pos - sizeof(count);
    if (result == 0 && done == 0 && l.refused) {
        result = -EINVAL;
    }
    if (result != 0) {
        return result;
    }
    pthread_mutex_lock(&s->lock);
    fid->dir_pos = offset + done;
    fid->dir_next = l.next;
    pthread_mutex_unlock(&s->lock);
    p9_put32(&head, done);
    return 0;
}

/* ---- opening ---- */

static int u_open_flags(uint8_t mode)
{
    int flags = (mode & P9_O_ACCESS) == P9_O_EXEC ? O_RDONLY : mode & P9_O_ACCESS;

    return flags | ((mode & P9_O_TRUNC) != 0 ? O_TRUNC : 0);
}

/* Takes file, which is what path names, into the fid. */
static int opened(P9Session *s, P9Fid *fid, FsFile *file, const char *path, P9Writer *out)
{
    struct stat st;
    P9Qid qid;
    int result = fs_stat(s->fs, path, &st);

    if (result != 0) {
        fs_close(file);
        return result;
    }
    qid = p9_qid(s, &st);
    p9_put_qid(out, &qid);
    p9_put32(out, 0);
    return p9_fid_opened(s, fid, file, S_ISDIR(st.st_mode), path);
}

P9_HANDLER(p9_open)
{
    uint32_t id = p9_get32(in);
    uint8_t mode = p9_get8(in);
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree char *path = NULL;
    FsFile *file;
    int result = in->bad ? -EPROTO : p9_object(s, id, &ref, &path);

    if (result == 0 &&
        ((mode & P9_O_REMOVE_ON_CLOSE) != 0 || p9_fid_kind(s, ref.fid) != P9_FID_PATH)) {
        result = -EINVAL;
    }
    if (result == 0) {
        result = fs_open(s->fs, path, u_open_flags(mode), &file);
    }
    return result != 0 ? result : opened(s, ref.fid, file, path, out);
}

/* The fid moves to the new object without being open, as for links and devices. */
static int moved(P9Session *s, P9Fid *fid, const char *path, P9Writer *out)
{
    P9Qid qid;
    int result = p9_stat_qid(s, path, &qid);

    if (result != 0) {
        return result;
    }
    pthread_mutex_lock(&s->lock);
    g_free(fid->path);
    fid->path = g_strdup(path);
    pthread_mutex_unlock(&s->lock);
    p9_put_qid(out, &qid);
    p9_put32(out, 0);
    return 0;
}

static int make_link(P9Session *s, const char *ext, const char *dir, const char *name)
{
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree char *path = NULL;
    uint64_t id;
    int result;

    if (!g_ascii_string_to_unsigned(ext, 10, 0, UINT32_MAX, &id, NULL)) {
        return -EINVAL;
    }
    result = p9_object(s, id, &ref, &path);
    return result != 0 ? result : fs_link(s->fs, path, dir, name);
}

static int make_device(P9Session *s, const char *ext, const char *dir, const char *name,
                       mode_t mode, const FsOwner *owner)
{
    unsigned major_no, minor_no;
    char type;

    if (sscanf(ext, "%c %u %u", &type, &major_no, &minor_no) != 3 || (type != 'c' && type != 'b')) {
        return -EINVAL;
    }
    return fs_mknod(s->fs, dir, name, mode | (type == 'c' ? S_IFCHR : S_IFBLK),
                    makedev(major_no, minor_no), owner);
}

/* Everything but a plain file. -EAGAIN: it is one. */
static int make_other(P9Session *s, uint32_t perm, const char *ext, const char *dir,
                      const char *name, const FsOwner *owner)
{
    mode_t mode = host_permissions(perm);

    if ((perm & P9_DM_DIR) != 0) {
        return fs_mkdir(s->fs, dir, name, mode, owner);
    }
    if ((perm & P9_DM_SYMLINK) != 0) {
        return fs_symlink(s->fs, dir, name, ext, owner);
    }
    if ((perm & P9_DM_LINK) != 0) {
        return make_link(s, ext, dir, name);
    }
    if ((perm & P9_DM_DEVICE) != 0) {
        return make_device(s, ext, dir, name, mode, owner);
    }
    if ((perm & (P9_DM_NAMED_PIPE | P9_DM_SOCKET)) != 0) {
        return fs_mknod(s->fs, dir, name, mode | ((perm & P9_DM_SOCKET) != 0 ? S_IFSOCK : S_IFIFO),
                        0, owner);
    }
    return -EAGAIN;
}

P9_HANDLER(p9_create)
{
    uint32_t id = p9_get32(in);
    g_autofree char *name = p9_get_string(in);
    uint32_t perm = p9_get32(in);
    uint8_t mode = p9_get8(in);
    g_autofree char *ext = p9_get_string(in), *dir = NULL, *path = NULL;
    g_auto(P9FidRef) ref = { s, NULL };
    FsOwner owner = { .gid = (gid_t)-1 }; /* the message has none: the host's choice */
    FsFile *file;
    int result = in->bad ? -EPROTO : p9_object(s, id, &ref, &dir);

    if (result == 0 && p9_fid_kind(s, ref.fid) != P9_FID_PATH) {
        result = -EINVAL;
    }
    if (result != 0) {
        return result;
    }
    owner.uid = ref.fid->uid;
    path = p9_join(dir, name);
    result = make_other(s, perm, ext, dir, name, &owner);
    if (result == -EAGAIN) {
        result = fs_create(s->fs, dir, name, u_open_flags(mode) | O_EXCL, host_permissions(perm),
                           &owner, &file);
        return result != 0 ? result : opened(s, ref.fid, file, path, out);
    }
    if (result == 0 && (perm & P9_DM_DIR) != 0) {
        result = fs_open(s->fs, path, O_RDONLY, &file);
        return result != 0 ? result : opened(s, ref.fid, file, path, out);
    }
    return result != 0 ? result : moved(s, ref.fid, path, out);
}

/* ---- Twstat: what is all ones or empty stays ---- */

typedef struct {
    uint32_t mode, atime, mtime, uid, gid;
    uint64_t length;
    char *name;
} Change;

static bool get_change(P9Reader *in, Change *c)
{
    p9_get16(in); /* sizes, which the fields tell again */
    p9_get16(in);
    p9_get16(in);
    p9_get32(in);
    p9_get8(in);
    p9_get32(in);
    p9_get64(in);
    c->mode = p9_get32(in);
    c->atime = p9_get32(in);
    c->mtime = p9_get32(in);
    c->length = p9_get64(in);
    c->name = p9_get_string(in);
    for (unsigned i = 0; i < 4; i++) { /* owner, group, last writer, extension */
        g_free(p9_get_string(in));
    }
    c->uid = p9_get32(in);
    c->gid = p9_get32(in);
    p9_get32(in);
    return !in->bad;
}

static int change_times(P9Session *s, const char *path, const Change *c)
{
    struct timespec times[2] = { { .tv_sec = c->atime }, { .tv_sec = c->mtime } };

    if (c->atime == UINT32_MAX) {
        times[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
    }
    if (c->mtime == UINT32_MAX) {
        times[1] = (struct timespec){ .tv_nsec = UTIME_OMIT };
    }
    return c->atime == UINT32_MAX && c->mtime == UINT32_MAX ? 0 : fs_utimens(s->fs, path, times);
}

static int change_name(P9Session *s, const char *path, const char *new_name)
{
    g_autofree char *dir = NULL, *new = NULL;
    const char *name;
    int result;

    if (*path == '\0') {
        return -EBUSY;
    }
    if (!p9_name_is_plain(new_name)) {
        return -ENOENT;
    }
    p9_split(path, &dir, &name);
    if (strcmp(name, new_name) == 0) {
        return 0;
    }
    result = fs_rename(s->fs, dir, name, dir, new_name);
    if (result == 0) {
        new = p9_join(dir, new_name);
        p9_fids_renamed(s, path, new);
    }
    return result;
}

static int change_all(P9Session *s, const char *path, const Change *c)
{
    int result = 0;

    if (c->uid != UINT32_MAX || c->gid != UINT32_MAX) {
        result = fs_chown(s->fs, path, c->uid, c->gid);
    }
    if (result == 0 && c->mode != UINT32_MAX) {
        result = fs_chmod(s->fs, path, host_permissions(c->mode));
    }
    if (result == 0 && c->length != UINT64_MAX) {
        result = fs_truncate(s->fs, path, c->length);
    }
    if (result == 0) {
        result = change_times(s, path, c);
    }
    return result == 0 && *c->name != '\0' ? change_name(s, path, c->name) : result;
}

P9_HANDLER(p9_wstat)
{
    uint32_t id = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree char *path = NULL;
    Change c;
    int result = get_change(in, &c) ? p9_object(s, id, &ref, &path) : -EPROTO;

    if (result == 0) {
        result = change_all(s, path, &c);
    }
    g_free(c.name);
    return result;
}
