/* slack_schema.c - the Slack tables of metadata.db, as data, and how their statements are bound and stepped.
 *
 * No message text is in SQLite: rows name records of the content log. Authors and reactors have no foreign key: a
 * message may come before its author is known, an author may never be listed, and the stub that stands for one carries
 * nothing a key would protect. Keys to content and slots are deferred, since a row and what it names change in one
 * transaction in either order. */
#include "slack_int.h"

const char *const br_slack_schema[] = {
    "CREATE TABLE users("
    " workspace_id TEXT NOT NULL,"
    " user_id TEXT NOT NULL,"
    " team_id TEXT,"
    " name TEXT,"
    " real_name TEXT,"
    " display_name TEXT,"
    " is_bot INTEGER NOT NULL DEFAULT 0,"
    " is_deleted INTEGER NOT NULL DEFAULT 0,"
    " is_stub INTEGER NOT NULL DEFAULT 0," /* 1: known from messages only; 2: forgotten, names stay empty */
    " freshness INTEGER NOT NULL DEFAULT 0," /* of the source the row came from */
    " PRIMARY KEY(workspace_id, user_id)"
    ") STRICT, WITHOUT ROWID",

    "CREATE TABLE channels("
    " workspace_id TEXT NOT NULL,"
    " channel_id TEXT NOT NULL,"
    " name TEXT," /* NULL: a direct message */
    " kind INTEGER NOT NULL," /* enum br_slack_channel_kind */
    " topic TEXT,"
    " purpose TEXT,"
    " creator TEXT,"
    " created INTEGER NOT NULL DEFAULT 0,"
    " is_archived INTEGER NOT NULL DEFAULT 0,"
    " is_general INTEGER NOT NULL DEFAULT 0,"
    " is_stub INTEGER NOT NULL DEFAULT 0,"
    " freshness INTEGER NOT NULL DEFAULT 0," /* of the source the row came from */
    " members_freshness INTEGER NOT NULL DEFAULT 0," /* and its members: not every source lists them */
    " PRIMARY KEY(workspace_id, channel_id)"
    ") STRICT, WITHOUT ROWID",

    "CREATE TABLE channel_members("
    " workspace_id TEXT NOT NULL,"
    " channel_id TEXT NOT NULL,"
    " user_id TEXT NOT NULL,"
    " PRIMARY KEY(workspace_id, channel_id, user_id),"
    " FOREIGN KEY(workspace_id, channel_id) REFERENCES channels(workspace_id, channel_id)"
    ") STRICT, WITHOUT ROWID",

    /* needs_vector without a slot is a defect; without needs_vector there is nothing to embed. content_hash covers
     * the message but its raw form, reactions and counters; counters_hash covers those two. */
    "CREATE TABLE message_metadata("
    " workspace_id TEXT NOT NULL,"
    " channel_id TEXT NOT NULL,"
    " ts INTEGER NOT NULL,"
    " thread_ts INTEGER," /* = ts: a root */
    " user_id TEXT,"
    " bot_id TEXT,"
    " bot_name TEXT,"
    " subtype TEXT,"
    " team_id TEXT,"
    " cls INTEGER NOT NULL," /* enum br_slack_class */
    " flags INTEGER NOT NULL," /* BR_HAS_*, BR_IS_THREAD */
    " is_bot INTEGER NOT NULL DEFAULT 0,"
    " is_broadcast INTEGER NOT NULL DEFAULT 0,"
    " edited_ts INTEGER NOT NULL DEFAULT 0,"
    " reply_count INTEGER NOT NULL DEFAULT 0," /* as stated; the rows are the truth */
    " reactions_total INTEGER NOT NULL DEFAULT 0,"
    " content_id INTEGER,"
    " raw_id INTEGER," /* the redacted JSON record */
    " raw_length INTEGER NOT NULL DEFAULT 0,"
    " slot INTEGER,"
    " needs_vector INTEGER NOT NULL DEFAULT 0,"
    " content_hash INTEGER NOT NULL DEFAULT 0,"
    " counters_hash INTEGER NOT NULL DEFAULT 0,"
    " freshness INTEGER NOT NULL DEFAULT 0," /* of the source that content came from */
    " raw_tag INTEGER NOT NULL DEFAULT 0," /* first half of the raw form's hash */
    " counters_freshness INTEGER NOT NULL DEFAULT 0," /* these three: of the source that reactions and reply_count came from */
    " counters_raw_length INTEGER NOT NULL DEFAULT 0,"
    " counters_raw_tag INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(workspace_id, channel_id, ts),"
    " FOREIGN KEY(workspace_id, channel_id) REFERENCES channels(workspace_id, channel_id),"
    " FOREIGN KEY(workspace_id, content_id) REFERENCES content(workspace_id, content_id)"
    "  DEFERRABLE INITIALLY DEFERRED,"
    " FOREIGN KEY(workspace_id, slot) REFERENCES slots(workspace_id, slot) DEFERRABLE INITIALLY DEFERRED"
    ") STRICT, WITHOUT ROWID",
    /* The first two, and those of bots, answer filters without touching the table. */
    "CREATE INDEX messages_by_channel ON message_metadata(workspace_id, channel_id, ts, flags, cls, slot, content_id)",
    "CREATE INDEX messages_by_user ON message_metadata(workspace_id, user_id, channel_id, ts, flags, slot, content_id)"
    " WHERE slot IS NOT NULL",
    "CREATE INDEX messages_by_bot_id ON message_metadata(workspace_id, bot_id, channel_id, ts, flags, slot, content_id)"
    " WHERE bot_id IS NOT NULL AND slot IS NOT NULL",
    "CREATE INDEX messages_by_bot_name"
    " ON message_metadata(workspace_id, bot_name COLLATE NOCASE, channel_id, ts, flags, slot, content_id)"
    " WHERE bot_name IS NOT NULL AND slot IS NOT NULL",
    "CREATE INDEX messages_by_ts ON message_metadata(workspace_id, ts)",
    "CREATE INDEX messages_by_thread ON message_metadata(workspace_id, channel_id, thread_ts, ts, reply_count)"
    " WHERE thread_ts IS NOT NULL",
    "CREATE INDEX messages_by_reactions ON message_metadata(workspace_id, reactions_total, ts)"
    " WHERE reactions_total > 0",
    "CREATE INDEX messages_by_content ON message_metadata(workspace_id, content_id) WHERE content_id IS NOT NULL",
    "CREATE UNIQUE INDEX messages_by_slot ON message_metadata(workspace_id, slot) WHERE slot IS NOT NULL",
    "CREATE INDEX messages_without_vector ON message_metadata(workspace_id, channel_id, ts)"
    " WHERE needs_vector = 1 AND slot IS NULL",

    "CREATE TABLE reactions("
    " workspace_id TEXT NOT NULL,"
    " channel_id TEXT NOT NULL,"
    " ts INTEGER NOT NULL,"
    " name TEXT NOT NULL," /* as in the source, skin tone included */
    " folded TEXT NOT NULL,"
    " count INTEGER NOT NULL,"
    " PRIMARY KEY(workspace_id, channel_id, ts, name),"
    " FOREIGN KEY(workspace_id, channel_id, ts) REFERENCES message_metadata(workspace_id, channel_id, ts)"
    ") STRICT, WITHOUT ROWID",
    "CREATE INDEX reactions_by_folded ON reactions(workspace_id, folded, channel_id, ts)",

    "CREATE TABLE reaction_users("
    " workspace_id TEXT NOT NULL,"
    " channel_id TEXT NOT NULL,"
    " ts INTEGER NOT NULL,"
    " name TEXT NOT NULL,"
    " user_id TEXT NOT NULL,"
    " PRIMARY KEY(workspace_id, channel_id, ts, name, user_id),"
    " FOREIGN KEY(workspace_id, channel_id, ts, name) REFERENCES reactions(workspace_id, channel_id, ts, name)"
    ") STRICT, WITHOUT ROWID",

    "CREATE TABLE files("
    " workspace_id TEXT NOT NULL,"
    " channel_id TEXT NOT NULL,"
    " ts INTEGER NOT NULL,"
    " position INTEGER NOT NULL,"
    " file_id TEXT," /* absent in some of Slack's own stubs */
    " name TEXT,"
    " title TEXT,"
    " mimetype TEXT,"
    " mode TEXT,"
    " size INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(workspace_id, channel_id, ts, position),"
    " FOREIGN KEY(workspace_id, channel_id, ts) REFERENCES message_metadata(workspace_id, channel_id, ts)"
    ") STRICT, WITHOUT ROWID",

    /* thread_ts of a message without thread: its ts. Derived from messages: no key to them. */
    "CREATE TABLE passages("
    " workspace_id TEXT NOT NULL,"
    " channel_id TEXT NOT NULL,"
    " thread_ts INTEGER NOT NULL,"
    " position INTEGER NOT NULL,"
    " first_ts INTEGER NOT NULL,"
    " last_ts INTEGER NOT NULL,"
    " content_id INTEGER NOT NULL,"
    " slot INTEGER,"
    " PRIMARY KEY(workspace_id, channel_id, thread_ts, position),"
    " FOREIGN KEY(workspace_id, channel_id) REFERENCES channels(workspace_id, channel_id),"
    " FOREIGN KEY(workspace_id, content_id) REFERENCES content(workspace_id, content_id)"
    "  DEFERRABLE INITIALLY DEFERRED,"
    " FOREIGN KEY(workspace_id, slot) REFERENCES slots(workspace_id, slot) DEFERRABLE INITIALLY DEFERRED"
    ") STRICT, WITHOUT ROWID",
    "CREATE INDEX passages_by_content ON passages(workspace_id, content_id)",
    "CREATE UNIQUE INDEX passages_by_slot ON passages(workspace_id, slot) WHERE slot IS NOT NULL",
    "CREATE INDEX passages_without_vector ON passages(workspace_id, channel_id) WHERE slot IS NULL",

    "CREATE TABLE dirty_threads("
    " workspace_id TEXT NOT NULL,"
    " channel_id TEXT NOT NULL,"
    " thread_ts INTEGER NOT NULL,"
    " PRIMARY KEY(workspace_id, channel_id, thread_ts)"
    ") STRICT, WITHOUT ROWID",

    "CREATE TABLE deleted_messages("
    " workspace_id TEXT NOT NULL,"
    " channel_id TEXT NOT NULL,"
    " ts INTEGER NOT NULL,"
    " deleted_at INTEGER NOT NULL,"
    " PRIMARY KEY(workspace_id, channel_id, ts)"
    ") STRICT, WITHOUT ROWID",

    /* rowid = content_id. Contentless: words without the text; a row goes only by naming the text it was made of. */
    "CREATE VIRTUAL TABLE fts_messages USING fts5("
    "text, content='', tokenize='porter unicode61 remove_diacritics 2')",
    "CREATE VIRTUAL TABLE fts_passages USING fts5("
    "text, content='', tokenize='porter unicode61 remove_diacritics 2')",
    NULL,
};

enum br_rc br_slack_step(struct br_store *s, sqlite3_stmt *st, bool *row, struct br_err *err)
{
    int r = sqlite3_step(st);
    *row = r == SQLITE_ROW;
    if (*row)
        return BR_OK;
    enum br_rc rc = r == SQLITE_DONE ? BR_OK : br_store_sql_fail(s, err, "cannot read");
    sqlite3_reset(st);
    return rc;
}

static enum br_rc key_stmt(struct br_store *s, const char *sql, const char *channel_id, int64_t ts, sqlite3_stmt **st,
                           struct br_err *err)
{
    enum br_rc rc = br_store_stmt(s, sql, st, err);
    if (rc != BR_OK)
        return rc;
    sqlite3_bind_text(*st, 2, channel_id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(*st, 3, ts);
    return BR_OK;
}

enum br_rc br_slack_run_key(struct br_store *s, const char *sql, const char *channel_id, int64_t ts, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = key_stmt(s, sql, channel_id, ts, &st, err);
    return rc == BR_OK ? br_store_step_done(s, st, "cannot write", err) : rc;
}

static enum br_rc first_int(struct br_store *s, sqlite3_stmt *st, int64_t *out, struct br_err *err)
{
    bool row;
    *out = 0;
    enum br_rc rc = br_slack_step(s, st, &row, err);
    if (rc == BR_OK && row) {
        *out = sqlite3_column_int64(st, 0);
        sqlite3_reset(st);
    }
    return rc;
}

enum br_rc br_slack_int_key(struct br_store *s, const char *sql, const char *channel_id, int64_t ts, int64_t *out,
                            struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = key_stmt(s, sql, channel_id, ts, &st, err);
    return rc == BR_OK ? first_int(s, st, out, err) : rc;
}

enum br_rc br_slack_int(struct br_store *s, const char *sql, int64_t *out, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s, sql, &st, err);
    return rc == BR_OK ? first_int(s, st, out, err) : rc;
}

void br_slack_bind_text(sqlite3_stmt *st, int i, const char *text)
{
    sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC);
}

void br_slack_bind_positive(sqlite3_stmt *st, int i, int64_t value)
{
    if (value > 0)
        sqlite3_bind_int64(st, i, value);
    else
        sqlite3_bind_null(st, i);
}

void br_slack_bind_slot(sqlite3_stmt *st, int i, int64_t slot)
{
    if (slot != BR_NO_SLOT)
        sqlite3_bind_int64(st, i, slot);
    else
        sqlite3_bind_null(st, i);
}

int64_t br_slack_column_slot(sqlite3_stmt *st, int i)
{
    return sqlite3_column_type(st, i) == SQLITE_NULL ? BR_NO_SLOT : sqlite3_column_int64(st, i);
}

const char *br_slack_column_text(sqlite3_stmt *st, int i)
{
    return (const char *)sqlite3_column_text(st, i);
}

const char *br_slack_column_key(sqlite3_stmt *st, int i)
{
    const char *text = br_slack_column_text(st, i);
    return text ? text : "";
}

enum br_rc br_slack_check_id(const char *id, const char *what, struct br_err *err)
{
    size_t n = id ? strlen(id) : 0;
    if (n < 1 || n > 63)
        return br_fail(err, BR_E_DATA, "a %s id has 1 to 63 bytes, this one %zu", what, n);
    return BR_OK;
}
