/* SPDX-License-Identifier: GPL-2.0-or-later
 * Between the files of the qtest server: server.c (bytes, lines, log), commands.c (one function per
 * command), memory.c (commands that carry data), wires.c (interrupts).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    QTEST_MAX_WORDS = 6, /* of a command; what follows belongs to the last */
    QTEST_MAX_DATA = 64 << 20,
};

/* One line taken apart at single spaces. Words end in NUL and live in the server's buffer. */
typedef struct {
    char *word[QTEST_MAX_WORDS];
    size_t len[QTEST_MAX_WORDS];
    unsigned n;
} QtestLine;

/* ---- server.c ---- */
/* One line of less than 512 bytes to the client; a newline is added. [any] */
void qtest_send(const char *text);
/* The same; what is longer is cut off. */
void qtest_sendf(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* A line of any length in parts, the last of which ends in a newline; between begin and end the
 * thread does nothing else. [any] */
void qtest_begin_line(void);
void qtest_send_part(const char *text, size_t len);
void qtest_end_line(void);

/* ---- commands.c ---- */
void qtest_command(const QtestLine *line);
/* Word i as a number. FALSE: missing or not one; the client has been told. */
bool qtest_number(const QtestLine *line, unsigned i, uint64_t *value);

/* ---- memory.c; each answers ---- */
void qtest_read(const QtestLine *line);
void qtest_write(const QtestLine *line);
void qtest_b64read(const QtestLine *line);
void qtest_b64write(const QtestLine *line);
void qtest_memset(const QtestLine *line);

/* ---- wires.c ---- */
void qtest_intercept_in(const QtestLine *line);
void qtest_intercept_out(const QtestLine *line);
void qtest_set_irq_in(const QtestLine *line);
/* The device that is listened to goes away. */
void qtest_forget_wires(void);
