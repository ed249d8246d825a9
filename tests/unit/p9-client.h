/* SPDX-License-Identifier: GPL-2.0-or-later
 * 9P messages for tests, built and taken apart by a format of one letter for each field: b, w, d, q
 * for 1, 2, 4, 8 bytes, s for a string (const char *; char ** in replies, to be freed).
 */
#pragma once

#include <glib.h>
#include <stdarg.h>
#include <stdint.h>

/* A whole message with its header. */
GByteArray *p9c_message(uint8_t type, uint16_t tag, const char *format, ...);
GByteArray *p9c_message_va(uint8_t type, uint16_t tag, const char *format, va_list ap);
/* Appends bytes and corrects the size. */
void p9c_append(GByteArray *message, const void *data, size_t len);

/* A reply being read; reading behind its end fails the test. */
typedef struct {
    const uint8_t *data;
    size_t len, pos;
} P9cReply;
void p9c_read(P9cReply *r, const char *format, ...);
