/* SPDX-License-Identifier: GPL-2.0-or-later
 * -chardev TYPE,id=…,… and the short forms of -serial, which are rewritten into the long form and
 * read by the same code.
 */
#include "options.h"

#include <string.h>

#include "util/error.h"

static const ChardevOps *const types[] = {
    &chardev_file_ops,    &chardev_hub_ops,    &chardev_memory_ops,
    &chardev_null_ops,    &chardev_pipe_ops,   &chardev_pty_ops,
    &chardev_ringbuf_ops, &chardev_socket_ops, &chardev_stdio_ops,
};

static const char *const log_keys[] = { "logfile", "logappend", "logrotate-size", "logrotate-count",
                                        NULL };

static const ChardevOps *find_type(const char *name, GError **error)
{
    const char *names[G_N_ELEMENTS(types) + 1] = {};

    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        if (strcmp(types[i]->name, name) == 0) {
            return types[i];
        }
        names[i] = types[i]->name;
    }
    error_set_unknown(error, "chardev type", name, names);
    return NULL;
}

const char **chardev_types(void)
{
    const char **names = g_new0(const char *, G_N_ELEMENTS(types) + 1);

    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        names[i] = types[i]->name;
    }
    return names;
}

char *chardev_help(void)
{
    GString *out = g_string_new("Available chardev backend types:\n");

    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        g_autofree char *keys = g_strjoinv(", ", (char **)types[i]->keys);

        g_string_append_printf(out, "  %-8s %s (id, mux, log...%s%s)\n", types[i]->name,
                               types[i]->summary, *keys != '\0' ? ", " : "", keys);
    }
    return g_string_free(out, FALSE);
}

const char *chardev_take_required(KeyVal *kv, const char *key, GError **error)
{
    const char *value = keyval_take(kv, key);

    if (value == NULL || *value == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property '%s' is missing", key);
        return NULL;
    }
    return value;
}

static bool check_keys(const KeyVal *kv, const ChardevOps *type, GError **error)
{
    g_autoptr(GPtrArray) valid = g_ptr_array_new();

    g_ptr_array_add(valid, (void *)"backend");
    g_ptr_array_add(valid, (void *)"id");
    g_ptr_array_add(valid, (void *)"mux");
    for (const char *const *key = log_keys; *key != NULL; key++) {
        g_ptr_array_add(valid, (void *)*key);
    }
    for (const char *const *key = type->keys; *key != NULL; key++) {
        g_ptr_array_add(valid, (void *)*key);
    }
    g_ptr_array_add(valid, NULL);
    return keyval_check_keys(kv, (const char *const *)valid->pdata, error);
}

Chardev *chardev_new(const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, "backend", error);
    static unsigned anonymous;
    g_autofree char *made_id = NULL;
    const ChardevOps *type;
    const char *name, *id;
    bool mux = false;

    if (kv == NULL) {
        return NULL;
    }
    name = keyval_take(kv, "backend");
    if (name == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "the type of chardev is missing");
        return NULL;
    }
    type = find_type(name, error);
    if (type == NULL || !check_keys(kv, type, error) || !keyval_take_bool(kv, "mux", &mux, error)) {
        return NULL;
    }
    id = keyval_take(kv, "id");
    if (id == NULL) {
        id = made_id = g_strdup_printf("#chardev%u", anonymous++);
    } else if (!keyval_check_id(id, error)) {
        return NULL;
    }
    if (chardev_find(id) != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "id '%s' is already used by another chardev", id);
        return NULL;
    }
    return chardev_open(type, id, mux, kv, error);
}

/* ---- short forms ---- */

static char *double_commas(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);

    return g_strjoinv(",,", parts);
}

/* "HOST:PORT,rest" or "[v6]:PORT,rest" to "host=…,port=…,rest". */
static char *tcp_to_long(const char *text, GError **error)
{
    size_t len = strcspn(text, ",");
    g_autofree char *address = g_strndup(text, len);
    char *colon = strrchr(address, ':');
    char *host = address;

    if (colon == NULL || colon[1] == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "'tcp:%s' is not tcp:HOST:PORT", text);
        return NULL;
    }
    *colon = '\0';
    if (*host == '[' && colon > host + 1 && colon[-1] == ']') {
        host++;
        colon[-1] = '\0';
    }
    return g_strdup_printf("socket,host=%s,port=%s%s", host, colon + 1, text + len);
}

/* The long form of a short one, or NULL with *error. */
static char *to_long(const char *text, GError **error)
{
    static const char *const names[] = { "stdio", "null",  "none", "pty",  "ringbuf",  "file:",
                                         "pipe:", "unix:", "tcp:", "mon:", "chardev:", NULL };
    g_autofree char *path = NULL;

    if (strcmp(text, "stdio") == 0 || strcmp(text, "null") == 0 || strcmp(text, "pty") == 0 ||
        strcmp(text, "ringbuf") == 0) {
        return g_strdup(text);
    }
    if (g_str_has_prefix(text, "pipe:")) {
        path = double_commas(text + strlen("pipe:"));
        return g_strdup_printf("pipe,path=%s", path);
    }
    if (g_str_has_prefix(text, "file:")) {
        path = double_commas(text + strlen("file:"));
        return g_strdup_printf("file,path=%s", path);
    }
    if (g_str_has_prefix(text, "unix:")) {
        return g_strdup_printf("socket,path=%s", text + strlen("unix:"));
    }
    if (g_str_has_prefix(text, "tcp:")) {
        return tcp_to_long(text + strlen("tcp:"), error);
    }
    error_set_unknown(error, "character device", text, names);
    return NULL;
}

Chardev *chardev_new_from_short(const char *text, const char *id, GError **error)
{
    bool mux = g_str_has_prefix(text, "mon:");
    const char *plain = mux ? text + strlen("mon:") : text;
    g_autofree char *base = NULL, *long_text = NULL;

    if (strcmp(text, "none") == 0) {
        return NULL;
    }
    if (g_str_has_prefix(text, "chardev:")) {
        Chardev *chr = chardev_find(text + strlen("chardev:"));

        if (chr == NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no chardev with id '%s'",
                        text + strlen("chardev:"));
        }
        return chr;
    }
    base = to_long(plain, error);
    if (base == NULL) {
        return NULL;
    }
    /* A terminal shared with the monitor gives Ctrl-C to the guest: Ctrl-A x is the way out. */
    long_text = g_strdup_printf("%s%s%s,id=%s", base, mux ? ",mux=on" : "",
                                mux && strcmp(base, "stdio") == 0 ? ",signal=off" : "", id);
    return chardev_new(long_text, error);
}
