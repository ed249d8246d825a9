/* SPDX-License-Identifier: GPL-2.0-or-later
 * Requirements on versions as Android's VM files write them: comparators of Semantic Versioning,
 * as Cargo understands them.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t part[3]; /* major, minor, patch */
} Semver;

/* FALSE: *error is SYNTAX, text is no requirement. *matches: version fulfils it. Pure. */
bool semver_match(const char *text, Semver version, bool *matches, GError **error);
