/* dates.h - the dates people type in filters, as ranges of time (UTC). */
#ifndef BR_DATES_H
#define BR_DATES_H

#include "base/base.h"

/* YYYY, YYYY-MM, YYYY-MM-DD, today, yesterday, or a Slack ts (a range of one microsecond). [*from, *to) in microseconds. */
BR_MUST_USE bool br_parse_date(const char *s, int64_t *from, int64_t *to);

#endif
