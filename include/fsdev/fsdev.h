/* SPDX-License-Identifier: GPL-2.0-or-later
 * File system back ends: what -fsdev names and virtio-9p offers to a guest. An object in it is
 * named by a path relative to the exported root: "" is the root, else components joined by single
 * slashes, none of them empty, "." or "..". What a call does never leaves the root and never
 * follows a symbolic link, whatever the guest or the host makes of the tree meanwhile.
 *
 * Threads: everything but fsdev_open(), fsdev_find() and fsdev_unref() is [any] and may block as
 * long as the host's file system does. One FsFile may be used by several threads at a time.
 * Results are 0 (or a number of bytes) or -errno.
 */
#pragma once

#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>

typedef struct FsDev FsDev;
typedef struct FsFile FsFile; /* an open regular file or directory */

typedef struct {
    const char *driver;         /* "local" or "synth" */
    const char *id;             /* by which fsdev_find() finds it */
    const char *path;           /* local: the host directory */
    const char *security_model; /* local: passthrough, mapped-xattr, mapped-file, none */
    bool readonly;
    bool writeout_immediate;    /* local: writes are on their way to the disk when they return */
    mode_t file_mode, dir_mode; /* local, mapped-*: host permissions of what is made; 0: default */
    const char *multidevs;      /* "remap", "forbid", "warn"; NULL: remap */
} FsDevOptions;

/* Opens the root. NULL: *error names the property and what is valid, or the host's cause. [main] */
FsDev *fsdev_open(const FsDevOptions *options, GError **error);
FsDev *fsdev_find(const char *id); /* borrowed, or NULL. [main] */
FsDev *fsdev_ref(FsDev *fs);
void fsdev_unref(FsDev *fs); /* the last one closes; NULL is fine. [main] */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsDev, fsdev_unref)

/* How long a call may be waited for: a guest that gives up a request cancels the call. */
typedef struct FsCall FsCall;
FsCall *fs_call_new(void);
void fs_call_free(FsCall *call);
void fs_call_cancel(FsCall *call);
bool fs_call_is_cancelled(FsCall *call);
/* Blocks until somebody cancels the call; returns -EINTR. */
int fs_call_wait(FsCall *call);

/* Who makes a new object, as the guest numbers them. */
typedef struct {
    uid_t uid;
    gid_t gid;
} FsOwner;

/* From an object's device and inode, one number that no other object of the export has. */
uint64_t fs_unique(FsDev *fs, dev_t dev, ino_t ino);

/* ---- objects by path; links are not followed: stat of a link is the link ---- */
int fs_stat(FsDev *fs, const char *path, struct stat *st);
int fs_statfs(FsDev *fs, const char *path, struct statfs *st);
/* Bytes of the target (no NUL behind it), at most size; -ERANGE: longer. */
ssize_t fs_readlink(FsDev *fs, const char *path, char *buf, size_t size);
int fs_chmod(FsDev *fs, const char *path, mode_t mode);
int fs_chown(FsDev *fs, const char *path, uid_t uid, gid_t gid); /* -1: leave */
int fs_utimens(FsDev *fs, const char *path, const struct timespec times[2]);
int fs_truncate(FsDev *fs, const char *path, uint64_t size);
/* size 0: how many bytes there are. */
ssize_t fs_getxattr(FsDev *fs, const char *path, const char *name, void *buf, size_t size);
ssize_t fs_listxattr(FsDev *fs, const char *path, void *buf, size_t size);
int fs_setxattr(FsDev *fs, const char *path, const char *name, const void *value, size_t size,
                int flags);
int fs_removexattr(FsDev *fs, const char *path, const char *name);

/* ---- names in the directory dir; a name is one component ---- */
/* flags as open(2): access mode, O_TRUNC, O_EXCL, O_APPEND, ...; only regular files. */
int fs_create(FsDev *fs, const char *dir, const char *name, int flags, mode_t mode,
              const FsOwner *owner, FsFile **file);
int fs_mkdir(FsDev *fs, const char *dir, const char *name, mode_t mode, const FsOwner *owner);
int fs_mknod(FsDev *fs, const char *dir, const char *name, mode_t mode, dev_t rdev,
             const FsOwner *owner);
int fs_symlink(FsDev *fs, const char *dir, const char *name, const char *target,
               const FsOwner *owner);
int fs_link(FsDev *fs, const char *path, const char *dir, const char *name);
int fs_unlink(FsDev *fs, const char *dir, const char *name, bool is_dir);
int fs_rename(FsDev *fs, const char *dir, const char *name, const char *new_dir,
              const char *new_name);

/* ---- open files ---- */
int fs_open(FsDev *fs, const char *path, int flags, FsFile **file);
void fs_close(FsFile *file); /* NULL is fine */
int fs_fstat(FsFile *file, struct stat *st);
ssize_t fs_preadv(FsFile *file, const struct iovec *iov, unsigned n, uint64_t offset);
ssize_t fs_pwritev(FsFile *file, const struct iovec *iov, unsigned n, uint64_t offset,
                   FsCall *call);
int fs_ftruncate(FsFile *file, uint64_t size);
int fs_fsync(FsFile *file, bool data_only);
/* Open file description locks; lock as fcntl(2) takes it. -EAGAIN: somebody else has it. */
int fs_lock(FsFile *file, struct flock *lock);
int fs_getlock(FsFile *file, struct flock *lock);

typedef struct {
    const char *name;
    uint64_t unique;    /* as fs_unique() */
    unsigned char type; /* DT_* */
    uint64_t next;      /* where to go on behind this entry */
} FsDirEntry;
/* Calls fn for the entries from offset on (0, or an entry's next) until it returns FALSE: it did
 * not take that entry. */
typedef bool (*FsDirEntryFn)(const FsDirEntry *entry, void *opaque);
int fs_readdir(FsFile *dir, uint64_t offset, FsDirEntryFn fn, void *opaque);
