/* SPDX-License-Identifier: GPL-2.0-or-later
 * The local driver: a host directory. Opening the export, and what is asked of objects by path.
 * Security models: passthrough (owner and permissions are the host's), none (the same, but a new
 * object's owner need not be settable), mapped-xattr and mapped-file (they are kept beside it).
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>

#include "local-priv.h"
#include "util/error.h"

static const char *const models[] = { "passthrough", "mapped-xattr", "mapped-file", "none", NULL };

static int local_stat(FsDev *fs, const char *path, struct stat *st)
{
    Local *l = (Local *)fs;
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    int result = local_find(l, path, &place);

    return result != 0 ? result : local_stat_place(l, &place, st);
}

static int local_statfs(FsDev *fs, const char *path, struct statfs *st)
{
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    int result = local_find((Local *)fs, path, &place);

    if (result == 0 && fstatfs(place.fd, st) != 0) {
        result = -errno;
    }
    return result;
}

static ssize_t read_whole(int place, char *buf, size_t size)
{
    g_auto(Fd) fd = local_reopen(place, O_RDONLY);
    ssize_t got;

    if (fd < 0) {
        return fd;
    }
    got = pread(fd, buf, size, 0);
    return got < 0 ? -errno : got;
}

static ssize_t local_readlink(FsDev *fs, const char *path, char *buf, size_t size)
{
    Local *l = (Local *)fs;
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    struct stat host, st;
    int result = local_find(l, path, &place);
    ssize_t got;

    if (result == 0) {
        result = fstat(place.fd, &host) == 0 ? local_stat_place(l, &place, &st) : -errno;
    }
    if (result != 0) {
        return result;
    }
    if (!S_ISLNK(st.st_mode)) {
        return -EINVAL;
    }
    if (S_ISREG(host.st_mode)) {
        got = read_whole(place.fd, buf, size);
    } else {
        got = readlinkat(place.fd, "", buf, size);
        got = got < 0 ? -errno : got;
    }
    return got == (ssize_t)size ? -ERANGE : got;
}

static int local_chmod(FsDev *fs, const char *path, mode_t mode)
{
    Local *l = (Local *)fs;
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    LocalProcPath proc;
    struct stat st;
    int result = local_find(l, path, &place);

    if (result == 0) {
        result = local_stat_place(l, &place, &st);
    }
    if (result != 0) {
        return result;
    }
    if (local_is_mapped(l)) {
        LocalMeta meta = { .has_mode = true, .mode = (st.st_mode & S_IFMT) | mode };

        return local_meta_set(l, &place, &meta);
    }
    proc = local_proc_path(place.fd);
    return chmod(proc.text, mode) == 0 ? 0 : -errno;
}

static int local_chown(FsDev *fs, const char *path, uid_t uid, gid_t gid)
{
    Local *l = (Local *)fs;
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    LocalMeta meta = { .has_uid = uid != (uid_t)-1, .has_gid = gid != (gid_t)-1 };
    int result = local_find(l, path, &place);

    if (result != 0) {
        return result;
    }
    if (local_is_mapped(l)) {
        meta.uid = uid;
        meta.gid = gid;
        return local_meta_set(l, &place, &meta);
    }
    return fchownat(place.fd, "", uid, gid, AT_EMPTY_PATH) == 0 ? 0 : -errno;
}

static int local_utimens(FsDev *fs, const char *path, const struct timespec times[2])
{
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    int result = local_find((Local *)fs, path, &place);

    if (result == 0 && utimensat(place.fd, "", times, AT_EMPTY_PATH) != 0) {
        result = -errno;
    }
    return result;
}

static int local_truncate(FsDev *fs, const char *path, uint64_t size)
{
    FsFile *file;
    int result = local_open(fs, path, O_WRONLY, &file);

    if (result != 0) {
        return result;
    }
    result = ftruncate(((LocalFile *)file)->fd, size) == 0 ? 0 : -errno;
    local_close(file);
    return result;
}

static bool local_is_hidden(FsDev *fs, const char *name)
{
    return ((Local *)fs)->model == LOCAL_MAPPED_FILE &&
           (strcmp(name, LOCAL_META_DIR) == 0 || strcmp(name, LOCAL_META_ROOT) == 0);
}

static void local_free(FsDev *fs)
{
    Local *l = (Local *)fs;

    fd_clear(&l->root);
    g_free(l);
}

static const FsDriver local_driver = {
    .stat = local_stat,
    .statfs = local_statfs,
    .readlink = local_readlink,
    .chmod = local_chmod,
    .chown = local_chown,
    .utimens = local_utimens,
    .truncate = local_truncate,
    .getxattr = local_getxattr,
    .listxattr = local_listxattr,
    .setxattr = local_setxattr,
    .removexattr = local_removexattr,
    .create = local_create,
    .mkdir = local_mkdir,
    .mknod = local_mknod,
    .symlink = local_symlink,
    .link = local_link,
    .unlink = local_unlink,
    .rename = local_rename,
    .open = local_open,
    .close = local_close,
    .fstat = local_fstat,
    .preadv = local_preadv,
    .pwritev = local_pwritev,
    .ftruncate = local_ftruncate,
    .fsync = local_fsync,
    .lock = local_lock,
    .getlock = local_getlock,
    .readdir = local_readdir,
    .is_hidden = local_is_hidden,
    .free = local_free,
};

/* ---- opening ---- */

static bool choose_model(const FsDevOptions *o, LocalModel *model, GError **error)
{
    const char *name = o->security_model;

    if (name == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "property 'security_model' is missing (passthrough, mapped-xattr, mapped-file "
                    "or none)");
        return false;
    }
    if (strcmp(name, "mapped") == 0) {
        name = "mapped-xattr";
    }
    for (unsigned i = 0; models[i] != NULL; i++) {
        if (strcmp(models[i], name) == 0) {
            *model = (LocalModel)i;
            return true;
        }
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                "security_model is '%s' but must be one of: passthrough, mapped-xattr, "
                "mapped-file, none",
                name);
    return false;
}

static bool choose_modes(const FsDevOptions *o, Local *l, GError **error)
{
    if ((o->file_mode != 0 || o->dir_mode != 0) && !local_is_mapped(l)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "fmode and dmode are for security_model=mapped-xattr and mapped-file only");
        return false;
    }
    l->file_mode = o->file_mode != 0 ? o->file_mode : 0600;
    l->dir_mode = o->dir_mode != 0 ? o->dir_mode : 0700;
    return true;
}

static bool open_root(Local *l, const FsDevOptions *o, struct stat *st, GError **error)
{
    g_auto(Fd) probe = -1;
    LocalProcPath proc;

    if (o->path == NULL || *o->path == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'path' is missing");
        return false;
    }
    l->root = open(o->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (l->root < 0 || fstat(l->root, st) != 0) {
        error_set_errno(error, errno, "cannot open directory '%s'", o->path);
        return false;
    }
    proc = local_proc_path(l->root);
    if (access(proc.text, F_OK) != 0) {
        error_set_errno(error, errno, "cannot use /proc/self/fd, which a local export needs");
        return false;
    }
    /* Older than Linux 5.6, or a seccomp filter that does not know the call. */
    l->has_openat2 = true;
    probe = local_find_dir(l, ".");
    l->has_openat2 = probe >= 0;
    return true;
}

/* Each file the guest holds open is a descriptor here. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* not being able to is no error: files then run out */
    }
}

FsDev *local_new(const FsDevOptions *options, GError **error)
{
    Local *l = g_new0(Local, 1);
    struct stat st;

    l->fs.driver = &local_driver;
    l->root = -1;
    l->writeout = options->writeout_immediate;
    if (choose_model(options, &l->model, error) && choose_modes(options, l, error) &&
        open_root(l, options, &st, error)) {
        l->fs.devices = fs_devices_new(options->multidevs, st.st_dev, error);
    }
    if (l->fs.devices == NULL) {
        local_free(&l->fs);
        return NULL;
    }
    raise_descriptor_limit();
    return &l->fs;
}
