/* sql.c - opening SQLite files the one right way, its errors as ours, and the statement cache.
 *
 * Validity of what SQLite stores is SQLite's business; the pragmas here are what the commit protocol builds on:
 * synchronous=FULL so that an acknowledged commit survives power loss, psow=0 so that a WAL frame never shares a
 * device sector with one already acknowledged, secure_delete so that a deleted row leaves no bytes in its page. */
#include "sql.h"

#include "authorizer.h"
#include "store_core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static bool uri_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("/._-~", c);
}

/* file:<path with everything unusual escaped>?psow=0… */
static char *uri_of(const char *path, enum br_sql_mode mode)
{
    static const char *const mode_text[] = {"ro", "ro&immutable=1", "rw", "rw", "rwc"};
    while (path[0] == '/' && path[1] == '/')
        path++; /* two slashes would start an authority */
    size_t room = strlen(path) * 3 + 64;
    char *uri = malloc(room);
    if (!uri)
        return NULL;
    size_t n = (size_t)snprintf(uri, room, "file:");
    for (; *path; path++) {
        if (uri_plain((unsigned char)*path))
            uri[n++] = *path;
        else
            n += (size_t)snprintf(uri + n, room - n, "%%%02X", (unsigned char)*path);
    }
    snprintf(uri + n, room - n, "?psow=0&mode=%s", mode_text[mode]);
    return uri;
}

#define BITMAP_POINTER "br_bitmap"

/* in_bitmap(n, ?): is bit n of the bitmap bound with br_sql_bind_bitmap set? */
static void in_bitmap(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    const struct br_bitmap *b = sqlite3_value_pointer(args[1], BITMAP_POINTER);
    (void)n;
    int64_t bit = sqlite3_value_int64(args[0]);
    bool set = sqlite3_value_type(args[0]) == SQLITE_INTEGER && bit >= 0 && b && br_bitmap_test(b, (uint64_t)bit);
    sqlite3_result_int(ctx, set);
}

void br_sql_bind_bitmap(sqlite3_stmt *st, int i, const struct br_bitmap *b)
{
    sqlite3_bind_pointer(st, i, (void *)(uintptr_t)b, BITMAP_POINTER, NULL);
}

/* What no connection of ours needs, and what keeps a hostile schema from doing anything. */
static void harden(sqlite3 *db, const struct br_guard *guard)
{
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    /* We make neither: in a file that has some they would run someone else's statements, without end if they like. */
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    br_guard_limits(db, guard != NULL);
    if (guard)
        br_guard_install(guard, db);
}

enum br_rc br_sql_open_memory(sqlite3 **out, struct br_err *err)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        enum br_rc rc = db ? br_sql_fail(db, err, NULL, "cannot open a database in memory") : br_fail_nomem(err);
        sqlite3_close(db);
        return rc;
    }
    *out = db;
    return BR_OK;
}

enum br_rc br_sql_open(const struct br_io *io, const char *path, enum br_sql_mode mode, sqlite3 **out,
                       struct br_err *err)
{
    return br_sql_open_guarded(io, path, mode, NULL, out, err);
}

enum br_rc br_sql_open_guarded(const struct br_io *io, const char *path, enum br_sql_mode mode, struct br_guard *guard,
                               sqlite3 **out, struct br_err *err)
{
    static const int flags[] = {SQLITE_OPEN_READONLY, SQLITE_OPEN_READONLY, SQLITE_OPEN_READWRITE,
                                SQLITE_OPEN_READWRITE, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE};
    enum br_rc rc = guard ? br_guard_prepare(guard, err) : BR_OK;
    if (rc != BR_OK)
        return rc;
    char *uri = uri_of(path, mode);
    if (!uri)
        return br_fail_nomem(err);
    sqlite3 *db = NULL;
    int r = sqlite3_open_v2(uri, &db, flags[mode] | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                            io->sqlite_vfs);
    free(uri);
    if (!db)
        return br_fail_nomem(err);
    if (r != SQLITE_OK)
        BR_TRY(br_sql_fail(db, err, path, "cannot open"));
    sqlite3_busy_timeout(db, BR_SQL_BUSY_MS);
    BR_TRY(br_term_counts_install(db, err)); /* before the guard, which lets nobody ask for FTS5's inside; reads nothing of the file */
    harden(db, guard);
    if (mode == BR_SQL_ALONE) { /* first: other pragmas read the file already */
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL); /* a reader writes nothing */
        BR_TRY(br_sql_exec(db, "PRAGMA locking_mode=EXCLUSIVE", path, err));
    }
    BR_TRY(br_sql_exec(db,
                       "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=FILE;"
                       "PRAGMA cache_size=" BR_SQL_CACHE_SIZE,
                       path, err));
    if (sqlite3_create_function_v2(db, "in_bitmap", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL, in_bitmap,
                                   NULL, NULL, NULL) != SQLITE_OK)
        BR_TRY(br_sql_fail(db, err, path, "cannot use"));
    if (mode >= BR_SQL_WRITE)
        BR_TRY(br_sql_exec(db, "PRAGMA secure_delete=ON", path, err));
    else
        BR_TRY(br_sql_exec(db, "PRAGMA query_only=ON", path, err));
    *out = db;
    return BR_OK;
err:
    sqlite3_close(db);
    return rc;
}

static enum br_rc rc_of(int sqlite_code, int sys_errno)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
        return BR_E_NOSPC;
    case SQLITE_IOERR:
        return sys_errno == ENOSPC || sys_errno == EDQUOT ? BR_E_NOSPC : BR_E_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return BR_E_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* our statements are right for our schema: this one is another */
        return BR_E_CORRUPT;
    case SQLITE_NOMEM:
        return BR_E_NOMEM;
    case SQLITE_INTERRUPT:
        return BR_E_INTERRUPTED;
    case SQLITE_TOOBIG:
        return BR_E_TOOBIG;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return BR_E_DATA;
    default:
        return BR_E_IO;
    }
}

enum br_rc br_sql_fail(sqlite3 *db, struct br_err *err, const char *path, const char *what)
{
    int code = sqlite3_extended_errcode(db);
    int sys_errno = sqlite3_system_errno(db);
    enum br_rc rc = rc_of(code, sys_errno);
    bool first = err && err->rc == BR_OK;
    br_fail(err, rc, "%s%s%s: %s (SQLite %d)", what, path ? " " : "", path ? path : "", sqlite3_errmsg(db), code);
    if (first && (rc == BR_E_IO || rc == BR_E_NOSPC))
        err->sys_errno = sys_errno;
    return rc;
}

enum br_rc br_sql_exec(sqlite3 *db, const char *sql, const char *path, struct br_err *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return br_sql_fail(db, err, path, "cannot use");
    return BR_OK;
}

enum br_rc br_sql_vacuum(sqlite3 *db, const char *path, struct br_err *err)
{
    int attached = sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 1);
    enum br_rc rc = br_sql_exec(db, "VACUUM", path, err);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, attached);
    return rc;
}

enum br_rc br_sql_int(sqlite3 *db, const char *sql, const char *path, int64_t *out, struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    *out = 0;
    int r = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (r == SQLITE_OK) {
        r = sqlite3_step(st);
        if (r == SQLITE_ROW)
            *out = sqlite3_column_int64(st, 0);
    }
    enum br_rc rc = r == SQLITE_ROW || r == SQLITE_DONE ? BR_OK : br_sql_fail(db, err, path, "cannot read");
    sqlite3_finalize(st);
    return rc;
}

/* The check tells of a page that cannot be read as of any other defect, "...error code=266", with SQLite's code. */
static int code_in(const char *text)
{
    const char *at = strstr(text, "error code=");
    return at ? (int)(strtol(at + strlen("error code="), NULL, 10) & 0xff) : SQLITE_OK;
}

enum br_rc br_sql_check(sqlite3 *db, bool quick, const char *path, char problem[256], struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    const char *text = NULL;
    enum br_rc rc = BR_OK;
    problem[0] = 0;
    int r = sqlite3_prepare_v2(db, quick ? "PRAGMA quick_check(1)" : "PRAGMA integrity_check(1)", -1, &st, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_step(st);
    if (r == SQLITE_ROW)
        text = (const char *)sqlite3_column_text(st, 0);
    if (!text) {
        struct br_err why = {0};
        rc = br_sql_fail(db, &why, path, "cannot check");
        snprintf(problem, 256, "%.255s", sqlite3_errmsg(db));
        if (rc == BR_E_CORRUPT)
            rc = BR_OK; /* so damaged that it cannot even be checked */
        else if (err && err->rc == BR_OK)
            *err = why;
    } else if (strcmp(text, "ok") != 0) {
        snprintf(problem, 256, "%.255s", text);
        for (char *c = problem; *c; c++)
            *c = *c == '\n' ? ' ' : *c;
        int code = code_in(text);
        if (code == SQLITE_NOMEM)
            rc = br_fail_nomem(err);
        else if (code == SQLITE_IOERR)
            rc = br_fail(err, BR_E_IO, "cannot read %s: %s", path, problem);
    }
    sqlite3_finalize(st);
    return rc;
}

/* --- Statement cache --- */

static size_t slot_of(const struct br_stmt_cache *c, const char *sql)
{
    size_t h = (size_t)(((uintptr_t)sql * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (c->alloc - 1);
    while (c->entries[h].sql && c->entries[h].sql != sql)
        h = (h + 1) & (c->alloc - 1);
    return h;
}

static bool cache_grow(struct br_stmt_cache *c)
{
    struct br_stmt_cache bigger = {.n = c->n, .alloc = c->alloc ? c->alloc * 2 : 128};
    bigger.entries = calloc(bigger.alloc, sizeof(*bigger.entries));
    if (!bigger.entries)
        return false;
    for (size_t i = 0; i < c->alloc; i++)
        if (c->entries[i].sql)
            bigger.entries[slot_of(&bigger, c->entries[i].sql)] = c->entries[i];
    free(c->entries);
    *c = bigger;
    return true;
}

enum br_rc br_stmt_cache_get(struct br_stmt_cache *c, sqlite3 *db, const char *sql, const char *path,
                             sqlite3_stmt **out, struct br_err *err)
{
    struct br_stmt_entry *e = c->alloc ? &c->entries[slot_of(c, sql)] : NULL; /* what is there needs no memory */
    if (!(e && e->sql) && c->n * 2 >= c->alloc) {
        if (!cache_grow(c))
            return br_fail_nomem(err);
        e = &c->entries[slot_of(c, sql)];
    }
    if (e->sql) {
        sqlite3_reset(e->st);
        sqlite3_clear_bindings(e->st);
    } else {
        sqlite3_stmt *st;
        if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) != SQLITE_OK)
            return br_sql_fail(db, err, path, "cannot query");
        BR_ASSERT(st != NULL && sqlite3_stmt_isexplain(st) == 0);
        *e = (struct br_stmt_entry){.sql = sql, .st = st};
        c->n++;
    }
    *out = e->st;
    return BR_OK;
}

void br_stmt_cache_free(struct br_stmt_cache *c)
{
    for (size_t i = 0; i < c->alloc; i++)
        sqlite3_finalize(c->entries[i].st);
    free(c->entries);
    *c = (struct br_stmt_cache){0};
}

/* --- For the schemas over the store (store_int.h) --- */

sqlite3 *br_store_db(struct br_store *s)
{
    return s->db;
}

enum br_rc br_store_stmt(struct br_store *s, const char *sql, sqlite3_stmt **out, struct br_err *err)
{
    /* After a full disk or an I/O error SQLite may have rolled back by itself; what followed would commit alone. */
    if (s->txn.open && sqlite3_get_autocommit(s->db)) {
        s->txn.failed = true;
        return br_fail(err, BR_E_IO, "the transaction on %s was rolled back after an earlier error", s->dir);
    }
    if (s->in_snapshot && sqlite3_get_autocommit(s->db)) /* it would read a state of its own beside the one that was seen */
        return br_fail(err, BR_E_IO, "the view of %s was lost after an earlier error: ask again", s->dir);
    enum br_rc rc = br_stmt_cache_get(&s->stmts, s->db, sql, s->dir, out, err);
    if (rc == BR_OK && sqlite3_bind_parameter_count(*out) > 0 &&
        sqlite3_bind_text(*out, 1, s->workspace_id, -1, SQLITE_STATIC) != SQLITE_OK)
        rc = br_store_sql_fail(s, err, "cannot bind");
    return rc;
}

enum br_rc br_store_sql_fail(struct br_store *s, struct br_err *err, const char *what)
{
    char path[BR_PATH_MAX];
    snprintf(path, sizeof(path), "%s/metadata.db", s->dir);
    return br_sql_fail(s->db, err, path, what);
}

static const char rollback_sql[] = "ROLLBACK";

enum br_rc br_store_ready_to_end(struct br_store *s, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_stmt_cache_get(&s->stmts, s->db, rollback_sql, s->dir, &st, err);
    if (rc == BR_OK && !sqlite3_get_autocommit(s->db)) { /* the one before could not be ended: SQLite compiles anew when the schema changed */
        br_store_end_sql(s);
        if (!sqlite3_get_autocommit(s->db))
            rc = br_fail_nomem(err);
    }
    return rc;
}

void br_store_end_sql(struct br_store *s)
{
    sqlite3_stmt *st;
    if (sqlite3_get_autocommit(s->db) || br_stmt_cache_get(&s->stmts, s->db, rollback_sql, s->dir, &st, NULL) != BR_OK)
        return;
    for (int i = 0; i < 2 && !sqlite3_get_autocommit(s->db); i++) { /* it may want memory, and once may be chance */
        sqlite3_step(st);
        sqlite3_reset(st);
    }
}

void br_store_changed_temporary(struct br_store *s)
{
    s->txn.rows_changed += sqlite3_changes(s->db);
}

enum br_rc br_store_step_done(struct br_store *s, sqlite3_stmt *st, const char *what, struct br_err *err)
{
    int r = sqlite3_step(st);
    enum br_rc rc = BR_OK;
    if (r == SQLITE_ROW)
        r = sqlite3_step(st); /* RETURNING, or a pragma: the row is of no interest */
    if (r != SQLITE_DONE)
        rc = br_store_sql_fail(s, err, what);
    sqlite3_reset(st);
    return rc;
}
