/* SPDX-License-Identifier: GPL-2.0-or-later
 * -object memory-backend-ram, -memfd and -file: host memory by name, for the machine's RAM
 * (-machine memory-backend=ID) and its NUMA nodes (-numa node,memdev=ID). It has a user or none.
 *
 * Threads: [main] only.
 */
#pragma once

#include "hw/core/user-object.h"
#include "memory/memory.h"

#define TYPE_MEMORY_BACKEND memory_backend_get_type()
G_DECLARE_DERIVABLE_TYPE(MemoryBackend, memory_backend, HUMPY, MEMORY_BACKEND, UserObject)

/* Properties that all kinds have: a field of their struct and rows of their table. */
typedef struct {
    uint64_t size;
    bool share, prealloc, dump, thp;
} MemoryBackendProps;

struct _MemoryBackendClass {
    UserObjectClass parent_class;
    size_t props; /* offset of the MemoryBackendProps */
    /* Makes something that can be mapped; props->size is what was asked for, 0 if nothing was, and
     * on return what there is. -1: *error. */
    int (*open)(MemoryBackend *backend, MemoryBackendProps *props, GError **error);
};

uint64_t memory_backend_size(MemoryBackend *backend);
/* Its memory, for one user until memory_backend_release(). NULL: in use (CONFLICT). */
MemoryRegion *memory_backend_take(MemoryBackend *backend, GError **error);
void memory_backend_release(MemoryBackend *backend);
bool memory_backend_is_taken(MemoryBackend *backend);

/* The types for the table in hw/types.c. */
GType memory_backend_ram_get_type(void);
GType memory_backend_memfd_get_type(void);
GType memory_backend_file_get_type(void);

/* What QMP's query-memdev tells. */
typedef struct {
    const char *id;
    uint64_t size;
    bool share, prealloc, dump;
} MemoryBackendInfo;
void memory_backend_info(MemoryBackend *backend, MemoryBackendInfo *info);
