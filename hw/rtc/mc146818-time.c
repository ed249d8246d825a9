/* SPDX-License-Identifier: GPL-2.0-or-later
 * Date and time in the MC146818's bytes: binary or BCD, 12 or 24 hours, and alarms with "don't
 * care" codes (data sheet, "Time, Calendar, and Alarm Locations"). The year's century is where PCs
 * have it, in byte 0x32. A guest may write any byte: overlong values carry over.
 */
#include <time.h>

#include "mc146818-priv.h"

enum { HOURS_PM = 1 << 7, DONT_CARE = 0xc0, FIRST_CENTURY = 19 };

int64_t rtc_shown(const Mc146818 *s)
{
    return s->clock(s->clock_opaque) + s->offset;
}

static uint8_t encode(const Mc146818 *s, unsigned value)
{
    return s->cmos[RTC_B] & B_BINARY ? value : value / 10 << 4 | value % 10;
}

static unsigned decode(const Mc146818 *s, uint8_t byte)
{
    return s->cmos[RTC_B] & B_BINARY ? byte : (byte >> 4) * 10 + (byte & 0xf);
}

static uint8_t encode_hour(const Mc146818 *s, unsigned hour)
{
    if (s->cmos[RTC_B] & B_24H) {
        return encode(s, hour);
    }
    return encode(s, hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? HOURS_PM : 0);
}

static unsigned decode_hour(const Mc146818 *s, uint8_t byte)
{
    if (s->cmos[RTC_B] & B_24H) {
        return decode(s, byte);
    }
    return decode(s, byte & ~HOURS_PM) % 12 + (byte & HOURS_PM ? 12 : 0);
}

/* Remainder and quotient that go down below zero, too. */
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

void rtc_to_bytes(Mc146818 *s)
{
    time_t t = floor_div(rtc_shown(s), G_USEC_PER_SEC);
    struct tm tm;
    int year;

    gmtime_r(&t, &tm);
    year = tm.tm_year + 1900;
    s->cmos[RTC_SECONDS] = encode(s, tm.tm_sec);
    s->cmos[RTC_MINUTES] = encode(s, tm.tm_min);
    s->cmos[RTC_HOURS] = encode_hour(s, tm.tm_hour);
    s->cmos[RTC_WEEKDAY] = encode(s, (tm.tm_wday + s->weekday_offset) % 7 + 1);
    s->cmos[RTC_DAY] = encode(s, tm.tm_mday);
    s->cmos[RTC_MONTH] = encode(s, tm.tm_mon + 1);
    s->cmos[RTC_YEAR] = encode(s, (year + 10000 - s->base_year) % 100);
    s->cmos[RTC_CENTURY] = encode(s, (unsigned)year / 100 % 100);
}

/* The century counts where years are counted from the start of one. */
static int year_in_bytes(const Mc146818 *s)
{
    unsigned year = decode(s, s->cmos[RTC_YEAR]) % 100;
    unsigned century = decode(s, s->cmos[RTC_CENTURY]);

    return s->base_year % 100 == 0 && century >= FIRST_CENTURY && century < 100
               ? century * 100 + year
               : s->base_year + year;
}

void rtc_from_bytes(Mc146818 *s, int64_t phase)
{
    unsigned weekday = decode(s, s->cmos[RTC_WEEKDAY]);
    struct tm tm = {
        .tm_sec = decode(s, s->cmos[RTC_SECONDS]),
        .tm_min = decode(s, s->cmos[RTC_MINUTES]),
        .tm_hour = decode_hour(s, s->cmos[RTC_HOURS]),
        .tm_mday = decode(s, s->cmos[RTC_DAY]),
        .tm_mon = (int)decode(s, s->cmos[RTC_MONTH]) - 1,
        .tm_year = year_in_bytes(s) - 1900,
    };
    int64_t t = timegm(&tm); /* also finds the day of the week */

    s->weekday_offset = weekday >= 1 && weekday <= 7 ? (weekday - 1 + 7 - tm.tm_wday) % 7 : 0;
    s->offset = t * G_USEC_PER_SEC + phase - s->clock(s->clock_opaque);
    s->second = t;
    s->alarm_at = rtc_next_alarm(s, t + 1);
}

/* The first value from from to below limit that byte, which means value, allows; or limit. */
static unsigned first_match(uint8_t byte, unsigned value, unsigned from, unsigned limit)
{
    if (byte >= DONT_CARE) {
        return from;
    }
    return value >= from && value < limit ? value : limit;
}

int64_t rtc_next_alarm(const Mc146818 *s, int64_t from)
{
    const uint8_t *b = s->cmos;
    unsigned sec = decode(s, b[RTC_SECONDS_ALARM]), min = decode(s, b[RTC_MINUTES_ALARM]);
    unsigned hour = decode_hour(s, b[RTC_HOURS_ALARM]);
    int64_t day = floor_div(from, 86400) * 86400;
    unsigned start = from - day;

    /* Two days: from on, and the next from its beginning, each hour and minute once. */
    for (unsigned h = start / 3600; h < 48; h++) {
        unsigned m = h == start / 3600 ? start / 60 % 60 : 0;

        if (first_match(b[RTC_HOURS_ALARM], hour, h % 24, 24) != h % 24) {
            continue;
        }
        for (; m < 60; m++) {
            bool now = h == start / 3600 && m == start / 60 % 60;
            unsigned at = first_match(b[RTC_SECONDS_ALARM], sec, now ? start % 60 : 0, 60);

            if (first_match(b[RTC_MINUTES_ALARM], min, m, 60) == m && at < 60) {
                return day + h * 3600 + m * 60 + at;
            }
        }
    }
    return RTC_NEVER;
}
