/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a file system driver (local, synth) gives to fsdev.c, which has checked names, paths and
 * read-only access already. A missing operation is -EOPNOTSUPP.
 */
#pragma once

#include <fcntl.h>

#include "fsdev/fsdev.h"

typedef struct {
    int (*stat)(FsDev *fs, const char *path, struct stat *st);
    int (*statfs)(FsDev *fs, const char *path, struct statfs *st);
    ssize_t (*readlink)(FsDev *fs, const char *path, char *buf, size_t size);
    int (*chmod)(FsDev *fs, const char *path, mode_t mode);
    int (*chown)(FsDev *fs, const char *path, uid_t uid, gid_t gid);
    int (*utimens)(FsDev *fs, const char *path, const struct timespec times[2]);
    int (*truncate)(FsDev *fs, const char *path, uint64_t size);
    ssize_t (*getxattr)(FsDev *fs, const char *path, const char *name, void *buf, size_t size);
    ssize_t (*listxattr)(FsDev *fs, const char *path, void *buf, size_t size);
    int (*setxattr)(FsDev *fs, const char *path, const char *name, const void *value, size_t size,
                    int flags);
    int (*removexattr)(FsDev *fs, const char *path, const char *name);
    int (*create)(FsDev *fs, const char *dir, const char *name, int flags, mode_t mode,
                  const FsOwner *owner, FsFile **file);
    int (*mkdir)(FsDev *fs, const char *dir, const char *name, mode_t mode, const FsOwner *owner);
    int (*mknod)(FsDev *fs, const char *dir, const char *name, mode_t mode, dev_t rdev,
                 const FsOwner *owner);
    int (*symlink)(FsDev *fs, const char *dir, const char *name, const char *target,
                   const FsOwner *owner);
    int (*link)(FsDev *fs, const char *path, const char *dir, const char *name);
    int (*unlink)(FsDev *fs, const char *dir, const char *name, bool is_dir);
    int (*rename)(FsDev *fs, const char *dir, const char *name, const char *new_dir,
                  const char *new_name);
    int (*open)(FsDev *fs, const char *path, int flags, FsFile **file);
    void (*close)(FsFile *file);
    int (*fstat)(FsFile *file, struct stat *st);
    ssize_t (*preadv)(FsFile *file, const struct iovec *iov, unsigned n, uint64_t offset);
    ssize_t (*pwritev)(FsFile *file, const struct iovec *iov, unsigned n, uint64_t offset,
                       FsCall *call);
    int (*ftruncate)(FsFile *file, uint64_t size);
    int (*fsync)(FsFile *file, bool data_only);
    int (*lock)(FsFile *file, struct flock *lock);
    int (*getlock)(FsFile *file, struct flock *lock);
    int (*readdir)(FsFile *dir, uint64_t offset, FsDirEntryFn fn, void *opaque);
    /* A name that the guest can neither see nor make; NULL: there is none. */
    bool (*is_hidden)(FsDev *fs, const char *name);
    void (*free)(FsDev *fs);
} FsDriver;

/* What every driver's state begins with. */
struct FsDev {
    gint refs;
    const FsDriver *driver;
    char *id;
    bool readonly;
    struct FsDevices *devices; /* unique.c */
};

struct FsFile {
    FsDev *fs; /* referenced by who opened it, not here: files are closed before their FsDev */
    bool writable;
};

/* Each: a new FsDev with driver and what is its own set. */
FsDev *local_new(const FsDevOptions *options, GError **error);
FsDev *synth_new(const FsDevOptions *options, GError **error);

/* unique.c: numbers for objects on more than one host device. multidevs NULL: remap. */
struct FsDevices *fs_devices_new(const char *multidevs, dev_t root, GError **error);
void fs_devices_free(struct FsDevices *devices);
/* -EXDEV where objects on dev are not for the guest. */
int fs_devices_check(struct FsDevices *devices, dev_t dev);
uint64_t fs_devices_unique(struct FsDevices *devices, dev_t dev, ino_t ino);
