/* SPDX-License-Identifier: GPL-2.0-or-later
 * Forking into the background and the file with the process's number.
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

static Fd ready_pipe = -1; /* towards the process that waits */
static Fd pid_fd = -1;
static char *pid_path;

/* ---- -daemonize ---- */

/* The process that was started: ends as the other one does, or when it is ready. */
static void wait_for_child(pid_t child, int fd)
{
    char byte;
    ssize_t n;
    int status = 0;

    do {
        n = read(fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 1) {
        _exit(EXIT_SUCCESS);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

bool daemon_fork(const VmConfig *config, GError **error)
{
    int fds[2];
    pid_t child;

    if (!config->daemonize) {
        return true;
    }
    if (pipe2(fds, O_CLOEXEC) < 0) {
        error_set_errno(error, errno, "-daemonize: cannot make a pipe");
        return false;
    }
    child = fork();
    if (child < 0) {
        error_set_errno(error, errno, "-daemonize: cannot fork");
        close(fds[0]);
        close(fds[1]);
        return false;
    }
    if (child > 0) {
        close(fds[1]);
        wait_for_child(child, fds[0]);
    }
    close(fds[0]);
    ready_pipe = fds[1];
    setsid();
    return true;
}

void daemon_ready(void)
{
    int null;

    if (ready_pipe < 0) {
        return;
    }
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= 2; fd++) {
        dup2(null, fd);
    }
    if (null > 2) {
        close(null);
    }
    if (write(ready_pipe, "", 1) != 1) {
        g_debug("nobody waits for the background process");
    }
    fd_clear(&ready_pipe);
}

/* ---- -pidfile ---- */

/* TRUE: fd is still what path leads to, and not what another process has removed meanwhile. */
static bool is_current(int fd, const char *path)
{
    struct stat open_file, named;

    return fstat(fd, &open_file) == 0 && stat(path, &named) == 0 &&
           open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

static int open_locked(const char *path, GError **error)
{
    while (true) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        g_auto(Fd) fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);

        if (fd < 0) {
            error_set_errno(error, errno, "-pidfile %s: cannot open it", path);
            return -1;
        }
        if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
            error_set_errno(error, errno, "-pidfile %s: another process has it", path);
            return -1;
        }
        if (is_current(fd, path)) {
            return fd_steal(&fd);
        }
    }
}

bool daemon_write_pidfile(const VmConfig *config, GError **error)
{
    g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());
    size_t len = strlen(text);

    if (config->pidfile == NULL) {
        return true;
    }
    pid_fd = open_locked(config->pidfile, error);
    if (pid_fd < 0) {
        return false;
    }
    if (ftruncate(pid_fd, 0) < 0 || write(pid_fd, text, len) != (ssize_t)len) {
        error_set_errno(error, errno, "-pidfile %s: cannot write to it", config->pidfile);
        return false;
    }
    pid_path = g_canonicalize_filename(config->pidfile, NULL);
    return true;
}

void daemon_finish(void)
{
    if (pid_path != NULL) {
        unlink(pid_path);
        g_clear_pointer(&pid_path, g_free);
    }
    fd_clear(&pid_fd);
}
