/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where a user's running virtual machines are known: one directory each, below the user's runtime
 * directory. Its lock file is held by the VM's process, so the kernel lets go of it however that
 * ends; what nobody holds is what is left of a VM that has gone, and is swept away by whoever
 * comes across it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    char *name, *dir;
    char *lock, *qmp, *console, *vsock, *pidfile, *info; /* in dir */
    int lock_fd;                                         /* or -1 */
} Place;

void place_free(Place *place);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Place, place_free)

/* What a VM can be called. */
bool place_check_name(const char *name, GError **error);
/* Makes the directory and takes the lock, which stays across exec(). name NULL: the first free of
 * vm0, vm1, ... CONFLICT: a VM of this name is running. */
Place *place_create(const char *name, GError **error);
/* Writes what 'humpy vm list' tells of a VM that does not answer. */
bool place_write_info(const Place *place, const char *text, GError **error);
/* Everything in it goes, and the lock. */
void place_remove(Place *place);

/* The running VM called name. UNKNOWN: there is none. */
Place *place_find(const char *name, GError **error);
/* All that are running, by name; of Place. What is left of others is swept away. */
GPtrArray *place_list(GError **error);
/* TRUE while its process lives. */
bool place_is_alive(const Place *place);
pid_t place_pid(const Place *place); /* or -1 */
