/* t_isolation_sql.c - a reading connection sees its own workspace's columns and nothing else, whatever SQL it is given.
 *
 * No SQL of a user ever reaches a connection; this is about the second line behind that. First the known ways around an authorizer, one by one;
 * then random statements, on the home with both workspaces and on the one with A alone: no byte of B, and the same rows and the same errors. */
#include "isolation.h"

#include "base/buf.h"
#include "sql.h"
#include "store.h"
#include "store_int.h"

static struct br_store *open_reader(const char *home)
{
    struct br_store *s;
    struct br_err err = {0};
    char dir[1200];
    iso_dir(dir, sizeof dir, home, TEAM_A);
    if (br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err) != BR_OK)
        fail_msg("%s", err.msg);
    return s;
}

/* What a statement gives: rows, then "error: text" if it failed. Only pointers are left out, which EXPLAIN shows. */
static void answer(sqlite3 *db, const char *sql, struct br_buf *out, int *code)
{
    sqlite3_stmt *st = NULL;
    br_buf_reset(out);
    int r = sqlite3_prepare_v2(db, sql, -1, &st, NULL), rows = 0;
    while (r == SQLITE_OK && rows < 400 && sqlite3_step(st) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(st); i++) {
            const char *text = (const char *)sqlite3_column_text(st, i);
            if (text && strncmp(text, "vtab:", 5) == 0)
                text = "vtab";
            br_buf_addf(out, "%s|", text ? text : "NULL");
        }
        br_buf_addc(out, '\n');
        rows++;
    }
    *code = r == SQLITE_OK && rows < 400 ? sqlite3_reset(st) : r;
    if (*code != SQLITE_OK)
        br_buf_addf(out, "error: %s", sqlite3_errmsg(db));
    sqlite3_finalize(st);
    assert_false(out->failed);
}

/* --- (a) The known ways --- */

/* A's file as a bad merge would leave it: B's rows in a table of their own, with an index, a view named like ours over them, a trigger. */
static void plant(const char *home)
{
    char path[1400];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/workspaces/" TEAM_A "/metadata.db", home);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db,
                     "CREATE TABLE b_msg(id INTEGER PRIMARY KEY, ws TEXT, n INTEGER, txt TEXT);"
                     "INSERT INTO b_msg VALUES(10, 'A', 1, 'x'), (13, 'B', -9223372036854775808, 'bcanary planted');"
                     "CREATE INDEX b_by_n ON b_msg(n);"
                     "CREATE VIEW messages AS SELECT * FROM b_msg WHERE ws = 'A';"
                     "CREATE VIEW own AS SELECT user_id FROM users;"
                     "CREATE TABLE wide(workspace_id TEXT, user_id TEXT)",
                     NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

enum wanted { DENIED, FAILS_SOMEHOW, ALLOWED };

static const struct probe {
    enum wanted wanted;
    const char *sql;
} probes[] = {
    /* what must work, or the test proves nothing */
    {ALLOWED, "SELECT channel_id, ts FROM message_metadata WHERE workspace_id = 'T0ALPHA01'"},
    {ALLOWED, "SELECT rowid, rank FROM fts_messages WHERE fts_messages MATCH 'lunch' ORDER BY rank LIMIT 3"},
    {ALLOWED, "SELECT count(*) FROM users WHERE workspace_id = 'T0ALPHA01'"},
    {ALLOWED, "PRAGMA quick_check(1)"},
    {ALLOWED, "EXPLAIN SELECT name FROM users"},
    {ALLOWED, "BEGIN"},
    {ALLOWED, "COMMIT"},
    /* a foreign table by its name, and by borrowed names */
    {DENIED, "SELECT txt FROM b_msg"},
    {DENIED, "SELECT count(*) FROM b_msg"},
    {DENIED, "SELECT 1 FROM b_msg"},
    {DENIED, "SELECT b_msg.* FROM users, b_msg"},
    {DENIED, "SELECT rowid FROM b_msg"},
    {DENIED, "EXPLAIN SELECT txt FROM b_msg"},
    {DENIED, "EXPLAIN QUERY PLAN SELECT txt FROM b_msg"},
    {DENIED, "WITH users AS (SELECT * FROM b_msg) SELECT txt FROM users"},
    {DENIED, "WITH users AS MATERIALIZED (SELECT * FROM b_msg) SELECT txt FROM users"},
    {DENIED, "WITH users(name) AS (SELECT txt FROM b_msg) SELECT name FROM users"},
    {DENIED, "WITH RECURSIVE users(name) AS (SELECT txt FROM b_msg UNION SELECT name FROM users) SELECT name FROM users"},
    {DENIED, "SELECT name FROM (SELECT txt AS name FROM b_msg) AS users"},
    {DENIED, "SELECT name FROM users WHERE EXISTS(SELECT 1 FROM b_msg)"},
    {DENIED, "SELECT name FROM users WHERE EXISTS(SELECT 1 FROM b_msg WHERE n < 0 AND abs(n) > 0)"},
    {DENIED, "SELECT name FROM users UNION ALL SELECT txt FROM b_msg"},
    {DENIED, "SELECT name FROM users ORDER BY (SELECT txt FROM b_msg)"},
    {DENIED, "SELECT count(*) OVER (ORDER BY (SELECT max(txt) FROM b_msg)) FROM users"},
    {DENIED, "SELECT txt FROM b_msg INDEXED BY b_by_n WHERE n < -5 AND abs(n) > 0"},
    {DENIED, "SELECT 1 FROM b_msg WHERE (id = 10 AND abs(n) > 0) OR (id = 13 AND abs(n) > 0)"},
    {FAILS_SOMEHOW, "SELECT txt FROM messages"}, /* views are off */
    {FAILS_SOMEHOW, "SELECT user_id FROM own"},
    {FAILS_SOMEHOW, "SELECT txt FROM messages WHERE n < -5 AND abs(n) > 0"},
    {DENIED, "SELECT workspace_id, user_id FROM wide"}, /* our columns' names in another table */
    /* a read of nothing */
    {DENIED, "SELECT count(*) FROM users"},
    {DENIED, "SELECT 1 FROM main.users"},
    {DENIED, "WITH users AS (SELECT 1) SELECT count(*) FROM users, channels"},
    /* the schema */
    {DENIED, "SELECT sql FROM sqlite_master"},
    {DENIED, "SELECT sql FROM sqlite_schema"},
    {DENIED, "SELECT name FROM sqlite_temp_master"},
    {DENIED, "SELECT count(*) FROM sqlite_master"},
    {DENIED, "SELECT type FROM main.sqlite_master"},
    {DENIED, "SELECT name FROM pragma_table_list"},
    {DENIED, "SELECT name FROM pragma_table_info('b_msg')"},
    {DENIED, "SELECT file FROM pragma_database_list"},
    {DENIED, "SELECT name FROM pragma_function_list"},
    {FAILS_SOMEHOW, "SELECT name FROM dbstat"},
    {FAILS_SOMEHOW, "SELECT data FROM sqlite_dbpage"},
    {FAILS_SOMEHOW, "SELECT sql FROM sqlite_stmt"},
    {FAILS_SOMEHOW, "SELECT stat FROM sqlite_stat1"},
    {DENIED, "SELECT value FROM json_each('[1]')"},
    {FAILS_SOMEHOW, "SELECT value FROM generate_series(1, 9)"},
    {FAILS_SOMEHOW, "SELECT term FROM fts5vocab"},
    /* pragmas */
    {DENIED, "PRAGMA database_list"},
    {DENIED, "PRAGMA table_info(b_msg)"},
    {DENIED, "PRAGMA query_only=OFF"},
    {DENIED, "PRAGMA query_only"},
    {DENIED, "PRAGMA writable_schema=ON"},
    {DENIED, "PRAGMA trusted_schema=ON"},
    {DENIED, "PRAGMA temp_store_directory='/tmp'"},
    {DENIED, "PRAGMA journal_mode=DELETE"},
    {DENIED, "PRAGMA user_version=7"},
    {DENIED, "PRAGMA wal_checkpoint(TRUNCATE)"},
    {DENIED, "PRAGMA integrity_check(b_msg)"},
    {DENIED, "PRAGMA temp.page_count"},
    {DENIED, "PRAGMA synchronous=OFF"},
    /* other files */
    {DENIED, "ATTACH '%B' AS b"},
    {DENIED, "ATTACH 'file:%B?immutable=1' AS b"},
    {DENIED, "ATTACH ':memory:' AS b"},
    {DENIED, "DETACH main"},
    {FAILS_SOMEHOW, "VACUUM"},
    {FAILS_SOMEHOW, "VACUUM INTO '%S/stolen.db'"},
    {DENIED, "SELECT load_extension('%S/evil.so')"},
    {DENIED, "SELECT fts3_tokenizer('simple')"},
    {FAILS_SOMEHOW, "SELECT readfile('%B')"},
    {FAILS_SOMEHOW, "SELECT writefile('%S/stolen', 'x')"},
    {FAILS_SOMEHOW, "SELECT edit('x')"},
    {DENIED, "SELECT sqlite_compileoption_get(1)"},
    {DENIED, "SELECT rtreecheck('b_msg')"},
    {DENIED, "SELECT json_group_array(name) FROM users"},
    /* writes and DDL */
    {DENIED, "INSERT INTO users(workspace_id, user_id) VALUES('x', 'y')"},
    {DENIED, "UPDATE users SET name = 'x'"},
    {DENIED, "DELETE FROM users"},
    {DENIED, "REPLACE INTO users(workspace_id, user_id) VALUES('x', 'y')"},
    {FAILS_SOMEHOW, "UPDATE sqlite_master SET sql = ''"},
    {FAILS_SOMEHOW, "DELETE FROM sqlite_master"},
    {FAILS_SOMEHOW, "INSERT INTO fts_messages(fts_messages) VALUES('optimize')"},
    {DENIED, "CREATE TABLE t(a)"},
    {DENIED, "CREATE TEMP TABLE t AS SELECT txt FROM b_msg"},
    {DENIED, "CREATE TEMP VIEW users AS SELECT * FROM b_msg"},
    {DENIED, "CREATE VIRTUAL TABLE temp.v USING fts5vocab(fts_messages, row)"},
    {DENIED, "CREATE INDEX i ON users(name)"},
    {DENIED, "CREATE TRIGGER g AFTER INSERT ON users BEGIN SELECT 1; END"},
    {DENIED, "DROP TABLE users"},
    {FAILS_SOMEHOW, "ALTER TABLE users RENAME TO x"},
    {FAILS_SOMEHOW, "REINDEX"},
    {FAILS_SOMEHOW, "ANALYZE"},
    {DENIED, "SAVEPOINT s"},
    /* limits */
    {FAILS_SOMEHOW, "SELECT length(zeroblob(200000000))"},
    {FAILS_SOMEHOW, "SELECT ?65"},
};

/* %B: B's database. %S: the scratch directory. */
static void with_paths(const char *sql, char *out, size_t n)
{
    size_t len = 0;
    for (; *sql; sql++) {
        if (sql[0] == '%' && sql[1] == 'B')
            len += (size_t)snprintf(out + len, n - len, "%s/workspaces/" TEAM_B "/metadata.db", iso.both);
        else if (sql[0] == '%' && sql[1] == 'S')
            len += (size_t)snprintf(out + len, n - len, "%s", iso.scratch);
        else
            out[len++] = *sql;
        sql += sql[0] == '%' && (sql[1] == 'B' || sql[1] == 'S');
        assert_true(len + 1 < n);
    }
    out[len] = 0;
}

static void check_probe(sqlite3 *db, const struct probe *p, struct br_buf *out)
{
    char sql[2500];
    int code;
    with_paths(p->sql, sql, sizeof sql);
    answer(db, sql, out, &code);
    const char *text = br_buf_str(out);
    bool denied = strstr(text, "not authorized") || strstr(text, "prohibited");
    bool as_wanted = p->wanted == ALLOWED ? code == SQLITE_OK : p->wanted == DENIED ? denied : code != SQLITE_OK;
    if (!as_wanted || iso_has(text, strlen(text), CANARY_B))
        fail_msg("%s\ngave %s", p->sql, text);
}

static void known_ways_around_are_shut(void **state)
{
    (void)state;
    char home[300], stolen[1200];
    struct br_buf out;
    snprintf(home, sizeof home, "%s/planted", iso.scratch);
    iso_copy_home(iso.both, home);
    plant(home);
    struct br_store *s = open_reader(home);
    br_buf_init(&out, 1u << 24);
    for (int round = 0; round < 2; round++) /* a denied statement leaves nothing behind that helps the next */
        for (size_t i = 0; i < sizeof probes / sizeof *probes; i++)
            check_probe(br_store_db(s), &probes[i], &out);
    snprintf(stolen, sizeof stolen, "%s/stolen.db", iso.scratch);
    assert_int_not_equal(access(stolen, F_OK), 0);
    snprintf(stolen, sizeof stolen, "%s/stolen", iso.scratch);
    assert_int_not_equal(access(stolen, F_OK), 0);
    br_buf_free(&out);
    br_store_close(s);
}

/* Compiled once, then the schema changes under it: it is compiled again while stepping, and still under the rules. */
static void rules_hold_when_statements_are_compiled_anew(void **state)
{
    (void)state;
    char home[300], path[1400];
    struct br_buf out;
    int code;
    snprintf(home, sizeof home, "%s/anew", iso.scratch);
    iso_copy_home(iso.both, home);
    struct br_store *s = open_reader(home);
    sqlite3 *db = br_store_db(s), *writer;
    sqlite3_stmt *ours = NULL, *words = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT bio FROM users", -1, &ours, NULL), SQLITE_ERROR); /* no such column yet */
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT name FROM users ORDER BY user_id", -1, &ours, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT rowid, rank FROM fts_messages WHERE fts_messages MATCH 'lunch' ORDER BY rank", -1, &words,
                                        NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(words), SQLITE_ROW);
    sqlite3_reset(words);
    snprintf(path, sizeof path, "%s/workspaces/" TEAM_A "/metadata.db", home);
    assert_int_equal(sqlite3_open(path, &writer), SQLITE_OK);
    /* users becomes a view over another table; and a column more */
    assert_int_equal(sqlite3_exec(writer,
                                  "PRAGMA legacy_alter_table=ON; PRAGMA foreign_keys=OFF; ALTER TABLE users RENAME TO b_users;"
                                  "UPDATE b_users SET name = 'bcanary'; CREATE VIEW users AS SELECT * FROM b_users;"
                                  "ALTER TABLE channels ADD COLUMN bio TEXT",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(writer);
    assert_int_not_equal(sqlite3_step(ours), SQLITE_ROW);
    sqlite3_finalize(ours);
    assert_int_equal(sqlite3_step(words), SQLITE_ROW); /* FTS5 connects anew under the rules too */
    sqlite3_finalize(words);
    br_buf_init(&out, 1u << 20);
    answer(db, "SELECT bio FROM channels", &out, &code);
    assert_non_null(strstr(br_buf_str(&out), "prohibited"));
    br_buf_free(&out);
    br_store_close(s);
}

/* A writer reaches no other file either; its limit is lifted for VACUUM alone. */
static void writers_attach_nothing(void **state)
{
    (void)state;
    char home[300], dir[700], sql[1200];
    struct br_err err = {0};
    struct br_store *s;
    struct br_buf out;
    int code;
    snprintf(home, sizeof home, "%s/writer", iso.scratch);
    iso_copy_home(iso.both, home);
    iso_dir(dir, sizeof dir, home, TEAM_A);
    assert_int_equal(br_store_open(&br_io_posix, dir, BR_STORE_WRITE, &s, &err), BR_OK);
    br_buf_init(&out, 1u << 20);
    static const char *const refused[] = {"ATTACH '%B' AS b", "VACUUM INTO '%S/stolen.db'", "VACUUM", "SELECT load_extension('x')"};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
            with_paths(refused[i], sql, sizeof sql);
            answer(br_store_db(s), sql, &out, &code);
            if (code == SQLITE_OK)
                fail_msg("%s worked", sql);
        }
        if (round == 0 && br_sql_vacuum(br_store_db(s), dir, &err) != BR_OK)
            fail_msg("%s", err.msg);
    }
    br_buf_free(&out);
    br_store_close(s);
}

/* --- (b) Random statements --- */

static uint64_t seed;
static unsigned rnd(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

/* Times of the import and the random uuid differ between any two homes: left out. */
static const struct {
    const char *table, *columns[12];
} tables[] = {
    {"users", {"workspace_id", "user_id", "team_id", "name", "real_name", "display_name", "is_bot", "is_stub"}},
    {"channels", {"workspace_id", "channel_id", "name", "kind", "topic", "purpose", "creator", "created"}},
    {"channel_members", {"workspace_id", "channel_id", "user_id"}},
    {"message_metadata",
     {"workspace_id", "channel_id", "ts", "thread_ts", "user_id", "bot_name", "cls", "flags", "reactions_total", "content_id", "slot",
      "content_hash"}},
    {"reactions", {"workspace_id", "channel_id", "ts", "name", "folded", "count"}},
    {"reaction_users", {"workspace_id", "channel_id", "ts", "name", "user_id"}},
    {"files", {"workspace_id", "channel_id", "ts", "position", "file_id", "name", "title", "size"}},
    {"passages", {"workspace_id", "channel_id", "thread_ts", "position", "content_id", "slot"}},
    {"content", {"workspace_id", "content_id", "offset", "length", "hash", "dead"}},
    {"slots", {"workspace_id", "slot", "content_id", "vector_checksum", "seq_added", "seq_killed"}},
    {"journal", {"workspace_id", "seq", "first_slot", "n_slots", "content_checksum"}},
    {"store", {"workspace_id", "generation", "content_tail", "last_seq", "ckpt_file", "model_id", "dim", "name"}},
    {"fts_messages", {"rowid", "rank", "text"}},
    {"fts_messages_docsize", {"id", "sz"}},
    {"fts_messages_idx", {"segid", "term", "pgno"}},
    {"fts_passages_config", {"k", "v"}},
    {"sqlite_master", {"name", "sql", "rootpage"}},
    {"pragma_database_list", {"name", "file"}},
    {"b.users", {"name"}},
};

struct gen {
    struct br_buf *b;
    const char *alias[4]; /* in scope */
    unsigned table[4], n;
    unsigned depth;
    bool cte; /* there is one to name */
};

static void add(struct gen *g, const char *s)
{
    br_buf_adds(g->b, s);
}

static void column(struct gen *g)
{
    if (g->n == 0 || rnd(80) == 0) {
        add(g, rnd(2) ? "rowid" : "name");
        return;
    }
    unsigned i = rnd(g->n), k = 0;
    while (k < 12 && tables[g->table[i]].columns[k])
        k++;
    br_buf_addf(g->b, "%s.%s", g->alias[i], tables[g->table[i]].columns[rnd(k)]);
}

static void query(struct gen *g, bool scalar);

static void value(struct gen *g)
{
    static const char *const constants[] = {"NULL", "0", "-1", "1", "9223372036854775807", "-9223372036854775808", "'bcanary'", "'T0BRAVO01'", "'T0ALPHA01'",
                                            "'C0BCANARY01'", "1704103200000100", "x'00'", "'%canary%'", "1e308"};
    static const char *const functions[] = {"abs", "length", "upper", "hex", "typeof", "quote", "unicode", "sum", "count", "group_concat", "total",
                                            "max", "min", "load_extension", "readfile", "ifnull", "substr", "printf", "json_object"};
    static const char *const operators[] = {"+", "-", "*", "/", "%", "||", "=", "<", ">", "AND", "OR", "IS", "LIKE", "GLOB", "&"};
    unsigned f;
    switch (g->depth > 3 ? rnd(2) : rnd(9)) {
    case 0:
        add(g, constants[rnd(BR_COUNT(constants))]);
        break;
    case 1:
    case 2:
    case 3:
        column(g);
        break;
    case 4:
    case 5:
        g->depth++;
        add(g, "(");
        value(g);
        br_buf_addf(g->b, " %s ", operators[rnd(BR_COUNT(operators))]);
        value(g);
        add(g, ")");
        g->depth--;
        break;
    case 6:
        g->depth++;
        f = rnd(12) ? rnd(11) : rnd(BR_COUNT(functions));
        br_buf_addf(g->b, "%s(", functions[f]);
        value(g);
        add(g, ")");
        if (f > 6 && f < 13 && rnd(3)) {
            add(g, " OVER (ORDER BY ");
            column(g);
            add(g, ")");
        }
        g->depth--;
        break;
    case 7:
        add(g, "CASE WHEN ");
        g->depth++;
        value(g);
        add(g, " THEN ");
        value(g);
        add(g, " END");
        g->depth--;
        break;
    default: {
        unsigned n = g->n;
        add(g, rnd(2) ? "(" : "EXISTS(");
        query(g, true);
        add(g, ")");
        g->n = n;
    }
    }
}

static void condition(struct gen *g)
{
    switch (rnd(4)) {
    case 0: /* the shape of the known leak */
        add(g, "((");
        column(g);
        add(g, " = ");
        value(g);
        add(g, " AND abs(");
        column(g);
        add(g, ") > 0) OR (");
        column(g);
        add(g, " > ");
        value(g);
        add(g, " AND abs(");
        column(g);
        add(g, ") > 0))");
        break;
    case 1:
        column(g);
        add(g, rnd(2) ? " IN (" : " NOT IN (");
        value(g);
        add(g, ", ");
        value(g);
        add(g, ")");
        break;
    default:
        value(g);
    }
}

static void from(struct gen *g)
{
    static const char *const alias[] = {"a0", "a1", "a2", "a3"};
    static const char *const joins[] = {", ", " JOIN ", " LEFT JOIN ", " CROSS JOIN "};
    unsigned want = 1 + (rnd(3) == 0), first = g->n;
    add(g, " FROM ");
    for (unsigned i = 0; i < want && g->n < 4; i++) {
        unsigned t = rnd(30) ? rnd(12) : rnd(BR_COUNT(tables));
        if (i)
            add(g, joins[rnd(4)]);
        br_buf_addf(g->b, "%s AS %s", rnd(g->cte ? 3 : 200) == 0 ? "cte" : tables[t].table, alias[g->n]);
        g->alias[g->n] = alias[g->n];
        g->table[g->n++] = t;
    }
    if (g->n == first)
        add(g, "users");
}

static void query(struct gen *g, bool scalar)
{
    struct br_buf head, *outer = g->b;
    unsigned columns = scalar ? 1 : 1 + rnd(3);
    br_buf_init(&head, 1 << 16);
    g->depth++;
    g->b = &head; /* FROM is made first: it says which names there are */
    from(g);
    g->b = outer;
    add(g, rnd(8) ? "SELECT " : "SELECT DISTINCT ");
    for (unsigned i = 0; i < columns; i++) {
        if (i)
            add(g, ", ");
        if (rnd(12) == 0)
            add(g, rnd(2) ? "count(*)" : "max(1)");
        else
            value(g);
    }
    add(g, br_buf_str(&head));
    br_buf_free(&head);
    if (rnd(3)) {
        add(g, " WHERE ");
        condition(g);
    }
    if (rnd(5) == 0) {
        add(g, " GROUP BY ");
        column(g);
    }
    if (!scalar && rnd(3) == 0) {
        add(g, " ORDER BY 1");
        if (rnd(2))
            add(g, " DESC");
    }
    add(g, " LIMIT 50");
    g->depth--;
}

static void statement(struct br_buf *b)
{
    struct gen g = {.b = b};
    br_buf_reset(b);
    unsigned kind = rnd(10);
    if (kind == 0)
        add(&g, rnd(2) ? "EXPLAIN " : "EXPLAIN QUERY PLAN ");
    if (kind == 1 || kind == 2) {
        static const char *const names[] = {"cte", "users", "message_metadata", "messages"};
        g.cte = true;
        br_buf_addf(b, "WITH %s%s AS %s(", rnd(4) ? "" : "RECURSIVE ", names[rnd(4)], rnd(3) ? "" : "MATERIALIZED ");
        query(&g, false);
        add(&g, ") ");
        g.n = 0;
    }
    query(&g, false);
}

static int too_long(void *ctx)
{
    (void)ctx;
    return 1;
}

/* Counted in SQLite's own steps, so that both homes give up at the same place. */
static void bounded(sqlite3 *db)
{
    sqlite3_progress_handler(db, 200000, too_long, NULL);
}

static void random_statements_see_one_workspace(void **state)
{
    (void)state;
    const char *text = getenv("BACKREAD_SEED"), *count = getenv("BACKREAD_STATEMENTS");
    uint64_t first = text ? strtoull(text, NULL, 0) : 1;
    unsigned n = count ? (unsigned)strtoul(count, NULL, 0) : 6000, rows = 0, errors = 0;
    struct br_store *both = open_reader(iso.both), *alone = open_reader(iso.alone);
    struct br_buf sql, x, y;
    br_buf_init(&sql, 1u << 20);
    br_buf_init(&x, 1u << 26);
    br_buf_init(&y, 1u << 26);
    bounded(br_store_db(both));
    bounded(br_store_db(alone));
    for (unsigned i = 0; i < n; i++) {
        int cx, cy;
        seed = (first + i) * UINT64_C(0x9E3779B97F4A7C15);
        rnd(2);
        statement(&sql);
        answer(br_store_db(both), br_buf_str(&sql), &x, &cx);
        answer(br_store_db(alone), br_buf_str(&sql), &y, &cy);
        /* an echo of the statement's own words is no leak: those begin where the answer quotes or computes them */
        bool asked = strcasestr(br_buf_str(&sql), "bcanary") || strcasestr(br_buf_str(&sql), "canary%");
        if (cx != cy || strcmp(br_buf_str(&x), br_buf_str(&y)) != 0)
            fail_msg("seed %llu: %s\nboth:  %.300s\nalone: %.300s", (unsigned long long)(first + i), br_buf_str(&sql), br_buf_str(&x),
                     br_buf_str(&y));
        if (!asked && iso_has(br_buf_str(&x), x.len, CANARY_B))
            fail_msg("seed %llu: %s\ngave %.300s", (unsigned long long)(first + i), br_buf_str(&sql), br_buf_str(&x));
        errors += cx != SQLITE_OK;
        rows += cx == SQLITE_OK && x.len > 0;
    }
    printf("%u statements: %u with rows, %u refused\n", n, rows, errors);
    assert_true(rows > n / 10 && errors > n / 20); /* the grammar reaches both sides */
    br_buf_free(&sql);
    br_buf_free(&x);
    br_buf_free(&y);
    br_store_close(both);
    br_store_close(alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_ways_around_are_shut),
        cmocka_unit_test(rules_hold_when_statements_are_compiled_anew),
        cmocka_unit_test(writers_attach_nothing),
        cmocka_unit_test(random_statements_see_one_workspace),
    };
    return cmocka_run_group_tests(tests, iso_setup, iso_teardown);
}
