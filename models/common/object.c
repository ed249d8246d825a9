/* SPDX-License-Identifier: GPL-2.0-or-later
 * Descriptors of the model: each is a memfd of its own, found again by its inode, so that dup(),
 * mmap(), passing and close() need no interposing. The last close, mappings included, is when
 * the kernel drops the open file; inotify tells (IN_CLOSE). What an object is, others know.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "object.h"
#include "util/fd.h"

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t drain_lock =
    PTHREAD_MUTEX_INITIALIZER; /* held while last closes are handled, outside table_lock */
static GHashTable *by_inode;
static GHashTable *by_watch;
static int notify_fd = -1;
static bool fork_handled;

/* After fork() the child has the parent's files but not its threads: it knows them, refuses to
 * work on them, and starts anew for devices of its own. */
static GHashTable *inherited;
static unsigned generation; /* of this process's objects */

static guint inode_hash(gconstpointer key)
{
    const Object *obj = key;

    return (guint)obj->ino ^ ((guint)obj->dev << 16);
}

static gboolean inode_equal(gconstpointer a, gconstpointer b)
{
    const Object *x = a, *y = b;

    return x->ino == y->ino && x->dev == y->dev;
}

static void before_fork(void)
{
    pthread_mutex_lock(&table_lock);
}

static void after_fork_parent(void)
{
    pthread_mutex_unlock(&table_lock);
}

static void after_fork_child(void)
{
    GHashTableIter iter;
    gpointer obj;

    if (by_inode && inherited) {
        g_hash_table_iter_init(&iter, inherited);
        while (g_hash_table_iter_next(&iter, &obj, NULL)) {
            g_hash_table_add(by_inode, obj);
        }
    }
    inherited = by_inode ? by_inode : inherited;
    by_inode = NULL;
    by_watch = NULL;
    generation++;
    if (notify_fd >= 0) {
        close(notify_fd);
        notify_fd = -1;
    }
    pthread_mutex_init(&drain_lock, NULL);
    pthread_mutex_unlock(&table_lock);
}

/* Closes that no call of ours made (plain close(), exec, munmap()) are noticed here. */
static gpointer watch_thread(gpointer unused)
{
    for (;;) {
        struct pollfd pfd = { .fd = notify_fd, .events = POLLIN };

        if (poll(&pfd, 1, -1) > 0) {
            object_drain();
        }
    }
    return NULL;
}

/* With table_lock. Signals are blocked around thread creation: they are the program's. */
static bool start_watching(void)
{
    sigset_t all, old;

    if (notify_fd >= 0) {
        return true;
    }
    notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (notify_fd < 0) {
        return false;
    }
    by_inode = g_hash_table_new(inode_hash, inode_equal);
    by_watch = g_hash_table_new(NULL, NULL);
    if (!fork_handled) {
        fork_handled = pthread_atfork(before_fork, after_fork_parent, after_fork_child) == 0;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    g_thread_unref(g_thread_new("model-close", watch_thread, NULL));
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return true;
}

/* The caller's open file must be the only one besides the mapping made first, so that its last
 * close is the last IN_CLOSE of the inode: open the inode anew and forget the first file. */
static int make_file(const char *name, size_t size, void **map)
{
    g_auto(Fd) first = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char path[32];
    int fd;

    if (first < 0) {
        return -errno;
    }
    if (ftruncate(first, (off_t)size) < 0 ||
        fcntl(first, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        return -errno;
    }
    if (map) {
        *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, first, 0);
        if (*map == MAP_FAILED) {
            return -errno;
        }
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", first);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && map) {
        munmap(*map, size);
    }
    return fd < 0 ? -errno : fd;
}

int object_install(Object *obj, const char *name, size_t size, void **map)
{
    g_auto(Fd) fd = make_file(name, size, map);
    char path[32];
    struct stat st;

    if (fd < 0) {
        return fd;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    pthread_mutex_lock(&table_lock);
    if (!start_watching() || fstat(fd, &st) < 0 ||
        (obj->watch = inotify_add_watch(notify_fd, path, IN_CLOSE)) < 0) {
        int err = errno;

        pthread_mutex_unlock(&table_lock);
        if (map) {
            munmap(*map, size);
        }
        return -err;
    }
    obj->dev = st.st_dev;
    obj->ino = st.st_ino;
    obj->generation = generation;
    g_hash_table_add(by_inode, obj);
    g_hash_table_insert(by_watch, GINT_TO_POINTER(obj->watch), obj);
    pthread_mutex_unlock(&table_lock);
    return fd_steal(&fd);
}

Object *object_get(const void *model, int fd)
{
    Object key = { 0 };
    Object *obj = NULL;
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return NULL;
    }
    key.dev = st.st_dev;
    key.ino = st.st_ino;
    pthread_mutex_lock(&table_lock);
    if (by_inode) {
        obj = g_hash_table_lookup(by_inode, &key);
    }
    if (!obj && inherited) {
        obj = g_hash_table_lookup(inherited, &key);
    }
    if (obj && obj->model != model) {
        obj = NULL;
    }
    if (obj) {
        obj->busy++;
    }
    pthread_mutex_unlock(&table_lock);
    return obj;
}

void object_put(Object *obj)
{
    bool last;

    pthread_mutex_lock(&table_lock);
    obj->busy--;
    last = obj->closed && !obj->busy;
    pthread_mutex_unlock(&table_lock);
    if (last) {
        obj->last_close(obj);
    }
}

static void file_closed(int watch)
{
    Object *obj;
    bool last = false;

    pthread_mutex_lock(&table_lock);
    obj = g_hash_table_lookup(by_watch, GINT_TO_POINTER(watch));
    if (obj) {
        g_hash_table_remove(by_watch, GINT_TO_POINTER(watch));
        g_hash_table_remove(by_inode, obj);
        inotify_rm_watch(notify_fd, watch);
        obj->closed = true;
        last = !obj->busy;
    }
    pthread_mutex_unlock(&table_lock);
    if (last) {
        obj->last_close(obj);
    }
}

void object_drain(void)
{
    static __thread bool draining; /* a last close closes descriptors of its own */
    union {
        struct inotify_event event;
        char bytes[4096];
    } buf;

    if (notify_fd < 0 || draining) {
        return;
    }
    draining = true;
    pthread_mutex_lock(&drain_lock);
    for (;;) {
        ssize_t n = read(notify_fd, buf.bytes, sizeof(buf.bytes));

        if (n <= 0) {
            break;
        }
        for (char *at = buf.bytes; at < buf.bytes + n;) {
            const struct inotify_event *event = (const struct inotify_event *)at;

            if (event->mask & IN_CLOSE) {
                file_closed(event->wd);
            }
            at += sizeof(*event) + event->len;
        }
    }
    pthread_mutex_unlock(&drain_lock);
    draining = false;
}

/* ---- calls ---- */

/* TRUE in a process that forked off the one that made obj. */
static bool is_inherited(const Object *obj)
{
    return obj->generation != generation;
}

int object_ioctl(const void *model, int fd, unsigned long request, uintptr_t arg,
                 long (*call)(Object *obj, unsigned long request, uintptr_t arg))
{
    Object *obj = object_get(model, fd);
    long ret;

    if (!obj) {
        errno = fd < 0 ? EBADF : ENOTTY;
        return -1;
    }
    ret = is_inherited(obj) ? -EPERM : call(obj, request, arg);
    object_put(obj);
    if (ret < 0) {
        errno = (int)-ret;
        return -1;
    }
    return (int)ret;
}

static int drained(int ret)
{
    int err = errno;

    object_drain();
    errno = err;
    return ret;
}

int object_close(int fd)
{
    return drained(close(fd));
}

int object_munmap(void *addr, size_t length)
{
    return drained(munmap(addr, length));
}

bool object_is_of(const void *model, int fd)
{
    Object *obj = object_get(model, fd);

    if (obj) {
        object_put(obj);
    }
    return obj != NULL;
}
