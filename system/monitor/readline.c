/* SPDX-License-Identifier: GPL-2.0-or-later
 * Keys of an ECMA-48 terminal: Ctrl-A E B F (start, end, left, right), Ctrl-P N and arrows
 * (history), Ctrl-H, Backspace, Ctrl-D, Delete, Ctrl-K U W, Ctrl-L, Tab.
 */
#include "readline.h"

#include <stdbool.h>
#include <string.h>

enum { HISTORY = 100 };

typedef enum { KEY_PLAIN, KEY_ESCAPE, KEY_CSI } KeyState;

struct Readline {
    const char *prompt;
    const ReadlineOps *ops;
    void *opaque;
    GString *line;
    size_t cursor;
    GPtrArray *history; /* of char *, oldest first */
    unsigned at;        /* in the history; its length: the line being typed */
    char *typed;        /* that line, while an older one is shown */
    KeyState state;
    char parameter; /* of the CSI sequence: its first digit */
    bool after_cr;
};

Readline *readline_new(const char *prompt, const ReadlineOps *ops, void *opaque)
{
    Readline *rl = g_new0(Readline, 1);

    rl->prompt = prompt;
    rl->ops = ops;
    rl->opaque = opaque;
    rl->line = g_string_new(NULL);
    rl->history = g_ptr_array_new_with_free_func(g_free);
    return rl;
}

void readline_free(Readline *rl)
{
    if (rl == NULL) {
        return;
    }
    g_string_free(rl->line, TRUE);
    g_ptr_array_unref(rl->history);
    g_free(rl->typed);
    g_free(rl);
}

const char *readline_history(Readline *rl, unsigned n)
{
    return n < rl->history->len ? g_ptr_array_index(rl->history, n) : NULL;
}

void readline_reset(Readline *rl)
{
    g_string_set_size(rl->line, 0);
    rl->cursor = 0;
    rl->at = rl->history->len;
    g_clear_pointer(&rl->typed, g_free);
    rl->state = KEY_PLAIN;
}

/* ---- showing ---- */

static void show(Readline *rl, const char *text, size_t len)
{
    rl->ops->show(rl->opaque, text, len);
}

static bool is_continuation(char c)
{
    return (c & 0xc0) == 0x80; /* a later byte of a character in UTF-8 */
}

static unsigned width(const char *text, size_t len)
{
    unsigned n = 0;

    for (size_t i = 0; i < len; i++) {
        n += !is_continuation(text[i]);
    }
    return n;
}

void readline_show(Readline *rl)
{
    g_autoptr(GString) out = g_string_new("\r");
    unsigned behind = width(rl->line->str + rl->cursor, rl->line->len - rl->cursor);

    g_string_append(out, rl->prompt);
    g_string_append_len(out, rl->line->str, rl->line->len);
    g_string_append(out, "\033[K");
    if (behind > 0) {
        g_string_append_printf(out, "\033[%uD", behind);
    }
    show(rl, out->str, out->len);
}

static void bell(Readline *rl)
{
    show(rl, "\a", 1);
}

/* ---- editing ---- */

static void insert(Readline *rl, const char *text, size_t len)
{
    if (rl->line->len + len > READLINE_MAX) {
        bell(rl);
        return;
    }
    g_string_insert_len(rl->line, rl->cursor, text, len);
    rl->cursor += len;
    if (rl->cursor == rl->line->len) {
        show(rl, text, len);
    } else {
        readline_show(rl);
    }
}

static size_t before(const Readline *rl, size_t at)
{
    while (at > 0 && is_continuation(rl->line->str[--at])) {
    }
    return at;
}

static size_t behind(const Readline *rl, size_t at)
{
    if (at < rl->line->len) {
        at++;
    }
    while (at < rl->line->len && is_continuation(rl->line->str[at])) {
        at++;
    }
    return at;
}

static size_t word_start(const Readline *rl)
{
    size_t at = rl->cursor;

    while (at > 0 && rl->line->str[at - 1] == ' ') {
        at--;
    }
    while (at > 0 && rl->line->str[at - 1] != ' ') {
        at--;
    }
    return at;
}

static void erase(Readline *rl, size_t from, size_t to)
{
    g_string_erase(rl->line, from, to - from);
    rl->cursor = from;
    readline_show(rl);
}

static void move(Readline *rl, size_t to)
{
    rl->cursor = to;
    readline_show(rl);
}

static void recall(Readline *rl, unsigned at)
{
    const char *text;

    if (at > rl->history->len) {
        bell(rl);
        return;
    }
    if (rl->at == rl->history->len) {
        g_free(rl->typed);
        rl->typed = g_strdup(rl->line->str);
    }
    rl->at = at;
    text = at < rl->history->len ? g_ptr_array_index(rl->history, at) : rl->typed;
    g_string_assign(rl->line, text);
    move(rl, rl->line->len);
}

static void remember(Readline *rl, const char *line)
{
    const char *last = rl->history->len > 0 ? readline_history(rl, rl->history->len - 1) : NULL;

    if (*line == '\0' || g_strcmp0(last, line) == 0) {
        return;
    }
    if (rl->history->len == HISTORY) {
        g_ptr_array_remove_index(rl->history, 0);
    }
    g_ptr_array_add(rl->history, g_strdup(line));
}

static void enter(Readline *rl)
{
    g_autofree char *line = g_strdup(rl->line->str);

    show(rl, "\r\n", 2);
    remember(rl, line);
    readline_reset(rl);
    rl->ops->line(rl->opaque, line);
}

/* ---- completion ---- */

static size_t common_length(const GPtrArray *words)
{
    const char *first = g_ptr_array_index(words, 0);
    size_t n = strlen(first);

    for (unsigned i = 1; i < words->len; i++) {
        const char *word = g_ptr_array_index(words, i);
        size_t k = 0;

        while (k < n && word[k] == first[k]) {
            k++;
        }
        n = k;
    }
    return n;
}

static void complete(Readline *rl)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *part = g_strndup(rl->line->str, rl->cursor);
    const char *space = strrchr(part, ' ');
    size_t typed = strlen(space != NULL ? space + 1 : part), common;

    if (rl->ops->complete != NULL) {
        rl->ops->complete(rl->opaque, part, words);
    }
    if (words->len == 0) {
        bell(rl);
        return;
    }
    common = common_length(words);
    if (common > typed) {
        insert(rl, (const char *)g_ptr_array_index(words, 0) + typed, common - typed);
    }
    if (words->len == 1) {
        insert(rl, " ", 1);
    } else if (common <= typed) {
        g_autofree char *all = NULL;

        g_ptr_array_add(words, NULL);
        all = g_strjoinv("  ", (char **)words->pdata);
        show(rl, "\r\n", 2);
        show(rl, all, strlen(all));
        show(rl, "\r\n", 2);
        readline_show(rl);
    }
}

/* ---- keys ---- */

static void control(Readline *rl, uint8_t key)
{
    switch (key) {
    case 'A' & 0x1f:
        move(rl, 0);
        break;
    case 'B' & 0x1f:
        move(rl, before(rl, rl->cursor));
        break;
    case 'D' & 0x1f:
        erase(rl, rl->cursor, behind(rl, rl->cursor));
        break;
    case 'E' & 0x1f:
        move(rl, rl->line->len);
        break;
    case 'F' & 0x1f:
        move(rl, behind(rl, rl->cursor));
        break;
    case 'H' & 0x1f:
    case 0x7f:
        erase(rl, before(rl, rl->cursor), rl->cursor);
        break;
    case '\t':
        complete(rl);
        break;
    case 'K' & 0x1f:
        erase(rl, rl->cursor, rl->line->len);
        break;
    case 'L' & 0x1f:
        show(rl, "\033[2J\033[H", 7);
        readline_show(rl);
        break;
    case 'N' & 0x1f:
        recall(rl, rl->at + 1);
        break;
    case 'P' & 0x1f:
        recall(rl, rl->at - 1); /* below 0 is above the length */
        break;
    case 'U' & 0x1f:
        erase(rl, 0, rl->cursor);
        break;
    case 'W' & 0x1f:
        erase(rl, word_start(rl), rl->cursor);
        break;
    case 0x1b:
        rl->state = KEY_ESCAPE;
        break;
    default:
        break;
    }
}

static void sequence(Readline *rl, uint8_t final)
{
    switch (final) {
    case 'A':
        control(rl, 'P' & 0x1f);
        break;
    case 'B':
        control(rl, 'N' & 0x1f);
        break;
    case 'C':
        control(rl, 'F' & 0x1f);
        break;
    case 'D':
        control(rl, 'B' & 0x1f);
        break;
    case 'H':
        control(rl, 'A' & 0x1f);
        break;
    case 'F':
        control(rl, 'E' & 0x1f);
        break;
    case '~':
        if (rl->parameter == '3') {
            control(rl, 'D' & 0x1f);
        } else if (rl->parameter == '1' || rl->parameter == '7') {
            control(rl, 'A' & 0x1f);
        } else if (rl->parameter == '4' || rl->parameter == '8') {
            control(rl, 'E' & 0x1f);
        }
        break;
    default:
        break;
    }
}

void readline_key(Readline *rl, uint8_t key)
{
    char c = key;
    bool after_cr = rl->after_cr;

    rl->after_cr = key == '\r';
    switch (rl->state) {
    case KEY_PLAIN:
        break;
    case KEY_ESCAPE:
        rl->state = key == '[' || key == 'O' ? KEY_CSI : KEY_PLAIN;
        rl->parameter = 0;
        return;
    case KEY_CSI:
        if (key >= 0x40 && key <= 0x7e) {
            rl->state = KEY_PLAIN;
            sequence(rl, key);
        } else if (rl->parameter == 0) {
            rl->parameter = key;
        }
        return;
    }
    if (key == '\r' || (key == '\n' && !after_cr)) {
        enter(rl);
    } else if (key < 0x20 || key == 0x7f) {
        if (key != '\n') {
            control(rl, key);
        }
    } else {
        insert(rl, &c, 1);
    }
}
