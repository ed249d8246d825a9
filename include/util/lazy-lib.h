/* SPDX-License-Identifier: GPL-2.0-or-later
 * A library that few runs need and that brings many others with it: loaded when it is first used,
 * so that the other runs start sooner. Its functions are called through a struct of pointers, made
 * from a list of their names:
 *
 *     #define THING_FUNCTIONS(X) X(thing_open) X(thing_close)
 *     extern struct { THING_FUNCTIONS(LAZY_FIELD) } thing_lib;      // in a header
 *     static const char *const names[] = { THING_FUNCTIONS(LAZY_NAME) };
 *     static LazyLib lib = LAZY_LIB("libthing.so.0", names, thing_lib);
 *
 * and "#define thing_open thing_lib.thing_open" for each.
 */
#pragma once

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>

typedef struct {
    const char *file;
    const char *const *names;
    void **symbols;
    size_t n;
    pthread_mutex_t lock;
    bool loaded;
} LazyLib;

#define LAZY_FIELD(symbol) __typeof__(symbol) *symbol;
#define LAZY_NAME(symbol)  #symbol,
#define LAZY_LIB(file_name, symbol_names, pointers)                                                \
    {                                                                                              \
        .file = file_name, .names = symbol_names, .symbols = (void **)&(pointers),                 \
        .n = sizeof(pointers) / sizeof(void *), .lock = PTHREAD_MUTEX_INITIALIZER                  \
    }

/* Fills in the pointers, the first time. FALSE: *error (HOST) says why not; may be tried again.
 * The library stays. [any] */
bool lazy_lib_load(LazyLib *lib, GError **error);
