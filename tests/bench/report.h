/* SPDX-License-Identifier: GPL-2.0-or-later
 * One row of a benchmark, as text for people or as a JSON object per line for scripts/bench: the
 * median of the slices and the range that holds the middle eight tenths.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const char *name, *unit, *note; /* note may be NULL */
    bool at_least;                  /* the goal is a lower bound */
    double goal;                    /* 0: none */
} ReportRow;

static inline int report_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Sorts values. Returns the median. */
static inline double report(bool json, const ReportRow *row, double *values, unsigned n)
{
    const char *sign = row->at_least ? ">=" : "<=", *note = row->note ? row->note : "";
    double median, low, high;
    bool met;

    qsort(values, n, sizeof(*values), report_by_value);
    median = values[n / 2];
    low = values[n / 10];
    high = values[n - 1 - n / 10];
    met = row->at_least ? median >= row->goal : median <= row->goal;
    if (!json) {
        printf("%-56s %8.4g %s [%.4g .. %.4g]", row->name, median, row->unit, low, high);
        if (row->goal > 0) {
            printf("  goal %s %g: %s", sign, row->goal, met ? "met" : "missed");
        }
        printf("  %s\n", note);
        return median;
    }
    printf("{\"name\": \"%s\", \"unit\": \"%s\", \"value\": %.4g, \"spread\": [%.4g, %.4g]",
           row->name, row->unit, median, low, high);
    if (row->goal > 0) {
        printf(", \"goal\": \"%s %g\", \"met\": %s", sign, row->goal, met ? "true" : "false");
    }
    printf(", \"note\": \"%s\"}\n", note);
    return median;
}
