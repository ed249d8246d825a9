/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of a local export (a host directory), shared by local*.c.
 *
 * Confinement: everything starts from the root's descriptor. An object is found as an O_PATH
 * descriptor by a walk that stays beneath the root and follows no link; it is then used through
 * that descriptor. O_PATH opens nothing: a FIFO or device that a guest made does nothing yet.
 */
#pragma once

#include <dirent.h>
#include <pthread.h>

#include "fsdev-priv.h"
#include "util/fd.h"

typedef enum { LOCAL_PASSTHROUGH, LOCAL_MAPPED_XATTR, LOCAL_MAPPED_FILE, LOCAL_NONE } LocalModel;

typedef struct {
    FsDev fs;
    int root; /* O_PATH */
    LocalModel model;
    bool has_openat2;
    bool writeout;
    mode_t file_mode, dir_mode; /* host permissions under the mapped models */
} Local;

typedef struct {
    FsFile file;
    int fd;
    DIR *dir;             /* owns fd if not NULL */
    pthread_mutex_t lock; /* what follows */
    uint64_t dir_offset;  /* where dir stands */
    int lock_fd;          /* opened for the first lock; -1 before */
} LocalFile;

static inline bool local_is_mapped(const Local *l)
{
    return l->model == LOCAL_MAPPED_XATTR || l->model == LOCAL_MAPPED_FILE;
}

/* ---- local-path.c ---- */

/* An object: itself, and where its name stands ("" and the root's own descriptor for the root). */
typedef struct {
    Fd fd;
    Fd dir;
    const char *name; /* in the path given */
} LocalPlace;
void local_place_clear(LocalPlace *place);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LocalPlace, local_place_clear)
#define LOCAL_PLACE_INIT                                                                           \
    {                                                                                              \
        -1, -1, ""                                                                                 \
    }
/* 0 or -errno. */
int local_find(Local *l, const char *path, LocalPlace *place);
/* The directory as an O_PATH descriptor, or -errno. */
int local_find_dir(Local *l, const char *path);
/* Opens for real what O_PATH descriptor fd stands for. Descriptor or -errno. */
int local_reopen(int fd, int flags);
/* The magic link to fd, for calls that take no descriptor. */
typedef struct {
    char text[32];
} LocalProcPath;
LocalProcPath local_proc_path(int fd);

/* ---- local-meta.c: what the mapped models keep instead of setting it on the host ---- */
typedef struct {
    bool has_uid, has_gid, has_mode, has_rdev;
    uint32_t uid, gid, mode;
    uint64_t rdev;
} LocalMeta;
/* 0 or -errno; nothing kept is 0 with nothing in meta. */
int local_meta_get_fd(Local *l, int fd, LocalMeta *meta); /* mapped-xattr only */
/* Changes what meta has. */
int local_meta_set(Local *l, const LocalPlace *place, const LocalMeta *meta);
void local_meta_apply(const LocalMeta *meta, struct stat *st);
/* Names that start with what the mapped-xattr model uses for itself, for local-xattr.c. */
#define LOCAL_META_PREFIX "user.virtfs."

/* ---- local-metafile.c: the same in files, one for each object ---- */
#define LOCAL_META_DIR  ".virtfs_metadata"
#define LOCAL_META_ROOT ".virtfs_metadata_root"
int local_metafile_get(Local *l, const LocalPlace *place, LocalMeta *meta);
int local_metafile_set(Local *l, const LocalPlace *place, const LocalMeta *meta);
int local_metafile_link(int dir, const char *name, int new_dir, const char *new_name);
int local_metafile_rename(int dir, const char *name, int new_dir, const char *new_name);
int local_metafile_remove(int dir, const char *name);
/* Makes an empty directory empty for the host as well. */
int local_metafile_forget_dir(int dir, const char *name);

/* ---- stat as the guest sees it ---- */
int local_stat_place(Local *l, const LocalPlace *place, struct stat *st);

/* ---- local-name.c ---- */
int local_create(FsDev *fs, const char *dir, const char *name, int flags, mode_t mode,
                 const FsOwner *owner, FsFile **file);
int local_mkdir(FsDev *fs, const char *dir, const char *name, mode_t mode, const FsOwner *owner);
int local_mknod(FsDev *fs, const char *dir, const char *name, mode_t mode, dev_t rdev,
                const FsOwner *owner);
int local_symlink(FsDev *fs, const char *dir, const char *name, const char *target,
                  const FsOwner *owner);
int local_link(FsDev *fs, const char *path, const char *dir, const char *name);
int local_unlink(FsDev *fs, const char *dir, const char *name, bool is_dir);
int local_rename(FsDev *fs, const char *dir, const char *name, const char *new_dir,
                 const char *new_name);

/* ---- local-xattr.c ---- */
ssize_t local_getxattr(FsDev *fs, const char *path, const char *name, void *buf, size_t size);
ssize_t local_listxattr(FsDev *fs, const char *path, void *buf, size_t size);
int local_setxattr(FsDev *fs, const char *path, const char *name, const void *value, size_t size,
                   int flags);
int local_removexattr(FsDev *fs, const char *path, const char *name);

/* ---- local-file.c ---- */
int local_open(FsDev *fs, const char *path, int flags, FsFile **file);
FsFile *local_file_new(int fd); /* takes fd */
void local_close(FsFile *file);
int local_fstat(FsFile *file, struct stat *st);
ssize_t local_preadv(FsFile *file, const struct iovec *iov, unsigned n, uint64_t offset);
ssize_t local_pwritev(FsFile *file, const struct iovec *iov, unsigned n, uint64_t offset,
                      FsCall *call);
int local_ftruncate(FsFile *file, uint64_t size);
int local_fsync(FsFile *file, bool data_only);
int local_lock(FsFile *file, struct flock *lock);
int local_getlock(FsFile *file, struct flock *lock);
int local_readdir(FsFile *file, uint64_t offset, FsDirEntryFn fn, void *opaque);
