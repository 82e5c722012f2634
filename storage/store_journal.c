/* store_journal.c - do the batches that the journal tells of lie in the logs as they were written?
 *
 * A row of `journal` has the XXH3-64 of its batch's vectors and of its batch's records, padding included. Both are right as long as nothing of the
 * batch was erased, which leaves zeros; of a batch that has lost something only what lives can be proven, record by record.
 *
 * A writer's opening checks the last batch: the one that a device which forgot a sync would have lost, before anything is built on it. It reads
 * CHECK_BYTES at most. `verify` checks that all rows agree with each other and with the tails, and its deep form every batch that is whole. A
 * row that is wrong though every record is right is of no use: repair trims the journal, as checkpoints of the graph do, and who follows it
 * looks at every slot. */
#include "store_core.h"
#include "store_upkeep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/array.h"

#define CHECK_BYTES (UINT64_C(8) << 20) /* of a larger batch, a compaction's, the newest CHECK_ROWS are checked one by one */
#define CHECK_ROWS 1024
#define PIECE (1u << 18)

struct batch { /* a row */
    uint64_t seq, first_slot, n_slots, content_offset, content_bytes, vectors_sum, content_sum;
    uint64_t live_slots, live_bytes; /* what of it is not dead, for verify */
};
#define COLUMNS "seq, first_slot, n_slots, content_offset, content_bytes, vectors_checksum, content_checksum"

static struct batch batch_of(sqlite3_stmt *st)
{
    uint64_t v[7];
    for (int i = 0; i < 7; i++)
        v[i] = (uint64_t)sqlite3_column_int64(st, i);
    return (struct batch){.seq = v[0],
                          .first_slot = v[1],
                          .n_slots = v[2],
                          .content_offset = v[3],
                          .content_bytes = v[4],
                          .vectors_sum = v[5],
                          .content_sum = v[6]};
}

/* Within the committed parts of both logs? */
static bool fits(const struct batch *b, const struct br_store_info *info)
{
    return b->seq >= 1 && b->seq <= info->last_seq && b->first_slot <= info->vector_tail && b->n_slots <= info->vector_tail - b->first_slot &&
           b->content_offset >= BR_LOG_HEADER && b->content_offset <= info->content_tail &&
           b->content_bytes <= info->content_tail - b->content_offset;
}

static enum br_rc sum_of(struct br_log *log, uint64_t offset, uint64_t bytes, uint64_t *sum, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    char *piece = malloc(PIECE);
    XXH3_state_t *state = XXH3_createState();
    if (!piece || !state)
        BR_TRY(br_fail_nomem(err));
    XXH3_64bits_reset(state);
    for (uint64_t at = 0; at < bytes; at += PIECE) {
        size_t n = (size_t)BR_MIN((uint64_t)PIECE, bytes - at);
        BR_TRY(br_log_read(log, piece, n, offset + at, err));
        XXH3_64bits_update(state, piece, n);
    }
    *sum = XXH3_64bits_digest(state);
err:
    free(piece);
    XXH3_freeState(state);
    return rc;
}

static enum br_rc vectors_ok(struct br_store *s, const struct batch *b, bool *ok, struct br_err *err)
{
    uint64_t sum = 0;
    enum br_rc rc = b->n_slots ? sum_of(&s->vectors.log, br_vector_log_offset(&s->vectors, b->first_slot), b->n_slots * s->vectors.stride, &sum, err)
                               : BR_OK;
    *ok = rc == BR_OK && sum == b->vectors_sum;
    return rc;
}

static enum br_rc content_ok(struct br_store *s, const struct batch *b, bool *ok, struct br_err *err)
{
    uint64_t sum = 0;
    enum br_rc rc = b->content_bytes ? sum_of(&s->content.log, b->content_offset, b->content_bytes, &sum, err) : BR_OK;
    *ok = rc == BR_OK && sum == b->content_sum;
    return rc;
}

/* --- A writer's opening --- */

static enum br_rc last_batch(struct br_store *s, struct batch *b, bool *found, struct br_err *err)
{
    sqlite3_stmt *st;
    *found = false;
    enum br_rc rc = br_store_stmt(s, "SELECT " COLUMNS " FROM journal WHERE workspace_id = ?1 ORDER BY seq DESC LIMIT 1", &st, err);
    if (rc != BR_OK)
        return rc;
    int r = sqlite3_step(st);
    if (r == SQLITE_ROW) {
        *found = true;
        *b = batch_of(st);
    } else if (r != SQLITE_DONE) {
        rc = br_store_sql_fail(s, err, "cannot read the journal of");
    }
    sqlite3_reset(st);
    return rc;
}

static enum br_rc damaged(const char *path, const char *what, uint64_t id, struct br_err *err)
{
    return br_fail(err, BR_E_CORRUPT, "%s: %s %llu of the last batch fails its checksum: run `backread repair`, or restore a backup", path, what,
                   (unsigned long long)id);
}

static enum br_rc check_slots(struct br_store *s, const struct batch *b, struct br_err *err)
{
    float vector[BR_DIM_MAX];
    sqlite3_stmt *st;
    int r = SQLITE_DONE;
    enum br_rc rc = br_store_stmt(s,
                                  "SELECT slot, vector_checksum FROM slots WHERE workspace_id = ?1 AND slot >= ?2 AND slot < ?3"
                                  " AND seq_killed IS NULL ORDER BY slot DESC LIMIT ?4",
                                  &st, err);
    if (rc != BR_OK)
        return rc;
    sqlite3_bind_int64(st, 2, (int64_t)b->first_slot);
    sqlite3_bind_int64(st, 3, (int64_t)(b->first_slot + b->n_slots));
    sqlite3_bind_int64(st, 4, CHECK_ROWS);
    while (rc == BR_OK && (r = sqlite3_step(st)) == SQLITE_ROW) {
        bool ok;
        uint64_t slot = (uint64_t)sqlite3_column_int64(st, 0);
        rc = br_vector_log_read(&s->vectors, slot, (uint64_t)sqlite3_column_int64(st, 1), vector, &ok, err);
        if (rc == BR_OK && !ok)
            rc = damaged(s->vectors.log.path, "slot", slot, err);
    }
    if (rc == BR_OK && r != SQLITE_DONE)
        rc = br_store_sql_fail(s, err, "cannot read");
    sqlite3_reset(st);
    return rc;
}

/* Records come in the order of their ids; one that was mended has a later place, and is left to `verify`. */
static enum br_rc check_records(struct br_store *s, const struct batch *b, struct br_err *err)
{
    sqlite3_stmt *st;
    int r = SQLITE_DONE;
    bool within = true;
    enum br_rc rc = br_store_stmt(s,
                                  "SELECT content_id, offset, length, hash FROM content WHERE workspace_id = ?1 AND dead = 0"
                                  " ORDER BY content_id DESC LIMIT ?2",
                                  &st, err);
    if (rc != BR_OK)
        return rc;
    sqlite3_bind_int64(st, 2, CHECK_ROWS);
    while (rc == BR_OK && within && (r = sqlite3_step(st)) == SQLITE_ROW) {
        struct br_content_ref ref = {.id = (uint64_t)sqlite3_column_int64(st, 0)};
        const char *bytes;
        rc = br_content_ref_of(s, st, 1, &ref, err);
        within = rc == BR_OK && ref.offset >= b->content_offset;
        if (within)
            rc = br_content_log_read(&s->content, &ref, &bytes, NULL);
        if (within && rc == BR_E_CORRUPT)
            rc = damaged(s->content.log.path, "record", ref.id, err);
        else if (within && rc != BR_OK)
            rc = br_fail(err, rc, "cannot read %s: %s", s->content.log.path, br_rc_text(rc));
    }
    if (rc == BR_OK && within && r != SQLITE_DONE)
        rc = br_store_sql_fail(s, err, "cannot read");
    sqlite3_reset(st);
    return rc;
}

enum br_rc br_store_check_last_batch(struct br_store *s, const struct br_store_info *info, struct br_err *err)
{
    struct batch b;
    bool found, vectors = false, content = false;
    enum br_rc rc;
    BR_TRY(last_batch(s, &b, &found, err));
    if (!found)
        return BR_OK; /* trimmed: two checkpoints of the graph have it */
    if (!fits(&b, info))
        return br_fail(err, BR_E_CORRUPT, "%s/metadata.db: the last row of the journal makes no sense: run `backread repair`", s->dir);
    if (b.n_slots * s->vectors.stride <= CHECK_BYTES)
        BR_TRY(vectors_ok(s, &b, &vectors, err));
    if (b.content_bytes <= CHECK_BYTES)
        BR_TRY(content_ok(s, &b, &content, err));
    if (!vectors)
        BR_TRY(check_slots(s, &b, err));
    if (!content)
        BR_TRY(check_records(s, &b, err));
err:
    return rc;
}

/* --- Verify --- */

struct journal {
    struct batch *items; /* ascending */
    size_t n, alloc;
};

static enum br_rc read_journal(struct br_store *s, struct journal *j, struct br_err *err)
{
    sqlite3_stmt *st;
    int r = SQLITE_DONE;
    enum br_rc rc = br_store_stmt(s, "SELECT " COLUMNS " FROM journal WHERE workspace_id = ?1 ORDER BY seq", &st, err);
    if (rc != BR_OK)
        return rc;
    while (rc == BR_OK && (r = sqlite3_step(st)) == SQLITE_ROW) {
        if (br_array_fit(&j->items, &j->alloc, j->n + 1, sizeof(*j->items)))
            j->items[j->n++] = batch_of(st);
        else
            rc = br_fail_nomem(err);
    }
    if (rc == BR_OK && r != SQLITE_DONE)
        rc = br_store_sql_fail(s, err, "cannot read the journal of");
    sqlite3_reset(st);
    return rc;
}

/* The first row that is at odds with the one before or with the tails. */
static const struct batch *odd_one(const struct journal *j, const struct br_store_info *info)
{
    for (size_t i = 0; i < j->n; i++) {
        const struct batch *b = &j->items[i], *before = i ? b - 1 : NULL;
        bool ok = fits(b, info);
        if (before)
            ok = ok && b->first_slot >= before->first_slot + before->n_slots && b->content_offset >= before->content_offset + before->content_bytes;
        if (b->seq == info->last_seq)
            ok = ok && b->first_slot + b->n_slots == info->vector_tail && b->content_offset + b->content_bytes == info->content_tail;
        if (!ok)
            return b;
    }
    return NULL;
}

/* The batch whose range a place is in, by first (a member's offset) and length. */
static struct batch *batch_at(const struct journal *j, uint64_t place, bool slots)
{
    size_t low = 0, high = j->n; /* the last one that begins at or before the place */
    while (low < high) {
        size_t at = low + (high - low) / 2;
        if ((slots ? j->items[at].first_slot : j->items[at].content_offset) <= place)
            low = at + 1;
        else
            high = at;
    }
    while (low > 0) { /* empty ones begin where others do */
        struct batch *b = &j->items[--low];
        uint64_t n = slots ? b->n_slots : b->content_bytes;
        if (n)
            return place - (slots ? b->first_slot : b->content_offset) < n ? b : NULL;
    }
    return NULL;
}

static enum br_rc count_live(struct br_store *s, struct journal *j, bool slots, struct br_err *err)
{
    sqlite3_stmt *st;
    int r = SQLITE_DONE;
    enum br_rc rc = br_store_stmt(s,
                                  slots ? "SELECT slot, 0 FROM slots WHERE workspace_id = ?1 AND seq_killed IS NULL AND slot >= ?2"
                                        : "SELECT offset, length FROM content WHERE workspace_id = ?1 AND dead = 0 AND offset >= ?2",
                                  &st, err);
    if (rc != BR_OK)
        return rc;
    sqlite3_bind_int64(st, 2, (int64_t)(slots ? j->items[0].first_slot : j->items[0].content_offset));
    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        struct batch *b = batch_at(j, (uint64_t)sqlite3_column_int64(st, 0), slots);
        if (b && slots)
            b->live_slots++;
        else if (b)
            b->live_bytes += br_content_record_size((uint64_t)sqlite3_column_int64(st, 1));
    }
    if (r != SQLITE_DONE)
        rc = br_store_sql_fail(s, err, "cannot read");
    sqlite3_reset(st);
    return rc;
}

static enum br_rc check_sums(struct br_store *s, struct journal *j, uint64_t *n, char *why, size_t room, uint64_t *bytes, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(count_live(s, j, true, err));
    BR_TRY(count_live(s, j, false, err));
    for (size_t i = 0; i < j->n; i++) {
        const struct batch *b = &j->items[i];
        bool vectors = true, content = true;
        if (b->live_slots == b->n_slots)
            BR_TRY(vectors_ok(s, b, &vectors, err));
        if (b->live_bytes == b->content_bytes)
            BR_TRY(content_ok(s, b, &content, err));
        *bytes += b->n_slots * s->vectors.stride + b->content_bytes;
        if (vectors && content)
            continue;
        ++*n;
        if (!why[0])
            snprintf(why, room, "%s: batch %llu fails the checksum in the journal", vectors ? s->content.log.path : s->vectors.log.path,
                     (unsigned long long)b->seq);
    }
err:
    return rc;
}

enum br_rc br_store_verify_journal(struct br_store *s, const struct br_store_info *info, bool deep, struct br_store_report *report, struct br_err *err)
{
    struct journal j = {0};
    char why[sizeof(report->first_problem)] = "";
    uint64_t n = 0;
    enum br_rc rc;
    BR_TRY(read_journal(s, &j, err));
    const struct batch *odd = odd_one(&j, info);
    if (odd) {
        n++;
        snprintf(why, sizeof(why), "%s/metadata.db: row %llu of the journal makes no sense", s->dir, (unsigned long long)odd->seq);
    } else if (deep && j.n) {
        BR_TRY(check_sums(s, &j, &n, why, sizeof(why), &report->checked_bytes, err));
    }
    report->corrupt += n;
    if (n && !report->first_problem[0])
        memcpy(report->first_problem, why, sizeof(why));
err:
    free(j.items);
    return rc;
}

/* --- Repair --- */

enum br_rc br_store_mend_journal(struct br_store *s, bool *mended, struct br_err *err)
{
    struct br_store_report report = {0};
    struct br_store_info info;
    sqlite3_stmt *st;
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    rc = br_store_state(s, &info, NULL, err);
    if (rc == BR_OK)
        rc = br_store_verify_journal(s, &info, true, &report, err);
    br_store_read_end(s);
    *mended = report.corrupt > 0;
    if (rc != BR_OK || !*mended)
        return rc;
    BR_TRY(br_store_begin(s, err));
    rc = br_store_stmt(s, "DELETE FROM journal WHERE workspace_id = ?1", &st, err);
    if (rc == BR_OK)
        rc = br_store_step_done(s, st, "cannot trim the journal of", err);
    if (rc == BR_OK)
        return br_store_commit(s, NULL, err);
    br_store_rollback(s);
err:
    return rc;
}
