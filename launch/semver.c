/* SPDX-License-Identifier: GPL-2.0-or-later
 * See semver.h. A requirement is comparators with commas between, all of which must hold: an
 * operator (= > >= < <= ~ ^; none means ^) and a version whose last parts can be missing or '*'.
 * What an operator means is a range [low, high).
 */
#include "semver.h"

#include <string.h>

#include "util/error.h"

enum { MAX_PART = 1000000000 };

typedef enum { OP_EXACT, OP_GREATER, OP_GREATER_EQ, OP_LESS, OP_LESS_EQ, OP_TILDE, OP_CARET } Op;

static bool read_part(const char **p, uint64_t *value)
{
    const char *start = *p;

    *value = 0;
    while (g_ascii_isdigit(**p)) {
        *value = *value * 10 + (**p - '0');
        if (*value > MAX_PART) {
            return false;
        }
        (*p)++;
    }
    return *p != start && (*start != '0' || *p == start + 1); /* no leading zeroes */
}

/* -alpha.1+build: identifiers of letters, digits and '-' with dots between, none empty. */
static bool skip_identifiers(const char **p)
{
    bool empty = true;

    for ((*p)++; g_ascii_isalnum(**p) || **p == '-' || **p == '.'; (*p)++) {
        if (**p == '.' && empty) {
            return false;
        }
        empty = **p == '.';
    }
    return !empty;
}

/* *n: how many parts it has. */
static bool read_version(const char **p, Semver *v, unsigned *n, bool *wildcard)
{
    bool wild = false;

    *wildcard = false;
    *v = (Semver){};
    *n = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(v->part); i++) {
        if (i > 0 && **p != '.') {
            break;
        }
        *p += i > 0 ? 1 : 0;
        if (**p == '*' || **p == 'x' || **p == 'X') {
            wild = *wildcard = true;
            (*p)++;
        } else if (wild || !read_part(p, &v->part[i])) {
            return false;
        } else {
            (*n)++;
        }
    }
    if (*n == 3 && **p == '-' && !skip_identifiers(p)) {
        return false;
    }
    return **p != '+' || (*n == 3 && skip_identifiers(p));
}

static Op read_op(const char **p)
{
    static const struct {
        const char *text;
        Op op;
    } ops[] = {
        { ">=", OP_GREATER_EQ }, { "<=", OP_LESS_EQ }, { ">", OP_GREATER }, { "<", OP_LESS },
        { "=", OP_EXACT },       { "~", OP_TILDE },    { "^", OP_CARET },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
        if (g_str_has_prefix(*p, ops[i].text)) {
            *p += strlen(ops[i].text);
            *p += strspn(*p, " ");
            return ops[i].op;
        }
    }
    return OP_CARET;
}

static int compare(const Semver *a, const Semver *b)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(a->part); i++) {
        if (a->part[i] != b->part[i]) {
            return a->part[i] < b->part[i] ? -1 : 1;
        }
    }
    return 0;
}

/* The first version behind all that begin with the first n parts of v. */
static Semver behind(const Semver *v, unsigned n)
{
    Semver next = {};

    for (unsigned i = 0; i < n; i++) {
        next.part[i] = v->part[i];
    }
    if (n > 0) {
        next.part[n - 1]++;
    } else {
        next.part[0] = UINT64_MAX;
    }
    return next;
}

/* How many parts a caret holds fast: up to the first that is not 0. */
static unsigned caret_parts(const Semver *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (v->part[i] != 0) {
            return i + 1;
        }
    }
    return n;
}

static bool holds(Op op, const Semver *v, unsigned n, const Semver *version)
{
    const Semver past = behind(v, n);
    Semver high;

    switch (op) {
    case OP_GREATER:
        return compare(version, &past) >= 0;
    case OP_GREATER_EQ:
        return compare(version, v) >= 0;
    case OP_LESS:
        return compare(version, v) < 0;
    case OP_LESS_EQ:
        return compare(version, &past) < 0;
    case OP_EXACT:
        high = past;
        break;
    case OP_TILDE:
        high = behind(v, MIN(n, 2));
        break;
    default:
        high = behind(v, caret_parts(v, n));
        break;
    }
    return compare(version, v) >= 0 && compare(version, &high) < 0;
}

static bool syntax(const char *text, GError **error)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                "'%s' is no requirement on a semantic version (such as ~1.0 or >=1.2.3, <2)", text);
    return false;
}

bool semver_match(const char *text, Semver version, bool *matches, GError **error)
{
    const char *p = text + strspn(text, " ");

    *matches = true;
    if (*p == '\0') {
        return syntax(text, error);
    }
    while (true) {
        const char *start = p;
        Op op = read_op(&p);
        bool implied = p == start, wild;
        Semver v;
        unsigned n;

        if (!read_version(&p, &v, &n, &wild)) {
            return syntax(text, error);
        }
        op = implied && wild ? OP_EXACT : op; /* 1.2.* is not ^1.2 */
        *matches = *matches && holds(op, &v, n, &version);
        p += strspn(p, " ");
        if (*p == '\0') {
            return true;
        }
        if (*p != ',') {
            return syntax(text, error);
        }
        p++;
        p += strspn(p, " ");
    }
}
