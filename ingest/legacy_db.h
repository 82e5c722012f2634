/* legacy_db.h - an old database as tables that can be queried: its SQLite file, read only; or its dump, in a private temporary database that
 * SQLite removes by itself. */
#ifndef BR_LEGACY_DB_H
#define BR_LEGACY_DB_H

#include "base/base.h"
#include "event.h"

#include <sqlite3.h>

enum br_old_table { BR_OLD_USERS, BR_OLD_CHANNELS, BR_OLD_MESSAGES, BR_OLD_REACTIONS, BR_OLD_TABLES };

struct br_legacy_db {
    sqlite3 *db;         /* "main" is temporary and private */
    char *path;          /* of the old database; the name without folders is in its end: */
    const char *file;
    const char *schema;  /* where the tables are: "main" (of a dump) or "old" */
    const char *place;   /* what places are called: "line" or "row" */
    char names[BR_OLD_TABLES][64]; /* of the tables, in `schema`; "" absent */
};

BR_MUST_USE enum br_rc br_legacy_db_open(const char *path, struct br_legacy_db *out, struct br_err *err);
void br_legacy_db_close(struct br_legacy_db *d);
/* Something that is not taken over: kept in the temporary database until br_legacy_db_notes. table NULL: none. at 0: none. */
BR_MUST_USE enum br_rc br_legacy_db_note(struct br_legacy_db *d, enum br_warning w, uint64_t n, const char *table, uint64_t at, const char *why,
                                         struct br_err *err);
/* Calls fn for each of them, in order. */
BR_MUST_USE enum br_rc br_legacy_db_notes(struct br_legacy_db *d, void (*fn)(void *ctx, enum br_warning w, uint64_t n, const char *where),
                                          void *ctx, struct br_err *err);
/* A statement made with sqlite3_mprintf's format; NULL in *out after a failure. */
BR_MUST_USE enum br_rc br_legacy_db_prepare(struct br_legacy_db *d, sqlite3_stmt **out, struct br_err *err, const char *format, ...);
enum br_rc br_legacy_db_fail(struct br_legacy_db *d, struct br_err *err);

#endif
