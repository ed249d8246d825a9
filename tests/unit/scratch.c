/* SPDX-License-Identifier: GPL-2.0-or-later
 * See scratch.h.
 */
#include "scratch.h"

#include <glib/gstdio.h>

static char *scratch;

void scratch_make(const char *kind)
{
    g_autofree char *name = g_strdup_printf("humpy-%s-XXXXXX", kind);

    scratch = g_dir_make_tmp(name, NULL);
}

char *path_of(const char *name)
{
    return g_build_filename(scratch, name, NULL);
}

void scratch_remove(void)
{
    g_autoptr(GDir) dir = g_dir_open(scratch, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = path_of(name);

        g_unlink(path);
    }
    g_rmdir(scratch);
    g_free(scratch);
}
