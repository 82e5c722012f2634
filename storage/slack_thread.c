/* slack_thread.c - who belongs to which thread, placeholders for roots nobody has seen, and the dirty marks that tell
 * the engine which threads to cut into passages again. */
#include "slack_int.h"

#define LONG_TEXT 800 /* bytes; a lone message below it gives no passage of its own */

enum br_rc br_slack_mark_dirty(struct br_store *s, const char *channel_id, int64_t ts, int64_t thread_ts,
                               size_t text_len, struct br_err *err)
{
    int64_t has_passages = 0;
    enum br_rc rc = BR_OK;
    if (!thread_ts && text_len <= LONG_TEXT) {
        BR_TRY(br_slack_int_key(s,
                                "SELECT EXISTS(SELECT 1 FROM passages"
                                " WHERE workspace_id = ?1 AND channel_id = ?2 AND thread_ts = ?3)",
                                channel_id, ts, &has_passages, err));
        if (!has_passages)
            return BR_OK;
    }
    BR_TRY(br_slack_run_key(s, "INSERT OR IGNORE INTO dirty_threads VALUES(?1, ?2, ?3)", channel_id,
                            thread_ts ? thread_ts : ts, err));
err:
    return rc;
}

enum br_rc br_slack_ensure_root(struct br_store *s, const char *channel_id, int64_t ts, int64_t thread_ts,
                                struct br_err *err)
{
    sqlite3_stmt *st;
    if (!thread_ts || thread_ts == ts)
        return BR_OK;
    enum br_rc rc = br_store_stmt(s,
                                  "INSERT INTO message_metadata(workspace_id, channel_id, ts, thread_ts, cls, flags)"
                                  " VALUES(?1, ?2, ?3, ?3, ?4, ?5)"
                                  " ON CONFLICT DO UPDATE SET thread_ts = ts, flags = flags | ?5"
                                  " WHERE thread_ts IS NULL",
                                  &st, err);
    if (rc != BR_OK)
        return rc;
    br_slack_bind_text(st, 2, channel_id);
    sqlite3_bind_int64(st, 3, thread_ts);
    sqlite3_bind_int(st, 4, BR_MSG_PLACEHOLDER);
    sqlite3_bind_int(st, 5, BR_IS_THREAD);
    return br_store_step_done(s, st, "cannot store a thread in", err);
}

enum br_rc br_slack_dirty_threads(struct br_store *s, struct br_slack_thread_key *keys, size_t n, size_t *n_out,
                                  struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    *n_out = 0;
    BR_TRY(br_store_stmt(s,
                         "SELECT channel_id, thread_ts FROM dirty_threads WHERE workspace_id = ?1"
                         " ORDER BY channel_id, thread_ts LIMIT ?2",
                         &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)BR_MIN(n, (size_t)INT32_MAX));
    while (*n_out < n) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        struct br_slack_thread_key *k = &keys[(*n_out)++];
        *k = (struct br_slack_thread_key){.thread_ts = sqlite3_column_int64(st, 1)};
        strncat(k->channel_id, br_slack_column_key(st, 0), sizeof(k->channel_id) - 1);
    }
    if (n)
        sqlite3_reset(st);
err:
    return rc;
}
