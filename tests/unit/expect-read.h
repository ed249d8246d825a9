/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a test reads at the other end of a device's socket or file.
 */
#pragma once

#include <glib.h>
#include <string.h>
#include <unistd.h>

/* Waits for all of it. */
static inline void expect_read(int fd, const char *text)
{
    size_t len = strlen(text), done = 0;
    g_autofree char *buf = g_malloc0(len + 1);

    while (done < len) {
        ssize_t n = read(fd, buf + done, len - done);

        g_assert_cmpint(n, >, 0);
        done += n;
    }
    g_assert_cmpstr(buf, ==, text);
}
