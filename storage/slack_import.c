/* slack_import.c - the record of one import: which messages it gave, how often, and what became of them.
 *
 * A temporary table of the writing connection, so memory stays bounded (SQLite spills it to a file) and nothing of it
 * is ever permanent. Totals are SQL over it and the stored rows: they are about the archive, the same in the first
 * import, in the second and in a dry run. A message deleted or suppressed by a marker is not counted. */
#include "slack_int.h"

/* rows: times given; outcome: 0 nothing changed, 1 new, 2 changed; erased: by a deletion of this import. */
static const char make_record[] = "CREATE TEMP TABLE IF NOT EXISTS import_messages("
                                  " channel_id TEXT NOT NULL,"
                                  " ts INTEGER NOT NULL,"
                                  " rows INTEGER NOT NULL,"
                                  " outcome INTEGER NOT NULL,"
                                  " erased INTEGER NOT NULL,"
                                  " PRIMARY KEY(channel_id, ts)"
                                  ") STRICT, WITHOUT ROWID";

enum br_rc br_slack_import_begin(struct br_store *s, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(br_store_stmt(s, make_record, &st, err));
    BR_TRY(br_store_step_done(s, st, "cannot make the record of an import in", err));
    BR_TRY(br_store_stmt(s, "DELETE FROM temp.import_messages", &st, err));
    BR_TRY(br_store_step_done(s, st, "cannot empty the record of an import in", err));
    br_store_changed_temporary(s);
err:
    return rc;
}

/* Outside an import (live events) nothing is recorded; a rolled back dry run takes its table with it. */
static enum br_rc recording(struct br_store *s, int64_t *is, struct br_err *err)
{
    return br_slack_int(s, "SELECT count(*) FROM sqlite_temp_master WHERE name = 'import_messages'", is, err);
}

enum br_rc br_slack_import_note(struct br_store *s, const char *channel_id, int64_t ts, enum br_slack_outcome outcome,
                                struct br_err *err)
{
    int64_t is;
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(recording(s, &is, err));
    if (!is)
        return BR_OK;
    BR_TRY(br_store_stmt(s,
                         "INSERT INTO temp.import_messages VALUES(?2, ?3, 1, ?4, 0)"
                         " ON CONFLICT DO UPDATE SET rows = rows + 1,"
                         " outcome = CASE WHEN outcome = 1 THEN 1 ELSE max(outcome, excluded.outcome) END",
                         &st, err));
    br_slack_bind_text(st, 2, channel_id);
    sqlite3_bind_int64(st, 3, ts);
    sqlite3_bind_int(st, 4, outcome == BR_PUT_NEW ? 1 : outcome == BR_PUT_UPDATED ? 2 : 0);
    BR_TRY(br_store_step_done(s, st, "cannot record an import in", err));
    br_store_changed_temporary(s);
err:
    return rc;
}

enum br_rc br_slack_import_note_delete(struct br_store *s, const char *channel_id, int64_t ts, struct br_err *err)
{
    int64_t is;
    enum br_rc rc;
    BR_TRY(recording(s, &is, err));
    if (!is)
        return BR_OK;
    BR_TRY(br_slack_run_key(s,
                            "INSERT INTO temp.import_messages VALUES(?2, ?3, 0, 0, 1) ON CONFLICT DO UPDATE SET erased = 1",
                            channel_id, ts, err));
    br_store_changed_temporary(s);
err:
    return rc;
}

/* --- Totals --- */

#define OF_THIS_IMPORT                                                                          \
    " FROM temp.import_messages i CROSS JOIN message_metadata m ON m.workspace_id = ?1"         \
    " AND m.channel_id = i.channel_id AND m.ts = i.ts AND m.cls <> 3 /* placeholders */"

static enum br_rc read_row(struct br_store *s, const char *sql, uint64_t *const *out, size_t n, struct br_err *err)
{
    sqlite3_stmt *st;
    bool row;
    enum br_rc rc;
    BR_TRY(br_store_stmt(s, sql, &st, err));
    BR_TRY(br_slack_step(s, st, &row, err));
    if (!row)
        return BR_OK;
    for (size_t i = 0; i < n; i++)
        *out[i] = (uint64_t)sqlite3_column_int64(st, (int)i);
    sqlite3_reset(st);
err:
    return rc;
}

enum br_rc br_slack_import_totals(struct br_store *s, struct br_slack_totals *t, struct br_err *err)
{
    int64_t is;
    uint64_t passages = 0;
    uint64_t *const of_record[] = {&t->duplicates, &t->deleted};
    uint64_t *const of_messages[] = {&t->messages, &t->added,          &t->updated,  &t->unchanged,
                                     &t->replies,  &t->orphan_replies, &t->documents, &t->reply_count_mismatches};
    uint64_t *const of_threads[] = {&t->threads};
    uint64_t *const of_reactions[] = {&t->reactions};
    uint64_t *const of_files[] = {&t->files};
    uint64_t *const of_passages[] = {&passages};
    enum br_rc rc;
    *t = (struct br_slack_totals){0};
    BR_TRY(recording(s, &is, err));
    if (!is)
        return BR_OK;
    BR_TRY(read_row(s, "SELECT sum(max(rows - 1, 0)), sum(erased) FROM temp.import_messages", of_record, 2, err));
    BR_TRY(read_row(s,
                    "SELECT count(*), sum(i.outcome = 1), sum(i.outcome = 2), sum(i.outcome = 0),"
                    " sum(m.thread_ts IS NOT NULL AND m.thread_ts <> m.ts),"
                    " sum(m.thread_ts IS NOT NULL AND m.thread_ts <> m.ts AND NOT EXISTS(SELECT 1"
                    "  FROM temp.import_messages r WHERE r.channel_id = m.channel_id AND r.ts = m.thread_ts"
                    "  AND r.rows > 0)),"
                    " sum(m.needs_vector),"
                    " sum(m.reply_count > 0 AND m.thread_ts = m.ts AND m.reply_count > (SELECT count(*)"
                    "  FROM message_metadata r INDEXED BY messages_by_thread WHERE r.workspace_id = ?1"
                    "  AND r.channel_id = m.channel_id"
                    "  AND r.thread_ts = m.ts AND r.ts <> m.ts))" OF_THIS_IMPORT,
                    of_messages, 8, err));
    BR_TRY(read_row(s,
                    "SELECT count(*) FROM (SELECT DISTINCT m.channel_id, m.thread_ts" OF_THIS_IMPORT
                    " WHERE m.thread_ts IS NOT NULL AND (m.thread_ts <> m.ts OR m.reply_count > 0))",
                    of_threads, 1, err));
    BR_TRY(read_row(s,
                    "SELECT sum(r.count) FROM temp.import_messages i CROSS JOIN reactions r"
                    " ON r.workspace_id = ?1 AND r.channel_id = i.channel_id AND r.ts = i.ts",
                    of_reactions, 1, err));
    BR_TRY(read_row(s,
                    "SELECT count(*) FROM temp.import_messages i CROSS JOIN files f"
                    " ON f.workspace_id = ?1 AND f.channel_id = i.channel_id AND f.ts = i.ts",
                    of_files, 1, err));
    BR_TRY(read_row(s,
                    "SELECT count(*) FROM (SELECT DISTINCT m.channel_id, ifnull(m.thread_ts, m.ts) AS thread_ts"
                    OF_THIS_IMPORT ") t CROSS JOIN passages p"
                    " ON p.workspace_id = ?1 AND p.channel_id = t.channel_id AND p.thread_ts = t.thread_ts",
                    of_passages, 1, err));
    t->documents += passages;
err:
    return rc;
}
