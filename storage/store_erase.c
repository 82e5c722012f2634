/* store_erase.c - physical erasure: after it no byte of what is dead is in any file of the directory.
 *
 * Killing hides a record; its bytes stay in the logs, in the graph's codes, in pages of SQLite. What must go is noted
 * in erase_queue by the transaction that kills it, and leaves the queue only when all of this has happened, in this
 * order:
 *   1  keyword rows purged (with the text, by the transaction that killed it) and the keyword index merged
 *   2  no reader has an older snapshot: it could still ask for the bytes         br_store_quiesce
 *   3  bytes of records and rows zeroed, both logs synced                        br_store_erase_logs
 *   4  a checkpoint of the graph without their codes; the older ones removed, as is what repair
 *      kept of a damaged metadata.db, and what a stopped reembed has done; the directory synced     br_store_drop_damaged
 *   5  their rows deleted, metadata.db written anew: SQLite zeroes what it
 *      frees, but not the copies it leaves when it moves rows between pages      br_store_erase_rows, _vacuum
 *   6  the write-ahead log emptied                                              br_store_quiesce
 *   7  the queue emptied                                                         br_store_erase_done
 * Each step can be repeated, so whatever stops it, the next one who opens the workspace for writing starts over.
 *
 * Step 3 writes into pages that hold live neighbours, the only place where a log is written below its tail. Should
 * power fail just then and the device ruin the sector, `repair` mends them: vectors from text, text from raw forms.
 *
 * Outside the promise: file systems that copy on write, and what a drive keeps of overwritten blocks. */
#include "reembed_log.h"
#include "store_core.h"
#include "store_upkeep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (256u << 10)
#define READERS_MS  3000 /* a reader's snapshot lasts as long as a search */

enum br_rc br_store_queue_erasure(struct br_store *s, uint64_t content_id, int64_t slot, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s, "INSERT OR IGNORE INTO erase_queue VALUES(?1, ?2, ?3)", &st, err);
    if (rc != BR_OK)
        return rc;
    sqlite3_bind_int64(st, 2, (int64_t)content_id);
    sqlite3_bind_int64(st, 3, slot);
    return br_store_step_done(s, st, "cannot queue an erasure in", err);
}

enum br_rc br_store_erasing(struct br_store *s, struct br_err *err)
{
    s->txn.erasing = s->txn.open;
    return br_store_queue_erasure(s, 0, -1, err);
}

enum br_rc br_store_erase_queued(struct br_store *s, uint64_t *n, struct br_err *err)
{
    int64_t count;
    *n = 0;
    if (s->schema_version < 2) /* a reader of an older file: the table is not there yet */
        return BR_OK;
    enum br_rc rc = br_sql_int(s->db, "SELECT count(slot) FROM erase_queue", s->dir, &count, err);
    *n = rc == BR_OK ? (uint64_t)count : 0;
    return rc;
}

/* One transaction of statements without parameters but the workspace. */
static enum br_rc transact(struct br_store *s, const char *const *sql, size_t n, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    BR_TRY(br_store_begin(s, err));
    for (size_t i = 0; i < n; i++) {
        BR_TRY(br_store_stmt(s, sql[i], &st, err));
        BR_TRY(br_store_step_done(s, st, "cannot write", err));
    }
    return br_store_commit(s, NULL, err);
err:
    br_store_rollback(s);
    return rc;
}

enum br_rc br_store_queue_dead(struct br_store *s, struct br_err *err)
{
    static const char *const sql[] = {
        "INSERT OR IGNORE INTO erase_queue VALUES(?1, 0, -1)",
        "INSERT OR IGNORE INTO erase_queue SELECT workspace_id, content_id, -1 FROM content"
        " WHERE workspace_id = ?1 AND dead = 1",
        "INSERT OR IGNORE INTO erase_queue SELECT workspace_id, 0, slot FROM slots INDEXED BY slots_by_kill"
        " WHERE workspace_id = ?1 AND seq_killed IS NOT NULL",
    };
    return transact(s, sql, BR_COUNT(sql), err);
}

/* A frame is written first: while the log is empty a reader of an older snapshot would not be in the way. */
enum br_rc br_store_quiesce(struct br_store *s, struct br_err *err)
{
    static const char *const sql[] = {"UPDATE store SET commits = commits + 1 WHERE workspace_id = ?1"};
    enum br_rc rc = transact(s, sql, 1, err);
    if (rc != BR_OK)
        return rc;
    sqlite3_busy_timeout(s->db, READERS_MS);
    int r = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(s->db, BR_SQL_BUSY_MS);
    s->wal.grown = 0;
    if ((r & 0xff) == SQLITE_BUSY || (r & 0xff) == SQLITE_LOCKED)
        return br_fail(
            err, BR_E_BUSY,
            "erasing from %s is not complete: another process is reading it or backing it up; close it and run the command again",
            s->dir);
    return r == SQLITE_OK ? BR_OK : br_sql_fail(s->db, err, s->dir, "cannot empty the write-ahead log of");
}

/* --- The logs --- */

struct eraser {
    struct br_log *log;
    char *chunk;
    uint64_t at; /* everything before is done */
};

/* Zeroes [from, to); reads first, so that what is zero already is not written. */
static enum br_rc zero(struct eraser *e, uint64_t from, uint64_t to, struct br_err *err)
{
    static const char zeros[4096];
    enum br_rc rc = BR_OK;
    while (from < to) {
        size_t n = (size_t)BR_MIN(to - from, (uint64_t)CHUNK_BYTES), last = n;
        BR_TRY(br_log_read(e->log, e->chunk, n, from, err));
        while (last && !e->chunk[last - 1])
            last--;
        for (size_t at = 0; at < last; at += sizeof(zeros)) {
            size_t m = BR_MIN(last - at, sizeof(zeros));
            if (memcmp(e->chunk + at, zeros, m) != 0)
                BR_TRY(br_log_write(e->log, zeros, m, from + at, err));
        }
        from += n;
    }
err:
    return rc;
}

/* What lies between the end of the last live range and this one goes. Ranges come in the order of the file. */
static enum br_rc keep(struct eraser *e, uint64_t from, uint64_t to, struct br_err *err)
{
    enum br_rc rc;
    if (from < e->at || to > e->log->size)
        return br_fail(err, BR_E_CORRUPT, "%s: live data at offset %llu is out of place: run repair", e->log->path,
                       (unsigned long long)from);
    BR_TRY(zero(e, e->at, from, err));
    e->at = to;
err:
    return rc;
}

/* rows gives the live ranges: two columns, of which `range` makes one. */
static enum br_rc erase_log(struct br_store *s, struct br_log *log, uint64_t tail, const char *sql,
                            void (*range)(const struct br_store *s, sqlite3_stmt *st, uint64_t *from, uint64_t *to),
                            struct br_err *err)
{
    struct eraser e = {.log = log, .at = BR_LOG_HEADER, .chunk = malloc(CHUNK_BYTES)};
    sqlite3_stmt *st = NULL;
    uint64_t from, to;
    bool covers;
    int r;
    enum br_rc rc;
    if (!e.chunk)
        return br_fail_nomem(err);
    log->size = 0; /* look again */
    BR_TRY(br_log_covers(log, BR_LOG_HEADER, tail - BR_LOG_HEADER, &covers, err));
    if (!covers)
        BR_TRY(br_fail(err, BR_E_CORRUPT, "%s is shorter than its committed tail: run repair", log->path));
    BR_TRY(br_store_stmt(s, sql, &st, err));
    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        range(s, st, &from, &to);
        BR_TRY(keep(&e, from, to, err));
    }
    if (r != SQLITE_DONE)
        BR_TRY(br_store_sql_fail(s, err, "cannot read"));
    uint64_t end = BR_MIN((BR_MAX(tail, e.at) + BR_LOG_PAGE - 1) / BR_LOG_PAGE * BR_LOG_PAGE, log->size);
    BR_TRY(keep(&e, end, end, err));
    if (log->size > end)
        br_log_shrink(log, end);
    if (log->size > end)
        BR_TRY(zero(&e, end, log->size, err)); /* it would not shrink */
    rc = br_log_sync(log, "erasure", err);
    if (rc != BR_OK)
        s->poisoned = true;
err:
    sqlite3_reset(st);
    free(e.chunk);
    return rc;
}

static void content_range(const struct br_store *s, sqlite3_stmt *st, uint64_t *from, uint64_t *to)
{
    (void)s;
    *from = (uint64_t)sqlite3_column_int64(st, 0);
    *to = *from + br_content_record_size((uint64_t)sqlite3_column_int64(st, 1));
}

static void slot_range(const struct br_store *s, sqlite3_stmt *st, uint64_t *from, uint64_t *to)
{
    *from = br_vector_log_offset(&s->vectors, (uint64_t)sqlite3_column_int64(st, 0));
    *to = *from + s->vectors.stride;
}

enum br_rc br_store_erase_logs(struct br_store *s, struct br_err *err)
{
    struct br_store_info info;
    enum br_rc rc;
    if (s->mode != BR_STORE_WRITE || s->poisoned || s->txn.open)
        return br_fail(err, BR_E_USAGE, "the workspace %s is not open for erasing", s->dir);
    BR_TRY(br_store_read_begin(s, err));
    rc = br_store_state(s, &info, NULL, err);
    if (rc == BR_OK)
        rc = erase_log(s, &s->content.log, info.content_tail,
                       "SELECT offset, length FROM content WHERE workspace_id = ?1 AND dead = 0 ORDER BY offset",
                       content_range, err);
    if (rc == BR_OK)
        rc = erase_log(s, &s->vectors.log, br_vector_log_offset(&s->vectors, info.vector_tail),
                       "SELECT slot FROM slots WHERE workspace_id = ?1 AND seq_killed IS NULL ORDER BY slot",
                       slot_range, err);
    br_store_read_end(s);
err:
    return rc;
}

/* --- SQLite --- */

enum br_rc br_store_clear_checkpoint(struct br_store *s, struct br_err *err)
{
    static const char *const sql[] = {"UPDATE store SET ckpt_file = NULL, ckpt_seq = 0 WHERE workspace_id = ?1"};
    return transact(s, sql, 1, err);
}

enum br_rc br_store_drop_old_checkpoints(struct br_store *s, struct br_err *err)
{
    static const char *const sql[] = {
        "UPDATE store SET prev_ckpt_file = NULL, prev_ckpt_seq = 0 WHERE workspace_id = ?1"};
    enum br_rc rc = transact(s, sql, 1, err);
    return rc == BR_OK ? br_store_clean(s, err) : rc;
}

struct removing {
    struct br_store *s;
    struct br_err *err;
    enum br_rc rc;
    const char *only; /* this one; NULL: all */
    size_t others;
};

static int remove_reembed(void *arg, const char *name)
{
    struct removing *r = arg;
    char path[BR_PATH_MAX];
    if (strncmp(name, BR_REEMBED_PREFIX, strlen(BR_REEMBED_PREFIX)) != 0)
        return 0;
    if (r->only && strcmp(name, r->only) != 0) {
        r->others++;
        return 0;
    }
    r->rc = br_path(path, r->s->dir, name, r->err);
    int e = r->rc == BR_OK ? r->s->io->unlink(r->s->io->ctx, path) : 0;
    if (e < 0 && e != -ENOENT)
        r->rc = br_fail_errno(r->err, -e, "cannot remove %s", path);
    return r->rc != BR_OK;
}

/* Vectors of the dead may be among them. */
enum br_rc br_store_drop_reembeds(struct br_store *s, struct br_err *err)
{
    struct removing r = {.s = s, .err = err};
    int e = s->io->list(s->io->ctx, s->dir, remove_reembed, &r);
    return e < 0 ? br_fail_errno(err, -e, "cannot list %s", s->dir) : r.rc;
}

enum br_rc br_store_drop_reembed_to(struct br_store *s, const char *model_id, size_t *others, struct br_err *err)
{
    char name[64];
    br_reembed_log_name(model_id, name);
    struct removing r = {.s = s, .err = err, .only = name};
    int e = s->io->list(s->io->ctx, s->dir, remove_reembed, &r);
    *others = r.others;
    return e < 0 ? br_fail_errno(err, -e, "cannot list %s", s->dir) : r.rc;
}

enum br_rc br_store_drop_damaged(struct br_store *s, struct br_err *err)
{
    static const char *const names[] = {"metadata.db.damaged", "metadata.db.damaged-wal", "metadata.db.damaged-shm"};
    char path[BR_PATH_MAX];
    enum br_rc rc = BR_OK;
    for (size_t i = 0; i < BR_COUNT(names); i++) {
        BR_TRY(br_path(path, s->dir, names[i], err));
        int r = s->io->unlink(s->io->ctx, path);
        if (r < 0 && r != -ENOENT)
            BR_TRY(br_fail_errno(err, -r, "cannot remove %s", path));
    }
    BR_TRY(br_store_drop_reembeds(s, err));
    int r = s->io->sync_dir(s->io->ctx, s->dir); /* else they, or an older checkpoint, could come back with a power cut */
    if (r < 0)
        BR_TRY(br_fail_errno(err, -r, "cannot sync %s", s->dir));
err:
    return rc;
}

enum br_rc br_store_erase_rows(struct br_store *s, struct br_err *err)
{
    static const char *const sql[] = {
        "DELETE FROM slots WHERE workspace_id = ?1 AND seq_killed IS NOT NULL",
        "DELETE FROM content WHERE workspace_id = ?1 AND dead = 1",
    };
    return transact(s, sql, BR_COUNT(sql), err);
}

enum br_rc br_store_vacuum(struct br_store *s, struct br_err *err)
{
    if (s->mode != BR_STORE_WRITE || s->poisoned || s->txn.open)
        return br_fail(err, BR_E_USAGE, "the workspace %s is not open for writing", s->dir);
    return br_sql_vacuum(s->db, s->dir, err);
}

enum br_rc br_store_free_pages(struct br_store *s, uint64_t *n_free, uint64_t *n_all, struct br_err *err)
{
    int64_t pages = 0, freed = 0;
    enum br_rc rc;
    BR_TRY(br_sql_int(s->db, "PRAGMA page_count", s->dir, &pages, err));
    BR_TRY(br_sql_int(s->db, "PRAGMA freelist_count", s->dir, &freed, err));
err:
    *n_free = (uint64_t)freed;
    *n_all = (uint64_t)pages;
    return rc;
}

enum br_rc br_store_erase_done(struct br_store *s, struct br_err *err)
{
    static const char *const sql[] = {"DELETE FROM erase_queue WHERE workspace_id = ?1"};
    return transact(s, sql, 1, err);
}
