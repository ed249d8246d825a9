/* SPDX-License-Identifier: GPL-2.0-or-later
 * Text to JSON values, RFC 8259 and nothing more (json-glib/json-glib.h). The text may be
 * anybody's: depth is limited, memory grows with what was read.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "json-glib/json-glib.h"

enum { MAX_DEPTH = 1024 };

struct _JsonParser {
    GObject parent_instance;
    JsonNode *root;
};

G_DEFINE_FINAL_TYPE(JsonParser, json_parser, G_TYPE_OBJECT)
G_DEFINE_QUARK(json - parser - error - quark, json_parser_error)

typedef struct {
    const char *text, *end, *at;
    GError **error;
} Reader;

/* NULL, after setting the error to what is wrong where the reader is. */
static void *fail(Reader *r, const char *what)
{
    unsigned line = 1;
    const char *start = r->text;

    for (const char *p = r->text; p < r->at; p++) {
        if (*p == '\n') {
            line++;
            start = p + 1;
        }
    }
    g_set_error(r->error, JSON_PARSER_ERROR, JSON_PARSER_ERROR_PARSE, "line %u, column %u: %s",
                line, (unsigned)(r->at - start) + 1, what);
    return NULL;
}

static void skip_space(Reader *r)
{
    while (r->at < r->end && strchr(" \t\r\n", *r->at) != NULL && *r->at != '\0') {
        r->at++;
    }
}

static bool next_is(Reader *r, char c)
{
    skip_space(r);
    if (r->at < r->end && *r->at == c) {
        r->at++;
        return true;
    }
    return false;
}

/* ---- strings ---- */

/* Four digits, or -1. */
static int read_hex(Reader *r)
{
    int value = 0;

    for (unsigned i = 0; i < 4; i++) {
        int digit = r->at < r->end ? g_ascii_xdigit_value(*r->at) : -1;

        if (digit < 0) {
            return -1;
        }
        value = value << 4 | digit;
        r->at++;
    }
    return value;
}

/* After "\u". Surrogates come in pairs; NUL cannot be in a C string. */
static bool read_code_point(Reader *r, GString *out)
{
    int first = read_hex(r), second;

    if (first >= 0xd800 && first < 0xdc00 && r->end - r->at > 2 && r->at[0] == '\\' &&
        r->at[1] == 'u') {
        r->at += 2;
        second = read_hex(r);
        if (second < 0xdc00 || second >= 0xe000) {
            return false;
        }
        g_string_append_unichar(out, 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
        return true;
    }
    if (first <= 0 || (first >= 0xd800 && first < 0xe000)) {
        return false;
    }
    g_string_append_unichar(out, first);
    return true;
}

static bool read_escape(Reader *r, GString *out)
{
    static const char letters[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
    const char *found = r->at < r->end && *r->at != '\0' ? strchr(letters, *r->at) : NULL;

    if (found != NULL) {
        g_string_append_c(out, plain[found - letters]);
        r->at++;
        return true;
    }
    if (r->at < r->end && *r->at == 'u') {
        r->at++;
        return read_code_point(r, out);
    }
    return false;
}

/* After the first quotation mark. */
static char *read_string(Reader *r)
{
    GString *out = g_string_new(NULL);

    while (r->at < r->end && *r->at != '"') {
        unsigned char c = *r->at++;

        if (c < 0x20 || (c == '\\' && !read_escape(r, out))) {
            g_string_free(out, TRUE);
            return fail(r, c == '\\' ? "an escape that there is not" : "a control character");
        }
        if (c != '\\') {
            g_string_append_c(out, c);
        }
    }
    if (r->at == r->end) {
        g_string_free(out, TRUE);
        return fail(r, "a string without an end");
    }
    r->at++;
    return g_string_free(out, FALSE);
}

/* ---- values ---- */

static size_t skip_digits(Reader *r)
{
    const char *start = r->at;

    while (r->at < r->end && g_ascii_isdigit(*r->at)) {
        r->at++;
    }
    return r->at - start;
}

static JsonNode *read_number(Reader *r)
{
    const char *start = r->at;
    g_autofree char *text = NULL;
    bool is_real = false;
    size_t digits;
    gdouble real;
    gint64 value;

    r->at += *r->at == '-';
    digits = skip_digits(r);
    if (digits == 0 || (digits > 1 && r->at[-(gssize)digits] == '0')) {
        return fail(r, "no value");
    }
    if (r->at < r->end && *r->at == '.') {
        is_real = true;
        r->at++;
        if (skip_digits(r) == 0) {
            return fail(r, "no digit after a point");
        }
    }
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        is_real = true;
        r->at++;
        r->at += r->at < r->end && (*r->at == '+' || *r->at == '-');
        if (skip_digits(r) == 0) {
            return fail(r, "no digit in an exponent");
        }
    }
    text = g_strndup(start, r->at - start);
    errno = 0;
    value = is_real ? 0 : g_ascii_strtoll(text, NULL, 10);
    if (is_real || errno == ERANGE) {
        real = g_ascii_strtod(text, NULL);
        return isfinite(real) ? json_node_init_double(json_node_alloc(), real)
                              : fail(r, "a number that is too large");
    }
    return json_node_init_int(json_node_alloc(), value);
}

static bool next_is_word(Reader *r, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0) {
        return false;
    }
    r->at += len;
    return true;
}

static JsonNode *read_value(Reader *r, unsigned depth);

static JsonNode *read_object(Reader *r, unsigned depth)
{
    g_autoptr(JsonNode) node = json_node_alloc();

    json_node_take_object(node, json_object_new());
    if (next_is(r, '}')) {
        return g_steal_pointer(&node);
    }
    do {
        g_autofree char *name = NULL;
        JsonNode *value;

        if (!next_is(r, '"')) {
            return fail(r, "no name of a member");
        }
        name = read_string(r);
        if (name == NULL) {
            return NULL;
        }
        if (!next_is(r, ':')) {
            return fail(r, "no ':' after a name");
        }
        value = read_value(r, depth + 1);
        if (value == NULL) {
            return NULL;
        }
        json_object_set_member(json_node_get_object(node), name, value);
    } while (next_is(r, ','));
    return next_is(r, '}') ? g_steal_pointer(&node) : fail(r, "neither ',' nor '}'");
}

static JsonNode *read_array(Reader *r, unsigned depth)
{
    g_autoptr(JsonNode) node = json_node_alloc();

    json_node_take_array(node, json_array_new());
    if (next_is(r, ']')) {
        return g_steal_pointer(&node);
    }
    do {
        JsonNode *value = read_value(r, depth + 1);

        if (value == NULL) {
            return NULL;
        }
        json_array_add_element(json_node_get_array(node), value);
    } while (next_is(r, ','));
    return next_is(r, ']') ? g_steal_pointer(&node) : fail(r, "neither ',' nor ']'");
}

static JsonNode *read_value(Reader *r, unsigned depth)
{
    if (depth > MAX_DEPTH) {
        return fail(r, "too deep");
    }
    if (next_is(r, '{')) {
        return read_object(r, depth);
    }
    if (next_is(r, '[')) {
        return read_array(r, depth);
    }
    if (next_is(r, '"')) {
        g_autofree char *text = read_string(r);

        return text != NULL ? json_node_init_string(json_node_alloc(), text) : NULL;
    }
    if (next_is_word(r, "true")) {
        return json_node_init_boolean(json_node_alloc(), TRUE);
    }
    if (next_is_word(r, "false")) {
        return json_node_init_boolean(json_node_alloc(), FALSE);
    }
    if (next_is_word(r, "null")) {
        return json_node_alloc();
    }
    return r->at < r->end ? read_number(r) : fail(r, "the text ends too soon");
}

/* FALSE: *error. *root is NULL for no text at all. */
static bool read_text(const char *text, gsize len, JsonNode **root, GError **error)
{
    Reader r = { .text = text, .end = text + len, .at = text, .error = error };
    g_autoptr(JsonNode) node = NULL;

    *root = NULL;
    if (!g_utf8_validate_len(text, len, &r.at)) {
        fail(&r, "this is not UTF-8 text");
        return false;
    }
    r.at = text;
    skip_space(&r);
    if (r.at == r.end) {
        return true;
    }
    node = read_value(&r, 0);
    if (node == NULL) {
        return false;
    }
    skip_space(&r);
    if (r.at != r.end) {
        fail(&r, "more after the value");
        return false;
    }
    *root = g_steal_pointer(&node);
    return true;
}

JsonNode *json_from_string(const char *text, GError **error)
{
    JsonNode *root;

    return read_text(text, strlen(text), &root, error) ? root : NULL;
}

/* ---- the object ---- */

JsonParser *json_parser_new_immutable(void)
{
    return g_object_new(json_parser_get_type(), NULL);
}

gboolean json_parser_load_from_data(JsonParser *parser, const char *text, gssize len,
                                    GError **error)
{
    g_clear_pointer(&parser->root, json_node_unref);
    return read_text(text, len < 0 ? strlen(text) : (gsize)len, &parser->root, error);
}

JsonNode *json_parser_get_root(JsonParser *parser)
{
    return parser->root;
}

static void json_parser_finalize(GObject *object)
{
    g_clear_pointer(&JSON_PARSER(object)->root, json_node_unref);
    G_OBJECT_CLASS(json_parser_parent_class)->finalize(object);
}

static void json_parser_class_init(JsonParserClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = json_parser_finalize;
}

static void json_parser_init(JsonParser *parser)
{
}
