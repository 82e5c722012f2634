/* authorizer.c - default deny for reading connections.
 *
 * The handle is the wall between workspaces: one directory, one database, one connection. This is the second line, for the day some
 * statement says more than its author meant. A statement on a guarded connection is compiled only when everything it does is one of:
 *   1  SELECT itself, and BEGIN, COMMIT, ROLLBACK
 *   2  READ of (table, column) in "main", both in the rules
 *   3  FUNCTION with a name in the rules
 *   4  PRAGMA with a name and an argument out of the table below
 * Everything else is denied: writes, DDL, ATTACH, DETACH, ANALYZE, SAVEPOINT, recursion, load_extension, other databases.
 *
 * The rules come from the schema the program is made of, put into an empty database in memory and read back from SQLite. So they cannot
 * lag behind a new column, and a table or view that somebody planted in a file is not among them: the file's own schema is data from
 * outside.
 *
 * Traps, each measured on 3.40.1:
 *   - The callback's last argument (the view or CTE a read comes from) is chosen by whoever wrote the SQL: it is not looked at.
 *   - A read of no column (SELECT count(*) FROM t) comes with an empty column and a NULL database, and its table's name may be that
 *     of a CTE: denied. Our statements count a column or have a WHERE.
 *   - FTS5 prepares statements of its own while ours are stepping, and statements are compiled anew when the schema changed: the
 *     callback stays for the life of the connection, and FTS5's shadow tables are in the rules.
 *   - When FTS5 declares its table, SQLite compiles UPDATE sqlite_master … WHERE rowid = …, which never runs. It is answered with
 *     SQLITE_IGNORE (nothing is changed, NULL is read) and not with consent.
 *   - EXPLAIN is no action: the statement cache (sql.c) refuses it. */
#include "authorizer.h"

#include "base/buf.h"
#include "sql.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* --- The rules --- */

static int compare(const void *a, const void *b)
{
    const struct br_rule *x = a, *y = b;
    int c = strcmp(x->table, y->table);
    return c ? c : strcmp(x->column, y->column);
}

static bool has_rule(const struct br_guard *g, const char *table, const char *column)
{
    struct br_rule key = {table, column};
    return bsearch(&key, g->rules, g->n, sizeof(key), compare) != NULL;
}

/* Columns with the hidden ones of virtual tables; ROWID where a table has a rowid that no column stands for; functions of SQLite that it
 * calls innocuous itself; the two by which FTS5 is asked; and our own in_bitmap (sql.c), which reads nothing but its arguments, and term_counts, which
 * sees the rows that a MATCH has found. */
static const char rules_sql[] =
    "SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_xinfo(t.name) AS c"
    " WHERE t.schema = 'main' AND t.type IN ('table', 'virtual', 'shadow') AND t.name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    " UNION SELECT name, 'ROWID' FROM pragma_table_list"
    "  WHERE schema = 'main' AND type IN ('table', 'virtual', 'shadow') AND wr = 0 AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    " UNION SELECT '', name FROM pragma_function_list"
    "  WHERE builtin = 1 AND flags & 0x200000 AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    " UNION SELECT '', 'bm25' UNION SELECT '', 'match' UNION SELECT '', 'in_bitmap' UNION SELECT '', 'term_counts'";

/* Gathers "table\0column\0" pairs; the rules point into them once they stopped moving. */
static enum br_rc collect(sqlite3 *db, struct br_buf *names, size_t *n, struct br_err *err)
{
    sqlite3_stmt *st = NULL;
    int r = sqlite3_prepare_v2(db, rules_sql, -1, &st, NULL);
    while (r == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        for (int i = 0; i < 2; i++) {
            const char *text = (const char *)sqlite3_column_text(st, i);
            br_buf_add(names, text ? text : "", text ? strlen(text) + 1 : 1);
        }
        ++*n;
    }
    if (r == SQLITE_OK)
        r = sqlite3_reset(st); /* the step's error */
    enum br_rc rc = r == SQLITE_OK ? br_buf_status(names, err) : br_sql_fail(db, err, NULL, "cannot read the schema");
    sqlite3_finalize(st);
    return rc;
}

static enum br_rc make_rules(struct br_guard *g, struct br_err *err)
{
    struct br_buf names;
    sqlite3 *db = NULL;
    size_t n = 0;
    enum br_rc rc;
    br_buf_init(&names, 1u << 20);
    BR_TRY(br_sql_open_memory(&db, err));
    for (const char *const *const *schema = g->schemas; *schema; schema++)
        for (const char *const *ddl = *schema; *ddl; ddl++)
            BR_TRY(br_sql_exec(db, *ddl, "the schema", err));
    BR_TRY(collect(db, &names, &n, err));
    struct br_rule *rules = calloc(n, sizeof(*rules));
    if (!rules)
        BR_TRY(br_fail_nomem(err));
    const char *p = names.data;
    for (size_t i = 0; i < n; i++) {
        rules[i].table = p;
        rules[i].column = p += strlen(p) + 1;
        p += strlen(p) + 1;
    }
    qsort(rules, n, sizeof(*rules), compare);
    sqlite3_close(db);
    g->rules = rules;
    g->names = names.data;
    g->n = n;
    g->ready = true;
    return BR_OK;
err:
    sqlite3_close(db);
    br_buf_free(&names);
    return rc;
}

enum br_rc br_guard_prepare(struct br_guard *g, struct br_err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    enum br_rc rc = g->ready ? BR_OK : make_rules(g, err);
    pthread_mutex_unlock(&lock);
    return rc;
}

/* --- The callback --- */

static bool pragma_allowed(const char *name, const char *arg)
{
    static const struct {
        const char *name, *arg; /* NULL: only asked, not set */
    } allowed[] = {
        {"application_id", NULL},
        {"user_version", NULL},
        {"schema_version", NULL},
        {"page_count", NULL},
        {"page_size", NULL},
        {"data_version", NULL}, /* FTS5 */
        {"quick_check", "1"},
        {"integrity_check", "1"},
        /* what br_sql_open sets; each can only be set to the same again */
        {"locking_mode", "EXCLUSIVE"},
        {"synchronous", "FULL"},
        {"foreign_keys", "ON"},
        {"temp_store", "FILE"},
        {"cache_size", BR_SQL_CACHE_SIZE},
        {"query_only", "ON"},
    };
    for (size_t i = 0; i < BR_COUNT(allowed); i++)
        if (strcmp(name, allowed[i].name) == 0 && (arg == NULL) == (allowed[i].arg == NULL) &&
            (!arg || strcmp(arg, allowed[i].arg) == 0))
            return true;
    return false;
}

static int authorize(void *ctx, int action, const char *a, const char *b, const char *database, const char *origin)
{
    const struct br_guard *g = ctx;
    bool allow = false;
    (void)origin; /* see above */
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_TRANSACTION:
        allow = true;
        break;
    case SQLITE_READ:
        allow = a && b && *a && *b && database && strcmp(database, "main") == 0 && has_rule(g, a, b);
        break;
    case SQLITE_FUNCTION:
        allow = b && has_rule(g, "", b);
        break;
    case SQLITE_PRAGMA:
        allow = a && (!database || strcmp(database, "main") == 0) && pragma_allowed(a, b);
        break;
    case SQLITE_UPDATE: /* connecting FTS5 compiles, and throws away, an UPDATE of the schema table */
        if (a && strcmp(a, "sqlite_master") == 0)
            return SQLITE_IGNORE;
        break;
    default:
        break;
    }
    if (!allow && action == SQLITE_READ && a && b && strcmp(a, "sqlite_master") == 0 && strcmp(b, "ROWID") == 0)
        return SQLITE_IGNORE; /* the same statement's WHERE */
    return allow ? SQLITE_OK : SQLITE_DENY;
}

void br_guard_install(const struct br_guard *g, sqlite3 *db)
{
    BR_ASSERT(g->ready);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_set_authorizer(db, authorize, (void *)(uintptr_t)g);
}

/* --- Limits --- */

void br_guard_limits(sqlite3 *db, bool reader)
{
    /* LENGTH: a writer hands whole texts to FTS5 (BR_CONTENT_MAX); the rows themselves hold parts of one JSON element of at most
     * 64 MiB. No limit of a reader is below what a writer may have stored. */
    static const struct {
        int id, writer, reader;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, 256 << 20, 128 << 20},
        {SQLITE_LIMIT_SQL_LENGTH, 64 << 10, 16 << 10},
        {SQLITE_LIMIT_COLUMN, 128, 128},
        {SQLITE_LIMIT_EXPR_DEPTH, 100, 64},
        {SQLITE_LIMIT_COMPOUND_SELECT, 16, 8},
        {SQLITE_LIMIT_VDBE_OP, 100000, 100000},
        {SQLITE_LIMIT_FUNCTION_ARG, 16, 16},
        {SQLITE_LIMIT_ATTACHED, 0, 0}, /* also ends VACUUM, which attaches its copy: br_sql_vacuum */
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1024, 1024},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 64, 64},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 8, 1},
        {SQLITE_LIMIT_WORKER_THREADS, 0, 0},
    };
    for (size_t i = 0; i < BR_COUNT(limits); i++)
        sqlite3_limit(db, limits[i].id, reader ? limits[i].reader : limits[i].writer);
}
