/* SPDX-License-Identifier: GPL-2.0-or-later
 * Names in directories (9P2000.L): Tmkdir, Tsymlink, Tmknod, Tlink, Trename, Trenameat, Tunlinkat.
 */
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "p9-priv.h"

static int put_new_qid(P9Session *s, const char *dir, const char *name, P9Writer *out)
{
    g_autofree char *path = p9_join(dir, name);
    P9Qid qid;
    int result = p9_stat_qid(s, path, &qid);

    p9_put_qid(out, &qid);
    return result;
}

/* The directory a name goes to. */
static int new_name_dir(P9Session *s, uint32_t id, const char *name, P9FidRef *ref, char **dir)
{
    if (!p9_name_is_plain(name)) {
        return -ENOENT;
    }
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return -EEXIST;
    }
    return p9_object(s, id, ref, dir);
}

P9_HANDLER(p9_mkdir)
{
    uint32_t id = p9_get32(in);
    g_autofree char *name = p9_get_string(in), *dir = NULL;
    uint32_t mode = p9_get32(in), gid = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    int result = in->bad ? -EPROTO : new_name_dir(s, id, name, &ref, &dir);

    if (result == 0) {
        result = fs_mkdir(s->fs, dir, name, mode, &(FsOwner){ ref.fid->uid, gid });
    }
    return result != 0 ? result : put_new_qid(s, dir, name, out);
}

P9_HANDLER(p9_symlink)
{
    uint32_t id = p9_get32(in);
    g_autofree char *name = p9_get_string(in), *target = p9_get_string(in), *dir = NULL;
    uint32_t gid = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    int result = in->bad ? -EPROTO : new_name_dir(s, id, name, &ref, &dir);

    if (result == 0) {
        result = fs_symlink(s->fs, dir, name, target, &(FsOwner){ ref.fid->uid, gid });
    }
    return result != 0 ? result : put_new_qid(s, dir, name, out);
}

P9_HANDLER(p9_mknod)
{
    uint32_t id = p9_get32(in);
    g_autofree char *name = p9_get_string(in), *dir = NULL;
    uint32_t mode = p9_get32(in), major_no = p9_get32(in), minor_no = p9_get32(in);
    uint32_t gid = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    int result = in->bad ? -EPROTO : new_name_dir(s, id, name, &ref, &dir);

    if (result == 0) {
        result = fs_mknod(s->fs, dir, name, mode, makedev(major_no, minor_no),
                          &(FsOwner){ ref.fid->uid, gid });
    }
    return result != 0 ? result : put_new_qid(s, dir, name, out);
}

P9_HANDLER(p9_link)
{
    uint32_t dir_id = p9_get32(in), id = p9_get32(in);
    g_autofree char *name = p9_get_string(in), *dir = NULL, *path = NULL;
    g_auto(P9FidRef) dir_ref = { s, NULL }, ref = { s, NULL };
    int result = in->bad ? -EPROTO : new_name_dir(s, dir_id, name, &dir_ref, &dir);

    if (result == 0) {
        result = p9_object(s, id, &ref, &path);
    }
    return result != 0 ? result : fs_link(s->fs, path, dir, name);
}

static int rename_and_follow(P9Session *s, const char *old_dir, const char *old_name,
                             const char *dir, const char *name)
{
    g_autofree char *old = p9_join(old_dir, old_name), *new = p9_join(dir, name);
    int result = fs_rename(s->fs, old_dir, old_name, dir, name);

    if (result == 0) {
        p9_fids_renamed(s, old, new);
    }
    return result;
}

P9_HANDLER(p9_rename)
{
    uint32_t id = p9_get32(in), dir_id = p9_get32(in);
    g_autofree char *name = p9_get_string(in), *path = NULL, *dir = NULL, *old_dir = NULL;
    g_auto(P9FidRef) ref = { s, NULL }, dir_ref = { s, NULL };
    const char *old_name;
    int result = in->bad ? -EPROTO : p9_object(s, id, &ref, &path);

    if (result == 0) {
        result = new_name_dir(s, dir_id, name, &dir_ref, &dir);
    }
    if (result != 0) {
        return result;
    }
    p9_split(path, &old_dir, &old_name);
    return *path == '\0' ? -EBUSY : rename_and_follow(s, old_dir, old_name, dir, name);
}

P9_HANDLER(p9_renameat)
{
    uint32_t old_id = p9_get32(in);
    g_autofree char *old_name = p9_get_string(in);
    uint32_t id = p9_get32(in);
    g_autofree char *name = p9_get_string(in), *old_dir = NULL, *dir = NULL;
    g_auto(P9FidRef) old_ref = { s, NULL }, ref = { s, NULL };
    int result = in->bad ? -EPROTO : new_name_dir(s, old_id, old_name, &old_ref, &old_dir);

    if (result == 0) {
        result = new_name_dir(s, id, name, &ref, &dir);
    }
    return result != 0 ? result : rename_and_follow(s, old_dir, old_name, dir, name);
}

P9_HANDLER(p9_unlinkat)
{
    uint32_t id = p9_get32(in);
    g_autofree char *name = p9_get_string(in), *dir = NULL;
    uint32_t flags = p9_get32(in);
    g_auto(P9FidRef) ref = { s, NULL };
    int result = in->bad ? -EPROTO : p9_object(s, id, &ref, &dir);

    if (result != 0) {
        return result;
    }
    if ((flags & ~P9_AT_REMOVEDIR) != 0) {
        return -EINVAL;
    }
    return fs_unlink(s->fs, dir, name, flags != 0);
}
