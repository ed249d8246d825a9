/* SPDX-License-Identifier: GPL-2.0-or-later
 * Errors on demand (driver blkdebug), in front of another driver. Rules come from a text of
 * sections:
 *
 *     [inject-error]
 *     event = "read_aio"       read_aio, write_aio, flush_to_disk, discard or write_zeroes
 *     errno = "5"              5 (EIO) unless given
 *     sector = "0"             only requests that touch it; else all
 *     once = "on"              only the first time
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "block-priv.h"
#include "util/error.h"
#include "util/iov.h"
#include "util/props.h"

enum { MAX_RULES = 256 };

typedef enum { ON_READ, ON_WRITE, ON_FLUSH, ON_DISCARD, ON_ZEROES, N_EVENTS } Event;

static const char *const event_names[N_EVENTS + 1] = {
    "read_aio", "write_aio", "flush_to_disk", "discard", "write_zeroes", NULL,
};

typedef struct {
    Event event;
    int error;
    bool has_sector;
    uint64_t sector;
    bool once;
    bool spent; /* under the disk's lock */
} Rule;

typedef struct {
    BlockNode image;
    GArray *rules; /* of Rule */
    pthread_mutex_t lock;
} Blkdebug;

/* ---- rules ---- */

static bool set_rule(Rule *rule, const char *key, const char *value, GError **error)
{
    uint64_t number;

    if (strcmp(key, "event") == 0) {
        for (unsigned i = 0; i < N_EVENTS; i++) {
            if (strcmp(event_names[i], value) == 0) {
                rule->event = i;
                return true;
            }
        }
        error_set_unknown(error, "event", value, event_names);
        return false;
    }
    if (strcmp(key, "once") == 0) {
        if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                        "once is '%.40s' but must be on or off", value);
            return false;
        }
        rule->once = strcmp(value, "on") == 0;
        return true;
    }
    if (!props_parse_u64(value, &number, NULL)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "%s is '%.40s', which is no number",
                    key, value);
        return false;
    }
    if (strcmp(key, "sector") == 0) {
        rule->sector = number;
        rule->has_sector = true;
        return true;
    }
    if (number < 1 || number > 4095) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "errno is %" G_GUINT64_FORMAT " but must be 1 to 4095", number);
        return false;
    }
    rule->error = number;
    return true;
}

/* "[name]" */
static bool add_section(Blkdebug *d, const char *line, GError **error)
{
    Rule rule = { .error = 5 };

    if (strcmp(line, "[inject-error]") != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "section '%.40s' is not known (valid: [inject-error])", line);
        return false;
    }
    if (d->rules->len == MAX_RULES) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "there are more than %d rules",
                    MAX_RULES);
        return false;
    }
    g_array_append_val(d->rules, rule);
    return true;
}

/* "key = "value"", quotation marks or not */
static bool add_line(Blkdebug *d, char *line, GError **error)
{
    static const char *const keys[] = { "event", "errno", "sector", "once", NULL };
    char *value = strchr(line, '=');
    size_t len;

    if (value == NULL || d->rules->len == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "'%.40s' is no key = value", line);
        return false;
    }
    *value++ = '\0';
    g_strstrip(line);
    g_strstrip(value);
    len = strlen(value);
    if (len >= 2 && *value == '"' && value[len - 1] == '"') {
        value[len - 1] = '\0';
        value++;
    }
    if (!g_strv_contains(keys, line)) {
        error_set_unknown(error, "key", line, keys);
        return false;
    }
    return set_rule(&g_array_index(d->rules, Rule, d->rules->len - 1), line, value, error);
}

static bool read_rules(Blkdebug *d, const char *text, GError **error)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (unsigned i = 0; lines[i] != NULL; i++) {
        char *line = g_strstrip(lines[i]);

        if (*line == '\0' || *line == '#') {
            continue;
        }
        if (*line == '[' ? !add_section(d, line, error) : !add_line(d, line, error)) {
            g_prefix_error(error, "line %u of the rules: ", i + 1);
            return false;
        }
    }
    return true;
}

/* ---- requests ---- */

/* The error that a rule asks for, or 0. */
static int injected(Blkdebug *d, Event event, uint64_t offset, uint64_t length)
{
    int result = 0;

    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < d->rules->len && result == 0; i++) {
        Rule *rule = &g_array_index(d->rules, Rule, i);
        uint64_t first = offset / BLOCK_SECTOR_SIZE, n = length / BLOCK_SECTOR_SIZE;

        if (rule->event != event || rule->spent ||
            (rule->has_sector && (rule->sector < first || rule->sector - first >= n))) {
            continue;
        }
        rule->spent = rule->once;
        result = -rule->error;
    }
    pthread_mutex_unlock(&d->lock);
    return result;
}

static int blkdebug_preadv(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    Blkdebug *d = state;
    int result = injected(d, ON_READ, offset, iov_size(iov, n));

    return result != 0 ? result : d->image.driver->preadv(d->image.state, offset, iov, n);
}

static int blkdebug_pwritev(void *state, uint64_t offset, const struct iovec *iov, unsigned n)
{
    Blkdebug *d = state;
    int result = injected(d, ON_WRITE, offset, iov_size(iov, n));

    return result != 0 ? result : d->image.driver->pwritev(d->image.state, offset, iov, n);
}

static int blkdebug_flush(void *state)
{
    Blkdebug *d = state;
    int result = injected(d, ON_FLUSH, 0, 0);

    return result != 0 ? result : d->image.driver->flush(d->image.state);
}

static int blkdebug_discard(void *state, uint64_t offset, uint64_t length)
{
    Blkdebug *d = state;
    int result = injected(d, ON_DISCARD, offset, length);

    return result != 0 ? result : d->image.driver->discard(d->image.state, offset, length);
}

static int blkdebug_write_zeroes(void *state, uint64_t offset, uint64_t length, bool may_unmap)
{
    Blkdebug *d = state;
    int result = injected(d, ON_ZEROES, offset, length);

    return result != 0 ? result
                       : d->image.driver->write_zeroes(d->image.state, offset, length, may_unmap);
}

static void blkdebug_close(void *state)
{
    Blkdebug *d = state;

    if (d->image.driver != NULL) {
        d->image.driver->close(d->image.state);
    }
    g_array_unref(d->rules);
    pthread_mutex_destroy(&d->lock);
    g_free(d);
}

static const BlockDriver blkdebug_driver = {
    .name = "blkdebug",
    .preadv = blkdebug_preadv,
    .pwritev = blkdebug_pwritev,
    .flush = blkdebug_flush,
    .discard = blkdebug_discard,
    .write_zeroes = blkdebug_write_zeroes,
    .close = blkdebug_close,
};

bool blkdebug_open(const BlockOptions *options, BlockNode *node, GError **error)
{
    Blkdebug *d = g_new0(Blkdebug, 1);

    d->rules = g_array_new(FALSE, FALSE, sizeof(Rule));
    pthread_mutex_init(&d->lock, NULL);
    if ((options->rules != NULL && !read_rules(d, options->rules, error)) ||
        !block_open_node(options->image, &d->image, error)) {
        blkdebug_close(d);
        return false;
    }
    *node = (BlockNode){
        .driver = &blkdebug_driver,
        .state = d,
        .length = d->image.length,
        .read_only = d->image.read_only,
    };
    return true;
}
