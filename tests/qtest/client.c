/* SPDX-License-Identifier: GPL-2.0-or-later
 * See client.h: process, sockets, lines of the protocol, QMP.
 */
#include "client.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_IRQS = 256, VIRT_RAM = 0x40000000 };

typedef struct {
    int fd;
    GString *in;
    size_t taken; /* of in */
} Line;

struct QTest {
    GPid pid;
    char *dir;
    Line qtest, qmp;
    GQueue events; /* of JsonObject, not yet asked for */
    bool irqs[MAX_IRQS];
    uint8_t *ram; /* shared, or NULL */
    size_t ram_size;
};

/* ---- sockets ---- */

static int listen_at(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpuint(strlen(path), <, sizeof(addr.sun_path));
    strcpy(addr.sun_path, path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    return fd;
}

static void set_patience(int fd)
{
    struct timeval patience = { CLIENT_PATIENCE_S, 0 };

    g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), ==, 0);
}

static void accept_into(Line *line, int listener, const char *who)
{
    set_patience(listener);
    line->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (line->fd < 0) {
        g_error("the program did not connect for %s: %s", who, g_strerror(errno));
    }
    set_patience(line->fd);
    line->in = g_string_new(NULL);
    close(listener);
}

/* The next line without its end. */
static char *take_line(Line *line)
{
    size_t seen = line->taken;

    while (true) {
        char *end = memchr(line->in->str + seen, '\n', line->in->len - seen);
        char buf[65536];
        ssize_t n;

        if (end != NULL) {
            char *text =
                g_strndup(line->in->str + line->taken, end - (line->in->str + line->taken));

            line->taken = end + 1 - line->in->str;
            if (line->taken == line->in->len) {
                g_string_set_size(line->in, 0);
                line->taken = 0;
            }
            return text;
        }
        seen = line->in->len;
        n = recv(line->fd, buf, sizeof(buf), 0);
        if (n <= 0) {
            g_error("no answer from the program: %s", n == 0 ? "it closed" : g_strerror(errno));
        }
        g_string_append_len(line->in, buf, n);
    }
}

static void send_all(Line *line, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(line->fd, text, len, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR) {
            g_error("the program does not listen: %s", g_strerror(errno));
        }
        text += MAX(n, 0);
        len -= MAX(n, 0);
    }
}

/* ---- the process ---- */

static void in_child(gpointer data)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

QTest *qtest_start(const char *options)
{
    const char *binary = g_getenv("HUMPY");
    QTest *q = g_new0(QTest, 1);
    g_autofree char *qtest_path = NULL, *qmp_path = NULL, *command = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) argv = NULL;
    g_autofree char *greeting = NULL;
    int qtest_listener, qmp_listener;

    g_assert_nonnull(binary);
    q->dir = g_dir_make_tmp("humpy-qtest-XXXXXX", &error);
    g_assert_no_error(error);
    qtest_path = g_build_filename(q->dir, "qtest", NULL);
    qmp_path = g_build_filename(q->dir, "qmp", NULL);
    qtest_listener = listen_at(qtest_path);
    qmp_listener = listen_at(qmp_path);
    command = g_strdup_printf("%s -qtest unix:%s -qtest-log none -chardev socket,path=%s,id=qmp "
                              "-mon chardev=qmp,mode=control -display none %s -accel qtest",
                              binary, qtest_path, qmp_path, options);
    if (!g_shell_parse_argv(command, NULL, &argv, &error) ||
        !g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, in_child, NULL, &q->pid,
                       &error)) {
        g_error("%s: %s", command, error->message);
    }
    accept_into(&q->qtest, qtest_listener, "-qtest");
    accept_into(&q->qmp, qmp_listener, "-mon");
    unlink(qtest_path);
    unlink(qmp_path);
    greeting = take_line(&q->qmp);
    g_assert_true(g_str_has_prefix(greeting, "{\"QMP\""));
    qtest_qmp_ok(q, "{'execute': 'qmp_capabilities'}");
    return q;
}

QTest *qtest_startf(const char *format, ...)
{
    g_autofree char *options = NULL;
    va_list ap;

    va_start(ap, format);
    options = g_strdup_vprintf(format, ap);
    va_end(ap);
    return qtest_start(options);
}

QTest *qtest_start_shared(unsigned mib, const char *options)
{
    g_autofree char *path = g_strdup("/dev/shm/humpy-qtest-XXXXXX");
    size_t size = (size_t)mib << 20;
    int fd = g_mkstemp(path);
    uint8_t *ram;
    QTest *q;

    if (fd < 0 || ftruncate(fd, size) < 0) {
        g_error("%s: cannot make the guest's memory", path);
    }
    ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert_true(ram != MAP_FAILED);
    close(fd);
    q = qtest_startf("-machine virt,memory-backend=ram -m %u -nodefaults "
                     "-object memory-backend-file,id=ram,size=%uM,mem-path=%s,share=on %s",
                     mib, mib, path, options);
    unlink(path);
    q->ram = ram;
    q->ram_size = size;
    return q;
}

GPid qtest_pid(QTest *q)
{
    return q->pid;
}

const char *qtest_dir(QTest *q)
{
    return q->dir;
}

void qtest_end(QTest *q)
{
    int status;

    kill(q->pid, SIGTERM);
    g_assert_cmpint(waitpid(q->pid, &status, 0), ==, q->pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        g_error("the program ended with %s %d", WIFEXITED(status) ? "exit status" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
    close(q->qtest.fd);
    close(q->qmp.fd);
    g_string_free(q->qtest.in, TRUE);
    g_string_free(q->qmp.in, TRUE);
    g_queue_clear_full(&q->events, (GDestroyNotify)json_object_unref);
    if (q->ram != NULL) {
        munmap(q->ram, q->ram_size);
    }
    g_rmdir(q->dir);
    g_free(q->dir);
    g_free(q);
}

/* ---- the protocol ---- */

void qtest_send_raw(QTest *q, const void *bytes, size_t len)
{
    send_all(&q->qtest, bytes, len);
}

static bool note_irq(QTest *q, const char *line)
{
    char *end;
    bool raise = g_str_has_prefix(line, "IRQ raise ");
    guint64 n;

    if (!raise && !g_str_has_prefix(line, "IRQ lower ")) {
        return false;
    }
    n = g_ascii_strtoull(line + strlen("IRQ raise "), &end, 10);
    g_assert_true(*end == '\0' && n < MAX_IRQS);
    g_assert_true(q->irqs[n] != raise); /* only changes are told */
    q->irqs[n] = raise;
    return true;
}

char *qtest_next_line(QTest *q)
{
    while (true) {
        char *line = take_line(&q->qtest);

        if (!note_irq(q, line)) {
            return line;
        }
        g_free(line);
    }
}

static char *ask_va(QTest *q, const char *format, va_list ap)
{
    g_autofree char *line = g_strdup_vprintf(format, ap);
    g_autofree char *whole = g_strconcat(line, "\n", NULL);

    send_all(&q->qtest, whole, strlen(whole));
    return qtest_next_line(q);
}

char *qtest_ask(QTest *q, const char *format, ...)
{
    va_list ap;
    char *reply;

    va_start(ap, format);
    reply = ask_va(q, format, ap);
    va_end(ap);
    return reply;
}

char *qtest_ok(QTest *q, const char *format, ...)
{
    g_autofree char *reply = NULL;
    va_list ap;

    va_start(ap, format);
    reply = ask_va(q, format, ap);
    va_end(ap);
    if (strcmp(reply, "OK") == 0) {
        return g_strdup("");
    }
    if (!g_str_has_prefix(reply, "OK ")) {
        g_error("'%s' was answered with '%s'", format, reply);
    }
    return g_strdup(reply + 3);
}

static char letter_of(unsigned size)
{
    return size == 1 ? 'b' : size == 2 ? 'w' : size == 4 ? 'l' : 'q';
}

const QTestBoard *qtest_board(void)
{
    static const QTestBoard virt = {
        .machine = "virt",
        .memory = 0x42000000,
        .mmio_last = 0x0a003e00,
        .ecam = UINT64_C(0x4010000000),
        .pci_memory = 0x10000000,
        .pci_ports = 0x3eff0000,
    };
    static const QTestBoard microvm = {
        .machine = "microvm",
        .memory = 0x2000000,
        .mmio_last = 0xfeb00e00,
        .ecam = 0xe0000000,
        .pci_memory = 0xc0000000,
        .pci_ports = QTEST_PORTS | 0x8000,
    };
    const char *binary = g_getenv("HUMPY");

    return binary != NULL && g_str_has_suffix(binary, "x86_64") ? &microvm : &virt;
}

/* Shared RAM, or NULL. */
static void *shared(QTest *q, uint64_t addr, size_t len)
{
    bool inside = q->ram != NULL && addr >= VIRT_RAM && addr - VIRT_RAM < q->ram_size &&
                  len <= q->ram_size - (addr - VIRT_RAM);

    return inside ? q->ram + (addr - VIRT_RAM) : NULL;
}

uint64_t qtest_read_value(QTest *q, uint64_t addr, unsigned size)
{
    g_autofree char *text = NULL;
    void *ram = shared(q, addr, size);

    if (ram != NULL) {
        return size == 1   ? *(uint8_t *)ram
               : size == 2 ? GUINT16_FROM_LE(__atomic_load_n((uint16_t *)ram, __ATOMIC_SEQ_CST))
               : size == 4 ? GUINT32_FROM_LE(__atomic_load_n((uint32_t *)ram, __ATOMIC_SEQ_CST))
                           : GUINT64_FROM_LE(__atomic_load_n((uint64_t *)ram, __ATOMIC_SEQ_CST));
    }
    if (addr & QTEST_PORTS) {
        text = qtest_ok(q, "in%c 0x%x", letter_of(size), (unsigned)addr);
    } else {
        text = qtest_ok(q, "read%c 0x%" G_GINT64_MODIFIER "x", letter_of(size), addr);
    }
    return g_ascii_strtoull(text, NULL, 16);
}

static void write_shared(void *ram, unsigned size, uint64_t value)
{
    switch (size) {
    case 1:
        __atomic_store_n((uint8_t *)ram, value, __ATOMIC_SEQ_CST);
        break;
    case 2:
        __atomic_store_n((uint16_t *)ram, GUINT16_TO_LE(value), __ATOMIC_SEQ_CST);
        break;
    case 4:
        __atomic_store_n((uint32_t *)ram, GUINT32_TO_LE(value), __ATOMIC_SEQ_CST);
        break;
    default:
        __atomic_store_n((uint64_t *)ram, GUINT64_TO_LE(value), __ATOMIC_SEQ_CST);
        break;
    }
}

void qtest_write_value(QTest *q, uint64_t addr, unsigned size, uint64_t value)
{
    void *ram = shared(q, addr, size);

    if (ram != NULL) {
        write_shared(ram, size, value);
        return;
    }
    if (addr & QTEST_PORTS) {
        g_free(qtest_ok(q, "out%c 0x%x 0x%x", letter_of(size), (unsigned)addr, (unsigned)value));
        return;
    }
    g_free(qtest_ok(q, "write%c 0x%" G_GINT64_MODIFIER "x 0x%" G_GINT64_MODIFIER "x",
                    letter_of(size), addr, value));
}

void qtest_read_bytes(QTest *q, uint64_t addr, void *buf, size_t len)
{
    g_autofree char *text = NULL;
    void *ram = shared(q, addr, len);

    if (ram != NULL) {
        memcpy(buf, ram, len);
        return;
    }
    text = qtest_ok(q, "read 0x%" G_GINT64_MODIFIER "x 0x%zx", addr, len);
    g_assert_cmpuint(strlen(text), ==, 2 + 2 * len);
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)buf)[i] =
            g_ascii_xdigit_value(text[2 + 2 * i]) << 4 | g_ascii_xdigit_value(text[3 + 2 * i]);
    }
}

void qtest_clear(QTest *q, uint64_t addr, size_t len)
{
    void *ram = shared(q, addr, len);

    if (ram != NULL) {
        memset(ram, 0, len);
        return;
    }
    g_free(qtest_ok(q, "memset 0x%" G_GINT64_MODIFIER "x %zu 0", addr, len));
}

void qtest_write_bytes(QTest *q, uint64_t addr, const void *buf, size_t len)
{
    g_autoptr(GString) hex = NULL;
    void *ram = shared(q, addr, len);

    if (ram != NULL) {
        memcpy(ram, buf, len);
        return;
    }
    hex = g_string_new("0x");
    for (size_t i = 0; i < len; i++) {
        g_string_append_printf(hex, "%02x", ((const uint8_t *)buf)[i]);
    }
    g_free(qtest_ok(q, "write 0x%" G_GINT64_MODIFIER "x 0x%zx %s", addr, len, hex->str));
}

int64_t qtest_clock_step(QTest *q, int64_t ns)
{
    g_autofree char *text = qtest_ok(q, "clock_step %" G_GINT64_FORMAT, ns);

    return g_ascii_strtoll(text, NULL, 10);
}

bool qtest_irq(QTest *q, unsigned n)
{
    /* A question, so that what was told before its answer is known. */
    g_free(qtest_ok(q, "endianness"));
    g_assert_cmpuint(n, <, MAX_IRQS);
    return q->irqs[n];
}

/* ---- QMP ---- */

static JsonObject *take_message(QTest *q)
{
    g_autofree char *text = take_line(&q->qmp);
    g_autoptr(JsonNode) node = json_from_string(text, NULL);

    g_assert_true(node != NULL && JSON_NODE_HOLDS_OBJECT(node));
    return json_node_dup_object(node);
}

static JsonObject *qmp_va(QTest *q, const char *format, va_list ap)
{
    g_autofree char *text = g_strdup_vprintf(format, ap);
    JsonObject *message;

    g_strdelimit(text, "'", '"');
    send_all(&q->qmp, text, strlen(text));
    for (message = take_message(q); json_object_has_member(message, "event");
         message = take_message(q)) {
        g_queue_push_tail(&q->events, message);
    }
    return message;
}

JsonObject *qtest_qmp(QTest *q, const char *format, ...)
{
    JsonObject *reply;
    va_list ap;

    va_start(ap, format);
    reply = qmp_va(q, format, ap);
    va_end(ap);
    return reply;
}

void qtest_qmp_ok(QTest *q, const char *format, ...)
{
    g_autoptr(JsonObject) reply = NULL;
    va_list ap;

    va_start(ap, format);
    reply = qmp_va(q, format, ap);
    va_end(ap);
    if (!json_object_has_member(reply, "return")) {
        g_error(
            "'%s' failed: %s", format,
            json_object_get_string_member(json_object_get_object_member(reply, "error"), "desc"));
    }
}

char *qtest_qmp_error(QTest *q, const char *format, ...)
{
    g_autoptr(JsonObject) reply = NULL;
    va_list ap;

    va_start(ap, format);
    reply = qmp_va(q, format, ap);
    va_end(ap);
    g_assert_true(json_object_has_member(reply, "error"));
    return g_strdup(
        json_object_get_string_member(json_object_get_object_member(reply, "error"), "class"));
}

JsonObject *qtest_event(QTest *q, const char *name)
{
    while (true) {
        g_autoptr(JsonObject) event = g_queue_pop_head(&q->events);

        if (event == NULL) {
            event = take_message(q);
        }
        if (g_strcmp0(json_object_get_string_member_with_default(event, "event", NULL), name) !=
            0) {
            continue;
        }
        return json_object_has_member(event, "data")
                   ? json_object_ref(json_object_get_object_member(event, "data"))
                   : json_object_new();
    }
}
