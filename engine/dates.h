/* dates.h - the dates people type, as ranges of time (UTC). The one parser for filters, flags and message ids. */
#ifndef BR_DATES_H
#define BR_DATES_H

#include "base/base.h"

#define BR_DATE_FORMS "YYYY-MM-DD, YYYY-MM, YYYY, YYYY-Www (a week), a month such as june, today, yesterday or a ts such as 1434204000.000100"

/* YYYY, YYYY-MM, YYYY-MM-DD (days that exist), YYYY-Www (weeks of ISO 8601), today, yesterday; a month by its English name or the name's first three
 * letters, in any case: the last that has begun, as Slack takes it; or a moment: seconds since 1970 with a fraction as Slack writes them, or ten digits
 * of whole seconds. [*from, *to) in microseconds, negative before 1970; a moment is a range of one microsecond. */
BR_MUST_USE bool br_parse_date(const char *s, int64_t *from, int64_t *to);
/* The week of ISO 8601, Monday to Sunday, that a moment lies in: its name, "2024-W05", and its range. */
void br_week_of(int64_t ts, char name[16], int64_t *from, int64_t *to);
/* A message's ts, "1704103201.000100" and no other form, to microseconds. */
BR_MUST_USE bool br_parse_ts(const char *s, size_t n, int64_t *ts);

#endif
