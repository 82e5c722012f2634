/* slack_object.h - Slack's JSON objects to events, one object at a time. */
#ifndef BR_SLACK_OBJECT_H
#define BR_SLACK_OBJECT_H

#include "base/arena.h"
#include "event.h"
#include "json_stream.h"
#include "source.h"

/* Where warnings go, and what they are about. A NULL sink counts nothing (the first look at an archive). */
struct br_notes {
    const struct br_sink *sink;
    const char *file;
    uint64_t record; /* 1 for the first element of the file; 0: the file itself */
};
void br_note(const struct br_notes *notes, enum br_warning w, uint64_t n);
void br_note_repairs(const struct br_notes *notes, const struct br_json_repairs *r);

/* The member's string, NULL when absent, null or empty. Another type is a counted wrong_type. */
const char *br_get_string(const json_t *object, const char *key, const struct br_notes *notes);
/* The same of an id; one that is longer than any of Slack's is a wrong_type, too. */
#define BR_ID_BYTES_MAX 63
const char *br_get_id(const json_t *object, const char *key, const struct br_notes *notes);
bool br_get_bool(const json_t *object, const char *key); /* true, or a number but 0 */

/* "1704103201.000100" to microseconds; false when it is no timestamp. */
bool br_ts_parse(const char *s, int64_t *us);

/* Borrowed from the object. false: no user or channel (no object, no id). */
bool br_user_read(const json_t *object, struct br_user_event *out);
/* A message's user_profile; the team may be NULL. */
bool br_user_from_message(const json_t *message, const char *user_id, struct br_user_event *out);
bool br_channel_read(const json_t *object, enum br_channel_kind kind, struct br_arena *arena,
                     struct br_channel_event *out);

enum br_row { BR_ROW_SKIPPED, BR_ROW_EVENT, BR_ROW_NO_MEMORY };
/* A row of a day file; the object is redacted in place, what the event needs beside it is in the arena. */
enum br_row br_message_read(json_t *row, const char *channel_id, const struct br_notes *notes, struct br_arena *arena,
                            struct br_event *out);

/* Takes tokens out of file links (not counted) and redacts pasted secrets in all strings, adding how many to *found. False without
 * memory: then something was dropped rather than a secret kept. */
bool br_redact(json_t *value, uint64_t *found);

#endif
