/* store.c - making, opening and closing a workspace directory.
 *
 * A directory is a workspace when metadata.db holds the row of table `store`; that row is written in the one
 * transaction that also makes every table, after both logs exist and are synced. Whatever a crash leaves before it is
 * no workspace yet: opening says there is none, and creating starts over on top of the leftovers.
 *
 * Opening costs the same for one message or a million: headers, one row and two file sizes are looked at. */
#include "authorizer.h"
#include "store_core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool br_workspace_id_ok(const char *id)
{
    size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    return n >= 1 && n <= 64 && id[n] == 0;
}

enum br_rc br_path(char out[BR_PATH_MAX], const char *dir, const char *name, struct br_err *err)
{
    int n = snprintf(out, BR_PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= BR_PATH_MAX)
        return br_fail(err, BR_E_TOOBIG, "the path of the workspace is too long");
    return BR_OK;
}

static enum br_rc log_path(char out[BR_PATH_MAX], const char *dir, const char *kind, uint64_t generation,
                           struct br_err *err)
{
    char name[64];
    snprintf(name, sizeof(name), "%s.%llu", kind, (unsigned long long)generation);
    return br_path(out, dir, name, err);
}

struct br_log_identity br_store_log_identity(const struct br_store *s, enum br_log_kind kind, uint64_t generation)
{
    struct br_log_identity id = {.kind = kind, .generation = generation};
    memcpy(id.uuid, s->uuid, 16);
    if (kind == BR_LOG_VECTORS) {
        id.dim = s->dim;
        id.stride = (uint64_t)s->dim * 4;
    }
    return id;
}

static enum br_rc handle_new(const struct br_io *io, const char *dir, enum br_store_mode mode, struct br_store **out,
                             struct br_err *err)
{
    struct br_store *s = calloc(1, sizeof(*s));
    if (!s || !(s->dir = strdup(dir))) {
        free(s);
        return br_fail_nomem(err);
    }
    s->io = io;
    s->mode = mode;
    s->lock_fd = s->content.log.fd = s->vectors.log.fd = -1;
    *out = s;
    return BR_OK;
}

void br_store_close(struct br_store *s)
{
    if (!s)
        return;
    if (s->txn.open)
        br_store_rollback(s);
    br_stmt_cache_free(&s->stmts);
    br_text_slots_free(&s->texts);
    sqlite3_close(s->db);
    if (s->logs_open) {
        br_content_log_close(&s->content);
        br_vector_log_close(&s->vectors);
    }
    if (s->lock_fd >= 0) /* last: until here nobody else writes */
        s->io->close(s->io->ctx, s->lock_fd);
    free(s->dir);
    free(s);
}

/* Both logs of a generation, in place of those that are open. Nothing changes on failure. */
enum br_rc br_store_open_logs(struct br_store *s, uint64_t generation, struct br_err *err)
{
    char path[BR_PATH_MAX];
    struct br_content_log content;
    struct br_vector_log vectors;
    enum br_rc rc;
    bool writable = s->mode == BR_STORE_WRITE;
    struct br_log_identity id = br_store_log_identity(s, BR_LOG_CONTENT, generation);
    BR_TRY(log_path(path, s->dir, "content", generation, err));
    BR_TRY(br_content_log_open(&content, s->io, path, writable, &id, err));
    id = br_store_log_identity(s, BR_LOG_VECTORS, generation);
    rc = log_path(path, s->dir, "vectors", generation, err);
    if (rc == BR_OK)
        rc = br_vector_log_open(&vectors, s->io, path, writable, &id, err);
    if (rc != BR_OK) {
        br_content_log_close(&content);
        return rc;
    }
    if (s->logs_open) {
        br_content_log_close(&s->content);
        br_vector_log_close(&s->vectors);
    }
    br_text_slots_free(&s->texts); /* another generation has other slots */
    s->content = content;
    s->vectors = vectors;
    s->generation = generation;
    s->logs_open = true;
err:
    return rc;
}

/* Committed bytes must be there. Bytes past a tail are garbage by definition and of no interest. */
static enum br_rc check_tails(struct br_store *s, const struct br_store_info *info, struct br_err *err)
{
    const struct {
        struct br_log *log;
        uint64_t end;
    } logs[] = {{&s->content.log, info->content_tail},
                {&s->vectors.log, br_vector_log_offset(&s->vectors, info->vector_tail)}};
    for (size_t i = 0; i < BR_COUNT(logs); i++) {
        bool covers;
        enum br_rc rc = br_log_covers(logs[i].log, BR_LOG_HEADER, logs[i].end - BR_LOG_HEADER, &covers, err);
        if (rc != BR_OK)
            return rc;
        if (!covers)
            return br_fail(err, BR_E_CORRUPT,
                           "%s is cut short: %llu bytes, %llu are committed",
                           logs[i].log->path, (unsigned long long)logs[i].log->size, (unsigned long long)logs[i].end);
    }
    return BR_OK;
}

/* --- metadata.db --- */

static enum br_rc look_for_store(struct br_store *s, const char *path, bool *has, struct br_err *err)
{
    sqlite3 *db = s->db;
    int64_t app, version;
    enum br_rc rc;
    *has = false;
    BR_TRY(br_sql_int(db, "PRAGMA application_id", path, &app, err));
    BR_TRY(br_sql_int(db, "PRAGMA user_version", path, &version, err));
    if (app == 0 && version == 0) {
        int64_t changes; /* of the schema, ever */
        BR_TRY(br_sql_int(db, "PRAGMA schema_version", path, &changes, err));
        return changes == 0 ? BR_OK : br_fail(err, BR_E_CORRUPT, "%s is not a database of this program", path);
    }
    if (app != BR_STORE_APPLICATION_ID)
        return br_fail(err, BR_E_CORRUPT, "%s is not a database of this program", path);
    BR_TRY(br_store_version_check(version, s->mode == BR_STORE_WRITE, path, err));
    s->schema_version = (int)version;
    *has = true;
err:
    return rc;
}

/* Is there a store row? Also the first real read of the file. In one snapshot: a writer may be making it just now. */
static enum br_rc has_store(struct br_store *s, const char *path, bool *has, struct br_err *err)
{
    *has = false;
    enum br_rc rc = br_sql_exec(s->db, "BEGIN", path, err);
    if (rc != BR_OK)
        return rc;
    rc = look_for_store(s, path, has, err);
    sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL); /* of a snapshot: nothing can be lost */
    if (rc == BR_OK && !sqlite3_get_autocommit(s->db))
        rc = br_sql_exec(s->db, "ROLLBACK", path, err);
    return rc;
}

static bool wal_has_bytes(const struct br_io *io, const char *db_path)
{
    char path[BR_PATH_MAX + 4];
    snprintf(path, sizeof(path), "%s-wal", db_path);
    int fd = io->open(io->ctx, path, O_RDONLY, 0);
    if (fd < 0)
        return fd != -ENOENT; /* unknown: assume so */
    int64_t size = io->size(io->ctx, fd);
    io->close(io->ctx, fd);
    return size != 0;
}

static enum br_rc try_db(struct br_store *s, const char *path, enum br_sql_mode mode, bool *has, struct br_err *err)
{
    static struct br_guard guard = {.schemas = br_store_schemas};
    enum br_rc rc = br_sql_open_guarded(s->io, path, mode, &guard, &s->db, err);
    if (rc == BR_OK)
        rc = has_store(s, path, has, err);
    if (rc != BR_OK) {
        sqlite3_close(s->db);
        s->db = NULL;
    }
    return rc;
}

/* SQLite keeps its WAL index in a file beside the database, and makes it at the first read. Where that is impossible there are two
 * other ways. A full disk: the index in memory. Media that cannot be written: the file declared immutable, which would overlook
 * what is still in the WAL. */
static enum br_rc open_db_read(struct br_store *s, const char *path, bool *has, struct br_err *err)
{
    struct br_err first = {0};
    enum br_rc rc = try_db(s, path, BR_SQL_READ, has, &first);
    if (rc == BR_OK)
        return rc;
    if (rc != BR_E_IO && rc != BR_E_NOSPC)
        return br_fail(err, rc, "%s", first.msg);
    if (s->io->can_write(s->io->ctx, s->dir))
        return try_db(s, path, BR_SQL_ALONE, has, NULL) == BR_OK ? BR_OK : br_fail(err, rc, "%s", first.msg);
    if (wal_has_bytes(s->io, path))
        return br_fail(err, BR_E_IO,
                       "%s has a write-ahead log and cannot be read here: copy the workspace to writable storage first",
                       path);
    return try_db(s, path, BR_SQL_IMMUTABLE, has, err);
}

static enum br_rc open_db_write(struct br_store *s, const char *path, enum br_sql_mode mode, bool *has,
                                struct br_err *err)
{
    enum br_rc rc;
    BR_TRY(br_sql_open(s->io, path, mode, &s->db, err));
    if (sqlite3_db_readonly(s->db, "main") == 1)
        return br_fail(err, BR_E_IO, "%s is read-only", path);
    BR_TRY(has_store(s, path, has, err));
    if (!*has && mode != BR_SQL_CREATE)
        return BR_OK;
    BR_TRY(br_sql_exec(s->db, "PRAGMA journal_mode=WAL", path, err));
    BR_TRY(br_store_watch_wal(s, path, err));
    if (!*has)
        s->schema_version = BR_STORE_USER_VERSION; /* of what is made in a moment */
err:
    return rc;
}

static void copy_column(sqlite3_stmt *st, int i, char *out, size_t n)
{
    const char *text = (const char *)sqlite3_column_text(st, i);
    snprintf(out, n, "%s", text ? text : "");
}

static enum br_rc read_state(struct br_store *s, struct br_store_info *info, uint64_t *next_content_id, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_stmt_cache_get(&s->stmts, s->db,
                                      "SELECT workspace_id, uuid, generation, content_tail, vector_tail, last_seq,"
                                      " ckpt_file, ckpt_seq, model_id, dim, name, domain, next_content_id, commits FROM store",
                                      s->dir, &st, err);
    if (rc != BR_OK)
        return rc;
    *info = (struct br_store_info){0};
    int r = sqlite3_step(st);
    if (r != SQLITE_ROW) {
        if (r != SQLITE_DONE)
            rc = br_store_sql_fail(s, err, "cannot read the store's row of");
        else
            rc = br_fail(err, BR_E_CORRUPT, "%s/metadata.db has lost the store's row", s->dir);
        sqlite3_reset(st);
        return rc;
    }
    copy_column(st, 0, info->workspace_id, sizeof(info->workspace_id));
    if (sqlite3_column_bytes(st, 1) == 16)
        memcpy(info->uuid, sqlite3_column_blob(st, 1), 16);
    int64_t generation = sqlite3_column_int64(st, 2), content_tail = sqlite3_column_int64(st, 3);
    int64_t vector_tail = sqlite3_column_int64(st, 4), dim = sqlite3_column_int64(st, 9);
    int64_t next_id = sqlite3_column_int64(st, 12);
    info->generation = (uint64_t)generation;
    info->content_tail = (uint64_t)content_tail;
    info->vector_tail = (uint64_t)vector_tail;
    info->last_seq = (uint64_t)sqlite3_column_int64(st, 5);
    info->next_content_id = (uint64_t)next_id;
    info->commits = (uint64_t)sqlite3_column_int64(st, 13);
    copy_column(st, 6, info->ckpt_file, sizeof(info->ckpt_file));
    info->ckpt_seq = (uint64_t)sqlite3_column_int64(st, 7);
    if (!br_checkpoint_name_ok(info->ckpt_file)) { /* no other file is a checkpoint, whatever a damaged row says */
        info->ckpt_file[0] = 0;
        info->ckpt_seq = 0;
    }
    copy_column(st, 8, info->model_id, sizeof(info->model_id));
    info->dim = (uint32_t)dim;
    copy_column(st, 10, info->name, sizeof(info->name));
    copy_column(st, 11, info->domain, sizeof(info->domain));
    r = sqlite3_step(st); /* also tells of a column that found no memory */
    if (r != SQLITE_ROW && r != SQLITE_DONE)
        rc = br_store_sql_fail(s, err, "cannot read the store's row of");
    sqlite3_reset(st);
    if (rc != BR_OK)
        return rc;
    if (r == SQLITE_ROW)
        return br_fail(err, BR_E_CORRUPT, "%s/metadata.db holds more than one workspace: restore it from a backup", s->dir);
    if (next_content_id)
        *next_content_id = (uint64_t)next_id;
    if (!br_workspace_id_ok(info->workspace_id) || generation < 1 || content_tail < BR_LOG_HEADER || next_id < 1 ||
        vector_tail < 0 || (uint64_t)vector_tail > BR_SLOT_MAX || dim < 1 || dim > BR_DIM_MAX)
        return br_fail(err, BR_E_CORRUPT, "the store's row of %s/metadata.db makes no sense", s->dir);
    return BR_OK;
}

/* A compaction between reading the row and opening the logs takes the files away; the next look at the row tells of newer ones. Within one
 * snapshot the row stays the same: then the caller has to begin another. */
#define GENERATION_TRIES 8

static enum br_rc go_over(struct br_store *s, const struct br_store_info *info, struct br_err *err)
{
    enum br_rc rc;
    uint32_t dim = s->dim;
    s->dim = info->dim; /* a reembed changes it with the generation */
    BR_TRY(br_store_open_logs(s, info->generation, err));
    BR_TRY(check_tails(s, info, err));
err:
    if (s->generation != info->generation)
        s->dim = dim;
    return rc;
}

enum br_rc br_store_state(struct br_store *s, struct br_store_info *info, uint64_t *next_content_id, struct br_err *err)
{
    struct br_err why = {0};
    enum br_rc rc = BR_OK;
    if (s->in_snapshot) {
        *info = s->seen;
        if (next_content_id)
            *next_content_id = info->next_content_id;
        return BR_OK;
    }
    for (int i = 0; i < GENERATION_TRIES; i++) {
        why = (struct br_err){0};
        BR_TRY(read_state(s, info, next_content_id, err));
        if (!s->logs_open || info->generation == s->generation)
            return BR_OK;
        if (s->mode == BR_STORE_WRITE)
            return br_fail(err, BR_E_IO, "the workspace %s was compacted by someone else: open it again", s->dir);
        rc = go_over(s, info, &why);
        if (rc == BR_OK || !sqlite3_get_autocommit(s->db))
            break;
    }
    if (rc != BR_OK && err && err->rc == BR_OK)
        *err = why;
err:
    return rc;
}

/* The logs that the row names, for a handle without any. */
static enum br_rc open_named_logs(struct br_store *s, struct br_store_info *info, struct br_err *err)
{
    for (int i = 1;; i++) {
        uint64_t tried = info->generation;
        struct br_err why = {0};
        enum br_rc opened = br_store_open_logs(s, tried, &why);
        if (opened == BR_OK)
            return BR_OK;
        if (opened == BR_E_CORRUPT && i < GENERATION_TRIES) {
            enum br_rc rc = read_state(s, info, NULL, err);
            if (rc != BR_OK)
                return rc;
            s->dim = info->dim;
            if (info->generation != tried)
                continue;
        }
        if (err && err->rc == BR_OK)
            *err = why;
        return opened;
    }
}

enum br_rc br_store_open_db(const struct br_io *io, const char *dir, enum br_store_mode mode, struct br_store **out,
                            struct br_store_info *info, struct br_err *err)
{
    char path[BR_PATH_MAX];
    struct br_store *s = NULL;
    struct br_io_stat st;
    bool has = false;
    enum br_rc rc;
    *out = NULL;
    BR_TRY(br_path(path, dir, "metadata.db", err));
    int r = io->stat(io->ctx, path, &st); /* only the name: a descriptor of ours would drop SQLite's locks */
    if (r < 0)
        return r == -ENOENT ? br_fail(err, BR_E_NOTFOUND, "there is no workspace in %s", dir)
                            : br_fail_errno(err, -r, "cannot open the workspace %s", dir);
    BR_TRY(handle_new(io, dir, mode, &s, err));
    if (mode == BR_STORE_WRITE) {
        BR_TRY(br_wslock(io, dir, true, &s->lock_fd, err));
        BR_TRY(open_db_write(s, path, BR_SQL_WRITE, &has, err));
    } else {
        BR_TRY(open_db_read(s, path, &has, err));
    }
    if (!has)
        BR_TRY(br_fail(err, BR_E_NOTFOUND, "there is no workspace in %s: its creation was interrupted", dir));
    BR_TRY(br_store_state(s, info, NULL, err));
    memcpy(s->workspace_id, info->workspace_id, sizeof(s->workspace_id));
    memcpy(s->uuid, info->uuid, 16);
    s->dim = info->dim;
    *out = s;
    return BR_OK;
err:
    br_store_close(s);
    return rc;
}

enum br_rc br_store_open(const struct br_io *io, const char *dir, enum br_store_mode mode, struct br_store **out,
                         struct br_err *err)
{
    struct br_store *s;
    struct br_store_info info;
    enum br_rc rc;
    *out = NULL;
    BR_TRY(br_store_open_db(io, dir, mode, &s, &info, err));
    rc = open_named_logs(s, &info, err);
    if (rc == BR_OK)
        rc = check_tails(s, &info, err);
    if (rc == BR_OK && mode == BR_STORE_WRITE)
        rc = br_store_check_last_batch(s, &info, err); /* first of all: what fails it stays as it is */
    if (rc == BR_OK && mode == BR_STORE_WRITE)
        rc = br_store_bring_up_to_date(s, err);
    if (rc == BR_OK)
        *out = s;
    else
        br_store_close(s);
err:
    return rc;
}

/* --- Creating --- */

static enum br_rc make_tables(struct br_store *s, const struct br_store_spec *spec, const char *path,
                              struct br_err *err)
{
    enum br_rc rc;
    sqlite3_stmt *st;
    char pragmas[96];
    BR_TRY(br_sql_exec(s->db, "BEGIN IMMEDIATE", path, err));
    for (const char *const *const *schema = br_store_schemas; *schema; schema++)
        for (const char *const *ddl = *schema; *ddl; ddl++)
            BR_TRY(br_sql_exec(s->db, *ddl, path, err));
    BR_TRY(br_store_stmt(s,
                         "INSERT INTO store(workspace_id, uuid, generation, content_tail, vector_tail,"
                         " next_content_id, last_seq, model_id, dim, name, domain, created_at)"
                         " VALUES(?1, ?2, ?3, ?4, 0, 1, 0, ?5, ?6, ?7, ?8, ?9)",
                         &st, err));
    sqlite3_bind_blob(st, 2, s->uuid, 16, SQLITE_STATIC);
    sqlite3_bind_int64(st, 3, (int64_t)s->generation);
    sqlite3_bind_int64(st, 4, BR_LOG_HEADER);
    sqlite3_bind_text(st, 5, spec->model_id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 6, s->dim);
    sqlite3_bind_text(st, 7, spec->name ? spec->name : "", -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 8, spec->domain ? spec->domain : "", -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 9, s->io->now(s->io->ctx));
    BR_TRY(br_store_step_done(s, st, "cannot create", err));
    snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id=%d; PRAGMA user_version=%d", BR_STORE_APPLICATION_ID,
             BR_STORE_USER_VERSION);
    BR_TRY(br_sql_exec(s->db, pragmas, path, err));
    BR_TRY(br_sql_exec(s->db, "COMMIT", path, err));
err:
    return rc;
}

static enum br_rc make_logs(struct br_store *s, struct br_err *err)
{
    char path[BR_PATH_MAX];
    enum br_rc rc;
    struct br_log_identity content = br_store_log_identity(s, BR_LOG_CONTENT, s->generation);
    struct br_log_identity vectors = br_store_log_identity(s, BR_LOG_VECTORS, s->generation);
    BR_TRY(log_path(path, s->dir, "content", s->generation, err));
    BR_TRY(br_log_create(s->io, path, &content, err));
    BR_TRY(log_path(path, s->dir, "vectors", s->generation, err));
    BR_TRY(br_log_create(s->io, path, &vectors, err));
err:
    return rc;
}

/* The directories that got new entries: this one, and the one above it. */
static enum br_rc sync_dirs(const struct br_io *io, const char *dir, bool parent, struct br_err *err)
{
    char path[BR_PATH_MAX];
    enum br_rc rc = parent ? br_path(path, dir, "..", err) : BR_OK;
    if (rc != BR_OK)
        return rc;
    int r = io->sync_dir(io->ctx, parent ? path : dir);
    return r < 0 ? br_fail_errno(err, -r, "cannot sync %s", parent ? path : dir) : BR_OK;
}

static enum br_rc check_spec(const struct br_store_spec *spec, struct br_err *err)
{
    if (!spec->workspace_id || !br_workspace_id_ok(spec->workspace_id))
        return br_fail(err, BR_E_USAGE, "a workspace id has 1 to 64 characters out of A-Z a-z 0-9 _ -");
    if (!spec->model_id || strlen(spec->model_id) > 64)
        return br_fail(err, BR_E_USAGE, "the name of the embedding model is missing or longer than 64 characters");
    if (spec->dim < 1 || spec->dim > BR_DIM_MAX)
        return br_fail(err, BR_E_USAGE, "vectors have 1 to %d dimensions", BR_DIM_MAX);
    if ((spec->name && strlen(spec->name) > 255) || (spec->domain && strlen(spec->domain) > 255))
        return br_fail(err, BR_E_TOOBIG, "a workspace's name or domain is longer than 255 bytes");
    return BR_OK;
}

struct log_search {
    const struct br_io *io;
    const char *dir;
};

static int is_full_log(void *arg, const char *name)
{
    const struct log_search *search = arg;
    char path[BR_PATH_MAX];
    struct br_io_stat st;
    bool is_log = strncmp(name, "content.", 8) == 0 || strncmp(name, "vectors.", 8) == 0;
    return is_log && br_path(path, search->dir, name, NULL) == BR_OK && search->io->stat(search->io->ctx, path, &st) == 0 &&
           st.size > BR_LOG_HEADER;
}

int br_store_logs_have_content(const struct br_io *io, const char *dir)
{
    struct log_search search = {io, dir};
    return io->list(io->ctx, dir, is_full_log, &search);
}

/* A creation that was cut short leaves empty logs. Logs with content have lost their metadata.db, and must not be written over. */
static enum br_rc check_leftovers(struct br_store *s, struct br_err *err)
{
    int r = br_store_logs_have_content(s->io, s->dir);
    if (r < 0)
        return br_fail_errno(err, -r, "cannot list %s", s->dir);
    return r ? br_fail(err, BR_E_CORRUPT, "%s has logs but has lost its metadata.db", s->dir) : BR_OK;
}

enum br_rc br_store_create(const struct br_io *io, const char *dir, const struct br_store_spec *spec,
                           struct br_store **out, struct br_err *err)
{
    char path[BR_PATH_MAX];
    struct br_store *s = NULL;
    bool has = false;
    enum br_rc rc;
    *out = NULL;
    BR_TRY(check_spec(spec, err));
    BR_TRY(br_path(path, dir, "metadata.db", err));
    int r = io->mkdir(io->ctx, dir, 0700);
    if (r < 0 && r != -EEXIST)
        BR_TRY(br_fail_errno(err, -r, "cannot create the workspace %s", dir));
    BR_TRY(handle_new(io, dir, BR_STORE_WRITE, &s, err));
    BR_TRY(br_wslock(io, dir, true, &s->lock_fd, err));
    BR_TRY(open_db_write(s, path, BR_SQL_CREATE, &has, err));
    if (has)
        BR_TRY(br_fail(err, BR_E_USAGE, "there is a workspace in %s already", dir));
    BR_TRY(check_leftovers(s, err));
    r = io->chmod(io->ctx, path, 0600);
    if (r < 0)
        BR_TRY(br_fail_errno(err, -r, "cannot protect %s", path));
    snprintf(s->workspace_id, sizeof(s->workspace_id), "%s", spec->workspace_id);
    s->dim = spec->dim;
    s->generation = spec->generation ? spec->generation : 1;
    r = io->random(io->ctx, s->uuid, 16);
    if (r < 0)
        BR_TRY(br_fail_errno(err, -r, "no random numbers"));
    BR_TRY(make_logs(s, err));
    BR_TRY(sync_dirs(io, dir, false, err));
    BR_TRY(make_tables(s, spec, path, err));
    BR_TRY(sync_dirs(io, dir, true, err));
    BR_TRY(br_store_open_logs(s, s->generation, err));
    *out = s;
    return BR_OK;
err:
    br_store_close(s);
    return rc;
}

const char *br_store_dir(const struct br_store *s)
{
    return s->dir;
}
