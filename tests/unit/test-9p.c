/* SPDX-License-Identifier: GPL-2.0-or-later
 * The 9P server over the local and synth drivers, message by message, without a device. Rules are
 * those of 9P2000.L and 9P2000.u; errors are Linux's numbers.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hw/9p/p9-proto.h"
#include "hw/9p/p9.h"
#include "p9-client.h"

enum { MSIZE = 8192, NO_FID = -1 };

typedef struct {
    char *dir; /* holds the exported directory "root" and things outside */
    FsDev *fs;
    P9Session *session;
    uint8_t room[MSIZE];
    P9cReply reply;
} World;

/* Serves one message in two pieces on each side, so that fields lie across them. */
static int serve(World *w, GByteArray *m, size_t out_len)
{
    size_t cut = m->len / 2;
    struct iovec out[2] = { { m->data, cut }, { m->data + cut, out_len - cut } };
    struct iovec in[2] = { { w->room, 9 }, { w->room + 9, sizeof(w->room) - 9 } };
    P9Message message = {
        .out = out,
        .n_out = 2,
        .out_size = out_len,
        .in = in,
        .n_in = 2,
        .in_size = sizeof(w->room),
        .call = fs_call_new(),
    };
    uint32_t size, err;
    uint8_t type;
    uint16_t tag;

    memset(w->room, 0xee, sizeof(w->room));
    g_assert_true(p9_read_header(&message));
    g_assert_true(p9_serve(w->session, &message));
    fs_call_free(message.call);
    w->reply = (P9cReply){ w->room, message.reply_size, 0 };
    p9c_read(&w->reply, "dbw", &size, &type, &tag);
    g_assert_cmpuint(size, ==, message.reply_size);
    g_assert_cmpuint(tag, ==, 7);
    if (type == P9_RLERROR) {
        p9c_read(&w->reply, "d", &err);
        return err;
    }
    if (type == P9_RERROR) {
        g_autofree char *text = NULL;

        p9c_read(&w->reply, "sd", &text, &err);
        return err;
    }
    g_assert_cmpuint(type, ==, message.type + 1);
    return 0;
}

/* 0 or the error's number. */
static int call(World *w, uint8_t type, const char *format, ...)
{
    GByteArray *m;
    va_list ap;
    int err;

    va_start(ap, format);
    m = p9c_message_va(type, 7, format, ap);
    va_end(ap);
    err = serve(w, m, m->len);
    g_byte_array_unref(m);
    return err;
}

#define OK(...)      g_assert_cmpint(call(__VA_ARGS__), ==, 0)
#define FAIL(e, ...) g_assert_cmpint(call(__VA_ARGS__), ==, e)

static void remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        if (!g_file_test(child, G_FILE_TEST_IS_SYMLINK) && g_file_test(child, G_FILE_TEST_IS_DIR)) {
            remove_tree(child);
        } else {
            g_unlink(child);
        }
    }
    g_rmdir(path);
}

static char *host_path(World *w, const char *name)
{
    return g_build_filename(w->dir, name, NULL);
}

static void start(World *w, const char *version)
{
    g_autofree char *answer = NULL;
    uint32_t msize;

    OK(w, P9_TVERSION, "ds", MSIZE, version);
    p9c_read(&w->reply, "ds", &msize, &answer);
    g_assert_cmpuint(msize, ==, MSIZE);
    g_assert_cmpstr(answer, ==, version);
    OK(w, P9_TATTACH, "ddssd", 0, NO_FID, "root", "", getuid());
}

static World *world_new(const char *model, bool readonly)
{
    World *w = g_new0(World, 1);
    g_autoptr(GError) error = NULL;
    g_autofree char *root = NULL;
    FsDevOptions o = { .driver = "local", .id = "fs", .security_model = model };

    w->dir = g_dir_make_tmp("humpy-9p-XXXXXX", NULL);
    root = host_path(w, "root");
    g_assert_cmpint(g_mkdir(root, 0755), ==, 0);
    if (model == NULL) {
        o.driver = "synth";
    }
    o.path = root;
    o.readonly = readonly;
    w->fs = fsdev_open(&o, &error);
    g_assert_no_error(error);
    w->session = p9_session_new(w->fs);
    start(w, "9P2000.L");
    return w;
}

static void world_free(World *w)
{
    p9_session_free(w->session);
    fsdev_unref(w->fs);
    remove_tree(w->dir);
    g_free(w->dir);
    g_free(w);
}

static void write_host(World *w, const char *name, const char *text)
{
    g_autofree char *path = host_path(w, name);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static int write_text(World *w, unsigned fid, uint64_t offset, const char *text)
{
    GByteArray *m = p9c_message(P9_TWRITE, 7, "dqd", fid, offset, (unsigned)strlen(text));
    int err;

    p9c_append(m, text, strlen(text));
    err = serve(w, m, m->len);
    g_byte_array_unref(m);
    return err;
}

static char *read_text(World *w, unsigned fid, uint64_t offset, unsigned count)
{
    uint32_t got;

    OK(w, P9_TREAD, "dqd", fid, offset, count);
    p9c_read(&w->reply, "d", &got);
    g_assert_cmpuint(got, ==, w->reply.len - w->reply.pos);
    return g_strndup((const char *)w->reply.data + w->reply.pos, got);
}

/* mode, uid, gid, rdev, size of what fid stands for. */
typedef struct {
    uint32_t mode, uid, gid;
    uint64_t nlink, rdev, size, path;
} Attr;

static Attr getattr(World *w, unsigned fid)
{
    uint64_t valid;
    uint32_t version;
    uint8_t type;
    Attr a;

    OK(w, P9_TGETATTR, "dq", fid, (uint64_t)P9_GETATTR_BASIC);
    p9c_read(&w->reply, "qbdqdddqqq", &valid, &type, &version, &a.path, &a.mode, &a.uid, &a.gid,
             &a.nlink, &a.rdev, &a.size);
    g_assert_cmphex(valid, ==, P9_GETATTR_BASIC);
    g_assert_cmphex(type, ==, S_ISDIR(a.mode) ? P9_QT_DIR : S_ISLNK(a.mode) ? P9_QT_SYMLINK : 0);
    return a;
}

/* ---- tests ---- */

static void test_version(void)
{
    World *w = world_new(NULL, false);
    g_autofree char *answer = NULL;
    uint32_t msize;

    FAIL(EMSGSIZE, w, P9_TVERSION, "ds", 4095, "9P2000.L");
    FAIL(EOPNOTSUPP, w, P9_TGETATTR, "dq", 0, (uint64_t)0); /* nothing was negotiated */
    OK(w, P9_TVERSION, "ds", 1u << 31, "9P3000");
    p9c_read(&w->reply, "ds", &msize, &answer);
    g_assert_cmpstr(answer, ==, "unknown");
    g_assert_cmpuint(msize, ==, P9_MSIZE_MAX);
    start(w, "9P2000.L");
    FAIL(EINVAL, w, P9_TATTACH, "ddssd", 0, NO_FID, "root", "", 0); /* the fid is used */
    start(w, "9P2000.L");                                           /* forgets it */
    FAIL(EOPNOTSUPP, w, P9_TSTAT, "d", 0);                          /* the other dialect's */
    world_free(w);
}

static void test_walk(void)
{
    World *w = world_new(NULL, false);
    Attr root = getattr(w, 0), other;
    uint16_t n;

    OK(w, P9_TWALK, "ddwsss", 0, 1, 3, "WALK0", "WALK1", "WALK2");
    p9c_read(&w->reply, "w", &n);
    g_assert_cmpuint(n, ==, 3);
    OK(w, P9_TWALK, "ddw", 0, 2, 0);
    other = getattr(w, 2);
    g_assert_cmpuint(other.path, ==, root.path);
    OK(w, P9_TWALK, "ddws", 0, 3, 1, "..");
    g_assert_cmpuint(getattr(w, 3).path, ==, root.path);
    OK(w, P9_TWALK, "ddwsss", 1, 1, 3, "..", "..", ".."); /* in place */
    g_assert_cmpuint(getattr(w, 1).path, ==, root.path);
    FAIL(ENOENT, w, P9_TWALK, "ddws", 0, 4, 1, "nothing");
    FAIL(ENOENT, w, P9_TWALK, "ddws", 0, 4, 1, "WALK0/WALK1");
    FAIL(ENOENT, w, P9_TWALK, "ddws", 0, 4, 1, "");
    OK(w, P9_TWALK, "ddwss", 0, 4, 2, "WALK0", "nothing"); /* half the way: no fid */
    p9c_read(&w->reply, "w", &n);
    g_assert_cmpuint(n, ==, 1);
    FAIL(ENOENT, w, P9_TGETATTR, "dq", 4, (uint64_t)0);
    FAIL(EINVAL, w, P9_TWALK, "ddw", 0, 4, 17);
    OK(w, P9_TCLUNK, "d", 3);
    FAIL(ENOENT, w, P9_TCLUNK, "d", 3);
    world_free(w);
}

static unsigned count_entries(World *w, unsigned fid, unsigned count)
{
    uint64_t offset = 0;
    unsigned n = 0;

    for (;;) {
        uint32_t bytes;

        OK(w, P9_TREADDIR, "dqd", fid, offset, count);
        p9c_read(&w->reply, "d", &bytes);
        g_assert_cmpuint(bytes, <=, count);
        if (bytes == 0) {
            return n;
        }
        for (; w->reply.pos < w->reply.len; n++) {
            g_autofree char *name = NULL;
            uint8_t qtype, type;
            uint32_t version;
            uint64_t path;

            p9c_read(&w->reply, "bdqqbs", &qtype, &version, &path, &offset, &type, &name);
        }
    }
}

static void test_readdir(void)
{
    World *w = world_new(NULL, false);

    OK(w, P9_TWALK, "ddws", 0, 1, 1, "ReadDirDir");
    FAIL(EBADF, w, P9_TREADDIR, "dqd", 1, (uint64_t)0, 512);
    OK(w, P9_TLOPEN, "dd", 1, P9_L_DIRECTORY);
    g_assert_cmpuint(count_entries(w, 1, MSIZE), ==, 102);
    g_assert_cmpuint(count_entries(w, 1, 128), ==, 102);
    FAIL(EINVAL, w, P9_TREADDIR, "dqd", 1, (uint64_t)0, 20); /* not even one */
    world_free(w);
}

static void test_files(gconstpointer model)
{
    World *w = world_new(model, false);
    g_autofree char *text = NULL;

    OK(w, P9_TWALK, "ddw", 0, 1, 0);
    OK(w, P9_TLCREATE, "dsddd", 1, "file", O_RDWR | P9_L_EXCL, 0640, getgid());
    g_assert_cmpint(write_text(w, 1, 0, "hello, world"), ==, 0);
    text = read_text(w, 1, 0, 100);
    g_assert_cmpstr(text, ==, "hello, world");
    g_assert_cmphex(getattr(w, 1).mode, ==, S_IFREG | 0640);
    OK(w, P9_TFSYNC, "dd", 1, 0);
    OK(w, P9_TCLUNK, "d", 1);
    FAIL(EBADF, w, P9_TREAD, "dqd", 0, (uint64_t)0, 1);
    FAIL(ENOENT, w, P9_TREAD, "dqd", 1, (uint64_t)0, 1);
    OK(w, P9_TWALK, "ddws", 0, 1, 1, "file");
    OK(w, P9_TLOPEN, "dd", 1, O_RDONLY);
    FAIL(EINVAL, w, P9_TLOPEN, "dd", 1, O_RDONLY); /* twice */
    g_assert_cmpint(write_text(w, 1, 0, "x"), ==, EBADF);
    world_free(w);
}

static void test_setattr(gconstpointer model)
{
    World *w = world_new(model, false);
    Attr a;

    OK(w, P9_TWALK, "ddw", 0, 1, 0);
    OK(w, P9_TLCREATE, "dsddd", 1, "file", O_RDWR, 0644, getgid());
    g_assert_cmpint(write_text(w, 1, 0, "hello, world"), ==, 0);
    OK(w, P9_TSETATTR, "dddddqqqqq", 1, P9_SETATTR_SIZE | P9_SETATTR_MODE, 0600, 0, 0, (uint64_t)5,
       (uint64_t)0, (uint64_t)0, (uint64_t)0, (uint64_t)0);
    a = getattr(w, 1);
    g_assert_cmphex(a.mode, ==, S_IFREG | 0600);
    g_assert_cmpuint(a.size, ==, 5);
    OK(w, P9_TUNLINKAT, "dsd", 0, "file", 0); /* an open file has no name any more */
    if (strcmp(model, "mapped-file") != 0) {
        OK(w, P9_TSETATTR, "dddddqqqqq", 1, P9_SETATTR_SIZE, 0, 0, 0, (uint64_t)2, (uint64_t)0,
           (uint64_t)0, (uint64_t)0, (uint64_t)0);
        g_assert_cmpuint(getattr(w, 1).size, ==, 2);
    }
    world_free(w);
}

static void test_special(gconstpointer model)
{
    World *w = world_new(model, false);
    g_autofree char *target = NULL;

    OK(w, P9_TSYMLINK, "dssd", 0, "link", "some/where", getgid());
    OK(w, P9_TWALK, "ddws", 0, 1, 1, "link");
    g_assert_cmphex(getattr(w, 1).mode & S_IFMT, ==, S_IFLNK);
    OK(w, P9_TREADLINK, "d", 1);
    p9c_read(&w->reply, "s", &target);
    g_assert_cmpstr(target, ==, "some/where");
    FAIL(ELOOP, w, P9_TLOPEN, "dd", 1, O_RDONLY);

    OK(w, P9_TMKNOD, "dsdddd", 0, "fifo", S_IFIFO | 0644, 0, 0, getgid());
    OK(w, P9_TWALK, "ddws", 0, 2, 1, "fifo");
    g_assert_cmphex(getattr(w, 2).mode, ==, S_IFIFO | 0644);
    FAIL(ENXIO, w, P9_TLOPEN, "dd", 2, O_RDONLY); /* and it does not wait for a writer */
    FAIL(EINVAL, w, P9_TREADLINK, "d", 2);

    OK(w, P9_TMKDIR, "dsdd", 0, "dir", 0750, getgid());
    OK(w, P9_TWALK, "ddws", 0, 3, 1, "dir");
    g_assert_cmphex(getattr(w, 3).mode, ==, S_IFDIR | 0750);
    FAIL(EEXIST, w, P9_TMKDIR, "dsdd", 0, "dir", 0750, getgid());
    FAIL(EEXIST, w, P9_TMKDIR, "dsdd", 0, "..", 0750, getgid());
    FAIL(ENOENT, w, P9_TMKDIR, "dsdd", 0, "a/b", 0750, getgid());
    FAIL(EISDIR, w, P9_TLOPEN, "dd", 3, O_RDWR);
    FAIL(EISDIR, w, P9_TUNLINKAT, "dsd", 0, "dir", 0);
    OK(w, P9_TUNLINKAT, "dsd", 0, "dir", P9_AT_REMOVEDIR);
    OK(w, P9_TREMOVE, "d", 1);
    FAIL(ENOENT, w, P9_TGETATTR, "dq", 1, (uint64_t)0); /* Tremove takes the fid along */
    world_free(w);
}

static void test_device_node(void)
{
    World *w = world_new("mapped-xattr", false);
    Attr a;

    OK(w, P9_TMKNOD, "dsdddd", 0, "zero", S_IFCHR | 0666, 1, 5, 4321);
    OK(w, P9_TWALK, "ddws", 0, 1, 1, "zero");
    a = getattr(w, 1);
    g_assert_cmphex(a.mode, ==, S_IFCHR | 0666);
    g_assert_cmphex(a.rdev, ==, 1 << 8 | 5);
    g_assert_cmpuint(a.gid, ==, 4321); /* which the host would not have let everybody set */
    FAIL(ENXIO, w, P9_TLOPEN, "dd", 1, O_RDONLY);
    world_free(w);
}

static void test_rename(gconstpointer model)
{
    World *w = world_new(model, false);
    g_autofree char *text = NULL;

    OK(w, P9_TMKDIR, "dsdd", 0, "a", 0755, getgid());
    OK(w, P9_TMKDIR, "dsdd", 0, "ab", 0755, getgid());
    OK(w, P9_TWALK, "ddws", 0, 1, 1, "a");
    OK(w, P9_TWALK, "ddw", 1, 2, 0);
    OK(w, P9_TLCREATE, "dsddd", 2, "file", O_RDWR, 0600, getgid());
    g_assert_cmpint(write_text(w, 2, 0, "text"), ==, 0);
    OK(w, P9_TWALK, "ddws", 1, 3, 1, "file");
    OK(w, P9_TWALK, "ddws", 0, 4, 1, "ab");
    OK(w, P9_TRENAMEAT, "dsds", 0, "a", 4, "moved");
    OK(w, P9_TLOPEN, "dd", 3, O_RDONLY); /* fids below it have moved along */
    text = read_text(w, 3, 0, 10);
    g_assert_cmpstr(text, ==, "text");
    g_assert_cmphex(getattr(w, 3).mode, ==, S_IFREG | 0600);
    OK(w, P9_TRENAME, "dds", 1, 0, "again");
    OK(w, P9_TWALK, "ddwss", 0, 5, 2, "again", "file");
    FAIL(EINVAL, w, P9_TRENAMEAT, "dsds", 0, "again", 1, "inside");
    OK(w, P9_TMKDIR, "dsdd", 4, "x", 0755, getgid()); /* makes its record there */
    OK(w, P9_TUNLINKAT, "dsd", 4, "x", P9_AT_REMOVEDIR);
    OK(w, P9_TRENAMEAT, "dsds", 0, "again", 0, "ab"); /* over an empty directory */
    world_free(w);
}

static void test_link(gconstpointer model)
{
    World *w = world_new(model, false);

    OK(w, P9_TWALK, "ddw", 0, 1, 0);
    OK(w, P9_TLCREATE, "dsddd", 1, "file", O_RDWR, 0604, getgid());
    OK(w, P9_TWALK, "ddws", 0, 2, 1, "file");
    OK(w, P9_TLINK, "dds", 0, 2, "other");
    OK(w, P9_TWALK, "ddws", 0, 3, 1, "other");
    g_assert_cmpuint(getattr(w, 3).path, ==, getattr(w, 2).path);
    g_assert_cmpuint(getattr(w, 3).nlink, ==, 2);
    g_assert_cmphex(getattr(w, 3).mode, ==, S_IFREG | 0604);
    FAIL(EPERM, w, P9_TLINK, "dds", 0, 0, "root");
    world_free(w);
}

/* A host's links out of the tree, as a link, and as a component of a path that a guest has a fid
 * for from before. */
static void test_confinement(void)
{
    World *w = world_new("none", false);
    g_autofree char *inside = host_path(w, "root/dir"), *link = host_path(w, "root/link");

    write_host(w, "secret", "secret");
    g_assert_cmpint(g_mkdir(inside, 0755), ==, 0);
    write_host(w, "root/dir/secret", "harmless");
    g_assert_cmpint(symlink("..", link), ==, 0);
    FAIL(ENOENT, w, P9_TWALK, "ddws", 0, 9, 1, "../secret");
    OK(w, P9_TWALK, "ddws", 0, 1, 1, "link");
    FAIL(ELOOP, w, P9_TLOPEN, "dd", 1, O_RDONLY);
    FAIL(ELOOP, w, P9_TWALK, "ddws", 1, 9, 1, "secret");
    OK(w, P9_TWALK, "ddwss", 0, 2, 2, "dir", "secret");
    remove_tree(inside);
    g_assert_cmpint(symlink("..", inside), ==, 0); /* dir/secret is now the one outside */
    FAIL(ELOOP, w, P9_TLOPEN, "dd", 2, O_RDONLY);
    FAIL(ELOOP, w, P9_TGETATTR, "dq", 2, (uint64_t)0);
    FAIL(ELOOP, w, P9_TSETATTR, "dddddqqqqq", 2, P9_SETATTR_SIZE, 0, 0, 0, (uint64_t)0, (uint64_t)0,
         (uint64_t)0, (uint64_t)0, (uint64_t)0);
    OK(w, P9_TWALK, "ddws", 0, 3, 1, "..");
    g_assert_cmpuint(getattr(w, 3).path, ==, getattr(w, 0).path);
    world_free(w);
}

static void test_readonly(void)
{
    World *w = world_new("none", true);

    write_host(w, "root/file", "text");
    OK(w, P9_TWALK, "ddws", 0, 1, 1, "file");
    FAIL(EROFS, w, P9_TLOPEN, "dd", 1, O_WRONLY);
    FAIL(EROFS, w, P9_TLOPEN, "dd", 1, P9_L_TRUNC);
    FAIL(EROFS, w, P9_TMKDIR, "dsdd", 0, "d", 0755, 0);
    FAIL(EROFS, w, P9_TUNLINKAT, "dsd", 0, "file", 0);
    FAIL(EROFS, w, P9_TREMOVE, "d", 1);
    OK(w, P9_TWALK, "ddws", 0, 1, 1, "file");
    FAIL(EROFS, w, P9_TRENAME, "dds", 1, 0, "other");
    FAIL(EROFS, w, P9_TSETATTR, "dddddqqqqq", 1, P9_SETATTR_MODE, 0, 0, 0, (uint64_t)0, (uint64_t)0,
         (uint64_t)0, (uint64_t)0, (uint64_t)0);
    FAIL(EROFS, w, P9_TLINK, "dds", 0, 1, "other");
    OK(w, P9_TLOPEN, "dd", 1, O_RDONLY);
    world_free(w);
}

static void test_xattr(gconstpointer model)
{
    World *w = world_new(model, false);
    g_autofree char *path = host_path(w, "root/file"), *text = NULL;
    uint64_t size;

    write_host(w, "root/file", "text");
    if (setxattr(path, "user.probe", "x", 1, 0) != 0) {
        g_test_skip("no user attributes on this file system");
        world_free(w);
        return;
    }
    g_assert_cmpint(removexattr(path, "user.probe"), ==, 0);
    OK(w, P9_TWALK, "ddws", 0, 1, 1, "file");
    OK(w, P9_TXATTRCREATE, "dsqd", 1, "user.name", (uint64_t)5, P9_XATTR_CREATE);
    g_assert_cmpint(write_text(w, 1, 0, "value!"), ==, ENOSPC);
    g_assert_cmpint(write_text(w, 1, 0, "val"), ==, 0);
    g_assert_cmpint(write_text(w, 1, 3, "ue"), ==, 0);
    FAIL(EINVAL, w, P9_TGETATTR, "dq", 1, (uint64_t)0);
    OK(w, P9_TCLUNK, "d", 1);
    OK(w, P9_TWALK, "ddws", 0, 1, 1, "file");
    OK(w, P9_TXATTRWALK, "dds", 1, 2, "user.name");
    p9c_read(&w->reply, "q", &size);
    g_assert_cmpuint(size, ==, 5);
    text = read_text(w, 2, 0, 100);
    g_assert_cmpstr(text, ==, "value");
    FAIL(ENODATA, w, P9_TXATTRWALK, "dds", 1, 3, "user.other");
    FAIL(E2BIG, w, P9_TXATTRCREATE, "dsqd", 1, "user.big", (uint64_t)65537, 0);
    OK(w, P9_TXATTRWALK, "dds", 1, 3, ""); /* the list; records of the model are not in it */
    p9c_read(&w->reply, "q", &size);
    g_assert_cmpuint(size, ==, sizeof("user.name"));
    OK(w, P9_TXATTRCREATE, "dsqd", 1, "user.name", (uint64_t)0, 0);
    OK(w, P9_TCLUNK, "d", 1); /* length 0 removes */
    g_assert_cmpint(getxattr(path, "user.name", NULL, 0), ==, -1);
    world_free(w);
}

static void test_hidden_xattr(void)
{
    World *w = world_new("mapped-xattr", false);

    OK(w, P9_TWALK, "ddw", 0, 1, 0);
    OK(w, P9_TLCREATE, "dsddd", 1, "file", O_RDWR, 0604, 77);
    g_assert_cmpuint(getattr(w, 1).gid, ==, 77);
    OK(w, P9_TWALK, "ddws", 0, 2, 1, "file");
    FAIL(ENODATA, w, P9_TXATTRWALK, "dds", 2, 3, "user.virtfs.gid");
    OK(w, P9_TXATTRCREATE, "dsqd", 2, "user.virtfs.gid", (uint64_t)4, 0);
    g_assert_cmpint(write_text(w, 2, 0, "abcd"), ==, 0);
    FAIL(EACCES, w, P9_TCLUNK, "d", 2);
    g_assert_cmpuint(getattr(w, 1).gid, ==, 77);
    world_free(w);
}

static void test_hidden_files(void)
{
    World *w = world_new("mapped-file", false);

    OK(w, P9_TWALK, "ddw", 0, 1, 0);
    OK(w, P9_TLCREATE, "dsddd", 1, "file", O_RDWR, 0604, 77);
    FAIL(ENOENT, w, P9_TWALK, "ddws", 0, 2, 1, ".virtfs_metadata");
    FAIL(EINVAL, w, P9_TMKDIR, "dsdd", 0, ".virtfs_metadata", 0755, 0);
    OK(w, P9_TWALK, "ddw", 0, 2, 0);
    OK(w, P9_TLOPEN, "dd", 2, P9_L_DIRECTORY);
    g_assert_cmpuint(count_entries(w, 2, MSIZE), ==, 3); /* ".", "..", "file" */
    world_free(w);
}

static void test_locks(void)
{
    World *w = world_new("none", false);
    uint8_t status, type;
    uint64_t begin, length;

    write_host(w, "root/file", "text");
    for (unsigned fid = 1; fid <= 2; fid++) {
        OK(w, P9_TWALK, "ddws", 0, fid, 1, "file");
        OK(w, P9_TLOPEN, "dd", fid, O_RDONLY);
    }
    OK(w, P9_TLOCK, "dbdqqds", 1, P9_LOCK_TYPE_WRITE, 0, (uint64_t)0, (uint64_t)2, 11, "me");
    p9c_read(&w->reply, "b", &status);
    g_assert_cmpuint(status, ==, P9_LOCK_SUCCESS);
    OK(w, P9_TLOCK, "dbdqqds", 2, P9_LOCK_TYPE_READ, P9_LOCK_FLAG_BLOCK, (uint64_t)1, (uint64_t)0,
       12, "me");
    p9c_read(&w->reply, "b", &status);
    g_assert_cmpuint(status, ==, P9_LOCK_BLOCKED);
    OK(w, P9_TGETLOCK, "dbqqds", 2, P9_LOCK_TYPE_READ, (uint64_t)0, (uint64_t)0, 12, "me");
    p9c_read(&w->reply, "bqq", &type, &begin, &length);
    g_assert_cmpuint(type, ==, P9_LOCK_TYPE_WRITE);
    g_assert_cmpuint(length, ==, 2);
    OK(w, P9_TCLUNK, "d", 1); /* gives its locks up */
    OK(w, P9_TLOCK, "dbdqqds", 2, P9_LOCK_TYPE_READ, 0, (uint64_t)1, (uint64_t)0, 12, "me");
    p9c_read(&w->reply, "b", &status);
    g_assert_cmpuint(status, ==, P9_LOCK_SUCCESS);
    FAIL(EINVAL, w, P9_TLOCK, "dbdqqds", 2, 3, 0, (uint64_t)0, (uint64_t)0, 12, "me");
    FAIL(EINVAL, w, P9_TLOCK, "dbdqqds", 2, 0, 0, UINT64_MAX, (uint64_t)0, 12, "me");
    world_free(w);
}

/* Each message cut anywhere is an error, and the session lives. */
static void test_cut_messages(void)
{
    World *w = world_new("none", false);
    GByteArray *m = p9c_message(P9_TRENAMEAT, 7, "dsds", 0, "a", 0, "b");

    for (size_t len = P9_HEADER_SIZE; len < m->len; len++) {
        GByteArray *cut = g_byte_array_new();

        g_byte_array_append(cut, m->data, len);
        g_assert_cmpint(serve(w, cut, len), ==, EPROTO); /* its size says more */
        p9c_append(cut, "", 0);                          /* it says what there is */
        g_assert_cmpint(serve(w, cut, len), ==, EPROTO);
        g_byte_array_unref(cut);
    }
    m->data[0] = 3; /* less than a header */
    g_assert_cmpint(serve(w, m, m->len), ==, EPROTO);
    g_byte_array_unref(m);
    FAIL(EOPNOTSUPP, w, 200, "d", 0);
    FAIL(EOPNOTSUPP, w, P9_TAUTH, "dssd", 0, "", "", 0);
    getattr(w, 0);
    world_free(w);
}

static void test_bounds(void)
{
    World *w = world_new("none", false);
    unsigned fid;
    uint32_t got;

    for (fid = 1; call(w, P9_TWALK, "ddw", 0, fid, 0) == 0; fid++) {
    }
    g_assert_cmpuint(fid, ==, 16384); /* fid 0 is one of them */
    FAIL(ENFILE, w, P9_TWALK, "ddw", 0, fid, 0);
    OK(w, P9_TLCREATE, "dsddd", 1, "f", O_RDWR, 0600, getgid());
    OK(w, P9_TREAD, "dqd", 1, (uint64_t)0, UINT32_MAX); /* cut to the room there is */
    p9c_read(&w->reply, "d", &got);
    g_assert_cmpuint(got, ==, 0);
    FAIL(EINVAL, w, P9_TREAD, "dqd", 1, UINT64_MAX, 1);
    FAIL(EPROTO, w, P9_TWRITE, "dqd", 1, (uint64_t)0, 1000); /* says more than it holds */
    world_free(w);
}

static void test_unix_dialect(void)
{
    World *w = world_new("none", false);
    g_autofree char *name = NULL, *uid = NULL, *gid = NULL, *muid = NULL, *ext = NULL, *text = NULL;
    uint32_t dev, version, mode, atime, mtime, got;
    uint64_t path, length;
    uint16_t outer, size, type;
    uint8_t qtype;

    start(w, "9P2000.u");
    OK(w, P9_TWALK, "ddw", 0, 1, 0);
    OK(w, P9_TCREATE, "dsdbs", 1, "file", 0644, O_RDWR, "");
    g_assert_cmpint(write_text(w, 1, 0, "text"), ==, 0);
    OK(w, P9_TSTAT, "d", 1);
    p9c_read(&w->reply, "wwwdbdqdddqsssss", &outer, &size, &type, &dev, &qtype, &version, &path,
             &mode, &atime, &mtime, &length, &name, &uid, &gid, &muid, &ext);
    g_assert_cmpuint(outer, ==, size + 2);
    g_assert_cmpuint(w->reply.len, ==, P9_HEADER_SIZE + 2 + outer);
    g_assert_cmpuint(length, ==, 4);
    g_assert_cmpuint(mode, ==, 0644);
    g_assert_cmpstr(name, ==, "file");
    OK(w, P9_TWSTAT, "dwwwdbdqdddqsssssddd", 1, 0, 0, 0, 0, 0, 0, (uint64_t)0, 0600, UINT32_MAX,
       UINT32_MAX, (uint64_t)2, "new", "", "", "", "", UINT32_MAX, UINT32_MAX, UINT32_MAX);
    OK(w, P9_TWALK, "ddws", 0, 2, 1, "new");
    OK(w, P9_TOPEN, "db", 2, O_RDONLY);
    text = read_text(w, 2, 0, 10);
    g_assert_cmpstr(text, ==, "te");
    OK(w, P9_TWALK, "ddw", 0, 3, 0);
    OK(w, P9_TCREATE, "dsdbs", 3, "sub", P9_DM_DIR | 0755, O_RDONLY, "");
    OK(w, P9_TWALK, "ddw", 0, 4, 0);
    OK(w, P9_TOPEN, "db", 4, O_RDONLY);
    OK(w, P9_TREAD, "dqd", 4, (uint64_t)0, 4096);
    p9c_read(&w->reply, "d", &got);
    g_assert_cmpuint(got, >, 2 * 60); /* two records */
    FAIL(EINVAL, w, P9_TREAD, "dqd", 4, (uint64_t)1, 4096);
    OK(w, P9_TREAD, "dqd", 4, (uint64_t)got, 4096);
    p9c_read(&w->reply, "d", &got);
    g_assert_cmpuint(got, ==, 0);
    FAIL(ENOENT, w, P9_TWALK, "ddws", 0, 9, 1, "nothing");
    world_free(w);
}

static void add_models(const char *name, void (*fn)(gconstpointer))
{
    static const char *const models[] = { "none", "passthrough", "mapped-xattr", "mapped-file" };

    for (unsigned i = 0; i < G_N_ELEMENTS(models); i++) {
        g_autofree char *path = g_strdup_printf("/9p/%s/%s", models[i], name);

        g_test_add_data_func(path, models[i], fn);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/9p/version/negotiated-and-bounded", test_version);
    g_test_add_func("/9p/walk/one-name-at-a-time", test_walk);
    g_test_add_func("/9p/readdir/in-pieces-of-any-size", test_readdir);
    add_models("file-is-created-written-read", test_files);
    add_models("attributes-are-set-on-name-and-open-file", test_setattr);
    add_models("links-fifos-directories", test_special);
    g_test_add_func("/9p/mapped-xattr/device-node-is-only-the-guests", test_device_node);
    add_models("fids-follow-a-rename", test_rename);
    add_models("hard-links-are-one-object", test_link);
    g_test_add_func("/9p/local/links-do-not-lead-out", test_confinement);
    g_test_add_func("/9p/local/readonly-changes-nothing", test_readonly);
    add_models("attributes-round-trip", test_xattr);
    g_test_add_func("/9p/mapped-xattr/records-are-not-the-guests", test_hidden_xattr);
    g_test_add_func("/9p/mapped-file/records-are-not-the-guests", test_hidden_files);
    g_test_add_func("/9p/lock/between-fids", test_locks);
    g_test_add_func("/9p/hostile/cut-messages", test_cut_messages);
    g_test_add_func("/9p/hostile/bounds", test_bounds);
    g_test_add_func("/9p/unix/create-stat-wstat-read-directory", test_unix_dialect);
    return g_test_run();
}
