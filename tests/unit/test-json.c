/* SPDX-License-Identifier: GPL-2.0-or-later
 * json-glib, and the stand-in of json/ for static programs: the same rules for both. What only the
 * stand-in refuses is at the end.
 */
#include <json-glib/json-glib.h>
#include <string.h>

static char *again(const char *text, gboolean pretty)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) node = json_from_string(text, &error);

    g_assert_no_error(error);
    g_assert_nonnull(node);
    return json_to_string(node, pretty);
}

static void test_texts_come_back(void)
{
    static const char *const rows[][2] = {
        { "{}", "{}" },
        { " [ ] ", "[]" },
        { "{ \"b\" : 1, \"a\": [true,false,null, -7] }", "{\"b\":1,\"a\":[true,false,null,-7]}" },
        { "[9223372036854775807,-9223372036854775808]",
          "[9223372036854775807,-9223372036854775808]" },
        { "[1.5,0.1,-2.5e-3]", "[1.5,0.10000000000000001,-0.0025000000000000001]" },
        { "\"\\u00e4\\ud83d\\ude00\\/\"", "\"\xc3\xa4\xf0\x9f\x98\x80/\"" },
        { "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007f\"",
          "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007f\"" },
        { "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}" },
        { "[[[[]]],{\"\":{}}]", "[[[[]]],{\"\":{}}]" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = again(rows[i][0], FALSE);

        g_assert_cmpstr(text, ==, rows[i][1]);
    }
}

static void test_layout(void)
{
    g_autofree char *text = again("{\"a\":[1,{\"b\":\"c\"}],\"e\":[]}", TRUE);

    g_assert_cmpstr(text, ==,
                    "{\n  \"a\" : [\n    1,\n    {\n      \"b\" : \"c\"\n    }\n  ],\n"
                    "  \"e\" : []\n}");
}

static void test_bad_texts(void)
{
    static const char *const rows[] = { "{",         "[1,",   "{\"a\"}",   "{\"a\":}", "[1 2]",
                                        "\"abc",     "tru",   "{a:1}",     "[}",       "nul",
                                        "{\"a\" 1}", "[1]]x", "{1:\"a\"}", "-",        "]" };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = json_from_string(rows[i], &error);

        g_assert_null(node);
        g_assert_nonnull(error);
        g_assert_true(error->domain == JSON_PARSER_ERROR);
    }
}

static void test_no_text(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonParser) parser = json_parser_new_immutable();

    g_assert_null(json_from_string("", &error));
    g_assert_no_error(error);
    g_assert_true(json_parser_load_from_data(parser, "[1]x", 3, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(json_array_get_length(json_node_get_array(json_parser_get_root(parser))), ==,
                     1);
}

static void test_types(void)
{
    g_autoptr(JsonNode) node = json_from_string("[\"x\",5,true,2.5,null,{},[]]", NULL);
    JsonArray *all = json_node_get_array(node);
    static const GType types[] = { G_TYPE_STRING, G_TYPE_INT64, G_TYPE_BOOLEAN, G_TYPE_DOUBLE };

    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        g_assert_true(JSON_NODE_HOLDS_VALUE(json_array_get_element(all, i)));
        g_assert_true(json_node_get_value_type(json_array_get_element(all, i)) == types[i]);
    }
    g_assert_cmpstr(json_array_get_string_element(all, 0), ==, "x");
    g_assert_cmpint(json_node_get_int(json_array_get_element(all, 3)), ==, 2);
    g_assert_true(json_node_get_boolean(json_array_get_element(all, 1)));
    g_assert_true(JSON_NODE_HOLDS_NULL(json_array_get_element(all, 4)));
    g_assert_nonnull(json_array_get_object_element(all, 5));
    g_assert_true(JSON_NODE_HOLDS_ARRAY(json_array_get_element(all, 6)));
}

static void test_objects(void)
{
    g_autoptr(JsonObject) object = json_object_new();
    g_autoptr(JsonNode) node = json_node_init_object(json_node_alloc(), object);
    g_autoptr(JsonNode) copy = json_node_copy(node);
    g_autoptr(GList) names = NULL;
    g_autofree char *text = NULL;
    JsonObjectIter iter;
    const char *name;
    JsonNode *value;
    unsigned n = 0;

    json_object_set_string_member(object, "s", "text");
    json_object_set_string_member(object, "none", NULL);
    json_object_set_int_member(object, "i", -1);
    json_object_set_boolean_member(object, "t", TRUE);
    json_object_set_object_member(object, "o", json_object_new());
    json_object_set_array_member(object, "a", json_array_new());
    json_object_set_int_member(object, "i", 12);
    json_array_add_int_element(json_object_get_array_member(object, "a"), 1);
    json_array_add_string_element(json_object_get_array_member(object, "a"), "two");
    json_array_add_object_element(json_object_get_array_member(object, "a"), json_object_new());
    text = json_to_string(copy, FALSE); /* shares the object */
    g_assert_cmpstr(text, ==,
                    "{\"s\":\"text\",\"none\":null,\"i\":12,\"t\":true,\"o\":{},"
                    "\"a\":[1,\"two\",{}]}");
    g_assert_cmpstr(json_object_get_string_member_with_default(object, "x", "y"), ==, "y");
    g_assert_cmpint(json_object_get_int_member_with_default(object, "i", 3), ==, 12);
    g_assert_false(json_object_get_boolean_member_with_default(object, "x", FALSE));
    g_assert_false(json_object_has_member(object, "x"));
    g_assert_null(json_object_get_member(object, "x"));
    names = json_object_get_members(object);
    g_assert_cmpuint(g_list_length(names), ==, 6);
    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &name, &value)) {
        g_assert_cmpstr(name, ==, g_list_nth_data(names, n++));
        g_assert_true(value == json_object_get_member(object, name));
    }
    g_assert_cmpuint(n, ==, 6);
}

static void test_builder(void)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(GString) out = g_string_new("> ");
    g_autoptr(JsonNode) root = NULL;

    json_builder_begin_object(b);
    json_builder_set_member_name(b, "list");
    json_builder_begin_array(b);
    json_builder_add_int_value(b, 1);
    json_builder_add_string_value(b, NULL);
    json_builder_add_value(b, json_node_init_double(json_node_alloc(), 3));
    json_builder_end_array(b);
    json_builder_set_member_name(b, "yes");
    json_builder_add_boolean_value(b, TRUE);
    json_builder_end_object(b);
    root = json_builder_get_root(b);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    json_generator_set_indent(generator, 1);
    json_generator_to_gstring(generator, out);
    g_assert_cmpstr(out->str, ==,
                    "> {\n \"list\" : [\n  1,\n  null,\n  3.0\n ],\n \"yes\" : true\n}");
}

#ifdef JSON_OWN
static void test_refused(void)
{
    static const char *const rows[] = { "01",          "1.",         "1e",          "+1",
                                        "[1,]",        "{\"a\":1,}", "'a'",         "// x\n1",
                                        "\"\\x\"",     "\"\\u12\"",  "\"\\ud800\"", "\"\\u0000\"",
                                        "\"\\udc00\"", "\"a\nb\"",   "1 2",         "\"\xff\"",
                                        "-1e400" };
    g_autofree char *deep = g_strnfill(1 << 20, '[');
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) why = NULL;

        g_assert_null(json_from_string(rows[i], &why));
        g_assert_error(why, JSON_PARSER_ERROR, JSON_PARSER_ERROR_PARSE);
    }
    g_assert_null(json_from_string(deep, &error));
    g_assert_cmpstr(error->message, ==, "line 1, column 1026: too deep");
}
#endif

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/text/comes-back", test_texts_come_back);
    g_test_add_func("/json/text/layout", test_layout);
    g_test_add_func("/json/text/bad", test_bad_texts);
    g_test_add_func("/json/text/none", test_no_text);
    g_test_add_func("/json/types", test_types);
    g_test_add_func("/json/objects", test_objects);
    g_test_add_func("/json/builder", test_builder);
#ifdef JSON_OWN
    g_test_add_func("/json/text/more-is-refused-than-by-json-glib", test_refused);
#endif
    return g_test_run();
}
