/* SPDX-License-Identifier: GPL-2.0-or-later
 * Starts qemu-nbd for one image, connected to us and to nobody else (systemd's socket activation,
 * sd_listen_fds(3)). Nothing of it can outlive us, killed at whatever moment: the socket has no
 * name in any file system, and our connection waits in it before the server is started, which ends
 * when the connection does. What libnbd has for this needs a directory and knows the server before
 * it is connected. What qemu-nbd says goes into the error.
 */
#include "nbd-serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "util/error.h"

enum { LISTEN_FD = 3, SAID_MAX = 16 << 10, ATTEMPTS = 100 };

/* ---- the socket ---- */

/* Linux's abstract addresses: a zero, then a name that is free and nobody can guess. */
static socklen_t make_address(struct sockaddr_un *address)
{
    uint8_t random[16];
    socklen_t len = offsetof(struct sockaddr_un, sun_path) + 1;

    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        return 0;
    }
    for (unsigned i = 0; i < sizeof(random); i++) {
        g_snprintf(address->sun_path + 1 + 2 * i, 3, "%02x", random[i]);
    }
    return len + 2 * sizeof(random);
}

/* Any process of this machine could connect to it. With a backlog of 0 one connection waits: it is
 * ours, or another was quicker and ours is refused. FALSE with EAGAIN: that. */
static bool make_pair(Fd *listener, Fd *connection)
{
    struct sockaddr_un address;
    socklen_t len = make_address(&address);

    *listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return len != 0 && *listener >= 0 && *connection >= 0 &&
           bind(*listener, (struct sockaddr *)&address, len) == 0 && listen(*listener, 0) == 0 &&
           connect(*connection, (struct sockaddr *)&address, len) == 0;
}

static bool make_sockets(Fd *listener, Fd *connection, GError **error)
{
    bool ok = false;

    for (unsigned i = 0; !ok && i < ATTEMPTS; i++) {
        fd_clear(listener);
        fd_clear(connection);
        ok = make_pair(listener, connection);
        if (!ok && errno != EAGAIN && errno != EADDRINUSE) {
            break;
        }
    }
    if (!ok) {
        error_set_errno(error, errno, "cannot make a socket for qemu-nbd");
    }
    return ok;
}

/* ---- the process ---- */

/* The environment with sd_listen_fds(3)'s words; *pid_digits is where the child writes its own. */
static char **make_environment(char **pid_digits)
{
    char **env = g_get_environ();
    char **last;

    env = g_environ_setenv(env, "LISTEN_FDS", "1", TRUE);
    env = g_environ_unsetenv(env, "LISTEN_FDNAMES");
    env = g_environ_setenv(env, "LISTEN_PID", "00000000000", TRUE);
    for (last = env; !g_str_has_prefix(*last, "LISTEN_PID="); last++) {
    }
    *pid_digits = strchr(*last, '=') + 1;
    return env;
}

/* After fork(): nothing but what signal handlers may call. */
static void run_child(const char *program, char **argv, char **env, char *pid_digits, pid_t parent,
                      int listener, int said)
{
    sigset_t none;
    char *end = pid_digits + strlen(pid_digits);

    for (unsigned pid = getpid(); end > pid_digits; pid /= 10) {
        *--end = '0' + pid % 10;
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (listener == LISTEN_FD) {
        fcntl(LISTEN_FD, F_SETFD, 0);
    }
    /* qemu-nbd forgets a SIGTERM that comes before it serves. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
        dup2(said, STDERR_FILENO) >= 0 &&
        (listener == LISTEN_FD || dup2(listener, LISTEN_FD) >= 0)) {
        execve(program, argv, env);
    }
    _exit(127);
}

/* A file for what the server says, of bounded size however much that is. */
static int open_said(GError **error)
{
    g_auto(Fd) fd = memfd_create("qemu-nbd", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, SAID_MAX) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) < 0) {
        error_set_errno(error, errno, "cannot make a file for qemu-nbd's messages");
        return -1;
    }
    return fd_steal(&fd);
}

bool nbd_server_start(NbdServer *s, char **argv, GError **error)
{
    g_autofree char *program = g_find_program_in_path(argv[0]);
    g_auto(GStrv) env = NULL;
    g_auto(Fd) listener = -1;
    const pid_t self = getpid();
    char *pid_digits;

    *s = (NbdServer){ .connection = -1, .said = -1 };
    if (program == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "'%s' is not in any directory of PATH",
                    argv[0]);
        return false;
    }
    env = make_environment(&pid_digits);
    s->said = open_said(error);
    if (s->said < 0 || !make_sockets(&listener, &s->connection, error)) {
        nbd_server_stop(s);
        return false;
    }
    s->pid = fork();
    if (s->pid == 0) {
        run_child(program, argv, env, pid_digits, self, listener, s->said);
    }
    if (s->pid < 0) {
        s->pid = 0;
        error_set_errno(error, errno, "cannot start '%s'", program);
        nbd_server_stop(s);
        return false;
    }
    return true;
}

int nbd_server_take_connection(NbdServer *s)
{
    return fd_steal(&s->connection);
}

static char *read_said(const NbdServer *s)
{
    g_autofree char *text = g_malloc0(SAID_MAX + 1);
    g_auto(GStrv) lines = NULL;
    const char *line = "";
    ssize_t n = pread(s->said, text, SAID_MAX, 0);

    lines = g_strsplit(n > 0 ? text : "", "\n", -1);
    for (unsigned i = 0; lines[i] != NULL; i++) {
        line = lines[i][0] != '\0' ? lines[i] : line;
    }
    return g_strdup(g_str_has_prefix(line, "qemu-nbd: ") ? line + 10 : line);
}

static void end(NbdServer *s, int signal)
{
    fd_clear(&s->connection);
    if (s->pid > 0) {
        kill(s->pid, signal);
        while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        s->pid = 0;
    }
}

/* It has ended by itself, or never served: there is nothing for it to put away. */
char *nbd_server_explain(NbdServer *s)
{
    char *said;

    end(s, SIGKILL);
    said = read_said(s);
    fd_clear(&s->said);
    return said;
}

void nbd_server_stop(NbdServer *s)
{
    end(s, SIGTERM);
    fd_clear(&s->said);
}
