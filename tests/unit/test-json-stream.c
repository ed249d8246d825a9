/* SPDX-License-Identifier: GPL-2.0-or-later
 * The JSON stream: RFC 8259's grammar, the same result for any pieces, errors and recovery, bounds.
 */
#include <string.h>

#include "monitor/json-stream.h"
#include "util/error.h"

typedef struct {
    GString *log; /* each value as JSON, each error as "!" */
} Log;

static void note(void *opaque, JsonNode *node, GError *error)
{
    Log *log = opaque;

    g_assert_true((node == NULL) != (error == NULL));
    if (error != NULL) {
        g_assert_true(error->domain == HUMPY_ERROR);
        g_assert_null(strchr(error->message, '\n'));
        g_string_append(log->log, "! ");
        g_error_free(error);
    } else {
        g_autofree char *text = json_to_string(node, FALSE);

        g_string_append_printf(log->log, "%s ", text);
        json_node_unref(node);
    }
}

/* What comes of text, fed in pieces of at most step bytes. */
static char *feed(const char *text, size_t len, size_t step)
{
    Log log = { g_string_new(NULL) };
    g_autoptr(JsonStream) s = json_stream_new(note, &log);

    for (size_t at = 0; at < len; at += step) {
        json_stream_feed(s, text + at, MIN(step, len - at));
    }
    return g_string_free(log.log, FALSE);
}

static void check(const char *text, const char *expected)
{
    for (size_t step = 1; step <= strlen(text); step++) {
        g_autofree char *got = feed(text, strlen(text), step);

        if (strcmp(got, expected) != 0) {
            g_error("'%s' in pieces of %zu gives '%s', not '%s'", text, step, got, expected);
        }
    }
}

static void test_values_come_when_complete(void)
{
    check("{}", "{} ");
    check("[]{}", "[] {} ");
    check("1", ""); /* may go on */
    check("1 ", "1 ");
    check("1[2]", "1 [2] ");
    check("true false\nnull\t", "true false null ");
    check("\"a\"'b'", "\"a\" \"b\" ");
    check("{\"a\":{\"b\":[1,-2,{\"c\":null}]},'d':'e'}",
          "{\"a\":{\"b\":[1,-2,{\"c\":null}]},\"d\":\"e\"} ");
    check(" \r\n\t[ 1 , 2 ] ", "[1,2] ");
}

static void test_numbers(void)
{
    check("[0,-0,10,9223372036854775807,-9223372036854775808]",
          "[0,0,10,9223372036854775807,-9223372036854775808] ");
    check("[1.5,-0.25,1e3,2E-1,1.0e+2]", "[1.5,-0.25,1000.0,0.20000000000000001,100.0] ");
    check("[9223372036854775808]", "[9.2233720368547758e+18] ");
    for (const char *const *bad = (const char *const[]){ "01", "-", "1.", ".5", "1e", "1e+", "+1",
                                                         "0x10", "1e999", "--1", "1-1", NULL };
         *bad != NULL; bad++) {
        g_autofree char *text = g_strdup_printf("[%s\n1 ", *bad);

        check(text, "! 1 ");
    }
}

static void test_strings(void)
{
    check("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\'\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t'\" ");
    check("'\\u00e9\\uD83D\\ude00\303\251'", "\"\303\251\360\237\230\200\303\251\" ");
    for (const char *const *bad =
             (const char *const[]){ "\"\\x\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800x\"",
                                    "\"\\ud800\\n\"", "\"\\ud800\\ud800\"", "\"\\udc00\"",
                                    "\"\\u0000\"", "\"\001\"", "\"\377\"", "\"\303\"",
                                    "\"\355\240\200\"", "\"\300\200\"", NULL };
         *bad != NULL; bad++) {
        g_autofree char *text = g_strdup_printf("%s\n1 ", *bad);

        check(text, "! 1 ");
    }
}

static void test_grammar(void)
{
    for (const char *const *bad = (const char *const[]){ "{]",
                                                         "[}",
                                                         "]",
                                                         "}",
                                                         ",",
                                                         ":",
                                                         "[1 2]",
                                                         "[1,]",
                                                         "[,1]",
                                                         "{\"a\"}",
                                                         "{\"a\":}",
                                                         "{\"a\":1,}",
                                                         "{1:2}",
                                                         "{\"a\" 1}",
                                                         "{\"a\":1 \"b\":2}",
                                                         "{\"a\":1,\"a\":2}",
                                                         "nul ",
                                                         "True ",
                                                         "[nan]",
                                                         "/* */",
                                                         "// x",
                                                         "#",
                                                         "%p",
                                                         "\177",
                                                         NULL };
         *bad != NULL; bad++) {
        g_autofree char *text = g_strdup_printf("%s\n1 ", *bad);

        check(text, "! 1 ");
    }
}

/* What follows an error is skipped up to where a message may begin. */
static void test_recovery(void)
{
    check("{\"a\": tru, \"b\": 1} {\"c\": 2}", "! {\"c\":2} ");
    check("%%%%{}", "! {} ");
    check("{\"a\" \"b\"[1]", "! [1] ");
    check("{'bad \377{}", "! {} ");
    check("junk, more junk\n2 ", "! 2 ");
}

static void test_end(void)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        { "1", "1" }, { "  true\n", "true" }, { "[1", NULL },   { "\"a", NULL },
        { "", NULL }, { "1 2", NULL },        { "{} x", NULL }, { "-", NULL },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = json_stream_parse(rows[i].text, &error);
        g_autofree char *text = node != NULL ? json_to_string(node, FALSE) : NULL;

        g_assert_cmpstr(text, ==, rows[i].expected);
        g_assert_true((error == NULL) == (node != NULL));
    }
}

static void test_bounds(void)
{
    g_autofree char *deep = g_malloc(2 * (JSON_STREAM_MAX_DEPTH + 1) + 1);
    g_autofree char *got = NULL, *many = NULL, *much = NULL, *long_one = NULL;
    g_autoptr(GString) values = g_string_new("[");

    memset(deep, '[', JSON_STREAM_MAX_DEPTH);
    memset(deep + JSON_STREAM_MAX_DEPTH, ']', JSON_STREAM_MAX_DEPTH);
    got = feed(deep, 2 * JSON_STREAM_MAX_DEPTH, 1000);
    g_assert_true(g_str_has_prefix(got, "[[[["));

    memset(deep, '[', JSON_STREAM_MAX_DEPTH + 1);
    memset(deep + JSON_STREAM_MAX_DEPTH + 1, ' ', 5);
    g_clear_pointer(&got, g_free);
    got = feed(deep, JSON_STREAM_MAX_DEPTH + 6, 1000);
    g_assert_cmpstr(got, ==, "! ");

    for (unsigned i = 0; i < JSON_STREAM_MAX_VALUES; i++) {
        g_string_append(values, "1,");
    }
    many = feed(values->str, values->len, 4096);
    g_assert_cmpstr(many, ==, "! ");

    long_one = g_malloc(JSON_STREAM_MAX_BYTES + 2);
    memset(long_one, 'a', JSON_STREAM_MAX_BYTES + 2);
    long_one[0] = '"';
    much = feed(long_one, JSON_STREAM_MAX_BYTES + 2, 65536);
    g_assert_cmpstr(much, ==, "! ");
}

static void test_reset_forgets(void)
{
    Log log = { g_string_new(NULL) };
    g_autoptr(JsonStream) s = json_stream_new(note, &log);

    json_stream_feed(s, "{\"a\":[1,\"b", 10);
    json_stream_reset(s);
    json_stream_feed(s, "[7]", 3);
    json_stream_feed(s, "{", 1);
    json_stream_end(s);
    g_assert_cmpstr(log.log->str, ==, "[7] ! ");
    g_string_free(log.log, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json-stream/values-come-when-complete", test_values_come_when_complete);
    g_test_add_func("/json-stream/numbers", test_numbers);
    g_test_add_func("/json-stream/strings", test_strings);
    g_test_add_func("/json-stream/grammar", test_grammar);
    g_test_add_func("/json-stream/recovery", test_recovery);
    g_test_add_func("/json-stream/end", test_end);
    g_test_add_func("/json-stream/bounds", test_bounds);
    g_test_add_func("/json-stream/reset-forgets", test_reset_forgets);
    return g_test_run();
}
