/* store_read.c - what readers see: a snapshot of SQLite, and through it the logs.
 *
 * A record or row is looked at only because a row of SQLite names it, and believed only when it agrees with the
 * checksum there. Bytes no row names are never read. */
#include "reembed_log.h"
#include "store_core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Snapshots and the handle's state --- */

static enum br_rc begin_snapshot(struct br_store *s, struct br_err *err)
{
    enum br_rc rc = br_store_ready_to_end(s, err);
    if (rc == BR_OK)
        rc = br_sql_exec(s->db, "BEGIN", s->dir, err);
    if (rc == BR_OK) /* BEGIN alone takes no snapshot; the first read does */
        rc = br_store_state(s, &s->seen, NULL, err);
    if (rc != BR_OK)
        br_store_end_sql(s);
    s->in_snapshot = rc == BR_OK;
    return rc;
}

enum br_rc br_store_read_begin(struct br_store *s, struct br_err *err)
{
    if (s->read_depth == 0 && !s->txn.open) {
        struct br_err why = {0};
        enum br_rc rc = begin_snapshot(s, &why);
        for (int i = 0; i < 4 && rc == BR_E_CORRUPT; i++) { /* compacted just now: another snapshot knows the newer files */
            why = (struct br_err){0};
            rc = begin_snapshot(s, &why);
        }
        if (rc != BR_OK) {
            if (err && err->rc == BR_OK)
                *err = why;
            return rc;
        }
    }
    s->read_depth++;
    return BR_OK;
}

void br_store_read_end(struct br_store *s)
{
    BR_ASSERT(s->read_depth > 0);
    if (--s->read_depth == 0 && !s->txn.open) {
        s->in_snapshot = false;
        br_store_end_sql(s); /* nothing was written: it cannot lose anything */
    }
}

static uint64_t file_bytes(const struct br_store *s, const char *name)
{
    char path[BR_PATH_MAX];
    struct br_err ignored = {0};
    if (!*name || br_path(path, s->dir, name, &ignored) != BR_OK)
        return 0;
    int fd = s->io->open(s->io->ctx, path, O_RDONLY, 0);
    if (fd < 0)
        return 0;
    int64_t size = s->io->size(s->io->ctx, fd);
    s->io->close(s->io->ctx, fd);
    return size < 0 ? 0 : (uint64_t)size;
}

enum br_rc br_store_now(struct br_store *s, struct br_store_info *info, struct br_err *err)
{
    return br_store_state(s, info, NULL, err);
}

enum br_rc br_store_info(struct br_store *s, struct br_store_info *info, struct br_err *err)
{
    int64_t pages, page_size;
    enum br_rc rc;
    BR_TRY(br_store_state(s, info, NULL, err));
    BR_TRY(br_sql_int(s->db, "PRAGMA page_count", s->dir, &pages, err));
    BR_TRY(br_sql_int(s->db, "PRAGMA page_size", s->dir, &page_size, err));
    info->bytes_metadata = (uint64_t)(pages * page_size) + file_bytes(s, "metadata.db-wal");
    int64_t content = s->io->size(s->io->ctx, s->content.log.fd);
    int64_t vectors = s->io->size(s->io->ctx, s->vectors.log.fd);
    info->bytes_content = content < 0 ? 0 : (uint64_t)content;
    info->bytes_vectors = vectors < 0 ? 0 : (uint64_t)vectors;
    info->bytes_graph = file_bytes(s, info->ckpt_file);
err:
    return rc;
}

/* --- Content --- */

enum br_rc br_content_ref_of(struct br_store *s, sqlite3_stmt *st, int first, struct br_content_ref *ref,
                             struct br_err *err)
{
    int64_t offset = sqlite3_column_int64(st, first), length = sqlite3_column_int64(st, first + 1);
    const void *hash = sqlite3_column_blob(st, first + 2);
    if (offset < BR_LOG_HEADER || length < 0 || !hash || sqlite3_column_bytes(st, first + 2) != 16)
        return br_fail(err, BR_E_CORRUPT, "%s/metadata.db: the row of content record %llu makes no sense", s->dir,
                       (unsigned long long)ref->id);
    ref->offset = (uint64_t)offset;
    ref->length = (uint64_t)length;
    memcpy(ref->hash, hash, 16);
    return BR_OK;
}

static enum br_rc read_content(struct br_store *s, uint64_t content_id, struct br_buf *out, struct br_err *err)
{
    sqlite3_stmt *st;
    const char *bytes;
    struct br_content_ref ref = {.id = content_id};
    enum br_rc rc;
    BR_TRY(br_store_stmt(s, "SELECT offset, length, hash FROM content WHERE workspace_id = ?1 AND content_id = ?2"
                            " AND dead = 0", &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)content_id);
    int r = sqlite3_step(st);
    if (r == SQLITE_ROW)
        rc = br_content_ref_of(s, st, 0, &ref, err);
    else if (r == SQLITE_DONE)
        rc = br_fail(err, BR_E_NOTFOUND, "there is no content %llu", (unsigned long long)content_id);
    else
        rc = br_store_sql_fail(s, err, "cannot read");
    sqlite3_reset(st);
    BR_TRY(rc);
    BR_TRY(br_content_log_read(&s->content, &ref, &bytes, err));
    br_buf_add(out, bytes, ref.length);
    rc = br_buf_status(out, err);
err:
    return rc;
}

/* A row and the bytes it names belong to one generation: both are read in one snapshot. */
enum br_rc br_store_content(struct br_store *s, uint64_t content_id, struct br_buf *out, struct br_err *err)
{
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    rc = read_content(s, content_id, out, err);
    br_store_read_end(s);
    return rc;
}

/* --- Vectors --- */

enum br_rc br_store_rows(struct br_store *s, struct br_rows *rows, struct br_err *err)
{
    struct br_store_info info;
    enum br_rc rc = br_store_state(s, &info, NULL, err);
    return rc == BR_OK ? br_vector_log_map(&s->vectors, info.vector_tail, rows, err) : rc;
}

/* Is the record of ref exactly these bytes? Damage is no: the caller then embeds anew, and verify tells of it. */
static bool same_text(struct br_store *s, const struct br_content_ref *ref, const void *bytes, size_t len)
{
    struct br_err ignored = {0};
    const char *stored;
    return ref->length == len && br_content_log_read(&s->content, ref, &stored, &ignored) == BR_OK &&
           memcmp(stored, bytes, len) == 0;
}

static enum br_rc vector_of_text(struct br_store *s, const void *bytes, size_t len, float *vector, bool *found,
                                 struct br_err *err)
{
    sqlite3_stmt *st;
    uint8_t hash[16];
    uint64_t slot;
    bool candidate;
    enum br_rc rc;
    *found = false;
    br_content_hash(bytes, len, hash);
    BR_TRY(br_text_slots_find(s, hash, &slot, &candidate, err));
    if (!candidate)
        return BR_OK;
    BR_TRY(br_store_stmt(s,
                         "SELECT c.content_id, c.offset, c.length, c.hash, s.vector_checksum"
                         " FROM slots AS s CROSS JOIN content AS c USING(workspace_id, content_id)"
                         " WHERE s.workspace_id = ?1 AND s.slot = ?2 AND s.seq_killed IS NULL AND c.dead = 0",
                         &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)slot);
    int r = sqlite3_step(st);
    if (r == SQLITE_ROW) {
        struct br_content_ref ref = {.id = (uint64_t)sqlite3_column_int64(st, 0)};
        rc = br_content_ref_of(s, st, 1, &ref, err);
        if (rc == BR_OK && memcmp(ref.hash, hash, 16) == 0 && same_text(s, &ref, bytes, len))
            rc = br_vector_log_read(&s->vectors, slot, (uint64_t)sqlite3_column_int64(st, 4), vector, found, err);
    } else if (r != SQLITE_DONE) {
        rc = br_store_sql_fail(s, err, "cannot read");
    }
    sqlite3_reset(st);
err:
    return rc;
}

enum br_rc br_store_vector_of_text(struct br_store *s, const void *bytes, size_t len, float *vector, bool *found,
                                   struct br_err *err)
{
    *found = false;
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    rc = vector_of_text(s, bytes, len, vector, found, err);
    br_store_read_end(s);
    return rc;
}

enum br_rc br_store_slot_is_live(struct br_store *s, uint64_t slot, bool *live, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    *live = false;
    BR_TRY(br_store_stmt(s, "SELECT seq_killed IS NULL FROM slots WHERE workspace_id = ?1 AND slot = ?2", &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)slot);
    int r = sqlite3_step(st);
    if (r == SQLITE_ROW)
        *live = sqlite3_column_int(st, 0) != 0;
    else if (r != SQLITE_DONE)
        rc = br_store_sql_fail(s, err, "cannot read");
    sqlite3_reset(st);
err:
    return rc;
}

/* --- Changes: the redo list of whatever follows the store --- */

struct changes {
    uint64_t after, last;
    enum br_rc (*cb)(void *ctx, const struct br_slot_change *c, struct br_err *err);
    void *ctx;
};

/* The lowest slot that a commit after `after` can have added. Slots are given out in the order of commits, so the next
 * journal row knows; where that row was trimmed, every slot is looked at. */
static enum br_rc first_slot_after(struct br_store *s, uint64_t after, int64_t *slot, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc;
    *slot = 0;
    BR_TRY(br_store_stmt(s, "SELECT first_slot FROM journal WHERE workspace_id = ?1 AND seq = ?2", &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)(after + 1));
    int r = sqlite3_step(st);
    if (r == SQLITE_ROW)
        *slot = sqlite3_column_int64(st, 0);
    else if (r != SQLITE_DONE)
        rc = br_store_sql_fail(s, err, "cannot read the journal of");
    sqlite3_reset(st);
err:
    return rc;
}

static enum br_rc emit(struct br_store *s, const struct changes *c, const char *sql, int64_t first_slot, bool added,
                       struct br_err *err)
{
    sqlite3_stmt *st;
    int r = SQLITE_DONE;
    enum br_rc rc = br_store_stmt(s, sql, &st, err);
    if (rc != BR_OK)
        return rc;
    sqlite3_bind_int64(st, 2, (int64_t)c->after);
    sqlite3_bind_int64(st, 3, (int64_t)c->last);
    if (added)
        sqlite3_bind_int64(st, 4, first_slot);
    int64_t least = 0;
    while (rc == BR_OK && (r = sqlite3_step(st)) == SQLITE_ROW) {
        int64_t slot = sqlite3_column_int64(st, 0);
        struct br_slot_change change = {.slot = (uint64_t)slot, .added = added};
        if (slot < least || slot >= (int64_t)BR_SLOT_MAX) { /* a damaged tree gives its rows in any order */
            rc = br_fail(err, BR_E_CORRUPT, "%s/metadata.db: the slots of the journal make no sense", s->dir);
            break;
        }
        rc = c->cb(c->ctx, &change, err);
        least = added ? slot + 1 : 0;
    }
    if (rc == BR_OK && r != SQLITE_DONE)
        rc = br_store_sql_fail(s, err, "cannot read the changes of");
    sqlite3_reset(st);
    return rc;
}

enum br_rc br_store_changes(struct br_store *s, uint64_t after_seq, uint64_t *last_seq,
                            enum br_rc (*cb)(void *ctx, const struct br_slot_change *c, struct br_err *err), void *ctx,
                            struct br_err *err)
{
    struct br_store_info info;
    struct changes c = {.after = after_seq, .cb = cb, .ctx = ctx};
    int64_t first_slot;
    enum br_rc rc = br_store_read_begin(s, err);
    if (rc != BR_OK)
        return rc;
    BR_TRY(br_store_state(s, &info, NULL, err));
    c.last = info.last_seq;
    if (after_seq < c.last) {
        BR_TRY(first_slot_after(s, after_seq, &first_slot, err));
        /* What came and went within the range was never there for the follower: neither is told. */
        BR_TRY(emit(s, &c,
                    "SELECT slot FROM slots WHERE workspace_id = ?1 AND slot >= ?4 AND seq_added > ?2"
                    " AND seq_added <= ?3 AND (seq_killed IS NULL OR seq_killed > ?3) ORDER BY slot",
                    first_slot, true, err));
        BR_TRY(emit(s, &c,
                    "SELECT slot FROM slots WHERE workspace_id = ?1 AND seq_killed > ?2 AND seq_killed <= ?3"
                    " AND seq_added <= ?2 ORDER BY seq_killed, slot",
                    0, false, err));
    }
    if (last_seq)
        *last_seq = c.last;
err:
    br_store_read_end(s);
    return rc;
}

/* --- Checkpoints of the graph --- */

bool br_checkpoint_name_ok(const char *file)
{
    return strncmp(file, "graph.", 6) == 0 && strlen(file) < 64 && !strchr(file, '/');
}

/* The names the store's row holds; every other graph file is a leftover. */
static enum br_rc checkpoint_names(struct br_store *s, char now[64], char before[64], struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_store_stmt(s,
                                  "SELECT ifnull(ckpt_file, ''), ifnull(prev_ckpt_file, '') FROM store"
                                  " WHERE workspace_id = ?1",
                                  &st, err);
    if (rc != BR_OK)
        return rc;
    if (sqlite3_step(st) == SQLITE_ROW) {
        snprintf(now, 64, "%s", (const char *)sqlite3_column_text(st, 0));
        snprintf(before, 64, "%s", (const char *)sqlite3_column_text(st, 1));
    } else {
        rc = br_store_sql_fail(s, err, "cannot read the store's row of");
    }
    sqlite3_reset(st);
    return rc;
}

enum br_rc br_store_set_checkpoint(struct br_store *s, const char *file, uint64_t seq, struct br_err *err)
{
    sqlite3_stmt *st;
    char now[64], before[64], path[BR_PATH_MAX];
    enum br_rc rc;
    if (!br_checkpoint_name_ok(file))
        return br_fail(err, BR_E_USAGE, "a checkpoint's name is graph.* and shorter than 64 characters");
    BR_TRY(br_store_begin(s, err));
    BR_TRY(checkpoint_names(s, now, before, err));
    BR_TRY(br_store_stmt(s,
                         "UPDATE store SET prev_ckpt_file = ckpt_file, prev_ckpt_seq = ckpt_seq, ckpt_file = ?2,"
                         " ckpt_seq = ?3 WHERE workspace_id = ?1 AND ckpt_file IS NOT ?2",
                         &st, err));
    sqlite3_bind_text(st, 2, file, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(st, 3, (int64_t)seq);
    BR_TRY(br_store_step_done(s, st, "cannot set the checkpoint of", err));
    bool moved = sqlite3_changes(s->db) > 0;
    /* Who follows the journal starts at one of the two checkpoints: rows before the older are of no use any more. */
    BR_TRY(br_store_stmt(s,
                         "DELETE FROM journal WHERE workspace_id = ?1 AND seq <="
                         " (SELECT prev_ckpt_seq FROM store WHERE workspace_id = ?1)",
                         &st, err));
    BR_TRY(br_store_step_done(s, st, "cannot trim the journal of", err));
    BR_TRY(br_store_commit(s, NULL, err));
    /* A damaged row must not make us remove anything but a checkpoint. */
    if (moved && br_checkpoint_name_ok(before) && strcmp(before, file) != 0 && br_path(path, s->dir, before, err) == BR_OK)
        s->io->unlink(s->io->ctx, path); /* else a leftover for sweep */
    return BR_OK;
err:
    br_store_rollback(s);
    return rc;
}

struct sweep {
    struct br_store *s;
    char now[64], before[64], moved[64]; /* moved: of a reembed to the model that is in use: it is done */
    int failed;                          /* an unlink, as a negative errno */
};

/* A log of another generation: what a compaction made and did not live to name, or named and did not live to follow up. */
static bool is_stray_log(const struct br_store *s, const char *name)
{
    const char *number = strncmp(name, "content.", 8) == 0 || strncmp(name, "vectors.", 8) == 0 ? name + 8 : "";
    return *number && strspn(number, "0123456789") == strlen(number) && strtoull(number, NULL, 10) != s->generation;
}

static int sweep_entry(void *arg, const char *name)
{
    struct sweep *w = arg;
    char path[BR_PATH_MAX];
    bool graph = strncmp(name, "graph.", 6) == 0 && strcmp(name, w->now) != 0 && strcmp(name, w->before) != 0;
    bool copy = strncmp(name, "backup-", 7) == 0; /* one that is under way notices, and starts over (backup.c) */
    bool moved = *w->moved && strcmp(name, w->moved) == 0;
    if ((graph || copy || moved || is_stray_log(w->s, name)) && br_path(path, w->s->dir, name, NULL) == BR_OK) {
        int r = w->s->io->unlink(w->s->io->ctx, path);
        w->failed = r < 0 && r != -ENOENT ? r : w->failed;
    }
    return 0;
}

bool br_store_settled(struct br_store *s)
{
    if (s->mode != BR_STORE_WRITE || s->poisoned || s->txn.open || s->read_depth > 0)
        return false;
    if (s->fenced)
        return true;
    if (br_store_begin(s, NULL) != BR_OK)
        return false;
    br_store_rollback(s);
    return s->fenced;
}

/* Only once it is settled which files are named: a transaction nobody published could still name others, after the next recovery. */
enum br_rc br_store_clean(struct br_store *s, struct br_err *err)
{
    struct sweep w = {.s = s};
    struct br_store_info info;
    enum br_rc rc;
    if (!br_store_settled(s))
        return br_fail(err, BR_E_IO, "the workspace %s cannot be written: its old files stay", s->dir);
    BR_TRY(br_store_state(s, &info, NULL, err));
    br_reembed_log_name(info.model_id, w.moved);
    BR_TRY(checkpoint_names(s, w.now, w.before, err));
    int r = s->io->list(s->io->ctx, s->dir, sweep_entry, &w);
    if (r >= 0)
        r = w.failed;
    if (r < 0)
        BR_TRY(br_fail_errno(err, -r, "cannot remove old files from %s", s->dir));
err:
    return rc;
}

void br_store_sweep(struct br_store *s)
{
    struct br_err ignored = {0};
    (void)!br_store_clean(s, &ignored);
}
