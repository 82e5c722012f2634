/* slack_keyword.c - words to documents: FTS5 ranks those that are in the set asked for. */
#include "slack_int.h"

/* The document of a content record; *found is false for one that is no document's. */
static enum br_rc document_of(struct br_store *s, enum br_doc_kind kind, int64_t content_id, struct br_doc *doc,
                              bool *found, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    if (kind == BR_DOC_MESSAGE)
        BR_TRY(br_store_stmt(s,
                             "SELECT channel_id, ts, ts, ifnull(thread_ts, ts), slot"
                             " FROM message_metadata INDEXED BY messages_by_content"
                             " WHERE workspace_id = ?1 AND content_id = ?2",
                             &st, err));
    else
        BR_TRY(br_store_stmt(s,
                             "SELECT channel_id, first_ts, last_ts, thread_ts, slot"
                             " FROM passages INDEXED BY passages_by_content"
                             " WHERE workspace_id = ?1 AND content_id = ?2",
                             &st, err));
    sqlite3_bind_int64(st, 2, content_id);
    BR_TRY(br_slack_step(s, st, found, err));
    if (!*found)
        return BR_OK;
    int64_t slot = br_slack_column_slot(st, 4);
    *doc = (struct br_doc){.kind = kind,
                           .content_id = (uint64_t)content_id,
                           .slot = slot == BR_NO_SLOT ? UINT64_MAX : (uint64_t)slot,
                           .ts = sqlite3_column_int64(st, 1),
                           .last_ts = sqlite3_column_int64(st, 2),
                           .thread_ts = sqlite3_column_int64(st, 3)};
    strncat(doc->channel_id, br_slack_column_text(st, 0), sizeof(doc->channel_id) - 1);
    sqlite3_reset(st);
err:
    return rc;
}

/* With a set, the unary + keeps FTS5 from ranking before the set is asked: only what is in it costs a rank and a place
 * in the sorter. */
static enum br_rc ranked(struct br_store *s, enum br_doc_kind kind, bool in_set, sqlite3_stmt **st, struct br_err *err)
{
    if (kind == BR_DOC_MESSAGE && in_set)
        return br_store_stmt(s,
                             "SELECT rowid, rank FROM fts_messages WHERE fts_messages MATCH ?2 AND in_bitmap(rowid, ?4)"
                             " ORDER BY +rank LIMIT ?3",
                             st, err);
    if (kind == BR_DOC_MESSAGE)
        return br_store_stmt(s,
                             "SELECT rowid, rank FROM fts_messages WHERE fts_messages MATCH ?2 ORDER BY rank LIMIT ?3",
                             st, err);
    if (in_set)
        return br_store_stmt(s,
                             "SELECT rowid, rank FROM fts_passages WHERE fts_passages MATCH ?2 AND in_bitmap(rowid, ?4)"
                             " ORDER BY +rank LIMIT ?3",
                             st, err);
    return br_store_stmt(s,
                         "SELECT rowid, rank FROM fts_passages WHERE fts_passages MATCH ?2 ORDER BY rank LIMIT ?3",
                         st, err);
}

static enum br_rc search(struct br_store *s, const char *match, enum br_doc_kind kind,
                         const struct br_bitmap *contents, size_t n,
                         struct br_keyword_hit *out, size_t *n_out, struct br_err *err)
{
    sqlite3_stmt *st;
    int r;
    enum br_rc rc = ranked(s, kind, contents != NULL, &st, err);
    if (rc != BR_OK)
        return rc;
    br_slack_bind_text(st, 2, match);
    sqlite3_bind_int64(st, 3, (int64_t)BR_MIN(n, (size_t)INT32_MAX));
    if (contents)
        br_sql_bind_bitmap(st, 4, contents);
    while (rc == BR_OK && *n_out < n && (r = sqlite3_step(st)) != SQLITE_DONE) {
        struct br_keyword_hit *hit = &out[*n_out];
        bool found = false;
        if (r != SQLITE_ROW) {
            rc = br_slack_match_fail(s, err);
            break;
        }
        hit->bm25 = -sqlite3_column_double(st, 1);
        rc = document_of(s, kind, sqlite3_column_int64(st, 0), &hit->doc, &found, err);
        *n_out += rc == BR_OK && found;
    }
    sqlite3_reset(st);
    return rc;
}

enum br_rc br_slack_keyword(struct br_store *s, const char *match, enum br_doc_kind kind,
                            const struct br_bitmap *contents, size_t n,
                            struct br_keyword_hit *out, size_t *n_out, struct br_err *err)
{
    *n_out = 0;
    if (!match[0] || !n)
        return BR_OK;
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    rc = search(s, match, kind, contents, n, out, n_out, err);
    br_store_read_end(s);
    return rc;
}
