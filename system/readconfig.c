/* SPDX-License-Identifier: GPL-2.0-or-later
 * -readconfig: a file of sections, each of which stands for an option. A section is
 *
 *     [device "net0"]
 *       driver = "virtio-net-pci"
 *
 * and its lines become "driver=virtio-net-pci,id=net0", read by that option's own handler. Lines
 * that begin with # and empty ones say nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "util/error.h"
#include "util/fd.h"

enum { FILE_MAX_BYTES = 1 << 20 };

typedef struct {
    VmConfig *config;
    const char *path;
    unsigned line, section_line;
    char *section; /* name of the option, or NULL */
    GString *text;
} Reader;

/* Where a section's name is not the option's. */
static const char *option_of(const char *section)
{
    static const char *const names[][2] = {
        { "smp-opts", "smp" },
        { "memory", "m" },
        { "boot-opts", "boot" },
        { "rtc", "rtc" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(names[i][0], section) == 0) {
            return names[i][1];
        }
    }
    return section;
}

static bool fail(const Reader *r, unsigned line, GError **error)
{
    g_prefix_error(error, "line %u: ", line);
    return false;
}

static bool syntax(const Reader *r, const char *what, GError **error)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "%s", what);
    return fail(r, r->line, error);
}

static void append(Reader *r, const char *key, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    g_autofree char *doubled = g_strjoinv(",,", parts);

    g_string_append_printf(r->text, "%s%s=%s", r->text->len > 0 ? "," : "", key, doubled);
}

static bool end_section(Reader *r, GError **error)
{
    g_autofree char *section = g_steal_pointer(&r->section);
    const Option *option;

    if (section == NULL) {
        return true;
    }
    option = options_find(option_of(section));
    if (option == NULL || option->arg == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no option for section [%s]",
                    section);
        return fail(r, r->section_line, error);
    }
    if (!option->handler(r->config, r->text->str, error)) {
        return fail(r, r->section_line, error);
    }
    g_string_truncate(r->text, 0);
    return true;
}

/* [name] or [name "id"] */
static bool begin_section(Reader *r, const char *line, GError **error)
{
    size_t length = strcspn(line + 1, " \t]");
    const char *rest = line + 1 + length + strspn(line + 1 + length, " \t");
    g_autofree char *id = NULL;

    if (!end_section(r, error)) {
        return false;
    }
    if (*rest == '"') {
        const char *end = strchr(rest + 1, '"');

        if (end == NULL) {
            return syntax(r, "the id of a section ends with \"", error);
        }
        id = g_strndup(rest + 1, end - rest - 1);
        rest = end + 1;
    }
    if (length == 0 || strcmp(rest, "]") != 0) {
        return syntax(r, "a section is [NAME] or [NAME \"ID\"]", error);
    }
    r->section = g_strndup(line + 1, length);
    r->section_line = r->line;
    if (id != NULL) {
        append(r, "id", id);
    }
    return true;
}

/* key = "value", where the value goes to the last quotation mark */
static bool read_key(Reader *r, const char *line, GError **error)
{
    size_t length = strcspn(line, " \t=");
    const char *rest = line + length + strspn(line + length, " \t");
    g_autofree char *key = g_strndup(line, length);
    g_autofree char *value = NULL;
    const char *end;

    if (r->section == NULL) {
        return syntax(r, "there is no section yet", error);
    }
    if (length == 0 || *rest != '=') {
        return syntax(r, "neither a section nor KEY = \"VALUE\"", error);
    }
    rest += 1 + strspn(rest + 1, " \t");
    end = strrchr(rest, '"');
    if (*rest != '"' || end == rest || end[1] != '\0') {
        return syntax(r, "a value is put in quotation marks", error);
    }
    value = g_strndup(rest + 1, end - rest - 1);
    append(r, key, value);
    return true;
}

static bool read_lines(Reader *r, char *content, GError **error)
{
    char *next;

    for (char *line = content; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        r->line++;
        g_strstrip(line);
        if (*line == '[' ? !begin_section(r, line, error)
                         : *line != '\0' && *line != '#' && !read_key(r, line, error)) {
            return false;
        }
    }
    return end_section(r, error);
}

/* Pipes are fine: the file may be /dev/fd/N. */
static char *read_file(const char *path, GError **error)
{
    g_auto(Fd) fd = open(path, O_RDONLY | O_CLOEXEC);
    g_autofree char *content = g_malloc(FILE_MAX_BYTES + 1);
    size_t got = 0;

    while (fd >= 0 && got <= FILE_MAX_BYTES) {
        ssize_t n = read(fd, content + got, FILE_MAX_BYTES + 1 - got);

        if (n == 0) {
            content[got] = '\0';
            return g_steal_pointer(&content);
        }
        if (n < 0 && errno != EINTR) {
            break;
        }
        got += MAX(n, 0);
    }
    if (got > FILE_MAX_BYTES) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "is longer than %d bytes",
                    FILE_MAX_BYTES);
    } else {
        error_set_errno(error, errno, "cannot read");
    }
    return NULL;
}

bool option_readconfig(VmConfig *config, const char *path, GError **error)
{
    g_autofree char *content = read_file(path, error);
    g_autoptr(GString) text = g_string_new(NULL);
    Reader r = { .config = config, .path = path, .text = text };
    bool ok = content != NULL && read_lines(&r, content, error);

    g_free(r.section);
    return ok;
}
