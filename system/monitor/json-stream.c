/* SPDX-License-Identifier: GPL-2.0-or-later
 * The lexer of the JSON stream and its recovery. Tokens go to json-build.c, which puts the values
 * together. Neither recurses.
 */
#include "json-stream.h"

#include <string.h>

#include "json-build.h"
#include "util/error.h"

typedef enum {
    LEX_BETWEEN, /* tokens */
    LEX_STRING,
    LEX_ESCAPE,
    LEX_UNICODE, /* the four digits of \uXXXX */
    LEX_NUMBER,
    LEX_WORD,
    LEX_SKIP, /* after an error */
} LexState;

struct JsonStream {
    JsonStreamFn fn;
    void *opaque;
    JsonBuild *build;
    LexState state;
    char quote;
    GString *token;
    unsigned digits;      /* of \uXXXX still to come */
    unsigned code;        /* their value so far */
    unsigned high;        /* a high surrogate that waits for its low one, or 0 */
    size_t message_bytes; /* of the value being read */
};

JsonStream *json_stream_new(JsonStreamFn fn, void *opaque)
{
    JsonStream *s = g_new0(JsonStream, 1);

    s->fn = fn;
    s->opaque = opaque;
    s->build = json_build_new();
    s->token = g_string_new(NULL);
    return s;
}

void json_stream_free(JsonStream *s)
{
    if (s == NULL) {
        return;
    }
    json_build_free(s->build);
    g_string_free(s->token, TRUE);
    g_free(s);
}

void json_stream_reset(JsonStream *s)
{
    json_build_reset(s->build);
    s->state = LEX_BETWEEN;
    s->high = 0;
    s->message_bytes = 0;
    g_string_set_size(s->token, 0);
}

/* ---- results ---- */

static void fail(JsonStream *s, GError *error)
{
    json_stream_reset(s);
    s->state = LEX_SKIP;
    s->fn(s->opaque, NULL, error);
}

static void G_GNUC_PRINTF(2, 3) fail_syntax(JsonStream *s, const char *fmt, ...)
{
    size_t at = s->message_bytes;
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    fail(s, g_error_new(HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "JSON: %s at byte %zu", text, at));
}

/* What json-build.c made of the last token. */
static void after_token(JsonStream *s, bool ok, GError *error)
{
    size_t at = s->message_bytes;
    JsonNode *done;

    s->state = LEX_BETWEEN;
    g_string_set_size(s->token, 0);
    if (!ok) {
        g_prefix_error(&error, "JSON: byte %zu: ", at);
        fail(s, error);
        return;
    }
    done = json_build_take(s->build);
    if (done != NULL) {
        s->message_bytes = 0;
        s->fn(s->opaque, done, NULL);
    }
}

static void end_string(JsonStream *s)
{
    GError *error = NULL;
    bool ok;

    if (s->high != 0) {
        fail_syntax(s, "half of a surrogate pair in a string");
        return;
    }
    if (!g_utf8_validate(s->token->str, s->token->len, NULL)) {
        fail_syntax(s, "a string is not UTF-8");
        return;
    }
    ok = json_build_string(s->build, s->token->str, &error);
    after_token(s, ok, error);
}

static void end_plain(JsonStream *s)
{
    GError *error = NULL;
    bool ok = s->state == LEX_NUMBER ? json_build_number(s->build, s->token->str, &error)
                                     : json_build_word(s->build, s->token->str, &error);

    after_token(s, ok, error);
}

/* ---- characters ---- */

static void fail_character(JsonStream *s, unsigned char c)
{
    if (g_ascii_isprint(c)) {
        fail_syntax(s, "unexpected '%c'", c);
    } else {
        fail_syntax(s, "unexpected byte 0x%02x", c);
    }
}

static void between(JsonStream *s, unsigned char c)
{
    GError *error = NULL;
    bool ok;

    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return;
    case '{':
    case '}':
    case '[':
    case ']':
    case ',':
    case ':':
        ok = json_build_mark(s->build, c, &error);
        after_token(s, ok, error);
        return;
    case '"':
    case '\'':
        s->state = LEX_STRING;
        s->quote = c;
        return;
    default:
        break;
    }
    if (c == '-' || g_ascii_isdigit(c)) {
        s->state = LEX_NUMBER;
    } else if (g_ascii_isalpha(c)) {
        s->state = LEX_WORD;
    } else {
        fail_character(s, c);
        return;
    }
    g_string_append_c(s->token, c);
}

/* Bytes that no UTF-8 text has (RFC 3629). */
static bool is_impossible(unsigned char c)
{
    return c == 0xc0 || c == 0xc1 || c >= 0xf5;
}

static void in_string(JsonStream *s, unsigned char c)
{
    if (c < 0x20 || is_impossible(c)) {
        fail_syntax(s, "byte 0x%02x in a string", c);
    } else if (c == '\\') {
        s->state = LEX_ESCAPE;
    } else if (c == s->quote) {
        end_string(s);
    } else if (s->high != 0) {
        fail_syntax(s, "half of a surrogate pair in a string");
    } else {
        g_string_append_c(s->token, c);
    }
}

static void in_escape(JsonStream *s, unsigned char c)
{
    static const char letters[] = "bfnrt\"'\\/", meant[] = "\b\f\n\r\t\"'\\/";
    const char *found = strchr(letters, c);

    if (c == 'u') {
        s->state = LEX_UNICODE;
        s->digits = 4;
        s->code = 0;
    } else if (c == '\0' || found == NULL) {
        fail_syntax(s, "unknown escape in a string");
    } else if (s->high != 0) {
        fail_syntax(s, "half of a surrogate pair in a string");
    } else {
        s->state = LEX_STRING;
        g_string_append_c(s->token, meant[found - letters]);
    }
}

static void in_unicode(JsonStream *s, unsigned char c)
{
    bool low;

    if (!g_ascii_isxdigit(c)) {
        fail_syntax(s, "\\u without four hexadecimal digits");
        return;
    }
    s->code = s->code << 4 | g_ascii_xdigit_value(c);
    if (--s->digits > 0) {
        return;
    }
    s->state = LEX_STRING;
    low = s->code >= 0xdc00 && s->code <= 0xdfff;
    if (low != (s->high != 0)) {
        fail_syntax(s, "half of a surrogate pair in a string");
    } else if (low) {
        g_string_append_unichar(s->token,
                                0x10000 + ((s->high - 0xd800) << 10) + (s->code - 0xdc00));
        s->high = 0;
    } else if (s->code >= 0xd800 && s->code <= 0xdbff) {
        s->high = s->code;
    } else if (s->code == 0) {
        fail_syntax(s, "\\u0000 in a string");
    } else {
        g_string_append_unichar(s->token, s->code);
    }
}

/* TRUE: c belongs to the token and was added to it. */
static bool in_plain(JsonStream *s, unsigned char c)
{
    if (g_ascii_isalnum(c) || (s->state == LEX_NUMBER && (c == '.' || c == '+' || c == '-'))) {
        g_string_append_c(s->token, c);
        return true;
    }
    end_plain(s);
    return false;
}

static void take(JsonStream *s, unsigned char c)
{
    if (s->state == LEX_NUMBER || s->state == LEX_WORD) {
        if (in_plain(s, c)) {
            return;
        }
    }
    if (s->state == LEX_SKIP && (c == '{' || c == '[' || c < 0x20)) {
        s->state = LEX_BETWEEN;
        s->message_bytes = 1;
        if (c < 0x20) {
            s->message_bytes = 0;
            return;
        }
    }
    switch (s->state) {
    case LEX_BETWEEN:
        between(s, c);
        break;
    case LEX_STRING:
        in_string(s, c);
        break;
    case LEX_ESCAPE:
        in_escape(s, c);
        break;
    case LEX_UNICODE:
        in_unicode(s, c);
        break;
    case LEX_NUMBER:
    case LEX_WORD:
    case LEX_SKIP:
        break;
    }
}

void json_stream_feed(JsonStream *s, const void *bytes, size_t len)
{
    const unsigned char *c = bytes;

    for (size_t i = 0; i < len; i++) {
        bool idle = s->state == LEX_BETWEEN && json_build_is_idle(s->build);

        s->message_bytes = idle ? 1 : s->message_bytes + 1;
        if (s->message_bytes > JSON_STREAM_MAX_BYTES && s->state != LEX_SKIP) {
            fail(s, g_error_new(HUMPY_ERROR, HUMPY_ERROR_RANGE,
                                "JSON: a message is longer than %d bytes", JSON_STREAM_MAX_BYTES));
        }
        take(s, c[i]);
    }
}

void json_stream_end(JsonStream *s)
{
    if (s->state == LEX_NUMBER || s->state == LEX_WORD) {
        end_plain(s);
    }
    if (s->state != LEX_SKIP && (s->state != LEX_BETWEEN || !json_build_is_idle(s->build))) {
        fail_syntax(s, "the text ends inside a value");
    }
    json_stream_reset(s);
}

/* ---- one text ---- */

typedef struct {
    JsonNode *node;
    GError *error;
} Whole;

static void take_whole(void *opaque, JsonNode *node, GError *error)
{
    Whole *whole = opaque;

    if (error == NULL && whole->node != NULL) {
        error = g_error_new(HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "JSON: text after the value");
    }
    if (error != NULL && whole->error != NULL) {
        g_error_free(error);
    } else if (error != NULL) {
        whole->error = error;
    }
    if (whole->node != NULL && node != NULL) {
        json_node_unref(node);
    } else if (node != NULL) {
        whole->node = node;
    }
}

JsonNode *json_stream_parse(const char *text, GError **error)
{
    Whole whole = { NULL, NULL };
    g_autoptr(JsonStream) s = json_stream_new(take_whole, &whole);

    json_stream_feed(s, text, strlen(text));
    json_stream_end(s);
    if (whole.error == NULL && whole.node == NULL) {
        whole.error = g_error_new(HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "JSON: there is no value");
    }
    if (whole.error != NULL) {
        g_clear_pointer(&whole.node, json_node_unref);
        g_propagate_error(error, whole.error);
    }
    return whole.node;
}
