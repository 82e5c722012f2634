/* store_repair.c - the parts of repair that know no messages: logs that are not as their rows say, and a content log
 * without rows.
 *
 * What a row says is believed: a record or vector that does not agree with its checksum is lost, and a file that is
 * missing or too short is filled up with zeros, which agree with nothing. So every kind of damage to a log ends as a
 * list of damaged rows. Without metadata.db a record is believed when its header agrees with itself and its bytes with
 * its header (content_log.c). */
#include "store_core.h"
#include "store_upkeep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPY_BYTES    (1u << 20)
#define RECORD_HEADER 24u

/* --- Opening --- */

static enum br_rc check_database(struct br_store *s, struct br_err *err)
{
    char problem[256], path[BR_PATH_MAX];
    struct br_err first = {0};
    enum br_rc rc;
    BR_TRY(br_path(path, s->dir, "metadata.db", err));
    rc = br_sql_check(s->db, false, path, problem, &first);
    if (rc == BR_E_IO) /* a page that cannot be read twice is lost, and making all anew is then what is left */
        rc = br_sql_check(s->db, false, path, problem, &first) == BR_OK ? BR_OK : BR_E_CORRUPT;
    if (rc == BR_OK && problem[0])
        rc = BR_E_CORRUPT;
    if (rc == BR_E_CORRUPT)
        return br_fail(err, rc, "%s: %s", path, problem);
    if (rc != BR_OK)
        return br_fail(err, rc, "%s", first.msg);
err:
    return rc;
}

/* Is the file as its header should say, and long enough? */
static enum br_rc look_at_log(struct br_store *s, const char *path, const struct br_log_identity *id, uint64_t end, bool *usable,
                              struct br_err *err)
{
    struct br_log log;
    *usable = false;
    enum br_rc rc = br_log_open(&log, s->io, path, false, id, err);
    if (rc != BR_OK)
        return rc;
    rc = br_log_covers(&log, BR_LOG_HEADER, end - BR_LOG_HEADER, usable, err);
    br_log_close(&log);
    return rc;
}

/* Not when it could not be looked at, unless a second look fails, too: then it is a bad sector. */
static enum br_rc is_usable(struct br_store *s, const char *path, const struct br_log_identity *id, uint64_t end, bool *usable,
                            struct br_err *err)
{
    struct br_err first = {0};
    enum br_rc rc = look_at_log(s, path, id, end, usable, &first);
    if (rc == BR_E_IO)
        rc = look_at_log(s, path, id, end, usable, NULL) == BR_OK ? BR_OK : first.sys_errno == EIO ? BR_E_CORRUPT : BR_E_IO;
    return rc == BR_E_CORRUPT || rc == BR_OK ? BR_OK : br_fail(err, rc, "%s", first.msg);
}

static enum br_rc mend_log(struct br_store *s, enum br_log_kind kind, uint64_t generation, uint64_t end, bool *mended,
                           struct br_err *err)
{
    char name[64], path[BR_PATH_MAX];
    struct br_log_identity id = br_store_log_identity(s, kind, generation);
    enum br_rc rc;
    snprintf(name, sizeof(name), "%s.%llu", kind == BR_LOG_CONTENT ? "content" : "vectors",
             (unsigned long long)generation);
    BR_TRY(br_path(path, s->dir, name, err));
    bool usable;
    BR_TRY(is_usable(s, path, &id, end, &usable, err));
    *mended = !usable;
    if (usable)
        return BR_OK;
    BR_TRY(br_log_mend(s->io, path, &id, end, err));
    int r = s->io->sync_dir(s->io->ctx, s->dir);
    if (r < 0)
        rc = br_fail_errno(err, -r, "cannot sync %s", s->dir);
err:
    return rc;
}

enum br_rc br_store_open_repair(const struct br_io *io, const char *dir, struct br_store **out,
                                struct br_store_mended *mended, struct br_err *err)
{
    struct br_store *s = NULL;
    struct br_store_info info;
    enum br_rc rc;
    *out = NULL;
    *mended = (struct br_store_mended){0};
    BR_TRY(br_store_open_db(io, dir, BR_STORE_WRITE, &s, &info, err));
    BR_TRY(check_database(s, err));
    BR_TRY(mend_log(s, BR_LOG_CONTENT, info.generation, info.content_tail, &mended->content, err));
    BR_TRY(mend_log(s, BR_LOG_VECTORS, info.generation, BR_LOG_HEADER + info.vector_tail * info.dim * 4,
                    &mended->vectors, err));
    BR_TRY(br_store_open_logs(s, info.generation, err));
    BR_TRY(br_store_bring_up_to_date(s, err));
    *out = s;
    return BR_OK;
err:
    br_store_close(s);
    return rc;
}

/* --- Damaged rows --- */

void br_id_list_free(struct br_id_list *l)
{
    free(l->items);
    *l = (struct br_id_list){0};
}

static enum br_rc list_add(struct br_id_list *l, uint64_t id, struct br_err *err)
{
    if (l->n == l->alloc) {
        size_t alloc = l->alloc ? l->alloc * 2 : 256;
        uint64_t *items = realloc(l->items, alloc * sizeof(*items));
        if (!items)
            return br_fail_nomem(err);
        l->items = items;
        l->alloc = alloc;
    }
    l->items[l->n++] = id;
    return BR_OK;
}

static enum br_rc is_content_ok(struct br_store *s, sqlite3_stmt *st, bool *ok, struct br_err *err)
{
    struct br_content_ref ref = {.id = (uint64_t)sqlite3_column_int64(st, 0)};
    const char *bytes;
    enum br_rc rc = br_content_ref_of(s, st, 1, &ref, NULL);
    if (rc == BR_OK)
        rc = br_content_log_read(&s->content, &ref, &bytes, NULL);
    if (rc == BR_E_IO)
        rc = br_content_log_read(&s->content, &ref, &bytes, NULL); /* once may be chance */
    *ok = rc == BR_OK;
    if (rc == BR_E_NOMEM || rc == BR_E_NOSPC)
        return br_fail(err, rc, "cannot read the content of %s: %s", s->dir, br_rc_text(rc));
    return BR_OK; /* a bad sector is damage, too */
}

static enum br_rc is_slot_ok(struct br_store *s, sqlite3_stmt *st, bool *ok, struct br_err *err)
{
    float vector[BR_DIM_MAX];
    (void)err;
    *ok = false;
    enum br_rc rc = BR_E_IO;
    for (int i = 0; i < 2 && rc == BR_E_IO; i++)
        rc = br_vector_log_read(&s->vectors, (uint64_t)sqlite3_column_int64(st, 0), (uint64_t)sqlite3_column_int64(st, 1), vector, ok,
                                NULL);
    *ok &= rc == BR_OK;
    return BR_OK;
}

static enum br_rc damaged_rows(struct br_store *s, const char *sql,
                               enum br_rc (*is_ok)(struct br_store *, sqlite3_stmt *, bool *, struct br_err *),
                               struct br_id_list *out, struct br_err *err)
{
    sqlite3_stmt *st;
    int r = SQLITE_DONE;
    enum br_rc rc = br_store_stmt(s, sql, &st, err);
    if (rc != BR_OK)
        return rc;
    while (rc == BR_OK && (r = sqlite3_step(st)) == SQLITE_ROW) {
        bool ok;
        rc = is_ok(s, st, &ok, err);
        if (rc == BR_OK && !ok)
            rc = list_add(out, (uint64_t)sqlite3_column_int64(st, 0), err);
    }
    if (rc == BR_OK && r != SQLITE_DONE)
        rc = br_store_sql_fail(s, err, "cannot read");
    sqlite3_reset(st);
    return rc;
}

enum br_rc br_store_damaged_contents(struct br_store *s, struct br_id_list *out, struct br_err *err)
{
    return damaged_rows(s,
                        "SELECT content_id, offset, length, hash FROM content WHERE workspace_id = ?1 AND dead = 0"
                        " ORDER BY content_id",
                        is_content_ok, out, err);
}

enum br_rc br_store_damaged_slots(struct br_store *s, struct br_id_list *out, struct br_err *err)
{
    return damaged_rows(
        s, "SELECT slot, vector_checksum FROM slots WHERE workspace_id = ?1 AND seq_killed IS NULL ORDER BY slot",
        is_slot_ok, out, err);
}

enum br_rc br_store_mend_content(struct br_store *s, uint64_t content_id, const void *bytes, size_t len, bool *same,
                                 struct br_err *err)
{
    sqlite3_stmt *st;
    struct br_content_ref ref = {.id = content_id};
    enum br_rc rc;
    *same = false;
    BR_TRY(br_content_log_append(&s->content, bytes, len, &ref, err));
    BR_TRY(br_store_stmt(s, "SELECT hash = ?3 FROM content WHERE workspace_id = ?1 AND content_id = ?2 AND dead = 0",
                         &st, err));
    sqlite3_bind_int64(st, 2, (int64_t)content_id);
    sqlite3_bind_blob(st, 3, ref.hash, 16, SQLITE_STATIC);
    int r = sqlite3_step(st);
    if (r == SQLITE_ROW)
        *same = sqlite3_column_int(st, 0) != 0;
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    if (r != SQLITE_ROW)
        BR_TRY(br_store_sql_fail(s, err, "cannot read"));
    BR_TRY(br_store_stmt(
        s, "UPDATE content SET offset = ?3, length = ?4, hash = ?5 WHERE workspace_id = ?1 AND content_id = ?2", &st,
        err));
    sqlite3_bind_int64(st, 2, (int64_t)content_id);
    sqlite3_bind_int64(st, 3, (int64_t)ref.offset);
    sqlite3_bind_int64(st, 4, (int64_t)ref.length);
    sqlite3_bind_blob(st, 5, ref.hash, 16, SQLITE_STATIC);
    rc = br_store_step_done(s, st, "cannot mend content of", err);
    sqlite3_clear_bindings(st);
    s->txn.n_contents++;
err:
    return rc;
}

/* --- Without metadata.db --- */

enum br_rc br_store_lock(const struct br_io *io, const char *dir, int *fd, struct br_err *err)
{
    return br_wslock(io, dir, true, fd, err);
}

struct scan {
    struct br_log log;
    char *window; /* n bytes of the file, from offset */
    size_t alloc, n;
    uint64_t offset;
    const char *record; /* what is at `at`, in the window */
    uint64_t at, damaged;
    bool in_damage;
};

/* n bytes at `at`, which are in the file. */
static enum br_rc read_at(struct scan *c, size_t n, struct br_err *err)
{
    if (c->at < c->offset || c->at + n > c->offset + c->n) {
        size_t want = (size_t)BR_MIN(BR_MAX((uint64_t)n, (uint64_t)COPY_BYTES), c->log.size - c->at);
        if (want > c->alloc) {
            char *p = realloc(c->window, want);
            if (!p)
                return br_fail_nomem(err);
            c->window = p;
            c->alloc = want;
        }
        c->n = 0;
        enum br_rc rc = br_log_read(&c->log, c->window, want, c->at, err);
        if (rc != BR_OK)
            return rc;
        c->offset = c->at;
        c->n = want;
    }
    c->record = c->window + (c->at - c->offset);
    return BR_OK;
}

static void not_a_record(struct scan *c)
{
    static const char zeros[8];
    bool zero = memcmp(c->record, zeros, sizeof(zeros)) == 0;
    c->damaged += !zero && !c->in_damage;
    c->in_damage = !zero;
    c->at += 8; /* records begin at multiples of 8 */
}

static enum br_rc scan_next(struct scan *c,
                            enum br_rc (*fn)(void *ctx, const char *bytes, size_t len, struct br_err *err), void *ctx,
                            struct br_err *err)
{
    uint64_t id, length;
    enum br_rc rc;
    BR_TRY(read_at(c, RECORD_HEADER, err));
    if (!br_content_header_read(c->record, &id, &length) || c->at + RECORD_HEADER + length > c->log.size) {
        not_a_record(c);
        return BR_OK;
    }
    BR_TRY(read_at(c, (size_t)(RECORD_HEADER + length), err));
    c->in_damage = false;
    if (br_content_bytes_ok(c->record, length))
        BR_TRY(fn(ctx, c->record + RECORD_HEADER, (size_t)length, err));
    else
        c->damaged++;
    c->at += br_content_record_size(length);
err:
    return rc;
}

enum br_rc br_store_scan_content(const struct br_io *io, const char *path,
                                 enum br_rc (*fn)(void *ctx, const char *bytes, size_t len, struct br_err *err),
                                 void *ctx, uint64_t *damaged, struct br_err *err)
{
    struct scan c = {.log = {.io = io, .fd = -1, .path = strdup(path)}, .at = BR_LOG_HEADER};
    enum br_rc rc = BR_OK;
    if (!c.log.path)
        return br_fail_nomem(err);
    c.log.fd = io->open(io->ctx, path, O_RDONLY, 0);
    if (c.log.fd < 0)
        BR_TRY(br_fail_errno(err, -c.log.fd, "cannot open %s", path));
    int64_t size = io->size(io->ctx, c.log.fd);
    if (size < 0)
        BR_TRY(br_fail_errno(err, (int)-size, "cannot use %s", path));
    c.log.size = (uint64_t)size;
    while (c.at + RECORD_HEADER <= c.log.size)
        BR_TRY(scan_next(&c, fn, ctx, err));
    *damaged += c.damaged;
err:
    br_log_close(&c.log);
    free(c.window);
    return rc;
}

/* --- Replacing metadata.db --- */

static int copy_bytes(const struct br_io *io, int from, int to)
{
    char *buf = malloc(COPY_BYTES);
    int64_t at = 0;
    int r = buf ? 0 : -ENOMEM;
    while (r >= 0) {
        ssize_t n = io->pread(io->ctx, from, buf, COPY_BYTES, at);
        if (n == -EINTR)
            continue;
        if (n <= 0) {
            r = (int)n;
            break;
        }
        r = br_io_pwrite_full(io, to, buf, (size_t)n, at);
        at += n;
    }
    free(buf);
    return r < 0 ? r : io->sync(io->ctx, to, "copy");
}

/* Nobody has the database open: a descriptor of ours drops no lock. An absent file is left out. */
static enum br_rc keep_copy(const struct br_io *io, const char *dir, const char *name, const char *copy_name,
                            struct br_err *err)
{
    char from[BR_PATH_MAX], to[BR_PATH_MAX];
    enum br_rc rc;
    BR_TRY(br_path(from, dir, name, err));
    BR_TRY(br_path(to, dir, copy_name, err));
    int in = io->open(io->ctx, from, O_RDONLY, 0);
    if (in == -ENOENT)
        return BR_OK;
    if (in < 0)
        return br_fail_errno(err, -in, "cannot read %s", from);
    int out = io->open(io->ctx, to, O_RDWR | O_CREAT | O_TRUNC, 0600);
    int r = out;
    if (out >= 0) {
        r = copy_bytes(io, in, out);
        int r2 = io->close(io->ctx, out);
        r = r < 0 ? r : r2;
    }
    io->close(io->ctx, in);
    if (r < 0)
        rc = br_fail_errno(err, -r, "cannot keep a copy of %s", from);
err:
    return rc;
}

static enum br_rc move_in(const struct br_io *io, const char *from_dir, const char *dir, const char *name,
                          struct br_err *err)
{
    char from[BR_PATH_MAX], to[BR_PATH_MAX];
    enum br_rc rc;
    BR_TRY(br_path(from, from_dir, name, err));
    BR_TRY(br_path(to, dir, name, err));
    int r = io->rename(io->ctx, from, to);
    if (r < 0)
        rc = br_fail_errno(err, -r, "cannot move %s", from);
err:
    return rc;
}

static enum br_rc remove_name(const struct br_io *io, const char *dir, const char *name, struct br_err *err)
{
    char path[BR_PATH_MAX];
    enum br_rc rc = br_path(path, dir, name, err);
    if (rc != BR_OK)
        return rc;
    int r = io->unlink(io->ctx, path);
    return r < 0 && r != -ENOENT ? br_fail_errno(err, -r, "cannot remove %s", path) : BR_OK;
}

static enum br_rc sync_dir(const struct br_io *io, const char *dir, struct br_err *err)
{
    int r = io->sync_dir(io->ctx, dir);
    return r < 0 ? br_fail_errno(err, -r, "cannot sync %s", dir) : BR_OK;
}

/* The rename of metadata.db is the commit. The old write-ahead log has to be gone before it: SQLite would replay it
 * into the new file. */
enum br_rc br_store_replace(const struct br_io *io, const char *from, const char *dir, uint64_t generation,
                            struct br_err *err)
{
    char content[64], vectors[64], wal[BR_PATH_MAX];
    struct br_io_stat st;
    enum br_rc rc;
    BR_TRY(br_path(wal, from, "metadata.db-wal", err));
    if (io->stat(io->ctx, wal, &st) == 0 && st.size > 0)
        BR_TRY(br_fail(err, BR_E_BUSY,
                       "%s is still in use: close the other backread processes and run the command again", from));
    snprintf(content, sizeof(content), "content.%llu", (unsigned long long)generation);
    snprintf(vectors, sizeof(vectors), "vectors.%llu", (unsigned long long)generation);
    BR_TRY(keep_copy(io, dir, "metadata.db", "metadata.db.damaged", err));
    BR_TRY(keep_copy(io, dir, "metadata.db-wal", "metadata.db.damaged-wal", err));
    BR_TRY(move_in(io, from, dir, content, err));
    BR_TRY(move_in(io, from, dir, vectors, err));
    BR_TRY(sync_dir(io, dir, err));
    BR_TRY(remove_name(io, dir, "metadata.db-wal", err));
    BR_TRY(remove_name(io, dir, "metadata.db-shm", err));
    BR_TRY(sync_dir(io, dir, err));
    BR_TRY(move_in(io, from, dir, "metadata.db", err));
    BR_TRY(sync_dir(io, dir, err));
err:
    return rc;
}
