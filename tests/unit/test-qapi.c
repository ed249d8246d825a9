/* SPDX-License-Identifier: GPL-2.0-or-later
 * What gen.py makes of a schema, and arguments checked against it: types, ranges, required and
 * unknown members, enumerations, variants, alternates, and that the message says where.
 */
#include "qapi/qapi.h"

#include "qapi-commands.h"
#include "util/error.h"

#define HANDLER(name)                                                                              \
    JsonNode *qmp_##name(JsonObject *args, GError **error)                                         \
    {                                                                                              \
        return NULL;                                                                               \
    }
HANDLER(basic)
HANDLER(need)
HANDLER(open_ended)
HANDLER(shapes)
HANDLER(by_name)
HANDLER(either)

static bool check(const char *command, const char *args, GError **error)
{
    g_autoptr(JsonNode) node = json_from_string(args, error);

    g_assert_nonnull(node);
    return qapi_check_args(qmp_command_find(command), json_node_get_object(node), error);
}

static void good(const char *command, const char *args)
{
    g_autoptr(GError) error = NULL;

    if (!check(command, args, &error)) {
        g_error("%s %s: %s", command, args, error->message);
    }
}

static void bad(const char *command, const char *args, int code, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(check(command, args, &error));
    g_assert_error(error, HUMPY_ERROR, code);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_types(void)
{
    static const char *const values[] = { "\"x\"", "1", "1.5", "true", "null", "[]", "{}" };
    static const struct {
        const char *name, *takes; /* y: the value in that column is right */
    } rows[] = {
        { "s", "ynnnnnn" }, { "i", "nynnnnn" },     { "n", "nyynnnn" },  { "b", "nnnynnn" },
        { "z", "nnnnynn" }, { "a", "yyyyyyy" },     { "u8", "nynnnnn" }, { "list", "nnnnnyn" },
        { "e", "nnnnnnn" }, { "lists", "nnnnnyn" },
    };

    for (unsigned r = 0; r < G_N_ELEMENTS(rows); r++) {
        for (unsigned v = 0; v < G_N_ELEMENTS(values); v++) {
            g_autofree char *args = g_strdup_printf("{\"%s\": %s}", rows[r].name, values[v]);
            g_autoptr(GError) error = NULL;
            bool ok = check("basic", args, &error);

            if (ok != (rows[r].takes[v] == 'y')) {
                g_error("%s: %s", args, ok ? "taken" : error->message);
            }
        }
    }
}

static void test_ranges(void)
{
    good("basic", "{\"u8\": 0}");
    good("basic", "{\"u8\": 255, \"i16\": -32768, \"limited\": -2}");
    good("basic", "{\"i\": -9223372036854775807, \"size\": 9223372036854775807, \"limited\": 5}");
    bad("basic", "{\"u8\": 256}", HUMPY_ERROR_RANGE, "argument 'u8' is 256 but must be 0 to 255");
    bad("basic", "{\"u8\": -1}", HUMPY_ERROR_RANGE, "argument 'u8' is -1 but must be 0 to 255");
    bad("basic", "{\"size\": -1}", HUMPY_ERROR_RANGE,
        "argument 'size' is -1 but must be 0 to 9223372036854775807");
    bad("basic", "{\"i16\": 32768}", HUMPY_ERROR_RANGE,
        "argument 'i16' is 32768 but must be -32768 to 32767");
    bad("basic", "{\"limited\": 6}", HUMPY_ERROR_RANGE,
        "argument 'limited' is 6 but must be -2 to 5");
}

static void test_members(void)
{
    good("need", "{\"must\": \"x\"}");
    good("need", "{\"must\": \"x\", \"may\": \"y\"}");
    bad("need", "{\"may\": \"x\"}", HUMPY_ERROR_MISSING, "argument 'must' is missing");
    bad("need", "{\"must\": null}", HUMPY_ERROR_SYNTAX, "argument 'must' must be a string");
    bad("need", "{\"must\": \"x\", \"other\": 1}", HUMPY_ERROR_UNKNOWN,
        "argument 'other' is not known here");
    good("open-ended", "{\"must\": \"x\", \"other\": [1]}");
    bad("open-ended", "{\"other\": 1}", HUMPY_ERROR_MISSING, "argument 'must' is missing");
}

static void test_enums(void)
{
    good("basic", "{\"e\": \"green\"}");
    bad("basic", "{\"e\": \"gren\"}", HUMPY_ERROR_UNKNOWN,
        "argument 'e': value 'gren' is not known (did you mean 'green'?)");
    bad("basic", "{\"e\": \"\"}", HUMPY_ERROR_UNKNOWN,
        "argument 'e': value '' is not known (valid: red, green)");
}

static void test_arrays_say_where(void)
{
    good("basic", "{\"list\": [1, 2], \"lists\": [[], [\"a\", \"b\"]]}");
    bad("basic", "{\"list\": [1, \"2\"]}", HUMPY_ERROR_SYNTAX,
        "argument 'list[1]' must be a whole number");
    bad("basic", "{\"lists\": [[\"a\"], [\"b\", 3]]}", HUMPY_ERROR_SYNTAX,
        "argument 'lists[1][1]' must be a string");
}

static void test_variants(void)
{
    good("shapes", "{\"shape\": {\"kind\": \"red\", \"depth\": 3, \"note\": \"n\"}}");
    good("shapes", "{\"shape\": {\"kind\": \"green\"}}");
    bad("shapes", "{\"shape\": {\"kind\": \"red\"}}", HUMPY_ERROR_MISSING,
        "argument 'shape.depth' is missing");
    bad("shapes", "{\"shape\": {\"kind\": \"green\", \"depth\": 3}}", HUMPY_ERROR_UNKNOWN,
        "argument 'shape.depth' is not known here");
    bad("shapes", "{\"shape\": {\"depth\": 3}}", HUMPY_ERROR_MISSING,
        "argument 'shape.kind' is missing");
    bad("shapes", "{\"shape\": {\"kind\": 1}}", HUMPY_ERROR_SYNTAX,
        "argument 'shape.kind' must be a string");
    bad("shapes",
        "{\"shape\": {\"kind\": \"green\"}, \"more\": [{\"kind\": \"red\", \"depth\": 300}]}",
        HUMPY_ERROR_RANGE, "argument 'more[0].depth' is 300 but must be 0 to 255");
    good("by-name", "{\"kind\": \"red\", \"depth\": 3}");
    bad("by-name", "{\"kind\": \"red\"}", HUMPY_ERROR_MISSING, "argument 'depth' is missing");
}

static void test_alternates(void)
{
    good("either", "{\"what\": \"x\"}");
    good("either", "{\"what\": {\"kind\": \"green\"}}");
    bad("either", "{\"what\": {\"kind\": \"blue\"}}", HUMPY_ERROR_UNKNOWN,
        "argument 'what.kind': value 'blue' is not known (valid: red, green)");
    bad("either", "{\"what\": 1}", HUMPY_ERROR_SYNTAX,
        "argument 'what' must be a string or an object");
}

static void test_tables(void)
{
    g_autoptr(JsonNode) schema = json_from_string(qmp_schema_text, NULL);

    g_assert_cmpuint(qmp_n_commands, ==, 6);
    g_assert_null(qmp_command_find("bas"));
    g_assert_null(qmp_command_find(""));
    g_assert_cmpuint(qmp_command_find("shapes")->flags, ==, QMP_ALLOW_OOB);
    g_assert_true(qmp_command_find("open-ended")->handler == qmp_open_ended);
    g_assert_cmpuint(qmp_event_find("DONE")->rate_ms, ==, 50);
    g_assert_cmpstr(qmp_event_find("DONE")->rate_key, ==, "id");
    g_assert_null(qmp_event_find("GONE"));
    g_assert_nonnull(schema);
    g_assert_true(JSON_NODE_HOLDS_ARRAY(schema));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qapi/types", test_types);
    g_test_add_func("/qapi/ranges", test_ranges);
    g_test_add_func("/qapi/members", test_members);
    g_test_add_func("/qapi/enums", test_enums);
    g_test_add_func("/qapi/arrays-say-where", test_arrays_say_where);
    g_test_add_func("/qapi/variants", test_variants);
    g_test_add_func("/qapi/alternates", test_alternates);
    g_test_add_func("/qapi/tables", test_tables);
    return g_test_run();
}
