/* slack_put.c - users, channels and their members. A row that would not change is not written.
 *
 * As with messages (slack_merge.c) the order of arrival must not matter: a listed row beats a stub, and of two listed rows, as of two
 * stubs, the fresher is kept whole. Of one freshness a listed row that comes later replaces the earlier, while a stub fills what another stub
 * left open: which message names a stranger first must not matter to the next import of the same archive. A forgotten user (is_stub 2,
 * slack_forget.c) stays forgotten. */
#include "slack_int.h"

#define UPSERT_USER(set, where)                                                                              \
    "INSERT INTO users(workspace_id, user_id, team_id, name, real_name, display_name, is_bot, is_deleted, is_stub," \
    " freshness) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"                                            \
    " ON CONFLICT DO UPDATE SET " set " WHERE " where

static const char listed_user[] =
    UPSERT_USER("team_id = excluded.team_id, name = excluded.name, real_name = excluded.real_name,"
                " display_name = excluded.display_name, is_bot = excluded.is_bot, is_deleted = excluded.is_deleted,"
                " is_stub = 0, freshness = excluded.freshness",
                "is_stub = 1 OR is_stub = 0 AND (excluded.freshness > freshness OR (excluded.freshness = freshness"
                " AND (team_id IS NOT excluded.team_id OR name IS NOT excluded.name"
                " OR real_name IS NOT excluded.real_name OR display_name IS NOT excluded.display_name"
                " OR is_bot <> excluded.is_bot OR is_deleted <> excluded.is_deleted)))");
static const char stub_user[] =
    UPSERT_USER("team_id = iif(excluded.freshness > freshness, excluded.team_id, ifnull(team_id, excluded.team_id)),"
                " name = iif(excluded.freshness > freshness, excluded.name, ifnull(name, excluded.name)),"
                " real_name = iif(excluded.freshness > freshness, excluded.real_name,"
                " ifnull(real_name, excluded.real_name)),"
                " display_name = iif(excluded.freshness > freshness, excluded.display_name,"
                " ifnull(display_name, excluded.display_name)), freshness = excluded.freshness",
                "is_stub = 1 AND (excluded.freshness > freshness OR (excluded.freshness = freshness"
                " AND (team_id IS NULL AND excluded.team_id IS NOT NULL"
                " OR name IS NULL AND excluded.name IS NOT NULL"
                " OR real_name IS NULL AND excluded.real_name IS NOT NULL"
                " OR display_name IS NULL AND excluded.display_name IS NOT NULL)))");

/* A stub without any name says nothing, however new it is. */
static int64_t user_freshness(const struct br_slack_user *u)
{
    return u->is_stub && !u->name && !u->real_name && !u->display_name ? 0 : u->freshness;
}

static int64_t channel_freshness(const struct br_slack_channel *c)
{
    return c->is_stub && !c->name ? 0 : c->freshness;
}

enum br_rc br_slack_put_user(struct br_store *s, const struct br_slack_user *u, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(br_slack_check_id(u->id, "user", err));
    BR_TRY(br_store_stmt(s, u->is_stub ? stub_user : listed_user, &st, err));
    br_slack_bind_text(st, 2, u->id);
    br_slack_bind_text(st, 3, u->team_id);
    br_slack_bind_text(st, 4, u->name);
    br_slack_bind_text(st, 5, u->real_name);
    br_slack_bind_text(st, 6, u->display_name);
    sqlite3_bind_int(st, 7, u->is_bot);
    sqlite3_bind_int(st, 8, u->is_deleted);
    sqlite3_bind_int(st, 9, u->is_stub);
    sqlite3_bind_int64(st, 10, user_freshness(u));
    rc = br_store_step_done(s, st, "cannot store a user in", err);
err:
    return rc;
}

/* --- Channels --- */

#define UPSERT_CHANNEL(set, where)                                                                           \
    "INSERT INTO channels(workspace_id, channel_id, name, kind, topic, purpose, creator, created, is_archived," \
    " is_general, is_stub, freshness) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"             \
    " ON CONFLICT DO UPDATE SET " set " WHERE " where

static const char listed_channel[] =
    UPSERT_CHANNEL("name = excluded.name, kind = excluded.kind, topic = excluded.topic, purpose = excluded.purpose,"
                   " creator = excluded.creator, created = excluded.created, is_archived = excluded.is_archived,"
                   " is_general = excluded.is_general, is_stub = 0, freshness = excluded.freshness",
                   "is_stub = 1 OR excluded.freshness > freshness OR (excluded.freshness = freshness"
                   " AND (name IS NOT excluded.name OR kind <> excluded.kind OR topic IS NOT excluded.topic"
                   " OR purpose IS NOT excluded.purpose OR creator IS NOT excluded.creator"
                   " OR created <> excluded.created OR is_archived <> excluded.is_archived"
                   " OR is_general <> excluded.is_general))");
static const char stub_channel[] =
    UPSERT_CHANNEL("name = iif(excluded.freshness > freshness, excluded.name, ifnull(name, excluded.name)),"
                   " kind = excluded.kind, freshness = excluded.freshness",
                   "is_stub = 1 AND (excluded.freshness > freshness"
                   " OR (excluded.freshness = freshness AND name IS NULL AND excluded.name IS NOT NULL))");

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum br_rc change_member(struct br_store *s, const char *sql, const char *channel_id, const char *user_id,
                                struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s, sql, &st, err);
    if (rc != BR_OK)
        return rc;
    br_slack_bind_text(st, 2, channel_id);
    br_slack_bind_text(st, 3, user_id);
    return br_store_step_done(s, st, "cannot store a member in", err);
}

/* Drops stored members that are not among the sorted ones: looked for first, since a row deleted under the reading statement is safe
 * only behind it. */
static enum br_rc drop_former_members(struct br_store *s, const char *channel_id, const char **sorted, size_t n,
                                      struct br_err *err)
{
    enum br_rc rc;
    sqlite3_stmt *st;
    struct br_buf former; /* ids, each with its NUL */
    bool row;
    br_buf_init(&former, (size_t)1 << 30);
    BR_TRY(br_store_stmt(s, "SELECT user_id FROM channel_members WHERE workspace_id = ?1 AND channel_id = ?2", &st, err));
    br_slack_bind_text(st, 2, channel_id);
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            break;
        const char *id = br_slack_column_key(st, 0);
        if (!n || !bsearch(&id, sorted, n, sizeof(*sorted), by_text))
            br_buf_add(&former, id, strlen(id) + 1);
    }
    BR_TRY(br_buf_status(&former, err));
    for (size_t at = 0; at < former.len; at += strlen(former.data + at) + 1)
        BR_TRY(change_member(s,
                             "DELETE FROM channel_members WHERE workspace_id = ?1 AND channel_id = ?2 AND user_id = ?3",
                             channel_id, former.data + at, err));
err:
    br_buf_free(&former);
    return rc;
}

static enum br_rc replace_members(struct br_store *s, const struct br_slack_channel *c, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    size_t n = 0;
    const char **sorted = malloc((c->n_members ? c->n_members : 1) * sizeof(*sorted));
    if (!sorted)
        return br_fail_nomem(err);
    for (size_t i = 0; i < c->n_members; i++)
        if (c->members[i] && c->members[i][0] && strlen(c->members[i]) < 64)
            sorted[n++] = c->members[i];
    if (n > 1)
        qsort(sorted, n, sizeof(*sorted), by_text);
    BR_TRY(drop_former_members(s, c->id, sorted, n, err));
    for (size_t i = 0; i < n; i++)
        BR_TRY(change_member(s,
                             "INSERT OR IGNORE INTO channel_members SELECT ?1, ?2, ?3 WHERE NOT EXISTS(SELECT 1"
                             " FROM users WHERE workspace_id = ?1 AND user_id = ?3 AND is_stub = 2)",
                             c->id, sorted[i], err));
err:
    free(sorted);
    return rc;
}

/* Members of the freshest source that lists them. */
static enum br_rc put_members(struct br_store *s, const struct br_slack_channel *c, struct br_err *err)
{
    sqlite3_stmt *st;
    bool row;
    enum br_rc rc;
    BR_TRY(br_store_stmt(s, "SELECT members_freshness FROM channels WHERE workspace_id = ?1 AND channel_id = ?2", &st, err));
    br_slack_bind_text(st, 2, c->id);
    BR_TRY(br_slack_step(s, st, &row, err));
    int64_t stored = row ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_reset(st);
    if (c->freshness < stored)
        return BR_OK;
    BR_TRY(replace_members(s, c, err));
    if (c->freshness == stored)
        return BR_OK;
    BR_TRY(br_store_stmt(s, "UPDATE channels SET members_freshness = ?3 WHERE workspace_id = ?1 AND channel_id = ?2", &st, err));
    br_slack_bind_text(st, 2, c->id);
    sqlite3_bind_int64(st, 3, c->freshness);
    BR_TRY(br_store_step_done(s, st, "cannot store a channel in", err));
err:
    return rc;
}

enum br_rc br_slack_put_channel(struct br_store *s, const struct br_slack_channel *c, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(br_slack_check_id(c->id, "channel", err));
    BR_TRY(br_store_stmt(s, c->is_stub ? stub_channel : listed_channel, &st, err));
    br_slack_bind_text(st, 2, c->id);
    br_slack_bind_text(st, 3, c->name);
    sqlite3_bind_int(st, 4, (int)c->kind);
    br_slack_bind_text(st, 5, c->topic);
    br_slack_bind_text(st, 6, c->purpose);
    br_slack_bind_text(st, 7, c->creator);
    sqlite3_bind_int64(st, 8, c->created);
    sqlite3_bind_int(st, 9, c->is_archived);
    sqlite3_bind_int(st, 10, c->is_general);
    sqlite3_bind_int(st, 11, c->is_stub);
    sqlite3_bind_int64(st, 12, channel_freshness(c));
    BR_TRY(br_store_step_done(s, st, "cannot store a channel in", err));
    if (c->members && !c->is_stub) /* no list is not an empty list */
        BR_TRY(put_members(s, c, err));
err:
    return rc;
}

/* --- Which names will be the stored ones --- */

static enum br_rc row_wins(struct br_store *s, const char *sql, const char *id, bool is_stub, int64_t freshness, bool *wins,
                           struct br_err *err)
{
    sqlite3_stmt *st;
    bool row;
    enum br_rc rc;
    BR_TRY(br_store_stmt(s, sql, &st, err));
    br_slack_bind_text(st, 2, id);
    BR_TRY(br_slack_step(s, st, &row, err));
    *wins = true;
    if (!row)
        return BR_OK;
    bool stored_is_stub = sqlite3_column_int(st, 0) != 0;
    int64_t stored = sqlite3_column_int64(st, 1);
    *wins = is_stub ? stored_is_stub && freshness > stored : stored_is_stub || freshness >= stored;
    sqlite3_reset(st);
err:
    return rc;
}

enum br_rc br_slack_user_wins(struct br_store *s, const struct br_slack_user *u, bool *wins, struct br_err *err)
{
    return row_wins(s, "SELECT is_stub, freshness FROM users WHERE workspace_id = ?1 AND user_id = ?2", u->id, u->is_stub,
                    user_freshness(u), wins, err);
}

enum br_rc br_slack_channel_wins(struct br_store *s, const struct br_slack_channel *c, bool *wins, struct br_err *err)
{
    return row_wins(s, "SELECT is_stub, freshness FROM channels WHERE workspace_id = ?1 AND channel_id = ?2", c->id, c->is_stub,
                    channel_freshness(c), wins, err);
}
