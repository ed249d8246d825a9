/* SPDX-License-Identifier: GPL-2.0-or-later
 * 'humpy crosvm run ...': crosvm's words for those who have them in scripts. The table says of each
 * what becomes of it; docs/crosvm.md shows it.
 */
#pragma once

#include "verbs.h"

typedef enum { CROSVM_TAKEN, CROSVM_IGNORED, CROSVM_REFUSED } CrosvmFate;

typedef struct {
    const char *name;   /* without dashes */
    const char *letter; /* or NULL */
    const char *arg;    /* synopsis of the value; NULL: takes none */
    CrosvmFate fate;
    const char *what; /* TAKEN: what it becomes. Else: why */
    bool (*take)(Request *r, const char *value, GError **error); /* TAKEN */
} CrosvmFlag;

extern const CrosvmFlag crosvm_flags[]; /* up to one without a name */

bool crosvm_read(Request *r, int argc, char **argv, GError **error);
int run_crosvm(Request *r, GError **error);
