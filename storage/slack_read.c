/* slack_read.c - listing messages: of a channel, a thread, around one, the most reacted.
 *
 * A listing first collects keys with one indexed statement, then views them one by one: the statement is done before
 * the first callback, which may use the store as it likes. All of it is one snapshot. */
#include "slack_int.h"

#include "content_log.h"

struct key {
    char channel_id[64];
    int64_t ts;
};
struct keys {
    struct key *items;
    size_t n, alloc;
};

static enum br_rc keys_add(struct keys *k, const char *channel_id, int64_t ts, struct br_err *err)
{
    if (k->n == k->alloc) {
        size_t alloc = k->alloc ? k->alloc * 2 : 64;
        struct key *items = realloc(k->items, alloc * sizeof(*items));
        if (!items)
            return br_fail_nomem(err);
        k->items = items;
        k->alloc = alloc;
    }
    struct key *key = &k->items[k->n++];
    key->channel_id[0] = 0;
    strncat(key->channel_id, channel_id, sizeof(key->channel_id) - 1);
    key->ts = ts;
    return BR_OK;
}

/* Columns 0 and 1 of every row: channel and ts. */
static enum br_rc keys_collect(struct keys *k, struct br_store *s, sqlite3_stmt *st, struct br_err *err)
{
    enum br_rc rc;
    bool row;
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        rc = keys_add(k, br_slack_column_key(st, 0), sqlite3_column_int64(st, 1), err);
        if (rc != BR_OK)
            sqlite3_reset(st);
        BR_TRY(rc);
    }
err:
    return rc;
}

static enum br_rc keys_view(const struct keys *k, bool backwards, struct br_store *s, br_slack_view_fn fn, void *ctx,
                            struct br_err *err)
{
    for (size_t i = 0; i < k->n; i++) {
        const struct key *key = &k->items[backwards ? k->n - 1 - i : i];
        enum br_rc rc = br_slack_view_one(s, key->channel_id, key->ts, fn, ctx, err);
        if (rc != BR_OK)
            return rc;
    }
    return BR_OK;
}

static int64_t limit_of(size_t n)
{
    return (int64_t)BR_MIN(n, (size_t)INT32_MAX);
}

static enum br_rc no_such_message(const char *channel_id, int64_t ts, struct br_err *err)
{
    return br_fail(err, BR_E_NOTFOUND, "there is no message %s:%lld.%06lld", channel_id, (long long)(ts / 1000000),
                   (long long)(ts % 1000000));
}

enum br_rc br_slack_message(struct br_store *s, const char *channel_id, int64_t ts, br_slack_view_fn fn, void *ctx,
                            struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_store_read_begin(s, err));
    rc = br_slack_view_one(s, channel_id, ts, fn, ctx, err);
    br_store_read_end(s);
    if (rc == BR_E_NOTFOUND)
        return no_such_message(channel_id, ts, err); /* keeps an error of the callback's own */
err:
    return rc;
}

enum br_rc br_slack_channel_messages(struct br_store *s, const char *channel_id, int64_t before, int64_t after,
                                     size_t n, br_slack_view_fn fn, void *ctx, struct br_err *err)
{
    struct keys keys = {0};
    sqlite3_stmt *st;
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    if (channel_id)
        BR_TRY(br_store_stmt(s,
                             "SELECT channel_id, ts FROM message_metadata INDEXED BY messages_by_channel"
                             " WHERE workspace_id = ?1 AND channel_id = ?5 AND ts > ?2 AND ts < ?3 AND cls <> 3"
                             " ORDER BY ts DESC LIMIT ?4",
                             &st, err));
    else
        BR_TRY(br_store_stmt(s,
                             "SELECT channel_id, ts FROM message_metadata INDEXED BY messages_by_ts"
                             " WHERE workspace_id = ?1 AND ts > ?2 AND ts < ?3 AND cls <> 3"
                             " ORDER BY ts DESC, channel_id DESC LIMIT ?4",
                             &st, err));
    sqlite3_bind_int64(st, 2, after);
    sqlite3_bind_int64(st, 3, before ? before : INT64_MAX);
    sqlite3_bind_int64(st, 4, limit_of(n));
    if (channel_id)
        br_slack_bind_text(st, 5, channel_id);
    BR_TRY(keys_collect(&keys, s, st, err));
    BR_TRY(keys_view(&keys, false, s, fn, ctx, err));
err:
    br_store_read_end(s);
    free(keys.items);
    return rc;
}

enum br_rc br_slack_thread(struct br_store *s, const char *channel_id, int64_t thread_ts, br_slack_view_fn fn,
                           void *ctx, struct br_err *err)
{
    struct keys keys = {0};
    sqlite3_stmt *st;
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(br_store_stmt(s,
                         "SELECT channel_id, ts FROM message_metadata INDEXED BY messages_by_thread"
                         " WHERE workspace_id = ?1 AND channel_id = ?2 AND thread_ts = ?3 AND cls <> 3 ORDER BY ts",
                         &st, err));
    br_slack_bind_text(st, 2, channel_id);
    sqlite3_bind_int64(st, 3, thread_ts);
    BR_TRY(keys_collect(&keys, s, st, err));
    if (!keys.n) { /* a message without thread, or nothing */
        struct br_slack_stored row;
        BR_TRY(br_slack_load_stored(s, channel_id, thread_ts, &row, err));
        if (row.exists && row.cls != BR_MSG_PLACEHOLDER)
            BR_TRY(keys_add(&keys, channel_id, thread_ts, err));
    }
    BR_TRY(keys_view(&keys, false, s, fn, ctx, err));
err:
    br_store_read_end(s);
    free(keys.items);
    return rc;
}

/* --- Context --- */

/* The four walks: forwards or backwards, in a thread or in the channel's flow, which is what the channel itself shows:
 * not the replies that were kept in their threads. */
static enum br_rc neighbours(struct br_store *s, const char *channel_id, int64_t thread_ts, int64_t ts, bool before,
                             size_t n, struct keys *keys, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    if (thread_ts && before)
        BR_TRY(br_store_stmt(s,
                             "SELECT channel_id, ts FROM message_metadata INDEXED BY messages_by_thread"
                             " WHERE workspace_id = ?1 AND channel_id = ?2 AND thread_ts = ?5 AND ts < ?3 AND cls <> 3"
                             " ORDER BY ts DESC LIMIT ?4",
                             &st, err));
    else if (thread_ts)
        BR_TRY(br_store_stmt(s,
                             "SELECT channel_id, ts FROM message_metadata INDEXED BY messages_by_thread"
                             " WHERE workspace_id = ?1 AND channel_id = ?2 AND thread_ts = ?5 AND ts > ?3 AND cls <> 3"
                             " ORDER BY ts LIMIT ?4",
                             &st, err));
    else if (before)
        BR_TRY(br_store_stmt(s,
                             "SELECT channel_id, ts FROM message_metadata"
                             " WHERE workspace_id = ?1 AND channel_id = ?2 AND ts < ?3 AND cls <> 3"
                             " AND (thread_ts IS NULL OR thread_ts = ts OR is_broadcast)"
                             " ORDER BY ts DESC LIMIT ?4",
                             &st, err));
    else
        BR_TRY(br_store_stmt(s,
                             "SELECT channel_id, ts FROM message_metadata"
                             " WHERE workspace_id = ?1 AND channel_id = ?2 AND ts > ?3 AND cls <> 3"
                             " AND (thread_ts IS NULL OR thread_ts = ts OR is_broadcast)"
                             " ORDER BY ts LIMIT ?4",
                             &st, err));
    br_slack_bind_text(st, 2, channel_id);
    sqlite3_bind_int64(st, 3, ts);
    sqlite3_bind_int64(st, 4, limit_of(n));
    if (thread_ts)
        sqlite3_bind_int64(st, 5, thread_ts);
    BR_TRY(keys_collect(keys, s, st, err));
err:
    return rc;
}

enum br_rc br_slack_context(struct br_store *s, const char *channel_id, int64_t ts, size_t n, br_slack_view_fn fn,
                            void *ctx, struct br_err *err)
{
    struct keys earlier = {0}, later = {0};
    struct br_slack_stored row;
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(br_slack_load_stored(s, channel_id, ts, &row, err));
    if (!row.exists)
        BR_TRY(no_such_message(channel_id, ts, err));
    BR_TRY(neighbours(s, channel_id, row.thread_ts, ts, true, n, &earlier, err));
    if (row.cls != BR_MSG_PLACEHOLDER)
        BR_TRY(keys_add(&later, channel_id, ts, err));
    BR_TRY(neighbours(s, channel_id, row.thread_ts, ts, false, n, &later, err));
    BR_TRY(keys_view(&earlier, true, s, fn, ctx, err));
    BR_TRY(keys_view(&later, false, s, fn, ctx, err));
err:
    br_store_read_end(s);
    free(earlier.items);
    free(later.items);
    return rc;
}

enum br_rc br_slack_top(struct br_store *s, const char *channel_id, int64_t after, int64_t before, size_t n,
                        br_slack_view_fn fn, void *ctx, struct br_err *err)
{
    struct keys keys = {0};
    sqlite3_stmt *st;
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(br_store_stmt(s,
                         "SELECT channel_id, ts FROM message_metadata INDEXED BY messages_by_reactions"
                         " WHERE workspace_id = ?1 AND reactions_total > 0 AND ts >= ?2 AND ts < ?3"
                         " AND (?5 IS NULL OR channel_id = ?5) ORDER BY reactions_total DESC, ts DESC LIMIT ?4",
                         &st, err));
    sqlite3_bind_int64(st, 2, after);
    sqlite3_bind_int64(st, 3, before ? before : INT64_MAX);
    sqlite3_bind_int64(st, 4, limit_of(n));
    br_slack_bind_text(st, 5, channel_id);
    BR_TRY(keys_collect(&keys, s, st, err));
    BR_TRY(keys_view(&keys, false, s, fn, ctx, err));
err:
    br_store_read_end(s);
    free(keys.items);
    return rc;
}

enum br_rc br_slack_newest(struct br_store *s, const struct br_slack_set *set, const struct br_slack_filter *f,
                           size_t n,
                           br_slack_view_fn fn, void *ctx, struct br_err *err)
{
    struct keys keys = {0};
    sqlite3_stmt *st;
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(br_store_stmt(s,
                         "SELECT channel_id, ts FROM message_metadata INDEXED BY messages_by_ts"
                         " WHERE workspace_id = ?1 AND ts >= ?2 AND ts < ?3 AND in_bitmap(slot, ?5)"
                         " ORDER BY ts DESC, channel_id DESC LIMIT ?4",
                         &st, err));
    sqlite3_bind_int64(st, 2, f->after);
    sqlite3_bind_int64(st, 3, f->before ? f->before : INT64_MAX);
    sqlite3_bind_int64(st, 4, limit_of(n));
    br_sql_bind_bitmap(st, 5, &set->slots);
    BR_TRY(keys_collect(&keys, s, st, err));
    BR_TRY(keys_view(&keys, false, s, fn, ctx, err));
err:
    br_store_read_end(s);
    free(keys.items);
    return rc;
}

/* --- The messages of a passage --- */

struct passage_message {
    int64_t ts, content_id;
};

/* Rows of ts, content record and slot. */
static enum br_rc collect_messages(struct br_store *s, sqlite3_stmt *st, const struct br_bitmap *slots,
                                   struct passage_message **items,
                                   size_t *n, struct br_err *err)
{
    size_t alloc = 0;
    enum br_rc rc;
    bool row;
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        if (slots && !br_bitmap_test(slots, (uint64_t)sqlite3_column_int64(st, 2)))
            continue;
        if (*n == alloc) {
            alloc = alloc ? alloc * 2 : 16;
            void *p = realloc(*items, alloc * sizeof(**items));
            if (!p) {
                sqlite3_reset(st);
                return br_fail_nomem(err);
            }
            *items = p;
        }
        (*items)[(*n)++] = (struct passage_message){sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1)};
    }
err:
    return rc;
}

enum br_rc br_slack_passage_messages(struct br_store *s, const struct br_doc *passage, const struct br_bitmap *slots,
                                     enum br_rc (*fn)(void *ctx, int64_t ts, const char *text, size_t len,
                                                      struct br_err *err),
                                     void *ctx, struct br_err *err)
{
    struct passage_message *items = NULL;
    struct br_buf text;
    sqlite3_stmt *st;
    size_t n = 0;
    br_buf_init(&text, BR_CONTENT_MAX);
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(br_store_stmt(s,
                         "SELECT ts, content_id, slot FROM message_metadata INDEXED BY messages_by_thread WHERE workspace_id = ?1"
                         " AND channel_id = ?2 AND thread_ts = ?3 AND ts BETWEEN ?4 AND ?5 AND slot IS NOT NULL"
                         " UNION ALL SELECT ts, content_id, slot FROM message_metadata WHERE workspace_id = ?1"
                         " AND channel_id = ?2 AND ts = ?3 AND thread_ts IS NULL AND slot IS NOT NULL",
                         &st, err));
    br_slack_bind_text(st, 2, passage->channel_id);
    sqlite3_bind_int64(st, 3, passage->thread_ts);
    sqlite3_bind_int64(st, 4, passage->ts);
    sqlite3_bind_int64(st, 5, passage->last_ts);
    BR_TRY(collect_messages(s, st, slots, &items, &n, err));
    for (size_t i = 0; i < n; i++) {
        br_buf_reset(&text);
        BR_TRY(br_store_content(s, (uint64_t)items[i].content_id, &text, err));
        BR_TRY(fn(ctx, items[i].ts, br_buf_str(&text), text.len, err));
    }
err:
    br_store_read_end(s);
    br_buf_free(&text);
    free(items);
    return rc;
}
