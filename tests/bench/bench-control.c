/* SPDX-License-Identifier: GPL-2.0-or-later
 * A client of qtest and QMP that times any emulator which speaks both: from its start to the first
 * reply, round trips, and the transfer of data. scripts/bench runs it on Humpy and on QEMU by
 * turns.
 *
 *     bench-control [--start] PROGRAM ARGUMENT...
 *
 * adds -qtest, -qmp and -display none to the command and prints one "NAME SECONDS" a line (and
 * "resident BYTES"). With --start only these two: a machine without memory has nothing to transfer.
 */
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RAM = 0x40000000, TRIPS = 4000 };

static char *folder;
static pid_t child;

static void G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("bench-control: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    if (child > 0) {
        kill(child, SIGKILL);
    }
    exit(1);
}

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int listen_at(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1) < 0) {
        die("%s: %s", path, g_strerror(errno));
    }
    return fd;
}

/* ---- lines ---- */

static void put(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n <= 0) {
            die("the program does not listen: %s", g_strerror(errno));
        }
        text += n;
        len -= (size_t)n;
    }
}

/* The next line has been read; its length. */
static size_t skip_line(int fd)
{
    static char buf[1 << 20];
    size_t len = 0;

    for (;;) {
        ssize_t n = read(fd, buf, sizeof(buf));

        if (n <= 0) {
            die("the program closed its end");
        }
        len += (size_t)n;
        if (buf[n - 1] == '\n') {
            return len;
        }
    }
}

static double trips(int fd, const char *line, size_t len, unsigned n)
{
    double began;

    put(fd, line, len);
    skip_line(fd);
    began = now();
    for (unsigned i = 0; i < n; i++) {
        put(fd, line, len);
        skip_line(fd);
    }
    return (now() - began) / n;
}

static void transfers(int fd, size_t size, const char *name)
{
    g_autofree char *bytes = g_malloc0(size);
    g_autofree char *b64 = g_base64_encode((guchar *)bytes, size);
    g_autofree char *zeroes = g_strnfill(2 * size, '0');
    g_autofree char *hex = g_strdup_printf("write 0x%x 0x%zx 0x%s\n", RAM, size, zeroes);
    g_autofree char *base64 = g_strdup_printf("b64write 0x%x 0x%zx %s\n", RAM, size, b64);
    g_autofree char *get = g_strdup_printf("read 0x%x 0x%zx\n", RAM, size);
    g_autofree char *get64 = g_strdup_printf("b64read 0x%x 0x%zx\n", RAM, size);
    unsigned n = size > 100000 ? 10 : 100;

    printf("write-%s %.9f\n", name, trips(fd, hex, strlen(hex), n));
    printf("read-%s %.9f\n", name, trips(fd, get, strlen(get), n));
    printf("b64write-%s %.9f\n", name, trips(fd, base64, strlen(base64), n));
    printf("b64read-%s %.9f\n", name, trips(fd, get64, strlen(get64), n));
}

/* ---- the program ---- */

static long resident(void)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", child);
    g_autofree char *text = NULL;
    const char *at;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return 0;
    }
    at = strstr(text, "VmRSS:");
    return at ? strtol(at + strlen("VmRSS:"), NULL, 10) * 1024 : 0;
}

static void start(char **argv, const char *qtest, const char *qmp)
{
    g_autoptr(GPtrArray) args = g_ptr_array_new();

    for (; *argv; argv++) {
        g_ptr_array_add(args, *argv);
    }
    g_ptr_array_add(args, (char *)"-display");
    g_ptr_array_add(args, (char *)"none");
    g_ptr_array_add(args, (char *)"-qtest");
    g_ptr_array_add(args, g_strconcat("unix:", qtest, NULL));
    g_ptr_array_add(args, (char *)"-qtest-log");
    g_ptr_array_add(args, (char *)"none");
    g_ptr_array_add(args, (char *)"-qmp");
    g_ptr_array_add(args, g_strconcat("unix:", qmp, NULL));
    g_ptr_array_add(args, NULL);
    child = fork();
    if (child == 0) {
        execv(args->pdata[0], (char **)args->pdata);
        _exit(127);
    }
}

static int take(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0) {
        die("accept: %s", g_strerror(errno));
    }
    return fd;
}

int main(int argc, char **argv)
{
    static const char enable[] = "{\"execute\": \"qmp_capabilities\"}\n";
    static const char status[] = "{\"execute\": \"query-status\"}\n";
    static const char readl[] = "readl 0x40000000\n";
    g_autofree char *qtest = NULL, *qmp = NULL;
    int qtest_listener, qmp_listener, fd, control, ended;
    bool start_only = argc > 1 && g_str_equal(argv[1], "--start");
    double began;

    argc -= start_only;
    argv += start_only;
    if (argc < 2) {
        die("the program to measure is missing");
    }
    alarm(120);
    folder = g_dir_make_tmp("humpy-bench-XXXXXX", NULL);
    qtest = g_build_filename(folder, "qtest", NULL);
    qmp = g_build_filename(folder, "qmp", NULL);
    qtest_listener = listen_at(qtest);
    qmp_listener = listen_at(qmp);
    began = now();
    start(argv + 1, qtest, qmp);
    /* Either may be connected first; both wait in their queues. */
    control = take(qmp_listener);
    fd = take(qtest_listener);
    skip_line(control);
    put(control, enable, strlen(enable));
    skip_line(control);
    printf("first-reply %.9f\n", now() - began);
    printf("resident %ld\n", resident());
    if (start_only) {
        goto out;
    }
    printf("query-status %.9f\n", trips(control, status, strlen(status), TRIPS));
    printf("readl %.9f\n", trips(fd, readl, strlen(readl), TRIPS));
    transfers(fd, 64 << 10, "64k");
    transfers(fd, 1 << 20, "1m");
out:
    kill(child, SIGTERM);
    waitpid(child, &ended, 0);
    g_unlink(qtest);
    g_unlink(qmp);
    g_rmdir(folder);
    return 0;
}
