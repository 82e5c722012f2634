/* slack_delete.c - deleting a message: a marker that keeps an older source from reviving it, and the end of all that
 * was stored of it. A root that still has replies stays as a placeholder. */
#include "slack_int.h"

static enum br_rc put_marker(struct br_store *s, const char *channel_id, int64_t ts, int64_t deleted_at,
                             struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s,
                                  "INSERT INTO deleted_messages VALUES(?1, ?2, ?3, ?4)"
                                  " ON CONFLICT DO UPDATE SET deleted_at = excluded.deleted_at"
                                  " WHERE deleted_at < excluded.deleted_at",
                                  &st, err);
    if (rc != BR_OK)
        return rc;
    br_slack_bind_text(st, 2, channel_id);
    sqlite3_bind_int64(st, 3, ts);
    sqlite3_bind_int64(st, 4, deleted_at);
    return br_store_step_done(s, st, "cannot store a deletion in", err);
}

static enum br_rc drop_row(struct br_store *s, const char *channel_id, int64_t ts, struct br_err *err)
{
    return br_slack_run_key(s, "DELETE FROM message_metadata WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
                            channel_id, ts, err);
}

static enum br_rc count_replies(struct br_store *s, const char *channel_id, int64_t root, int64_t *n,
                                struct br_err *err)
{
    return br_slack_int_key(s,
                            "SELECT count(*) FROM message_metadata INDEXED BY messages_by_thread"
                            " WHERE workspace_id = ?1 AND channel_id = ?2 AND thread_ts = ?3 AND ts <> ?3",
                            channel_id, root, n, err);
}

static enum br_rc make_placeholder(struct br_store *s, const char *channel_id, int64_t ts, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(drop_row(s, channel_id, ts, err));
    BR_TRY(br_slack_ensure_root(s, channel_id, 0, ts, err));
err:
    return rc;
}

/* A placeholder stands for a root only while a reply needs it. */
static enum br_rc drop_lone_placeholder(struct br_store *s, const char *channel_id, int64_t root, struct br_err *err)
{
    struct br_slack_stored row;
    int64_t replies;
    enum br_rc rc;
    BR_TRY(count_replies(s, channel_id, root, &replies, err));
    BR_TRY(br_slack_load_stored(s, channel_id, root, &row, err));
    if (!replies && row.exists && row.cls == BR_MSG_PLACEHOLDER)
        BR_TRY(drop_row(s, channel_id, root, err));
err:
    return rc;
}

static enum br_rc erase(struct br_store *s, const char *channel_id, int64_t ts, const struct br_slack_stored *old,
                        struct br_err *err)
{
    struct br_slack_document doc = br_slack_stored_document(old);
    int64_t replies = 0;
    enum br_rc rc;
    if (doc.fts != BR_FTS_NONE)
        BR_TRY(br_slack_mark_dirty(s, channel_id, ts, old->thread_ts, (size_t)old->text_length, err));
    BR_TRY(br_slack_document_drop(s, &doc, err));
    if (old->raw_id)
        BR_TRY(br_store_kill_content(s, (uint64_t)old->raw_id, err));
    BR_TRY(br_slack_drop_reactions(s, channel_id, ts, err));
    BR_TRY(br_slack_run_key(s, "DELETE FROM files WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3", channel_id,
                            ts, err));
    if (old->thread_ts == ts)
        BR_TRY(count_replies(s, channel_id, ts, &replies, err));
    BR_TRY(replies ? make_placeholder(s, channel_id, ts, err) : drop_row(s, channel_id, ts, err));
    if (old->thread_ts && old->thread_ts != ts)
        BR_TRY(drop_lone_placeholder(s, channel_id, old->thread_ts, err));
err:
    return rc;
}

enum br_rc br_slack_delete_message(struct br_store *s, const char *channel_id, int64_t ts, int64_t deleted_at,
                                   bool *deleted, struct br_err *err)
{
    struct br_slack_stored old;
    enum br_rc rc;
    *deleted = false;
    BR_TRY(br_slack_check_id(channel_id, "channel", err));
    if (deleted_at <= 0)
        deleted_at = INT64_MAX; /* time unknown: a deletion is final */
    BR_TRY(put_marker(s, channel_id, ts, deleted_at, err));
    BR_TRY(br_slack_load_stored(s, channel_id, ts, &old, err));
    if (!old.exists || old.cls == BR_MSG_PLACEHOLDER || BR_MAX(old.edited_ts, ts) > deleted_at)
        return BR_OK;
    BR_TRY(erase(s, channel_id, ts, &old, err));
    BR_TRY(br_slack_import_note_delete(s, channel_id, ts, err));
    *deleted = true;
err:
    return rc;
}
