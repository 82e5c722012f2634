/* slack_keyword.c - words to documents: what FTS5 finds, counted and unranked, and what a record of it stands for. */
#include "slack_int.h"

static const char *counting(enum br_doc_kind kind, bool in_set)
{
    if (kind == BR_DOC_MESSAGE)
        return in_set ? "SELECT term_counts(fts_messages, ?3) FROM fts_messages WHERE fts_messages MATCH ?2 AND in_bitmap(rowid, ?4)"
                      : "SELECT term_counts(fts_messages, ?3) FROM fts_messages WHERE fts_messages MATCH ?2";
    return in_set ? "SELECT term_counts(fts_passages, ?3) FROM fts_passages WHERE fts_passages MATCH ?2 AND in_bitmap(rowid, ?4)"
                  : "SELECT term_counts(fts_passages, ?3) FROM fts_passages WHERE fts_passages MATCH ?2";
}

enum br_rc br_slack_keyword(struct br_store *s, const char *match, enum br_doc_kind kind, const struct br_bitmap *contents,
                            struct br_term_counts *out, struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    int r;
    enum br_rc rc;
    *out = (struct br_term_counts){0};
    if (!match[0])
        return BR_OK;
    rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(br_store_stmt(s, counting(kind, contents != NULL), &st, err));
    br_slack_bind_text(st, 2, match);
    br_term_counts_bind(st, 3, out);
    if (contents)
        br_sql_bind_bitmap(st, 4, contents);
    while ((r = sqlite3_step(st)) == SQLITE_ROW)
        ;
    if (out->failed)
        BR_TRY(br_fail_nomem(err));
    if (r != SQLITE_DONE)
        BR_TRY(br_slack_match_fail(s, err));
err:
    if (st)
        sqlite3_reset(st);
    br_store_read_end(s);
    if (rc != BR_OK)
        br_term_counts_free(out);
    return rc;
}

enum br_rc br_slack_rarity(struct br_store *s, const char *match, enum br_doc_kind kind, struct br_term_rarity *out, struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    *out = (struct br_term_rarity){0};
    enum br_rc rc = br_store_stmt(s, counting(kind, false), &st, err);
    if (rc != BR_OK)
        return rc;
    br_slack_bind_text(st, 2, match);
    br_term_rarity_bind(st, 3, out);
    int r = sqlite3_step(st); /* one row tells all */
    if (r != SQLITE_ROW && r != SQLITE_DONE)
        rc = br_slack_match_fail(s, err);
    sqlite3_reset(st);
    return rc;
}

enum br_rc br_slack_postings(struct br_store *s, const char *phrase, enum br_doc_kind kind, struct br_postings *out, struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    int r;
    *out = (struct br_postings){0};
    enum br_rc rc = br_store_stmt(s, counting(kind, false), &st, err);
    if (rc != BR_OK)
        return rc;
    br_slack_bind_text(st, 2, phrase);
    br_postings_bind(st, 3, out);
    while ((r = sqlite3_step(st)) == SQLITE_ROW && !out->complete)
        ;
    if (out->failed)
        rc = br_fail_nomem(err);
    else if (r != SQLITE_ROW && r != SQLITE_DONE)
        rc = br_slack_match_fail(s, err);
    sqlite3_reset(st);
    if (rc != BR_OK)
        br_postings_free(out);
    return rc;
}

/* Columns 0 to 4: channel, first and last ts, thread, slot. */
static void take_doc(sqlite3_stmt *st, enum br_doc_kind kind, uint64_t content_id, struct br_doc *doc)
{
    int64_t slot = br_slack_column_slot(st, 4);
    *doc = (struct br_doc){.kind = kind,
                           .content_id = content_id,
                           .slot = slot == BR_NO_SLOT ? UINT64_MAX : (uint64_t)slot,
                           .ts = sqlite3_column_int64(st, 1),
                           .last_ts = sqlite3_column_int64(st, 2),
                           .thread_ts = sqlite3_column_int64(st, 3)};
    strncat(doc->channel_id, br_slack_column_key(st, 0), sizeof(doc->channel_id) - 1);
}

enum br_rc br_slack_doc_of_content(struct br_store *s, enum br_doc_kind kind, int64_t content_id, struct br_doc *doc,
                                   size_t *length, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool found;
    if (kind == BR_DOC_MESSAGE)
        BR_TRY(br_store_stmt(s,
                             "SELECT m.channel_id, m.ts, m.ts, ifnull(m.thread_ts, m.ts), m.slot, c.length"
                             " FROM message_metadata m INDEXED BY messages_by_content"
                             " JOIN content c ON c.workspace_id = ?1 AND c.content_id = m.content_id"
                             " WHERE m.workspace_id = ?1 AND m.content_id = ?2",
                             &st, err));
    else
        BR_TRY(br_store_stmt(s,
                             "SELECT channel_id, first_ts, last_ts, thread_ts, slot, 0"
                             " FROM passages INDEXED BY passages_by_content"
                             " WHERE workspace_id = ?1 AND content_id = ?2",
                             &st, err));
    sqlite3_bind_int64(st, 2, content_id);
    BR_TRY(br_slack_step(s, st, &found, err));
    if (!found)
        return br_fail(err, BR_E_NOTFOUND, "no document has content record %lld", (long long)content_id);
    take_doc(st, kind, (uint64_t)content_id, doc);
    *length = (size_t)sqlite3_column_int64(st, 5);
    sqlite3_reset(st);
err:
    return rc;
}

enum br_rc br_slack_each_doc(struct br_store *s, void (*fn)(void *ctx, const struct br_doc *doc, size_t length), void *ctx, struct br_err *err)
{
    static const char *const sql[2] = {
        "SELECT m.channel_id, m.ts, m.ts, ifnull(m.thread_ts, m.ts), m.slot, c.length, m.content_id FROM message_metadata m NOT INDEXED"
        " CROSS JOIN content c ON c.workspace_id = ?1 AND c.content_id = m.content_id WHERE m.workspace_id = ?1",
        "SELECT channel_id, first_ts, last_ts, thread_ts, slot, 0, content_id FROM passages NOT INDEXED WHERE workspace_id = ?1"};
    enum br_rc rc = BR_OK;
    for (int kind = 0; kind < 2; kind++) {
        sqlite3_stmt *st;
        struct br_doc doc;
        bool row;
        BR_TRY(br_store_stmt(s, sql[kind], &st, err));
        for (;;) {
            BR_TRY(br_slack_step(s, st, &row, err));
            if (!row)
                break;
            take_doc(st, kind ? BR_DOC_PASSAGE : BR_DOC_MESSAGE, (uint64_t)sqlite3_column_int64(st, 6), &doc);
            fn(ctx, &doc, (size_t)sqlite3_column_int64(st, 5));
        }
    }
err:
    return rc;
}

enum br_rc br_slack_slot_of_message(struct br_store *s, const char *channel_id, int64_t ts, uint64_t *slot, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    *slot = UINT64_MAX;
    BR_TRY(br_store_stmt(s, "SELECT slot FROM message_metadata WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3 AND slot IS NOT NULL", &st, err));
    br_slack_bind_text(st, 2, channel_id);
    sqlite3_bind_int64(st, 3, ts);
    BR_TRY(br_slack_step(s, st, &row, err));
    if (row)
        *slot = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
err:
    return rc;
}

enum br_rc br_slack_thread_passages(struct br_store *s, const char *channel_id, int64_t thread_ts,
                                    void (*fn)(void *ctx, int64_t content_id, uint64_t slot, size_t length), void *ctx, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    BR_TRY(br_store_stmt(s,
                         "SELECT p.content_id, c.length, p.slot FROM passages p"
                         " JOIN content c ON c.workspace_id = ?1 AND c.content_id = p.content_id"
                         " WHERE p.workspace_id = ?1 AND p.channel_id = ?2 AND p.thread_ts = ?3 ORDER BY p.position",
                         &st, err));
    br_slack_bind_text(st, 2, channel_id);
    sqlite3_bind_int64(st, 3, thread_ts);
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        int64_t slot = br_slack_column_slot(st, 2);
        fn(ctx, sqlite3_column_int64(st, 0), slot == BR_NO_SLOT ? UINT64_MAX : (uint64_t)slot, (size_t)sqlite3_column_int64(st, 1));
    }
err:
    return rc;
}

enum br_rc br_slack_passage_threads(struct br_store *s, void (*fn)(void *ctx, int64_t content_id, bool next_conversation, bool replied),
                                    void *ctx, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    BR_TRY(br_store_stmt(s,
                         "SELECT content_id, position, last_ts > thread_ts FROM passages NOT INDEXED WHERE workspace_id = ?1"
                         " ORDER BY channel_id, thread_ts, position",
                         &st, err));
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        fn(ctx, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1) == 0, sqlite3_column_int(st, 2));
    }
err:
    return rc;
}

enum br_rc br_slack_threaded_messages(struct br_store *s, uint64_t *n, struct br_err *err)
{
    int64_t count;
    enum br_rc rc = br_slack_int(s, "SELECT count(*) FROM message_metadata INDEXED BY messages_by_thread"
                                    " WHERE workspace_id = ?1 AND thread_ts IS NOT NULL", &count, err);
    *n = rc == BR_OK ? (uint64_t)count : 0;
    return rc;
}
