/* SPDX-License-Identifier: GPL-2.0-or-later
 * The synth driver: a fixed tree that exists only here, for tests of a 9P server through a device:
 *
 *   WALK0/WALK1/.../WALK15  directories, one in the other: as deep as one walk message goes
 *   LOPEN                   a file that can be opened
 *   WRITE                   a file that takes what is written to it
 *   FLUSH                   a file whose write returns at once if its first byte is 0, else not
 *                           until the request is given up
 *   ReadDirDir              a directory with the files ReadDirFile0 to ReadDirFile99
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fsdev-priv.h"
#include "util/iov.h"

enum { WALK_DEPTH = 16, READDIR_FILES = 100 };

typedef struct Node Node;
typedef ssize_t (*NodeWriteFn)(const struct iovec *iov, unsigned n, FsCall *call);

struct Node {
    char *name;
    unsigned number; /* inode */
    mode_t mode;
    Node *parent;        /* the root's is itself */
    GPtrArray *children; /* of Node; NULL: a file */
    NodeWriteFn write;   /* NULL: cannot be written */
};

typedef struct {
    FsDev fs;
    Node *root;
    unsigned n_nodes;
    struct timespec made;
} Synth;

typedef struct {
    FsFile file;
    Node *node;
} SynthFile;

/* ---- the tree ---- */

static void node_free(gpointer data)
{
    Node *node = data;

    if (node->children != NULL) {
        g_ptr_array_unref(node->children);
    }
    g_free(node->name);
    g_free(node);
}

static Node *add_node(Synth *s, Node *parent, const char *name, mode_t mode)
{
    Node *node = g_new0(Node, 1);

    node->name = g_strdup(name);
    node->number = ++s->n_nodes;
    node->mode = mode;
    node->parent = parent != NULL ? parent : node;
    if (S_ISDIR(mode)) {
        node->children = g_ptr_array_new_with_free_func(node_free);
    }
    if (parent != NULL) {
        g_ptr_array_add(parent->children, node);
    }
    return node;
}

static ssize_t take_all(const struct iovec *iov, unsigned n, FsCall *call)
{
    return iov_size(iov, n);
}

static ssize_t take_or_wait(const struct iovec *iov, unsigned n, FsCall *call)
{
    uint8_t wait = 0;

    iov_to_buf(iov, n, 0, &wait, 1);
    return wait == 0 ? (ssize_t)iov_size(iov, n) : fs_call_wait(call);
}

static void add_tree(Synth *s)
{
    Node *dir = s->root;

    for (unsigned i = 0; i < WALK_DEPTH; i++) {
        g_autofree char *name = g_strdup_printf("WALK%u", i);

        dir = add_node(s, dir, name, S_IFDIR | 0700);
    }
    add_node(s, s->root, "LOPEN", S_IFREG | 0600)->write = take_all;
    add_node(s, s->root, "WRITE", S_IFREG | 0600)->write = take_all;
    add_node(s, s->root, "FLUSH", S_IFREG | 0600)->write = take_or_wait;
    dir = add_node(s, s->root, "ReadDirDir", S_IFDIR | 0700);
    for (unsigned i = 0; i < READDIR_FILES; i++) {
        g_autofree char *name = g_strdup_printf("ReadDirFile%u", i);

        add_node(s, dir, name, S_IFREG | 0600);
    }
}

static int find(FsDev *fs, const char *path, Node **found)
{
    Node *node = ((Synth *)fs)->root;

    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        Node *next = NULL;

        if (node->children == NULL) {
            return -ENOTDIR;
        }
        for (unsigned i = 0; i < node->children->len && next == NULL; i++) {
            Node *child = g_ptr_array_index(node->children, i);

            if (strlen(child->name) == len && memcmp(child->name, path, len) == 0) {
                next = child;
            }
        }
        if (next == NULL) {
            return -ENOENT;
        }
        node = next;
        path += len + (path[len] == '/');
    }
    *found = node;
    return 0;
}

/* ---- operations ---- */

static void fill_stat(const Synth *s, const Node *node, struct stat *st)
{
    *st = (struct stat){
        .st_ino = node->number,
        .st_mode = node->mode,
        .st_nlink = node->children != NULL ? 2 : 1,
        .st_blksize = 4096,
        .st_atim = s->made,
        .st_mtim = s->made,
        .st_ctim = s->made,
    };
}

static int synth_stat(FsDev *fs, const char *path, struct stat *st)
{
    Node *node;
    int result = find(fs, path, &node);

    if (result == 0) {
        fill_stat((Synth *)fs, node, st);
    }
    return result;
}

static int synth_statfs(FsDev *fs, const char *path, struct statfs *st)
{
    *st = (struct statfs){ .f_bsize = 4096, .f_namelen = 255, .f_files = ((Synth *)fs)->n_nodes };
    return 0;
}

static int synth_open(FsDev *fs, const char *path, int flags, FsFile **file)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    SynthFile *f;
    Node *node;
    int result = find(fs, path, &node);

    if (result != 0) {
        return result;
    }
    if (node->children != NULL ? writes : (flags & O_DIRECTORY) != 0) {
        return node->children != NULL ? -EISDIR : -ENOTDIR;
    }
    if (writes && node->write == NULL) {
        return -EACCES;
    }
    f = g_new0(SynthFile, 1);
    f->node = node;
    *file = &f->file;
    return 0;
}

static void synth_close(FsFile *file)
{
    g_free(file);
}

static int synth_fstat(FsFile *file, struct stat *st)
{
    fill_stat((Synth *)file->fs, ((SynthFile *)file)->node, st);
    return 0;
}

static ssize_t synth_preadv(FsFile *file, const struct iovec *iov, unsigned n, uint64_t offset)
{
    return ((SynthFile *)file)->node->children != NULL ? -EISDIR : 0; /* all files are empty */
}

static ssize_t synth_pwritev(FsFile *file, const struct iovec *iov, unsigned n, uint64_t offset,
                             FsCall *call)
{
    return ((SynthFile *)file)->node->write(iov, n, call);
}

static int synth_ftruncate(FsFile *file, uint64_t size)
{
    return 0; /* whatever is written is gone as well */
}

static int synth_truncate(FsDev *fs, const char *path, uint64_t size)
{
    Node *node;
    int result = find(fs, path, &node);

    return result != 0              ? result
           : node->children != NULL ? -EISDIR
           : node->write == NULL    ? -EACCES
                                    : 0;
}

static int synth_fsync(FsFile *file, bool data_only)
{
    return 0;
}

/* Offsets count entries: ".", "..", then the children. */
/* The newest first, as on QEMU: its test client asks for no more bytes than the answer before had,
 * and would have to ask more often than its queue allows if names became longer on the way. */
static int synth_readdir(FsFile *file, uint64_t offset, FsDirEntryFn fn, void *opaque)
{
    const Node *node = ((SynthFile *)file)->node;
    FsDirEntry entry;

    if (node->children == NULL) {
        return -ENOTDIR;
    }
    for (uint64_t i = offset; i < node->children->len + 2u; i++) {
        const Node *child = i == 0 ? node
                            : i == 1
                                ? node->parent
                                : g_ptr_array_index(node->children, node->children->len + 1 - i);

        entry.name = i == 0 ? "." : i == 1 ? ".." : child->name;
        entry.unique = child->number;
        entry.type = IFTODT(child->mode);
        entry.next = i + 1;
        if (!fn(&entry, opaque)) {
            break;
        }
    }
    return 0;
}

static void synth_free(FsDev *fs)
{
    node_free(((Synth *)fs)->root);
    g_free(fs);
}

static const FsDriver synth_driver = {
    .stat = synth_stat,
    .statfs = synth_statfs,
    .open = synth_open,
    .close = synth_close,
    .fstat = synth_fstat,
    .preadv = synth_preadv,
    .pwritev = synth_pwritev,
    .truncate = synth_truncate,
    .ftruncate = synth_ftruncate,
    .fsync = synth_fsync,
    .readdir = synth_readdir,
    .free = synth_free,
};

FsDev *synth_new(const FsDevOptions *options, GError **error)
{
    struct FsDevices *devices = fs_devices_new(options->multidevs, 0, error);
    Synth *s;

    if (devices == NULL) {
        return NULL;
    }
    s = g_new0(Synth, 1);
    s->fs.driver = &synth_driver;
    s->fs.devices = devices;
    clock_gettime(CLOCK_REALTIME, &s->made);
    s->root = add_node(s, NULL, "", S_IFDIR | 0700);
    add_tree(s);
    return &s->fs;
}
