/* SPDX-License-Identifier: GPL-2.0-or-later
 * 'vm stop': the power button, then the monitor's quit, then SIGKILL, each given some time.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "place.h"
#include "qmp.h"
#include "util/error.h"
#include "util/fd.h"
#include "verbs.h"

enum { DEFAULT_TIMEOUT = 20, PATIENCE_MS = 3000 };

/* A descriptor of the VM's process, for which its number cannot be another's meanwhile: the lock
 * is still held after it was opened. */
static int open_process(const Place *p, pid_t *pid)
{
    g_auto(Fd) fd = -1;

    *pid = place_pid(p);
    fd = *pid > 0 ? (int)syscall(SYS_pidfd_open, *pid, 0) : -1;
    return fd >= 0 && place_is_alive(p) && place_pid(p) == *pid ? fd_steal(&fd) : -1;
}

static bool wait_for_end(int process, int timeout_ms)
{
    struct pollfd pfd = { .fd = process, .events = POLLIN };
    gint64 end = g_get_monotonic_time() + timeout_ms * (gint64)1000;
    int n;

    do {
        n = poll(&pfd, 1, MAX((end - g_get_monotonic_time()) / 1000, 0));
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

static void ask(const Place *p, const char *command)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(Qmp) qmp = qmp_open(p->qmp, PATIENCE_MS, &cause);
    g_autoptr(JsonNode) node = qmp != NULL ? qmp_run(qmp, command, &cause) : NULL;

    if (node == NULL) {
        g_message("%s", cause->message);
    }
}

int run_stop(Request *r, GError **error)
{
    g_autoptr(Place) p = place_find(g_ptr_array_index(r->words, 0), error);
    unsigned seconds = r->timeout != 0 ? r->timeout : DEFAULT_TIMEOUT;
    g_auto(Fd) process = -1;
    pid_t pid;

    if (p == NULL) {
        return -1;
    }
    process = open_process(p, &pid);
    if (process < 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "VM '%s' is just starting or just ending: its process is not known", p->name);
        return -1;
    }
    if (!r->force) {
        ask(p, "system_powerdown");
        if (wait_for_end(process, seconds * 1000)) {
            return 0;
        }
        g_message("the guest has not shut down within %u seconds, it is ended now", seconds);
    }
    ask(p, "quit");
    if (wait_for_end(process, PATIENCE_MS)) {
        return 0;
    }
    g_message("process %d does not end by itself, it is killed", (int)pid);
    syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0);
    if (!wait_for_end(process, PATIENCE_MS)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "process %d does not even end by SIGKILL (the host's kernel holds it)",
                    (int)pid);
        return -1;
    }
    return 0;
}
