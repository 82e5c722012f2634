/* store_migrate.c - bringing the schema of metadata.db up to date: the steps, as data.
 *
 * PRAGMA user_version is the schema's version. Step N leads from version N to N + 1, is written when the schema changes and never
 * touched again: it holds its own copy of every statement. All steps that are due run in one transaction, which also moves
 * user_version, after the fence of commit.c: an interruption leaves the version that was there. Only a writer migrates, and only what passed the
 * checks of opening, among them that of the last batch against the journal: damage is found, and a backup put back, in the version that was there.
 * A reader takes an older version as it is, where READABLE says that today's statements still work on it, those of that check included: a table
 * that came later is then absent (br_store.schema_version).
 *
 * A metadata.db is valid when its version is known, and its tables after migration are exactly those of a fresh one
 * (br_store_schema_check; asked of files that come from outside). */
#include "store_core.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READABLE 1 /* the oldest version a reader still understands */

struct step {
    const char *const *sql; /* NULL-terminated; NULL: none */
    enum br_rc (*fn)(sqlite3 *db, const char *path, struct br_err *err); /* after sql; NULL: none */
};

/* 1 -> 2: what is to be erased from the logs, so that a crash resumes it. */
static const char *const to_2[] = {
    "CREATE TABLE erase_queue("
    " workspace_id TEXT NOT NULL,"
    " content_id INTEGER NOT NULL,"
    " slot INTEGER NOT NULL,"
    " PRIMARY KEY(workspace_id, content_id, slot)"
    ") STRICT, WITHOUT ROWID",
    NULL,
};

/* 2 -> 3: what bots wrote is found without going through all messages. */
static const char *const to_3[] = {
    "CREATE INDEX messages_by_bot_id ON message_metadata(workspace_id, bot_id, channel_id, ts, flags, slot, content_id)"
    " WHERE bot_id IS NOT NULL AND slot IS NOT NULL",
    "CREATE INDEX messages_by_bot_name"
    " ON message_metadata(workspace_id, bot_name COLLATE NOCASE, channel_id, ts, flags, slot, content_id)"
    " WHERE bot_name IS NOT NULL AND slot IS NOT NULL",
    NULL,
};

/* 3 -> 4: equal texts are looked for in memory (text_slots.c). */
static const char *const to_4[] = {
    "DROP INDEX content_by_hash",
    NULL,
};

static const struct step steps[] = {{.sql = to_2}, {.sql = to_3}, {.sql = to_4}};
_Static_assert(BR_COUNT(steps) == BR_STORE_USER_VERSION - 1, "one step a version");

static enum br_rc run_step(sqlite3 *db, const struct step *step, const char *path, struct br_err *err)
{
    for (const char *const *sql = step->sql; sql && *sql; sql++) {
        enum br_rc rc = br_sql_exec(db, *sql, path, err);
        if (rc != BR_OK)
            return rc;
    }
    return step->fn ? step->fn(db, path, err) : BR_OK;
}

enum br_rc br_store_version_check(int64_t version, bool writable, const char *path, struct br_err *err)
{
    if (version > BR_STORE_USER_VERSION)
        return br_fail(err, version < BR_STORE_USER_VERSION_MAX ? BR_E_DATA : BR_E_CORRUPT,
                       "%s has format version %lld, this program knows %d: use a newer program", path, (long long)version,
                       BR_STORE_USER_VERSION);
    if (version < 1)
        return br_fail(err, BR_E_CORRUPT, "%s has the impossible format version %lld", path, (long long)version);
    if (!writable && version < READABLE)
        return br_fail(err, BR_E_DATA,
                       "%s has the old format version %lld: bring it up to date by importing into it once, where it can be written",
                       path, (long long)version);
    return BR_OK;
}

enum br_rc br_store_migrate(sqlite3 *db, const char *path, struct br_err *err)
{
    int64_t version;
    char pragma[48];
    enum br_rc rc;
    BR_TRY(br_sql_int(db, "PRAGMA user_version", path, &version, err));
    if (version == BR_STORE_USER_VERSION)
        return BR_OK;
    BR_TRY(br_sql_exec(db, "BEGIN IMMEDIATE", path, err));
    BR_TRY(br_sql_int(db, "PRAGMA user_version", path, &version, err)); /* now that nobody else can move it */
    BR_TRY(br_store_version_check(version, true, path, err));
    for (; version < BR_STORE_USER_VERSION; version++)
        BR_TRY(run_step(db, &steps[version - 1], path, err));
    BR_TRY(br_sql_exec(db, "UPDATE store SET commits = commits + 1", path, err)); /* as every commit does: commit.c */
    snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d", BR_STORE_USER_VERSION);
    BR_TRY(br_sql_exec(db, pragma, path, err));
    BR_TRY(br_sql_exec(db, "COMMIT", path, err));
    return BR_OK;
err:
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* fails only when SQLite did it already */
    return br_fail(err, rc, "cannot bring %s up to date", path);
}

enum br_rc br_store_bring_up_to_date(struct br_store *s, struct br_err *err)
{
    char path[BR_PATH_MAX];
    enum br_rc rc;
    if (s->schema_version == BR_STORE_USER_VERSION)
        return BR_OK;
    BR_TRY(br_path(path, s->dir, "metadata.db", err));
    BR_TRY(br_store_fence(s, err));
    BR_TRY(br_store_migrate(s->db, path, err));
    s->schema_version = BR_STORE_USER_VERSION;
err:
    return rc;
}

/* --- Is the schema what it should be? --- */

/* One line an entry of sqlite_master: type, name, table and statement, white space folded. */
static enum br_rc describe(sqlite3 *db, const char *path, struct br_buf *out, struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    enum br_rc rc = BR_OK;
    int r = sqlite3_prepare_v2(db, "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || ifnull(sql, '') FROM sqlite_master"
                                   " WHERE name NOT LIKE 'sqlite_stat%' ORDER BY 1",
                               -1, &st, NULL);
    while (r == SQLITE_OK && (r = sqlite3_step(st)) == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(st, 0);
        bool space = false;
        for (; text && *text; text++) {
            if (!isspace(*text))
                br_buf_addc(out, (char)*text);
            else if (!space)
                br_buf_addc(out, ' ');
            space = isspace(*text) != 0;
        }
        br_buf_addc(out, '\n');
        r = SQLITE_OK;
    }
    if (r != SQLITE_DONE)
        rc = br_sql_fail(db, err, path, "cannot read the schema of");
    sqlite3_finalize(st);
    return rc == BR_OK ? br_buf_status(out, err) : rc;
}

enum br_rc br_store_schema_check(sqlite3 *db, const char *path, struct br_err *err)
{
    struct br_buf have, want;
    sqlite3 *fresh = NULL;
    enum br_rc rc;
    br_buf_init(&have, 1 << 20);
    br_buf_init(&want, 1 << 20);
    BR_TRY(br_sql_open_memory(&fresh, err));
    for (const char *const *const *schema = br_store_schemas; *schema; schema++)
        for (const char *const *ddl = *schema; *ddl; ddl++)
            BR_TRY(br_sql_exec(fresh, *ddl, path, err));
    BR_TRY(describe(fresh, path, &want, err));
    BR_TRY(describe(db, path, &have, err));
    if (strcmp(br_buf_str(&have), br_buf_str(&want)) != 0)
        BR_TRY(br_fail(err, BR_E_CORRUPT, "%s has other tables than this program makes", path));
err:
    sqlite3_close(fresh);
    br_buf_free(&have);
    br_buf_free(&want);
    return rc;
}
