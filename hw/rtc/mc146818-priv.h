/* SPDX-License-Identifier: GPL-2.0-or-later
 * State of the MC146818: mc146818.c has registers, flags and timers, mc146818-time.c what the bytes
 * of date and time mean. All under the device's lock.
 */
#pragma once

#include "hw/core/clock.h"
#include "hw/rtc/mc146818.h"

enum {
    RTC_SECONDS = 0x00,
    RTC_SECONDS_ALARM = 0x01,
    RTC_MINUTES = 0x02,
    RTC_MINUTES_ALARM = 0x03,
    RTC_HOURS = 0x04,
    RTC_HOURS_ALARM = 0x05,
    RTC_WEEKDAY = 0x06, /* 1: Sunday */
    RTC_DAY = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09,
    RTC_A = 0x0a,
    RTC_B = 0x0b,
    RTC_C = 0x0c,
    RTC_D = 0x0d,
    RTC_RAM = 0x0e,
    RTC_CENTURY = 0x32,

    A_UIP = 1 << 7,
    A_DV_RESET = 6 << 4, /* with any value in the lowest of the three bits */
    A_DV_32KHZ = 2 << 4,
    A_RS = 0x0f,

    B_SET = 1 << 7,
    B_PIE = 1 << 6,
    B_AIE = 1 << 5,
    B_UIE = 1 << 4,
    B_SQWE = 1 << 3,
    B_BINARY = 1 << 2,
    B_24H = 1 << 1,

    C_IRQF = 1 << 7,
    C_PF = 1 << 6,
    C_AF = 1 << 5,
    C_UF = 1 << 4,
    C_FLAGS = C_PF | C_AF | C_UF,

    D_VALID = 1 << 7,
};

#define RTC_NEVER INT64_MAX

struct _Mc146818 {
    Device parent_instance;
    uint32_t base_year; /* property */
    MemoryRegion mr;
    IrqLine *irq[1];
    bool irq_level;
    ClockTimer *timer;
    int64_t power_on; /* wall clock at realize */
    Mc146818Clock clock;
    void *clock_opaque;

    uint8_t index;
    uint8_t cmos[MC146818_N_BYTES]; /* date and time only while they stand still */
    int64_t offset;                 /* us, of what is shown from the clock */
    unsigned weekday_offset;        /* days, from the date's */
    int64_t second;                 /* shown when flags were last looked at */
    int64_t period;                 /* number of the periodic interrupt's period then */
    int64_t alarm_at;               /* second, or RTC_NEVER */
};

/* ---- mc146818-time.c ---- */
int64_t rtc_shown(const Mc146818 *s); /* us since 1970 */
/* Puts the date and time that are shown into cmos. */
void rtc_to_bytes(Mc146818 *s);
/* The other way round; what is shown goes on from phase, us into the second. */
void rtc_from_bytes(Mc146818 *s, int64_t phase);
/* First second at or after from that the alarm's bytes mean. */
int64_t rtc_next_alarm(const Mc146818 *s, int64_t from);
