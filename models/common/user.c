/* SPDX-License-Identifier: GPL-2.0-or-later
 * The caller's address space as a kernel sees it: copies that fail instead of faulting, and the
 * list of mappings. Nothing here knows of VMs.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user.h"
#include "util/fd.h"

enum { CHUNK = 4096 };

/* read() and write() on a pipe report a bad address where a load or store would fault. */
static int copy(uint64_t user, void *own, size_t n, bool from_user)
{
    g_auto(Fd) out = -1;
    g_auto(Fd) in = -1;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0) {
        return -ENOMEM;
    }
    out = fds[0];
    in = fds[1];
    for (size_t done = 0; done < n;) {
        size_t step = MIN(n - done, CHUNK);
        void *there = (void *)(uintptr_t)(user + done);
        void *here = (uint8_t *)own + done;

        if (write(in, from_user ? there : here, step) != (ssize_t)step ||
            read(out, from_user ? here : there, step) != (ssize_t)step) {
            return -EFAULT;
        }
        done += step;
    }
    return 0;
}

int user_copy_from(void *to, uint64_t from, size_t n)
{
    return copy(from, to, n, true);
}

int user_copy_to(uint64_t to, const void *from, size_t n)
{
    return copy(to, (void *)from, n, false);
}

/* Files that live in the page cache alone, by the names the kernel gives them. */
static bool is_swap_backed(const char *path)
{
    return g_str_has_prefix(path, "/memfd:") || g_str_has_prefix(path, "/dev/zero") ||
           g_str_has_prefix(path, "/dev/shm/") || g_str_has_prefix(path, "/SYSV");
}

GArray *user_vmas(void)
{
    g_autofree char *line = NULL;
    size_t room = 0;
    GArray *vmas;
    FILE *maps = fopen("/proc/self/maps", "re");

    if (!maps) {
        return NULL;
    }
    vmas = g_array_new(FALSE, TRUE, sizeof(Vma));
    while (getline(&line, &room, maps) > 0) {
        uint64_t major, minor;
        char perms[5];
        Vma vma = { 0 };
        int path = 0;

        if (sscanf(line,
                   "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %" SCNx64 ":%" SCNx64 " %" SCNu64 " %n",
                   &vma.start, &vma.end, perms, &vma.offset, &major, &minor, &vma.ino,
                   &path) != 7) {
            continue;
        }
        vma.swap_backed = !vma.ino || is_swap_backed(line + path);
        vma.dev = major << 32 | minor;
        vma.prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
                   (perms[2] == 'x' ? PROT_EXEC : 0);
        vma.shared = perms[3] == 's';
        g_array_append_val(vmas, vma);
    }
    fclose(maps);
    return vmas;
}
