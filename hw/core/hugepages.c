/* SPDX-License-Identifier: GPL-2.0-or-later
 * Huge pages for guest memory: reserved ones (hugetlbfs and memfd), which must be there, and
 * transparent ones, which are advice. Says in one line what the host lacks and who can give it.
 */
#include "hugepages.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "util/error.h"

#define THP_SHMEM "/sys/kernel/mm/transparent_hugepage/shmem_enabled"

/* Bytes of a reserved huge page of fd's file system; 0: it has none. */
static uint64_t hugepages_size(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize : 0;
}

bool hugepages_check(int fd, uint64_t size, GError **error)
{
    uint64_t page = hugepages_size(fd);

    if (page == 0 || size % page == 0) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                "size is %" G_GUINT64_FORMAT
                " but must be a multiple of the huge page size, %" G_GUINT64_FORMAT,
                size, page);
    return false;
}

void hugepages_explain(int fd, uint64_t size, GError **error)
{
    uint64_t page = hugepages_size(fd);
    g_autofree char *dir =
        g_strdup_printf("/sys/kernel/mm/hugepages/hugepages-%" G_GUINT64_FORMAT "kB", page / 1024);
    g_autofree char *free_path = g_build_filename(dir, "free_hugepages", NULL);
    g_autofree char *free_text = NULL;

    if (page == 0) {
        return;
    }
    g_clear_error(error);
    g_file_get_contents(free_path, &free_text, NULL, NULL);
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                "%" G_GUINT64_FORMAT " huge pages of %" G_GUINT64_FORMAT
                " KiB are needed and %s are free (root gets more by writing to %s/nr_hugepages)",
                size / page, page / 1024, free_text != NULL ? g_strchomp(free_text) : "0", dir);
}

void hugepages_explain_size(uint64_t page, int cause, GError **error)
{
    g_autofree char *size = g_strdup_printf(" of %" G_GUINT64_FORMAT " KiB", page / 1024);

    if (cause != ENODEV && cause != EINVAL && cause != ENOENT && cause != ENOSYS) {
        error_set_errno(error, cause, "hugetlb: cannot create memory");
        return;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                "hugetlb: this host has no huge pages%s (/sys/kernel/mm/hugepages has the sizes "
                "there are)",
                page != 0 ? size : "");
}

bool hugepages_advise(void *host, uint64_t size, GError **error)
{
    g_autofree char *setting = NULL;

    if (madvise(host, size, MADV_HUGEPAGE) != 0) {
        error_set_errno(error, errno, "thp: cannot advise the host%s",
                        errno == EINVAL ? " (this kernel has no transparent huge pages)" : "");
        return false;
    }
    if (g_file_get_contents(THP_SHMEM, &setting, NULL, NULL) &&
        (strstr(setting, "[never]") != NULL || strstr(setting, "[deny]") != NULL)) {
        g_message("thp: the host gives shared memory no huge pages (root can write 'advise' to %s)",
                  THP_SHMEM);
    }
    return true;
}
