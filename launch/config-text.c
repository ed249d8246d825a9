/* SPDX-License-Identifier: GPL-2.0-or-later
 * The text of a VM's description before the JSON parser gets it: not too long, not too deep, no
 * numbers or characters of which the parser would make something else. What it says is
 * config-json.c's business.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config-json.h"
#include "util/error.h"
#include "util/fd.h"

enum { MAX_FILE = 1 << 20, MAX_DEPTH = 16 };

/* The parser would make another number of it. */
static bool is_too_large(const char *digits, unsigned n)
{
    static const char largest[] = "9223372036854775807";

    return n > strlen(largest) || (n == strlen(largest) && strncmp(digits, largest, n) > 0);
}

/* The parser goes one level deeper on the stack for each bracket; and it takes comments and strings
 * of other languages, too, in which brackets would not count. What JSON has no use for is refused
 * before it. */
bool config_text_check(const char *text, gsize len, GError **error)
{
    bool in_string = false;
    int depth = 0;
    unsigned digits = 0;

    for (gsize i = 0; i < len; i++) {
        if (in_string && text[i] == '\\') {
            i++; /* whatever it is, it does not end the string */
        } else if (in_string || text[i] == '"') {
            in_string = in_string != (text[i] == '"');
        } else if (text[i] == '{' || text[i] == '[') {
            depth++;
        } else if (text[i] == '}' || text[i] == ']') {
            depth--;
        } else if (!g_ascii_isalnum(text[i]) && memchr(" \t\r\n:,.+-", text[i], 9) == NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                        "is not JSON: byte 0x%02x at offset %" G_GSIZE_FORMAT
                        " is outside of any string",
                        (guint8)text[i], i);
            return false;
        }
        digits = !in_string && g_ascii_isdigit(text[i]) ? digits + 1 : 0;
        if (digits > 0 && is_too_large(text + i + 1 - digits, digits)) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                        "has a number that is too large, at offset %" G_GSIZE_FORMAT,
                        i + 1 - digits);
            return false;
        }
        if (depth > MAX_DEPTH) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                        "is nested more than %d levels deep", MAX_DEPTH);
            return false;
        }
    }
    return true;
}

char *config_text_read(const char *path, gsize *len, GError **error)
{
    g_auto(Fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    g_autofree char *text = NULL;
    struct stat st;
    gsize got = 0;

    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(error, errno, "cannot open");
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > MAX_FILE) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "is not a regular file of at most %d bytes", MAX_FILE);
        return NULL;
    }
    text = g_malloc(st.st_size + 1);
    while (got < (gsize)st.st_size) {
        ssize_t n = read(fd, text + got, st.st_size - got);

        if (n < 0 && errno != EINTR) {
            error_set_errno(error, errno, "cannot read");
            return NULL;
        }
        if (n == 0) {
            break;
        }
        got += MAX(n, 0);
    }
    text[got] = '\0';
    *len = got;
    return g_steal_pointer(&text);
}
