/* slack_filter_words.c - which messages have words, and which passages have such messages.
 *
 * A frequent word is in half of all messages. So the messages are found once, whatever is asked of them, and passages conversation by conversation:
 * each one's are read once and laid beside its messages, both in the order of time. */
#include "slack_filter_words.h"

#include "base/array.h"

#define CHANNEL_BYTES_MAX ((size_t)256 << 20)

void br_slack_word_messages_free(struct br_word_messages *w)
{
    free(w->items);
    br_arena_free(&w->arena);
    *w = (struct br_word_messages){0};
}

/* Neighbours are mostly of one channel: its id is then kept once. */
static bool take_row(struct br_word_messages *w, sqlite3_stmt *st)
{
    if (!br_array_fit(&w->items, &w->alloc, w->n + 1, sizeof(*w->items)))
        return false;
    struct br_word_message *m = &w->items[w->n];
    const char *channel = br_slack_column_key(st, 2), *last = w->n ? m[-1].channel_id : NULL;
    *m = (struct br_word_message){.slot = sqlite3_column_int64(st, 0),
                                  .content_id = sqlite3_column_int64(st, 1),
                                  .thread_ts = sqlite3_column_int64(st, 3),
                                  .ts = sqlite3_column_int64(st, 4),
                                  .channel_id = last && strcmp(last, channel) == 0 ? last : br_arena_str(&w->arena, channel)};
    w->n += m->channel_id != NULL;
    return m->channel_id;
}

enum br_rc br_slack_word_messages(struct br_store *s, const char *match, struct br_word_messages *out, struct br_err *err)
{
    sqlite3_stmt *st;
    int r = SQLITE_DONE;
    *out = (struct br_word_messages){0};
    enum br_rc rc = br_store_stmt(s,
                                  "SELECT m.slot, m.content_id, m.channel_id, ifnull(m.thread_ts, m.ts), m.ts FROM fts_messages f"
                                  " CROSS JOIN message_metadata m INDEXED BY messages_by_content"
                                  " ON m.workspace_id = ?1 AND m.content_id = f.rowid WHERE fts_messages MATCH ?2 AND m.slot IS NOT NULL",
                                  &st, err);
    if (rc != BR_OK)
        return rc;
    br_arena_init(&out->arena, CHANNEL_BYTES_MAX);
    br_slack_bind_text(st, 2, match);
    while (rc == BR_OK && (r = sqlite3_step(st)) == SQLITE_ROW)
        if (!take_row(out, st))
            rc = br_fail_nomem(err);
    if (rc == BR_OK && r != SQLITE_DONE)
        rc = br_slack_match_fail(s, err);
    sqlite3_reset(st);
    return rc;
}

void br_slack_word_messages_keep(struct br_word_messages *w, const struct br_bitmap *slots)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        if (br_bitmap_test(slots, (uint64_t)w->items[i].slot))
            w->items[n++] = w->items[i];
    w->n = n;
}

static int by_conversation(const void *a, const void *b)
{
    const struct br_word_message *x = a, *y = b;
    if (x->thread_ts != y->thread_ts)
        return x->thread_ts < y->thread_ts ? -1 : 1;
    int channels = x->channel_id == y->channel_id ? 0 : strcmp(x->channel_id, y->channel_id);
    return channels ? channels : (x->ts > y->ts) - (x->ts < y->ts);
}

static bool same_conversation(const struct br_word_message *a, const struct br_word_message *b)
{
    return a->thread_ts == b->thread_ts && strcmp(a->channel_id, b->channel_id) == 0;
}

/* Is one of them within the passage? m: sorted by ts. */
static bool any_within(const struct br_word_message *m, size_t n, int64_t first_ts, int64_t last_ts)
{
    size_t from = 0, to = n;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (m[mid].ts < first_ts)
            from = mid + 1;
        else
            to = mid;
    }
    return from < n && m[from].ts <= last_ts;
}

enum br_rc br_slack_word_passages(struct br_store *s, struct br_word_messages *w, void (*fn)(void *ctx, int64_t slot, int64_t content_id),
                                  void *ctx, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    if (w->n)
        qsort(w->items, w->n, sizeof(*w->items), by_conversation);
    BR_TRY(br_store_stmt(s,
                         "SELECT slot, content_id, first_ts, last_ts FROM passages"
                         " WHERE workspace_id = ?1 AND channel_id = ?2 AND thread_ts = ?3 AND slot IS NOT NULL",
                         &st, err));
    for (size_t i = 0, n; i < w->n; i += n) {
        const struct br_word_message *m = &w->items[i];
        bool row;
        for (n = 1; i + n < w->n && same_conversation(m, m + n);)
            n++;
        br_slack_bind_text(st, 2, m->channel_id);
        sqlite3_bind_int64(st, 3, m->thread_ts);
        for (;;) {
            BR_TRY(br_slack_step(s, st, &row, err));
            if (!row)
                break;
            if (any_within(m, n, sqlite3_column_int64(st, 2), sqlite3_column_int64(st, 3)))
                fn(ctx, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1));
        }
    }
err:
    return rc;
}
