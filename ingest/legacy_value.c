/* legacy_value.c - moments, truths, texts and arrays in the forms that databases have for them. */
#include "legacy_value.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "utf8_check.h"

#define US INT64_C(1000000)
#define LATEST (INT64_C(95617584000) * US) /* the year 5000 */

/* n digits; false: fewer. */
static bool take_digits(const char **s, int n, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++, ++*s) {
        if (!isdigit((unsigned char)**s))
            return false;
        *out = *out * 10 + (**s - '0');
    }
    return true;
}

static int64_t take_fraction(const char **s)
{
    int64_t us = 0, unit = US / 10;
    if (**s != '.' && **s != ',')
        return 0;
    for (++*s; isdigit((unsigned char)**s); ++*s, unit /= 10)
        us += (**s - '0') * unit;
    return us;
}

/* "Z", "UTC", "+05:30", "-0800", "+00" or nothing: seconds east. */
static bool take_zone(const char **s, int *east)
{
    int h, m = 0, sign;
    *east = 0;
    while (**s == ' ')
        ++*s;
    if (strncasecmp(*s, "utc", 3) == 0 || strncasecmp(*s, "gmt", 3) == 0)
        *s += 3;
    if (**s == 'Z' || **s == 'z')
        ++*s;
    if (**s != '+' && **s != '-')
        return true;
    sign = **s == '-' ? -1 : 1;
    ++*s;
    if (!take_digits(s, 2, &h))
        return false;
    if (**s == ':')
        ++*s;
    if (isdigit((unsigned char)**s) && !take_digits(s, 2, &m))
        return false;
    *east = sign * (h * 3600 + m * 60);
    return true;
}

static bool date_parse(const char *s, int64_t *us)
{
    struct tm tm = {0};
    int year, month, east = 0;
    if (!take_digits(&s, 4, &year) || *s++ != '-' || !take_digits(&s, 2, &month) || *s++ != '-' || !take_digits(&s, 2, &tm.tm_mday))
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    *us = 0;
    if (*s == ' ' || *s == 'T') {
        s++;
        if (!take_digits(&s, 2, &tm.tm_hour) || *s++ != ':' || !take_digits(&s, 2, &tm.tm_min))
            return false;
        if (*s == ':') {
            s++;
            if (!take_digits(&s, 2, &tm.tm_sec))
                return false;
            *us = take_fraction(&s);
        }
        if (!take_zone(&s, &east))
            return false;
    }
    if (*s || month < 1 || month > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 24 || tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    *us += ((int64_t)timegm(&tm) - east) * US;
    return true;
}

/* Digits with or without a fraction. */
static bool number_parse(const char *s, int64_t *us, bool *exact)
{
    int64_t v = 0;
    const char *start = s;
    for (; isdigit((unsigned char)*s); s++) {
        if (s - start >= 17)
            return false;
        v = v * 10 + (*s - '0');
    }
    if (s == start)
        return false;
    *exact = *s == '.' && s - start <= 11;
    *us = v >= 100000 * US * 1000 ? v : v >= 100 * US * 1000 ? v * 1000 : v * US; /* 17 or 16 digits: microseconds; 13: milliseconds */
    *us += s - start <= 11 ? take_fraction(&s) : 0;
    if (*s == '.')
        s += 1 + strspn(s + 1, "0123456789");
    return *s == 0;
}

bool br_when_parse(const char *s, int64_t *us, bool *exact)
{
    bool ok = false;
    *exact = false;
    while (isspace((unsigned char)*s))
        s++;
    if (strlen(s) > 4 && s[4] == '-')
        ok = date_parse(s, us);
    else if (strpbrk(s, "eE") && isdigit((unsigned char)*s)) {
        char *end;
        double d = strtod(s, &end);
        ok = *end == 0 && d >= 0 && d < 1e17;
        *us = ok ? (int64_t)llround(d < 1e11 ? d * 1e6 : d < 1e14 ? d * 1e3 : d) : 0;
    } else
        ok = number_parse(s, us, exact);
    return ok && *us >= 0 && *us < LATEST;
}

bool br_truth_parse(const char *s)
{
    static const char *const no[] = {"", "0", "f", "false", "n", "no", "off", "null", "0.0"};
    for (size_t i = 0; i < BR_COUNT(no); i++)
        if (strcasecmp(s, no[i]) == 0)
            return false;
    return true;
}

void br_text_repair(const char *s, size_t n, struct br_buf *out, bool *nul, bool *invalid)
{
    for (size_t i = 0; i < n;) {
        bool ok = true;
        size_t len = br_utf8_sequence((const unsigned char *)s + i, n - i, &ok);
        if (ok && s[i] == 0)
            *nul = true;
        else if (ok)
            br_buf_add(out, s + i, len);
        else
            br_buf_adds(out, "\xef\xbf\xbd");
        *invalid |= !ok;
        i += len;
    }
}

void br_array_each(const char *s, bool (*fn)(void *ctx, const char *element), void *ctx)
{
    char element[256];
    while (isspace((unsigned char)*s) || *s == '{' || *s == '[')
        s++;
    while (*s && *s != '}' && *s != ']') {
        size_t n = 0;
        bool quoted = *s == '"';
        s += quoted;
        for (; *s && (quoted ? *s != '"' : !strchr(",}]", *s)); s++) {
            if (*s == '\\' && s[1])
                s++;
            if (n + 1 < sizeof element)
                element[n++] = *s;
        }
        while (!quoted && n && isspace((unsigned char)element[n - 1]))
            n--;
        element[n] = 0;
        if (n && (quoted || strcmp(element, "NULL") != 0) && !fn(ctx, element))
            return;
        s += quoted && *s;
        s += strspn(s, ", \t\n");
    }
}
