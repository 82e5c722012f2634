/* slack_object.c - what readers of users, channels and messages share: warnings, typed members, timestamps. */
#include "slack_object.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *br_warning_name(enum br_warning w)
{
    static const char *const names[] = {
#define BR_X(name, text) text,
        BR_WARNING_MAP(BR_X)
#undef BR_X
    };
    return (size_t)w < BR_COUNT(names) ? names[w] : "unknown";
}

void br_note(const struct br_notes *notes, enum br_warning w, uint64_t n)
{
    char where[512];
    if (!n || !notes || !notes->sink || !notes->sink->warn)
        return;
    if (notes->record)
        (void)snprintf(where, sizeof where, "%.400s, record %llu", notes->file, (unsigned long long)notes->record);
    else
        (void)snprintf(where, sizeof where, "%.400s", notes->file ? notes->file : "");
    notes->sink->warn(notes->sink->ctx, w, n, where);
}

void br_note_repairs(const struct br_notes *notes, const struct br_json_repairs *r)
{
    br_note(notes, BR_WARN_LONE_SURROGATE, r->lone_surrogate);
    br_note(notes, BR_WARN_NUL_IN_TEXT, r->nul);
    br_note(notes, BR_WARN_INVALID_UTF8, r->invalid_utf8);
}

const char *br_get_string(const json_t *object, const char *key, const struct br_notes *notes)
{
    const json_t *v = json_object_get(object, key);
    const char *s = json_string_value(v);
    if (v && !s && !json_is_null(v))
        br_note(notes, BR_WARN_WRONG_TYPE, 1);
    return s && *s ? s : NULL;
}

const char *br_get_id(const json_t *object, const char *key, const struct br_notes *notes)
{
    const char *id = br_get_string(object, key, notes);
    if (!id || strlen(id) <= BR_ID_BYTES_MAX)
        return id;
    br_note(notes, BR_WARN_WRONG_TYPE, 1);
    return NULL;
}

bool br_get_bool(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_true(v) || json_number_value(v) != 0;
}

bool br_ts_parse(const char *s, int64_t *us)
{
    int64_t seconds = 0, fraction = 0;
    size_t i = 0, digits = 0;
    for (; isdigit((unsigned char)s[i]); i++) {
        if (i >= 11)
            return false;
        seconds = seconds * 10 + (s[i] - '0');
    }
    if (!i)
        return false;
    if (s[i] == '.') {
        for (i++; isdigit((unsigned char)s[i]) && digits < 6; i++, digits++)
            fraction = fraction * 10 + (s[i] - '0');
        if (!digits)
            return false;
    }
    for (; digits < 6; digits++)
        fraction *= 10;
    *us = seconds * 1000000 + fraction;
    return s[i] == 0;
}
