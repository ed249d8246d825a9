/* SPDX-License-Identifier: GPL-2.0-or-later
 * Line editing on a terminal that sends its keys one by one: cursor, history, completion. Knows
 * nothing of chardevs: keys in, text to show out, lines out.
 *
 * One thread at a time.
 */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

enum { READLINE_MAX = 4096 }; /* bytes of a line; more keys are refused with a bell */

typedef struct Readline Readline;

typedef struct {
    void (*show)(void *opaque, const char *text, size_t len);
    void (*line)(void *opaque, const char *line);
    /* (optional) Adds the words that complete line's last word to words (char *, owned). */
    void (*complete)(void *opaque, const char *line, GPtrArray *words);
} ReadlineOps;

Readline *readline_new(const char *prompt, const ReadlineOps *ops, void *opaque);
void readline_free(Readline *rl); /* NULL is fine */
/* Shows the prompt and what has been typed so far. */
void readline_show(Readline *rl);
void readline_key(Readline *rl, uint8_t key);
/* Forgets what was typed, keeps the history. */
void readline_reset(Readline *rl);
/* Line n of the history, oldest first, or NULL; borrowed. */
const char *readline_history(Readline *rl, unsigned n);
