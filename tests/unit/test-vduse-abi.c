/* SPDX-License-Identifier: GPL-2.0-or-later
 * Our <linux/vduse.h> against the one this system's kernel headers bring.
 */
#include <glib.h>
#include <linux/vduse.h>

#ifndef HUMPY_LINUX_VDUSE_H
#error "this must be our header"
#endif

#include "vduse-abi.h"

extern const AbiRow vduse_abi_system[];
static const AbiRow ours[] = { ABI_ROWS };

static void test_row(gconstpointer data)
{
    unsigned i = GPOINTER_TO_UINT(data);

    g_assert_cmpstr(ours[i].name, ==, vduse_abi_system[i].name);
    g_assert_cmphex(ours[i].value, ==, vduse_abi_system[i].value);
}

static void test_nothing_left_out(void)
{
    g_assert_null(vduse_abi_system[G_N_ELEMENTS(ours)].name);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(ours); i++) {
        g_autofree char *path = g_strconcat("/vduse-abi/", ours[i].name, NULL);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_row);
    }
    g_test_add_func("/vduse-abi/nothing-left-out", test_nothing_left_out);
    return g_test_run();
}
