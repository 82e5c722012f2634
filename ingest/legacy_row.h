/* legacy_row.h - rows of an old table by the meaning of their columns, whatever these are called. */
#ifndef BR_LEGACY_ROW_H
#define BR_LEGACY_ROW_H

#include "base/arena.h"
#include "legacy_db.h"

enum br_old_field { /* of any of the tables */
    OLD_ID, /* what others refer to */
    OLD_SLACK_ID,
    OLD_NAME,
    OLD_REAL_NAME,
    OLD_DISPLAY_NAME,
    OLD_TEAM,
    OLD_IS_BOT,
    OLD_DELETED,
    OLD_IS_PRIVATE,
    OLD_IS_DM,
    OLD_IS_GROUP_DM,
    OLD_IS_ARCHIVED,
    OLD_IS_GENERAL,
    OLD_KIND,
    OLD_TOPIC,
    OLD_PURPOSE,
    OLD_CREATOR,
    OLD_CREATED,
    OLD_CHANNEL,
    OLD_USER,
    OLD_USERS,
    OLD_TS,
    OLD_THREAD,
    OLD_PARENT,
    OLD_TEXT,
    OLD_EDITED,
    OLD_SUBTYPE,
    OLD_BOT_ID,
    OLD_BOT_NAME,
    OLD_REPLY_COUNT,
    OLD_REACTIONS,
    OLD_FILES,
    OLD_BLOCKS,
    OLD_ATTACHMENTS,
    OLD_CLIENT_ID,
    OLD_MESSAGE,
    OLD_COUNT,
    OLD_KNOWN, /* needed for nothing, and no loss */
    OLD_FIELDS
};
#define OLD_COLUMNS_MAX 8 /* for one meaning, best first */

struct br_old_rows {
    struct br_legacy_db *db;
    enum br_old_table table;
    int columns[OLD_FIELDS][OLD_COLUMNS_MAX]; /* in the statement; 0: none more */
    char first[OLD_FIELDS][64];               /* name of the best column */
    sqlite3_stmt *st;
    uint64_t n;            /* rows so far */
    uint64_t at;           /* line or row, for notes */
    struct br_arena arena; /* of the row: values that had to be repaired or written out */
    bool nul, invalid;     /* of the row */
};

/* Looks at the columns. An absent table has no rows. note: columns that mean nothing to us are noted. */
BR_MUST_USE enum br_rc br_old_rows_open(struct br_legacy_db *db, enum br_old_table table, bool note, struct br_old_rows *r, struct br_err *err);
/* Starts over. by_time: in the order of channel, time and id. */
BR_MUST_USE enum br_rc br_old_rows_start(struct br_old_rows *r, bool by_time, struct br_err *err);
/* BR_E_NOMEM also when a value of the row before could not be had: arena.failed, which tells it at once. */
BR_MUST_USE enum br_rc br_old_rows_next(struct br_old_rows *r, bool *row, struct br_err *err);
void br_old_rows_close(struct br_old_rows *r);
bool br_old_has(const struct br_old_rows *r, enum br_old_field f);
/* The k-th column of that meaning, UTF-8 without NULs; NULL: NULL, empty, or no such column. Valid until the next row. */
const char *br_old_get(struct br_old_rows *r, enum br_old_field f, int k);
/* The first of them that is something. */
const char *br_old_any(struct br_old_rows *r, enum br_old_field f);
bool br_old_true(struct br_old_rows *r, enum br_old_field f);

#endif
