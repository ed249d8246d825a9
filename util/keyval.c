/* SPDX-License-Identifier: GPL-2.0-or-later
 * Option text in QEMU's spelling, taken apart once, linear in its length.
 */
#include "util/keyval.h"

#include <string.h>

#include "util/error.h"
#include "util/props.h"

static void pair_free(gpointer data)
{
    KeyValPair *pair = data;

    g_free(pair->key);
    g_free(pair->value);
    g_free(pair);
}

/* Reads up to a single comma (or, in a key, '='), undoubling ",,"; leaves *pos behind it. */
static char *take_word(const char **pos, bool stop_at_equals, bool *at_equals)
{
    GString *word = g_string_new(NULL);
    const char *p = *pos;

    *at_equals = false;
    for (; *p != '\0'; p++) {
        if (*p == ',') {
            if (p[1] != ',') {
                p++;
                break;
            }
            p++;
        } else if (*p == '=' && stop_at_equals) {
            *at_equals = true;
            p++;
            break;
        }
        g_string_append_c(word, *p);
    }
    *pos = p;
    return g_string_free(word, FALSE);
}

KeyVal *keyval_parse(const char *text, const char *implied_key, GError **error)
{
    g_autoptr(KeyVal) kv = g_new0(KeyVal, 1);
    const char *pos = text;

    kv->text = g_strdup(text);
    kv->pairs = g_ptr_array_new_with_free_func(pair_free);
    for (bool first = true; *pos != '\0'; first = false) {
        bool has_value, ignored;
        g_autofree char *key = take_word(&pos, true, &has_value);
        KeyValPair *pair;

        if (*key == '\0') {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "'%s' has an empty key", text);
            return NULL;
        }
        pair = g_new0(KeyValPair, 1);
        if (has_value) {
            pair->key = g_steal_pointer(&key);
            pair->value = take_word(&pos, false, &ignored);
        } else if (first && implied_key != NULL) {
            pair->key = g_strdup(implied_key);
            pair->value = g_steal_pointer(&key);
        } else {
            pair->key = g_steal_pointer(&key);
            pair->value = g_strdup("on");
        }
        g_ptr_array_add(kv->pairs, pair);
    }
    return g_steal_pointer(&kv);
}

const char *keyval_get(const KeyVal *kv, const char *key)
{
    for (unsigned i = kv->pairs->len; i-- > 0;) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (strcmp(pair->key, key) == 0) {
            return pair->value;
        }
    }
    return NULL;
}

const char *keyval_take(KeyVal *kv, const char *key)
{
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (strcmp(pair->key, key) == 0) {
            pair->used = true;
        }
    }
    return keyval_get(kv, key);
}

const char *keyval_unused(const KeyVal *kv)
{
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (!pair->used) {
            return pair->key;
        }
    }
    return NULL;
}

bool keyval_take_bool(KeyVal *kv, const char *key, bool *value, GError **error)
{
    const char *text = keyval_take(kv, key);
    bool parsed;

    if (text == NULL) {
        return true;
    }
    if (!props_parse_bool(text, &parsed)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "%s is '%s' but must be on or off", key,
                    text);
        return false;
    }
    *value = parsed;
    return true;
}

bool keyval_check_keys(const KeyVal *kv, const char *const *valid, GError **error)
{
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (!g_strv_contains(valid, pair->key)) {
            error_set_unknown(error, "property", pair->key, valid);
            return false;
        }
    }
    return true;
}

bool keyval_check_id(const char *id, GError **error)
{
    const char *p = id;

    if (g_ascii_isalpha(*p)) {
        for (p++; g_ascii_isalnum(*p) || (*p != '\0' && strchr("-._", *p) != NULL); p++) {
        }
        if (*p == '\0') {
            return true;
        }
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                "id '%s' is not valid (a letter, then letters, digits, '-', '.' or '_')", id);
    return false;
}

void keyval_free(KeyVal *kv)
{
    if (kv == NULL) {
        return;
    }
    if (kv->pairs != NULL) {
        g_ptr_array_unref(kv->pairs);
    }
    g_free(kv->text);
    g_free(kv);
}
