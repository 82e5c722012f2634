/* slack_message.c - putting and deleting messages: what slack_merge.c decided becomes rows, records and slots.
 *
 * A put that changes nothing writes nothing to permanent tables, so that importing an archive again costs reading
 * only. Thread membership once seen is never lost, whichever row of a message brought it. */
#include "slack_int.h"

struct put {
    struct br_store *s;
    const struct br_slack_message *m;
    const float *vector;
    struct br_slack_plan plan;
    struct br_slack_document doc; /* as it will be */
    int64_t thread_ts;            /* as it will be */
    int64_t raw_id;
};

/* --- Pieces of a row --- */

static int64_t thread_of(const struct br_slack_message *m)
{
    return m->thread_ts ? m->thread_ts : m->reply_count > 0 ? m->ts : 0;
}

static int flags_of(const struct br_slack_message *m, int64_t thread_ts)
{
    return (m->has_link ? (int)BR_HAS_LINK : 0) | (m->n_files ? (int)BR_HAS_FILE : 0) | (thread_ts ? (int)BR_IS_THREAD : 0) |
           (m->is_pinned ? (int)BR_IS_PINNED : 0);
}

static enum br_rc put_files(struct br_store *s, const struct br_slack_message *m, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(br_slack_run_key(s, "DELETE FROM files WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
                            m->channel_id, m->ts, err));
    for (size_t i = 0; i < m->n_files; i++) {
        const struct br_slack_file *f = &m->files[i];
        BR_TRY(br_store_stmt(s, "INSERT INTO files VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)", &st, err));
        br_slack_bind_text(st, 2, m->channel_id);
        sqlite3_bind_int64(st, 3, m->ts);
        sqlite3_bind_int64(st, 4, (int64_t)i);
        br_slack_bind_text(st, 5, f->id);
        br_slack_bind_text(st, 6, f->name);
        br_slack_bind_text(st, 7, f->title);
        br_slack_bind_text(st, 8, f->mimetype);
        br_slack_bind_text(st, 9, f->mode);
        sqlite3_bind_int64(st, 10, f->size);
        BR_TRY(br_store_step_done(s, st, "cannot store a file's name in", err));
    }
err:
    return rc;
}

/* The new raw record in place of the old one. */
static enum br_rc put_raw(struct put *p, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    uint64_t id = 0;
    if (p->plan.old.raw_id)
        BR_TRY(br_store_kill_content(p->s, (uint64_t)p->plan.old.raw_id, err));
    if (p->m->raw_len)
        BR_TRY(br_store_add_content(p->s, p->m->raw, p->m->raw_len, &id, err));
    p->raw_id = (int64_t)id;
err:
    return rc;
}

/* Text, slot and keyword row of the winning message. Unchanged text keeps its record, and its slot while one is due. */
static enum br_rc put_document(struct put *p, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    uint64_t slot;
    p->doc = br_slack_stored_document(&p->plan.old);
    if (!p->plan.same_text) {
        BR_TRY(br_slack_document_drop(p->s, &p->doc, err));
        p->doc = (struct br_slack_document){.slot = BR_NO_SLOT};
        if (p->m->text_len && p->m->cls != BR_MSG_TOMBSTONE)
            BR_TRY(br_slack_document_add(p->s, p->m->text, p->m->text_len,
                                         p->plan.needs_vector ? p->vector : NULL,
                                         p->m->cls == BR_MSG_CONTENT ? BR_FTS_MESSAGES : BR_FTS_NONE, &p->doc, err));
        return BR_OK;
    }
    if (p->plan.needs_vector && p->doc.slot == BR_NO_SLOT && p->vector) {
        BR_TRY(br_store_add_slot(p->s, (uint64_t)p->doc.content_id, p->vector, &slot, err));
        p->doc.slot = (int64_t)slot;
    } else if (!p->plan.needs_vector && p->doc.slot != BR_NO_SLOT) {
        BR_TRY(br_store_kill_slot(p->s, (uint64_t)p->doc.slot, err));
        p->doc.slot = BR_NO_SLOT;
    }
err:
    return rc;
}

/* Counters are for a row that was not there; one that was keeps its own (put_counters). */
static enum br_rc write_row(struct put *p, struct br_err *err)
{
    const struct br_slack_message *m = p->m;
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(
        p->s,
        "INSERT INTO message_metadata(workspace_id, channel_id, ts, thread_ts, user_id, bot_id, bot_name, subtype,"
        " team_id, cls, flags, is_bot, is_broadcast, edited_ts, reply_count, content_id, raw_id, raw_length, slot,"
        " needs_vector, content_hash, counters_hash, freshness, raw_tag, counters_freshness, counters_raw_length,"
        " counters_raw_tag)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,"
        " ?23, ?24, ?23, ?18, ?24)"
        " ON CONFLICT DO UPDATE SET thread_ts = excluded.thread_ts, user_id = excluded.user_id,"
        " bot_id = excluded.bot_id, bot_name = excluded.bot_name, subtype = excluded.subtype,"
        " team_id = excluded.team_id, cls = excluded.cls, flags = excluded.flags | (flags & ?25),"
        " is_bot = excluded.is_bot, is_broadcast = excluded.is_broadcast, edited_ts = excluded.edited_ts,"
        " content_id = excluded.content_id, raw_id = excluded.raw_id, raw_length = excluded.raw_length,"
        " slot = excluded.slot, needs_vector = excluded.needs_vector, content_hash = excluded.content_hash,"
        " freshness = excluded.freshness, raw_tag = excluded.raw_tag",
        &st, err);
    if (rc != BR_OK)
        return rc;
    br_slack_bind_text(st, 2, m->channel_id);
    sqlite3_bind_int64(st, 3, m->ts);
    br_slack_bind_positive(st, 4, p->thread_ts);
    br_slack_bind_text(st, 5, m->user_id);
    br_slack_bind_text(st, 6, m->bot_id);
    br_slack_bind_text(st, 7, m->bot_name);
    br_slack_bind_text(st, 8, m->subtype);
    br_slack_bind_text(st, 9, m->team_id);
    sqlite3_bind_int(st, 10, (int)m->cls);
    sqlite3_bind_int(st, 11, flags_of(m, p->thread_ts));
    sqlite3_bind_int(st, 12, m->is_bot);
    sqlite3_bind_int(st, 13, m->is_broadcast);
    sqlite3_bind_int64(st, 14, m->edited_ts);
    sqlite3_bind_int64(st, 15, m->reply_count);
    br_slack_bind_positive(st, 16, p->doc.content_id);
    br_slack_bind_positive(st, 17, p->raw_id);
    sqlite3_bind_int64(st, 18, (int64_t)m->raw_len);
    br_slack_bind_slot(st, 19, p->doc.slot);
    sqlite3_bind_int(st, 20, p->plan.needs_vector);
    sqlite3_bind_int64(st, 21, p->plan.content_hash);
    sqlite3_bind_int64(st, 22, p->plan.counters_hash);
    sqlite3_bind_int64(st, 23, m->freshness);
    sqlite3_bind_int64(st, 24, p->plan.content_rank.n[4]);
    sqlite3_bind_int(st, 25, BR_HAS_REACTION);
    return br_store_step_done(p->s, st, "cannot store a message in", err);
}

/* Content is as it was; the row follows the source that saw it last. */
static enum br_rc touch_row(struct put *p, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(p->s,
                                  "UPDATE message_metadata SET raw_id = ?4, raw_length = ?5, freshness = ?6, raw_tag = ?7"
                                  " WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
                                  &st, err);
    if (rc != BR_OK)
        return rc;
    br_slack_bind_text(st, 2, p->m->channel_id);
    sqlite3_bind_int64(st, 3, p->m->ts);
    br_slack_bind_positive(st, 4, p->raw_id);
    sqlite3_bind_int64(st, 5, (int64_t)p->m->raw_len);
    sqlite3_bind_int64(st, 6, p->m->freshness);
    sqlite3_bind_int64(st, 7, p->plan.content_rank.n[4]);
    return br_store_step_done(p->s, st, "cannot store a message in", err);
}

/* Reactions, then their sum into the row. */
static enum br_rc put_reactions(struct put *p, struct br_err *err)
{
    sqlite3_stmt *st;
    int64_t total;
    enum br_rc rc;
    if (!p->m->n_reactions && !p->plan.old.exists)
        return BR_OK;
    BR_TRY(br_slack_put_reactions(p->s, p->m, &total, err));
    BR_TRY(br_store_stmt(p->s,
                         "UPDATE message_metadata SET reactions_total = ?4, flags = (flags & ~?5) | ?6"
                         " WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
                         &st, err));
    br_slack_bind_text(st, 2, p->m->channel_id);
    sqlite3_bind_int64(st, 3, p->m->ts);
    sqlite3_bind_int64(st, 4, total);
    sqlite3_bind_int(st, 5, BR_HAS_REACTION);
    sqlite3_bind_int(st, 6, p->m->n_reactions ? BR_HAS_REACTION : 0);
    BR_TRY(br_store_step_done(p->s, st, "cannot store reactions in", err));
err:
    return rc;
}

/* --- What a put does --- */

/* The message's text, speaker or place changed: both the thread it was in and the one it is in are cut again. */
static enum br_rc mark_threads(struct put *p, struct br_err *err)
{
    const struct br_slack_stored *old = &p->plan.old;
    bool had = br_slack_stored_document(old).fts != BR_FTS_NONE, has = p->doc.fts != BR_FTS_NONE;
    bool same = p->plan.same_text && old->author_hash == p->plan.author_hash && old->thread_ts == p->thread_ts;
    enum br_rc rc = BR_OK;
    if ((!had && !has) || (had && has && same))
        return BR_OK;
    if (had)
        BR_TRY(br_slack_mark_dirty(p->s, p->m->channel_id, p->m->ts, old->thread_ts, (size_t)old->text_length, err));
    if (has)
        BR_TRY(br_slack_mark_dirty(p->s, p->m->channel_id, p->m->ts, p->thread_ts, p->m->text_len, err));
err:
    return rc;
}

static enum br_rc put_content(struct put *p, struct br_err *err)
{
    const struct br_slack_stored *old = &p->plan.old;
    enum br_rc rc;
    int64_t thread_ts = thread_of(p->m);
    p->thread_ts = thread_ts ? thread_ts : old->thread_ts;
    BR_TRY(put_document(p, err));
    BR_TRY(put_raw(p, err));
    BR_TRY(write_row(p, err));
    if (p->m->n_files || old->exists)
        BR_TRY(put_files(p->s, p->m, err));
    BR_TRY(br_slack_ensure_root(p->s, p->m->channel_id, p->m->ts, p->thread_ts, err));
    BR_TRY(mark_threads(p, err));
err:
    return rc;
}

/* The same content seen again, by a fresher or richer source. */
static enum br_rc put_again(struct put *p, bool *changed, struct br_err *err)
{
    const struct br_slack_rank *was = &p->plan.old.content_rank, *is = &p->plan.content_rank;
    enum br_rc rc = BR_OK;
    p->raw_id = p->plan.old.raw_id;
    if (was->n[3] != is->n[3] || was->n[4] != is->n[4]) {
        BR_TRY(put_raw(p, err));
        *changed = true;
    }
    BR_TRY(touch_row(p, err));
err:
    return rc;
}

/* A row may tell of a thread even where it loses. */
static enum br_rc join_thread(struct put *p, bool *changed, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    int64_t thread_ts = thread_of(p->m);
    if (!thread_ts || p->plan.old.thread_ts)
        return BR_OK;
    BR_TRY(br_store_stmt(p->s,
                         "UPDATE message_metadata SET thread_ts = ?4, flags = flags | ?5"
                         " WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
                         &st, err));
    br_slack_bind_text(st, 2, p->m->channel_id);
    sqlite3_bind_int64(st, 3, p->m->ts);
    sqlite3_bind_int64(st, 4, thread_ts);
    sqlite3_bind_int(st, 5, BR_IS_THREAD);
    BR_TRY(br_store_step_done(p->s, st, "cannot store a thread in", err));
    BR_TRY(br_slack_ensure_root(p->s, p->m->channel_id, p->m->ts, thread_ts, err));
    if (br_slack_stored_document(&p->plan.old).fts != BR_FTS_NONE) {
        BR_TRY(br_slack_mark_dirty(p->s, p->m->channel_id, p->m->ts, 0, (size_t)p->plan.old.text_length, err));
        BR_TRY(br_slack_mark_dirty(p->s, p->m->channel_id, p->m->ts, thread_ts, 0, err));
    }
    *changed = true;
err:
    return rc;
}

/* A vector that was missing, for text that is stored already. */
static enum br_rc fill_slot(struct put *p, bool *changed, struct br_err *err)
{
    sqlite3_stmt *st;
    uint64_t slot;
    enum br_rc rc;
    const struct br_slack_stored *old = &p->plan.old;
    if (!p->vector || !old->needs_vector || old->slot != BR_NO_SLOT || !p->plan.same_text)
        return BR_OK;
    BR_TRY(br_store_add_slot(p->s, (uint64_t)old->content_id, p->vector, &slot, err));
    BR_TRY(br_store_stmt(p->s,
                         "UPDATE message_metadata SET slot = ?4"
                         " WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
                         &st, err));
    br_slack_bind_text(st, 2, p->m->channel_id);
    sqlite3_bind_int64(st, 3, p->m->ts);
    sqlite3_bind_int64(st, 4, (int64_t)slot);
    BR_TRY(br_store_step_done(p->s, st, "cannot store a message in", err));
    *changed = true;
err:
    return rc;
}

static enum br_rc put_counters(struct put *p, bool *changed, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(br_store_stmt(p->s,
                         "UPDATE message_metadata SET reply_count = ?4, counters_hash = ?5, counters_freshness = ?6,"
                         " counters_raw_length = ?7, counters_raw_tag = ?8"
                         " WHERE workspace_id = ?1 AND channel_id = ?2 AND ts = ?3",
                         &st, err));
    br_slack_bind_text(st, 2, p->m->channel_id);
    sqlite3_bind_int64(st, 3, p->m->ts);
    sqlite3_bind_int64(st, 4, p->m->reply_count);
    sqlite3_bind_int64(st, 5, p->plan.counters_hash);
    for (int i = 0; i < 3; i++)
        sqlite3_bind_int64(st, 6 + i, p->plan.counters_rank.n[i]);
    BR_TRY(br_store_step_done(p->s, st, "cannot store a message in", err));
    if (p->plan.is_new || p->plan.old.counters_hash != p->plan.counters_hash) {
        BR_TRY(put_reactions(p, err));
        *changed = true;
    }
err:
    return rc;
}

/* A stored message meets another row of itself. */
static enum br_rc put_known(struct put *p, bool *changed, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    if (p->plan.content_wins && p->plan.content_hash != p->plan.old.content_hash) {
        BR_TRY(put_content(p, err));
        *changed = true;
        return BR_OK;
    }
    if (p->plan.content_wins)
        BR_TRY(put_again(p, changed, err));
    BR_TRY(join_thread(p, changed, err));
    BR_TRY(fill_slot(p, changed, err));
err:
    return rc;
}

enum br_rc br_slack_put_message(struct br_store *s, const struct br_slack_message *m, const float *vector,
                                enum br_slack_outcome *outcome, struct br_err *err)
{
    struct put p = {.s = s, .m = m, .vector = vector};
    bool changed = false;
    enum br_rc rc;
    BR_TRY(br_slack_check_id(m->channel_id, "channel", err));
    if (m->ts <= 0)
        return br_fail(err, BR_E_DATA, "a message without time stamp");
    BR_TRY(br_slack_plan_put(s, m, &p.plan, err));
    if (!p.plan.deleted) {
        BR_TRY(p.plan.is_new ? put_content(&p, err) : put_known(&p, &changed, err));
        if (!p.plan.old.exists)
            BR_TRY(put_reactions(&p, err)); /* the new row has its counters already */
        else if (p.plan.counters_win)
            BR_TRY(put_counters(&p, &changed, err));
    }
    *outcome = p.plan.deleted ? BR_PUT_STALE
               : p.plan.is_new ? BR_PUT_NEW
               : changed       ? BR_PUT_UPDATED
               : p.plan.older  ? BR_PUT_STALE
                               : BR_PUT_UNCHANGED;
    BR_TRY(br_slack_import_note(s, m->channel_id, m->ts, *outcome, err));
err:
    return rc;
}
