/* slack_status.c - what a workspace holds, and whether its rows, records and slots agree. */
#include "slack_int.h"

#include <stdio.h>

enum br_rc br_slack_count(struct br_store *s, struct br_slack_counts *c, struct br_err *err)
{
    static const char placeholder_free[] =
        "SELECT count(*) FROM message_metadata INDEXED BY messages_by_channel WHERE workspace_id = ?1 AND cls <> 3";
    const struct {
        const char *sql;
        uint64_t *out;
    } counts[] = {
        {placeholder_free, &c->messages},
        {"SELECT count(*) FROM users WHERE workspace_id = ?1 AND is_stub = 0", &c->users},
        {"SELECT count(*) FROM channels WHERE workspace_id = ?1", &c->channels},
        {"SELECT count(*) FROM (SELECT 1 FROM message_metadata INDEXED BY messages_by_thread"
         " WHERE workspace_id = ?1 AND thread_ts IS NOT NULL GROUP BY channel_id, thread_ts"
         " HAVING max(thread_ts <> ts OR reply_count > 0))",
         &c->threads},
        {"SELECT (SELECT count(*) FROM message_metadata INDEXED BY messages_by_slot"
         "  WHERE workspace_id = ?1 AND slot IS NOT NULL)"
         " + (SELECT count(*) FROM message_metadata INDEXED BY messages_without_vector"
         "  WHERE workspace_id = ?1 AND needs_vector = 1 AND slot IS NULL)"
         " + (SELECT count(*) FROM passages WHERE workspace_id = ?1)",
         &c->documents},
        {"SELECT count(*) FROM dirty_threads WHERE workspace_id = ?1", &c->dirty_threads},
        {"SELECT ifnull(sum(count), 0) FROM reactions WHERE workspace_id = ?1", &c->reactions},
        {"SELECT count(*) FROM files WHERE workspace_id = ?1", &c->files},
    };
    *c = (struct br_slack_counts){0};
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    for (size_t i = 0; i < BR_COUNT(counts) && rc == BR_OK; i++) {
        int64_t n = 0;
        rc = br_slack_int(s, counts[i].sql, &n, err);
        *counts[i].out = (uint64_t)n;
    }
    br_store_read_end(s);
    return rc;
}

enum br_rc br_slack_channel_statuses(struct br_store *s,
                                     enum br_rc (*fn)(void *ctx, const struct br_slack_channel_status *c), void *ctx,
                                     struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    BR_TRY(br_store_stmt(s,
                         "SELECT c.channel_id, c.name, c.kind, count(m.ts), min(m.ts), max(m.ts)"
                         " FROM channels c LEFT JOIN message_metadata m INDEXED BY messages_by_channel"
                         "  ON m.workspace_id = ?1 AND m.channel_id = c.channel_id AND m.cls <> 3"
                         " WHERE c.workspace_id = ?1 GROUP BY c.channel_id ORDER BY c.channel_id",
                         &st, err));
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        struct br_slack_channel_status c = {.id = br_slack_column_key(st, 0),
                                            .name = br_slack_column_text(st, 1),
                                            .kind = (enum br_slack_channel_kind)sqlite3_column_int(st, 2),
                                            .messages = (uint64_t)sqlite3_column_int64(st, 3),
                                            .first_ts = sqlite3_column_int64(st, 4),
                                            .last_ts = sqlite3_column_int64(st, 5)};
        rc = fn(ctx, &c);
        if (rc != BR_OK) {
            sqlite3_reset(st);
            return br_fail(err, rc, "%s", br_rc_text(rc));
        }
    }
err:
    return rc;
}

/* --- Verify --- */

/* sql gives one row per defect: what it concerns, in two columns. */
static enum br_rc count_defects(struct br_store *s, const char *sql, const char *what, uint64_t *n,
                                struct br_slack_report *r, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    BR_TRY(br_store_stmt(s, sql, &st, err));
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        (*n)++;
        if (!r->first_problem[0]) {
            snprintf(r->first_problem, sizeof(r->first_problem), "%s %.64s %lld", what, br_slack_column_key(st, 0),
                     (long long)sqlite3_column_int64(st, 1));
        }
    }
err:
    return rc;
}

#define LIVE_SLOT(slot)                                                                                     \
    "EXISTS(SELECT 1 FROM slots l WHERE l.workspace_id = ?1 AND l.slot = " slot " AND l.seq_killed IS NULL" \
    " AND l.content_id = d.content_id)"
#define LIVE_CONTENT(id) \
    "EXISTS(SELECT 1 FROM content l WHERE l.workspace_id = ?1 AND l.content_id = " id " AND l.dead = 0)"

enum br_rc br_slack_verify(struct br_store *s, struct br_slack_report *r, struct br_err *err)
{
    int64_t dirty;
    *r = (struct br_slack_report){0};
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(count_defects(s,
                         "SELECT d.channel_id, d.ts FROM message_metadata d WHERE d.workspace_id = ?1"
                         " AND d.needs_vector = 1 AND (d.slot IS NULL OR NOT " LIVE_SLOT("d.slot") ")",
                         "no vector for message", &r->missing_vectors, r, err));
    BR_TRY(count_defects(s,
                         "SELECT d.channel_id, d.first_ts FROM passages d WHERE d.workspace_id = ?1"
                         " AND (d.slot IS NULL OR NOT " LIVE_SLOT("d.slot") ")",
                         "no vector for passage", &r->missing_vectors, r, err));
    BR_TRY(count_defects(s,
                         "SELECT 'slot', d.slot FROM slots d WHERE d.workspace_id = ?1 AND d.seq_killed IS NULL"
                         " AND NOT EXISTS(SELECT 1 FROM message_metadata m INDEXED BY messages_by_slot"
                         "  WHERE m.workspace_id = ?1 AND m.slot = d.slot)"
                         " AND NOT EXISTS(SELECT 1 FROM passages p INDEXED BY passages_by_slot"
                         "  WHERE p.workspace_id = ?1 AND p.slot = d.slot)",
                         "no document for live", &r->orphan_vectors, r, err));
    BR_TRY(count_defects(s,
                         "SELECT d.channel_id, d.ts FROM message_metadata d WHERE d.workspace_id = ?1"
                         " AND (d.content_id IS NOT NULL AND NOT " LIVE_CONTENT("d.content_id")
                         "  OR d.raw_id IS NOT NULL AND NOT " LIVE_CONTENT("d.raw_id")
                         "  OR d.needs_vector = 1 AND d.content_id IS NULL)",
                         "no content for message", &r->missing_content, r, err));
    BR_TRY(count_defects(s,
                         "SELECT d.channel_id, d.first_ts FROM passages d WHERE d.workspace_id = ?1"
                         " AND NOT " LIVE_CONTENT("d.content_id"),
                         "no content for passage", &r->missing_content, r, err));
    BR_TRY(count_defects(s,
                         "SELECT d.channel_id, d.ts FROM message_metadata d WHERE d.workspace_id = ?1 AND d.cls = 0"
                         " AND d.content_id IS NOT NULL"
                         " AND NOT EXISTS(SELECT w.sz FROM fts_messages_docsize w WHERE w.id = d.content_id)",
                         "no words for message", &r->wrong_words, r, err));
    BR_TRY(count_defects(s,
                         "SELECT d.channel_id, d.first_ts FROM passages d WHERE d.workspace_id = ?1"
                         " AND NOT EXISTS(SELECT w.sz FROM fts_passages_docsize w WHERE w.id = d.content_id)",
                         "no words for passage", &r->wrong_words, r, err));
    BR_TRY(count_defects(s,
                         "SELECT 'document', w.id FROM fts_messages_docsize w WHERE w.sz IS NOT NULL AND NOT EXISTS(SELECT 1"
                         " FROM message_metadata m INDEXED BY messages_by_content"
                         " WHERE m.workspace_id = ?1 AND m.content_id = w.id AND m.cls = 0)",
                         "words of no", &r->wrong_words, r, err));
    BR_TRY(count_defects(s,
                         "SELECT 'document', w.id FROM fts_passages_docsize w WHERE w.sz IS NOT NULL AND NOT EXISTS(SELECT 1"
                         " FROM passages p INDEXED BY passages_by_content WHERE p.workspace_id = ?1 AND p.content_id = w.id)",
                         "words of no", &r->wrong_words, r, err));
    BR_TRY(br_slack_int(s, "SELECT count(*) FROM dirty_threads WHERE workspace_id = ?1", &dirty, err));
    r->dirty_threads = (uint64_t)dirty;
err:
    br_store_read_end(s);
    return rc;
}
