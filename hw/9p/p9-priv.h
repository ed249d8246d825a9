/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of a 9P session and its fids, and the handlers of all messages.
 *
 * Lock order: tree (around handlers that use paths: readers, and renames as writers, so that a
 * fid's path is never out of date), lock (leaf).
 */
#pragma once

#include <pthread.h>

#include "p9-proto.h"
#include "p9-wire.h"
#include "p9.h"

enum {
    P9_FIDS_MAX = 16384,
    P9_FILES_MAX = 4096,
    P9_XATTR_BYTES_MAX = 16 << 20, /* of all fids of a session */
};

typedef enum { P9_NO_VERSION, P9_2000_U, P9_2000_L } P9Dialect;

typedef enum {
    P9_FID_PATH, /* not opened */
    P9_FID_FILE,
    P9_FID_DIR,
    P9_FID_XATTR_READ,
    P9_FID_XATTR_WRITE,
} P9FidKind;

typedef struct {
    uint32_t id;
    uid_t uid; /* who attached */

    unsigned refs; /* the session's lock, as what follows */
    P9FidKind kind;
    char *path;
    FsFile *file; /* FILE, DIR; set once */

    char *xattr_name; /* XATTR_*; set once */
    uint8_t *xattr;
    uint64_t xattr_size, xattr_done;
    int xattr_flags;

    uint64_t dir_pos, dir_next; /* 9P2000.u: where the next read goes on, in bytes and entries */
} P9Fid;

struct P9Session {
    FsDev *fs;
    P9Dialect dialect; /* by Tversion, when nothing else is served */
    uint32_t msize;

    pthread_rwlock_t tree;
    pthread_mutex_t lock; /* what follows */
    GHashTable *fids;     /* id to P9Fid, each referenced */
    unsigned n_files;
    uint64_t xattr_bytes;
};

/* ---- p9-fid.c. A fid that was got is put again. ---- */
P9Fid *p9_fid_get(P9Session *s, uint32_t id); /* NULL: there is none */
void p9_fid_put(P9Session *s, P9Fid *fid);    /* NULL is fine */
/* New, not yet in the table. -errno: too many. path is copied. */
P9Fid *p9_fid_new(uint32_t id, const char *path, uid_t uid);
/* Enters fid, which the table then references too. -EINVAL: its id is used; -ENFILE. */
int p9_fid_add(P9Session *s, P9Fid *fid);
/* Removes it from the table; the caller's reference stays. FALSE: somebody else did. */
bool p9_fid_remove(P9Session *s, P9Fid *fid);
void p9_fid_remove_all(P9Session *s);
char *p9_fid_path(P9Session *s, P9Fid *fid); /* a copy */
P9FidKind p9_fid_kind(P9Session *s, P9Fid *fid);
/* Turns a PATH fid into an open one (path not NULL: it now stands for that); takes file. -EINVAL:
 * it is open already; file is closed then. */
int p9_fid_opened(P9Session *s, P9Fid *fid, FsFile *file, bool is_dir, const char *path);
/* After a rename: paths that are or begin with old. */
void p9_fids_renamed(P9Session *s, const char *old, const char *new);
/* FALSE: more than a session may hold. */
bool p9_xattr_reserve(P9Session *s, uint64_t bytes);

typedef struct {
    P9Session *s;
    P9Fid *fid;
} P9FidRef;
static inline void p9_fid_ref_clear(P9FidRef *ref)
{
    p9_fid_put(ref->s, ref->fid);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(P9FidRef, p9_fid_ref_clear)

/* The fid if it is not about an attribute, and its path; -ENOENT, -EINVAL. */
int p9_object(P9Session *s, uint32_t id, P9FidRef *ref, char **path);

/* ---- shared helpers, p9-util.c ---- */
bool p9_name_is_plain(const char *name); /* neither empty nor with a slash */
char *p9_join(const char *dir, const char *name);
void p9_split(const char *path, char **dir, const char **name);
P9Qid p9_qid(P9Session *s, const struct stat *st);
int p9_stat_qid(P9Session *s, const char *path, P9Qid *qid);
/* Of an open file through it, where that can be; else by path. */
int p9_stat_fid(P9Session *s, P9Fid *fid, const char *path, struct stat *st);
int p9_open_flags(uint32_t l_flags); /* of open(2), from those of 9P2000.L */

/* ---- handlers: 0 or -errno; on an error what they wrote is not sent ---- */
typedef int (*P9Handler)(P9Session *s, P9Message *m, P9Reader *in, P9Writer *out);
#define P9_HANDLER(name) int name(P9Session *s, P9Message *m, P9Reader *in, P9Writer *out)
P9_HANDLER(p9_version); /* p9-session.c */
P9_HANDLER(p9_flush);
P9_HANDLER(p9_auth);
P9_HANDLER(p9_attach); /* p9-walk.c */
P9_HANDLER(p9_walk);
P9_HANDLER(p9_clunk);
P9_HANDLER(p9_remove);
P9_HANDLER(p9_getattr); /* p9-attr.c */
P9_HANDLER(p9_setattr);
P9_HANDLER(p9_statfs);
P9_HANDLER(p9_readlink);
P9_HANDLER(p9_xattrwalk); /* p9-xattr.c */
P9_HANDLER(p9_xattrcreate);
P9_HANDLER(p9_mkdir); /* p9-name.c */
P9_HANDLER(p9_symlink);
P9_HANDLER(p9_mknod);
P9_HANDLER(p9_link);
P9_HANDLER(p9_rename);
P9_HANDLER(p9_renameat);
P9_HANDLER(p9_unlinkat);
P9_HANDLER(p9_lopen); /* p9-io.c */
P9_HANDLER(p9_lcreate);
P9_HANDLER(p9_read);
P9_HANDLER(p9_write);
P9_HANDLER(p9_readdir);
P9_HANDLER(p9_fsync);
P9_HANDLER(p9_lock);
P9_HANDLER(p9_getlock);
P9_HANDLER(p9_open); /* p9-unix.c */
P9_HANDLER(p9_create);
P9_HANDLER(p9_stat);
P9_HANDLER(p9_wstat);

/* What a Tclunk of an attribute that was written does; p9-xattr.c. */
int p9_xattr_commit(P9Session *s, P9Fid *fid);
/* Reads and writes of attribute fids; p9-xattr.c. */
int p9_xattr_read(P9Session *s, P9Fid *fid, uint64_t offset, uint32_t count, P9Writer *out);
int p9_xattr_write(P9Session *s, P9Fid *fid, uint64_t offset, const struct iovec *iov, unsigned n,
                   uint32_t count, P9Writer *out);
/* A 9P2000.u read of a directory; p9-unix.c. */
int p9_read_dir(P9Session *s, P9Fid *fid, uint64_t offset, uint32_t count, P9Writer *out);
