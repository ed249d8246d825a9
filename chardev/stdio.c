/* SPDX-License-Identifier: GPL-2.0-or-later
 * The program's own input and output. A terminal is made raw, so that each key reaches the guest
 * as it is typed, and is given back as it was found: on close, at exit, and anew after the user
 * stopped and continued the program. signal=off hands Ctrl-C and its like to the guest too.
 */
#include "chardev-priv.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

static Chardev *user;     /* whoever has the terminal */
static guint size_source; /* of the terminal's size */
static struct termios found, raw;
static volatile sig_atomic_t is_raw;

/* Also at exit and in a signal handler: async-signal-safe. */
static void restore_terminal(void)
{
    if (is_raw) {
        is_raw = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &found);
    }
}

/* The shell that had the terminal meanwhile left it in its own mode. */
static void continued(int signo)
{
    int saved = errno;

    if (is_raw) {
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    errno = saved;
}

static void make_raw(bool with_signals)
{
    static bool registered;
    struct sigaction action = { .sa_handler = continued, .sa_flags = SA_RESTART };

    if (tcgetattr(STDIN_FILENO, &found) < 0) {
        return; /* not a terminal */
    }
    raw = found;
    raw.c_iflag &= ~(BRKINT | ICRNL | IGNBRK | IGNCR | INLCR | ISTRIP | IXON | PARMRK);
    raw.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN);
    raw.c_cflag = (raw.c_cflag & ~(CSIZE | PARENB)) | CS8;
    if (!with_signals) {
        raw.c_lflag &= ~ISIG;
    }
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (!registered) {
        registered = true;
        atexit(restore_terminal);
        sigaction(SIGCONT, &action, NULL);
    }
    is_raw = 1;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

/* A terminal with room for one character says that it is writable, and lets a longer write wait for
 * whoever stopped reading it. Only an open file of our own can be told not to wait. */
static Fd open_output(void)
{
    return isatty(STDOUT_FILENO)
               ? open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
               : -1;
}

static int output_fd(const Chardev *chr)
{
    int own = GPOINTER_TO_INT(chr->state) - 1;

    return own >= 0 ? own : STDOUT_FILENO;
}

static gboolean window_changed(gpointer chr)
{
    chardev_check_size(chr);
    return G_SOURCE_CONTINUE;
}

static bool stdio_open(Chardev *chr, KeyVal *kv, GError **error)
{
    bool with_signals = true;

    if (!keyval_take_bool(kv, "signal", &with_signals, error)) {
        return false;
    }
    if (user != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "stdio is already used by chardev '%s'", user->id);
        return false;
    }
    user = chr;
    chr->state = GINT_TO_POINTER(open_output() + 1);
    make_raw(with_signals);
    size_source = g_unix_signal_add(SIGWINCH, window_changed, chr);
    chr->opened = true;
    chardev_input_start(chr, STDIN_FILENO);
    return true;
}

static int stdio_terminal(const Chardev *chr)
{
    return STDIN_FILENO;
}

static size_t stdio_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    return chardev_fd_write(chr, output_fd(chr), buf, len);
}

static void stdio_close(Chardev *chr)
{
    if (user == chr) {
        Fd own = GPOINTER_TO_INT(chr->state) - 1;

        user = NULL;
        g_source_remove(size_source);
        restore_terminal();
        fd_clear(&own);
    }
}

const ChardevOps chardev_stdio_ops = {
    .name = "stdio",
    .summary = "the program's terminal, or its standard input and output",
    .keys = (const char *const[]){ "signal", NULL },
    .open = stdio_open,
    .write = stdio_write,
    .output_fd = output_fd,
    .close = stdio_close,
    .terminal = stdio_terminal,
};
