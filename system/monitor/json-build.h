/* SPDX-License-Identifier: GPL-2.0-or-later
 * Puts JSON values together from tokens: the grammar, without recursion. For json-stream.c only.
 */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

typedef struct JsonBuild JsonBuild;

JsonBuild *json_build_new(void);
void json_build_free(JsonBuild *build);
void json_build_reset(JsonBuild *build);
/* Nothing is begun. */
bool json_build_is_idle(const JsonBuild *build);

/* The next token. FALSE: the grammar does not allow it here, or a bound is passed; reset is next.
 */
bool json_build_mark(JsonBuild *build, char mark, GError **error); /* one of {}[],: */
bool json_build_string(JsonBuild *build, const char *text, GError **error);
bool json_build_number(JsonBuild *build, const char *text, GError **error);
bool json_build_word(JsonBuild *build, const char *text, GError **error);

/* The value that the last token completed, or NULL. */
JsonNode *json_build_take(JsonBuild *build);
