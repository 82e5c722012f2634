/* slack_passages.c - the passages of a thread replace those stored before, keeping what did not change.
 *
 * A passage is known by its text: one whose exact text is stored for this thread already keeps record and slot, so
 * that a new reply costs the embedding of the passages it touches and no more. */
#include "slack_int.h"

struct stored_passage {
    int64_t content_id, slot, first_ts, last_ts;
    uint8_t hash[16];
    bool kept;
};
struct thread_passages {
    struct stored_passage *items;
    size_t n, alloc;
};

static enum br_rc load(struct br_store *s, const struct br_slack_thread_key *key, struct thread_passages *t,
                       struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    bool row;
    BR_TRY(br_store_stmt(s,
                         "SELECT p.content_id, p.slot, p.first_ts, p.last_ts, c.hash FROM passages p"
                         " JOIN content c ON c.workspace_id = ?1 AND c.content_id = p.content_id"
                         " WHERE p.workspace_id = ?1 AND p.channel_id = ?2 AND p.thread_ts = ?3 ORDER BY p.position",
                         &st, err));
    br_slack_bind_text(st, 2, key->channel_id);
    sqlite3_bind_int64(st, 3, key->thread_ts);
    for (;;) {
        BR_TRY(br_slack_step(s, st, &row, err));
        if (!row)
            return BR_OK;
        if (t->n == t->alloc) {
            size_t alloc = t->alloc ? t->alloc * 2 : 16;
            struct stored_passage *items = realloc(t->items, alloc * sizeof(*items));
            if (!items) {
                sqlite3_reset(st);
                return br_fail_nomem(err);
            }
            t->items = items;
            t->alloc = alloc;
        }
        struct stored_passage *p = &t->items[t->n++];
        *p = (struct stored_passage){.content_id = sqlite3_column_int64(st, 0),
                                     .slot = br_slack_column_slot(st, 1),
                                     .first_ts = sqlite3_column_int64(st, 2),
                                     .last_ts = sqlite3_column_int64(st, 3)};
        if (sqlite3_column_bytes(st, 4) == sizeof(p->hash))
            memcpy(p->hash, sqlite3_column_blob(st, 4), sizeof(p->hash));
    }
err:
    return rc;
}

/* Looks from where the last match was: an unchanged thread is matched in one pass. */
static struct stored_passage *match(struct thread_passages *t, const struct br_slack_passage *p, size_t *from)
{
    uint8_t hash[16];
    br_content_hash(p->text, p->text_len, hash);
    for (size_t k = 0; k < t->n; k++) {
        size_t i = (*from + k) % t->n;
        if (!t->items[i].kept && memcmp(t->items[i].hash, hash, sizeof(hash)) == 0) {
            *from = i + 1;
            return &t->items[i];
        }
    }
    return NULL;
}

static enum br_rc insert(struct br_store *s, const struct br_slack_thread_key *key, size_t position,
                         const struct br_slack_passage *p, const struct stored_passage *stored, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s, "INSERT INTO passages VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", &st, err);
    if (rc != BR_OK)
        return rc;
    br_slack_bind_text(st, 2, key->channel_id);
    sqlite3_bind_int64(st, 3, key->thread_ts);
    sqlite3_bind_int64(st, 4, (int64_t)position);
    sqlite3_bind_int64(st, 5, p->first_ts);
    sqlite3_bind_int64(st, 6, p->last_ts);
    sqlite3_bind_int64(st, 7, stored->content_id);
    br_slack_bind_slot(st, 8, stored->slot);
    return br_store_step_done(s, st, "cannot store a passage in", err);
}

/* The record and slot of a passage: the stored ones, completed, or new ones. */
static enum br_rc make(struct br_store *s, const struct br_slack_passage *p, struct stored_passage *old,
                       struct stored_passage *out, struct br_err *err)
{
    struct br_slack_document d;
    uint64_t slot;
    enum br_rc rc = BR_OK;
    if (!old) {
        BR_TRY(br_slack_document_add(s, p->text, p->text_len, p->vector, BR_FTS_PASSAGES, &d, err));
        *out = (struct stored_passage){.content_id = d.content_id, .slot = d.slot};
        return BR_OK;
    }
    *out = *old;
    if (out->slot == BR_NO_SLOT && p->vector) {
        BR_TRY(br_store_add_slot(s, (uint64_t)out->content_id, p->vector, &slot, err));
        out->slot = (int64_t)slot;
    }
err:
    return rc;
}

static bool unchanged(const struct thread_passages *t, struct stored_passage *const *matched,
                      const struct br_slack_passage *p, size_t n)
{
    if (n != t->n)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct stored_passage *o = matched[i];
        if (o != &t->items[i] || o->first_ts != p[i].first_ts || o->last_ts != p[i].last_ts ||
            (o->slot == BR_NO_SLOT && p[i].vector))
            return false;
    }
    return true;
}

enum br_rc br_slack_put_passages(struct br_store *s, const struct br_slack_thread_key *key,
                                 const struct br_slack_passage *p, size_t n, struct br_err *err)
{
    struct thread_passages t = {0};
    struct stored_passage **matched = calloc(n ? n : 1, sizeof(struct stored_passage *));
    size_t from = 0;
    enum br_rc rc;
    if (!matched)
        return br_fail_nomem(err);
    BR_TRY(load(s, key, &t, err));
    for (size_t i = 0; i < n; i++) {
        matched[i] = match(&t, &p[i], &from);
        if (matched[i])
            matched[i]->kept = true;
    }
    if (!unchanged(&t, matched, p, n)) {
        if (t.n)
            BR_TRY(br_slack_run_key(s,
                                    "DELETE FROM passages"
                                    " WHERE workspace_id = ?1 AND channel_id = ?2 AND thread_ts = ?3",
                                    key->channel_id, key->thread_ts, err));
        for (size_t i = 0; i < t.n; i++) {
            struct br_slack_document d = {
                .content_id = t.items[i].content_id, .slot = t.items[i].slot, .fts = BR_FTS_PASSAGES};
            if (!t.items[i].kept)
                BR_TRY(br_slack_document_drop(s, &d, err));
        }
        for (size_t i = 0; i < n; i++) {
            struct stored_passage now;
            BR_TRY(make(s, &p[i], matched[i], &now, err));
            BR_TRY(insert(s, key, i, &p[i], &now, err));
        }
    }
    BR_TRY(br_slack_run_key(s,
                            "DELETE FROM dirty_threads WHERE workspace_id = ?1 AND channel_id = ?2 AND thread_ts = ?3",
                            key->channel_id, key->thread_ts, err));
err:
    free(matched);
    free(t.items);
    return rc;
}
