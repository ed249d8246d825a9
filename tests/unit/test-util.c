/* SPDX-License-Identifier: GPL-2.0-or-later
 * The helpers below everything else: numbers and sizes as typed, option text, spelling, scatter
 * lists. Properties of objects are tested where there are objects (test-device, test-virt).
 */
#include <string.h>

#include "util/error.h"
#include "util/iov.h"
#include "util/keyval.h"
#include "util/props.h"

#define GIB (UINT64_C(1) << 30)

/* ---- numbers ---- */

static void test_sizes(void)
{
    static const struct {
        const char *text;
        char suffix;
        uint64_t bytes;
    } rows[] = {
        { "0", '\0', 0 },
        { "4096", '\0', 4096 },
        { "4096", 'M', 4096 * UINT64_C(1048576) },
        { "1B", 'M', 1 },
        { "64k", '\0', 65536 },
        { "1.5G", '\0', GIB + GIB / 2 },
        { "0.25", 'M', 262144 },
        { "2GiB", '\0', 2 * GIB },
        { "0x10", '\0', 16 },
        { "0x10M", '\0', 16 << 20 },
        { "010", '\0', 10 }, /* no octal in sizes, as on QEMU */
        { "089", '\0', 89 },
        { "15E", '\0', 15 * GIB * GIB },
        { "18446744073709551615", '\0', UINT64_MAX },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        uint64_t bytes;

        g_test_message("%s", rows[i].text);
        props_parse_size(rows[i].text, rows[i].suffix, &bytes, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(bytes, ==, rows[i].bytes);
    }
}

static void test_wrong_sizes(void)
{
    static const struct {
        const char *text;
        int code;
    } rows[] = {
        { "", HUMPY_ERROR_SYNTAX },
        { "-1", HUMPY_ERROR_SYNTAX },
        { "+1", HUMPY_ERROR_SYNTAX },
        { " 1", HUMPY_ERROR_SYNTAX },
        { "M", HUMPY_ERROR_SYNTAX },
        { "1X", HUMPY_ERROR_SYNTAX },
        { "1MM", HUMPY_ERROR_SYNTAX },
        { "1.M", HUMPY_ERROR_SYNTAX },
        { "1.5", HUMPY_ERROR_SYNTAX }, /* of a byte */
        { "1.5e300", HUMPY_ERROR_SYNTAX },
        { "1.5e3G", HUMPY_ERROR_SYNTAX },
        { "0x1.8M", HUMPY_ERROR_SYNTAX },
        { "0x", HUMPY_ERROR_SYNTAX },
        { "16E", HUMPY_ERROR_RANGE },
        { "15.99999999999999999999E", HUMPY_ERROR_RANGE },
        { "18446744073709551616", HUMPY_ERROR_SYNTAX },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        uint64_t bytes = 77;

        g_test_message("%s", rows[i].text);
        g_assert_false(props_parse_size(rows[i].text, '\0', &bytes, &error));
        g_assert_error(error, HUMPY_ERROR, rows[i].code);
        g_assert_cmpuint(bytes, ==, 77);
    }
}

static void test_numbers(void)
{
    static const char *const bad[] = { "",   "-1",  "+1",
                                       " 1", "1 ",  "0x",
                                       "x",  "1.0", "18446744073709551616" };
    uint64_t value = 77;

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(props_parse_u64(bad[i], &value, &error));
        g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX);
        g_assert_cmpuint(value, ==, 77);
    }
    g_assert_true(props_parse_u64("18446744073709551615", &value, NULL));
    g_assert_cmpuint(value, ==, UINT64_MAX);
    g_assert_true(props_parse_u64("0xff", &value, NULL));
    g_assert_cmpuint(value, ==, 255);
}

/* ---- option text ---- */

static void check_pair(const KeyVal *kv, unsigned i, const char *key, const char *value)
{
    const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

    g_assert_cmpstr(pair->key, ==, key);
    g_assert_cmpstr(pair->value, ==, value);
}

static void test_commas_are_doubled(void)
{
    g_autoptr(KeyVal) kv = keyval_parse("a,,b,file=c,,,flag,x=1=2,", "first", NULL);

    g_assert_cmpuint(kv->pairs->len, ==, 4);
    check_pair(kv, 0, "first", "a,b");
    check_pair(kv, 1, "file", "c,");
    check_pair(kv, 2, "flag", "on");
    check_pair(kv, 3, "x", "1=2");
}

static void test_empty_keys_are_refused(void)
{
    static const char *const bad[] = { "=1", "a=1,=2", ",a=1" };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(keyval_parse(bad[i], NULL, &error));
        g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX);
    }
}

static void test_later_keys_win_and_all_are_used(void)
{
    g_autoptr(KeyVal) kv = keyval_parse("a=1,b=2,a=3", NULL, NULL);

    g_assert_cmpstr(keyval_take(kv, "a"), ==, "3");
    g_assert_cmpstr(keyval_unused(kv), ==, "b");
    g_assert_cmpstr(keyval_take(kv, "b"), ==, "2");
    g_assert_null(keyval_unused(kv));
}

/* ---- spelling ---- */

static void test_nearest_spelling(void)
{
    static const char *const names[] = { "virtio", "none", "kernel", NULL };

    g_assert_cmpstr(error_nearest("vritio", names), ==, "virtio");
    g_assert_cmpstr(error_nearest("KERNEL", names), ==, "kernel");
    g_assert_cmpstr(error_nearest("kern", names), ==, "kernel");
    g_assert_cmpstr(error_nearest("kernel-image", names), ==, "kernel");
    g_assert_null(error_nearest("ke", names));
    g_assert_null(error_nearest("foo", (const char *const[]){ "mon", "log", NULL }));
    g_assert_cmpstr(error_nearest("olg", (const char *const[]){ "mon", "log", NULL }), ==, "log");
    g_assert_null(error_nearest("something", names));
    g_assert_null(error_nearest("a word that is far longer than anything the table of the distances"
                                " has room for",
                                names));
}

static void test_domain_has_its_name(void)
{
    g_assert_cmpstr(g_quark_to_string(HUMPY_ERROR), ==, "humpy-error-quark");
}

/* ---- scatter lists ---- */

static void test_copies_cross_entries(void)
{
    char a[3] = "abc", b[1] = "d", c[4] = "efgh", out[8] = "";
    struct iovec iov[] = { { a, 3 }, { NULL, 0 }, { b, 1 }, { c, 4 } };

    g_assert_cmpuint(iov_size(iov, 4), ==, 8);
    g_assert_cmpuint(iov_to_buf(iov, 4, 2, out, 4), ==, 4);
    g_assert_cmpmem(out, 4, "cdef", 4);
    g_assert_cmpuint(iov_to_buf(iov, 4, 6, out, 8), ==, 2);
    g_assert_cmpuint(iov_from_buf(iov, 4, 1, "1234", 4), ==, 4);
    g_assert_cmpmem(a, 3, "a12", 3);
    g_assert_cmpmem(b, 1, "3", 1);
    g_assert_cmpmem(c, 4, "4fgh", 4);
    g_assert_cmpuint(iov_from_buf(iov, 4, 8, "x", 1), ==, 0);
}

static void test_slice_in_place(void)
{
    char a[3], b[5];
    struct iovec iov[] = { { a, 3 }, { b, 5 } };

    g_assert_cmpuint(iov_slice(iov, iov, 2, 2, 3), ==, 2);
    g_assert_true(iov[0].iov_base == a + 2 && iov[0].iov_len == 1);
    g_assert_true(iov[1].iov_base == b && iov[1].iov_len == 2);
    g_assert_cmpuint(iov_slice(iov, iov, 2, 1, 9), ==, 1);
    g_assert_true(iov[0].iov_base == b && iov[0].iov_len == 2);
    g_assert_cmpuint(iov_slice(iov, iov, 1, 2, 1), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/util/size/as-typed", test_sizes);
    g_test_add_func("/util/size/wrong-ones-change-nothing", test_wrong_sizes);
    g_test_add_func("/util/number/nothing-around-it", test_numbers);
    g_test_add_func("/util/keyval/commas-are-doubled", test_commas_are_doubled);
    g_test_add_func("/util/keyval/empty-keys-are-refused", test_empty_keys_are_refused);
    g_test_add_func("/util/keyval/later-keys-win-and-all-are-used",
                    test_later_keys_win_and_all_are_used);
    g_test_add_func("/util/error/nearest-spelling", test_nearest_spelling);
    g_test_add_func("/util/error/domain-has-its-name", test_domain_has_its_name);
    g_test_add_func("/util/iov/copies-cross-entries", test_copies_cross_entries);
    g_test_add_func("/util/iov/slice-in-place", test_slice_in_place);
    return g_test_run();
}
