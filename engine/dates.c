/* dates.c - the dates people type. */
#include "dates.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "engine_int.h"

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
#define BARE_SECONDS_DIGITS 10 /* fewer would be taken for a date by whoever typed them: 20200101 */

/* Microseconds at the start of a day in the proleptic Gregorian calendar (days_from_civil, H. Hinnant). */
static int64_t day_start(int year, int month, int day)
{
    int y = year - (month <= 2);
    int era = (y >= 0 ? y : y - 399) / 400;
    int yoe = y - era * 400;
    int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return ((int64_t)era * 146097 + doe - 719468) * DAY;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Exactly n digits. */
static bool digits(const char *s, size_t n, int64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        *value = *value * 10 + (s[i] - '0');
    }
    return true;
}

static bool parse_day(const char *s, size_t len, int64_t *from, int64_t *to)
{
    int64_t y, m = 1, d = 1;
    if (len != 4 && len != 7 && len != 10)
        return false;
    if (!digits(s, 4, &y) || (len > 4 && (s[4] != '-' || !digits(s + 5, 2, &m))) ||
        (len > 7 && (s[7] != '-' || !digits(s + 8, 2, &d))))
        return false;
    if (m < 1 || m > 12 || d < 1 || d > days_of((int)y, (int)m))
        return false;
    *from = day_start((int)y, (int)m, (int)d);
    *to = len == 10             ? *from + DAY
          : len == 7 && m < 12 ? day_start((int)y, (int)m + 1, 1)
                               : day_start((int)y + 1, 1, 1);
    return true;
}

/* The Monday on or before a day; 1970-01-01 was a Thursday. */
static int64_t monday_of(int64_t day)
{
    int64_t n = day / DAY + 3;
    return day - (n % 7 + 7) % 7 * DAY;
}

/* Week 1 is the one with 4 January in it. */
static int64_t first_week(int year)
{
    return monday_of(day_start(year, 1, 4));
}

static bool parse_week(const char *s, size_t len, int64_t *from, int64_t *to)
{
    int64_t y, w;
    if (len != 8 || s[4] != '-' || (s[5] != 'W' && s[5] != 'w') || !digits(s, 4, &y) || !digits(s + 6, 2, &w) || w < 1)
        return false;
    *from = first_week((int)y) + (w - 1) * 7 * DAY;
    *to = *from + 7 * DAY;
    return *from < first_week((int)y + 1);
}

void br_week_of(int64_t ts, char name[16], int64_t *from, int64_t *to)
{
    time_t t = (time_t)(ts / SECOND);
    struct tm tm = {0};
    gmtime_r(&t, &tm);
    int year = tm.tm_year + 1901; /* a day may belong to the next year's first week, or the last year's last */
    *from = monday_of(ts / DAY * DAY);
    *to = *from + 7 * DAY;
    while (first_week(year) > *from)
        year--;
    snprintf(name, 16, "%04d-W%02d", year % 10000, (int)((*from - first_week(year)) / (7 * DAY) + 1) % 100);
}

static bool parse_month_name(const char *s, size_t len, int64_t *from, int64_t *to)
{
    static const char *const names[] = {"january", "february", "march",     "april",   "may",      "june",
                                        "july",    "august",   "september", "october", "november", "december"};
    time_t now = time(NULL);
    struct tm tm = {0};
    gmtime_r(&now, &tm);
    for (int m = 0; m < 12; m++) {
        if (strcasecmp(s, names[m]) != 0 && (len != 3 || strncasecmp(s, names[m], 3) != 0))
            continue;
        int year = tm.tm_year + 1900 - (m > tm.tm_mon);
        *from = day_start(year, m + 1, 1);
        *to = *from + days_of(year, m + 1) * DAY;
        return true;
    }
    return false;
}

static bool parse_moment(const char *s, size_t len, int64_t *ts)
{
    int64_t seconds, fraction = 0;
    size_t n = strspn(s, "0123456789");
    if (n < 1 || n > 11 || !digits(s, n, &seconds) || (n == len && n != BARE_SECONDS_DIGITS))
        return false;
    if (n < len) {
        size_t m = len - n - 1;
        if (s[n] != '.' || m < 1 || m > 6 || !digits(s + n + 1, m, &fraction))
            return false;
        for (; m < 6; m++)
            fraction *= 10;
    }
    *ts = seconds * SECOND + fraction;
    return true;
}

bool br_parse_ts(const char *s, size_t n, int64_t *ts)
{
    char copy[24];
    if (n < 8 || n >= sizeof copy || s[n - 7] != '.')
        return false;
    memcpy(copy, s, n);
    copy[n] = 0;
    return strlen(copy) == n && parse_moment(copy, n, ts);
}

bool br_parse_date(const char *s, int64_t *from, int64_t *to)
{
    size_t len = strlen(s);
    if (strcmp(s, "today") == 0 || strcmp(s, "yesterday") == 0) {
        int64_t today = (int64_t)time(NULL) * SECOND / DAY * DAY;
        *from = s[0] == 't' ? today : today - DAY;
        *to = *from + DAY;
        return true;
    }
    if (parse_day(s, len, from, to) || parse_week(s, len, from, to) || parse_month_name(s, len, from, to))
        return true;
    if (!parse_moment(s, len, from))
        return false;
    *to = *from + 1;
    return true;
}

int br_parse_bounds(const char *after, const char *before, int64_t *after_ts, int64_t *before_ts, struct br_error *error)
{
    const char *const given[] = {after, before};
    int64_t bounds[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        int64_t from, to;
        struct br_err err = {0};
        if (!given[i])
            continue;
        if (!br_parse_date(given[i], &from, &to))
            return br_status_of(br_fail(&err, BR_E_USAGE, "\"%.60s\" is no date: give " BR_DATE_FORMS, given[i]), &err, error);
        /* 0 is no bound: nothing is before 1970, and everything is after it. */
        bounds[i] = i ? BR_MAX(from, INT64_C(1)) : BR_MAX(to - 1, INT64_C(0));
    }
    *after_ts = bounds[0];
    *before_ts = bounds[1];
    return BR_STATUS_OK;
}
