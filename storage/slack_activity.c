/* slack_activity.c - who and where: messages counted by their authors and channels, threads by their replies, and channels by their birth.
 *
 * Counted are messages with content: no joins and other notices, nothing deleted, no placeholders. Bounds are as everywhere in storage/:
 * inclusive lower, exclusive upper, 0 none. */
#include "slack_int.h"

/* A person goes by the user's id; a bot by its id, else by its name. */
#define AUTHOR "coalesce(m.user_id, m.bot_id, m.bot_name)"
#define IN_PERIOD " AND m.ts >= ?2 AND m.ts < ?3 AND m.cls = 0 /* BR_MSG_CONTENT */"
#define COUNTS                                                                                                       \
    " count(m.ts) AS messages, count(DISTINCT m.channel_id || ':' || m.thread_ts) AS threads,"                       \
    " sum(m.reactions_total) AS reactions, min(m.ts) AS first_ts, max(m.ts) AS last_ts"
_Static_assert(BR_MSG_CONTENT == 0, "as in the statements");

static const char by_user[] =
    "SELECT x.who, coalesce(nullif(u.display_name, ''), nullif(u.real_name, ''), nullif(u.name, ''),"
    "  CASE x.who WHEN 'USLACKBOT' THEN 'slackbot' END, nullif(x.bot_name, ''), x.who),"
    " x.messages, x.threads, x.reactions, x.first_ts, x.last_ts, x.spread"
    " FROM (SELECT " AUTHOR " AS who, max(m.bot_name) AS bot_name, count(DISTINCT m.channel_id) AS spread," COUNTS
    "  FROM message_metadata m WHERE m.workspace_id = ?1" IN_PERIOD " AND (?5 IS NULL OR m.channel_id = ?5)"
    "  AND " AUTHOR " IS NOT NULL GROUP BY 1 ORDER BY messages DESC, who LIMIT ?4) x"
    " LEFT JOIN users u ON u.workspace_id = ?1 AND u.user_id = x.who ORDER BY x.messages DESC, x.who";
static const char by_channel[] =
    "SELECT x.channel_id, iif(c.kind = 2 /* DM */, NULL, c.name), x.messages, x.threads, x.reactions, x.first_ts, x.last_ts, x.spread"
    " FROM (SELECT m.channel_id AS channel_id, count(DISTINCT " AUTHOR ") AS spread," COUNTS
    "  FROM message_metadata m WHERE m.workspace_id = ?1" IN_PERIOD " AND (?5 IS NULL OR m.channel_id = ?5)"
    "  GROUP BY 1 ORDER BY messages DESC, m.channel_id LIMIT ?4) x"
    " JOIN channels c ON c.workspace_id = ?1 AND c.channel_id = x.channel_id ORDER BY x.messages DESC, x.channel_id";

static enum br_rc period_stmt(struct br_store *s, const char *sql, int64_t after, int64_t before, sqlite3_stmt **st, struct br_err *err)
{
    enum br_rc rc = br_store_stmt(s, sql, st, err);
    if (rc != BR_OK)
        return rc;
    sqlite3_bind_int64(*st, 2, after);
    sqlite3_bind_int64(*st, 3, before ? before : INT64_MAX);
    return BR_OK;
}

static uint64_t column_count(sqlite3_stmt *st, int i)
{
    return (uint64_t)BR_MAX(sqlite3_column_int64(st, i), INT64_C(0));
}

enum br_rc br_slack_activity(struct br_store *s, enum br_slack_activity_of of, const char *channel_id, int64_t after, int64_t before, size_t n,
                             br_slack_activity_fn fn, void *ctx, struct br_err *err)
{
    sqlite3_stmt *st;
    bool row;
    enum br_rc rc;
    BR_TRY(period_stmt(s, of == BR_ACTIVITY_OF_USERS ? by_user : by_channel, after, before, &st, err));
    sqlite3_bind_int64(st, 4, (int64_t)BR_MIN(n, (size_t)INT32_MAX));
    br_slack_bind_text(st, 5, channel_id);
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        const struct br_slack_activity a = {.id = br_slack_column_key(st, 0),
                                            .name = br_slack_column_text(st, 1),
                                            .messages = column_count(st, 2),
                                            .threads = column_count(st, 3),
                                            .reactions = column_count(st, 4),
                                            .first_ts = sqlite3_column_int64(st, 5),
                                            .last_ts = sqlite3_column_int64(st, 6),
                                            .spread = column_count(st, 7)};
        rc = fn(ctx, &a, err);
        if (rc != BR_OK)
            sqlite3_reset(st);
        BR_TRY(rc);
    }
err:
    return rc;
}

enum br_rc br_slack_activity_totals(struct br_store *s, int64_t after, int64_t before, struct br_slack_activity *a, struct br_err *err)
{
    sqlite3_stmt *st;
    bool row;
    enum br_rc rc;
    *a = (struct br_slack_activity){0};
    BR_TRY(period_stmt(s,
                       "SELECT count(DISTINCT " AUTHOR ")," COUNTS " FROM message_metadata m WHERE m.workspace_id = ?1" IN_PERIOD, after, before,
                       &st, err));
    BR_TRY(br_slack_step(s, st, &row, err));
    if (!row)
        return BR_OK;
    *a = (struct br_slack_activity){.spread = column_count(st, 0),
                                    .messages = column_count(st, 1),
                                    .threads = column_count(st, 2),
                                    .reactions = column_count(st, 3),
                                    .first_ts = sqlite3_column_int64(st, 4),
                                    .last_ts = sqlite3_column_int64(st, 5)};
    sqlite3_reset(st);
err:
    return rc;
}

enum br_rc br_slack_busiest_threads(struct br_store *s, int64_t after, int64_t before, size_t n, struct br_slack_busy_thread *out, size_t *n_out,
                                    struct br_err *err)
{
    sqlite3_stmt *st;
    bool row;
    enum br_rc rc;
    *n_out = 0;
    BR_TRY(period_stmt(s,
                       "SELECT m.channel_id, m.thread_ts, count(m.ts) AS replies FROM message_metadata m"
                       " WHERE m.workspace_id = ?1 AND m.thread_ts IS NOT NULL AND m.thread_ts <> m.ts" IN_PERIOD
                       " GROUP BY m.channel_id, m.thread_ts ORDER BY replies DESC, m.thread_ts, m.channel_id LIMIT ?4",
                       after, before, &st, err));
    sqlite3_bind_int64(st, 4, (int64_t)BR_MIN(n, (size_t)INT32_MAX));
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        struct br_slack_busy_thread *t = &out[(*n_out)++];
        *t = (struct br_slack_busy_thread){.key.thread_ts = sqlite3_column_int64(st, 1), .replies = column_count(st, 2)};
        strncat(t->key.channel_id, br_slack_column_key(st, 0), sizeof(t->key.channel_id) - 1);
    }
err:
    return rc;
}

enum br_rc br_slack_new_channels(struct br_store *s, int64_t after, int64_t before,
                                 enum br_rc (*fn)(void *ctx, const char *id, const char *name, int64_t created, struct br_err *err), void *ctx,
                                 struct br_err *err)
{
    sqlite3_stmt *st;
    bool row;
    enum br_rc rc;
    BR_TRY(period_stmt(s,
                       "SELECT channel_id, name, created FROM channels WHERE workspace_id = ?1 AND created > 0 AND created >= ?2"
                       " AND created < ?3 AND kind IN (0, 1) /* public, private */ ORDER BY created, channel_id",
                       after, before, &st, err));
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        rc = fn(ctx, br_slack_column_key(st, 0), br_slack_column_text(st, 1), sqlite3_column_int64(st, 2), err);
        if (rc != BR_OK)
            sqlite3_reset(st);
        BR_TRY(rc);
    }
err:
    return rc;
}

enum br_rc br_slack_newest_ts(struct br_store *s, int64_t *ts, struct br_err *err)
{
    return br_slack_int(s,
                        "SELECT ts FROM message_metadata INDEXED BY messages_by_ts WHERE workspace_id = ?1 AND cls = 0"
                        " ORDER BY ts DESC LIMIT 1",
                        ts, err);
}
