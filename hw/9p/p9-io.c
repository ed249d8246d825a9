/* SPDX-License-Identifier: GPL-2.0-or-later
 * Open files: Tlopen, Tlcreate, Tread, Twrite, Treaddir, Tfsync, Tlock, Tgetlock. Data goes between
 * the guest's buffers and the host's file without a copy in between.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "p9-priv.h"

/* iounit 0: whatever fits into a message. */
static void put_opened(P9Writer *out, const P9Qid *qid)
{
    p9_put_qid(out, qid);
    p9_put32(out, 0);
}

P9_HANDLER(p9_lopen)
{
    uint32_t id = p9_get32(in), flags = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree char *path = NULL;
    FsFile *file;
    struct stat st;
    P9Qid qid;
    int result = in->bad ? -EPROTO : p9_object(s, id, &ref, &path);

    if (result == 0 && p9_fid_kind(s, ref.fid) != P9_FID_PATH) {
        result = -EINVAL;
    }
    if (result == 0) {
        result = fs_open(s->fs, path, p9_open_flags(flags) & ~O_EXCL, &file);
    }
    if (result != 0) {
        return result;
    }
    result = fs_fstat(file, &st);
    if (result == -EOPNOTSUPP) {
        result = fs_stat(s->fs, path, &st);
    }
    if (result != 0) {
        fs_close(file);
        return result;
    }
    qid = p9_qid(s, &st);
    put_opened(out, &qid);
    return p9_fid_opened(s, ref.fid, file, S_ISDIR(st.st_mode), NULL);
}

/* The fid stands for the directory before and for the new file afterwards. */
P9_HANDLER(p9_lcreate)
{
    uint32_t id = p9_get32(in);
    g_autofree char *name = p9_get_string(in);
    uint32_t flags = p9_get32(in), mode = p9_get32(in), gid = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree char *dir = NULL, *path = NULL;
    FsFile *file;
    P9Qid qid;
    int result = in->bad ? -EPROTO : p9_object(s, id, &ref, &dir);

    if (result == 0 && p9_fid_kind(s, ref.fid) != P9_FID_PATH) {
        result = -EINVAL;
    }
    if (result == 0) {
        result = fs_create(s->fs, dir, name, p9_open_flags(flags), mode,
                           &(FsOwner){ ref.fid->uid, gid }, &file);
    }
    if (result != 0) {
        return result;
    }
    path = p9_join(dir, name);
    result = p9_stat_qid(s, path, &qid);
    if (result != 0) {
        fs_close(file);
        return result;
    }
    put_opened(out, &qid);
    return p9_fid_opened(s, ref.fid, file, false, path);
}

P9_HANDLER(p9_read)
{
    uint32_t id = p9_get32(in);
    uint64_t offset = p9_get64(in);
    uint32_t count = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree struct iovec *iov = NULL;
    unsigned n;
    uint64_t room;
    ssize_t got;

    if (in->bad) {
        return -EPROTO;
    }
    ref.fid = p9_fid_get(s, id);
    if (ref.fid == NULL) {
        return -ENOENT;
    }
    switch (p9_fid_kind(s, ref.fid)) {
    case P9_FID_FILE:
        break;
    case P9_FID_DIR:
        return s->dialect == P9_2000_U ? p9_read_dir(s, ref.fid, offset, count, out) : -EISDIR;
    case P9_FID_XATTR_READ:
        return p9_xattr_read(s, ref.fid, offset, count, out);
    default:
        return -EBADF;
    }
    iov = g_new(struct iovec, out->n);
    room = p9_room_list(out, sizeof(count), count, iov, &n);
    got = count == 0 ? 0 : room == 0 ? -EMSGSIZE : fs_preadv(ref.fid->file, iov, n, offset);
    if (got < 0) {
        return got;
    }
    p9_put32(out, got);
    out->pos += got;
    return 0;
}

P9_HANDLER(p9_write)
{
    uint32_t id = p9_get32(in);
    uint64_t offset = p9_get64(in);
    uint32_t count = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree struct iovec *iov = g_new(struct iovec, in->n);
    unsigned n = p9_get_data(in, count, iov);
    ssize_t done;

    if (in->bad) {
        return -EPROTO;
    }
    ref.fid = p9_fid_get(s, id);
    if (ref.fid == NULL) {
        return -ENOENT;
    }
    switch (p9_fid_kind(s, ref.fid)) {
    case P9_FID_FILE:
        break;
    case P9_FID_XATTR_WRITE:
        return p9_xattr_write(s, ref.fid, offset, iov, n, count, out);
    default:
        return -EBADF;
    }
    done = count == 0 ? 0 : fs_pwritev(ref.fid->file, iov, n, offset, m->call);
    if (done < 0) {
        return done;
    }
    p9_put32(out, done);
    return 0;
}

/* ---- directories ---- */

typedef struct {
    P9Writer *out;
    uint64_t room; /* for entries */
    bool any, refused;
} Listing;

static bool put_entry(const FsDirEntry *entry, void *opaque)
{
    Listing *l = opaque;
    size_t len = strlen(entry->name);
    uint64_t size = P9_QID_SIZE + 8 + 1 + 2 + len;
    P9Qid qid = {
        .type = entry->type == DT_DIR   ? P9_QT_DIR
                : entry->type == DT_LNK ? P9_QT_SYMLINK
                                        : 0,
        .path = entry->unique,
    };

    if (size > l->room) {
        l->refused = true;
        return false;
    }
    l->room -= size;
    l->any = true;
    p9_put_qid(l->out, &qid);
    p9_put64(l->out, entry->next);
    p9_put8(l->out, entry->type);
    p9_put_text(l->out, entry->name, len);
    return true;
}

P9_HANDLER(p9_readdir)
{
    uint32_t id = p9_get32(in);
    uint64_t offset = p9_get64(in);
    uint32_t count = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    P9Writer head = *out;
    Listing l = { .out = out };
    int result;

    if (in->bad) {
        return -EPROTO;
    }
    ref.fid = p9_fid_get(s, id);
    if (ref.fid == NULL) {
        return -ENOENT;
    }
    if (p9_fid_kind(s, ref.fid) != P9_FID_DIR) {
        return -EBADF;
    }
    p9_put32(out, 0);
    l.room = MIN(count, p9_room(out));
    result = fs_readdir(ref.fid->file, offset, put_entry, &l);
    if (result != 0) {
        return result;
    }
    if (!l.any && l.refused) {
        return -EINVAL; /* nothing would mean the end */
    }
    p9_put32(&head, out->pos - head.pos - sizeof(count));
    return 0;
}

P9_HANDLER(p9_fsync)
{
    uint32_t id = p9_get32(in);
    /* Older clients do not send it. */
    uint32_t data_only = in->end - in->pos >= 4 ? p9_get32(in) : 0;
    g_auto(P9FidRef) ref = { s, NULL };
    P9FidKind kind;

    if (in->bad) {
        return -EPROTO;
    }
    ref.fid = p9_fid_get(s, id);
    if (ref.fid == NULL) {
        return -ENOENT;
    }
    kind = p9_fid_kind(s, ref.fid);
    return kind == P9_FID_FILE || kind == P9_FID_DIR ? fs_fsync(ref.fid->file, data_only != 0)
                                                     : -EBADF;
}

/* ---- locks ---- */

static int open_file(P9Session *s, uint32_t id, P9FidRef *ref)
{
    ref->fid = p9_fid_get(s, id);
    if (ref->fid == NULL) {
        return -ENOENT;
    }
    return p9_fid_kind(s, ref->fid) == P9_FID_FILE ? 0 : -EBADF;
}

static int make_lock(uint8_t type, uint64_t start, uint64_t length, struct flock *lock)
{
    static const short types[] = {
        [P9_LOCK_TYPE_READ] = F_RDLCK,
        [P9_LOCK_TYPE_WRITE] = F_WRLCK,
        [P9_LOCK_TYPE_UNLOCK] = F_UNLCK,
    };

    if (type >= G_N_ELEMENTS(types) || start > INT64_MAX || length > INT64_MAX) {
        return -EINVAL;
    }
    *lock = (struct flock){
        .l_type = types[type],
        .l_whence = SEEK_SET,
        .l_start = (off_t)start,
        .l_len = (off_t)length,
    };
    return 0;
}

/* Never waits: the client asks again while it is told BLOCKED. */
P9_HANDLER(p9_lock)
{
    uint32_t id = p9_get32(in);
    uint8_t type = p9_get8(in);
    uint32_t flags = p9_get32(in);
    uint64_t start = p9_get64(in), length = p9_get64(in);
    uint32_t process G_GNUC_UNUSED = p9_get32(in);
    g_autofree char *client G_GNUC_UNUSED = p9_get_string(in);
    g_auto(P9FidRef) ref = { s, NULL };
    struct flock lock;
    int result = in->bad ? -EPROTO : open_file(s, id, &ref);

    if (result == 0) {
        result = make_lock(type, start, length, &lock);
    }
    if (result == 0 && (flags & ~(P9_LOCK_FLAG_BLOCK | P9_LOCK_FLAG_RECLAIM)) != 0) {
        result = -EINVAL;
    }
    if (result == 0) {
        result = fs_lock(ref.fid->file, &lock);
    }
    if (result != 0 && result != -EAGAIN) {
        return result;
    }
    p9_put8(out, result == 0 ? P9_LOCK_SUCCESS : P9_LOCK_BLOCKED);
    return 0;
}

P9_HANDLER(p9_getlock)
{
    uint32_t id = p9_get32(in);
    uint8_t type = p9_get8(in);
    uint64_t start = p9_get64(in), length = p9_get64(in);
    uint32_t process = p9_get32(in);
    g_autofree char *client = p9_get_string(in);
    g_auto(P9FidRef) ref = { s, NULL };
    struct flock lock;
    int result = in->bad ? -EPROTO : open_file(s, id, &ref);

    if (result == 0) {
        result = make_lock(type, start, length, &lock);
    }
    if (result == 0) {
        result = fs_getlock(ref.fid->file, &lock);
    }
    if (result != 0) {
        return result;
    }
    if (lock.l_type == F_UNLCK) {
        p9_put8(out, P9_LOCK_TYPE_UNLOCK);
        p9_put64(out, start);
        p9_put64(out, length);
    } else {
        p9_put8(out, lock.l_type == F_WRLCK ? P9_LOCK_TYPE_WRITE : P9_LOCK_TYPE_READ);
        p9_put64(out, lock.l_start);
        p9_put64(out, lock.l_len);
    }
    p9_put32(out, process);
    p9_put_string(out, client);
    return 0;
}
