/* SPDX-License-Identifier: GPL-2.0-or-later
 * The mapped-file model's record of an object: a text file of its name in the directory
 * .virtfs_metadata beside it, with lines virtfs.uid=N, virtfs.gid=N, virtfs.mode=N, virtfs.rdev=N
 * (decimal). The root's is .virtfs_metadata_root in the root. Guests see neither.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "local-priv.h"

enum { RECORD_MAX = 256 };

/* Descriptor of dir's metadata directory or -errno. */
static int meta_dir(int dir, bool make)
{
    int fd;

    if (make && mkdirat(dir, LOCAL_META_DIR, 0700) != 0 && errno != EEXIST) {
        return -errno;
    }
    fd = openat(dir, LOCAL_META_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Where place's record is: *dir (a new descriptor) and the name in it. */
static int record_place(const LocalPlace *place, bool make, int *dir, const char **name)
{
    if (*place->name == '\0') {
        *dir = fcntl(place->dir, F_DUPFD_CLOEXEC, 0);
        *name = LOCAL_META_ROOT;
        return *dir < 0 ? -errno : 0;
    }
    *dir = meta_dir(place->dir, make);
    *name = place->name;
    return *dir < 0 ? *dir : 0;
}

static void parse_line(const char *line, LocalMeta *meta)
{
    struct {
        const char *key;
        uint32_t *value;
        bool *has;
    } keys[] = {
        { "virtfs.uid=", &meta->uid, &meta->has_uid },
        { "virtfs.gid=", &meta->gid, &meta->has_gid },
        { "virtfs.mode=", &meta->mode, &meta->has_mode },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (g_str_has_prefix(line, keys[i].key)) {
            *keys[i].value = strtoul(line + strlen(keys[i].key), NULL, 10);
            *keys[i].has = true;
        }
    }
    if (g_str_has_prefix(line, "virtfs.rdev=")) {
        meta->rdev = strtoull(line + strlen("virtfs.rdev="), NULL, 10);
        meta->has_rdev = true;
    }
}

/* A link or FIFO in the record's place is not read: hosts make only regular files here. */
static int read_record(int dir, const char *name, LocalMeta *meta)
{
    g_auto(Fd) fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    g_auto(GStrv) lines = NULL;
    char text[RECORD_MAX + 1];
    ssize_t len;

    if (fd < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    len = read(fd, text, RECORD_MAX);
    if (len < 0) {
        return -errno;
    }
    text[len] = '\0';
    lines = g_strsplit(text, "\n", -1);
    for (unsigned i = 0; lines[i] != NULL; i++) {
        parse_line(lines[i], meta);
    }
    return 0;
}

int local_metafile_get(Local *l, const LocalPlace *place, LocalMeta *meta)
{
    g_auto(Fd) dir = -1;
    const char *name;
    int result;

    *meta = (LocalMeta){ 0 };
    result = record_place(place, false, &dir, &name);
    if (result == -ENOENT) {
        return 0;
    }
    return result != 0 ? result : read_record(dir, name, meta);
}

static void merge(LocalMeta *into, const LocalMeta *meta)
{
    if (meta->has_uid) {
        into->has_uid = true;
        into->uid = meta->uid;
    }
    if (meta->has_gid) {
        into->has_gid = true;
        into->gid = meta->gid;
    }
    if (meta->has_mode) {
        into->has_mode = true;
        into->mode = meta->mode;
    }
    if (meta->has_rdev) {
        into->has_rdev = true;
        into->rdev = meta->rdev;
    }
}

static char *format_record(const LocalMeta *meta)
{
    GString *text = g_string_new(NULL);

    if (meta->has_uid) {
        g_string_append_printf(text, "virtfs.uid=%u\n", meta->uid);
    }
    if (meta->has_gid) {
        g_string_append_printf(text, "virtfs.gid=%u\n", meta->gid);
    }
    if (meta->has_mode) {
        g_string_append_printf(text, "virtfs.mode=%u\n", meta->mode);
    }
    if (meta->has_rdev) {
        g_string_append_printf(text, "virtfs.rdev=%" G_GUINT64_FORMAT "\n", meta->rdev);
    }
    return g_string_free(text, FALSE);
}

/* In place: hard links share a record. */
int local_metafile_set(Local *l, const LocalPlace *place, const LocalMeta *meta)
{
    g_autofree char *text = NULL;
    g_auto(Fd) dir = -1, fd = -1;
    LocalMeta all = { 0 };
    const char *name;
    int result = record_place(place, true, &dir, &name);

    if (result == 0) {
        result = read_record(dir, name, &all);
    }
    if (result != 0) {
        return result;
    }
    merge(&all, meta);
    text = format_record(&all);
    fd =
        openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -EIO;
}

int local_metafile_link(int dir, const char *name, int new_dir, const char *new_name)
{
    g_auto(Fd) from = meta_dir(dir, false), to = -1;

    if (from < 0) {
        return from == -ENOENT ? 0 : from;
    }
    to = meta_dir(new_dir, true);
    if (to < 0) {
        return to;
    }
    return linkat(from, name, to, new_name, 0) == 0 || errno == ENOENT ? 0 : -errno;
}

int local_metafile_rename(int dir, const char *name, int new_dir, const char *new_name)
{
    g_auto(Fd) from = meta_dir(dir, false), to = -1;

    if (from < 0 && from != -ENOENT) {
        return from;
    }
    if (from >= 0) {
        to = meta_dir(new_dir, true);
        if (to < 0) {
            return to;
        }
        if (renameat(from, name, to, new_name) == 0) {
            return 0;
        }
        if (errno != ENOENT) {
            return -errno;
        }
    }
    return local_metafile_remove(new_dir, new_name); /* the old name had none: so has the new */
}

int local_metafile_remove(int dir, const char *name)
{
    g_auto(Fd) meta = meta_dir(dir, false);

    if (meta < 0) {
        return meta == -ENOENT ? 0 : meta;
    }
    return unlinkat(meta, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
}

int local_metafile_forget_dir(int dir, const char *name)
{
    g_auto(Fd) fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        return -errno;
    }
    return unlinkat(fd, LOCAL_META_DIR, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}
