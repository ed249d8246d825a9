/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where fids come from and where they go: Tattach, Twalk, Tclunk, Tremove.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "p9-priv.h"

/* One step from *path, which it replaces. */
static int step(P9Session *s, char **path, const char *name, P9Qid *qid)
{
    g_autofree char *next = NULL;
    const char *last;
    int result;

    if (!p9_name_is_plain(name)) {
        return -ENOENT;
    }
    if (strcmp(name, "..") == 0) {
        p9_split(*path, &next, &last); /* the root's is the root */
    } else if (strcmp(name, ".") == 0) {
        next = g_strdup(*path);
    } else {
        next = p9_join(*path, name);
    }
    result = p9_stat_qid(s, next, qid);
    if (result == 0) {
        g_free(*path);
        *path = g_steal_pointer(&next);
    }
    return result;
}

P9_HANDLER(p9_attach)
{
    uint32_t id = p9_get32(in);
    uint32_t afid G_GNUC_UNUSED = p9_get32(in); /* Tauth is refused: there is none */
    g_autofree char *uname G_GNUC_UNUSED = p9_get_string(in);
    g_autofree char *aname = p9_get_string(in);
    uint32_t uid = p9_get32(in);
    g_auto(GStrv) names = g_strsplit(aname, "/", -1);
    g_autofree char *path = g_strdup("");
    P9FidRef ref = { s, NULL };
    P9Qid qid;
    int result = in->bad ? -EPROTO : p9_stat_qid(s, "", &qid);

    for (unsigned i = 0; names[i] != NULL && result == 0; i++) {
        if (*names[i] != '\0') {
            result = step(s, &path, names[i], &qid);
        }
    }
    if (result != 0) {
        return result;
    }
    ref.fid = p9_fid_new(id, path, uid == P9_NO_UID ? geteuid() : uid);
    result = p9_fid_add(s, ref.fid);
    p9_fid_ref_clear(&ref);
    p9_put_qid(out, &qid);
    return result;
}

/* fid becomes the object at path. */
static int move_fid(P9Session *s, P9Fid *fid, char *path)
{
    int result = 0;

    pthread_mutex_lock(&s->lock);
    if (fid->kind != P9_FID_PATH) {
        result = -EINVAL;
        g_free(path);
    } else {
        g_free(fid->path);
        fid->path = path;
    }
    pthread_mutex_unlock(&s->lock);
    return result;
}

static int finish_walk(P9Session *s, P9Fid *fid, uint32_t new_id, char **path)
{
    P9Fid *made;
    int result;

    if (new_id == fid->id) {
        return move_fid(s, fid, g_steal_pointer(path));
    }
    made = p9_fid_new(new_id, *path, fid->uid);
    result = p9_fid_add(s, made);
    p9_fid_put(s, made);
    return result;
}

P9_HANDLER(p9_walk)
{
    uint32_t id = p9_get32(in), new_id = p9_get32(in);
    uint16_t n = p9_get16(in);
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree char *path = NULL;
    P9Qid qids[P9_WALK_MAX];
    unsigned done = 0;
    int result = 0;

    if (in->bad || n > P9_WALK_MAX) {
        return in->bad ? -EPROTO : -EINVAL;
    }
    result = p9_object(s, id, &ref, &path);
    for (; done < n && result == 0; done += result == 0) {
        g_autofree char *name = p9_get_string(in);

        if (in->bad) {
            return -EPROTO;
        }
        result = step(s, &path, name, &qids[done]);
    }
    if (result != 0 && done == 0) {
        return result;
    }
    if (done == n) {
        result = finish_walk(s, ref.fid, new_id, &path);
        if (result != 0) {
            return result;
        }
    }
    p9_put16(out, done);
    for (unsigned i = 0; i < done; i++) {
        p9_put_qid(out, &qids[i]);
    }
    return 0;
}

P9_HANDLER(p9_clunk)
{
    g_auto(P9FidRef) ref = { s, NULL };
    uint32_t id = p9_get32(in);

    if (in->bad) {
        return -EPROTO;
    }
    ref.fid = p9_fid_get(s, id);
    if (ref.fid == NULL || !p9_fid_remove(s, ref.fid)) {
        return -ENOENT;
    }
    return p9_fid_kind(s, ref.fid) == P9_FID_XATTR_WRITE ? p9_xattr_commit(s, ref.fid) : 0;
}

/* The fid is gone whether or not the object is. */
P9_HANDLER(p9_remove)
{
    g_auto(P9FidRef) ref = { s, NULL };
    g_autofree char *path = NULL, *dir = NULL;
    uint32_t id = p9_get32(in);
    const char *name;
    struct stat st;
    int result = in->bad ? -EPROTO : p9_object(s, id, &ref, &path);

    if (ref.fid != NULL) {
        p9_fid_remove(s, ref.fid);
    }
    if (result == 0) {
        result = *path == '\0' ? -EBUSY : fs_stat(s->fs, path, &st);
    }
    if (result != 0) {
        return result;
    }
    p9_split(path, &dir, &name);
    return fs_unlink(s->fs, dir, name, S_ISDIR(st.st_mode));
}
