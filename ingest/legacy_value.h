/* legacy_value.h - values of an old database, as they were written by whatever wrote them. */
#ifndef BR_LEGACY_VALUE_H
#define BR_LEGACY_VALUE_H

#include "base/base.h"
#include "base/buf.h"

/* A moment to microseconds: Slack's ts, seconds, milliseconds or microseconds as a number, or a date with or without a time and a zone
 * (none: UTC). *exact: in Slack's form, and so unique in its channel. False: none of these, or before 1970 or after 5000. */
bool br_when_parse(const char *s, int64_t *us, bool *exact);
/* What databases write for true, and any other word or moment but those for false. */
bool br_truth_parse(const char *s);
/* Appends the text without NULs and with U+FFFD for what is not UTF-8. */
void br_text_repair(const char *s, size_t n, struct br_buf *out, bool *nul, bool *invalid);
/* The elements of {a,"b c"}, ["a","b c"] or a,b. fn returns false to stop. */
void br_array_each(const char *s, bool (*fn)(void *ctx, const char *element), void *ctx);

#endif
