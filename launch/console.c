/* SPDX-License-Identifier: GPL-2.0-or-later
 * 'vm console': the terminal and a VM's console socket, one connected to the other.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "place.h"
#include "qmp.h"
#include "util/error.h"
#include "util/fd.h"
#include "verbs.h"

enum { LEAVE_KEY = 0x1d /* Ctrl-] */, PATIENCE_MS = 5000 };

static struct termios saved;
static bool is_raw;

static void restore_terminal(void)
{
    if (is_raw) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
        is_raw = false;
    }
}

static void end_by_signal(int number)
{
    restore_terminal();
    signal(number, SIG_DFL);
    raise(number);
}

static void make_raw(void)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &saved) != 0) {
        return; /* no terminal: a script */
    }
    raw = saved;
    cfmakeraw(&raw);
    is_raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    signal(SIGTERM, end_by_signal);
    signal(SIGHUP, end_by_signal);
}

static int connect_console(const Place *p, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_auto(Fd) fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, p->console, sizeof(address.sun_path));
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        error_set_errno(error, errno, "cannot connect to '%s'", p->console);
        return -1;
    }
    return fd_steal(&fd);
}

static bool write_all(int fd, const char *buf, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, buf + done, len - done);

        if (n < 0 && errno == EAGAIN) {
            struct pollfd pfd = { .fd = fd, .events = POLLOUT };

            poll(&pfd, 1, -1);
            continue;
        }
        if (n < 0 && errno != EINTR) {
            return false;
        }
        done += MAX(n, 0);
    }
    return true;
}

typedef enum { GOES_ON, INPUT_ENDED, LEFT, VM_GONE } State;

static State from_user(int fd)
{
    char buf[4096];
    ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
    char *leave;

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return GOES_ON;
    }
    if (n <= 0) {
        return INPUT_ENDED;
    }
    leave = is_raw ? memchr(buf, LEAVE_KEY, n) : NULL;
    if (!write_all(fd, buf, leave != NULL ? leave - buf : n)) {
        return VM_GONE;
    }
    return leave != NULL ? LEFT : GOES_ON;
}

static State from_vm(int fd)
{
    char buf[4096];
    ssize_t n = read(fd, buf, sizeof(buf));

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return GOES_ON;
    }
    if (n <= 0) {
        return VM_GONE;
    }
    return write_all(STDOUT_FILENO, buf, n) ? GOES_ON : LEFT;
}

/* Until the VM ends or the user leaves. A script's input may end before that. */
static State converse(int fd)
{
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
                            { .fd = STDIN_FILENO, .events = POLLIN } };
    State state = GOES_ON;

    while (state == GOES_ON) {
        if (poll(fds, G_N_ELEMENTS(fds), -1) < 0) {
            continue;
        }
        if (fds[0].revents != 0) {
            state = from_vm(fd);
        }
        if (state == GOES_ON && fds[1].revents != 0) {
            state = from_user(fd);
            if (state == INPUT_ENDED) {
                fds[1].fd = -1;
                state = GOES_ON;
            }
        }
    }
    return state;
}

/* The VM talks to one at a time; it does not tell the next one to wait. */
static bool is_taken(const Place *p)
{
    g_autoptr(Qmp) qmp = qmp_open(p->qmp, PATIENCE_MS, NULL);
    g_autoptr(JsonNode) node = qmp != NULL ? qmp_run(qmp, "query-chardev", NULL) : NULL;
    JsonArray *all = node != NULL && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

    for (unsigned i = 0; all != NULL && i < json_array_get_length(all); i++) {
        JsonObject *one = json_array_get_object_element(all, i);

        if (strcmp(json_object_get_string_member_with_default(one, "label", ""), "socket") == 0) {
            return !g_str_has_prefix(
                json_object_get_string_member_with_default(one, "filename", "disconnected:"),
                "disconnected:");
        }
    }
    return false;
}

int run_console(Request *r, GError **error)
{
    g_autoptr(Place) p = place_find(g_ptr_array_index(r->words, 0), error);
    bool taken = p != NULL && is_taken(p);
    g_auto(Fd) fd = p != NULL ? connect_console(p, error) : -1;
    State state;

    if (fd < 0) {
        return -1;
    }
    signal(SIGPIPE, SIG_IGN);
    if (isatty(STDIN_FILENO)) {
        fprintf(stderr, "Console of '%s'. Ctrl-] leaves it.\n", p->name);
    }
    if (taken) {
        g_message("somebody else is at this console; it comes here when they leave");
    }
    make_raw();
    state = converse(fd);
    restore_terminal();
    if (isatty(STDIN_FILENO)) {
        fprintf(stderr, "\n%s\n", state == VM_GONE ? "The VM has ended." : "The VM goes on.");
    }
    return 0;
}
