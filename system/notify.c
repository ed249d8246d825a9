/* SPDX-License-Identifier: GPL-2.0-or-later
 * See notify.h.
 */
#include "notify.h"

#include <errno.h>
#include <glib.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "util/fd.h"

void notify_manager(const char *state)
{
    const char *path = g_getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    g_auto(Fd) fd = -1;
    size_t len;

    if (path == NULL || (*path != '/' && *path != '@') || path[1] == '\0') {
        return;
    }
    len = strlen(path);
    if (len >= sizeof(addr.sun_path)) {
        g_warning("NOTIFY_SOCKET: the path is longer than %zu bytes", sizeof(addr.sun_path) - 1);
        return;
    }
    memcpy(addr.sun_path, path, len);
    if (*path == '@') { /* in the abstract name space */
        addr.sun_path[0] = '\0';
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr,
                         offsetof(struct sockaddr_un, sun_path) + len) < 0) {
        g_warning("cannot tell the service manager '%s': %s", state, g_strerror(errno));
    }
}
