/* SPDX-License-Identifier: GPL-2.0-or-later
 * Entropy sources: the host's getrandom(), and a file, device or pipe.
 */
#include "hw/virtio/rng-backend.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/core/device.h" /* DEVICE_DEFINE_TYPE */
#include "util/error.h"
#include "util/fd.h"
#include "util/props.h"

G_DEFINE_ABSTRACT_TYPE(RngBackend, rng_backend, TYPE_USER_OBJECT)

static void rng_backend_init(RngBackend *rng)
{
}

static void rng_backend_class_init(RngBackendClass *klass)
{
}

ssize_t rng_backend_read(RngBackend *rng, void *buf, size_t len)
{
    return HUMPY_RNG_BACKEND_GET_CLASS(rng)->read(rng, buf, len);
}

int rng_backend_fd(RngBackend *rng)
{
    RngBackendClass *klass = HUMPY_RNG_BACKEND_GET_CLASS(rng);

    return klass->fd != NULL ? klass->fd(rng) : -1;
}

/* ---- rng-builtin ---- */

#define TYPE_RNG_BUILTIN rng_builtin_get_type()
G_DECLARE_FINAL_TYPE(RngBuiltin, rng_builtin, HUMPY, RNG_BUILTIN, RngBackend)

struct _RngBuiltin {
    RngBackend parent_instance;
};

DEVICE_DEFINE_TYPE(RngBuiltin, rng_builtin, "rng-builtin", TYPE_RNG_BACKEND)

static ssize_t builtin_read(RngBackend *rng, void *buf, size_t len)
{
    ssize_t got;

    do {
        got = getrandom(buf, len, 0);
    } while (got < 0 && errno == EINTR);
    return got;
}

static void rng_builtin_init(RngBuiltin *rng)
{
}

static void rng_builtin_class_init(RngBuiltinClass *klass)
{
    HUMPY_USER_OBJECT_CLASS(klass)->summary = "Entropy from the host's getrandom()";
    HUMPY_RNG_BACKEND_CLASS(klass)->read = builtin_read;
}

/* ---- rng-random ---- */

#define TYPE_RNG_RANDOM rng_random_get_type()
G_DECLARE_FINAL_TYPE(RngRandom, rng_random, HUMPY, RNG_RANDOM, RngBackend)

struct _RngRandom {
    RngBackend parent_instance;
    char *filename;
    int fd;
};

DEVICE_DEFINE_TYPE(RngRandom, rng_random, "rng-random", TYPE_RNG_BACKEND)

static bool random_complete(UserObject *obj, GError **error)
{
    RngRandom *rng = HUMPY_RNG_RANDOM(obj);
    struct stat st;

    /* For a pipe, be a writer as well: it has no end then. */
    bool fifo = stat(rng->filename, &st) == 0 && S_ISFIFO(st.st_mode);

    rng->fd = open(rng->filename, (fifo ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_CLOEXEC);
    if (rng->fd < 0) {
        error_set_errno(error, errno, "filename: cannot open '%s'", rng->filename);
        return false;
    }
    if (fstat(rng->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        error_set_errno(error, EISDIR, "filename: cannot read '%s'", rng->filename);
        return false;
    }
    return true;
}

static ssize_t random_read(RngBackend *backend, void *buf, size_t len)
{
    RngRandom *rng = HUMPY_RNG_RANDOM(backend);
    ssize_t got;

    do {
        got = read(rng->fd, buf, len);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        return got;
    }
    return got < 0 && errno == EAGAIN ? 0 : -1; /* its end is the end of entropy, too */
}

static int random_fd(RngBackend *backend)
{
    return HUMPY_RNG_RANDOM(backend)->fd;
}

static void random_finalize(GObject *obj)
{
    fd_clear(&HUMPY_RNG_RANDOM(obj)->fd);
    G_OBJECT_CLASS(rng_random_parent_class)->finalize(obj);
}

static const Prop random_props[] = {
    PROP_STRING("filename", RngRandom, filename, "/dev/urandom", "Where to read"),
};

static void rng_random_init(RngRandom *rng)
{
    rng->fd = -1;
}

static void rng_random_class_init(RngRandomClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = random_finalize;
    props_install(G_OBJECT_CLASS(klass), random_props, G_N_ELEMENTS(random_props));
    HUMPY_USER_OBJECT_CLASS(klass)->summary = "Entropy from a file, a device or a pipe";
    HUMPY_USER_OBJECT_CLASS(klass)->complete = random_complete;
    HUMPY_RNG_BACKEND_CLASS(klass)->read = random_read;
    HUMPY_RNG_BACKEND_CLASS(klass)->fd = random_fd;
}
