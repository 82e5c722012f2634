/* slack_merge.c - which of two rows of one message is kept. Reads only.
 *
 * A delete marker beats content older than it. Otherwise every row stands at one place in each of two total orders, and of each the
 * largest seen so far is kept. So the result does not depend on the order of arrival, and a row that comes again changes nothing:
 *
 *   content   a tombstone before anything else (a message deleted in Slack does not come back), then edited_ts, then the freshness
 *             of the source, then the richer object (longer raw form), then the raw form's hash, to have no ties
 *   counters  reactions and reply count: freshness, then the richer object, then the hash
 *
 * "Changed" is decided by hashes over the row as it came, not as it was stored (merging may have added to it). */
#include "slack_int.h"

#include <xxhash.h>

/* --- Hashes: fields in a fixed order, each with its length, so that no two rows spell the same --- */

static void add_bytes(XXH3_state_t *h, const void *bytes, size_t n)
{
    uint64_t len = n;
    XXH3_64bits_update(h, &len, sizeof(len));
    XXH3_64bits_update(h, bytes, n);
}

static void add_text(XXH3_state_t *h, const char *text)
{
    if (text)
        add_bytes(h, text, strlen(text));
    else
        add_bytes(h, "\xff", 1); /* no UTF-8 text is this */
}

static void add_int(XXH3_state_t *h, int64_t value)
{
    XXH3_64bits_update(h, &value, sizeof(value));
}

static int64_t content_hash(XXH3_state_t *h, const struct br_slack_message *m)
{
    XXH3_64bits_reset(h);
    const int64_t numbers[] = {m->thread_ts,    m->cls,      m->is_bot,       m->is_broadcast,
                               m->has_link,     m->edited_ts, m->needs_vector, (int64_t)m->n_files};
    const char *const texts[] = {m->user_id, m->bot_id, m->bot_name, m->subtype, m->team_id};
    for (size_t i = 0; i < BR_COUNT(numbers); i++)
        add_int(h, numbers[i]);
    if (m->is_pinned) /* nothing otherwise: the hashes of stored messages stay what they are */
        add_int(h, BR_IS_PINNED);
    for (size_t i = 0; i < BR_COUNT(texts); i++)
        add_text(h, texts[i]);
    for (size_t i = 0; i < m->n_files; i++) {
        const struct br_slack_file *f = &m->files[i];
        add_text(h, f->id);
        add_text(h, f->name);
        add_text(h, f->title);
        add_text(h, f->mimetype);
        add_text(h, f->mode);
        add_int(h, f->size);
    }
    add_bytes(h, m->text_len ? m->text : "", m->text_len);
    return (int64_t)XXH3_64bits_digest(h);
}

static int64_t counters_hash(XXH3_state_t *h, const struct br_slack_message *m)
{
    XXH3_64bits_reset(h);
    add_int(h, m->reply_count);
    for (size_t i = 0; i < m->n_reactions; i++) {
        const struct br_slack_reaction *r = &m->reactions[i];
        add_text(h, r->name);
        add_text(h, r->folded);
        add_int(h, r->count);
        add_int(h, (int64_t)r->n_users);
        for (size_t j = 0; j < r->n_users; j++)
            add_text(h, r->users[j]);
    }
    return (int64_t)XXH3_64bits_digest(h);
}

/* Who speaks: a passage names them. */
static int64_t author_hash(XXH3_state_t *h, const char *user_id, const char *bot_id, const char *bot_name)
{
    XXH3_64bits_reset(h);
    add_text(h, user_id);
    add_text(h, bot_id);
    add_text(h, bot_name);
    return (int64_t)XXH3_64bits_digest(h);
}

static int64_t raw_tag(const struct br_slack_message *m)
{
    uint8_t hash[16];
    int64_t tag;
    br_content_hash(m->raw_len ? m->raw : "", m->raw_len, hash);
    memcpy(&tag, hash, sizeof(tag));
    return tag;
}

static enum br_rc hash_message(const struct br_slack_message *m, struct br_slack_plan *plan, struct br_err *err)
{
    XXH3_state_t *h = XXH3_createState();
    if (!h)
        return br_fail_nomem(err);
    plan->content_hash = content_hash(h, m);
    plan->counters_hash = counters_hash(h, m);
    plan->author_hash = author_hash(h, m->user_id, m->bot_id, m->bot_name);
    XXH3_freeState(h);
    const int64_t length = (int64_t)m->raw_len, tag = raw_tag(m);
    plan->content_rank =
        (struct br_slack_rank){{m->cls == BR_MSG_TOMBSTONE, m->edited_ts, m->freshness, length, tag}};
    plan->counters_rank = (struct br_slack_rank){{m->freshness, length, tag}};
    return BR_OK;
}

/* --- The stored row --- */

enum br_rc br_slack_load_stored(struct br_store *s, const char *channel_id, int64_t ts, struct br_slack_stored *row,
                                struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    *row = (struct br_slack_stored){.slot = BR_NO_SLOT};
    BR_TRY(br_store_stmt(s,
                         "SELECT m.cls, m.thread_ts, m.edited_ts, m.content_id, m.raw_id, m.slot, m.needs_vector,"
                         " m.raw_length, m.content_hash, m.counters_hash, c.length, c.hash, m.freshness, m.raw_tag,"
                         " m.counters_freshness, m.counters_raw_length, m.counters_raw_tag, m.user_id, m.bot_id,"
                         " m.bot_name"
                         " FROM message_metadata m LEFT JOIN content c"
                         "  ON c.workspace_id = ?1 AND c.content_id = m.content_id AND c.dead = 0"
                         " WHERE m.workspace_id = ?1 AND m.channel_id = ?2 AND m.ts = ?3",
                         &st, err));
    br_slack_bind_text(st, 2, channel_id);
    sqlite3_bind_int64(st, 3, ts);
    BR_TRY(br_slack_step(s, st, &row->exists, err));
    if (!row->exists)
        return BR_OK;
    row->cls = (enum br_slack_class)sqlite3_column_int(st, 0);
    row->thread_ts = sqlite3_column_int64(st, 1);
    row->edited_ts = sqlite3_column_int64(st, 2);
    row->content_id = sqlite3_column_int64(st, 3);
    row->raw_id = sqlite3_column_int64(st, 4);
    row->slot = br_slack_column_slot(st, 5);
    row->needs_vector = sqlite3_column_int(st, 6) != 0;
    row->content_hash = sqlite3_column_int64(st, 8);
    row->counters_hash = sqlite3_column_int64(st, 9);
    row->text_length = sqlite3_column_int64(st, 10);
    if (sqlite3_column_bytes(st, 11) == sizeof(row->text_hash))
        memcpy(row->text_hash, sqlite3_column_blob(st, 11), sizeof(row->text_hash));
    row->content_rank = (struct br_slack_rank){{row->cls == BR_MSG_TOMBSTONE, row->edited_ts, sqlite3_column_int64(st, 12),
                                                sqlite3_column_int64(st, 7), sqlite3_column_int64(st, 13)}};
    row->counters_rank = (struct br_slack_rank){
        {sqlite3_column_int64(st, 14), sqlite3_column_int64(st, 15), sqlite3_column_int64(st, 16)}};
    XXH3_state_t *h = XXH3_createState();
    if (h)
        row->author_hash = author_hash(h, br_slack_column_text(st, 17), br_slack_column_text(st, 18),
                                       br_slack_column_text(st, 19));
    sqlite3_reset(st);
    if (!h)
        return br_fail_nomem(err);
    XXH3_freeState(h);
err:
    return rc;
}

struct br_slack_document br_slack_stored_document(const struct br_slack_stored *row)
{
    return (struct br_slack_document){.content_id = row->content_id,
                                      .slot = row->slot,
                                      .fts = row->content_id && row->cls == BR_MSG_CONTENT ? BR_FTS_MESSAGES
                                                                                           : BR_FTS_NONE};
}

/* --- The verdict --- */

static bool larger(const struct br_slack_rank *a, const struct br_slack_rank *b)
{
    for (size_t i = 0; i < BR_COUNT(a->n); i++)
        if (a->n[i] != b->n[i])
            return a->n[i] > b->n[i];
    return false;
}

static void judge(struct br_slack_plan *plan, const struct br_slack_message *m)
{
    const struct br_slack_stored *old = &plan->old;
    plan->is_new = !old->exists || old->cls == BR_MSG_PLACEHOLDER;
    plan->content_wins = plan->is_new || larger(&plan->content_rank, &old->content_rank);
    plan->counters_win = plan->is_new || larger(&plan->counters_rank, &old->counters_rank);
    plan->older = !plan->is_new && ((old->cls == BR_MSG_TOMBSTONE && m->cls != BR_MSG_TOMBSTONE) ||
                                    (old->cls == m->cls && m->edited_ts < old->edited_ts));
}

enum br_rc br_slack_plan_put(struct br_store *s, const struct br_slack_message *m, struct br_slack_plan *plan,
                             struct br_err *err)
{
    enum br_rc rc;
    int64_t deleted_at;
    *plan = (struct br_slack_plan){0};
    BR_TRY(br_slack_load_stored(s, m->channel_id, m->ts, &plan->old, err));
    BR_TRY(hash_message(m, plan, err));
    judge(plan, m);
    plan->needs_vector = m->needs_vector && m->cls == BR_MSG_CONTENT && m->text_len > 0;
    if (plan->old.exists && plan->old.cls == m->cls && plan->old.content_id &&
        (uint64_t)plan->old.text_length == m->text_len) {
        uint8_t hash[16];
        br_content_hash(m->text_len ? m->text : "", m->text_len, hash);
        plan->same_text = memcmp(hash, plan->old.text_hash, sizeof(hash)) == 0;
    }
    if (plan->is_new) {
        BR_TRY(br_slack_int_key(
            s, "SELECT deleted_at FROM deleted_messages WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
            m->channel_id, m->ts, &deleted_at, err));
        plan->deleted = deleted_at > 0 && BR_MAX(m->edited_ts, m->ts) <= deleted_at;
    }
err:
    return rc;
}

enum br_rc br_slack_wants_vector(struct br_store *s, const struct br_slack_message *m, bool *wants,
                                 struct br_err *err)
{
    struct br_slack_plan plan;
    *wants = false;
    if (!m->needs_vector)
        return BR_OK;
    enum br_rc rc = br_slack_plan_put(s, m, &plan, err);
    if (rc == BR_OK && plan.needs_vector && !plan.deleted)
        *wants = plan.same_text ? plan.old.slot == BR_NO_SLOT : plan.content_wins;
    return rc;
}
