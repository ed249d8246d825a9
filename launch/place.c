/* SPDX-License-Identifier: GPL-2.0-or-later
 * See place.h. Making and sweeping exclude each other by a lock on the base directory, which is
 * held for a moment only; a VM's own lock is held as long as it lives, and only who has it removes
 * anything.
 */
#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/keyval.h"

enum { MAX_NAME = 64, MAX_VMS = 10000 };

/* ---- the base directory ---- */

static char *base_path(void)
{
    const char *own = g_getenv("HUMPY_RUNTIME_DIR"), *user = g_getenv("XDG_RUNTIME_DIR");

    if (own != NULL && *own != '\0') {
        return g_strdup(own);
    }
    if (user != NULL && *user != '\0') {
        return g_build_filename(user, "humpy", NULL);
    }
    return g_strdup_printf("%s/humpy-%u", g_get_tmp_dir(), (unsigned)geteuid());
}

/* Others must not be able to put anything there: it may be in /tmp. */
static bool check_base(const char *path, GError **error)
{
    struct stat st;

    if (lstat(path, &st) < 0) {
        error_set_errno(error, errno, "cannot look at '%s'", path);
        return false;
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "'%s' is not a directory that only you can write to (HUMPY_RUNTIME_DIR names "
                    "another)",
                    path);
        return false;
    }
    return true;
}

/* Waits for others, who hold it for a few system calls. */
static int lock_base(const char *path, GError **error)
{
    g_auto(Fd) fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result;

    do {
        result = fd < 0 ? -1 : flock(fd, LOCK_EX);
    } while (result < 0 && fd >= 0 && errno == EINTR);
    if (result < 0) {
        error_set_errno(error, errno, "cannot lock '%s'", path);
        return -1;
    }
    return fd_steal(&fd);
}

static Place *place_new(const char *base, const char *name)
{
    Place *p = g_new0(Place, 1);

    p->name = g_strdup(name);
    p->dir = g_build_filename(base, name, NULL);
    p->lock = g_build_filename(p->dir, "lock", NULL);
    p->qmp = g_build_filename(p->dir, "qmp", NULL);
    p->console = g_build_filename(p->dir, "console", NULL);
    p->vsock = g_build_filename(p->dir, "vsock", NULL);
    p->pidfile = g_build_filename(p->dir, "pid", NULL);
    p->info = g_build_filename(p->dir, "info.json", NULL);
    p->lock_fd = -1;
    return p;
}

void place_free(Place *p)
{
    if (p == NULL) {
        return;
    }
    fd_clear(&p->lock_fd);
    g_free(p->name);
    g_free(p->dir);
    g_free(p->lock);
    g_free(p->qmp);
    g_free(p->console);
    g_free(p->vsock);
    g_free(p->pidfile);
    g_free(p->info);
    g_free(p);
}

/* ---- locks ---- */

static bool is_current(int fd, const char *path)
{
    struct stat open_file, named;

    return fstat(fd, &open_file) == 0 && lstat(path, &named) == 0 &&
           open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

typedef enum { LOCK_TAKEN, LOCK_HELD, LOCK_GONE, LOCK_FAILED } LockState;

/* LOCK_TAKEN: *fd has it now. LOCK_HELD: a VM has it. LOCK_GONE: there is none, or it was replaced
 * at this moment. LOCK_FAILED: errno says why. */
static LockState try_lock(const Place *p, int create, Fd *fd)
{
    *fd = open(p->lock, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | create, 0600);
    if (*fd < 0) {
        return errno == ENOENT ? LOCK_GONE : LOCK_FAILED;
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) < 0) {
        LockState state = errno == EWOULDBLOCK ? LOCK_HELD : LOCK_FAILED;

        fd_clear(fd);
        return state;
    }
    if (!is_current(*fd, p->lock)) {
        fd_clear(fd);
        return LOCK_GONE;
    }
    return LOCK_TAKEN;
}

/* All but the lock; it is held. */
static void empty(const Place *p)
{
    g_autoptr(GDir) dir = g_dir_open(p->dir, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        if (strcmp(name, "lock") != 0) {
            g_autofree char *path = g_build_filename(p->dir, name, NULL);

            unlink(path);
        }
    }
}

void place_remove(Place *p)
{
    empty(p);
    unlink(p->lock);
    rmdir(p->dir);
    fd_clear(&p->lock_fd);
}

/* TRUE: a VM is running there. Else what is left of one is gone. */
static bool alive_or_swept(Place *p)
{
    g_auto(Fd) fd = -1;

    switch (try_lock(p, 0, &fd)) {
    case LOCK_HELD:
        return true;
    case LOCK_TAKEN:
        p->lock_fd = fd_steal(&fd);
        place_remove(p);
        return false;
    case LOCK_GONE:
        rmdir(p->dir); /* what was not made to the end; not if it is just being made */
        return false;
    default:
        return false;
    }
}

bool place_is_alive(const Place *p)
{
    g_auto(Fd) fd = -1;

    return try_lock(p, 0, &fd) == LOCK_HELD;
}

/* ---- making one ---- */

bool place_check_name(const char *name, GError **error)
{
    if (strlen(name) > MAX_NAME) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "'%s' is longer than %d bytes", name,
                    MAX_NAME);
        return false;
    }
    if (!keyval_check_id(name, NULL)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "'%s' is not a name (a letter, then letters, digits, '-', '.' or '_')", name);
        return false;
    }
    return true;
}

static bool check_socket_path(const Place *p, GError **error)
{
    struct sockaddr_un address;

    if (strlen(p->console) >= sizeof(address.sun_path)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "'%s' is too long for a socket, which may have %zu bytes (HUMPY_RUNTIME_DIR "
                    "names another directory)",
                    p->console, sizeof(address.sun_path) - 1);
        return false;
    }
    return true;
}

/* NULL without *error: a VM of this name is running. */
static Place *create_named(const char *base, const char *name, GError **error)
{
    g_autoptr(Place) p = place_new(base, name);
    g_auto(Fd) fd = -1;
    LockState state;

    if (!check_socket_path(p, error)) {
        return NULL;
    }
    do {
        if (mkdir(p->dir, 0700) < 0 && errno != EEXIST) {
            error_set_errno(error, errno, "cannot make '%s'", p->dir);
            return NULL;
        }
        state = try_lock(p, O_CREAT, &fd);
    } while (state == LOCK_GONE);
    if (state == LOCK_HELD) {
        return NULL;
    }
    if (state == LOCK_FAILED || fcntl(fd, F_SETFD, 0) < 0) {
        error_set_errno(error, errno, "cannot lock '%s'", p->lock);
        return NULL;
    }
    empty(p);
    p->lock_fd = fd_steal(&fd);
    return g_steal_pointer(&p);
}

Place *place_create(const char *name, GError **error)
{
    g_autofree char *base = base_path();
    GError *cause = NULL;
    g_auto(Fd) base_fd = -1;
    Place *p = NULL;

    if (name != NULL && !place_check_name(name, error)) {
        g_prefix_error(error, "name: ");
        return NULL;
    }
    if (g_mkdir_with_parents(base, 0700) < 0) {
        error_set_errno(error, errno, "cannot make '%s' (HUMPY_RUNTIME_DIR names another)", base);
        return NULL;
    }
    if (!check_base(base, error)) {
        return NULL;
    }
    base_fd = lock_base(base, error);
    if (base_fd < 0) {
        return NULL;
    }
    for (unsigned i = 0; name == NULL && p == NULL && cause == NULL && i < MAX_VMS; i++) {
        g_autofree char *made = g_strdup_printf("vm%u", i);

        p = create_named(base, made, &cause);
    }
    if (name != NULL) {
        p = create_named(base, name, &cause);
    }
    if (p == NULL && cause == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "a VM called '%s' is running (--name gives another name)",
                    name != NULL ? name : "vm0 and so on");
    } else if (cause != NULL) {
        g_propagate_error(error, cause);
    }
    return p;
}

bool place_write_info(const Place *p, const char *text, GError **error)
{
    g_autoptr(GError) cause = NULL;

    /* Not renamed into place: nobody reads it before there is an answer to the lock. */
    if (!g_file_set_contents_full(p->info, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, &cause)) {
        g_set_error_literal(error, HUMPY_ERROR, HUMPY_ERROR_HOST, cause->message);
        return false;
    }
    return true;
}

/* ---- finding them ---- */

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const Place *const *)a)->name, (*(const Place *const *)b)->name);
}

GPtrArray *place_list(GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)place_free);
    g_autofree char *base = base_path();
    g_auto(Fd) base_fd = -1;
    g_autoptr(GDir) dir = NULL;
    const char *name;

    if (g_access(base, F_OK) < 0) {
        return g_steal_pointer(&all); /* nothing ever ran */
    }
    if (!check_base(base, error)) {
        return NULL;
    }
    base_fd = lock_base(base, error);
    if (base_fd < 0) {
        return NULL;
    }
    dir = g_dir_open(base, 0, NULL);
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autoptr(Place) p = place_new(base, name);

        if (alive_or_swept(p)) {
            g_ptr_array_add(all, g_steal_pointer(&p));
        }
    }
    g_ptr_array_sort(all, by_name);
    return g_steal_pointer(&all);
}

Place *place_find(const char *name, GError **error)
{
    g_autoptr(GPtrArray) all = place_list(error);
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    if (all == NULL) {
        return NULL;
    }
    for (unsigned i = 0; i < all->len; i++) {
        Place *p = g_ptr_array_index(all, i);

        if (strcmp(p->name, name) == 0) {
            return g_ptr_array_steal_index(all, i);
        }
        g_ptr_array_add(names, p->name);
    }
    if (names->len == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "no VM is running, so none called '%s'", name);
        return NULL;
    }
    g_ptr_array_add(names, NULL);
    error_set_unknown(error, "VM", name, (const char *const *)names->pdata);
    return NULL;
}

pid_t place_pid(const Place *p)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(p->pidfile, &text, NULL, NULL)) {
        return -1;
    }
    return MAX(g_ascii_strtoll(text, NULL, 10), 0) > 0 ? (pid_t)g_ascii_strtoll(text, NULL, 10)
                                                       : -1;
}
