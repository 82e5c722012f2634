/* commit.c - the batch protocol: begin, puts, commit, rollback.
 *
 * Order, and nothing may change it:
 *   1  space reserved in both logs        a full disk shows here
 *   2  content and vectors written past their tails; of a large batch, vectors as they come
 *   3  the disk begins with both logs     nothing is written to them from here to step 5
 *   4  meanwhile, into the open SQLite transaction: journal row and tails; its pages into the WAL
 *   5  both logs synced (together)        a failure of either is final: poison
 *   6  COMMIT                             this is the acknowledgement
 * A batch is valid when step 6 happened. Step 4 may come before step 5 because nothing of it counts before COMMIT: pages of an open transaction
 * come to lie in the WAL, as they do when SQLite's cache overflows, but no frame of them is marked as a commit. COMMIT adds the one that is,
 * and syncs; it is not begun before step 5 has ended. Steps 1 to 3 touch only bytes past the tails, which are garbage by definition; so do the
 * zeros that are written ahead of later batches (br_log_zero_ahead; for the WAL br_store_wal_ahead), to make their syncs cheaper.
 *
 * The fence: a writer killed inside steps 4 to 6 (or refused by a full disk, or cut off from power) may leave frames of its transaction in the
 * WAL without having published them. They are invisible, yet frames written over their beginning could make a valid chain of them again: even
 * a torn one can, whose sectors equal theirs. By then their log ranges may hold other bytes. So before a writing handle's first transaction
 * the WAL is cut behind its last valid frame, and synced. Readers are not disturbed: they never look behind that frame. */
#include "store_core.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static enum br_rc writing(struct br_store *s, struct br_err *err)
{
    if (!s->txn.open)
        return br_fail(err, BR_E_USAGE, "no transaction is open");
    if (s->txn.failed)
        return br_fail(err, BR_E_IO, "the transaction failed earlier and can only be rolled back");
    return BR_OK;
}

/* A put that failed half-way leaves a batch that must not be committed. */
static enum br_rc put_done(struct br_store *s, enum br_rc rc)
{
    if (rc != BR_OK)
        s->txn.failed = true;
    return rc;
}

static enum br_rc run(struct br_store *s, const char *sql, const char *what, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_stmt_cache_get(&s->stmts, s->db, sql, s->dir, &st, err);
    return rc == BR_OK ? br_store_step_done(s, st, what, err) : rc;
}

static enum br_rc begin_immediate(struct br_store *s, struct br_err *err)
{
    enum br_rc rc = br_store_ready_to_end(s, err);
    return rc == BR_OK ? run(s, "BEGIN IMMEDIATE", "cannot begin to write", err) : rc;
}

static enum br_rc cut_wal(struct br_store *s, int64_t size, struct br_err *err)
{
    char path[BR_PATH_MAX];
    enum br_rc rc = br_path(path, s->dir, "metadata.db-wal", err);
    if (rc != BR_OK)
        return rc;
    int fd = s->io->open(s->io->ctx, path, O_RDWR, 0); /* SQLite's locks are on metadata.db: this file may be opened and closed */
    if (fd == -ENOENT)
        return BR_OK;
    if (fd < 0)
        return br_fail_errno(err, -fd, "cannot open %s", path);
    int64_t now = s->io->size(s->io->ctx, fd);
    int r = now < 0 ? (int)now : 0;
    if (r == 0 && now > size) {
        r = s->io->truncate(s->io->ctx, fd, size);
        if (r == 0)
            r = s->io->sync(s->io->ctx, fd, "write-ahead log");
    }
    s->io->close(s->io->ctx, fd);
    return r < 0 ? br_fail_errno(err, -r, "cannot cut %s", path) : BR_OK;
}

/* Valid frames of the WAL. A passive checkpoint tells; it does not wait for a reader that is just recovering the WAL, so we do. */
static enum br_rc wal_frames(struct br_store *s, int *frames, struct br_err *err)
{
    int r, copied = 0;
    for (int waited = 0;; waited++) {
        *frames = 0;
        r = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, frames, &copied);
        if ((r & 0xff) != SQLITE_BUSY || waited == BR_SQL_BUSY_MS)
            break;
        sqlite3_sleep(1);
    }
    return r == SQLITE_OK ? BR_OK : br_store_sql_fail(s, err, "cannot look at the write-ahead log of");
}

enum br_rc br_store_fence(struct br_store *s, struct br_err *err)
{
    int frames;
    int64_t page;
    enum br_rc rc;
    BR_TRY(br_sql_int(s->db, "PRAGMA page_size", s->dir, &page, err));
    BR_TRY(wal_frames(s, &frames, err));
    /* https://www.sqlite.org/fileformat2.html#walformat: a header of 32 bytes, then frames of 24 and a page. */
    BR_TRY(cut_wal(s, frames > 0 ? 32 + frames * (24 + page) : 0, err));
    s->fenced = true;
err:
    return rc;
}

enum br_rc br_store_begin(struct br_store *s, struct br_err *err)
{
    enum br_rc rc;
    struct br_store_info info;
    uint64_t next_id;
    if (s->mode != BR_STORE_WRITE)
        return br_fail(err, BR_E_USAGE, "the workspace %s is open for reading only", s->dir);
    if (s->poisoned)
        return br_fail(err, BR_E_IO, "writing to %s failed earlier and its outcome is unknown: open it again", s->dir);
    if (s->txn.open || s->read_depth > 0)
        return br_fail(err, BR_E_USAGE, "a transaction is open already");
    if (!s->fenced)
        BR_TRY(br_store_fence(s, err));
    BR_TRY(begin_immediate(s, err));
    BR_TRY(br_store_state(s, &info, &next_id, err));
    s->txn = (struct br_txn){.open = true,
                             .seq = info.last_seq + 1,
                             .next_content_id = next_id,
                             .vector_tail = info.vector_tail,
                             .content_tail = info.content_tail,
                             .content_size = s->content.log.size,
                             .vectors_size = s->vectors.log.size,
                             .rows_changed = sqlite3_total_changes(s->db)};
    br_content_log_begin(&s->content, info.content_tail);
    br_vector_log_begin(&s->vectors, info.vector_tail);
    return BR_OK;
err:
    br_store_end_sql(s);
    return rc;
}

/* --- Puts --- */

enum br_rc br_store_add_content(struct br_store *s, const void *bytes, size_t len, uint64_t *content_id,
                                struct br_err *err)
{
    enum br_rc rc = writing(s, err);
    if (rc != BR_OK)
        return rc;
    sqlite3_stmt *st;
    struct br_content_ref ref = {.id = s->txn.next_content_id};
    BR_TRY(br_content_log_append(&s->content, bytes, len, &ref, err));
    BR_TRY(br_store_stmt(s,
                         "INSERT INTO content(workspace_id, content_id, offset, length, hash)"
                         " VALUES(?1, ?2, ?3, ?4, ?5)",
                         &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)ref.id);
    sqlite3_bind_int64(st, 3, (int64_t)ref.offset);
    sqlite3_bind_int64(st, 4, (int64_t)ref.length);
    sqlite3_bind_blob(st, 5, ref.hash, 16, SQLITE_STATIC);
    rc = br_store_step_done(s, st, "cannot add content to", err);
    sqlite3_clear_bindings(st); /* ref goes */
    BR_TRY(rc);
    s->txn.next_content_id++;
    s->txn.n_contents++;
    *content_id = ref.id;
err:
    return put_done(s, rc);
}

enum br_rc br_store_add_slot(struct br_store *s, uint64_t content_id, const float *vector, uint64_t *slot,
                             struct br_err *err)
{
    sqlite3_stmt *st;
    uint64_t new_slot, checksum;
    enum br_rc rc = writing(s, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(br_vector_log_append(&s->vectors, vector, &new_slot, &checksum, err));
    BR_TRY(br_store_stmt(s,
                         "INSERT INTO slots(workspace_id, slot, content_id, vector_checksum, seq_added)"
                         " VALUES(?1, ?2, ?3, ?4, ?5)",
                         &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)new_slot);
    sqlite3_bind_int64(st, 3, (int64_t)content_id);
    sqlite3_bind_int64(st, 4, (int64_t)checksum);
    sqlite3_bind_int64(st, 5, (int64_t)s->txn.seq);
    BR_TRY(br_store_step_done(s, st, "cannot add a slot to", err));
    *slot = new_slot;
err:
    return put_done(s, rc);
}

/* One UPDATE that ends a row's life. A row dead already is fine, an unknown one is the caller's mistake. */
static enum br_rc kill_row(struct br_store *s, const char *update, const char *exists, uint64_t id, int64_t value,
                           const char *what, bool *killed, struct br_err *err)
{
    sqlite3_stmt *st;
    *killed = false;
    enum br_rc rc = writing(s, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(br_store_stmt(s, update, &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)id);
    sqlite3_bind_int64(st, 3, value);
    BR_TRY(br_store_step_done(s, st, "cannot update", err));
    if (sqlite3_changes(s->db) > 0) {
        s->txn.n_kills++;
        *killed = true;
        return BR_OK;
    }
    BR_TRY(br_store_stmt(s, exists, &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)id);
    int r = sqlite3_step(st);
    sqlite3_reset(st);
    if (r == SQLITE_DONE)
        return br_fail(err, BR_E_NOTFOUND, "there is no %s %llu", what, (unsigned long long)id);
    if (r != SQLITE_ROW)
        BR_TRY(br_store_sql_fail(s, err, "cannot read"));
    return BR_OK;
err:
    return put_done(s, rc);
}

enum br_rc br_store_kill_slot(struct br_store *s, uint64_t slot, struct br_err *err)
{
    bool killed;
    enum br_rc rc =
        kill_row(s, "UPDATE slots SET seq_killed = ?3 WHERE workspace_id = ?1 AND slot = ?2 AND seq_killed IS NULL",
                 "SELECT 1 FROM slots WHERE workspace_id = ?1 AND slot = ?2", slot, (int64_t)s->txn.seq, "slot", &killed,
                 err);
    return rc == BR_OK && killed && s->txn.erasing ? put_done(s, br_store_queue_erasure(s, 0, (int64_t)slot, err)) : rc;
}

enum br_rc br_store_kill_content(struct br_store *s, uint64_t content_id, struct br_err *err)
{
    bool killed;
    enum br_rc rc =
        kill_row(s, "UPDATE content SET dead = ?3 WHERE workspace_id = ?1 AND content_id = ?2 AND dead = 0",
                 "SELECT 1 FROM content WHERE workspace_id = ?1 AND content_id = ?2", content_id, 1, "content", &killed,
                 err);
    return rc == BR_OK && killed && s->txn.erasing ? put_done(s, br_store_queue_erasure(s, content_id, -1, err)) : rc;
}

enum br_rc br_store_set_label(struct br_store *s, const char *name, const char *domain, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = writing(s, err);
    if (rc != BR_OK)
        return rc;
    if ((name && strlen(name) > 255) || (domain && strlen(domain) > 255))
        return br_fail(err, BR_E_TOOBIG, "a workspace's name or domain is longer than 255 bytes");
    BR_TRY(br_store_stmt(s,
                         "UPDATE store SET name = ifnull(?2, name), domain = ifnull(?3, domain)"
                         " WHERE workspace_id = ?1",
                         &st, err));
    sqlite3_bind_text(st, 2, name, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(st, 3, domain, -1, SQLITE_TRANSIENT);
    BR_TRY(br_store_step_done(s, st, "cannot label", err));
err:
    return put_done(s, rc);
}

/* --- The end of a batch --- */

static void forget_batch(struct br_store *s)
{
    s->txn.open = s->txn.failed = s->txn.erasing = false;
    br_content_log_begin(&s->content, s->txn.content_tail); /* only to empty it */
    s->vectors.n = s->vectors.written = 0;
}

void br_store_rollback(struct br_store *s)
{
    if (!s->txn.open)
        return;
    br_store_end_sql(s);
    br_text_slots_cut(&s->texts, s->txn.vector_tail);
    forget_batch(s);
    /* A dry run may have grown the logs by a lot. Not after an unknown outcome: the bytes may be committed ones. */
    if (s->poisoned || !s->fenced)
        return;
    if (s->content.log.size > s->txn.content_size)
        br_log_shrink(&s->content.log, s->txn.content_size);
    if (s->vectors.log.size > s->txn.vectors_size)
        br_log_shrink(&s->vectors.log, s->txn.vectors_size);
}

static enum br_rc write_logs(struct br_store *s, struct br_err *err)
{
    enum br_rc rc;
    const struct br_vector_log *v = &s->vectors;
    BR_TRY(br_content_log_flush(&s->content, err));
    BR_TRY(br_vector_log_flush(&s->vectors, err));
    if (s->txn.n_contents > 0)
        BR_TRY(br_log_zero_ahead(&s->content.log, s->content.batch_start, br_content_log_end(&s->content), err));
    if (v->n > 0)
        BR_TRY(br_log_zero_ahead(&s->vectors.log, br_vector_log_offset(v, v->first), br_vector_log_offset(v, v->first + v->n), err));
err:
    return rc;
}

static enum br_rc write_journal(struct br_store *s, struct br_err *err)
{
    struct br_txn *t = &s->txn;
    sqlite3_stmt *st;
    enum br_rc rc;
    uint64_t end = br_content_log_end(&s->content);
    bool contents = t->n_contents > 0, slots = s->vectors.n > 0;
    BR_TRY(br_store_stmt(s, "INSERT INTO journal VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)t->seq);
    sqlite3_bind_int64(st, 3, (int64_t)(slots ? s->vectors.first : t->vector_tail));
    sqlite3_bind_int64(st, 4, (int64_t)s->vectors.n);
    sqlite3_bind_int64(st, 5, (int64_t)(contents ? s->content.batch_start : t->content_tail));
    sqlite3_bind_int64(st, 6, (int64_t)(contents ? end - s->content.batch_start : 0));
    sqlite3_bind_int64(st, 7, (int64_t)br_vector_log_checksum(&s->vectors));
    sqlite3_bind_int64(st, 8, contents ? (int64_t)br_content_log_checksum(&s->content) : 0);
    sqlite3_bind_int64(st, 9, s->io->now(s->io->ctx));
    BR_TRY(br_store_step_done(s, st, "cannot write the journal of", err));
    BR_TRY(br_store_stmt(s,
                         "UPDATE store SET content_tail = ?2, vector_tail = ?3, next_content_id = ?4, last_seq = ?5"
                         " WHERE workspace_id = ?1",
                         &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)(contents ? end : t->content_tail));
    sqlite3_bind_int64(st, 3, (int64_t)(slots ? s->vectors.first + s->vectors.n : t->vector_tail));
    sqlite3_bind_int64(st, 4, (int64_t)t->next_content_id);
    sqlite3_bind_int64(st, 5, (int64_t)t->seq);
    BR_TRY(br_store_step_done(s, st, "cannot write the tails of", err));
err:
    return rc;
}

/* Whatever of the transaction can be done before the logs are durable: all but COMMIT. */
static enum br_rc write_rows(struct br_store *s, struct br_err *err)
{
    enum br_rc rc = write_journal(s, err);
    if (rc != BR_OK)
        return rc;
    br_store_wal_ahead(s);
    sqlite3_db_cacheflush(s->db); /* what goes wrong here COMMIT meets again */
    return BR_OK;
}

/* Steps 3 to 5. */
static enum br_rc sync_logs(struct br_store *s, struct br_err *err)
{
    struct br_log_syncs syncs;
    struct br_err why = {0};
    br_log_sync_start(&syncs, s->txn.n_contents > 0 ? &s->content.log : NULL, s->vectors.n > 0 ? &s->vectors.log : NULL);
    enum br_rc rows = write_rows(s, &why);
    enum br_rc rc = br_log_sync_end(&syncs, err);
    if (rc != BR_OK)
        s->poisoned = true; /* the kernel may have dropped the pages and called them clean: asking again proves nothing */
    else if (rows != BR_OK && err && err->rc == BR_OK)
        *err = why;
    return rc != BR_OK ? rc : rows;
}

/* COMMIT, and what its failure means. */
static enum br_rc acknowledge(struct br_store *s, struct br_err *err)
{
    enum br_rc rc = run(s, "COMMIT", "cannot commit to", err);
    if (rc == BR_OK || !sqlite3_get_autocommit(s->db))
        return rc; /* still open: it can be rolled back */
    s->fenced = false; /* its frames may be in the WAL */
    if (rc != BR_E_NOSPC)
        s->poisoned = true;
    return rc;
}

enum br_rc br_store_commit(struct br_store *s, uint64_t *seq, struct br_err *err)
{
    enum br_rc rc = writing(s, err);
    if (!s->txn.open)
        return rc;
    BR_TRY(rc);
    bool changed = s->txn.n_contents > 0 || s->vectors.n > 0 || s->txn.n_kills > 0;
    if (sqlite3_get_autocommit(s->db))
        BR_TRY(br_fail(err, BR_E_IO, "the transaction on %s was rolled back after an earlier error", s->dir));
    if (changed) {
        BR_TRY(write_logs(s, err));
        BR_TRY(sync_logs(s, err));
    } else if (sqlite3_total_changes(s->db) != s->txn.rows_changed) {
        BR_TRY(run(s, "UPDATE store SET commits = commits + 1", "cannot write to", err));
    }
    BR_TRY(acknowledge(s, err));
    if (seq)
        *seq = changed ? s->txn.seq : s->txn.seq - 1;
    forget_batch(s);
    return BR_OK;
err:
    br_store_rollback(s);
    return rc;
}
