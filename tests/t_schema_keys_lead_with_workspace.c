/* t_schema_keys_lead_with_workspace.c - every key of metadata.db is led by workspace_id, so that a merged or restored file cannot mix two
 * workspaces in silence; every table is STRICT and keyed by its primary key. Read from SQLite, not from our source text. */
#include "store_test.h"

#include "base/buf.h"
#include "registry.h"
#include "store_int.h"

/* Rows of a query, each "a|b|c"; sql takes up to one parameter. */
static void each(sqlite3 *db, const char *sql, const char *arg, void (*fn)(void *ctx, const char *const *c), void *ctx)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    if (arg)
        sqlite3_bind_text(st, 1, arg, -1, SQLITE_STATIC);
    while (sqlite3_step(st) == SQLITE_ROW) {
        const char *c[8] = {0};
        for (int i = 0; i < sqlite3_column_count(st); i++) {
            c[i] = (const char *)sqlite3_column_text(st, i);
            c[i] = c[i] ? c[i] : "";
        }
        fn(ctx, c);
    }
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
}

struct lint {
    sqlite3 *db;
    const char *table;
    struct br_buf offenders; /* "table: why; " */
    unsigned tables, keys, foreign_keys;
};

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static void offend(struct lint *l, const char *what, const char *why)
{
    br_buf_addf(&l->offenders, "%s%s%s: %s; ", l->table, *what ? "." : "", what, why);
}

static void lint_first_column(void *ctx, const char *const *c) /* index, its first key column */
{
    struct lint *l = ctx;
    l->keys++;
    if (!is(c[1], "workspace_id"))
        offend(l, c[0], "does not lead with workspace_id");
}

static void lint_foreign_key(void *ctx, const char *const *c) /* id, from, to of its first column */
{
    struct lint *l = ctx;
    l->foreign_keys++;
    if (!is(c[1], "workspace_id") || !is(c[2], "workspace_id"))
        offend(l, c[0], "foreign key does not lead with workspace_id on both sides");
}

/* FTS5 keys its tables by rowid and knows no other way. Exempt, because a row there is a content_id of this file's own counter and no text: what
 * it leads to is read by (workspace_id, content_id). Anything but contentless FTS5 is no exemption. */
static bool is_exempt_fts(const char *sql)
{
    return strstr(sql, "USING fts5(") && strstr(sql, "content=''");
}

static void lint_table(void *ctx, const char *const *c) /* name, type, without rowid, strict, sql */
{
    struct lint *l = ctx;
    l->table = c[0];
    if (strncmp(c[0], "sqlite_", 7) == 0 || is(c[1], "shadow"))
        return; /* a shadow belongs to a virtual table, which is looked at */
    if (is(c[1], "virtual")) {
        if (!is_exempt_fts(c[4]))
            offend(l, "", "a virtual table other than contentless FTS5");
        return;
    }
    l->tables++;
    if (!is(c[1], "table"))
        offend(l, "", "is no table");
    if (!is(c[2], "1"))
        offend(l, "", "has a rowid");
    if (!is(c[3], "1"))
        offend(l, "", "is not STRICT");
    each(l->db,
         "SELECT i.name, x.name FROM pragma_index_list(?1) AS i, pragma_index_xinfo(i.name) AS x WHERE x.seqno = 0", c[0],
         lint_first_column, l);
    each(l->db, "SELECT id, \"from\", ifnull(\"to\", '') FROM pragma_foreign_key_list(?1) WHERE seq = 0", c[0], lint_foreign_key, l);
}

static void lint(struct lint *l, sqlite3 *db)
{
    *l = (struct lint){.db = db};
    br_buf_init(&l->offenders, 1 << 16);
    each(db,
         "SELECT t.name, t.type, t.wr, t.strict, ifnull(s.sql, '') FROM pragma_table_list AS t LEFT JOIN sqlite_schema AS s"
         " ON s.name = t.name WHERE t.schema = 'main' ORDER BY t.name",
         NULL, lint_table, l);
}

static void every_table_of_a_workspace(void **state)
{
    struct br_err err = {0};
    struct br_store *s;
    struct br_store_spec spec = {.workspace_id = "T1", .model_id = "m", .dim = DIM};
    char dir[300];
    struct lint l;
    snprintf(dir, sizeof dir, "%s/ws", (char *)*state);
    OK(br_store_create(&br_io_posix, dir, &spec, &s, &err));
    lint(&l, br_store_db(s));
    assert_string_equal(br_buf_str(&l.offenders), "");
    assert_true(l.tables >= 13 && l.keys >= 2 * l.tables - 6 && l.foreign_keys >= 10); /* it did look */
    br_buf_free(&l.offenders);
    br_store_close(s);
}

/* The registry is what tells workspaces apart: its keys need not lead with one. Its tables are STRICT all the same. */
static void lint_registry_table(void *ctx, const char *const *c)
{
    struct lint *l = ctx;
    l->table = c[0];
    if (strncmp(c[0], "sqlite_", 7) == 0)
        return;
    l->tables++;
    if (!is(c[2], "1") || !is(c[3], "1"))
        offend(l, "", "is not STRICT, WITHOUT ROWID");
}

static void every_table_of_the_registry(void **state)
{
    struct br_err err = {0};
    struct br_registry *r;
    char path[400];
    sqlite3 *db;
    OK(br_registry_open(&br_io_posix, *state, true, &r, NULL, &err));
    br_registry_close(r);
    snprintf(path, sizeof path, "%s/registry.db", (char *)*state);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    struct lint l = {.db = db};
    br_buf_init(&l.offenders, 1 << 16);
    each(db, "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'", NULL, lint_registry_table, &l);
    assert_string_equal(br_buf_str(&l.offenders), "");
    assert_true(l.tables >= 1);
    br_buf_free(&l.offenders);
    sqlite3_close(db);
}

/* The lint itself can fail, and names what it found. */
static void offenders_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *ddl, *offender;
    } cases[] = {
        {"CREATE TABLE a(workspace_id TEXT, b INT, PRIMARY KEY(workspace_id, b)) WITHOUT ROWID", "a: is not STRICT"},
        {"CREATE TABLE a(workspace_id TEXT, b INT, PRIMARY KEY(workspace_id, b)) STRICT", "a: has a rowid"},
        {"CREATE TABLE a(workspace_id TEXT, b INT, PRIMARY KEY(b, workspace_id)) STRICT, WITHOUT ROWID",
         "a.sqlite_autoindex_a_1: does not lead"},
        {"CREATE TABLE a(workspace_id TEXT, b INT, PRIMARY KEY(workspace_id, b)) STRICT, WITHOUT ROWID; CREATE INDEX by_b ON a(b)",
         "a.by_b: does not lead"},
        {"CREATE TABLE a(workspace_id TEXT, b INT UNIQUE, PRIMARY KEY(workspace_id, b)) STRICT, WITHOUT ROWID",
         "a.sqlite_autoindex_a_1: does not lead"},
        {"CREATE TABLE a(workspace_id TEXT, b INT, PRIMARY KEY(workspace_id, b)) STRICT, WITHOUT ROWID;"
         "CREATE INDEX by_e ON a(lower(workspace_id))",
         "a.by_e: does not lead"},
        {"CREATE TABLE a(workspace_id TEXT, b INT REFERENCES a(b), PRIMARY KEY(workspace_id, b)) STRICT, WITHOUT ROWID", "foreign key"},
        {"CREATE VIEW a AS SELECT 1", "a: is no table"},
        {"CREATE VIRTUAL TABLE a USING fts5(t)", "a: a virtual table other"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sqlite3 *db;
        struct lint l;
        assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, cases[i].ddl, NULL, NULL, NULL), SQLITE_OK);
        lint(&l, db);
        if (!strstr(br_buf_str(&l.offenders), cases[i].offender))
            fail_msg("%s: found \"%s\" instead of \"%s\"", cases[i].ddl, br_buf_str(&l.offenders), cases[i].offender);
        br_buf_free(&l.offenders);
        sqlite3_close(db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_table_of_a_workspace, make_tmp, remove_tmp),
        cmocka_unit_test_setup_teardown(every_table_of_the_registry, make_tmp, remove_tmp),
        cmocka_unit_test(offenders_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
