/* restore.c - a backup becomes a workspace: unpacked beside its place, proven, renamed into it.
 *
 * Nothing in the file is believed. No path comes from it: the members must be the four known ones in their order, and their sizes
 * those of the manifest. What is unpacked goes to workspaces/.restore-<random>, a name no workspace can have, whose LOCK is held, so that a
 * sweep can tell a killed restore from one under way. Zeros are left as holes, and what is not zero may not be more than BOMB_RATIO times the
 * packed bytes: a small file cannot fill a disk.
 *
 * The directory is renamed to the workspace's id only when all of this holds:
 *   1  sizes and XXH3-128 of all members are those of MANIFEST
 *   2  metadata.db has exactly the tables of this program's schema, after migration, and no row of another workspace
 *   3  its store row has the manifest's workspace, uuid and generation, and its tails are the members' sizes
 *   4  every key refers to something, and every record, vector and document passes verify --deep
 *   5  all files and the directory are synced */
#include "backup_int.h"
#include "slack.h"
#include "store_core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define PIECE (128u << 10)
#define BOMB_BYTES (64u << 20) /* so many bytes are always allowed */
#define BOMB_RATIO 500u
#define PREFIX ".restore-"

/* --- Reading the file --- */

void br_backup_close(struct br_backup_reader *r)
{
    if (!r)
        return;
    br_tar_reader_free(r->tar);
    free(r->path);
    free(r);
}

static enum br_rc next_member(struct br_backup_reader *r, const char *want, uint64_t *size, struct br_err *err)
{
    char name[101];
    enum br_rc rc = br_tar_next(r->tar, name, size, err);
    if (rc == BR_OK && strcmp(name, want) != 0)
        rc = br_fail(err, BR_E_DATA, "%s is no backup of this program: it has another member where %s should be", r->path, want);
    return rc;
}

enum br_rc br_backup_open(const struct br_io *io, const char *path, struct br_backup_reader **out, struct br_manifest *manifest,
                          struct br_err *err)
{
    char *text = NULL;
    uint64_t size;
    enum br_rc rc;
    struct br_backup_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return br_fail_nomem(err);
    r->io = io;
    if (!(r->path = strdup(path)) || !(text = malloc(BR_MANIFEST_MAX + 1)))
        BR_TRY(br_fail_nomem(err));
    BR_TRY(br_tar_open(io, path, &r->tar, err));
    BR_TRY(next_member(r, "MANIFEST", &size, err));
    if (size > BR_MANIFEST_MAX)
        BR_TRY(br_fail(err, BR_E_DATA, "%s is no backup of this program: its manifest is too large", path));
    BR_TRY(br_tar_read(r->tar, text, (size_t)size, err));
    text[size] = 0;
    BR_TRY(br_manifest_parse(text, (size_t)size, path, &r->manifest, err));
    *manifest = r->manifest;
    *out = r;
    r = NULL;
err:
    free(text);
    br_backup_close(r);
    return rc;
}

static bool all_zero(const char *bytes, size_t n)
{
    return n == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

/* A piece of a member to its place. Zeros stay a hole. */
static enum br_rc put_piece(struct br_backup_reader *r, int fd, const char *to, const char *piece, size_t n, uint64_t at,
                            uint64_t *solid, struct br_err *err)
{
    if (all_zero(piece, n))
        return BR_OK;
    *solid += n;
    if (*solid > BOMB_BYTES && *solid / BOMB_RATIO > br_tar_packed(r->tar))
        return br_fail(err, BR_E_DATA, "%s unpacks to more than %u times its size: refused", r->path, BOMB_RATIO);
    int e = fd < 0 ? 0 : br_io_pwrite_full(r->io, fd, piece, n, (int64_t)at);
    return e < 0 ? br_fail_errno(err, -e, "cannot write %s", to) : BR_OK;
}

enum br_rc br_backup_take(struct br_backup_reader *r, enum br_backup_member i, int fd, const char *to, struct br_backup_run *run,
                          struct br_err *err)
{
    char name[64], *piece = malloc(PIECE);
    XXH3_state_t *state = XXH3_createState();
    XXH128_canonical_t sum;
    uint64_t size, solid = 0;
    enum br_rc rc;
    if (!piece || !state)
        BR_TRY(br_fail_nomem(err));
    XXH3_128bits_reset(state);
    br_manifest_member_name(&r->manifest, i, name);
    BR_TRY(next_member(r, name, &size, err));
    if (size != r->manifest.members[i].size)
        BR_TRY(br_fail(err, BR_E_DATA, "%s is no backup of this program: the size of %s is not that of the manifest", r->path, name));
    for (uint64_t at = 0; at < size;) {
        size_t n = (size_t)BR_MIN((uint64_t)PIECE, size - at);
        BR_TRY(br_tar_read(r->tar, piece, n, err));
        XXH3_128bits_update(state, piece, n);
        BR_TRY(put_piece(r, fd, to, piece, n, at, &solid, err));
        at += n;
        BR_TRY(br_backup_step(run, n, err));
    }
    XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(state));
    if (memcmp(sum.digest, r->manifest.members[i].hash, 16) != 0)
        BR_TRY(br_fail(err, BR_E_CORRUPT, "the backup %s is damaged: %s fails its checksum", r->path, name));
err:
    XXH3_freeState(state);
    free(piece);
    return rc;
}

static struct br_backup_run run_of(const struct br_backup_reader *r, const struct br_backup_options *opt, const char *phase)
{
    struct br_backup_run run = {.opt = opt, .phase = phase};
    for (size_t i = 0; i < BR_MEMBERS; i++)
        run.total += r->manifest.members[i].size;
    return run;
}

enum br_rc br_backup_check(struct br_backup_reader *r, const struct br_backup_options *opt, struct br_err *err)
{
    struct br_backup_run run = run_of(r, opt, "reading back");
    for (int i = 0; i < BR_MEMBERS; i++) {
        enum br_rc rc = br_backup_take(r, (enum br_backup_member)i, -1, "", &run, err);
        if (rc != BR_OK)
            return rc;
    }
    return br_tar_end(r->tar, err);
}

/* --- What killed ones left --- */

struct sweep {
    const struct br_io *io;
    const char *dir;
    int failed; /* the first error, as a negative errno */
};

static void note(struct sweep *w, int r)
{
    if (r < 0 && r != -ENOENT && w->failed == 0)
        w->failed = r;
}

static int sweep_entry(void *arg, const char *name)
{
    struct sweep *w = arg;
    char path[BR_PATH_MAX];
    int lock;
    if (strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0 || br_path(path, w->dir, name, NULL) != BR_OK)
        return 0;
    struct br_err why = {0};
    int is_dir = br_io_is_dir(w->io, path);
    if (is_dir <= 0) { /* a link is nothing of ours: neither followed nor removed */
        note(w, is_dir);
        return 0;
    }
    enum br_rc rc = br_wslock(w->io, path, true, &lock, &why);
    if (rc == BR_OK) {
        note(w, br_io_remove_dir(w->io, path));
        w->io->close(w->io->ctx, lock);
    } else if (rc != BR_E_BUSY && rc != BR_E_NOTFOUND) { /* busy: one that is under way */
        note(w, why.sys_errno ? -why.sys_errno : -EIO);
    }
    return 0;
}

enum br_rc br_restore_sweep(const struct br_io *io, const char *workspaces, struct br_err *err)
{
    struct sweep w = {.io = io, .dir = workspaces};
    int r = io->list(io->ctx, workspaces, sweep_entry, &w);
    if (r < 0 && r != -ENOENT)
        return br_fail_errno(err, -r, "cannot list %s", workspaces);
    note(&w, io->sync_dir(io->ctx, workspaces)); /* also when nothing was there: it may be gone since a sweep that could not sync */
    return w.failed < 0 ? br_fail_errno(err, -w.failed, "cannot remove what a stopped restore left in %s", workspaces) : BR_OK;
}

enum br_rc br_store_exists(const struct br_io *io, const char *dir, bool *exists, struct br_err *err)
{
    struct br_store *s = NULL;
    struct br_err why = {0};
    struct br_io_stat st;
    *exists = false;
    int r = io->stat(io->ctx, dir, &st);
    if (r == -ENOENT)
        return BR_OK;
    if (r < 0)
        return br_fail_errno(err, -r, "cannot look at %s", dir);
    *exists = br_store_open(io, dir, BR_STORE_READ, &s, &why) != BR_E_NOTFOUND; /* damaged or unreadable: it is there */
    br_store_close(s);
    return BR_OK;
}

/* --- Making it a workspace --- */

struct restore {
    struct br_backup_reader *r;
    const struct br_io *io;
    const struct br_manifest *m;
    const char *id, *name;
    char dir[BR_PATH_MAX], db[BR_PATH_MAX]; /* where it is unpacked, "" not yet */
    int lock;
};

static enum br_rc make_one_dir(struct restore *x, const char *workspaces, struct br_err *err)
{
    uint64_t tag;
    int r = x->io->random(x->io->ctx, &tag, sizeof(tag));
    if (r < 0)
        return br_fail_errno(err, -r, "no random numbers");
    char name[64];
    snprintf(name, sizeof(name), PREFIX "%016llx", (unsigned long long)tag);
    enum br_rc rc = br_path(x->dir, workspaces, name, err);
    if (rc != BR_OK)
        return rc;
    r = x->io->mkdir(x->io->ctx, x->dir, 0700);
    if (r < 0) {
        rc = br_fail_errno(err, -r, "cannot create %s", x->dir);
        x->dir[0] = 0; /* nothing to remove */
        return rc;
    }
    BR_TRY(br_wslock(x->io, x->dir, true, &x->lock, err));
    struct br_io_stat st;
    if (x->io->stat(x->io->ctx, x->dir, &st) == -ENOENT) {
        x->io->close(x->io->ctx, x->lock);
        x->lock = -1;
        rc = br_fail(err, BR_E_NOTFOUND, "%s is gone", x->dir);
    }
err:
    return rc;
}

/* A sweep may take the directory for a stopped one's before it is locked: then another is made. */
static enum br_rc make_dir(struct restore *x, const char *workspaces, struct br_err *err)
{
    struct br_err why;
    enum br_rc rc = BR_E_BUSY;
    for (int i = 0; i < 3 && (rc == BR_E_BUSY || rc == BR_E_NOTFOUND); i++) {
        why = (struct br_err){0};
        rc = make_one_dir(x, workspaces, &why);
    }
    if (rc == BR_OK)
        return br_path(x->db, x->dir, "metadata.db", err);
    if (err && err->rc == BR_OK)
        *err = why;
    return rc;
}

static enum br_rc unpack_one(struct restore *x, enum br_backup_member i, struct br_backup_run *run, struct br_err *err)
{
    char name[64], path[BR_PATH_MAX];
    br_manifest_member_name(x->m, i, name);
    enum br_rc rc = br_path(path, x->dir, name, err);
    if (rc != BR_OK)
        return rc;
    int fd = x->io->open(x->io->ctx, path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return br_fail_errno(err, -fd, "cannot create %s", path);
    BR_TRY(br_backup_take(x->r, i, fd, path, run, err));
    int r = x->io->truncate(x->io->ctx, fd, (int64_t)x->m->members[i].size); /* it may end in zeros */
    if (r == 0)
        r = x->io->sync(x->io->ctx, fd, "restore");
    if (r < 0)
        BR_TRY(br_fail_errno(err, -r, "cannot sync %s", path));
err:
    x->io->close(x->io->ctx, fd);
    return rc;
}

static enum br_rc unpack(struct restore *x, const struct br_backup_options *opt, struct br_err *err)
{
    struct br_backup_run run = run_of(x->r, opt, "unpacking");
    for (int i = 0; i < BR_MEMBERS; i++) {
        enum br_rc rc = unpack_one(x, (enum br_backup_member)i, &run, err);
        if (rc != BR_OK)
            return rc;
    }
    return br_tar_end(x->r->tar, err);
}

static enum br_rc foreign(const struct restore *x, const char *what, struct br_err *err)
{
    return br_fail(err, BR_E_DATA, "%s is no backup of this program: %s", x->r->path, what);
}

/* Before a statement of ours runs on it: ours, of a version we know, and without code of its own. */
static enum br_rc check_database(struct restore *x, sqlite3 *db, struct br_err *err)
{
    int64_t app, version, code;
    enum br_rc rc;
    BR_TRY(br_sql_int(db, "PRAGMA application_id", x->db, &app, err));
    BR_TRY(br_sql_int(db, "PRAGMA user_version", x->db, &version, err));
    if (app != BR_STORE_APPLICATION_ID)
        BR_TRY(foreign(x, "its metadata.db is another program's", err));
    BR_TRY(br_store_version_check(version, true, x->db, err));
    BR_TRY(br_sql_int(db, "SELECT count(*) FROM sqlite_master WHERE type IN ('trigger', 'view')", x->db, &code, err));
    if (code != 0)
        BR_TRY(foreign(x, "its metadata.db has triggers or views", err));
    BR_TRY(br_store_migrate(db, x->db, err));
    BR_TRY(br_store_schema_check(db, x->db, err));
    BR_TRY(br_sql_int(db, "SELECT count(*) FROM store", x->db, &code, err));
    if (code != 1)
        BR_TRY(foreign(x, "its metadata.db has no store's row, or several", err));
    BR_TRY(br_sql_int(db, "SELECT count(*) FROM (SELECT 1 FROM pragma_foreign_key_check LIMIT 1)", x->db, &code, err));
    if (code != 0)
        BR_TRY(foreign(x, "its metadata.db has keys that refer to nothing", err));
err:
    return rc;
}

/* fn's statement for every table whose rows belong to a workspace; ?1 and ?2 are bound. *rows: it gave one. */
static enum br_rc each_table(struct restore *x, sqlite3 *db, const char *format, bool *rows, struct br_err *err)
{
    sqlite3_stmt *tables = NULL, *st = NULL;
    enum br_rc rc = BR_OK;
    char sql[256];
    int s = sqlite3_prepare_v2(db,
                               "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c"
                               " WHERE m.type = 'table' AND c.name = 'workspace_id' ORDER BY 1",
                               -1, &tables, NULL);
    while (s == SQLITE_OK && rc == BR_OK && (s = sqlite3_step(tables)) == SQLITE_ROW) {
        sqlite3_snprintf(sizeof(sql), sql, format, (const char *)sqlite3_column_text(tables, 0));
        s = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
        if (s == SQLITE_OK) {
            sqlite3_bind_text(st, 1, x->m->workspace_id, -1, SQLITE_STATIC);
            if (sqlite3_bind_parameter_count(st) > 1)
                sqlite3_bind_text(st, 2, x->id, -1, SQLITE_STATIC);
            s = sqlite3_step(st);
            *rows |= s == SQLITE_ROW;
            s = s == SQLITE_ROW || s == SQLITE_DONE ? SQLITE_OK : s;
        }
        if (s != SQLITE_OK)
            rc = br_sql_fail(db, err, x->db, "cannot use");
        sqlite3_finalize(st);
        st = NULL;
    }
    if (rc == BR_OK && s != SQLITE_DONE)
        rc = br_sql_fail(db, err, x->db, "cannot read");
    sqlite3_finalize(tables);
    return rc;
}

static enum br_rc set_store_row(struct restore *x, sqlite3 *db, const uint8_t uuid[16], struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    enum br_rc rc = BR_OK;
    int s = sqlite3_prepare_v2(db,
                               "UPDATE store SET uuid = ?1, name = ifnull(?2, name), ckpt_file = NULL, ckpt_seq = 0,"
                               " prev_ckpt_file = NULL, prev_ckpt_seq = 0",
                               -1, &st, NULL);
    if (s == SQLITE_OK) {
        sqlite3_bind_blob(st, 1, uuid, 16, SQLITE_STATIC);
        sqlite3_bind_text(st, 2, x->name, -1, SQLITE_STATIC);
        s = sqlite3_step(st);
    }
    if (s != SQLITE_DONE)
        rc = br_sql_fail(db, err, x->db, "cannot write");
    sqlite3_finalize(st);
    return rc;
}

/* Both headers carry the new uuid: a file of the one workspace is then refused in the other. */
static enum br_rc stamp_logs(struct restore *x, const uint8_t uuid[16], uint32_t dim, struct br_err *err)
{
    struct br_log_identity was = {.generation = x->m->generation}, now;
    char name[64], path[BR_PATH_MAX];
    enum br_rc rc = BR_OK;
    memcpy(was.uuid, x->m->uuid, 16);
    for (int i = BR_MEMBER_CONTENT; i <= BR_MEMBER_VECTORS && rc == BR_OK; i++) {
        was.kind = i == BR_MEMBER_CONTENT ? BR_LOG_CONTENT : BR_LOG_VECTORS;
        was.dim = i == BR_MEMBER_CONTENT ? 0 : dim;
        was.stride = (uint64_t)was.dim * 4;
        now = was;
        memcpy(now.uuid, uuid, 16);
        br_manifest_member_name(x->m, (enum br_backup_member)i, name);
        rc = br_path(path, x->dir, name, err);
        if (rc == BR_OK)
            rc = br_log_stamp(x->io, path, &was, &now, err);
    }
    return rc;
}

/* The database becomes that of workspace `id`, in one transaction. Nobody else knows the directory yet. */
static enum br_rc adopt(struct restore *x, struct br_err *err)
{
    sqlite3 *db = NULL;
    uint8_t uuid[16];
    bool found = false, other = strcmp(x->id, x->m->workspace_id) != 0;
    int64_t dim;
    enum br_rc rc;
    memcpy(uuid, x->m->uuid, 16);
    if (other && x->io->random(x->io->ctx, uuid, 16) < 0)
        return br_fail(err, BR_E_IO, "no random numbers");
    BR_TRY(br_sql_open(x->io, x->db, BR_SQL_WRITE, &db, err));
    BR_TRY(br_sql_exec(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=DELETE; PRAGMA foreign_keys=OFF", x->db, err));
    BR_TRY(check_database(x, db, err));
    BR_TRY(each_table(x, db, "SELECT 1 FROM \"%w\" WHERE workspace_id <> ?1 LIMIT 1", &found, err));
    if (found)
        BR_TRY(foreign(x, "its metadata.db has rows of several workspaces", err));
    BR_TRY(br_sql_int(db, "SELECT dim FROM store", x->db, &dim, err));
    if (dim < 1 || dim > BR_DIM_MAX)
        BR_TRY(foreign(x, "its metadata.db makes no sense", err));
    BR_TRY(br_sql_exec(db, "BEGIN IMMEDIATE", x->db, err));
    if (other)
        BR_TRY(each_table(x, db, "UPDATE \"%w\" SET workspace_id = ?2 WHERE workspace_id = ?1", &found, err));
    BR_TRY(set_store_row(x, db, uuid, err));
    BR_TRY(br_sql_exec(db, "COMMIT", x->db, err));
    if (other)
        BR_TRY(stamp_logs(x, uuid, (uint32_t)dim, err));
err:
    if (sqlite3_close(db) != SQLITE_OK && rc == BR_OK)
        rc = br_fail(err, BR_E_IO, "cannot close %s", x->db);
    return rc;
}

/* --- Proof --- */

static enum br_rc check_sizes(struct restore *x, struct br_store *s, struct br_err *err)
{
    struct br_store_info info;
    enum br_rc rc = br_store_state(s, &info, NULL, err);
    if (rc != BR_OK)
        return rc;
    bool same_store = strcmp(x->id, x->m->workspace_id) != 0 || memcmp(info.uuid, x->m->uuid, 16) == 0;
    if (!same_store || strcmp(info.workspace_id, x->id) != 0 || info.generation != x->m->generation ||
        info.content_tail != x->m->members[BR_MEMBER_CONTENT].size ||
        br_vector_log_offset(&s->vectors, info.vector_tail) != x->m->members[BR_MEMBER_VECTORS].size)
        rc = br_fail(err, BR_E_CORRUPT, "the backup %s is damaged: its manifest and its metadata.db disagree", x->r->path);
    return rc;
}

static enum br_rc prove(struct restore *x, struct br_err *err)
{
    struct br_store *s = NULL;
    struct br_store_report core = {0};
    struct br_slack_report slack = {0};
    enum br_rc rc;
    BR_TRY(br_store_open(x->io, x->dir, BR_STORE_READ, &s, err));
    BR_TRY(check_sizes(x, s, err));
    BR_TRY(br_store_verify(s, true, &core, err));
    BR_TRY(br_slack_verify(s, &slack, err));
    if (core.corrupt || core.missing_content || core.orphan_vectors || slack.missing_content || slack.missing_vectors ||
        slack.orphan_vectors)
        BR_TRY(br_fail(err, BR_E_CORRUPT, "the backup %s is damaged: %s", x->r->path,
                       core.first_problem[0] ? core.first_problem : slack.first_problem));
err:
    br_store_close(s);
    return rc;
}

static enum br_rc sync_metadata(struct restore *x, struct br_err *err)
{
    int fd = x->io->open(x->io->ctx, x->db, O_RDWR, 0); /* no connection is open: none can lose its locks */
    int r = fd < 0 ? fd : x->io->sync(x->io->ctx, fd, "restore");
    if (fd >= 0)
        x->io->close(x->io->ctx, fd);
    if (r >= 0)
        r = x->io->sync_dir(x->io->ctx, x->dir);
    return r < 0 ? br_fail_errno(err, -r, "cannot sync %s", x->dir) : BR_OK;
}

enum br_rc br_store_left_texts(const struct br_io *io, const char *dir, bool *left, struct br_err *err)
{
    bool exists;
    enum br_rc rc = br_store_exists(io, dir, &exists, err);
    int r = rc == BR_OK && !exists ? br_store_logs_have_content(io, dir) : 0;
    *left = r > 0;
    return r < 0 && r != -ENOENT ? br_fail_errno(err, -r, "cannot list %s", dir) : rc;
}

/* What an interrupted creation left, if anything; not one that is under way. Texts of a workspace that has lost its metadata.db may be newer than
 * the backup, and are what repair makes it anew from: they stay. */
static enum br_rc clear_place(struct restore *x, const char *place, struct br_err *err)
{
    struct br_io_stat st;
    int lock;
    int r = x->io->stat(x->io->ctx, place, &st);
    if (r == -ENOENT)
        return BR_OK;
    if (r < 0)
        return br_fail_errno(err, -r, "cannot look at %s", place);
    enum br_rc rc = br_wslock(x->io, place, true, &lock, err);
    if (rc != BR_OK)
        return rc;
    bool left;
    rc = br_store_left_texts(x->io, place, &left, err);
    if (rc == BR_OK && left)
        rc = br_fail(err, BR_E_USAGE, "%s still has texts, but has lost its metadata.db: run `backread repair` first, or restore beside it with --name",
                     place);
    else if (rc == BR_OK)
        br_io_remove_dir(x->io, place);
    x->io->close(x->io->ctx, lock);
    return rc;
}

static enum br_rc move_in(struct restore *x, const char *workspaces, struct br_err *err)
{
    char place[BR_PATH_MAX];
    bool exists;
    enum br_rc rc;
    BR_TRY(br_path(place, workspaces, x->id, err));
    BR_TRY(br_store_exists(x->io, place, &exists, err));
    if (exists)
        return br_fail(err, BR_E_USAGE, "there is a workspace %s already: restore beside it with --name", x->id);
    BR_TRY(clear_place(x, place, err));
    int r = x->io->rename(x->io->ctx, x->dir, place);
    if (r < 0)
        return br_fail_errno(err, -r, "cannot rename %s to %s", x->dir, place);
    x->dir[0] = 0;
    r = x->io->sync_dir(x->io->ctx, workspaces);
    if (r < 0)
        return br_fail_errno(err, -r, "cannot sync %s", workspaces);
err:
    return rc;
}

enum br_rc br_store_restore(struct br_backup_reader *r, const char *workspaces, const char *id, const char *name,
                            const struct br_backup_options *opt, struct br_err *err)
{
    struct restore x = {.r = r, .io = r->io, .m = &r->manifest, .id = id, .name = name, .lock = -1};
    enum br_rc rc;
    if (!br_workspace_id_ok(id) || (name && strlen(name) > 255))
        return br_fail(err, BR_E_USAGE, "the workspace's id or name is too long or has odd characters");
    BR_TRY(make_dir(&x, workspaces, err));
    BR_TRY(unpack(&x, opt, err));
    BR_TRY(adopt(&x, err));
    BR_TRY(prove(&x, err));
    BR_TRY(sync_metadata(&x, err));
    BR_TRY(move_in(&x, workspaces, err));
err:
    if (x.dir[0])
        br_io_remove_dir(x.io, x.dir);
    if (x.lock >= 0)
        x.io->close(x.io->ctx, x.lock);
    return rc;
}
