/* SPDX-License-Identifier: GPL-2.0-or-later
 * Text to steps for the scripted engine (grammar: include/models/engine-script.h).
 */
#include <string.h>

#include "parse.h"
#include "util/error.h"
#include "util/props.h"

static const struct {
    const char *word;
    StepKind kind;
} plain_words[] = {
    { "wfi", STEP_WFI },     { "spin", STEP_SPIN },     { "off", STEP_OFF },
    { "reset", STEP_RESET }, { "reset2", STEP_RESET2 }, { "error", STEP_ERROR },
    { "loop", STEP_LOOP },
};

static bool parse_access(char **words, guint n, Step *step)
{
    const char *op = words[0];

    if (!strchr("rwio", op[0]) || !op[0] || !op[1] || op[2]) {
        return false;
    }
    step->kind = op[0] == 'w' || op[0] == 'o' ? STEP_WRITE : STEP_READ;
    step->port = op[0] == 'i' || op[0] == 'o';
    step->len = op[1] - '0';
    if (step->port && step->len == 8) {
        return false;
    }
    if (step->len != 1 && step->len != 2 && step->len != 4 && step->len != 8) {
        return false;
    }
    if (n != (step->kind == STEP_WRITE ? 3 : 2) || !props_parse_u64(words[1], &step->addr, NULL)) {
        return false;
    }
    return step->kind == STEP_READ || props_parse_u64(words[2], &step->data, NULL);
}

static bool parse_step(char **words, guint n, Step *step)
{
    if (n == 2 && g_str_equal(words[0], "on")) {
        step->kind = STEP_ON;
        return props_parse_u64(words[1], &step->addr, NULL) && step->addr < SCRIPT_MAX_VCPUS;
    }
    for (unsigned i = 0; n == 1 && i < G_N_ELEMENTS(plain_words); i++) {
        if (g_str_equal(words[0], plain_words[i].word)) {
            step->kind = plain_words[i].kind;
            return true;
        }
    }
    return parse_access(words, n, step);
}

/* "2:" at the start of a step. */
static bool parse_vcpu_prefix(const char *word, unsigned *vcpu)
{
    if (!g_ascii_isdigit(word[0]) || word[1] != ':' || word[2] || word[0] - '0' >= 8) {
        return false;
    }
    *vcpu = word[0] - '0';
    return true;
}

Script *script_parse(const char *text, GError **error)
{
    g_autoptr(Script) script = g_new0(Script, 1);
    g_auto(GStrv) parts = g_strsplit_set(text ? text : "", ";\n", -1);
    unsigned vcpu = 0;

    for (unsigned i = 0; i < SCRIPT_MAX_VCPUS; i++) {
        script->steps[i] = g_array_new(FALSE, TRUE, sizeof(Step));
    }
    for (char **part = parts; *part; part++) {
        g_autoptr(GPtrArray) words = g_ptr_array_new();
        g_auto(GStrv) split = g_strsplit_set(*part, " \t", -1);
        Step step = { 0 };
        char **first;
        guint n;

        for (char **word = split; *word; word++) {
            if (**word) {
                g_ptr_array_add(words, *word);
            }
        }
        first = (char **)words->pdata;
        n = words->len;
        if (n && parse_vcpu_prefix(first[0], &vcpu)) {
            first++;
            n--;
        }
        if (n == 0) {
            continue;
        }
        if (!parse_step(first, n, &step)) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                        "engine script: step '%s' cannot be understood", g_strstrip(*part));
            return NULL;
        }
        g_array_append_val(script->steps[vcpu], step);
    }
    return g_steal_pointer(&script);
}

void script_free(Script *script)
{
    if (!script) {
        return;
    }
    for (unsigned i = 0; i < SCRIPT_MAX_VCPUS; i++) {
        g_array_unref(script->steps[i]);
    }
    g_free(script);
}
