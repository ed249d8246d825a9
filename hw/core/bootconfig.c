/* SPDX-License-Identifier: GPL-2.0-or-later
 * See include/hw/core/bootconfig.h. A kernel that cannot parse its bootconfig says so once, early,
 * and goes on without: so the text is checked here, by the rules of the same document (keys,
 * values, braces, comments, limits, one value for a key).
 */
#include "hw/core/bootconfig.h"

#include <string.h>

#include "util/bytes.h"
#include "util/error.h"

enum {
    MAX_TEXT = 32 * 1024 - 1,
    MAX_DEPTH = 16,
    MAX_NODES = 8192,
    ALIGN = 4,
    TRAILER = 20, /* size, sum, magic */
};
#define MAGIC "#BOOTCONFIG\n"

typedef struct {
    const char *p, *end;
    unsigned line, nodes;
    unsigned depth;                       /* of braces */
    unsigned parents[MAX_DEPTH + 1], key; /* numbers of keys; parents[0] is 0, which is none */
    GHashTable *numbers;                  /* "PARENT.WORD" -> number, from 1 */
    bool has_value[MAX_NODES + 1];        /* by number */
} Parser;

static bool wrong(const Parser *s, const char *what, GError **error)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "bootconfig, line %u: %s", s->line, what);
    return false;
}

static bool at(const Parser *s, char c)
{
    return s->p < s->end && *s->p == c;
}

static void next(Parser *s)
{
    s->line += *s->p == '\n';
    s->p++;
}

static void skip_comment(Parser *s)
{
    while (s->p < s->end && *s->p != '\n') {
        s->p++;
    }
}

static void skip_blanks(Parser *s, bool lines)
{
    while (s->p < s->end && (g_ascii_isspace(*s->p) || (lines && *s->p == '#'))) {
        if (*s->p == '#') {
            skip_comment(s);
        } else if (*s->p == '\n' && !lines) {
            return;
        } else {
            next(s);
        }
    }
}

static bool is_key_char(char c)
{
    return g_ascii_isalnum(c) || c == '-' || c == '_';
}

static unsigned key_number(Parser *s, unsigned parent, const char *word, size_t len)
{
    g_autofree char *name = g_strdup_printf("%u.%.*s", parent, (int)len, word);
    unsigned number = GPOINTER_TO_UINT(g_hash_table_lookup(s->numbers, name));

    if (number == 0) {
        number = g_hash_table_size(s->numbers) + 1;
        g_hash_table_insert(s->numbers, g_steal_pointer(&name), GUINT_TO_POINTER(number));
    }
    return number;
}

/* word[.word...] */
static bool read_key(Parser *s, GError **error)
{
    s->key = s->parents[s->depth];
    do {
        const char *start = s->p;

        while (s->p < s->end && is_key_char(*s->p)) {
            s->p++;
        }
        if (s->p == start) {
            return wrong(s, "a key (letters, digits, '-' and '_', with dots between) is expected",
                         error);
        }
        if (++s->nodes > MAX_NODES) {
            return wrong(s, "there are more than 8192 keys and values", error);
        }
        s->key = key_number(s, s->key, start, s->p - start);
    } while (at(s, '.') && s->p++ < s->end);
    return true;
}

static bool read_quoted(Parser *s, GError **error)
{
    char quote = *s->p;
    const Parser start = *s;

    next(s);
    while (s->p < s->end && *s->p != quote) {
        next(s);
    }
    if (s->p == s->end) {
        return wrong(&start, "a quote is not closed", error);
    }
    s->p++;
    return true;
}

/* Up to what ends a value: a newline, ';', ',', '#' or '}'. */
static bool read_value(Parser *s, GError **error)
{
    if (++s->nodes > MAX_NODES) {
        return wrong(s, "there are more than 8192 keys and values", error);
    }
    skip_blanks(s, false);
    if (at(s, '"') || at(s, '\'')) {
        return read_quoted(s, error);
    }
    while (s->p < s->end && strchr("\n;,#}", *s->p) == NULL) {
        if (!g_ascii_isprint(*s->p) && !g_ascii_isspace(*s->p)) {
            return wrong(s, "a value has a character that cannot be printed", error);
        }
        s->p++;
    }
    return true;
}

/* value[, value...], which may go on in the next line behind a comma. */
static bool read_values(Parser *s, GError **error)
{
    while (true) {
        if (!read_value(s, error)) {
            return false;
        }
        skip_blanks(s, false);
        if (at(s, '#')) {
            skip_comment(s);
        }
        if (!at(s, ',')) {
            break;
        }
        s->p++;
        skip_blanks(s, true);
    }
    if (s->p == s->end || *s->p == '}') {
        return true;
    }
    if (*s->p != '\n' && *s->p != ';') {
        return wrong(s, "something follows a value", error);
    }
    next(s);
    return true;
}

/* What follows a key: an assignment, a block, or nothing. */
static bool read_rest(Parser *s, GError **error)
{
    skip_blanks(s, false);
    if (at(s, '{')) {
        s->p++;
        if (++s->depth > MAX_DEPTH) {
            return wrong(s, "there are more than 16 levels of braces", error);
        }
        s->parents[s->depth] = s->key;
        return true;
    }
    if ((at(s, '+') || at(s, ':')) && s->p + 1 < s->end && s->p[1] == '=') {
        s->p++;
    } else if (at(s, '=') && s->has_value[s->key]) {
        return wrong(s, "a key has a value already (':=' replaces it, '+=' adds to it)", error);
    }
    if (at(s, '=')) {
        s->p++;
        s->has_value[s->key] = true;
        return read_values(s, error);
    }
    if (s->p == s->end || strchr("\n;#}", *s->p) != NULL) {
        return true;
    }
    return wrong(s, "'=', '+=', ':=' or '{' is expected behind a key", error);
}

static bool read_statement(Parser *s, GError **error)
{
    if (at(s, ';')) {
        s->p++;
        return true;
    }
    if (at(s, '}')) {
        if (s->depth == 0) {
            return wrong(s, "a brace is closed that is not open", error);
        }
        s->depth--;
        s->p++;
        return true;
    }
    return read_key(s, error) && read_rest(s, error);
}

bool bootconfig_check(const char *text, size_t len, GError **error)
{
    g_autoptr(GHashTable) numbers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Parser s = { .p = text, .end = text + len, .line = 1, .numbers = numbers };

    if (len > MAX_TEXT) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "bootconfig has %zu bytes; the kernel takes at most %d", len, MAX_TEXT);
        return false;
    }
    if (memchr(text, '\0', len) != NULL) {
        return wrong(&s, "there is a NUL byte in it", error);
    }
    while (skip_blanks(&s, true), s.p < s.end) {
        if (!read_statement(&s, error)) {
            return false;
        }
    }
    return s.depth == 0 || wrong(&s, "a brace is not closed", error);
}

GBytes *bootconfig_tail(const char *text, size_t len, guint64 initrd_size)
{
    size_t before = (ALIGN - initrd_size % ALIGN) % ALIGN;
    size_t padded = (len + ALIGN - 1) / ALIGN * ALIGN;
    uint8_t *out = g_malloc0(before + padded + TRAILER), *trailer = out + before + padded;
    guint32 sum = 0;

    memcpy(out + before, text, len);
    for (size_t i = 0; i < padded; i++) {
        sum += out[before + i];
    }
    put_le(trailer, 4, padded);
    put_le(trailer + 4, 4, sum);
    memcpy(trailer + 8, MAGIC, sizeof(MAGIC) - 1);
    return g_bytes_new_take(out, before + padded + TRAILER);
}
