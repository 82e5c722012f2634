/* slack_filter.c - from a filter to the slots it lets through, and from a slot to its document.
 *
 * Each combination of one channel and one author is one walk over an index that holds all that is asked; lists are
 * walked value by value. Only live slots are in the tables. */
#include "slack_int.h"

bool br_slack_filter_is_empty(const struct br_slack_filter *f)
{
    return !f->n_channels && !f->n_users && !f->after && !f->before && !f->has && !f->has_reaction;
}

static bool only_messages(const struct br_slack_filter *f)
{
    return f->n_users || f->has || f->has_reaction;
}

/* Room for the highest slot any document has. */
static enum br_rc bitmap_for_slots(struct br_store *s, struct br_bitmap *slots, struct br_err *err)
{
    int64_t messages, passages;
    enum br_rc rc;
    BR_TRY(br_slack_int(s,
                        "SELECT max(slot) + 1 FROM message_metadata INDEXED BY messages_by_slot"
                        " WHERE workspace_id = ?1 AND slot IS NOT NULL",
                        &messages, err));
    BR_TRY(br_slack_int(s, "SELECT max(slot) + 1 FROM passages INDEXED BY passages_by_slot"
                        " WHERE workspace_id = ?1 AND slot IS NOT NULL",
                        &passages, err));
    rc = br_bitmap_init(slots, (uint64_t)BR_MAX(messages, passages), err);
err:
    return rc;
}

/* ?2 channel, ?3 author, ?4 and ?5 dates, ?6 flags, ?7 reaction: the same numbers in every statement. */
#define DATES_AND_FLAGS " AND m.ts >= ?4 AND m.ts < ?5 AND m.flags & ?6 = ?6 AND m.slot IS NOT NULL"

static const char by_nothing[] = /* channel by channel, so that dates use the index */
    "SELECT m.slot FROM channels c CROSS JOIN message_metadata m INDEXED BY messages_by_channel"
    " ON m.workspace_id = ?1 AND m.channel_id = c.channel_id WHERE c.workspace_id = ?1" DATES_AND_FLAGS;
static const char by_channel[] = "SELECT m.slot FROM message_metadata m INDEXED BY messages_by_channel"
                                 " WHERE m.workspace_id = ?1 AND m.channel_id = ?2" DATES_AND_FLAGS;
static const char by_user[] = "SELECT m.slot FROM message_metadata m INDEXED BY messages_by_user"
                              " WHERE m.workspace_id = ?1 AND m.user_id = ?3" DATES_AND_FLAGS;
static const char by_both[] = "SELECT m.slot FROM message_metadata m INDEXED BY messages_by_user"
                              " WHERE m.workspace_id = ?1 AND m.user_id = ?3 AND m.channel_id = ?2" DATES_AND_FLAGS;
static const char by_reaction[] =
    "SELECT m.slot FROM reactions r INDEXED BY reactions_by_folded CROSS JOIN message_metadata m"
    " ON m.workspace_id = ?1 AND m.channel_id = r.channel_id AND m.ts = r.ts"
    " WHERE r.workspace_id = ?1 AND r.folded = ?7 AND (?2 IS NULL OR m.channel_id = ?2)"
    " AND (?3 IS NULL OR m.user_id = ?3)" DATES_AND_FLAGS;
static const char passages_by_nothing[] = "SELECT p.slot FROM passages p WHERE p.workspace_id = ?1"
                                          " AND p.first_ts < ?5 AND p.last_ts >= ?4 AND p.slot IS NOT NULL";
static const char passages_by_channel[] = "SELECT p.slot FROM passages p WHERE p.workspace_id = ?1"
                                          " AND p.channel_id = ?2 AND p.first_ts < ?5 AND p.last_ts >= ?4"
                                          " AND p.slot IS NOT NULL";

static enum br_rc walk(struct br_store *s, const char *sql, const struct br_slack_filter *f, const char *channel_id,
                       const char *user_id, struct br_bitmap *slots, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    BR_TRY(br_store_stmt(s, sql, &st, err));
    br_slack_bind_text(st, 2, channel_id);
    br_slack_bind_text(st, 3, user_id);
    sqlite3_bind_int64(st, 4, f->after);
    sqlite3_bind_int64(st, 5, f->before ? f->before : INT64_MAX);
    sqlite3_bind_int64(st, 6, (int64_t)f->has);
    if (f->has_reaction)
        br_slack_bind_text(st, 7, f->has_reaction);
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        br_bitmap_set(slots, (uint64_t)sqlite3_column_int64(st, 0));
    }
err:
    return rc;
}

static enum br_rc walk_messages(struct br_store *s, const struct br_slack_filter *f, struct br_bitmap *slots,
                                struct br_err *err)
{
    size_t channels = f->n_channels ? f->n_channels : 1, users = f->n_users ? f->n_users : 1;
    const char *sql = f->has_reaction                ? by_reaction
                      : f->n_users && f->n_channels ? by_both
                      : f->n_users                  ? by_user
                      : f->n_channels               ? by_channel
                                                    : by_nothing;
    for (size_t c = 0; c < channels; c++)
        for (size_t u = 0; u < users; u++) {
            enum br_rc rc = walk(s, sql, f, f->n_channels ? f->channel_ids[c] : NULL,
                                 f->n_users ? f->user_ids[u] : NULL, slots, err);
            if (rc != BR_OK)
                return rc;
        }
    return BR_OK;
}

static enum br_rc walk_passages(struct br_store *s, const struct br_slack_filter *f, struct br_bitmap *slots,
                                struct br_err *err)
{
    if (only_messages(f))
        return BR_OK;
    if (!f->n_channels)
        return walk(s, passages_by_nothing, f, NULL, NULL, slots, err);
    for (size_t c = 0; c < f->n_channels; c++) {
        enum br_rc rc = walk(s, passages_by_channel, f, f->channel_ids[c], NULL, slots, err);
        if (rc != BR_OK)
            return rc;
    }
    return BR_OK;
}

enum br_rc br_slack_filter_slots(struct br_store *s, const struct br_slack_filter *f, struct br_bitmap *slots,
                                 uint64_t *count, struct br_err *err)
{
    *slots = (struct br_bitmap){0};
    *count = 0;
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(bitmap_for_slots(s, slots, err));
    BR_TRY(walk_messages(s, f, slots, err));
    BR_TRY(walk_passages(s, f, slots, err));
    *count = br_bitmap_count(slots);
err:
    br_store_read_end(s);
    if (rc != BR_OK) {
        br_bitmap_free(slots);
        *slots = (struct br_bitmap){0};
    }
    return rc;
}

/* --- From a slot to its document --- */

enum br_rc br_slack_doc_of_slot(struct br_store *s, uint64_t slot, struct br_doc *doc, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row = false;
    if (slot <= INT64_MAX) {
        BR_TRY(br_store_stmt(s,
                             "SELECT 0, content_id, channel_id, ts, ts, ifnull(thread_ts, ts)"
                             " FROM message_metadata INDEXED BY messages_by_slot WHERE workspace_id = ?1 AND slot = ?2"
                             " UNION ALL SELECT 1, content_id, channel_id, first_ts, last_ts, thread_ts"
                             " FROM passages INDEXED BY passages_by_slot WHERE workspace_id = ?1 AND slot = ?2",
                             &st, err));
        sqlite3_bind_int64(st, 2, (int64_t)slot);
        BR_TRY(br_slack_step(s, st, &row, err));
    }
    if (!row)
        return br_fail(err, BR_E_NOTFOUND, "slot %llu is no document's", (unsigned long long)slot);
    *doc = (struct br_doc){.kind = sqlite3_column_int(st, 0) ? BR_DOC_PASSAGE : BR_DOC_MESSAGE,
                           .content_id = (uint64_t)sqlite3_column_int64(st, 1),
                           .slot = slot,
                           .ts = sqlite3_column_int64(st, 3),
                           .last_ts = sqlite3_column_int64(st, 4),
                           .thread_ts = sqlite3_column_int64(st, 5)};
    strncat(doc->channel_id, br_slack_column_text(st, 2), sizeof(doc->channel_id) - 1);
    sqlite3_reset(st);
err:
    return rc;
}
