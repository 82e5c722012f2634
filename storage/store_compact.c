/* store_compact.c - a new generation of both logs that holds what lives, and nothing else.
 *
 *   1  content.<g+1> and vectors.<g+1> made, filled, synced, the directory synced   nobody knows them yet
 *   2  one transaction: generation, tails, offsets, slots, journal                  the flip; it is the commit
 *   3  the files of generation g unlinked
 * Stopped before 2, the old generation is as it was; the new files are leftovers that the next writer sweeps. Stopped
 * after it, the old ones are. Readers with a snapshot from before keep their open files, others go over with their
 * next snapshot (store.c).
 *
 * A move to another model (slack_reembed.c) is the same, but for where the new vectors come from: then model and dimension flip with the rest.
 *
 * Records keep their ids and their order, so that a record's offset grows with its id. Slots are given out anew in the
 * order the caller names; the graph and whatever else knows slots starts over. The journal ends as one row that
 * accounts for all of both logs. */
#include "store_core.h"
#include "store_upkeep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define ROWS_BYTES (1u << 20)

struct moved_content {
    uint64_t id, offset;
};
struct moved_slot {
    uint64_t content_id, checksum;
};

struct compaction {
    struct br_store *s;
    const struct br_compaction *how;
    struct br_store_info info;
    struct br_content_log content; /* of the new generation */
    struct br_vector_log vectors;
    struct moved_content *contents;
    size_t n_contents;
    struct moved_slot *slots; /* by new slot; how->n_slots of them */
    uint64_t vectors_sum;
};

static enum br_rc step(const struct compaction *c, uint64_t done, struct br_err *err)
{
    return c->how->step ? c->how->step(c->how->ctx, done, c->n_contents + c->how->n_slots, err) : BR_OK;
}

/* --- Room --- */

static enum br_rc count_content(struct compaction *c, uint64_t *bytes, struct br_err *err)
{
    int64_t n = 0, total = 0;
    enum br_rc rc;
    BR_TRY(br_sql_int(c->s->db, "SELECT count(*) FROM content WHERE dead = 0", c->s->dir, &n, err));
    BR_TRY(
        br_sql_int(c->s->db, "SELECT ifnull(sum(length + 32), 0) FROM content WHERE dead = 0", c->s->dir, &total, err));
    c->n_contents = (size_t)n;
    *bytes = (uint64_t)total;
err:
    return rc;
}

/* The new logs, and the tables that the flip rewrites by way of the WAL. */
static enum br_rc check_space(struct compaction *c, struct br_err *err)
{
    const struct br_io *io = c->s->io;
    uint64_t bytes;
    enum br_rc rc = count_content(c, &bytes, err);
    if (rc != BR_OK || !io->space)
        return rc;
    int64_t space = io->space(io->ctx, c->s->dir);
    size_t stride = c->how->model_id ? (size_t)c->how->dim * 4 : c->s->vectors.stride;
    uint64_t need = bytes + c->how->n_slots * stride + c->info.bytes_metadata + 4 * BR_LOG_PAGE;
    if (space >= 0 && (uint64_t)space < need)
        return br_fail(err, BR_E_NOSPC,
                       "%s %s needs %llu MB of free space, there are %llu MB: make room and run it again",
                       c->how->model_id ? "reembedding" : "compacting", c->s->dir, (unsigned long long)(need >> 20) + 1, (unsigned long long)(uint64_t)space >> 20);
    return BR_OK;
}

/* --- The new files --- */

static enum br_rc make_log(struct br_store *s, const char *kind, uint64_t generation, const struct br_log_identity *id,
                           char path[BR_PATH_MAX], struct br_err *err)
{
    char name[64];
    enum br_rc rc;
    snprintf(name, sizeof(name), "%s.%llu", kind, (unsigned long long)generation);
    BR_TRY(br_path(path, s->dir, name, err));
    BR_TRY(br_log_create(s->io, path, id, err));
err:
    return rc;
}

static enum br_rc make_logs(struct compaction *c, struct br_err *err)
{
    struct br_store *s = c->s;
    char path[BR_PATH_MAX];
    uint64_t generation = s->generation + 1;
    struct br_log_identity id = br_store_log_identity(s, BR_LOG_CONTENT, generation);
    enum br_rc rc;
    BR_TRY(make_log(s, "content", generation, &id, path, err));
    BR_TRY(br_content_log_open(&c->content, s->io, path, true, &id, err));
    id = br_store_log_identity(s, BR_LOG_VECTORS, generation);
    if (c->how->model_id) {
        id.dim = c->how->dim;
        id.stride = (uint64_t)id.dim * 4;
    }
    BR_TRY(make_log(s, "vectors", generation, &id, path, err));
    BR_TRY(br_vector_log_open(&c->vectors, s->io, path, true, &id, err));
    br_content_log_begin(&c->content, BR_LOG_HEADER);
    br_vector_log_begin(&c->vectors, 0);
err:
    return rc;
}

static enum br_rc run_repair(struct br_store *s, const char *what, uint64_t number, struct br_err *err)
{
    return br_fail(err, BR_E_CORRUPT, "%s: %s %llu is damaged: run repair before compact", s->dir, what,
                   (unsigned long long)number);
}

static enum br_rc copy_record(struct compaction *c, sqlite3_stmt *st, size_t i, struct br_err *err)
{
    struct br_content_ref old = {.id = (uint64_t)sqlite3_column_int64(st, 0)}, now = {.id = old.id};
    const char *bytes;
    enum br_rc rc;
    BR_TRY(br_content_ref_of(c->s, st, 1, &old, err));
    rc = br_content_log_read(&c->s->content, &old, &bytes, NULL);
    if (rc == BR_E_CORRUPT)
        return run_repair(c->s, "content record", old.id, err);
    if (rc != BR_OK)
        return br_fail(err, rc, "cannot read %s", c->s->content.log.path);
    BR_TRY(br_content_log_append(&c->content, bytes, old.length, &now, err));
    c->contents[i] = (struct moved_content){.id = old.id, .offset = now.offset};
err:
    return rc;
}

static enum br_rc copy_content(struct compaction *c, struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    size_t i = 0;
    int r;
    enum br_rc rc;
    c->contents = malloc((c->n_contents ? c->n_contents : 1) * sizeof(*c->contents));
    if (!c->contents)
        return br_fail_nomem(err);
    BR_TRY(br_store_stmt(c->s,
                         "SELECT content_id, offset, length, hash FROM content WHERE workspace_id = ?1 AND dead = 0"
                         " ORDER BY content_id",
                         &st, err));
    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        BR_ASSERT(i < c->n_contents); /* one snapshot */
        BR_TRY(copy_record(c, st, i++, err));
        if (i % 1024 == 0)
            BR_TRY(step(c, i, err));
    }
    if (r != SQLITE_DONE)
        BR_TRY(br_store_sql_fail(c->s, err, "cannot read"));
    BR_TRY(br_content_log_flush(&c->content, err));
err:
    sqlite3_reset(st);
    return rc;
}

static enum br_rc load_slot(struct compaction *c, uint64_t slot, struct moved_slot *out, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(c->s,
                                  "SELECT content_id, vector_checksum FROM slots"
                                  " WHERE workspace_id = ?1 AND slot = ?2 AND seq_killed IS NULL",
                                  &st, err);
    if (rc != BR_OK)
        return rc;
    sqlite3_bind_int64(st, 2, (int64_t)slot);
    int r = sqlite3_step(st);
    if (r == SQLITE_ROW)
        *out = (struct moved_slot){.content_id = (uint64_t)sqlite3_column_int64(st, 0),
                                   .checksum = (uint64_t)sqlite3_column_int64(st, 1)};
    else
        rc = r == SQLITE_DONE ? run_repair(c->s, "slot", slot, err) : br_store_sql_fail(c->s, err, "cannot read");
    sqlite3_reset(st);
    return rc;
}

/* The new row of an old slot; out->checksum becomes its own. */
static enum br_rc load_row(struct compaction *c, uint64_t old, struct moved_slot *slot, float *row, struct br_err *err)
{
    bool ok;
    enum br_rc rc;
    BR_TRY(load_slot(c, old, slot, err));
    if (c->how->model_id) {
        BR_TRY(c->how->vector(c->how->ctx, slot->content_id, row, err));
        slot->checksum = br_vector_checksum(row, c->how->dim);
        return BR_OK;
    }
    BR_TRY(br_vector_log_read(&c->s->vectors, old, slot->checksum, row, &ok, err));
    if (!ok)
        rc = run_repair(c->s, "slot", old, err);
err:
    return rc;
}

/* n rows from slot `first` on, and zeros up to the end of the page after the last ones. */
static enum br_rc write_rows(struct compaction *c, XXH3_state_t *sum, char *rows, size_t n, uint64_t first,
                             struct br_err *err)
{
    size_t bytes = n * c->vectors.stride;
    uint64_t at = br_vector_log_offset(&c->vectors, first), end = at + bytes;
    enum br_rc rc;
    XXH3_64bits_update(sum, rows, bytes);
    if (first + n == c->how->n_slots) {
        size_t pad = (size_t)((BR_LOG_PAGE - end % BR_LOG_PAGE) % BR_LOG_PAGE);
        memset(rows + bytes, 0, pad);
        bytes += pad;
    }
    BR_TRY(br_log_reserve(&c->vectors.log, at + bytes, err));
    BR_TRY(br_log_write(&c->vectors.log, rows, bytes, at, err));
err:
    return rc;
}

static enum br_rc copy_rows(struct compaction *c, XXH3_state_t *sum, char *rows, struct br_err *err)
{
    size_t stride = c->vectors.stride, fit = BR_MAX(ROWS_BYTES / stride, (size_t)1), n = 0;
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < c->how->n_slots; i++) {
        BR_TRY(load_row(c, c->how->slots[i], &c->slots[i], (float *)(void *)(rows + n * stride), err));
        if (++n == fit || i + 1 == c->how->n_slots) {
            BR_TRY(write_rows(c, sum, rows, n, i + 1 - n, err));
            n = 0;
            BR_TRY(step(c, c->n_contents + i + 1, err));
        }
    }
    c->vectors_sum = c->how->n_slots ? XXH3_64bits_digest(sum) : 0;
err:
    return rc;
}

static enum br_rc copy_vectors(struct compaction *c, struct br_err *err)
{
    size_t room = BR_MAX((size_t)ROWS_BYTES, c->vectors.stride) + BR_LOG_PAGE;
    char *rows = aligned_alloc(64, (room + 63) / 64 * 64);
    XXH3_state_t *sum = XXH3_createState();
    enum br_rc rc = BR_OK;
    c->slots = malloc((c->how->n_slots ? c->how->n_slots : 1) * sizeof(*c->slots));
    if (rows && sum && c->slots) {
        XXH3_64bits_reset(sum);
        rc = copy_rows(c, sum, rows, err);
    } else {
        rc = br_fail_nomem(err);
    }
    free(rows);
    if (sum)
        XXH3_freeState(sum);
    return rc;
}

static void cut(struct br_log *log, uint64_t end)
{
    br_log_shrink(log, (end + BR_LOG_PAGE - 1) / BR_LOG_PAGE * BR_LOG_PAGE);
}

/* Space that growing took in advance is given back; the next writer takes what it needs. */
static enum br_rc sync_all(struct compaction *c, struct br_err *err)
{
    const struct br_io *io = c->s->io;
    enum br_rc rc;
    cut(&c->content.log, br_content_log_end(&c->content));
    cut(&c->vectors.log, br_vector_log_offset(&c->vectors, c->how->n_slots));
    BR_TRY(br_log_sync(&c->content.log, "content", err));
    BR_TRY(br_log_sync(&c->vectors.log, "vectors", err));
    int r = io->sync_dir(io->ctx, c->s->dir);
    if (r < 0)
        rc = br_fail_errno(err, -r, "cannot sync %s", c->s->dir);
err:
    return rc;
}

/* --- The flip --- */

static enum br_rc run(struct br_store *s, const char *sql, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s, sql, &st, err);
    return rc == BR_OK ? br_store_step_done(s, st, "cannot compact", err) : rc;
}

static enum br_rc move_content(struct compaction *c, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(run(c->s, "DELETE FROM content WHERE workspace_id = ?1 AND dead = 1", err));
    for (size_t i = 0; i < c->n_contents; i++) {
        BR_TRY(br_store_stmt(c->s, "UPDATE content SET offset = ?3 WHERE workspace_id = ?1 AND content_id = ?2", &st,
                             err));
        sqlite3_bind_int64(st, 2, (int64_t)c->contents[i].id);
        sqlite3_bind_int64(st, 3, (int64_t)c->contents[i].offset);
        BR_TRY(br_store_step_done(c->s, st, "cannot compact", err));
    }
err:
    return rc;
}

/* Old slots and new ones for the caller's tables: temp.renumbered(old, new). */
static enum br_rc note_slots(struct compaction *c, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(run(c->s, "CREATE TEMP TABLE IF NOT EXISTS renumbered(old INTEGER PRIMARY KEY, new INTEGER NOT NULL) STRICT",
               err));
    BR_TRY(run(c->s, "DELETE FROM temp.renumbered", err));
    for (size_t i = 0; i < c->how->n_slots; i++) {
        BR_TRY(br_store_stmt(c->s, "INSERT INTO temp.renumbered VALUES(?1, ?2)", &st, err));
        sqlite3_bind_int64(st, 1, (int64_t)c->how->slots[i]);
        sqlite3_bind_int64(st, 2, (int64_t)i);
        BR_TRY(br_store_step_done(c->s, st, "cannot compact", err));
    }
err:
    return rc;
}

static enum br_rc move_slots(struct compaction *c, uint64_t seq, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(note_slots(c, err));
    BR_TRY(c->how->renumber(c->s, err));
    BR_TRY(run(c->s, "DELETE FROM temp.renumbered", err));
    BR_TRY(run(c->s, "DELETE FROM slots WHERE workspace_id = ?1", err));
    for (size_t i = 0; i < c->how->n_slots; i++) {
        BR_TRY(br_store_stmt(c->s,
                             "INSERT INTO slots(workspace_id, slot, content_id, vector_checksum, seq_added)"
                             " VALUES(?1, ?2, ?3, ?4, ?5)",
                             &st, err));
        sqlite3_bind_int64(st, 2, (int64_t)i);
        sqlite3_bind_int64(st, 3, (int64_t)c->slots[i].content_id);
        sqlite3_bind_int64(st, 4, (int64_t)c->slots[i].checksum);
        sqlite3_bind_int64(st, 5, (int64_t)seq);
        BR_TRY(br_store_step_done(c->s, st, "cannot compact", err));
    }
err:
    return rc;
}

static enum br_rc write_journal(struct compaction *c, uint64_t seq, uint64_t content_tail, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(run(c->s, "DELETE FROM journal WHERE workspace_id = ?1", err));
    BR_TRY(br_store_stmt(c->s, "INSERT INTO journal VALUES(?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8)", &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)seq);
    sqlite3_bind_int64(st, 3, (int64_t)c->how->n_slots);
    sqlite3_bind_int64(st, 4, BR_LOG_HEADER);
    sqlite3_bind_int64(st, 5, (int64_t)(content_tail - BR_LOG_HEADER));
    sqlite3_bind_int64(st, 6, (int64_t)c->vectors_sum);
    sqlite3_bind_int64(st, 7, c->n_contents ? (int64_t)br_content_log_checksum(&c->content) : 0);
    sqlite3_bind_int64(st, 8, c->s->io->now(c->s->io->ctx));
    BR_TRY(br_store_step_done(c->s, st, "cannot compact", err));
    BR_TRY(br_store_stmt(
        c->s,
        "UPDATE store SET generation = ?2, content_tail = ?3, vector_tail = ?4, last_seq = ?5, ckpt_file = NULL,"
        " ckpt_seq = 0, prev_ckpt_file = NULL, prev_ckpt_seq = 0, model_id = ifnull(?6, model_id), dim = ifnull(?7, dim)"
        " WHERE workspace_id = ?1",
        &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)(c->s->generation + 1));
    sqlite3_bind_int64(st, 3, (int64_t)content_tail);
    sqlite3_bind_int64(st, 4, (int64_t)c->how->n_slots);
    sqlite3_bind_int64(st, 5, (int64_t)seq);
    if (c->how->model_id) {
        sqlite3_bind_text(st, 6, c->how->model_id, -1, SQLITE_STATIC);
        sqlite3_bind_int64(st, 7, c->how->dim);
    }
    rc = br_store_step_done(c->s, st, "cannot compact", err);
    sqlite3_clear_bindings(st);
err:
    return rc;
}

static enum br_rc flip(struct compaction *c, struct br_err *err)
{
    uint64_t seq = c->info.last_seq + 1, content_tail = br_content_log_end(&c->content);
    enum br_rc rc;
    BR_TRY(br_store_begin(c->s, err));
    BR_TRY(move_slots(c, seq, err));
    BR_TRY(move_content(c, err));
    if (c->how->also)
        BR_TRY(c->how->also(c->how->ctx, c->s, err));
    BR_TRY(write_journal(c, seq, content_tail, err));
    return br_store_commit(c->s, NULL, err);
err:
    br_store_rollback(c->s);
    return rc;
}

/* --- All of it --- */

static void unlink_log(struct br_store *s, const char *kind, uint64_t generation)
{
    char name[64], path[BR_PATH_MAX];
    snprintf(name, sizeof(name), "%s.%llu", kind, (unsigned long long)generation);
    if (br_path(path, s->dir, name, NULL) == BR_OK)
        s->io->unlink(s->io->ctx, path); /* else a leftover for sweep */
}

static enum br_rc copy(struct compaction *c, struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_store_info(c->s, &c->info, err));
    BR_TRY(check_space(c, err));
    BR_TRY(make_logs(c, err));
    BR_TRY(copy_content(c, err));
    BR_TRY(copy_vectors(c, err));
    BR_TRY(sync_all(c, err));
err:
    return rc;
}

enum br_rc br_store_compact(struct br_store *s, const struct br_compaction *how, struct br_err *err)
{
    struct compaction c = {.s = s, .how = how, .content.log.fd = -1, .vectors.log.fd = -1};
    uint64_t old = s->generation;
    if (s->mode != BR_STORE_WRITE || s->poisoned || s->txn.open)
        return br_fail(err, BR_E_USAGE, "the workspace %s is not open for writing", s->dir);
    if (how->model_id && (strlen(how->model_id) > 64 || how->dim < 1 || how->dim > BR_DIM_MAX))
        return br_fail(err, BR_E_USAGE, "a model's id has at most 64 characters, vectors 1 to %d dimensions", BR_DIM_MAX);
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    rc = copy(&c, err);
    br_store_read_end(s);
    if (rc == BR_OK)
        rc = flip(&c, err);
    if (rc == BR_OK) {
        br_content_log_close(&s->content);
        br_vector_log_close(&s->vectors);
        s->content = c.content;
        s->vectors = c.vectors;
        s->generation = old + 1;
        s->dim = how->model_id ? how->dim : s->dim;
    } else {
        br_content_log_close(&c.content);
        br_vector_log_close(&c.vectors);
    }
    if (br_store_settled(s)) { /* else nobody knows which of the two is named */
        unlink_log(s, "content", rc == BR_OK ? old : old + 1);
        unlink_log(s, "vectors", rc == BR_OK ? old : old + 1);
    }
    free(c.contents);
    free(c.slots);
    return rc;
}
