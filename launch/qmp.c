/* SPDX-License-Identifier: GPL-2.0-or-later
 * See qmp.h. A message is one line (docs/monitor.md).
 */
#include "qmp.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

enum { MAX_LINE = 4 << 20 };

struct Qmp {
    Fd fd;
    int timeout_ms;
    GString *input; /* received and not yet taken */
};

static bool no_answer(GError **error)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                "the VM does not answer (another client may have its monitor)");
    return false;
}

/* Reads more. FALSE: nothing came in time. */
static bool receive(Qmp *qmp, gint64 deadline, GError **error)
{
    gint64 left = (deadline - g_get_monotonic_time()) / 1000;
    struct pollfd pfd = { .fd = qmp->fd, .events = POLLIN };
    char buf[4096];
    ssize_t n;
    int ready = poll(&pfd, 1, MAX(left, 0));

    if (ready < 0 && errno == EINTR) {
        return true;
    }
    if (ready <= 0) {
        return no_answer(error);
    }
    n = read(qmp->fd, buf, sizeof(buf));
    if (n < 0 && errno == EINTR) {
        return true;
    }
    if (n <= 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "the VM has gone");
        return false;
    }
    g_string_append_len(qmp->input, buf, n);
    if (qmp->input->len > MAX_LINE) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "the VM says more than %d bytes at once",
                    MAX_LINE);
        return false;
    }
    return true;
}

/* The next message. */
static JsonNode *next_message(Qmp *qmp, gint64 deadline, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *line = NULL;
    JsonNode *node;
    char *end;

    while ((end = memchr(qmp->input->str, '\n', qmp->input->len)) == NULL) {
        if (!receive(qmp, deadline, error)) {
            return NULL;
        }
    }
    line = g_strndup(qmp->input->str, end - qmp->input->str);
    g_string_erase(qmp->input, 0, end - qmp->input->str + 1);
    node = json_from_string(line, &cause);
    if (node == NULL || !JSON_NODE_HOLDS_OBJECT(node)) {
        g_clear_pointer(&node, json_node_unref);
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "the VM says something unknown: %s",
                    line);
    }
    return node;
}

static JsonNode *run(Qmp *qmp, const char *command, gint64 deadline, GError **error)
{
    g_autofree char *text = g_strdup_printf("{\"execute\": \"%s\"}\n", command);

    if (send(qmp->fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text)) {
        error_set_errno(error, errno, "cannot talk to the VM");
        return NULL;
    }
    while (true) {
        g_autoptr(JsonNode) message = next_message(qmp, deadline, error);
        JsonObject *object;

        if (message == NULL) {
            return NULL;
        }
        object = json_node_get_object(message);
        if (json_object_has_member(object, "return")) {
            return json_node_copy(json_object_get_member(object, "return"));
        }
        if (json_object_has_member(object, "error")) {
            JsonNode *node = json_object_get_member(object, "error");

            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "%s: %s", command,
                        JSON_NODE_HOLDS_OBJECT(node)
                            ? json_object_get_string_member_with_default(json_node_get_object(node),
                                                                         "desc", "it failed")
                            : "it failed");
            return NULL;
        }
    }
}

JsonNode *qmp_run(Qmp *qmp, const char *command, GError **error)
{
    return run(qmp, command, g_get_monotonic_time() + qmp->timeout_ms * (gint64)1000, error);
}

Qmp *qmp_open(const char *path, int timeout_ms, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + timeout_ms * (gint64)1000;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_autoptr(Qmp) qmp = g_new0(Qmp, 1);
    g_autoptr(JsonNode) greeting = NULL, answer = NULL;

    qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    qmp->timeout_ms = timeout_ms;
    qmp->input = g_string_new(NULL);
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    if (qmp->fd < 0 || connect(qmp->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        error_set_errno(error, errno, "cannot connect to '%s'", path);
        return NULL;
    }
    greeting = next_message(qmp, deadline, error);
    if (greeting == NULL) {
        return NULL;
    }
    answer = run(qmp, "qmp_capabilities", deadline, error);
    return answer != NULL ? g_steal_pointer(&qmp) : NULL;
}

void qmp_close(Qmp *qmp)
{
    if (qmp == NULL) {
        return;
    }
    fd_clear(&qmp->fd);
    if (qmp->input != NULL) {
        g_string_free(qmp->input, TRUE);
    }
    g_free(qmp);
}
