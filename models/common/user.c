/* SPDX-License-Identifier: GPL-2.0-or-later
 * The caller's address space as a kernel sees it: copies that fail instead of faulting, and the
 * list of mappings. Nothing here knows of VMs.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "user.h"
#include "util/fd.h"

/* The kernel's own copy between processes, used within this one, reports a bad address where a load
 * or store would fault. */
static int result(ssize_t copied, size_t n)
{
    return copied == (ssize_t)n ? 0 : -EFAULT;
}

/* The same through a pipe, for a kernel without that copy (CONFIG_CROSS_MEMORY_ATTACH): its reads
 * and writes report a bad address as well. */
static int copy_through_pipe(void *to, const void *from, size_t n)
{
    g_auto(Fd) out = -1;
    g_auto(Fd) in = -1;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return -errno;
    }
    out = ends[0];
    in = ends[1];
    for (size_t done = 0, piece; done < n; done += piece) {
        piece = MIN(n - done, PIPE_BUF); /* all at once or not at all */
        if (write(in, (const char *)from + done, piece) != (ssize_t)piece ||
            read(out, (char *)to + done, piece) != (ssize_t)piece) {
            return -EFAULT;
        }
    }
    return 0;
}

int user_copy_from(void *to, uint64_t from, size_t n)
{
    struct iovec here = { to, n }, there = { (void *)(uintptr_t)from, n };
    ssize_t copied = process_vm_readv(getpid(), &here, 1, &there, 1, 0);

    return copied < 0 && errno == ENOSYS ? copy_through_pipe(to, there.iov_base, n)
                                         : result(copied, n);
}

int user_copy_to(uint64_t to, const void *from, size_t n)
{
    struct iovec here = { (void *)from, n }, there = { (void *)(uintptr_t)to, n };
    ssize_t copied = process_vm_writev(getpid(), &here, 1, &there, 1, 0);

    return copied < 0 && errno == ENOSYS ? copy_through_pipe(there.iov_base, from, n)
                                         : result(copied, n);
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
