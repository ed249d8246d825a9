/* SPDX-License-Identifier: GPL-2.0-or-later
 * The error domain and the search for the nearest valid spelling.
 */
#include "util/error.h"

#include <string.h>

GQuark humpy_error_quark(void)
{
    return g_quark_from_static_string("humpy-error-quark");
}

void error_set_errno(GError **error, int err, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "%s: %s", text, g_strerror(err));
}

/* Edit distance with adjacent swaps, bounded: words longer than the row are never near. */
static unsigned distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    size_t la = strlen(a), lb = strlen(b);
    unsigned before[MAX], last[MAX], row[MAX];

    if (la + 1 >= MAX || lb + 1 >= MAX) {
        return MAX;
    }
    for (size_t j = 0; j <= lb; j++) {
        last[j] = j;
        before[j] = j;
    }
    for (size_t i = 1; i <= la; i++) {
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned cost = g_ascii_tolower(a[i - 1]) != g_ascii_tolower(b[j - 1]);

            row[j] = MIN(MIN(last[j] + 1, row[j - 1] + 1), last[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = MIN(row[j], before[j - 2] + 1);
            }
        }
        memcpy(before, last, sizeof(last));
        memcpy(last, row, sizeof(row));
    }
    return last[lb];
}

/* One name of which word is the beginning, or that is the beginning of word: 'memory' for 'mem'. */
static const char *related(const char *word, const char *const *names)
{
    enum { ENOUGH = 3 };
    const char *found = NULL;

    for (; *names != NULL; names++) {
        size_t shared = MIN(strlen(word), strlen(*names));

        if (shared >= ENOUGH && g_ascii_strncasecmp(word, *names, shared) == 0) {
            if (found != NULL) {
                return NULL;
            }
            found = *names;
        }
    }
    return found;
}

const char *error_nearest(const char *word, const char *const *names)
{
    const char *const *all = names;
    const char *best = NULL;
    size_t len = strlen(word);
    unsigned best_distance = (len <= 3 ? 1 : MAX(2, len / 3)) + 1;

    for (; *names != NULL; names++) {
        unsigned d = distance(word, *names);

        if (d < best_distance) {
            best = *names;
            best_distance = d;
        }
    }
    return best != NULL ? best : related(word, all);
}

void error_set_unknown(GError **error, const char *what, const char *word, const char *const *names)
{
    const char *near = error_nearest(word, names);

    if (near != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "%s '%s' is not known (did you mean '%s'?)", what, word, near);
    } else {
        g_autofree char *all = g_strjoinv(", ", (char **)names);

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "%s '%s' is not known (valid: %s)",
                    what, word, *all != '\0' ? all : "none");
    }
}
