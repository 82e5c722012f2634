/* slack_repair.c - what a damaged record or vector means for the message it belongs to, and what a damaged metadata.db
 * still tells. */
#include "slack_upkeep.h"

#include "content_log.h"
#include "slack_int.h"
#include "store_core.h"

#include <errno.h>

/* --- Owners --- */

static enum br_rc find_owner(struct br_store *s, const char *sql, uint64_t content_id, enum br_slack_owner_kind kind,
                             struct br_slack_owner *o, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    if (o->kind != BR_OWNER_NONE)
        return BR_OK;
    BR_TRY(br_store_stmt(s, sql, &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)content_id);
    BR_TRY(br_slack_step(s, st, &row, err));
    if (!row)
        return BR_OK;
    *o = (struct br_slack_owner){.kind = kind,
                                 .ts = sqlite3_column_int64(st, 1),
                                 .thread_ts = sqlite3_column_int64(st, 2),
                                 .raw_id = (uint64_t)sqlite3_column_int64(st, 3),
                                 .slot = sqlite3_column_type(st, 4) == SQLITE_NULL ? -1 : sqlite3_column_int64(st, 4)};
    strncat(o->channel_id, br_slack_column_key(st, 0), sizeof(o->channel_id) - 1);
    sqlite3_reset(st);
err:
    return rc;
}

enum br_rc br_slack_owner_of(struct br_store *s, uint64_t content_id, struct br_slack_owner *o, struct br_err *err)
{
    enum br_rc rc;
    *o = (struct br_slack_owner){.slot = -1};
    BR_TRY(find_owner(s,
                      "SELECT channel_id, ts, ifnull(thread_ts, ts), raw_id, slot FROM message_metadata INDEXED BY "
                      "messages_by_content"
                      " WHERE workspace_id = ?1 AND content_id = ?2",
                      content_id, BR_OWNER_TEXT, o, err));
    BR_TRY(find_owner(s,
                      "SELECT channel_id, first_ts, thread_ts, NULL, slot FROM passages INDEXED BY passages_by_content"
                      " WHERE workspace_id = ?1 AND content_id = ?2",
                      content_id, BR_OWNER_PASSAGE, o, err));
    BR_TRY(find_owner(
        s, "SELECT channel_id, ts, thread_ts, raw_id, slot FROM temp.raw_forms WHERE raw_id = ?2 AND ?1 IS NOT NULL",
        content_id, BR_OWNER_RAW, o, err));
err:
    return rc;
}

static enum br_rc run(struct br_store *s, const char *sql, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s, sql, &st, err);
    return rc == BR_OK ? br_store_step_done(s, st, "cannot write", err) : rc;
}

/* Raw forms are looked up only here: an index of the moment will do. */
enum br_rc br_slack_owners_begin(struct br_store *s, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(run(s,
               "CREATE TEMP TABLE IF NOT EXISTS raw_forms(raw_id INTEGER PRIMARY KEY, channel_id TEXT, ts INTEGER,"
               " thread_ts INTEGER, slot INTEGER) STRICT",
               err));
    BR_TRY(run(s, "DELETE FROM temp.raw_forms", err));
    BR_TRY(run(s,
               "INSERT OR IGNORE INTO temp.raw_forms SELECT raw_id, channel_id, ts, ifnull(thread_ts, ts), slot FROM "
               "message_metadata"
               " WHERE workspace_id = ?1 AND raw_id IS NOT NULL",
               err));
err:
    return rc;
}

/* --- Losses --- */

static enum br_rc mark(struct br_store *s, const struct br_slack_owner *o, struct br_err *err)
{
    return br_slack_run_key(s, "INSERT OR IGNORE INTO dirty_threads VALUES(?1, ?2, ?3)", o->channel_id, o->thread_ts,
                            err);
}

/* Ranks fall to the lowest of this edit, so that any source that has the message wins. */
#define LOWEST_RANK "freshness = 0, raw_length = 0, raw_tag = 0"

static enum br_rc lose_text(struct br_store *s, const struct br_slack_owner *o, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_slack_run_key(
        s,
        "UPDATE message_metadata SET content_id = NULL, slot = NULL, needs_vector = 0, content_hash = 0, " LOWEST_RANK
        " WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
        o->channel_id, o->ts, err));
    BR_TRY(mark(s, o, err));
err:
    return rc;
}

static enum br_rc lose_passage(struct br_store *s, uint64_t content_id, const struct br_slack_owner *o,
                               struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(br_store_stmt(s, "DELETE FROM passages WHERE workspace_id = ?1 AND content_id = ?2", &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)content_id);
    BR_TRY(br_store_step_done(s, st, "cannot drop a passage of", err));
    BR_TRY(mark(s, o, err));
err:
    return rc;
}

enum br_rc br_slack_lose_content(struct br_store *s, uint64_t content_id, const struct br_slack_owner *o,
                                 struct br_err *err)
{
    enum br_rc rc = BR_OK;
    if (o->kind == BR_OWNER_TEXT)
        BR_TRY(lose_text(s, o, err));
    else if (o->kind == BR_OWNER_PASSAGE)
        BR_TRY(lose_passage(s, content_id, o, err));
    else if (o->kind == BR_OWNER_RAW)
        BR_TRY(br_slack_run_key(s,
                                "UPDATE message_metadata SET raw_id = NULL, " LOWEST_RANK
                                " WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
                                o->channel_id, o->ts, err));
    if (o->kind != BR_OWNER_RAW && o->slot >= 0)
        BR_TRY(br_store_kill_slot(s, (uint64_t)o->slot, err));
    BR_TRY(br_store_kill_content(s, content_id, err));
err:
    return rc;
}

enum br_rc br_slack_text_changed(struct br_store *s, const struct br_slack_owner *o, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_slack_run_key(s,
                            "UPDATE message_metadata SET content_hash = 0, " LOWEST_RANK
                            " WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
                            o->channel_id, o->ts, err));
    if (o->slot >= 0)
        BR_TRY(br_slack_lose_vector(s, (uint64_t)o->slot, err));
    BR_TRY(mark(s, o, err));
err:
    return rc;
}

enum br_rc br_slack_lose_vector(struct br_store *s, uint64_t slot, struct br_err *err)
{
    static const char *const sql[] = {"UPDATE message_metadata SET slot = NULL WHERE workspace_id = ?1 AND slot = ?2",
                                      "UPDATE passages SET slot = NULL WHERE workspace_id = ?1 AND slot = ?2"};
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < BR_COUNT(sql); i++) {
        sqlite3_stmt *st;
        BR_TRY(br_store_stmt(s, sql[i], &st, err));
        sqlite3_bind_int64(st, 2, (int64_t)slot);
        BR_TRY(br_store_step_done(s, st, "cannot drop a vector of", err));
    }
    BR_TRY(br_store_kill_slot(s, slot, err));
err:
    return rc;
}

/* --- Vectors --- */

enum br_rc br_slack_vectorless(struct br_store *s, struct br_slack_vectorless *out, size_t n, size_t *n_out,
                               struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    *n_out = 0;
    BR_TRY(
        br_store_stmt(s,
                      "SELECT 0, channel_id, ts, 0, content_id FROM message_metadata INDEXED BY messages_without_vector"
                      " WHERE workspace_id = ?1 AND needs_vector = 1 AND slot IS NULL AND content_id IS NOT NULL"
                      " UNION ALL SELECT 1, channel_id, thread_ts, position, content_id FROM passages"
                      " INDEXED BY passages_without_vector WHERE workspace_id = ?1 AND slot IS NULL LIMIT ?2",
                      &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)n);
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        struct br_slack_vectorless *d = &out[(*n_out)++];
        *d = (struct br_slack_vectorless){.is_passage = sqlite3_column_int(st, 0) != 0,
                                          .ts = sqlite3_column_int64(st, 2),
                                          .position = sqlite3_column_int64(st, 3),
                                          .content_id = (uint64_t)sqlite3_column_int64(st, 4)};
        strncat(d->channel_id, br_slack_column_key(st, 1), sizeof(d->channel_id) - 1);
    }
err:
    return rc;
}

enum br_rc br_slack_fill_vector(struct br_store *s, const struct br_slack_vectorless *d, const float *vector,
                                struct br_err *err)
{
    sqlite3_stmt *st;
    uint64_t slot;
    enum br_rc rc;
    BR_TRY(br_store_add_slot(s, d->content_id, vector, &slot, err));
    if (d->is_passage)
        BR_TRY(
            br_store_stmt(s,
                          "UPDATE passages SET slot = ?4 WHERE workspace_id = ?1 AND channel_id = ?2 AND thread_ts = ?3"
                          " AND position = ?5",
                          &st, err));
    else
        BR_TRY(br_store_stmt(
            s,
            "UPDATE message_metadata SET slot = ?4 WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3"
            " AND ?5 = 0",
            &st, err));
    br_slack_bind_text(st, 2, d->channel_id);
    sqlite3_bind_int64(st, 3, d->ts);
    sqlite3_bind_int64(st, 4, (int64_t)slot);
    sqlite3_bind_int64(st, 5, d->position);
    BR_TRY(br_store_step_done(s, st, "cannot store a vector in", err));
err:
    return rc;
}

/* --- Words --- */

static enum br_rc add_words(struct br_store *s, const char *insert, uint64_t content_id, struct br_err *err)
{
    sqlite3_stmt *st;
    struct br_buf text;
    enum br_rc rc;
    br_buf_init(&text, BR_CONTENT_MAX);
    BR_TRY(br_store_content(s, content_id, &text, err));
    BR_TRY(br_store_stmt(s, insert, &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)content_id);
    sqlite3_bind_text64(st, 3, br_buf_str(&text), text.len, SQLITE_STATIC, SQLITE_UTF8);
    BR_TRY(br_store_step_done(s, st, "cannot write the keyword index", err));
err:
    br_buf_free(&text);
    return rc;
}

/* ids: a select of content ids above ?2, ascending, a thousand at most. */
static enum br_rc add_all_words(struct br_store *s, const char *ids, const char *insert, struct br_err *err)
{
    enum { BLOCK = 1000 };
    uint64_t *block = malloc(BLOCK * sizeof(*block)), last = 0;
    size_t n;
    enum br_rc rc = BR_OK;
    if (!block)
        return br_fail_nomem(err);
    do {
        sqlite3_stmt *st;
        bool row = true;
        n = 0;
        BR_TRY(br_store_stmt(s, ids, &st, err));
        sqlite3_bind_int64(st, 2, (int64_t)last);
        while (row && n < BLOCK) {
            BR_TRY(br_slack_step(s, st, &row, err));
            if (row)
                block[n++] = (uint64_t)sqlite3_column_int64(st, 0);
        }
        sqlite3_reset(st);
        for (size_t i = 0; i < n; i++)
            BR_TRY(add_words(s, insert, block[i], err));
        if (n)
            last = block[n - 1];
    } while (n == BLOCK);
err:
    free(block);
    return rc;
}

enum br_rc br_slack_rebuild_words(struct br_store *s, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_store_begin(s, err));
    BR_TRY(run(s, "INSERT INTO fts_messages(fts_messages) VALUES('delete-all')", err));
    BR_TRY(run(s, "INSERT INTO fts_passages(fts_passages) VALUES('delete-all')", err));
    BR_TRY(
        add_all_words(s,
                      "SELECT content_id FROM message_metadata INDEXED BY messages_by_content WHERE workspace_id = ?1"
                      " AND content_id > ?2 AND cls = 0 ORDER BY content_id LIMIT 1000",
                      "INSERT INTO fts_messages(rowid, text) VALUES(?2, ?3)", err));
    BR_TRY(add_all_words(s,
                         "SELECT content_id FROM passages INDEXED BY passages_by_content WHERE workspace_id = ?1"
                         " AND content_id > ?2 ORDER BY content_id LIMIT 1000",
                         "INSERT INTO fts_passages(rowid, text) VALUES(?2, ?3)", err));
    return br_store_commit(s, NULL, err);
err:
    br_store_rollback(s);
    return rc;
}

/* --- Salvage --- */

enum br_rc br_slack_lower_ranks(struct br_store *s, struct br_err *err)
{
    return run(s, "UPDATE message_metadata SET " LOWEST_RANK " WHERE workspace_id = ?1", err);
}

struct salvage {
    struct br_store *s;
    sqlite3 *db;
    struct br_slack_salvage *found;
    struct br_err *err;
};

static const char *text_of(sqlite3_stmt *st, int i)
{
    const char *t = br_slack_column_text(st, i);
    return t && strlen(t) < 65536 ? t : NULL;
}

static enum br_rc take_user(struct salvage *v, sqlite3_stmt *st)
{
    const struct br_slack_user u = {.id = text_of(st, 0),
                                    .team_id = text_of(st, 1),
                                    .name = text_of(st, 2),
                                    .real_name = text_of(st, 3),
                                    .display_name = text_of(st, 4),
                                    .is_bot = sqlite3_column_int(st, 5) != 0,
                                    .is_deleted = sqlite3_column_int(st, 6) != 0,
                                    .is_stub = sqlite3_column_int(st, 7) == 1};
    if (br_slack_check_id(u.id, "user", NULL) != BR_OK)
        return BR_OK;
    v->found->users += !u.is_stub;
    return br_slack_put_user(v->s, &u, v->err);
}

static enum br_rc take_forgotten(struct salvage *v, sqlite3_stmt *st)
{
    uint64_t none = 0;
    const char *id = text_of(st, 0);
    return br_slack_check_id(id, "user", NULL) == BR_OK ? br_slack_forget_user(v->s, id, &none, v->err) : BR_OK;
}

static enum br_rc take_channel(struct salvage *v, sqlite3_stmt *st)
{
    int kind = sqlite3_column_int(st, 2);
    const struct br_slack_channel c = {
        .id = text_of(st, 0),
        .name = text_of(st, 1),
        .kind = kind >= BR_CH_PUBLIC && kind <= BR_CH_GROUP_DM ? (enum br_slack_channel_kind)kind : BR_CH_PUBLIC,
        .topic = text_of(st, 3),
        .purpose = text_of(st, 4),
        .creator = text_of(st, 5),
        .created = sqlite3_column_int64(st, 6),
        .is_archived = sqlite3_column_int(st, 7) != 0,
        .is_general = sqlite3_column_int(st, 8) != 0,
        .is_stub = sqlite3_column_int(st, 9) != 0};
    if (br_slack_check_id(c.id, "channel", NULL) != BR_OK)
        return BR_OK;
    v->found->channels += !c.is_stub;
    return br_slack_put_channel(v->s, &c, v->err);
}

static enum br_rc take_member(struct salvage *v, sqlite3_stmt *row)
{
    sqlite3_stmt *st;
    const char *channel = text_of(row, 0), *user = text_of(row, 1);
    if (br_slack_check_id(channel, "channel", NULL) != BR_OK || br_slack_check_id(user, "user", NULL) != BR_OK)
        return BR_OK;
    enum br_rc rc =
        br_store_stmt(v->s,
                      "INSERT OR IGNORE INTO channel_members SELECT ?1, ?2, ?3 WHERE EXISTS(SELECT 1 FROM channels"
                      " WHERE workspace_id = ?1 AND channel_id = ?2)",
                      &st, v->err);
    if (rc != BR_OK)
        return rc;
    br_slack_bind_text(st, 2, channel);
    br_slack_bind_text(st, 3, user);
    return br_store_step_done(v->s, st, "cannot store a member in", v->err);
}

static enum br_rc take_deletion(struct salvage *v, sqlite3_stmt *st)
{
    bool deleted;
    const char *channel = text_of(st, 0);
    int64_t at = sqlite3_column_int64(st, 2);
    if (br_slack_check_id(channel, "channel", NULL) != BR_OK || at <= 0)
        return BR_OK;
    v->found->deletions++;
    return br_slack_delete_message(v->s, channel, sqlite3_column_int64(st, 1), at, &deleted, v->err);
}

static enum br_rc take_label(struct salvage *v, sqlite3_stmt *st)
{
    const char *name = text_of(st, 0), *domain = text_of(st, 1);
    return br_store_set_label(v->s, name && strlen(name) < 256 ? name : NULL,
                              domain && strlen(domain) < 256 ? domain : NULL, v->err);
}

/* Rows until there are no more, or none that can be read. *unreadable: why not, when that is no damage. */
static enum br_rc try_rows(struct salvage *v, const char *sql, enum br_rc (*take)(struct salvage *v, sqlite3_stmt *st),
                           struct br_err *unreadable)
{
    sqlite3_stmt *st = NULL;
    enum br_rc rc = BR_OK;
    int r = sqlite3_prepare_v2(v->db, sql, -1, &st, NULL);
    while (rc == BR_OK && (r == SQLITE_OK || r == SQLITE_ROW)) {
        r = sqlite3_step(st);
        if (r == SQLITE_ROW)
            rc = take(v, st);
    }
    if (rc == BR_OK && r != SQLITE_DONE)
        (void)br_sql_fail(v->db, unreadable, NULL, "cannot read what is left of metadata.db");
    sqlite3_finalize(st);
    return rc;
}

/* A page that cannot be read twice is lost. To take a row again changes nothing. */
static enum br_rc take_rows(struct salvage *v, const char *sql, enum br_rc (*take)(struct salvage *v, sqlite3_stmt *st))
{
    struct br_slack_salvage before = *v->found;
    struct br_err why = {0};
    enum br_rc rc = try_rows(v, sql, take, &why);
    if (rc == BR_OK && why.rc == BR_E_IO) {
        why = (struct br_err){0};
        *v->found = before;
        rc = try_rows(v, sql, take, &why);
    }
    if (rc == BR_OK && why.rc != BR_OK && why.rc != BR_E_CORRUPT && why.rc != BR_E_IO)
        return br_fail(v->err, why.rc, "%s", why.msg);
    return rc;
}

enum br_rc br_slack_salvage(struct br_store *s, const char *db_path, struct br_slack_salvage *found, struct br_err *err)
{
    struct salvage v = {.s = s, .found = found, .err = err};
    enum br_rc rc;
    *found = (struct br_slack_salvage){0};
    struct br_io_stat st;
    struct br_err why = {0};
    rc = br_sql_open(s->io, db_path, BR_SQL_READ, &v.db, &why);
    if (rc == BR_E_IO) {
        why = (struct br_err){0};
        rc = br_sql_open(s->io, db_path, BR_SQL_READ, &v.db, &why);
    }
    if (rc == BR_E_CORRUPT || (rc == BR_E_IO && s->io->stat(s->io->ctx, db_path, &st) == -ENOENT))
        return BR_OK;
    if (rc != BR_OK)
        return br_fail(err, rc, "%s", why.msg);
    BR_TRY(take_rows(&v, "SELECT name, domain FROM store", take_label));
    BR_TRY(take_rows(&v,
                     "SELECT user_id, team_id, name, real_name, display_name, is_bot, is_deleted, is_stub FROM users"
                     " WHERE is_stub <> 2",
                     take_user));
    BR_TRY(take_rows(&v, "SELECT user_id FROM users WHERE is_stub = 2", take_forgotten));
    BR_TRY(take_rows(&v,
                     "SELECT channel_id, name, kind, topic, purpose, creator, created, is_archived, is_general, is_stub"
                     " FROM channels",
                     take_channel));
    BR_TRY(take_rows(&v, "SELECT channel_id, user_id FROM channel_members", take_member));
    BR_TRY(take_rows(&v, "SELECT channel_id, ts, deleted_at FROM deleted_messages", take_deletion));
err:
    sqlite3_close(v.db);
    return rc;
}
