/* SPDX-License-Identifier: GPL-2.0-or-later
 * The grammar of JSON values (RFC 8259) over a stack of open objects and arrays.
 */
#include "json-build.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json-stream.h"
#include "util/error.h"

typedef enum {
    WANT_VALUE,
    WANT_VALUE_OR_END, /* behind [ */
    WANT_NAME,
    WANT_NAME_OR_END, /* behind { */
    WANT_COLON,
    WANT_COMMA_OR_END,
} Want;

typedef struct {
    JsonNode *node; /* an object or array, not yet in its parent */
    char *name;     /* of the member whose value comes next */
} Level;

struct JsonBuild {
    GArray *levels; /* of Level, outermost first */
    Want want;
    unsigned values;
    JsonNode *done;
};

static void level_clear(void *level)
{
    Level *l = level;

    json_node_unref(l->node);
    g_free(l->name);
}

JsonBuild *json_build_new(void)
{
    JsonBuild *b = g_new0(JsonBuild, 1);

    b->levels = g_array_new(FALSE, FALSE, sizeof(Level));
    g_array_set_clear_func(b->levels, level_clear);
    return b;
}

void json_build_reset(JsonBuild *b)
{
    g_array_set_size(b->levels, 0);
    g_clear_pointer(&b->done, json_node_unref);
    b->want = WANT_VALUE;
    b->values = 0;
}

void json_build_free(JsonBuild *b)
{
    json_build_reset(b);
    g_array_unref(b->levels);
    g_free(b);
}

bool json_build_is_idle(const JsonBuild *b)
{
    return b->levels->len == 0;
}

JsonNode *json_build_take(JsonBuild *b)
{
    if (b->done != NULL) {
        b->values = 0;
    }
    return g_steal_pointer(&b->done);
}

static Level *top(JsonBuild *b)
{
    return b->levels->len > 0 ? &g_array_index(b->levels, Level, b->levels->len - 1) : NULL;
}

static bool refuse(GError **error, const char *what, const char *instead)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "%s where %s is expected", what, instead);
    return false;
}

static const char *wanted(const JsonBuild *b)
{
    switch (b->want) {
    case WANT_VALUE:
        return "a value";
    case WANT_VALUE_OR_END:
        return "a value or ']'";
    case WANT_NAME:
        return "a member's name";
    case WANT_NAME_OR_END:
        return "a member's name or '}'";
    case WANT_COLON:
        return "':'";
    case WANT_COMMA_OR_END:
        return "',' or the end";
    }
    g_assert_not_reached();
}

static bool wants_value(const JsonBuild *b)
{
    return b->want == WANT_VALUE || b->want == WANT_VALUE_OR_END;
}

/* Takes node, which is complete. */
static void add(JsonBuild *b, JsonNode *node)
{
    Level *l = top(b);

    if (l == NULL) {
        b->done = node;
        b->want = WANT_VALUE;
    } else if (JSON_NODE_HOLDS_ARRAY(l->node)) {
        json_array_add_element(json_node_get_array(l->node), node);
        b->want = WANT_COMMA_OR_END;
    } else {
        json_object_set_member(json_node_get_object(l->node), l->name, node);
        g_clear_pointer(&l->name, g_free);
        b->want = WANT_COMMA_OR_END;
    }
}

static bool count_value(JsonBuild *b, GError **error)
{
    if (++b->values > JSON_STREAM_MAX_VALUES) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "a message has more than %d values",
                    JSON_STREAM_MAX_VALUES);
        return false;
    }
    return true;
}

static bool open_level(JsonBuild *b, char mark, GError **error)
{
    Level l = { NULL, NULL };

    if (!wants_value(b)) {
        return refuse(error, mark == '{' ? "'{'" : "'['", wanted(b));
    }
    if (b->levels->len == JSON_STREAM_MAX_DEPTH) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "nesting is deeper than %d",
                    JSON_STREAM_MAX_DEPTH);
        return false;
    }
    if (!count_value(b, error)) {
        return false;
    }
    if (mark == '{') {
        l.node = json_node_init_object(json_node_alloc(), NULL);
        json_node_take_object(l.node, json_object_new());
        b->want = WANT_NAME_OR_END;
    } else {
        l.node = json_node_init_array(json_node_alloc(), NULL);
        json_node_take_array(l.node, json_array_new());
        b->want = WANT_VALUE_OR_END;
    }
    g_array_append_val(b->levels, l);
    return true;
}

static bool close_level(JsonBuild *b, char mark, GError **error)
{
    Level *l = top(b);
    bool is_array = l != NULL && JSON_NODE_HOLDS_ARRAY(l->node);
    bool may_end =
        b->want == WANT_COMMA_OR_END || b->want == WANT_VALUE_OR_END || b->want == WANT_NAME_OR_END;
    JsonNode *node;

    if (l == NULL || !may_end || is_array != (mark == ']')) {
        return refuse(error, mark == '}' ? "'}'" : "']'", wanted(b));
    }
    node = g_steal_pointer(&l->node);
    /* Not through the clear function, which wants a node. */
    g_array_set_clear_func(b->levels, NULL);
    g_array_set_size(b->levels, b->levels->len - 1);
    g_array_set_clear_func(b->levels, level_clear);
    add(b, node);
    return true;
}

bool json_build_mark(JsonBuild *b, char mark, GError **error)
{
    switch (mark) {
    case '{':
    case '[':
        return open_level(b, mark, error);
    case '}':
    case ']':
        return close_level(b, mark, error);
    case ':':
        if (b->want != WANT_COLON) {
            return refuse(error, "':'", wanted(b));
        }
        b->want = WANT_VALUE;
        return true;
    default:
        if (b->want != WANT_COMMA_OR_END) {
            return refuse(error, "','", wanted(b));
        }
        b->want = JSON_NODE_HOLDS_ARRAY(top(b)->node) ? WANT_VALUE : WANT_NAME;
        return true;
    }
}

bool json_build_string(JsonBuild *b, const char *text, GError **error)
{
    Level *l = top(b);

    if (b->want == WANT_NAME || b->want == WANT_NAME_OR_END) {
        if (json_object_has_member(json_node_get_object(l->node), text)) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "member '%.100s' appears twice",
                        text);
            return false;
        }
        l->name = g_strdup(text);
        b->want = WANT_COLON;
        return true;
    }
    if (!wants_value(b)) {
        return refuse(error, "a string", wanted(b));
    }
    if (!count_value(b, error)) {
        return false;
    }
    add(b, json_node_init_string(json_node_alloc(), text));
    return true;
}

/* The grammar of numbers, which C's own readers are more generous with. */
static bool is_number(const char *c, bool *whole)
{
    *whole = true;
    c += *c == '-';
    if (!g_ascii_isdigit(*c) || (*c == '0' && g_ascii_isdigit(c[1]))) {
        return false;
    }
    c += strspn(c, "0123456789");
    if (*c == '.') {
        size_t n = strspn(++c, "0123456789");

        *whole = false;
        if (n == 0) {
            return false;
        }
        c += n;
    }
    if (*c == 'e' || *c == 'E') {
        size_t n;

        *whole = false;
        c++;
        c += *c == '+' || *c == '-';
        n = strspn(c, "0123456789");
        if (n == 0) {
            return false;
        }
        c += n;
    }
    return *c == '\0';
}

bool json_build_number(JsonBuild *b, const char *text, GError **error)
{
    bool whole;
    gint64 n;
    double d;

    if (!wants_value(b)) {
        return refuse(error, "a number", wanted(b));
    }
    if (!is_number(text, &whole)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "'%.40s' is not a number", text);
        return false;
    }
    if (!count_value(b, error)) {
        return false;
    }
    errno = 0;
    n = whole ? g_ascii_strtoll(text, NULL, 10) : 0;
    if (whole && errno == 0) {
        add(b, json_node_init_int(json_node_alloc(), n));
        return true;
    }
    d = g_ascii_strtod(text, NULL);
    if (!isfinite(d)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "number '%.40s' is too large", text);
        return false;
    }
    add(b, json_node_init_double(json_node_alloc(), d));
    return true;
}

bool json_build_word(JsonBuild *b, const char *text, GError **error)
{
    bool is_true = strcmp(text, "true") == 0, is_null = strcmp(text, "null") == 0;

    if (!is_true && !is_null && strcmp(text, "false") != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "'%.40s' is none of true, false and null", text);
        return false;
    }
    if (!wants_value(b)) {
        return refuse(error, "a word", wanted(b));
    }
    if (!count_value(b, error)) {
        return false;
    }
    add(b, is_null ? json_node_init_null(json_node_alloc())
                   : json_node_init_boolean(json_node_alloc(), is_true));
    return true;
}
