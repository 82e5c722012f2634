/* registry.c - which workspaces a home directory holds, and registry.db, which also keeps the app's installations (installations.c).
 *
 * About workspaces registry.db is a convenience: names for ids. The truth is workspaces/<id>/metadata.db. So when registry.db is absent
 * or unreadable the directories are listed instead, each with the label its own store holds, and a writer makes the
 * registry anew from them; the damaged file is kept as registry.db.damaged. Installations are nowhere else: they come back by installing
 * the app again.
 *
 * user_version: 1 workspaces; 2 and installations. A writer takes 1 to 2 in one transaction; a reader of 1 sees no installations. */
#include "registry_int.h"

#include "authorizer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 2

/* Keys here tell workspaces and tenants apart, so none is led by a workspace. */
static const char *const workspaces_ddl[] = {
    "CREATE TABLE IF NOT EXISTS workspaces("
    " id TEXT NOT NULL PRIMARY KEY,"
    " name TEXT NOT NULL,"
    " created_at INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID",
    NULL,
};
static const char *const *const schemas[] = {workspaces_ddl, br_installation_ddl, NULL};

static enum br_rc path_of(const struct br_registry *r, const char *tail, char *out, size_t n, struct br_err *err)
{
    int len = snprintf(out, n, "%s/%s", r->home, tail);
    if (len < 0 || (size_t)len >= n)
        return br_fail(err, BR_E_TOOBIG, "the path of the home directory is too long");
    return BR_OK;
}

static int sync_parent(const struct br_io *io, const char *path)
{
    char parent[BR_PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (!slash)
        return io->sync_dir(io->ctx, ".");
    snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return io->sync_dir(io->ctx, parent);
}

/* mkdir -p, every new directory 0700 and durable. */
static enum br_rc make_dirs(const struct br_io *io, const char *path, struct br_err *err)
{
    char p[BR_PATH_MAX];
    if ((size_t)snprintf(p, sizeof(p), "%s", path) >= sizeof(p))
        return br_fail(err, BR_E_TOOBIG, "the path of the home directory is too long");
    for (char *c = p + 1;; c++) {
        if (*c != '/' && *c != 0)
            continue;
        char kept = *c;
        *c = 0;
        struct br_io_stat st;
        if (io->stat(io->ctx, p, &st) < 0) { /* looked at first: mkdir of an existing one fails with EROFS on read-only media */
            int r = io->mkdir(io->ctx, p, 0700);
            if (r == 0) /* its entry is in the directory above */
                r = sync_parent(io, p);
            if (r < 0 && r != -EEXIST)
                return br_fail_errno(err, -r, "cannot create the home directory %s", path);
        } else if (!st.is_dir) {
            return br_fail_errno(err, ENOTDIR, "cannot create the home directory %s", path);
        }
        *c = kept;
        if (kept == 0)
            return BR_OK;
    }
}

enum br_rc br_registry_dir(const struct br_registry *r, const char *id, char *out, size_t n, struct br_err *err)
{
    char tail[300];
    if (!br_workspace_id_ok(id))
        return br_fail(err, BR_E_USAGE, "a workspace id has 1 to 64 characters out of A-Z a-z 0-9 _ -");
    snprintf(tail, sizeof(tail), "workspaces/%s", id);
    return path_of(r, tail, out, n, err);
}

/* --- The directories --- */

/* The label in the workspace's own store; "" when it cannot be read: a damaged workspace is listed all the same. False: there is none (yet), its
 * creation is under way or was cut short. */
static bool label_of(const struct br_registry *r, const char *dir, char name[256], struct br_err *why)
{
    struct br_store *s;
    struct br_store_info info;
    name[0] = 0;
    enum br_rc rc = br_store_open(r->io, dir, BR_STORE_READ, &s, why);
    if (rc != BR_OK)
        return rc != BR_E_NOTFOUND || br_store_logs_have_content(r->io, dir) != 0;
    if (br_store_info(s, &info, why) == BR_OK)
        memcpy(name, info.name, 256);
    br_store_close(s);
    return true;
}

static enum br_rc add_cb(void *ctx, const char *id, const char *name);

/* One directory: is there a workspace, and what is its label? What is written down (add_cb) must not come from a look that failed: the
 * workspace would be hidden, or without its label, for good. Twice is not chance. */
static enum br_rc look_at_directory(const struct br_registry *r, const char *dir, bool strict, bool *is, char name[256], struct br_err *err)
{
    char file[BR_PATH_MAX];
    struct br_io_stat st;
    struct br_err why = {0};
    *is = false;
    if (br_path(file, dir, "metadata.db", NULL) != BR_OK)
        return BR_OK;
    for (int i = 0; i < 2; i++) {
        why = (struct br_err){0};
        int e = r->io->stat(r->io->ctx, file, &st);
        if (e == -ENOENT || e == -ENOTDIR)
            return BR_OK;
        if (e < 0)
            br_fail_errno(&why, -e, "cannot look at %s", file);
        else
            *is = label_of(r, dir, name, &why);
        if (why.rc == BR_OK || why.rc == BR_E_NOTFOUND || why.rc == BR_E_CORRUPT)
            return BR_OK;
    }
    if (!strict || why.sys_errno == EIO)
        return BR_OK;
    return br_fail(err, why.rc, "%s", why.msg);
}

struct id_list {
    char (*ids)[65];
    size_t n, alloc;
};

static int collect_id(void *arg, const char *name)
{
    struct id_list *l = arg;
    if (!br_workspace_id_ok(name))
        return 0;
    if (l->n == l->alloc) {
        size_t alloc = l->alloc ? l->alloc * 2 : 16;
        void *p = realloc(l->ids, alloc * sizeof(*l->ids));
        if (!p)
            return -ENOMEM;
        l->ids = p;
        l->alloc = alloc;
    }
    snprintf(l->ids[l->n++], sizeof(*l->ids), "%s", name);
    return 0;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* skip: directories that fn need not be told of, and whose store is then not opened; NULL none. */
static enum br_rc each_directory(const struct br_registry *r, bool (*skip)(const struct br_registry *r, const char *id),
                                 enum br_rc (*fn)(void *, const char *, const char *), void *ctx, struct br_err *err)
{
    char path[BR_PATH_MAX], name[256];
    struct id_list list = {0};
    enum br_rc rc = path_of(r, "workspaces", path, sizeof(path), err);
    if (rc != BR_OK)
        return rc;
    int e = r->io->list(r->io->ctx, path, collect_id, &list);
    if (e < 0 && e != -ENOENT)
        rc = br_fail_errno(err, -e, "cannot list %s", path);
    if (list.n)
        qsort(list.ids, list.n, sizeof(*list.ids), by_id);
    for (size_t i = 0; i < list.n && rc == BR_OK; i++) {
        bool is;
        if (br_registry_dir(r, list.ids[i], path, sizeof(path), err) != BR_OK || (skip && skip(r, list.ids[i])))
            continue;
        rc = look_at_directory(r, path, fn == add_cb, &is, name, err);
        if (rc == BR_OK && is)
            rc = fn(ctx, list.ids[i], name);
    }
    free(list.ids);
    return rc;
}

/* --- registry.db --- */

static enum br_rc add_cb(void *ctx, const char *id, const char *name)
{
    return br_registry_add(ctx, id, name, NULL);
}

/* The tables that are missing, and for a new registry a row for every directory there is, in one transaction: half a registry would hide
 * workspaces for good. */
static enum br_rc make_tables(struct br_registry *r, bool is_new, struct br_err *err)
{
    enum br_rc rc;
    char pragmas[96];
    snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id=%d; PRAGMA user_version=%d", BR_REGISTRY_APPLICATION_ID, VERSION);
    BR_TRY(br_sql_exec(r->db, "BEGIN IMMEDIATE", r->db_path, err));
    for (const char *const *const *schema = schemas; *schema; schema++)
        for (const char *const *ddl = *schema; *ddl; ddl++)
            BR_TRY(br_sql_exec(r->db, *ddl, r->db_path, err));
    if (is_new)
        BR_TRY(each_directory(r, NULL, add_cb, r, err));
    BR_TRY(br_sql_exec(r->db, pragmas, r->db_path, err));
    BR_TRY(br_sql_exec(r->db, "COMMIT", r->db_path, err));
    return BR_OK;
err:
    if (!sqlite3_get_autocommit(r->db))
        sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
    return br_fail(err, rc, "cannot fill %s", r->db_path);
}

/* A writer that was stopped in its commit leaves a journal that a reading connection may not roll back. Whoever may write does it. */
static void roll_back(const struct br_registry *r)
{
    struct br_err ignored = {0};
    sqlite3 *db = NULL;
    int64_t n;
    if (!r->io->can_write(r->io->ctx, r->home) || br_sql_open(r->io, r->db_path, BR_SQL_WRITE, &db, &ignored) != BR_OK)
        return;
    (void)!br_sql_int(db, "SELECT count(*) FROM sqlite_master", r->db_path, &n, &ignored);
    sqlite3_close(db);
}

static bool has_journal(const struct br_registry *r)
{
    char path[BR_PATH_MAX];
    struct br_io_stat st;
    return path_of(r, "registry.db-journal", path, sizeof(path), NULL) == BR_OK && r->io->stat(r->io->ctx, path, &st) == 0 && st.size > 0;
}

/* Opens registry.db and looks whether it is one. *usable false without an error: absent or damaged. */
static enum br_rc open_db(struct br_registry *r, bool create, bool *usable, struct br_err *err)
{
    static struct br_guard guard = {.schemas = schemas};
    struct br_err why = {0};
    int64_t app = 0, version = 0;
    enum br_rc rc;
    struct br_io_stat st;
    *usable = false;
    int found = r->io->stat(r->io->ctx, r->db_path, &st);
    if (found < 0 && found != -ENOENT)
        r->unreadable = BR_E_IO;
    if (found < 0 && !create)
        return BR_OK;
    if (!create && has_journal(r))
        roll_back(r);
    BR_TRY(br_sql_open_guarded(r->io, r->db_path, create ? BR_SQL_CREATE : BR_SQL_READ, create ? NULL : &guard, &r->db, &why));
    BR_TRY(br_sql_int(r->db, "PRAGMA application_id", r->db_path, &app, &why));
    BR_TRY(br_sql_int(r->db, "PRAGMA user_version", r->db_path, &version, &why));
    if (create && sqlite3_db_readonly(r->db, "main") == 1)
        BR_TRY(br_fail(err, BR_E_IO, "the home directory %s is read-only", r->home));
    if (create) /* the journal's end is the commit: EXTRA syncs the directory it was in */
        BR_TRY(br_sql_exec(r->db, "PRAGMA synchronous=EXTRA", r->db_path, &why));
    if (version > VERSION)
        BR_TRY(br_fail(err, BR_E_DATA, "%s was made by a newer program", r->db_path));
    if (app == 0 && version == 0) {
        if (create)
            BR_TRY(make_tables(r, true, &why));
        *usable = create;
    } else {
        *usable = app == BR_REGISTRY_APPLICATION_ID;
        if (*usable && create && version < VERSION)
            BR_TRY(make_tables(r, false, &why));
    }
    r->has_installations = create || version >= 2;
    if (*usable) {
        int64_t n;
        BR_TRY(br_sql_int(r->db, "SELECT count(id) FROM workspaces", r->db_path, &n, &why));
        int e = create ? r->io->chmod(r->io->ctx, r->db_path, 0600) : 0;
        if (e < 0)
            return br_fail_errno(err, -e, "cannot protect %s", r->db_path);
        return BR_OK;
    }
    rc = BR_E_CORRUPT; /* empty, or some other database */
err:
    sqlite3_close(r->db);
    r->db = NULL;
    *usable = false;
    if (err->rc != BR_OK)
        return rc;
    r->unreadable = rc == BR_E_CORRUPT ? BR_OK : rc;
    if (rc == BR_E_CORRUPT || !create)
        return BR_OK;
    if (rc == BR_E_IO)
        return br_fail(err, rc, "cannot write to the home directory %s: %s", r->home, why.msg);
    return br_fail(err, rc, "%s", why.msg);
}

static enum br_rc open_or_rebuild(struct br_registry *r, bool create, struct br_err *err)
{
    bool usable;
    char damaged[BR_PATH_MAX];
    enum br_rc rc;
    BR_TRY(open_db(r, create, &usable, err));
    if (!usable && create) {
        BR_TRY(path_of(r, "registry.db.damaged", damaged, sizeof(damaged), err));
        int e = r->io->rename(r->io->ctx, r->db_path, damaged);
        if (e < 0)
            BR_TRY(br_fail_errno(err, -e, "cannot put the damaged %s aside", r->db_path));
        BR_TRY(open_db(r, true, &usable, err));
        if (!usable)
            BR_TRY(br_fail(err, BR_E_IO, "cannot make %s", r->db_path));
    }
err:
    return rc;
}

enum br_rc br_registry_open(const struct br_io *io, const char *home, bool create, struct br_registry **out,
                            unsigned *warn_mode, struct br_err *err)
{
    struct br_err local = {0};
    char workspaces[BR_PATH_MAX];
    struct br_io_stat st;
    enum br_rc rc;
    if (!err)
        err = &local;
    *out = NULL;
    if (warn_mode)
        *warn_mode = 0;
    struct br_registry *r = calloc(1, sizeof(*r));
    if (!r || !(r->home = strdup(home))) {
        free(r);
        return br_fail_nomem(err);
    }
    r->io = io;
    BR_TRY(path_of(r, "registry.db", r->db_path, sizeof(r->db_path), err));
    if (create) {
        BR_TRY(path_of(r, "workspaces", workspaces, sizeof(workspaces), err));
        BR_TRY(make_dirs(io, home, err));
        BR_TRY(make_dirs(io, workspaces, err));
    }
    int e = io->stat(io->ctx, home, &st);
    if (e < 0) {
        if (e != -ENOENT)
            BR_TRY(br_fail_errno(err, -e, "cannot open the home directory %s", home));
        *out = r; /* an absent home is an empty registry */
        return BR_OK;
    }
    if (!st.is_dir)
        BR_TRY(br_fail_errno(err, ENOTDIR, "cannot open the home directory %s", home));
    if (warn_mode && (st.mode & 077) != 0)
        *warn_mode = st.mode;
    BR_TRY(open_or_rebuild(r, create, err));
    *out = r;
    return BR_OK;
err:
    br_registry_close(r);
    return rc;
}

/* Only what is known to be damaged may be put aside: installations are nowhere else. A page that cannot be read twice is damage. */
static enum br_rc is_whole(const struct br_registry *r, bool *whole, struct br_err *err)
{
    char problem[256];
    struct br_err first = {0};
    *whole = false;
    if (!r->db)
        return r->unreadable ? br_fail(err, r->unreadable, "cannot use %s: %s", r->db_path, br_rc_text(r->unreadable)) : BR_OK;
    enum br_rc rc = br_sql_check(r->db, false, r->db_path, problem, &first);
    if (rc == BR_E_IO && br_sql_check(r->db, false, r->db_path, problem, NULL) != BR_OK)
        return BR_OK;
    if (rc != BR_OK && rc != BR_E_IO)
        return br_fail(err, rc, "%s", first.msg);
    *whole = !problem[0];
    return BR_OK;
}

enum br_rc br_registry_repair(const struct br_io *io, const char *home, bool *rebuilt, struct br_err *err)
{
    struct br_registry *r;
    char path[BR_PATH_MAX], damaged[BR_PATH_MAX];
    struct br_io_stat st;
    *rebuilt = false;
    if (io->stat(io->ctx, home, &st) < 0)
        return BR_OK; /* an absent home is an empty registry */
    enum br_rc rc = br_registry_open(io, home, false, &r, NULL, err);
    if (rc != BR_OK)
        return rc;
    bool whole;
    rc = is_whole(r, &whole, err);
    if (rc == BR_OK)
        rc = path_of(r, "registry.db", path, sizeof(path), err);
    if (rc == BR_OK)
        rc = path_of(r, "registry.db.damaged", damaged, sizeof(damaged), err);
    br_registry_close(r);
    if (rc != BR_OK || whole)
        return rc;
    int e = io->rename(io->ctx, path, damaged);
    if (e < 0 && e != -ENOENT)
        return br_fail_errno(err, -e, "cannot put the damaged %s aside", path);
    rc = br_registry_open(io, home, true, &r, NULL, err);
    if (rc == BR_OK)
        br_registry_close(r);
    *rebuilt = rc == BR_OK;
    return rc;
}

void br_registry_close(struct br_registry *r)
{
    if (!r)
        return;
    sqlite3_close(r->db);
    free(r->home);
    free(r);
}

/* One statement that changes rows: ?1 id, ?2 name, ?3 now. */
static enum br_rc change(struct br_registry *r, const char *sql, const char *id, const char *name, int *n,
                         struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    *n = 0;
    if (!br_workspace_id_ok(id))
        return br_fail(err, BR_E_USAGE, "a workspace id has 1 to 64 characters out of A-Z a-z 0-9 _ -");
    if (!r->db || sqlite3_db_readonly(r->db, "main") == 1)
        return br_fail(err, BR_E_IO, "the registry in %s is not open for writing", r->home);
    enum br_rc rc = BR_OK;
    if (sqlite3_prepare_v2(r->db, sql, -1, &st, NULL) == SQLITE_OK) {
        sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC);
        if (sqlite3_bind_parameter_count(st) > 1) {
            sqlite3_bind_text(st, 2, name, -1, SQLITE_STATIC);
            sqlite3_bind_int64(st, 3, r->io->now(r->io->ctx));
        }
        sqlite3_step(st);
    }
    if (sqlite3_errcode(r->db) != SQLITE_DONE)
        rc = br_sql_fail(r->db, err, r->db_path, "cannot write");
    *n = sqlite3_changes(r->db);
    sqlite3_finalize(st);
    return rc;
}

enum br_rc br_registry_add(struct br_registry *r, const char *id, const char *name, struct br_err *err)
{
    int n;
    return change(r,
                  "INSERT INTO workspaces(id, name, created_at) VALUES(?1, ?2, ?3)"
                  " ON CONFLICT(id) DO UPDATE SET name = excluded.name",
                  id, name ? name : "", &n, err);
}

enum br_rc br_registry_remove(struct br_registry *r, const char *id, struct br_err *err)
{
    int n;
    enum br_rc rc = change(r, "DELETE FROM workspaces WHERE id = ?1", id, NULL, &n, err);
    if (rc == BR_OK && n == 0)
        rc = br_fail(err, BR_E_NOTFOUND, "there is no workspace %s", id);
    return rc;
}

enum br_rc br_registry_each(struct br_registry *r, enum br_rc (*fn)(void *ctx, const char *id, const char *name),
                            void *ctx, struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    enum br_rc rc = BR_OK;
    if (!r->db)
        return each_directory(r, NULL, fn, ctx, err);
    int s = sqlite3_prepare_v2(r->db, "SELECT id, name FROM workspaces ORDER BY id", -1, &st, NULL);
    while (s == SQLITE_OK && rc == BR_OK && (s = sqlite3_step(st)) == SQLITE_ROW) {
        const char *id = (const char *)sqlite3_column_text(st, 0);
        s = SQLITE_OK;
        if (id && br_workspace_id_ok(id)) /* it becomes a path */
            rc = fn(ctx, id, (const char *)sqlite3_column_text(st, 1));
    }
    if (rc == BR_OK && s != SQLITE_DONE)
        rc = br_sql_fail(r->db, err, r->db_path, "cannot read");
    sqlite3_finalize(st);
    return rc;
}

/* A row that is there stays as it is. */
static enum br_rc add_missing(void *ctx, const char *id, const char *name)
{
    int n;
    return change(ctx, "INSERT INTO workspaces(id, name, created_at) VALUES(?1, ?2, ?3) ON CONFLICT(id) DO NOTHING", id, name ? name : "",
                  &n, NULL);
}

/* Also when it cannot be told: nothing is then done about it. */
static bool is_registered(const struct br_registry *r, const char *id)
{
    sqlite3_stmt *st = NULL;
    int s = sqlite3_prepare_v2(r->db, "SELECT 1 FROM workspaces WHERE id = ?1", -1, &st, NULL);
    if (s == SQLITE_OK) {
        sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC);
        s = sqlite3_step(st);
    }
    sqlite3_finalize(st);
    return s != SQLITE_DONE;
}

void br_registry_complete(struct br_registry *r)
{
    struct br_err ignored = {0};
    if (r->db)
        (void)!each_directory(r, is_registered, add_missing, r, &ignored);
}

/* "T1 (acme), T2": for the message that asks which one. */
struct listed {
    char text[200];
    size_t len;
    bool full;
};

struct find {
    const char *key;
    struct listed all, namesakes;
    char id[65];
    unsigned total, exact, by_name;
};

/* As many as there is room for, each whole, then "...". */
static void list_one(struct listed *l, const char *id, const char *name)
{
    bool named = name && *name;
    size_t room = sizeof(l->text) - l->len - 5;
    int n = l->full ? 0
                    : snprintf(l->text + l->len, room, "%s%s%s%.40s%s", l->len ? ", " : "", id, named ? " (" : "", named ? name : "", named ? ")" : "");
    if (n < 0 || (size_t)n >= room) {
        memcpy(l->text + l->len, ", ...", 6);
        l->full = true;
    } else {
        l->len += (size_t)n;
    }
}

static enum br_rc find_cb(void *ctx, const char *id, const char *name)
{
    struct find *f = ctx;
    f->total++;
    list_one(&f->all, id, name);
    if (!f->key || strcmp(id, f->key) == 0) {
        snprintf(f->id, sizeof(f->id), "%s", id); /* an id beats every name */
        f->exact++;
    } else if (name && *name && strcmp(name, f->key) == 0) {
        if (!f->exact)
            snprintf(f->id, sizeof(f->id), "%s", id);
        list_one(&f->namesakes, id, NULL);
        f->by_name++;
    }
    return BR_OK;
}

enum br_rc br_registry_find(struct br_registry *r, const char *key, char id[65], struct br_err *err)
{
    struct find f = {.key = key};
    enum br_rc rc = br_registry_each(r, find_cb, &f, err);
    if (rc != BR_OK)
        return rc;
    if (!key && f.total > 1)
        return br_fail(err, BR_E_USAGE, "there are %u workspaces: name one with -w: %s", f.total, f.all.text);
    if (!key && f.total == 0)
        return br_fail(err, BR_E_NOTFOUND, "there is no workspace in %s yet", r->home);
    if (!f.exact && f.by_name > 1)
        return br_fail(err, BR_E_USAGE, "%u workspaces are named %s: give the id of one with -w: %s", f.by_name, key, f.namesakes.text);
    if (!f.exact && !f.by_name)
        return br_fail(err, BR_E_NOTFOUND, "there is no workspace %s in %s%s%s", key, r->home, f.total ? ": name one with -w: " : "", f.all.text);
    memcpy(id, f.id, sizeof(f.id));
    return BR_OK;
}
