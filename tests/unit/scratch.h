/* SPDX-License-Identifier: GPL-2.0-or-later
 * A folder for the files of one test program.
 */
#pragma once

/* Makes it; its name tells of kind. Once in a program. */
void scratch_make(const char *kind);
/* Where the file of that name is in it. For g_free(). */
char *path_of(const char *name);
/* With all files that are in it then. */
void scratch_remove(void);
