/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a test may miss where it runs, user emulation for one: asked of the system, not known of it.
 * FALSE: the test is skipped, and shall return.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* The program can be started again from its own file, as g_test_trap_subprocess() does. */
static inline bool can_start_self(void)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    char *argv[] = { self, (char *)"-l", NULL };
    GSpawnFlags quiet = G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL;
    int status = -1;

    if (g_test_subprocess() ||
        (self != NULL &&
         g_spawn_sync(NULL, argv, NULL, quiet, NULL, NULL, NULL, NULL, &status, NULL) &&
         status == 0)) {
        return true;
    }
    g_test_skip("this program cannot be started from its own file");
    return false;
}

/* Memory can be given back: it is there again, empty, when it is looked at. */
static inline bool can_discard(void)
{
    size_t size = sysconf(_SC_PAGESIZE);
    int fd = memfd_create("probe", MFD_CLOEXEC);
    char *page = MAP_FAILED;
    bool empty = false;

    if (fd >= 0 && ftruncate(fd, size) == 0) {
        page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (page != MAP_FAILED) {
        *(volatile char *)page = 1;
        empty = madvise(page, size, MADV_REMOVE) == 0 && *(volatile char *)page == 0;
        munmap(page, size);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (!empty) {
        g_test_skip("memory cannot be given back here");
    }
    return empty;
}

/* Before any test: shared memory can be seen at a second place, as the Gunyah model lends and
 * shares it. FALSE: the whole program is skipped. */
static inline bool can_map_twice(void)
{
    size_t size = sysconf(_SC_PAGESIZE);
    void *first = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    void *second = first != MAP_FAILED ? mremap(first, 0, size, MREMAP_MAYMOVE) : MAP_FAILED;
    bool can = second != MAP_FAILED;

    if (can) {
        munmap(second, size);
    } else {
        printf("1..0 # SKIP mremap() makes no second view of memory here\n");
    }
    if (first != MAP_FAILED) {
        munmap(first, size);
    }
    return can;
}
