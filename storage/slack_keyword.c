/* slack_keyword.c - words to documents: FTS5 ranks, the filter passes or drops each hit in order of rank.
 *
 * The filter is applied after ranking, hit by hit, until n have passed: a filter can thin the hits out but never cut
 * them short. */
#include "slack_int.h"

static bool any_of(const char *const *list, size_t n, const char *value)
{
    for (size_t i = 0; i < n; i++)
        if (value && strcmp(list[i], value) == 0)
            return true;
    return n == 0;
}

static enum br_rc has_reaction(struct br_store *s, const char *folded, const char *channel_id, int64_t ts, bool *has,
                               struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s,
                                  "SELECT 1 FROM reactions INDEXED BY reactions_by_folded"
                                  " WHERE workspace_id = ?1 AND folded = ?2 AND channel_id = ?3 AND ts = ?4",
                                  &st, err);
    if (rc != BR_OK)
        return rc;
    br_slack_bind_text(st, 2, folded);
    br_slack_bind_text(st, 3, channel_id);
    sqlite3_bind_int64(st, 4, ts);
    rc = br_slack_step(s, st, has, err);
    sqlite3_reset(st);
    return rc;
}

/* The document of a content record, if there is one and the filter passes it. */
static enum br_rc passes(struct br_store *s, enum br_doc_kind kind, int64_t content_id,
                         const struct br_slack_filter *f, struct br_doc *doc, bool *pass, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    *pass = false;
    if (kind == BR_DOC_MESSAGE)
        BR_TRY(br_store_stmt(s,
                             "SELECT channel_id, ts, ts, ifnull(thread_ts, ts), slot, flags, user_id"
                             " FROM message_metadata INDEXED BY messages_by_content"
                             " WHERE workspace_id = ?1 AND content_id = ?2",
                             &st, err));
    else
        BR_TRY(br_store_stmt(s,
                             "SELECT channel_id, first_ts, last_ts, thread_ts, slot, 0, NULL"
                             " FROM passages INDEXED BY passages_by_content"
                             " WHERE workspace_id = ?1 AND content_id = ?2",
                             &st, err));
    sqlite3_bind_int64(st, 2, content_id);
    BR_TRY(br_slack_step(s, st, pass, err));
    if (!*pass)
        return BR_OK;
    int64_t slot = br_slack_column_slot(st, 4);
    unsigned flags = (unsigned)sqlite3_column_int(st, 5);
    *doc = (struct br_doc){.kind = kind,
                           .content_id = (uint64_t)content_id,
                           .slot = slot == BR_NO_SLOT ? UINT64_MAX : (uint64_t)slot,
                           .ts = sqlite3_column_int64(st, 1),
                           .last_ts = sqlite3_column_int64(st, 2),
                           .thread_ts = sqlite3_column_int64(st, 3)};
    strncat(doc->channel_id, br_slack_column_text(st, 0), sizeof(doc->channel_id) - 1);
    *pass = any_of(f->channel_ids, f->n_channels, doc->channel_id) &&
            any_of(f->user_ids, f->n_users, br_slack_column_text(st, 6)) && (flags & f->has) == f->has &&
            doc->last_ts >= f->after && (!f->before || doc->ts < f->before);
    sqlite3_reset(st);
    if (*pass && f->has_reaction && kind == BR_DOC_MESSAGE)
        BR_TRY(has_reaction(s, f->has_reaction, doc->channel_id, doc->ts, pass, err));
err:
    return rc;
}

static enum br_rc match_failed(struct br_store *s, struct br_err *err)
{
    if ((sqlite3_errcode(br_store_db(s)) & 0xff) == SQLITE_ERROR)
        return br_fail(err, BR_E_USAGE, "the search words cannot be understood: %s", sqlite3_errmsg(br_store_db(s)));
    return br_store_sql_fail(s, err, "cannot search");
}

static enum br_rc search(struct br_store *s, const char *match, enum br_doc_kind kind, const struct br_slack_filter *f,
                         size_t n, struct br_keyword_hit *out, size_t *n_out, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    int r;
    if (kind == BR_DOC_MESSAGE)
        BR_TRY(br_store_stmt(s,
                             "SELECT rowid, rank FROM fts_messages WHERE fts_messages MATCH ?2 ORDER BY rank LIMIT ?3",
                             &st, err));
    else
        BR_TRY(br_store_stmt(s,
                             "SELECT rowid, rank FROM fts_passages WHERE fts_passages MATCH ?2 ORDER BY rank LIMIT ?3",
                             &st, err));
    br_slack_bind_text(st, 2, match);
    /* Without a filter every hit passes, and a limit lets the sorter forget the rest. */
    sqlite3_bind_int64(st, 3, br_slack_filter_is_empty(f) ? (int64_t)BR_MIN(n, (size_t)INT32_MAX) : -1);
    while (*n_out < n && (r = sqlite3_step(st)) != SQLITE_DONE) {
        bool pass = false;
        if (r != SQLITE_ROW) {
            rc = match_failed(s, err);
        } else {
            struct br_keyword_hit *hit = &out[*n_out];
            hit->bm25 = -sqlite3_column_double(st, 1);
            rc = passes(s, kind, sqlite3_column_int64(st, 0), f, &hit->doc, &pass, err);
        }
        if (rc != BR_OK)
            break;
        *n_out += pass;
    }
    sqlite3_reset(st);
err:
    return rc;
}

enum br_rc br_slack_keyword(struct br_store *s, const char *match, enum br_doc_kind kind,
                            const struct br_slack_filter *f, size_t n, struct br_keyword_hit *out, size_t *n_out,
                            struct br_err *err)
{
    static const struct br_slack_filter everything = {0};
    if (!f)
        f = &everything;
    *n_out = 0;
    if (!match[0] || !n || (kind == BR_DOC_PASSAGE && (f->n_users || f->has || f->has_reaction)))
        return BR_OK;
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    rc = search(s, match, kind, f, n, out, n_out, err);
    br_store_read_end(s);
    return rc;
}
