/* SPDX-License-Identifier: GPL-2.0-or-later
 * Extended attributes (9P2000.L): a fid stands for an attribute's value or for the list of names.
 * What is read is taken when the fid is made; what is written takes effect when it is clunked.
 */
#include <errno.h>
#include <string.h>

#include "p9-priv.h"
#include "util/iov.h"

static ssize_t take_value(P9Session *s, const char *path, const char *name, void *buf, size_t size)
{
    return *name == '\0' ? fs_listxattr(s->fs, path, buf, size)
                         : fs_getxattr(s->fs, path, name, buf, size);
}

P9_HANDLER(p9_xattrwalk)
{
    uint32_t id = p9_get32(in), new_id = p9_get32(in);
    g_autofree char *name = p9_get_string(in);
    g_auto(P9FidRef) ref = { s, NULL }, made = { s, NULL };
    g_autofree char *path = NULL;
    g_autofree uint8_t *value = NULL;
    ssize_t size = in->bad ? -EPROTO : p9_object(s, id, &ref, &path);
    int result;

    if (size == 0) {
        value = g_malloc(P9_XATTR_MAX);
        size = take_value(s, path, name, value, P9_XATTR_MAX);
    }
    if (size < 0) {
        return size;
    }
    if (!p9_xattr_reserve(s, size)) {
        return -ENOSPC;
    }
    made.fid = p9_fid_new(new_id, path, ref.fid->uid);
    made.fid->kind = P9_FID_XATTR_READ;
    made.fid->xattr = g_memdup2(value, size);
    made.fid->xattr_size = size;
    result = p9_fid_add(s, made.fid);
    p9_put64(out, size);
    return result;
}

P9_HANDLER(p9_xattrcreate)
{
    uint32_t id = p9_get32(in);
    g_autofree char *name = p9_get_string(in);
    uint64_t size = p9_get64(in);
    uint32_t flags = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree char *path = NULL;
    int result = in->bad ? -EPROTO : p9_object(s, id, &ref, &path);

    if (result != 0) {
        return result;
    }
    if (*name == '\0' || (flags & ~(P9_XATTR_CREATE | P9_XATTR_REPLACE)) != 0) {
        return -EINVAL;
    }
    if (size > P9_XATTR_MAX) {
        return -E2BIG;
    }
    if (!p9_xattr_reserve(s, size)) {
        return -ENOSPC;
    }
    pthread_mutex_lock(&s->lock);
    if (ref.fid->kind == P9_FID_PATH) {
        ref.fid->kind = P9_FID_XATTR_WRITE;
        ref.fid->xattr = g_malloc0(size);
        ref.fid->xattr_size = size;
        ref.fid->xattr_name = g_steal_pointer(&name);
        ref.fid->xattr_flags = flags; /* those of setxattr(2) */
    } else {
        s->xattr_bytes -= size;
        result = -EINVAL;
    }
    pthread_mutex_unlock(&s->lock);
    return result;
}

int p9_xattr_commit(P9Session *s, P9Fid *fid)
{
    g_autofree char *path = p9_fid_path(s, fid);
    g_autofree uint8_t *value = NULL;
    bool complete;

    pthread_mutex_lock(&s->lock); /* a write may still be on its way */
    complete = fid->xattr_done == fid->xattr_size;
    value = g_memdup2(fid->xattr, fid->xattr_size);
    pthread_mutex_unlock(&s->lock);
    if (!complete) {
        return -EIO;
    }
    if (fid->xattr_size == 0) {
        return fs_removexattr(s->fs, path, fid->xattr_name);
    }
    return fs_setxattr(s->fs, path, fid->xattr_name, value, fid->xattr_size, fid->xattr_flags);
}

int p9_xattr_read(P9Session *s, P9Fid *fid, uint64_t offset, uint32_t count, P9Writer *out)
{
    uint64_t len = offset < fid->xattr_size ? MIN(count, fid->xattr_size - offset) : 0;
    uint64_t room = p9_room(out);

    len = MIN(len, room > 4 ? room - 4 : 0);
    p9_put32(out, len);
    if (len > 0) {
        p9_put_bytes(out, fid->xattr + offset, len);
    }
    return 0;
}

int p9_xattr_write(P9Session *s, P9Fid *fid, uint64_t offset, const struct iovec *iov, unsigned n,
                   uint32_t count, P9Writer *out)
{
    pthread_mutex_lock(&s->lock);
    if (offset > fid->xattr_size || count > fid->xattr_size - offset) {
        pthread_mutex_unlock(&s->lock);
        return -ENOSPC;
    }
    iov_to_buf(iov, n, 0, fid->xattr + offset, count);
    fid->xattr_done = MAX(fid->xattr_done, offset + count);
    pthread_mutex_unlock(&s->lock);
    p9_put32(out, count);
    return 0;
}
