/* SPDX-License-Identifier: GPL-2.0-or-later
 * What several handlers need: names and paths, qids, open flags.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "p9-priv.h"

bool p9_name_is_plain(const char *name)
{
    return *name != '\0' && strchr(name, '/') == NULL;
}

char *p9_join(const char *dir, const char *name)
{
    return *dir != '\0' ? g_strconcat(dir, "/", name, NULL) : g_strdup(name);
}

void p9_split(const char *path, char **dir, const char **name)
{
    const char *slash = strrchr(path, '/');

    *dir = slash != NULL ? g_strndup(path, slash - path) : g_strdup("");
    *name = slash != NULL ? slash + 1 : path;
}

P9Qid p9_qid(P9Session *s, const struct stat *st)
{
    P9Qid qid = {
        .type = S_ISDIR(st->st_mode)   ? P9_QT_DIR
                : S_ISLNK(st->st_mode) ? P9_QT_SYMLINK
                                       : P9_QT_FILE,
        .path = fs_unique(s->fs, st->st_dev, st->st_ino),
    };

    /* Changes whenever the content does, as far as the host's clock can tell. */
    qid.version = (uint32_t)st->st_mtim.tv_sec ^ (uint32_t)st->st_mtim.tv_nsec ^
                  (uint32_t)((uint64_t)st->st_size << 8);
    return qid;
}

int p9_stat_qid(P9Session *s, const char *path, P9Qid *qid)
{
    struct stat st;
    int result = fs_stat(s->fs, path, &st);

    if (result == 0) {
        *qid = p9_qid(s, &st);
    }
    return result;
}

int p9_stat_fid(P9Session *s, P9Fid *fid, const char *path, struct stat *st)
{
    P9FidKind kind = p9_fid_kind(s, fid);
    int result = -EOPNOTSUPP;

    if (kind == P9_FID_FILE || kind == P9_FID_DIR) {
        result = fs_fstat(fid->file, st);
    }
    return result == -EOPNOTSUPP ? fs_stat(s->fs, path, st) : result;
}

int p9_open_flags(uint32_t l_flags)
{
    static const struct {
        uint32_t l;
        int host;
    } flags[] = {
        { P9_L_EXCL, O_EXCL },   { P9_L_TRUNC, O_TRUNC },         { P9_L_APPEND, O_APPEND },
        { P9_L_DSYNC, O_DSYNC }, { P9_L_DIRECTORY, O_DIRECTORY }, { P9_L_SYNC, O_SYNC },
    };
    int host = l_flags & P9_L_ACCESS;

    for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
        host |= (l_flags & flags[i].l) == flags[i].l ? flags[i].host : 0;
    }
    return host;
}
