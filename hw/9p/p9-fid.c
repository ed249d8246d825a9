/* SPDX-License-Identifier: GPL-2.0-or-later
 * The table of fids: names the client gave to objects and open files. A fid that a message uses
 * stays alive until that message is served, also when another one clunks it meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "p9-priv.h"

P9Fid *p9_fid_get(P9Session *s, uint32_t id)
{
    P9Fid *fid;

    pthread_mutex_lock(&s->lock);
    fid = g_hash_table_lookup(s->fids, GUINT_TO_POINTER(id));
    if (fid != NULL) {
        fid->refs++;
    }
    pthread_mutex_unlock(&s->lock);
    return fid;
}

void p9_fid_put(P9Session *s, P9Fid *fid)
{
    bool last;

    if (fid == NULL) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    last = --fid->refs == 0;
    if (last) {
        s->n_files -= fid->file != NULL;
        s->xattr_bytes -= fid->xattr_size;
    }
    pthread_mutex_unlock(&s->lock);
    if (last) {
        fs_close(fid->file);
        g_free(fid->path);
        g_free(fid->xattr_name);
        g_free(fid->xattr);
        g_free(fid);
    }
}

P9Fid *p9_fid_new(uint32_t id, const char *path, uid_t uid)
{
    P9Fid *fid = g_new0(P9Fid, 1);

    fid->refs = 1;
    fid->id = id;
    fid->path = g_strdup(path);
    fid->uid = uid;
    return fid;
}

int p9_fid_add(P9Session *s, P9Fid *fid)
{
    int result = 0;

    pthread_mutex_lock(&s->lock);
    if (g_hash_table_contains(s->fids, GUINT_TO_POINTER(fid->id))) {
        result = -EINVAL;
    } else if (g_hash_table_size(s->fids) == P9_FIDS_MAX) {
        result = -ENFILE;
    } else {
        fid->refs++;
        g_hash_table_insert(s->fids, GUINT_TO_POINTER(fid->id), fid);
    }
    pthread_mutex_unlock(&s->lock);
    return result;
}

bool p9_fid_remove(P9Session *s, P9Fid *fid)
{
    bool removed;

    pthread_mutex_lock(&s->lock);
    removed = g_hash_table_lookup(s->fids, GUINT_TO_POINTER(fid->id)) == fid;
    if (removed) {
        g_hash_table_remove(s->fids, GUINT_TO_POINTER(fid->id));
        fid->refs--; /* the caller's is left */
    }
    pthread_mutex_unlock(&s->lock);
    return removed;
}

void p9_fid_remove_all(P9Session *s)
{
    g_autoptr(GList) all = NULL;

    pthread_mutex_lock(&s->lock);
    all = g_hash_table_get_values(s->fids);
    g_hash_table_remove_all(s->fids);
    pthread_mutex_unlock(&s->lock);
    for (GList *l = all; l != NULL; l = l->next) {
        p9_fid_put(s, l->data);
    }
}

char *p9_fid_path(P9Session *s, P9Fid *fid)
{
    char *path;

    pthread_mutex_lock(&s->lock);
    path = g_strdup(fid->path);
    pthread_mutex_unlock(&s->lock);
    return path;
}

P9FidKind p9_fid_kind(P9Session *s, P9Fid *fid)
{
    P9FidKind kind;

    pthread_mutex_lock(&s->lock);
    kind = fid->kind;
    pthread_mutex_unlock(&s->lock);
    return kind;
}

int p9_fid_opened(P9Session *s, P9Fid *fid, FsFile *file, bool is_dir, const char *path)
{
    int result = 0;

    pthread_mutex_lock(&s->lock);
    if (fid->kind != P9_FID_PATH) {
        result = -EINVAL;
    } else if (s->n_files == P9_FILES_MAX) {
        result = -ENFILE;
    } else {
        s->n_files++;
        fid->kind = is_dir ? P9_FID_DIR : P9_FID_FILE;
        fid->file = file;
        if (path != NULL) {
            g_free(fid->path);
            fid->path = g_strdup(path);
        }
    }
    pthread_mutex_unlock(&s->lock);
    if (result != 0) {
        fs_close(file);
    }
    return result;
}

void p9_fids_renamed(P9Session *s, const char *old, const char *new)
{
    size_t len = strlen(old);
    GHashTableIter iter;
    gpointer value;

    pthread_mutex_lock(&s->lock);
    g_hash_table_iter_init(&iter, s->fids);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        P9Fid *fid = value;

        if (strncmp(fid->path, old, len) == 0 &&
            (fid->path[len] == '\0' || fid->path[len] == '/')) {
            char *path = g_strconcat(new, fid->path + len, NULL);

            g_free(fid->path);
            fid->path = path;
        }
    }
    pthread_mutex_unlock(&s->lock);
}

bool p9_xattr_reserve(P9Session *s, uint64_t bytes)
{
    bool ok;

    pthread_mutex_lock(&s->lock);
    ok = bytes <= P9_XATTR_BYTES_MAX - s->xattr_bytes;
    if (ok) {
        s->xattr_bytes += bytes;
    }
    pthread_mutex_unlock(&s->lock);
    return ok;
}

int p9_object(P9Session *s, uint32_t id, P9FidRef *ref, char **path)
{
    P9FidKind kind;

    ref->s = s;
    ref->fid = p9_fid_get(s, id);
    if (ref->fid == NULL) {
        return -ENOENT;
    }
    kind = p9_fid_kind(s, ref->fid);
    if (kind == P9_FID_XATTR_READ || kind == P9_FID_XATTR_WRITE) {
        return -EINVAL;
    }
    *path = p9_fid_path(s, ref->fid);
    return 0;
}
