/* slack_forget.c - deleting for good: messages by author, channel, date or one by one, and what is stored of a person.
 *
 * A marker at the end of time stands for each message, so that no source revives it, however fresh. A person's row
 * stays without names and with is_stub 2, which imports leave as it is. What others wrote stays, even where it names
 * the forgotten. */
#include "slack_upkeep.h"

#include "slack_int.h"

struct message_key {
    char channel_id[64];
    int64_t ts, thread_ts;
    bool is_document;
};

/* The next n messages after the last ones, in the order of the table's key. */
static enum br_rc next_messages(struct br_store *s, const struct br_slack_forget *what, struct message_key *keys,
                                size_t n, size_t *n_out, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    *n_out = 0;
    BR_TRY(br_store_stmt(s,
                         "SELECT channel_id, ts, ifnull(thread_ts, ts), needs_vector FROM message_metadata"
                         " WHERE workspace_id = ?1 AND (channel_id, ts) > (?2, ?3) AND cls <> ?8"
                         " AND (?4 IS NULL OR user_id = ?4) AND (?5 IS NULL OR channel_id = ?5)"
                         " AND (?6 = 0 OR ts = ?6) AND (?7 = 0 OR ts < ?7) ORDER BY channel_id, ts LIMIT ?9",
                         &st, err));
    bool from_channel = what->channel_id && !what->last_channel[0]; /* no need to walk there */
    br_slack_bind_text(st, 2, from_channel ? what->channel_id : what->last_channel);
    sqlite3_bind_int64(st, 3, from_channel ? INT64_MIN : what->last_ts);
    br_slack_bind_text(st, 4, what->user_id);
    br_slack_bind_text(st, 5, what->channel_id);
    sqlite3_bind_int64(st, 6, what->ts);
    sqlite3_bind_int64(st, 7, what->before);
    sqlite3_bind_int(st, 8, BR_MSG_PLACEHOLDER);
    sqlite3_bind_int64(st, 9, (int64_t)n);
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        struct message_key *k = &keys[(*n_out)++];
        *k = (struct message_key){.ts = sqlite3_column_int64(st, 1),
                                  .thread_ts = sqlite3_column_int64(st, 2),
                                  .is_document = sqlite3_column_int(st, 3) != 0};
        strncat(k->channel_id, br_slack_column_key(st, 0), sizeof(k->channel_id) - 1);
    }
err:
    return rc;
}

/* One passage that holds words of the message, if there is any left. */
static enum br_rc find_passage(struct br_store *s, const struct message_key *k, int64_t *position,
                               struct br_slack_document *d, bool *found, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(br_store_stmt(s,
                         "SELECT position, content_id, slot FROM passages WHERE workspace_id = ?1 AND channel_id = ?2"
                         " AND thread_ts = ?3 AND first_ts <= ?4 AND last_ts >= ?4 LIMIT 1",
                         &st, err));
    br_slack_bind_text(st, 2, k->channel_id);
    sqlite3_bind_int64(st, 3, k->thread_ts);
    sqlite3_bind_int64(st, 4, k->ts);
    BR_TRY(br_slack_step(s, st, found, err));
    if (!*found)
        return BR_OK;
    *position = sqlite3_column_int64(st, 0);
    *d = (struct br_slack_document){
        .content_id = sqlite3_column_int64(st, 1), .slot = br_slack_column_slot(st, 2), .fts = BR_FTS_PASSAGES};
    sqlite3_reset(st);
err:
    return rc;
}

static enum br_rc drop_passages(struct br_store *s, const struct message_key *k, uint64_t *documents,
                                struct br_err *err)
{
    enum br_rc rc;
    for (;;) {
        struct br_slack_document d = {0};
        sqlite3_stmt *st;
        int64_t position = 0;
        bool found = false;
        BR_TRY(find_passage(s, k, &position, &d, &found, err));
        if (!found)
            return BR_OK;
        BR_TRY(br_store_stmt(s,
                             "DELETE FROM passages WHERE workspace_id = ?1 AND channel_id = ?2 AND thread_ts = ?3"
                             " AND position = ?4",
                             &st, err));
        br_slack_bind_text(st, 2, k->channel_id);
        sqlite3_bind_int64(st, 3, k->thread_ts);
        sqlite3_bind_int64(st, 4, position);
        BR_TRY(br_store_step_done(s, st, "cannot drop a passage of", err));
        BR_TRY(br_slack_document_drop(s, &d, err));
        BR_TRY(br_slack_run_key(s, "INSERT OR IGNORE INTO dirty_threads VALUES(?1, ?2, ?3)", k->channel_id,
                                k->thread_ts, err));
        ++*documents;
    }
err:
    return rc;
}

enum br_rc br_slack_forget_messages(struct br_store *s, struct br_slack_forget *what, size_t n, uint64_t *messages,
                                    uint64_t *documents, bool *more, struct br_err *err)
{
    struct message_key *keys = malloc(n * sizeof(*keys));
    size_t found = 0;
    enum br_rc rc;
    if (!keys)
        return br_fail_nomem(err);
    if (!what->user_id && !what->channel_id && !what->before)
        BR_TRY(br_fail(err, BR_E_USAGE, "nothing says what to forget")); /* which would be all */
    BR_TRY(br_store_erasing(s, err));
    BR_TRY(next_messages(s, what, keys, n, &found, err));
    for (size_t i = 0; i < found; i++) {
        bool deleted;
        BR_TRY(drop_passages(s, &keys[i], documents, err));
        BR_TRY(br_slack_delete_message(s, keys[i].channel_id, keys[i].ts, 0, &deleted, err));
        *messages += deleted;
        *documents += deleted && keys[i].is_document;
    }
    if (found) {
        memcpy(what->last_channel, keys[found - 1].channel_id, sizeof(what->last_channel));
        what->last_ts = keys[found - 1].ts;
    }
    *more = found == n;
err:
    free(keys);
    return rc;
}

enum br_rc br_slack_is_deleted(struct br_store *s, const char *channel_id, int64_t ts, bool *deleted,
                               struct br_err *err)
{
    int64_t at;
    enum br_rc rc = br_slack_int_key(s,
                                     "SELECT deleted_at FROM deleted_messages"
                                     " WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
                                     channel_id, ts, &at, err);
    *deleted = rc == BR_OK && at > 0;
    return rc;
}

/* --- A person --- */

static enum br_rc run_user(struct br_store *s, const char *sql, const char *user_id, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s, sql, &st, err);
    if (rc != BR_OK)
        return rc;
    br_slack_bind_text(st, 2, user_id);
    return br_store_step_done(s, st, "cannot forget a user in", err);
}

static enum br_rc add_up(void *ctx, const char *folded, int64_t count)
{
    (void)folded;
    *(int64_t *)ctx += count;
    return BR_OK;
}

/* The user's reactions to one message. */
static enum br_rc next_reaction(struct br_store *s, const char *user_id, struct message_key *k, bool *found,
                                struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(br_store_stmt(
        s,
        "SELECT channel_id, ts FROM reaction_users WHERE workspace_id = ?1 AND (channel_id, ts) > (?3, ?4)"
        " AND user_id = ?2 ORDER BY channel_id, ts LIMIT 1",
        &st, err));
    br_slack_bind_text(st, 2, user_id);
    br_slack_bind_text(st, 3, k->channel_id);
    sqlite3_bind_int64(st, 4, k->ts);
    BR_TRY(br_slack_step(s, st, found, err));
    if (!*found)
        return BR_OK;
    struct message_key next = {.ts = sqlite3_column_int64(st, 1)};
    strncat(next.channel_id, br_slack_column_key(st, 0), sizeof(next.channel_id) - 1);
    sqlite3_reset(st);
    *k = next;
err:
    return rc;
}

static enum br_rc take_reactions(struct br_store *s, const char *user_id, const struct message_key *k,
                                 uint64_t *reactions, struct br_err *err)
{
    static const char *const sql[] = {
        "UPDATE reactions SET count = max(count - 1, 0) WHERE workspace_id = ?1 AND channel_id = ?3 AND ts = ?4"
        " AND name IN (SELECT name FROM reaction_users WHERE workspace_id = ?1 AND channel_id = ?3 AND ts = ?4 AND "
        "user_id = ?2)",
        "DELETE FROM reaction_users WHERE workspace_id = ?1 AND channel_id = ?3 AND ts = ?4 AND user_id = ?2",
        "DELETE FROM reactions WHERE workspace_id = ?1 AND channel_id = ?3 AND ts = ?4 AND count = 0"
        " AND name NOT IN (SELECT name FROM reaction_users WHERE workspace_id = ?1 AND channel_id = ?3 AND ts = ?4) "
        "AND ?2 IS NOT NULL",
    };
    sqlite3_stmt *st;
    int64_t total = 0;
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < BR_COUNT(sql); i++) {
        BR_TRY(br_store_stmt(s, sql[i], &st, err));
        br_slack_bind_text(st, 2, user_id);
        br_slack_bind_text(st, 3, k->channel_id);
        sqlite3_bind_int64(st, 4, k->ts);
        BR_TRY(br_store_step_done(s, st, "cannot forget reactions in", err));
        if (i == 1)
            *reactions += (uint64_t)sqlite3_changes(br_store_db(s));
    }
    BR_TRY(br_slack_each_folded(s, k->channel_id, k->ts, add_up, &total, err));
    BR_TRY(br_store_stmt(s,
                         "UPDATE message_metadata SET reactions_total = ?4, flags = (flags & ~?5) |"
                         " CASE WHEN EXISTS(SELECT 1 FROM reactions r WHERE r.workspace_id = ?1 AND r.channel_id = ?2"
                         "  AND r.ts = ?3) THEN ?5 ELSE 0 END"
                         " WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
                         &st, err));
    br_slack_bind_text(st, 2, k->channel_id);
    sqlite3_bind_int64(st, 3, k->ts);
    sqlite3_bind_int64(st, 4, total);
    sqlite3_bind_int(st, 5, BR_HAS_REACTION);
    BR_TRY(br_store_step_done(s, st, "cannot forget reactions in", err));
err:
    return rc;
}

enum br_rc br_slack_forget_user(struct br_store *s, const char *user_id, uint64_t *reactions, struct br_err *err)
{
    struct message_key k = {.ts = INT64_MIN};
    bool found;
    enum br_rc rc;
    BR_TRY(br_store_erasing(s, err));
    for (;;) {
        BR_TRY(next_reaction(s, user_id, &k, &found, err));
        if (!found)
            break;
        BR_TRY(take_reactions(s, user_id, &k, reactions, err));
    }
    /* The name of a group conversation is made of its members' handles. */
    BR_TRY(run_user(
        s,
        "UPDATE channels SET name = NULL WHERE workspace_id = ?1 AND kind = 3 AND (channel_id IN"
        " (SELECT channel_id FROM channel_members WHERE workspace_id = ?1 AND user_id = ?2)"
        " OR instr(name, (SELECT name FROM users WHERE workspace_id = ?1 AND user_id = ?2 AND name <> '')) > 0)",
        user_id, err));
    BR_TRY(run_user(s, "DELETE FROM channel_members WHERE workspace_id = ?1 AND user_id = ?2", user_id, err));
    BR_TRY(run_user(s,
                    "INSERT INTO users(workspace_id, user_id, is_stub) VALUES(?1, ?2, 2)"
                    " ON CONFLICT DO UPDATE SET team_id = NULL, name = NULL, real_name = NULL, display_name = NULL,"
                    " is_stub = 2",
                    user_id, err));
err:
    return rc;
}

/* --- Words --- */

enum br_rc br_slack_merge_words(struct br_store *s, struct br_err *err)
{
    static const char *const sql[] = {"INSERT INTO fts_messages(fts_messages) VALUES('optimize')",
                                      "INSERT INTO fts_passages(fts_passages) VALUES('optimize')"};
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(br_store_begin(s, err));
    for (size_t i = 0; i < BR_COUNT(sql); i++) {
        BR_TRY(br_store_stmt(s, sql[i], &st, err));
        BR_TRY(br_store_step_done(s, st, "cannot merge the keyword index of", err));
    }
    return br_store_commit(s, NULL, err);
err:
    br_store_rollback(s);
    return rc;
}
