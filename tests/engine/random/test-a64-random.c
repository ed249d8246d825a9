/* SPDX-License-Identifier: GPL-2.0-or-later
 * test-a64-random QEMU USER-HARNESS BARE-HARNESS COUNT: random A64 sequences must leave the same
 * registers and memory behind on the engine as under qemu-aarch64, run once (interpreted) and run
 * until hot (translated), at EL1 and at EL0. COUNT sequences of each kind; the seeds are fixed.
 *
 * Not compared: the cumulative exception bits of FPSR (IDC, IXC, UFC, OFC, DZC, IOC), which
 * libdynarmic keeps only approximately. FPSR.QC is.
 *
 * With HUMPY_RANDOM_SEED=N only that sequence runs. A failing one is cut down to the shortest
 * failing prefix and printed.
 */
#include "gen.h"
#include "layout.h"
#include "program.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOT = 1000 }; /* more than any threshold of the engine */

static const char *qemu, *user_harness, *bare_harness;
static unsigned count;
static const char *const kind_names[GEN_KINDS] = { "integer", "memory", "fp", "simd", "mixed" };

static const uint8_t *first_state(const uint8_t *results, unsigned i)
{
    return results + (gsize)i * 2 * STATE_SIZE;
}

/* See above. */
static void forget_exceptions(uint8_t *results, unsigned n)
{
    for (unsigned i = 0; results != NULL && i < 2 * n; i++) {
        uint8_t *fpsr = results + (gsize)i * STATE_SIZE + STATE_FPSR;

        *fpsr &= (uint8_t)~0x9f;
    }
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static void print_difference(const uint8_t *is, const uint8_t *should)
{
    if (get64(is + STATE_FPCR) == TRAPPED) {
        g_test_message("  exception: ESR 0x%" PRIx64 ", ELR 0x%" PRIx64, get64(is), get64(is + 8));
        return;
    }
    for (unsigned offset = 0; offset < STATE_SIZE; offset += 8) {
        g_autofree char *name = NULL;

        if (get64(is + offset) == get64(should + offset)) {
            continue;
        }
        if (offset < STATE_V) {
            name = offset == 248 ? g_strdup("sp") : g_strdup_printf("x%u", offset / 8);
        } else if (offset < STATE_NZCV) {
            name = g_strdup_printf("v%u.d[%u]", (offset - STATE_V) / 16, offset / 8 % 2);
        } else if (offset < STATE_WINDOW) {
            static const char *const names[] = { "nzcv", "fpcr", "fpsr", "-" };

            name = g_strdup(names[(offset - STATE_NZCV) / 8]);
        } else {
            name = g_strdup_printf("window+0x%x", offset - STATE_WINDOW);
        }
        g_test_message("  %-12s is %016" PRIx64 ", should be %016" PRIx64, name, get64(is + offset),
                       get64(should + offset));
    }
}

/* What a run of one seed's first n_groups groups gave on both sides. */
typedef struct {
    uint8_t *is;
    uint8_t *should;
} Outcome;

static void outcome_clear(Outcome *outcome)
{
    g_free(outcome->is);
    g_free(outcome->should);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, outcome_clear)

static bool differs(const Outcome *outcome, bool hot)
{
    return outcome->is == NULL || outcome->should == NULL ||
           memcmp(outcome->is + (hot ? STATE_SIZE : 0), outcome->should, STATE_SIZE) != 0;
}

static Outcome run_one(uint64_t seed, unsigned n_groups, unsigned el, unsigned iterations)
{
    g_autoptr(Program) program = program_new(seed, 0, 1, n_groups);
    g_autoptr(GError) error = NULL;
    Outcome outcome;

    outcome.should = program_run_qemu(program, qemu, user_harness, &error);
    if (error != NULL) {
        g_test_message("  %u groups: %s", n_groups, error->message);
        g_clear_error(&error);
    }
    outcome.is = program_run_engine(program, bare_harness, el, iterations, &error);
    if (error != NULL) {
        g_test_message("  %u groups: %s", n_groups, error->message);
    }
    forget_exceptions(outcome.should, 1);
    forget_exceptions(outcome.is, 1);
    return outcome;
}

static void print_code(uint64_t seed, unsigned n_groups)
{
    g_autoptr(Program) program = program_new(seed, 0, 1, n_groups);
    g_autofree Gen *gen = g_new(Gen, 1);
    uint64_t address = get64(program->image + PROGRAM_ENTRIES);

    gen_sequence(gen, seed, n_groups, address);
    for (unsigned i = 0; i < gen->n_words; i++) {
        g_test_message("  %08" PRIx64 ": %08x%s", address + i * 4, gen->words[i],
                       n_groups > 0 && i == gen->group_start[n_groups - 1] ? "  <- last group"
                                                                           : "");
    }
}

/* The shortest prefix that fails, if failing is monotone; otherwise some failing one. */
static void report(uint64_t seed, unsigned el, bool hot)
{
    unsigned good = 0, bad = GEN_MAX_GROUPS, iterations = hot ? HOT : 1;

    while (bad - good > 1) {
        unsigned middle = (good + bad) / 2;
        g_auto(Outcome) outcome = run_one(seed, middle, el, iterations);

        if (differs(&outcome, hot)) {
            bad = middle;
        } else {
            good = middle;
        }
    }
    g_test_message("seed %" PRIu64 " (%s) fails at EL%u, %s, with %u groups:", seed,
                   kind_names[seed % GEN_KINDS], el, hot ? "hot" : "cold", bad);
    print_code(seed, bad);
    {
        g_auto(Outcome) outcome = run_one(seed, bad, el, iterations);

        if (outcome.is != NULL && outcome.should != NULL) {
            print_difference(outcome.is + (hot ? STATE_SIZE : 0), outcome.should);
        }
    }
}

typedef struct {
    unsigned kind;
    unsigned el;
    bool hot;
} Rule;

static void same_as_reference(const Rule *rule, uint64_t first, unsigned n)
{
    g_autoptr(Program) program = program_new(first, GEN_KINDS, n, GEN_MAX_GROUPS);
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *should = NULL, *is = NULL;
    unsigned failures = 0;

    should = program_run_qemu(program, qemu, user_harness, &error);
    if (error != NULL) {
        g_test_message("reference: %s", error->message);
        g_test_fail();
        return;
    }
    is = program_run_engine(program, bare_harness, rule->el, rule->hot ? HOT : 1, &error);
    if (error != NULL) {
        g_test_message("seeds %" PRIu64 " to %" PRIu64 ": %s", first, first + (n - 1) * GEN_KINDS,
                       error->message);
        g_test_fail();
        return;
    }
    forget_exceptions(should, n);
    forget_exceptions(is, n);
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *state = first_state(is, i) + (rule->hot ? STATE_SIZE : 0);

        if (memcmp(state, first_state(should, i), STATE_SIZE) != 0) {
            g_test_fail();
            if (failures++ < 3) {
                report(first + (uint64_t)i * GEN_KINDS, rule->el, rule->hot);
            }
        }
    }
    if (failures != 0) {
        g_test_message("%u of %u sequences differ", failures, n);
    }
}

static void check_rule(gconstpointer data)
{
    const Rule *rule = data;
    const char *seed = g_getenv("HUMPY_RANDOM_SEED");

    if (seed != NULL) {
        uint64_t value = g_ascii_strtoull(seed, NULL, 0);

        if (value % GEN_KINDS == rule->kind) {
            same_as_reference(rule, value, 1);
        }
        return;
    }
    for (unsigned done = 0; done < count; done += PROGRAM_MAX) {
        same_as_reference(rule, rule->kind + (uint64_t)done * GEN_KINDS,
                          MIN(count - done, PROGRAM_MAX));
    }
}

int main(int argc, char **argv)
{
    static Rule rules[GEN_KINDS * 4];
    unsigned n = 0;

    g_test_init(&argc, &argv, NULL);
    if (argc != 5) {
        fprintf(stderr, "usage: test-a64-random QEMU USER-HARNESS BARE-HARNESS COUNT\n");
        return 2;
    }
    qemu = argv[1];
    user_harness = argv[2];
    bare_harness = argv[3];
    count = strtoul(argv[4], NULL, 0);
    for (unsigned kind = 0; kind < GEN_KINDS; kind++) {
        for (unsigned how = 0; how < 4; how++, n++) {
            g_autofree char *path = NULL;

            rules[n] = (Rule){ kind, how < 2, how % 2 };
            path = g_strdup_printf("/a64/random/%s/el%u-%s-matches-qemu-aarch64", kind_names[kind],
                                   rules[n].el, rules[n].hot ? "hot" : "cold");
            g_test_add_data_func(path, &rules[n], check_rule);
        }
    }
    return g_test_run();
}
