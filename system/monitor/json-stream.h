/* SPDX-License-Identifier: GPL-2.0-or-later
 * JSON values out of a stream of bytes that arrive in any pieces. A value is handed out as soon as
 * it is complete, or an error as soon as it is certain that none can come of what was read; after
 * an error reading goes on at the next '{', '[' or control character. Nesting, size and number of
 * values of one message are bounded.
 *
 * RFC 8259, and strings in single quotes as QEMU's monitor takes them. A whole number that int64_t
 * cannot hold becomes a double. Refused: duplicate member names, \u0000, text that is not UTF-8.
 *
 * One thread at a time.
 */
#pragma once

#include <json-glib/json-glib.h>
#include <stddef.h>

enum {
    JSON_STREAM_MAX_DEPTH = 1024,
    JSON_STREAM_MAX_BYTES = 16 << 20,
    JSON_STREAM_MAX_VALUES = 1 << 18,
};

typedef struct JsonStream JsonStream;

/* Either of node and error (HUMPY_ERROR_SYNTAX or _RANGE) is NULL; the other one is taken. May call
 * nothing of the stream. */
typedef void (*JsonStreamFn)(void *opaque, JsonNode *node, GError *error);

JsonStream *json_stream_new(JsonStreamFn fn, void *opaque);
void json_stream_free(JsonStream *stream); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JsonStream, json_stream_free)

void json_stream_feed(JsonStream *stream, const void *bytes, size_t len);
/* The input is at its end: what is incomplete is an error. */
void json_stream_end(JsonStream *stream);
/* Forgets what was begun. */
void json_stream_reset(JsonStream *stream);

/* The one value in text. NULL: *error. */
JsonNode *json_stream_parse(const char *text, GError **error);
