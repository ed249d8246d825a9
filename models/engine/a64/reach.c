/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where translated code may lie. Dynarmic decides from the end of a call whether it is a near one
 * (up to 2 GiB), its assembler measures from the beginning: where these disagree, it throws
 * through translated code, which ends the process. So no code is kept where one of the functions
 * that it calls is just 2 GiB away; that such code calls one there is a matter of a few bytes.
 */
#include "a64.h"

#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_ZONES = 8,
    MAX_TRIES = 8, /* more than zones: each is elsewhere, for those before it are still there */
    MARGIN = 64,
};

static const uint64_t NEAR = UINT64_C(1) << 31;

typedef struct {
    uint64_t start, end;
} Range;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Range zones[MAX_ZONES]; /* code here is 2 GiB before or behind a function */
static unsigned n_zones;

static void add_zone(uint64_t start, uint64_t end, uint64_t distance)
{
    if (n_zones < MAX_ZONES) {
        zones[n_zones++] = (Range){ start + distance - MARGIN, end + distance + MARGIN };
    }
}

/* Translated code calls dynarmic and what dynarmic was given, our module. */
static int add_library(struct dl_phdr_info *info, size_t size, void *unused)
{
    if (!strstr(info->dlpi_name, "/libdynarmic.") && !strstr(info->dlpi_name, JIT_MODULE)) {
        return 0;
    }
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + ph->p_vaddr, end = start + ph->p_memsz;

        if (ph->p_type == PT_LOAD && ph->p_flags & PF_X) {
            add_zone(start, end, NEAR);
            add_zone(start, end, -NEAR);
        }
    }
    return 0;
}

static uint64_t overlap(const Range *a, const Range *b)
{
    uint64_t start = MAX(a->start, b->start), end = MIN(a->end, b->end);

    return start < end ? end - start : 0;
}

/* Bytes that are writable and executable, as only JITs' caches are, in a zone. */
static uint64_t misplaced(void)
{
    g_autofree char *maps = NULL;
    uint64_t bytes = 0;
    Range map;

    g_file_get_contents("/proc/self/maps", &maps, NULL, NULL);
    for (const char *line = maps; line && *line; line = strchr(line, '\n') + 1) {
        char rights[5];

        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &map.start, &map.end, rights) != 3) {
            continue;
        }
        for (unsigned i = 0; !strncmp(rights, "rwx", 3) && i < n_zones; i++) {
            bytes += overlap(&map, &zones[i]);
        }
    }
    return bytes;
}

A64Jit *reach_new_jit(const A64JitOps *ops, A64Vcpu *v, A64Mode mode)
{
    A64Jit *unlucky[MAX_TRIES], *j;
    unsigned n = 0;
    uint64_t before, now;

    pthread_mutex_lock(&lock);
    if (n_zones == 0) {
        dl_iterate_phdr(add_library, NULL);
    }
    for (before = misplaced(); (j = ops->new_jit(v, mode)) != NULL; before = now) {
        now = misplaced();
        if (now == before) {
            break;
        }
        if (n == MAX_TRIES) {
            ops->free_jit(j);
            j = NULL;
            break;
        }
        unlucky[n++] = j;
    }
    while (n > 0) {
        ops->free_jit(unlucky[--n]);
    }
    pthread_mutex_unlock(&lock);
    return j;
}
