/* slack_view.c - one message as a view: its row, names, folded reactions, files and text, gathered before the callback
 * runs, so that the callback may read the store itself. */
#include "slack_int.h"

#include "base/arena.h"
#include "content_log.h"

#define VIEW_BYTES_MAX ((size_t)256 << 20)

struct view {
    struct br_arena arena;
    struct br_slack_view v;
    struct br_slack_reaction *reactions;
    size_t reactions_alloc;
};

static char *column_copy(struct view *x, sqlite3_stmt *st, int i)
{
    return br_arena_str(&x->arena, br_slack_column_text(st, i));
}

static enum br_rc load_row(struct br_store *s, const char *channel_id, int64_t ts, struct view *x, bool *found,
                           unsigned *flags, struct br_err *err)
{
    struct br_slack_view *v = &x->v;
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(br_store_stmt(s,
                         "SELECT m.channel_id, c.name, c.kind, m.ts, m.thread_ts, m.user_id, m.subtype, m.cls,"
                         " m.is_bot, m.is_broadcast, m.edited_ts, m.reactions_total, m.content_id,"
                         " coalesce(nullif(u.display_name, ''), nullif(u.real_name, ''), nullif(u.name, ''),"
                         "  CASE m.user_id WHEN 'USLACKBOT' THEN 'slackbot' END,"
                         "  nullif(m.bot_name, ''), m.user_id, m.bot_id),"
                         " ifnull(m.user_id, m.bot_id), m.flags"
                         " FROM message_metadata m"
                         " JOIN channels c ON c.workspace_id = ?1 AND c.channel_id = m.channel_id"
                         " LEFT JOIN users u ON u.workspace_id = ?1 AND u.user_id = m.user_id"
                         " WHERE m.workspace_id = ?1 AND m.channel_id = ?2 AND m.ts = ?3",
                         &st, err));
    br_slack_bind_text(st, 2, channel_id);
    sqlite3_bind_int64(st, 3, ts);
    BR_TRY(br_slack_step(s, st, found, err));
    if (!*found)
        return BR_OK;
    v->channel_id = column_copy(x, st, 0);
    v->channel_kind = (enum br_slack_channel_kind)sqlite3_column_int(st, 2);
    v->channel_name = v->channel_kind == BR_CH_DM ? NULL : column_copy(x, st, 1);
    v->ts = sqlite3_column_int64(st, 3);
    v->thread_ts = sqlite3_column_int64(st, 4);
    v->subtype = column_copy(x, st, 6);
    v->cls = (enum br_slack_class)sqlite3_column_int(st, 7);
    v->is_bot = sqlite3_column_int(st, 8) != 0;
    v->is_broadcast = sqlite3_column_int(st, 9) != 0;
    v->edited_ts = sqlite3_column_int64(st, 10);
    v->reactions_total = (uint64_t)sqlite3_column_int64(st, 11);
    v->content_id = (uint64_t)sqlite3_column_int64(st, 12);
    v->user_name = column_copy(x, st, 13);
    v->user_id = column_copy(x, st, 14);
    *flags = (unsigned)sqlite3_column_int(st, 15);
    sqlite3_reset(st);
err:
    return rc;
}

static enum br_rc count_replies(struct br_store *s, struct view *x, struct br_err *err)
{
    int64_t n = 0;
    enum br_rc rc = BR_OK;
    if (x->v.thread_ts == x->v.ts) /* a root; 0 is no ts */
        rc = br_slack_int_key(s,
                              "SELECT count(*) FROM message_metadata INDEXED BY messages_by_thread"
                              " WHERE workspace_id = ?1 AND channel_id = ?2 AND thread_ts = ?3 AND ts <> ?3",
                              x->v.channel_id, x->v.ts, &n, err);
    x->v.reply_count = (uint64_t)n;
    return rc;
}

static enum br_rc add_reaction(void *ctx, const char *folded, int64_t count)
{
    struct view *x = ctx;
    if (x->v.n_reactions == x->reactions_alloc) {
        size_t alloc = x->reactions_alloc ? x->reactions_alloc * 2 : 8;
        struct br_slack_reaction *r = br_arena_array(&x->arena, alloc, sizeof(*r));
        if (!r)
            return BR_OK; /* arena.failed tells */
        if (x->v.n_reactions)
            memcpy(r, x->reactions, x->v.n_reactions * sizeof(*r));
        x->reactions = r;
        x->v.reactions = r;
        x->reactions_alloc = alloc;
    }
    const char *name = br_arena_str(&x->arena, folded);
    x->reactions[x->v.n_reactions++] = (struct br_slack_reaction){.name = name, .folded = name, .count = count};
    return BR_OK;
}

static enum br_rc load_files(struct br_store *s, struct view *x, struct br_err *err)
{
    sqlite3_stmt *st;
    int64_t n;
    bool row;
    enum br_rc rc;
    BR_TRY(br_slack_int_key(s, "SELECT count(*) FROM files WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
                            x->v.channel_id, x->v.ts, &n, err));
    if (!n)
        return BR_OK;
    struct br_slack_file *files = br_arena_array(&x->arena, (size_t)n, sizeof(*files));
    if (!files)
        return br_fail_nomem(err);
    x->v.files = files;
    BR_TRY(br_store_stmt(s,
                         "SELECT file_id, name, title, mimetype, mode, size FROM files"
                         " WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3 ORDER BY position LIMIT ?4",
                         &st, err));
    br_slack_bind_text(st, 2, x->v.channel_id);
    sqlite3_bind_int64(st, 3, x->v.ts);
    sqlite3_bind_int64(st, 4, n);
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        files[x->v.n_files++] = (struct br_slack_file){.id = column_copy(x, st, 0),
                                                       .name = column_copy(x, st, 1),
                                                       .title = column_copy(x, st, 2),
                                                       .mimetype = column_copy(x, st, 3),
                                                       .mode = column_copy(x, st, 4),
                                                       .size = sqlite3_column_int64(st, 5)};
    }
err:
    return rc;
}

enum br_rc br_slack_view_one(struct br_store *s, const char *channel_id, int64_t ts, br_slack_view_fn fn, void *ctx,
                             struct br_err *err)
{
    struct view x = {0};
    struct br_buf text;
    bool found = false;
    unsigned flags = 0;
    enum br_rc rc;
    br_arena_init(&x.arena, VIEW_BYTES_MAX);
    br_buf_init(&text, BR_CONTENT_MAX);
    BR_TRY(load_row(s, channel_id, ts, &x, &found, &flags, err));
    if (!found || x.arena.failed) {
        rc = found ? br_fail_nomem(err) : BR_E_NOTFOUND;
        goto err;
    }
    BR_TRY(count_replies(s, &x, err));
    if (flags & BR_HAS_REACTION)
        BR_TRY(br_slack_each_folded(s, x.v.channel_id, ts, add_reaction, &x, err));
    if (flags & BR_HAS_FILE)
        BR_TRY(load_files(s, &x, err));
    if (x.v.content_id)
        BR_TRY(br_store_content(s, x.v.content_id, &text, err));
    if (x.arena.failed)
        BR_TRY(br_fail_nomem(err));
    x.v.text = br_buf_str(&text);
    x.v.text_len = text.len;
    rc = fn(ctx, &x.v, err);
err:
    br_arena_free(&x.arena);
    br_buf_free(&text);
    return rc;
}
