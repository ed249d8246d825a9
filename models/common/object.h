/* SPDX-License-Identifier: GPL-2.0-or-later
 * Descriptors that a model hands out, and the calls and last closes that reach the objects behind
 * them. One table for all models of a process.
 *
 * Threads: [any]; the table's lock is innermost.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Object Object;
struct Object {
    const void *model; /* whose it is */
    int kind;          /* the model's word for what it is */
    dev_t dev;
    ino_t ino;
    int watch;                       /* inotify */
    unsigned generation;             /* which process's, counted in forks */
    unsigned busy;                   /* calls in progress, as fdget() holds the file */
    bool closed;                     /* last close seen */
    void (*last_close)(Object *obj); /* frees; once, when closed and not busy */
};

/* A new descriptor for obj: size bytes of shareable memory (0: none), mapped once into *map if
 * that is wanted. -errno, and obj is not registered. */
int object_install(Object *obj, const char *name, size_t size, void **map);
/* Object behind fd with a hold, or NULL if fd is none of model's. */
Object *object_get(const void *model, int fd);
void object_put(Object *obj);
/* Handles the last closes that have happened so far, in the calling thread. */
void object_drain(void);

/* What a model's HostDevOps need. call gives -errno. */
int object_ioctl(const void *model, int fd, unsigned long request, uintptr_t arg,
                 long (*call)(Object *obj, unsigned long request, uintptr_t arg));
/* The kernel drops the file inside the call, so what is torn down with it is gone after these. */
int object_close(int fd);
int object_munmap(void *addr, size_t length);
bool object_is_of(const void *model, int fd);
