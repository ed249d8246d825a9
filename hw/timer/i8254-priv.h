/* SPDX-License-Identifier: GPL-2.0-or-later
 * One counter of an 8254. What it shows is computed from the number of ticks since it was loaded or
 * triggered; times are ticks of I8254_HZ since the clock's zero.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { PIT_LSB = 1, PIT_MSB = 2, PIT_BOTH = 3 };

typedef struct {
    uint8_t mode, access; /* 0 to 5; one of the three above */
    bool bcd, gate;
    bool loaded;  /* a count has been written */
    bool running; /* else it stands at held */
    int64_t start, held;
    int64_t done;    /* rises of OUT before start */
    unsigned loads;  /* how often it was started anew, or stopped by a new mode */
    uint32_t count;  /* 1 to 65536, in use */
    uint32_t next;   /* written, and used from the next period or trigger on; 0: none */
    uint8_t low;     /* written, before the high byte */
    bool write_high; /* the next byte written is the high one */
    bool read_high;  /* the same for reading */
    bool latched, has_status;
    uint16_t latch;
    uint8_t status;
} PitCounter;

/* A control word for this counter, but for its access bits 0 (latch) and read-back. */
void pit_set_mode(PitCounter *c, uint8_t control);
void pit_write(PitCounter *c, uint8_t byte, int64_t now);
uint8_t pit_read(PitCounter *c, int64_t now);
void pit_set_gate(PitCounter *c, bool gate, int64_t now);
void pit_latch_count(PitCounter *c, int64_t now);
void pit_latch_status(PitCounter *c, int64_t now);
bool pit_out(PitCounter *c, int64_t now);
/* How many times OUT has risen since loads last changed, and when it rises next; INT64_MAX: never.
 */
int64_t pit_rises(PitCounter *c, int64_t now);
int64_t pit_next_rise(PitCounter *c, int64_t now);
