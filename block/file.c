/* SPDX-License-Identifier: GPL-2.0-or-later
 * Whole pieces of the files that image formats are made of: headers and maps.
 */
#include <errno.h>
#include <unistd.h>

#include "block-priv.h"

int block_read_at(int fd, uint64_t offset, void *buf, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, (char *)buf + done, len - done, offset + done);

        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n == 0) {
            return -EIO;
        }
        done += MAX(n, 0);
    }
    return 0;
}

int block_write_at(int fd, uint64_t offset, const void *buf, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, (const char *)buf + done, len - done, offset + done);

        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        done += MAX(n, 0);
    }
    return 0;
}
