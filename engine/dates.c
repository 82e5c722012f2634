/* dates.c - dates in filters. */
#include "dates.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine_int.h"

#define DAY ((int64_t)86400 * 1000000)

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

static bool all_digits_and_dashes(const char *s)
{
    return *s && strspn(s, "0123456789-") == strlen(s);
}

bool br_parse_date(const char *s, int64_t *from, int64_t *to)
{
    int y, m, d, end = 0;
    if (strcmp(s, "today") == 0 || strcmp(s, "yesterday") == 0) {
        int64_t today = (int64_t)time(NULL) * 1000000 / DAY * DAY;
        *from = s[0] == 't' ? today : today - DAY;
        *to = *from + DAY;
        return true;
    }
    if (br_parse_ts(s, strlen(s), from)) {
        *to = *from + 1;
        return true;
    }
    size_t len = strlen(s);
    if (!all_digits_and_dashes(s))
        return false;
    if (len == 10 && sscanf(s, "%4d-%2d-%2d%n", &y, &m, &d, &end) == 3 && end == 10) {
        if (m < 1 || m > 12 || d < 1 || d > 31)
            return false;
        *from = day_start(y, m, d);
        *to = *from + DAY;
        return true;
    }
    end = 0;
    if (len == 7 && sscanf(s, "%4d-%2d%n", &y, &m, &end) == 2 && end == 7) {
        if (m < 1 || m > 12)
            return false;
        *from = day_start(y, m, 1);
        *to = m == 12 ? day_start(y + 1, 1, 1) : day_start(y, m + 1, 1);
        return true;
    }
    end = 0;
    if (len == 4 && sscanf(s, "%4d%n", &y, &end) == 1 && end == 4) {
        *from = day_start(y, 1, 1);
        *to = day_start(y + 1, 1, 1);
        return true;
    }
    return false;
}
