/* SPDX-License-Identifier: GPL-2.0-or-later
 * The registry of file system back ends, and the checks every call passes before its driver sees
 * it: names, hidden names, read-only exports. Drivers are in files of their own.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "fsdev-priv.h"
#include "util/error.h"

static GHashTable *registry; /* id to FsDev, borrowed; [main] */

FsDev *fsdev_open(const FsDevOptions *options, GError **error)
{
    static const char *const names[] = { "local", "synth", NULL };
    FsDev *fs = NULL;

    if (registry == NULL) {
        registry = g_hash_table_new(g_str_hash, g_str_equal);
    }
    if (g_hash_table_contains(registry, options->id)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "id '%s' is already used by another fsdev", options->id);
        return NULL;
    }
    if (strcmp(options->driver, "local") == 0) {
        fs = local_new(options, error);
    } else if (strcmp(options->driver, "synth") == 0) {
        fs = synth_new(options, error);
    } else {
        error_set_unknown(error, "fsdriver", options->driver, names);
    }
    if (fs == NULL) {
        return NULL;
    }
    fs->refs = 1;
    fs->id = g_strdup(options->id);
    fs->readonly = options->readonly;
    g_hash_table_insert(registry, fs->id, fs);
    return fs;
}

FsDev *fsdev_find(const char *id)
{
    return registry != NULL ? g_hash_table_lookup(registry, id) : NULL;
}

FsDev *fsdev_ref(FsDev *fs)
{
    g_atomic_int_inc(&fs->refs);
    return fs;
}

void fsdev_unref(FsDev *fs)
{
    if (fs == NULL || !g_atomic_int_dec_and_test(&fs->refs)) {
        return;
    }
    g_hash_table_remove(registry, fs->id);
    g_free(fs->id);
    fs_devices_free(fs->devices);
    fs->driver->free(fs);
}

uint64_t fs_unique(FsDev *fs, dev_t dev, ino_t ino)
{
    return fs_devices_unique(fs->devices, dev, ino);
}

/* ---- checks ---- */

static bool is_hidden(FsDev *fs, const char *name)
{
    return fs->driver->is_hidden != NULL && fs->driver->is_hidden(fs, name);
}

static int check_path(FsDev *fs, const char *path)
{
    char name[NAME_MAX + 1];

    if (strlen(path) >= PATH_MAX) {
        return -ENAMETOOLONG;
    }
    while (*path != '\0') {
        size_t len = strcspn(path, "/");

        if (len > NAME_MAX) {
            return -ENAMETOOLONG;
        }
        memcpy(name, path, len);
        name[len] = '\0';
        if (len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || is_hidden(fs, name)) {
            return -ENOENT;
        }
        path += len + (path[len] == '/');
    }
    return 0;
}

/* For a name that is to be made, found or removed in dir. */
static int check_change(FsDev *fs, const char *dir, const char *name)
{
    int result = check_path(fs, dir);

    if (result != 0) {
        return result;
    }
    if (*name == '\0' || strchr(name, '/') != NULL) {
        return -ENOENT;
    }
    if (strlen(name) > NAME_MAX || strlen(dir) + 1 + strlen(name) >= PATH_MAX) {
        return -ENAMETOOLONG;
    }
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || is_hidden(fs, name)) {
        return -EINVAL;
    }
    return fs->readonly ? -EROFS : 0;
}

static int check_set(FsDev *fs, const char *path)
{
    int result = check_path(fs, path);

    return result == 0 && fs->readonly ? -EROFS : result;
}

/* Calls an operation that the driver may lack, after check. */
#define CALL(check, op, ...)                                                                       \
    ({                                                                                             \
        ssize_t checked_ = (check);                                                                \
        checked_ != 0            ? checked_                                                        \
        : fs->driver->op == NULL ? -EOPNOTSUPP                                                     \
                                 : fs->driver->op(__VA_ARGS__);                                    \
    })

/* ---- objects by path ---- */

int fs_stat(FsDev *fs, const char *path, struct stat *st)
{
    int result = CALL(check_path(fs, path), stat, fs, path, st);

    return result == 0 ? fs_devices_check(fs->devices, st->st_dev) : result;
}

int fs_statfs(FsDev *fs, const char *path, struct statfs *st)
{
    return CALL(check_path(fs, path), statfs, fs, path, st);
}

ssize_t fs_readlink(FsDev *fs, const char *path, char *buf, size_t size)
{
    return CALL(check_path(fs, path), readlink, fs, path, buf, size);
}

int fs_chmod(FsDev *fs, const char *path, mode_t mode)
{
    return CALL(check_set(fs, path), chmod, fs, path, mode & 07777);
}

int fs_chown(FsDev *fs, const char *path, uid_t uid, gid_t gid)
{
    return CALL(check_set(fs, path), chown, fs, path, uid, gid);
}

int fs_utimens(FsDev *fs, const char *path, const struct timespec times[2])
{
    return CALL(check_set(fs, path), utimens, fs, path, times);
}

int fs_truncate(FsDev *fs, const char *path, uint64_t size)
{
    return size > INT64_MAX ? -EFBIG : CALL(check_set(fs, path), truncate, fs, path, size);
}

ssize_t fs_getxattr(FsDev *fs, const char *path, const char *name, void *buf, size_t size)
{
    return CALL(check_path(fs, path), getxattr, fs, path, name, buf, size);
}

ssize_t fs_listxattr(FsDev *fs, const char *path, void *buf, size_t size)
{
    return CALL(check_path(fs, path), listxattr, fs, path, buf, size);
}

int fs_setxattr(FsDev *fs, const char *path, const char *name, const void *value, size_t size,
                int flags)
{
    return CALL(check_set(fs, path), setxattr, fs, path, name, value, size, flags);
}

int fs_removexattr(FsDev *fs, const char *path, const char *name)
{
    return CALL(check_set(fs, path), removexattr, fs, path, name);
}

/* ---- names in a directory ---- */

int fs_create(FsDev *fs, const char *dir, const char *name, int flags, mode_t mode,
              const FsOwner *owner, FsFile **file)
{
    int result =
        CALL(check_change(fs, dir, name), create, fs, dir, name, flags, mode & 07777, owner, file);

    if (result == 0) {
        (*file)->fs = fs;
        (*file)->writable = (flags & O_ACCMODE) != O_RDONLY;
    }
    return result;
}

int fs_mkdir(FsDev *fs, const char *dir, const char *name, mode_t mode, const FsOwner *owner)
{
    return CALL(check_change(fs, dir, name), mkdir, fs, dir, name, mode & 07777, owner);
}

int fs_mknod(FsDev *fs, const char *dir, const char *name, mode_t mode, dev_t rdev,
             const FsOwner *owner)
{
    return CALL(check_change(fs, dir, name), mknod, fs, dir, name, mode, rdev, owner);
}

int fs_symlink(FsDev *fs, const char *dir, const char *name, const char *target,
               const FsOwner *owner)
{
    if (*target == '\0') {
        return -ENOENT;
    }
    if (strlen(target) >= PATH_MAX) {
        return -ENAMETOOLONG;
    }
    return CALL(check_change(fs, dir, name), symlink, fs, dir, name, target, owner);
}

int fs_link(FsDev *fs, const char *path, const char *dir, const char *name)
{
    int result = check_path(fs, path);

    return result != 0 ? result : CALL(check_change(fs, dir, name), link, fs, path, dir, name);
}

int fs_unlink(FsDev *fs, const char *dir, const char *name, bool is_dir)
{
    return CALL(check_change(fs, dir, name), unlink, fs, dir, name, is_dir);
}

int fs_rename(FsDev *fs, const char *dir, const char *name, const char *new_dir,
              const char *new_name)
{
    int result = check_change(fs, dir, name);

    return result != 0 ? result
                       : CALL(check_change(fs, new_dir, new_name), rename, fs, dir, name, new_dir,
                              new_name);
}

/* ---- open files ---- */

int fs_open(FsDev *fs, const char *path, int flags, FsFile **file)
{
    bool writable = (flags & O_ACCMODE) != O_RDONLY;
    int result = writable || (flags & O_TRUNC) != 0 ? check_set(fs, path) : check_path(fs, path);

    result = CALL(result, open, fs, path, flags, file);
    if (result == 0) {
        (*file)->fs = fs;
        (*file)->writable = writable;
    }
    return result;
}

void fs_close(FsFile *file)
{
    if (file != NULL) {
        file->fs->driver->close(file);
    }
}

int fs_fstat(FsFile *file, struct stat *st)
{
    FsDev *fs = file->fs;

    return CALL(0, fstat, file, st);
}

ssize_t fs_preadv(FsFile *file, const struct iovec *iov, unsigned n, uint64_t offset)
{
    FsDev *fs = file->fs;

    return offset > INT64_MAX ? -EINVAL : CALL(0, preadv, file, iov, n, offset);
}

ssize_t fs_pwritev(FsFile *file, const struct iovec *iov, unsigned n, uint64_t offset, FsCall *call)
{
    FsDev *fs = file->fs;

    if (!file->writable) {
        return -EBADF;
    }
    return offset > INT64_MAX ? -EFBIG : CALL(0, pwritev, file, iov, n, offset, call);
}

int fs_ftruncate(FsFile *file, uint64_t size)
{
    FsDev *fs = file->fs;

    if (!file->writable) {
        return -EINVAL; /* as ftruncate(2) says it */
    }
    return size > INT64_MAX ? -EFBIG : CALL(0, ftruncate, file, size);
}

int fs_fsync(FsFile *file, bool data_only)
{
    FsDev *fs = file->fs;

    return CALL(0, fsync, file, data_only);
}

int fs_lock(FsFile *file, struct flock *lock)
{
    FsDev *fs = file->fs;

    return CALL(0, lock, file, lock);
}

int fs_getlock(FsFile *file, struct flock *lock)
{
    FsDev *fs = file->fs;

    return CALL(0, getlock, file, lock);
}

typedef struct {
    FsDev *fs;
    FsDirEntryFn fn;
    void *opaque;
} Listing;

static bool list_entry(const FsDirEntry *entry, void *opaque)
{
    Listing *l = opaque;

    return is_hidden(l->fs, entry->name) || l->fn(entry, l->opaque);
}

int fs_readdir(FsFile *dir, uint64_t offset, FsDirEntryFn fn, void *opaque)
{
    FsDev *fs = dir->fs;
    Listing l = { fs, fn, opaque };

    return CALL(0, readdir, dir, offset, list_entry, &l);
}
