/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the kernel's driver of a hypervisor says in the kernel's log: an errno does not tell which
 * step of many failed, the log does. /dev/kmsg is read by root only (kernel.dmesg_restrict);
 * everybody else gets NULL and the advice to have a look.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "hostdev-priv.h"

enum {
    MAX_RECORD = 8192, /* of /dev/kmsg; a longer one is EINVAL */
    MAX_RECORDS = 10000,
};

static int kmsg = -1;

void hostdev_kernel_log_follow(void)
{
    if (kmsg < 0) {
        kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    }
    if (kmsg >= 0) {
        lseek(kmsg, 0, SEEK_END);
    }
}

char *hostdev_kernel_log_message(const char *record)
{
    static const char *const drivers[] = { "gunyah", "gh_", "acrn" };
    const char *text = strchr(record, ';');
    size_t len;

    if (text == NULL) {
        return NULL;
    }
    len = strcspn(++text, "\n");
    for (unsigned i = 0; i < G_N_ELEMENTS(drivers); i++) {
        if (g_strstr_len(text, len, drivers[i]) != NULL) {
            return g_strndup(text, len);
        }
    }
    return NULL;
}

char *hostdev_kernel_log_newest(void)
{
    char record[MAX_RECORD + 1];
    char *newest = NULL;

    for (unsigned i = 0; kmsg >= 0 && i < MAX_RECORDS; i++) {
        ssize_t n = read(kmsg, record, MAX_RECORD);
        char *message;

        if (n < 0 && (errno == EPIPE || errno == EINTR)) {
            continue; /* EPIPE: the oldest records were overwritten meanwhile */
        }
        if (n <= 0) {
            break;
        }
        record[n] = '\0';
        message = hostdev_kernel_log_message(record);
        if (message != NULL) {
            g_free(newest);
            newest = message;
        }
    }
    return newest;
}
