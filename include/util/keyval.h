/* SPDX-License-Identifier: GPL-2.0-or-later
 * QEMU's option text "first,key=value,flag,other=a,,b" taken apart. Commas are doubled inside
 * values; a bare word after the first is key=on; the first bare word takes the implied key.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    char *key;
    char *value;
    bool used; /* set by keyval_take(); what stays unused is an unknown key */
} KeyValPair;

typedef struct {
    char *text;       /* as typed, for messages */
    GPtrArray *pairs; /* of KeyValPair, in the order typed; later duplicates win on lookup */
} KeyVal;

/* Parses text. implied_key names the first bare word (may be NULL: then it is key=on).
 * Returns a new KeyVal or NULL with *error (SYNTAX). */
KeyVal *keyval_parse(const char *text, const char *implied_key, GError **error);

/* Value of key or NULL; borrowed. keyval_take() also marks every pair of that key used. */
const char *keyval_get(const KeyVal *kv, const char *key);
const char *keyval_take(KeyVal *kv, const char *key);

/* Takes key as on or off ("yes", "true", "y" and their opposites too) into *value, which stays as
 * it is where key was not given. FALSE: RANGE error. */
bool keyval_take_bool(KeyVal *kv, const char *key, bool *value, GError **error);

/* FALSE if there is a key that is none of valid (NULL-terminated): UNKNOWN, naming the nearest. */
bool keyval_check_keys(const KeyVal *kv, const char *const *valid, GError **error);

/* An id starts with a letter and goes on with letters, digits, '-', '.' and '_'. Else SYNTAX. */
bool keyval_check_id(const char *id, GError **error);

/* First key nobody took, or NULL. */
const char *keyval_unused(const KeyVal *kv);

void keyval_free(KeyVal *kv);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KeyVal, keyval_free)
