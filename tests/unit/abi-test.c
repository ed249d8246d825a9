/* SPDX-License-Identifier: GPL-2.0-or-later
 * See abi-test.h.
 */
#include "abi-test.h"

#include <glib.h>

static const AbiRow *rows, *expected;

static void test_row(gconstpointer data)
{
    unsigned i = GPOINTER_TO_UINT(data);

    g_assert_cmpstr(rows[i].name, ==, expected[i].name);
    g_assert_cmphex(rows[i].value, ==, expected[i].value);
}

static void test_nothing_left_out(gconstpointer data)
{
    g_assert_null(expected[GPOINTER_TO_UINT(data)].name);
}

int abi_test_main(int argc, char **argv, const char *name, const AbiRow *ours, const AbiRow *system)
{
    g_autofree char *last = g_strdup_printf("/%s/nothing-left-out", name);
    unsigned n = 0;

    g_test_init(&argc, &argv, NULL);
    rows = ours;
    expected = system;
    for (; ours[n].name != NULL; n++) {
        g_autofree char *path = g_strdup_printf("/%s/%s", name, ours[n].name);

        g_test_add_data_func(path, GUINT_TO_POINTER(n), test_row);
    }
    g_test_add_data_func(last, GUINT_TO_POINTER(n), test_nothing_left_out);
    return g_test_run();
}
