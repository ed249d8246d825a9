/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reads a command line of 'crosvm run' by the table in crosvm-table.c.
 */
#include "crosvm.h"

#include <string.h>

#include "run.h"
#include "util/error.h"

static const CrosvmFlag *find_flag(const char *name, size_t len, bool letter)
{
    for (const CrosvmFlag *f = crosvm_flags; f->name != NULL; f++) {
        const char *have = letter ? f->letter : f->name;

        if (have != NULL && strlen(have) == len && strncmp(have, name, len) == 0) {
            return f;
        }
    }
    return NULL;
}

static void set_unknown(const char *typed, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    g_autofree char *name = g_strndup(typed, strcspn(typed, "="));
    const char *near;

    for (const CrosvmFlag *f = crosvm_flags; f->name != NULL; f++) {
        g_ptr_array_add(names, (void *)f->name);
    }
    g_ptr_array_add(names, NULL);
    near = error_nearest(name, (const char *const *)names->pdata);
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                "crosvm's flag '%s' is not known here%s%s%s (docs/crosvm.md lists those that are)",
                name, near != NULL ? ", did you mean '" : "", near != NULL ? near : "",
                near != NULL ? "'?" : "");
}

static bool apply(Request *r, const CrosvmFlag *f, const char *value, GError **error)
{
    switch (f->fate) {
    case CROSVM_IGNORED:
        return true;
    case CROSVM_REFUSED:
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED, "--%s: %s", f->name, f->what);
        return false;
    case CROSVM_TAKEN:
        if (f->take(r, value, error)) {
            return true;
        }
        g_prefix_error(error, "--%s %s: ", f->name, value != NULL ? value : "");
        return false;
    }
    g_assert_not_reached();
}

static bool read_flag(Request *r, int argc, char **argv, int *at, GError **error)
{
    const char *typed = argv[*at];
    bool letter = typed[1] != '-';
    const char *name = typed + (letter ? 1 : 2), *value = NULL;
    size_t len = letter ? strlen(name) : strcspn(name, "=");
    const CrosvmFlag *f = find_flag(name, len, letter);

    if (f == NULL) {
        set_unknown(name, error);
        return false;
    }
    if (!letter && name[len] == '=' && f->arg == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "--%s takes no value", f->name);
        return false;
    }
    if (!letter && name[len] == '=') {
        value = name + len + 1;
    } else if (f->arg != NULL) {
        if (*at + 1 >= argc) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "--%s %s: the value is missing",
                        f->name, f->arg);
            return false;
        }
        value = argv[++*at];
    }
    return apply(r, f, value, error);
}

bool crosvm_read(Request *r, int argc, char **argv, GError **error)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            r->help = true;
        } else if (strcmp(argv[i], "--dry-run") == 0) {
            r->plan->dry_run = true;
        } else if (argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!read_flag(r, argc, argv, &i, error)) {
                return false;
            }
        } else if (r->plan->kernel != NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "'%s' is one word too many",
                        argv[i]);
            return false;
        } else {
            r->plan->kernel = g_strdup(argv[i]);
        }
    }
    return true;
}

int run_crosvm(Request *r, GError **error)
{
    r->plan->no_reboot = true; /* crosvm ends when its guest reboots */
    return plan_check(r->plan, error) ? run_plan(r->plan, error) : -1;
}
