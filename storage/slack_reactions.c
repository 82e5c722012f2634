/* slack_reactions.c - the reactions of a message: stored under their raw names, counted under folded ones.
 *
 * A folded reaction counts distinct users over its raw names (tones, aliases). Slack cuts long user lists, so the
 * largest single count is believed when it is larger. */
#include "slack_int.h"

enum br_rc br_slack_drop_reactions(struct br_store *s, const char *channel_id, int64_t ts, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_slack_run_key(
        s, "DELETE FROM reaction_users WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3", channel_id, ts, err));
    BR_TRY(br_slack_run_key(s, "DELETE FROM reactions WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
                            channel_id, ts, err));
err:
    return rc;
}

static enum br_rc put_one(struct br_store *s, const struct br_slack_message *m, const struct br_slack_reaction *r,
                          struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(br_store_stmt(s,
                         "INSERT INTO reactions(workspace_id, channel_id, ts, name, folded, count)"
                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
                         " ON CONFLICT DO UPDATE SET count = count + excluded.count", /* a name given twice */
                         &st, err));
    br_slack_bind_text(st, 2, m->channel_id);
    sqlite3_bind_int64(st, 3, m->ts);
    br_slack_bind_text(st, 4, r->name);
    br_slack_bind_text(st, 5, r->folded ? r->folded : r->name);
    sqlite3_bind_int64(st, 6, BR_MIN(BR_MAX(r->count, (int64_t)0), INT32_MAX)); /* so that no sum overflows */
    BR_TRY(br_store_step_done(s, st, "cannot store a reaction in", err));
    for (size_t i = 0; i < r->n_users; i++) {
        if (!r->users[i])
            continue;
        BR_TRY(br_store_stmt(s,
                             "INSERT OR IGNORE INTO reaction_users SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS(SELECT 1"
                             " FROM users WHERE workspace_id = ?1 AND user_id = ?5 AND is_stub = 2)",
                             &st, err));
        br_slack_bind_text(st, 2, m->channel_id);
        sqlite3_bind_int64(st, 3, m->ts);
        br_slack_bind_text(st, 4, r->name);
        br_slack_bind_text(st, 5, r->users[i]);
        BR_TRY(br_store_step_done(s, st, "cannot store a reaction in", err));
    }
err:
    return rc;
}

enum br_rc br_slack_each_folded(struct br_store *s, const char *channel_id, int64_t ts,
                                enum br_rc (*fn)(void *ctx, const char *folded, int64_t count), void *ctx,
                                struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    /* The unary + keeps SQLite on the primary key: the index by folded name would walk every message that has it. */
    BR_TRY(br_store_stmt(s,
                         "SELECT r.folded, max(max(r.count), count(DISTINCT u.user_id)) AS n"
                         " FROM reactions r LEFT JOIN reaction_users u USING(workspace_id, channel_id, ts, name)"
                         " WHERE r.workspace_id = ?1 AND r.channel_id = ?2 AND r.ts = ?3"
                         " GROUP BY +r.folded ORDER BY n DESC, r.folded",
                         &st, err));
    br_slack_bind_text(st, 2, channel_id);
    sqlite3_bind_int64(st, 3, ts);
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        rc = fn(ctx, br_slack_column_key(st, 0), sqlite3_column_int64(st, 1));
        if (rc != BR_OK)
            sqlite3_reset(st);
        BR_TRY(rc);
    }
err:
    return rc;
}

static enum br_rc add_up(void *ctx, const char *folded, int64_t count)
{
    int64_t *total = ctx;
    (void)folded;
    *total += count;
    return BR_OK;
}

enum br_rc br_slack_put_reactions(struct br_store *s, const struct br_slack_message *m, int64_t *total,
                                  struct br_err *err)
{
    enum br_rc rc;
    *total = 0;
    BR_TRY(br_slack_drop_reactions(s, m->channel_id, m->ts, err));
    if (!m->n_reactions)
        return BR_OK;
    for (size_t i = 0; i < m->n_reactions; i++)
        if (m->reactions[i].name)
            BR_TRY(put_one(s, m, &m->reactions[i], err));
    BR_TRY(br_slack_each_folded(s, m->channel_id, m->ts, add_up, total, err));
err:
    return rc;
}
