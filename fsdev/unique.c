/* SPDX-License-Identifier: GPL-2.0-or-later
 * One number for each object of an export that spans several host file systems (multidevs): a
 * guest sees one file system and tells objects apart by this number alone. Objects on the root's
 * device keep their inode number; those on others get the device's index in the upper bits.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "fsdev-priv.h"
#include "util/error.h"

typedef enum { MULTIDEVS_REMAP, MULTIDEVS_FORBID, MULTIDEVS_WARN } Multidevs;

enum {
    INO_BITS = 48,
    DEVICES_MAX = 1 << (64 - INO_BITS - 1), /* the top bit marks hashed numbers */
};

struct FsDevices {
    Multidevs mode;
    dev_t root;
    pthread_mutex_t lock; /* what follows */
    GArray *others;       /* of dev_t; the index is that in the number less 1 */
    bool warned;
};

struct FsDevices *fs_devices_new(const char *multidevs, dev_t root, GError **error)
{
    static const char *const names[] = { "remap", "forbid", "warn", NULL };
    struct FsDevices *d;
    int mode = 0;

    while (multidevs != NULL && names[mode] != NULL && strcmp(names[mode], multidevs) != 0) {
        mode++;
    }
    if (names[mode] == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "multidevs is '%s' but must be one of: remap, forbid, warn", multidevs);
        return NULL;
    }
    d = g_new0(struct FsDevices, 1);
    d->mode = mode;
    d->root = root;
    d->others = g_array_new(FALSE, FALSE, sizeof(dev_t));
    pthread_mutex_init(&d->lock, NULL);
    return d;
}

void fs_devices_free(struct FsDevices *d)
{
    if (d != NULL) {
        pthread_mutex_destroy(&d->lock);
        g_array_unref(d->others);
        g_free(d);
    }
}

int fs_devices_check(struct FsDevices *d, dev_t dev)
{
    bool warn;

    if (dev == d->root || d->mode == MULTIDEVS_REMAP) {
        return 0;
    }
    if (d->mode == MULTIDEVS_FORBID) {
        return -EXDEV;
    }
    pthread_mutex_lock(&d->lock);
    warn = !d->warned;
    d->warned = true;
    pthread_mutex_unlock(&d->lock);
    if (warn) {
        g_warning("an exported directory spans several host file systems: files may have the same "
                  "inode number for the guest (multidevs=remap avoids that)");
    }
    return 0;
}

/* 1 and up; 0: there are too many. */
static unsigned index_of(struct FsDevices *d, dev_t dev)
{
    unsigned i;

    pthread_mutex_lock(&d->lock);
    for (i = 0; i < d->others->len && g_array_index(d->others, dev_t, i) != dev; i++) {
    }
    if (i == d->others->len && i + 1 < DEVICES_MAX) {
        g_array_append_val(d->others, dev);
    }
    pthread_mutex_unlock(&d->lock);
    return i + 1 < DEVICES_MAX ? i + 1 : 0;
}

/* Splitmix64's finisher: for numbers that do not fit, with the chance of a clash that 63 bits
 * have. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t fs_devices_unique(struct FsDevices *d, dev_t dev, ino_t ino)
{
    unsigned index;

    if (dev == d->root || d->mode != MULTIDEVS_REMAP) {
        return ino;
    }
    index = index_of(d, dev);
    if (index != 0 && ino >> INO_BITS == 0) {
        return (uint64_t)index << INO_BITS | ino;
    }
    return UINT64_C(1) << 63 | mix(mix(dev) ^ ino) >> 1;
}
