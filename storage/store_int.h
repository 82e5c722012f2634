/* store_int.h - what the Slack schema needs of the store core; included only inside storage/. */
#ifndef BR_STORE_INT_H
#define BR_STORE_INT_H

#include "store.h"

#include <sqlite3.h>

sqlite3 *br_store_db(struct br_store *s);
/* A cached prepared statement, reset and with bindings cleared; sql must be a string literal (its address is the key). ?1 is bound to the
 * workspace id. Not to be finalized; reset it after use. */
BR_MUST_USE enum br_rc br_store_stmt(struct br_store *s, const char *sql, sqlite3_stmt **out, struct br_err *err);
/* An error record from the connection's last error: SQLITE_FULL, IOERR, BUSY, CORRUPT, READONLY become the right code. */
enum br_rc br_store_sql_fail(struct br_store *s, struct br_err *err, const char *what);
/* Runs to completion a statement that gives no rows. */
BR_MUST_USE enum br_rc br_store_step_done(struct br_store *s, sqlite3_stmt *st, const char *what, struct br_err *err);

/* After a statement that changed rows of a temporary table: they are no change of the store. */
void br_store_changed_temporary(struct br_store *s);

/* Schema as data: one entry a table; core tables in store_schema.c, Slack tables in slack_schema.c. Each STRICT, keys led by workspace_id. */
extern const char *const br_core_schema[];  /* NULL-terminated */
extern const char *const br_slack_schema[]; /* NULL-terminated */
extern const char *const *const br_store_schemas[]; /* all of metadata.db, in the order of creation; NULL-terminated */
/* The content hash used to find equal text: XXH3 128 bit, 16 bytes. */
void br_content_hash(const void *bytes, size_t len, uint8_t out[16]);

#endif
