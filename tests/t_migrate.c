/* t_migrate.c - the database of the earlier design comes over whole: what is in it, what is not, and how often it is tried. */
#include "tiny_model.h"

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "legacy_sql.h"
#include "legacy_value.h"

static char scratch[1024], model[1300];

static const char *in_scratch(const char *name)
{
    static char paths[8][1400];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, 1400, "%s/%s", scratch, name);
    return path;
}

static int setup(void **state)
{
    (void)state;
    e2e_scratch(scratch, sizeof scratch);
    tiny_model(scratch, model, sizeof model);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    e2e_remove_tree(scratch);
    return 0;
}

static struct br_migrate_report *migrate(struct br_home *home, const char *path)
{
    struct br_error err = {0};
    struct br_migrate_report *r = calloc(1, sizeof *r);
    const struct br_import_options o = {.name = "old"};
    if (br_migrate(home, path, NULL, &o, r, &err))
        fail_msg("%s: %s", path, err.message);
    e2e_verify(home, NULL);
    return r;
}

/* --- The eleven --- */

static const struct {
    const char *channel, *ts, *user, *text;
    int64_t thread_ts;
    size_t reactions;
    bool edited, deleted;
} eleven[] = {
    {"general", "1434567890.000100", "U0OLD00001", "Good morning everyone", 0, 3, false, false},
    {"general", "1434567900.000200", "U0OLD00002", "It's Bob's \"quoted\" text, isn't it?", 0, 0, false, false},
    {"general", "1434567910.000300", "U0OLD00001", "Where do the road layers come from?", 1434567910000300, 0, false, false},
    {"general", "1434567920.000400", "U0OLD00002", "first line\nsecond line\n\nfourth line", 1434567910000300, 1, false, false},
    {"general", "1434567930.000500", "U0OLD00003", "column one\tcolumn two\tcolumn three", 1434567910000300, 0, false, false},
    {"random", "1434567940.000600", "U0OLD00001", "C:\\temp\\new and \\N and \\. and \\x41 stay as they are", 0, 0, false, false},
    {"random", "1434567950.000700", "U0OLD00002", "snow \u2603, caf\u00e9, \U0001F680 and \U0001F469\u200D\U0001F680", 0, 0, false, false},
    {"random", "1434567960.000800", "U0OLD00001", "the corrected text", 0, 0, true, false},
    {"board", "1434567970.000900", "U0OLD00002", "", 0, 0, false, true},
    {"board", "1434567980.001000", "U0OLD00001", "$$dollars$$ and $tag$tags$tag$; -- no comment; /* nor this */", 0, 0, false, false},
    {"board", "1434567990.001100", "U0OLD00002", "see the map (https://example.com/roads?a=1&b=2) and @ada l.", 0, 1, false, false},
};

static void check_eleven(struct br_home *home)
{
    struct br_workspace *ws;
    struct br_error err = {0};
    assert_int_equal(br_workspace_open(home, "old", &ws, &err), 0);
    for (size_t i = 0; i < sizeof eleven / sizeof *eleven; i++) {
        struct br_messages m = {0};
        char id[64];
        snprintf(id, sizeof id, "%s:%s", eleven[i].channel, eleven[i].ts);
        if (br_context_messages(ws, id, 0, &m, &err))
            fail_msg("%s: %s", id, err.message);
        assert_int_equal(m.count, 1);
        assert_string_equal(m.items[0].text, eleven[i].text);
        assert_string_equal(m.items[0].user_id, eleven[i].user);
        assert_int_equal(m.items[0].thread_ts, eleven[i].thread_ts);
        assert_int_equal(m.items[0].reactions_total, eleven[i].reactions);
        assert_int_equal(m.items[0].is_edited, eleven[i].edited);
        assert_int_equal(m.items[0].is_deleted, eleven[i].deleted);
        br_messages_free(&m);
    }
    struct br_search_results r = {0};
    assert_int_equal(br_search(ws, "\"road layers\"", NULL, &r, &err), 0);
    assert_int_equal(r.count, 1);
    br_search_results_free(&r);
    br_workspace_close(ws);
}

static void the_eleven_come_over(void **state)
{
    static const char *const forms[] = {"sql", "db"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        char path[1024], relative[64], home_name[32];
        snprintf(relative, sizeof relative, "tests/data/legacy/eleven.%s", forms[i]);
        snprintf(home_name, sizeof home_name, "eleven-%s", forms[i]);
        e2e_source_path(path, sizeof path, relative);
        struct br_home *home = e2e_home(in_scratch(home_name), model);
        struct br_migrate_report *r = migrate(home, path);
        assert_int_equal(r->import.messages_seen, 11);
        assert_int_equal(r->import.messages_new, 11);
        assert_int_equal(r->import.users, 3);
        assert_int_equal(r->import.channels, 3);
        assert_int_equal(r->import.reactions, 5);
        assert_int_equal(r->import.threads, 1);
        assert_string_equal(r->backup, "");
        assert_int_equal(strncmp(r->import.workspace, "NAME-", 5), 0);
        assert_int_equal(r->unmapped, i == 0); /* the row of alembic_version */
        assert_int_equal(r->n_places, i == 0 ? 2 : 0);
        if (i == 0)
            assert_string_equal(r->places[0], "eleven.sql: alembic_version, line 42: rows of a table that is not taken over");
        free(r);
        check_eleven(home);
        assert_int_equal(e2e_files_with(in_scratch(home_name), "confidential plan"), 0); /* deleted is deleted */
        assert_true(e2e_files_with(in_scratch(home_name), "corrected text") > 0);
        /* again: nothing new, and what was there is in a backup that can be restored */
        r = migrate(home, path);
        assert_int_equal(r->import.messages_new + r->import.messages_updated + r->import.messages_deleted + r->import.embedded, 0);
        assert_int_equal(r->import.messages_unchanged, 11);
        assert_true(r->backup[0] && access(r->backup, R_OK) == 0);
        struct br_home *other = e2e_home(in_scratch(i ? "restored-db" : "restored-sql"), model);
        struct br_backup_report b;
        struct br_error err = {0};
        if (br_restore(other, r->backup, NULL, NULL, &b, &err))
            fail_msg("%s", err.message);
        check_eleven(other);
        free(r);
        br_home_close(home);
        br_home_close(other);
    }
}

/* --- SQL as it is written --- */

struct seen {
    struct br_buf b;
};

static enum br_rc see_table(void *ctx, const char *name, const char *const *columns, size_t n, uint64_t line, bool *want, struct br_err *err)
{
    struct seen *s = ctx;
    (void)err;
    br_buf_addf(&s->b, "%s@%llu(", name, (unsigned long long)line);
    for (size_t i = 0; columns && i < n; i++)
        br_buf_addf(&s->b, "%s%s", i ? "," : "", columns[i]);
    br_buf_adds(&s->b, ")");
    *want = true;
    return BR_OK;
}

static enum br_rc see_row(void *ctx, const struct br_sql_value *values, size_t n, uint64_t line, struct br_err *err)
{
    struct seen *s = ctx;
    (void)err;
    br_buf_addf(&s->b, " %llu:", (unsigned long long)line);
    for (size_t i = 0; i < n; i++)
        br_buf_addf(&s->b, "%s%s", i ? "|" : "", values[i].text ? values[i].text : "NULL");
    return BR_OK;
}

static enum br_rc see_bad(void *ctx, const char *table, uint64_t line, const char *why, struct br_err *err)
{
    struct seen *s = ctx;
    (void)err;
    (void)why;
    br_buf_addf(&s->b, " bad %s@%llu", table, (unsigned long long)line);
    return BR_OK;
}

static enum br_rc read_sql(const char *sql, size_t n, struct seen *s)
{
    const struct br_sql_rows rows = {.ctx = s, .table = see_table, .row = see_row, .bad = see_bad};
    struct br_err err = {0};
    FILE *f = fopen(in_scratch("x.sql"), "wb");
    assert_int_equal(fwrite(sql, 1, n, f), n);
    fclose(f);
    br_buf_init(&s->b, 1 << 24);
    enum br_rc rc = br_sql_read(in_scratch("x.sql"), &rows, &err);
    if (rc != BR_OK)
        br_buf_addf(&s->b, " ERROR %s", err.msg);
    assert_null(strchr(err.msg, '\n'));
    return rc;
}

static void sql_is_read_as_postgresql_does(void **state)
{
    static const struct {
        const char *sql, *want;
    } cases[] = {
        {"INSERT INTO t VALUES ('it''s', E'a\\'b\\\\c\\n\\x41\\101\\u00e9\\U0001F680', 'a\\nb', NULL);", "t@1() 1:it's|a'b\\c\nAA\u00e9\U0001F680|a\\nb|NULL"},
        {"SET standard_conforming_strings = off;\nINSERT INTO t VALUES ('a\\nb');", "t@2() 2:a\nb"},
        {"INSERT INTO public.\"T x\" (\"A b\", c) VALUES ($$it's; --$$, $q$a$$b$q$), (-1.5, +2);", "T x@1(A b,c) 1:it's; --|a$$b 1:-1.5|2"},
        {"INSERT INTO t(a) VALUES ('x'::character varying(20)), ('2020-01-01'::timestamp with time zone), ('{a}'::text[]);",
         "t@1(a) 1:x 1:2020-01-01 1:{a}"},
        {"INSERT INTO t(a) VALUES (ARRAY['u''1', 'u\"2']::text[], true, FALSE, DEFAULT, 1e-3);", "t@1(a) 1:{\"u'1\",\"u\\\"2\"}|t|f|NULL|1e-3"},
        {"INSERT INTO t(a) VALUES (1),\n(now()),\n(lower('A(') || ')'),\n(2) ON CONFLICT DO NOTHING;", "t@1(a) 1:1 bad t@2 bad t@3 4:2"},
        {"INSERT INTO t SELECT 1; INSERT INTO t VALUES (1);", "t@1() bad t@1t@1() 1:1"},
        {"/* a /* b */ INSERT INTO t VALUES (0); */ -- INSERT\nINSERT INTO t OVERRIDING SYSTEM VALUE VALUES ('a'\n 'b');", "t@2() 2:ab"},
        {"CREATE TABLE IF NOT EXISTS s.t (id int PRIMARY KEY, \"B\" numeric(3,1) DEFAULT (1), CONSTRAINT c CHECK (id > 0), PRIMARY KEY (id));"
         "insert into t values(1, 2)",
         "t@1(id,B) 1:1|2"},
        {"COPY s.t (a, b) FROM stdin;\na\\tb\\\\\\n\t\\N\n\t\\\\N\n\\x41\\101\\v|\t\\.\\\n\n\\.\nINSERT INTO t VALUES (1);",
         "t@1(a,b) 2:a\tb\\\n|NULL 3:|\\N 4:AA\v||.\nt@7() 7:1"},
        {"COPY t (a) FROM stdin WITH (FORMAT csv);\n1,2\n\\.\nCOPY u TO stdout;", "t@1(a) bad t@1"},
        {"CREATE FUNCTION f() AS $body$ INSERT INTO t VALUES (1); $body$;\n\\connect x; INSERT\nINSERT INTO t VALUES (U&'\\00e9\\+01F680');",
         "t@3() 3:\u00e9\U0001F680"},
        {"COPY t (a) FROM stdin;\r\n1\t2\r\n\\.\r\n", "t@1(a) 2:1|2"},
        {"COPY t (a) FROM stdin;\n1\n2", "t@1(a) 2:1 ERROR"},
        {"INSERT INTO t VALUES ('abc", "t@1() ERROR"},
        {"SET client_encoding = 'LATIN1';", " ERROR"},
        {"PGDMP\1\2", " ERROR"},
        {"", ""},
        {";;;'", " ERROR"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seen s;
        (void)read_sql(cases[i].sql, strlen(cases[i].sql), &s);
        size_t n = strlen(cases[i].want);
        bool error = n >= 5 && strcmp(cases[i].want + n - 5, "ERROR") == 0;
        if (error ? strncmp(br_buf_str(&s.b), cases[i].want, n) != 0 : strcmp(br_buf_str(&s.b), cases[i].want) != 0)
            fail_msg("%s\ngave   %s\nwanted %s", cases[i].sql, br_buf_str(&s.b), cases[i].want);
        br_buf_free(&s.b);
    }
}

/* The same random values through COPY and through INSERT, and cut anywhere without harm. */
static void random_values_survive_both_forms(void **state)
{
    static const char alphabet[] = "ab'\\\"$\n\t\r;-{}N.x41, \v\f\b/*:";
    unsigned seed = 11;
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct br_buf copy, insert, want;
        struct seen a, b;
        br_buf_init(&copy, 1 << 20);
        br_buf_init(&insert, 1 << 20);
        br_buf_init(&want, 1 << 20);
        br_buf_adds(&copy, "COPY t (a,b) FROM stdin;\n");
        br_buf_adds(&insert, "INSERT INTO t (a,b) VALUES (");
        br_buf_adds(&want, "|");
        for (int v = 0; v < 2; v++) {
            size_t len = (size_t)(rand_r(&seed) % 12);
            br_buf_adds(&copy, v ? "\t" : "");
            br_buf_adds(&insert, v ? ",E'" : "'");
            for (size_t i = 0; i < len; i++) {
                char c = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
                static const char specials[] = "\b\f\n\r\t\v\\", letters[] = "bfnrtv\\";
                const char *special = strchr(specials, c);
                br_buf_adds(&copy, special ? "\\" : "");
                br_buf_addc(&copy, special ? letters[special - specials] : c);
                if (c == '\'' || (v && c == '\\'))
                    br_buf_addc(&insert, c);
                br_buf_addc(&insert, c);
                br_buf_addc(&want, c);
            }
            br_buf_adds(&insert, "'");
            br_buf_adds(&want, "|");
        }
        br_buf_adds(&copy, "\n\\.\n");
        br_buf_adds(&insert, ");");
        assert_int_equal(read_sql(copy.data, copy.len, &a), BR_OK);
        assert_int_equal(read_sql(insert.data, insert.len, &b), BR_OK);
        br_buf_truncate(&want, want.len - 1);
        const char *in_copy = strchr(br_buf_str(&a.b), ':'), *in_insert = strchr(br_buf_str(&b.b), ':');
        assert_string_equal(in_copy + 1, br_buf_str(&want) + 1);
        assert_string_equal(in_insert + 1, br_buf_str(&want) + 1);
        br_buf_free(&a.b);
        br_buf_free(&b.b);
        for (size_t cut = 0; cut < insert.len; cut += 3) {
            (void)read_sql(insert.data, cut, &b);
            br_buf_free(&b.b);
        }
        br_buf_free(&copy);
        br_buf_free(&insert);
        br_buf_free(&want);
    }
}

static void moments_are_understood(void **state)
{
    static const struct {
        const char *text;
        int64_t us; /* -1: not understood */
        bool exact;
    } cases[] = {{"1434567890.000100", 1434567890000100, true},
                 {"1434567890.0001", 1434567890000100, true},
                 {"1434567890.0001000", 1434567890000100, true},
                 {"1434567890", 1434567890000000, false},
                 {"1434567890123", 1434567890123000, false},
                 {"1434567890000100", 1434567890000100, false},
                 {"1.43456789e9", 1434567890000000, false},
                 {"2015-06-17 19:04:50.0001+00", 1434567890000100, false},
                 {"2015-06-17T19:04:50.000100Z", 1434567890000100, false},
                 {"2015-06-18 00:34:50.0001+05:30", 1434567890000100, false},
                 {"2015-06-17 11:04:50.0001-0800", 1434567890000100, false},
                 {"2015-06-17 19:04", 1434567840000000, false},
                 {"2015-06-17", 1434499200000000, false},
                 {"2015-13-17", -1, false},
                 {"yesterday", -1, false},
                 {"12 monkeys", -1, false},
                 {"99999999999999999999", -1, false},
                 {"", -1, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us = 0;
        bool exact, ok = br_when_parse(cases[i].text, &us, &exact);
        if (ok != (cases[i].us >= 0) || (ok && (us != cases[i].us || exact != cases[i].exact)))
            fail_msg("%s: %d %lld %d", cases[i].text, ok, (long long)us, exact);
    }
}

/* --- What cannot be taken over is named --- */

static void what_is_left_behind_is_named(void **state)
{
    static const char sql[] = "CREATE TABLE messages (id int, channel text, author_id text, created_at timestamptz, body text, parent_id int);\n"
                              "INSERT INTO messages VALUES (1, 'general', 'U1', '2020-01-01 10:00:00+00', 'one', NULL);\n"
                              "INSERT INTO messages VALUES (2, 'general', 'U1', '2020-01-01 10:00:00+00', 'two at the same time', 1);\n"
                              "INSERT INTO messages VALUES (3, NULL, 'U1', '2020-01-01 10:00:00+00', 'nowhere', NULL);\n"
                              "INSERT INTO messages VALUES (4, 'general', 'U1', 'once', 'no time', NULL);\n"
                              "INSERT INTO messages VALUES (5, 'general', 'U1', now(), 'an expression', NULL);\n"
                              "INSERT INTO messages VALUES (6, 'general');\n"
                              "INSERT INTO message_reactions (message_id, emoji, count) VALUES (1, ':tada:', 3), (99, 'x', 1);\n"
                              "INSERT INTO settings VALUES (1);\n";
    static const char *const want[] = {"named.sql: messages, line 6: a value that is an expression",
                                       "named.sql: messages, line 7: a row with more or fewer values than columns",
                                       "named.sql: settings, line 9: rows of a table that is not taken over",
                                       "named.sql: messages, line 3: ",
                                       "named.sql: messages, line 4: a message without a channel",
                                       "named.sql: messages, line 5: a message without a time",
                                       "named.sql: reactions, line 8: a reaction to a message that is not there"};
    FILE *f = fopen(in_scratch("named.sql"), "w");
    (void)state;
    fputs(sql, f);
    fclose(f);
    struct br_home *home = e2e_home(in_scratch("named"), model);
    struct br_migrate_report *r = migrate(home, in_scratch("named.sql"));
    assert_int_equal(r->import.messages_seen, 2); /* the same time, and yet two */
    assert_int_equal(r->import.replies, 1);
    assert_int_equal(r->import.reactions, 3);
    assert_int_equal(r->unmapped, 6);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        bool found = i == 3; /* the one that did come */
        for (size_t k = 0; k < r->n_places; k++)
            found = i == 3 ? found && strncmp(r->places[k], want[i], strlen(want[i])) != 0 : found || strcmp(r->places[k], want[i]) == 0;
        if (!found)
            fail_msg("%s", want[i]);
    }
    free(r);
    r = migrate(home, in_scratch("named.sql"));
    assert_int_equal(r->import.messages_new + r->import.messages_updated, 0);
    free(r);
    br_home_close(home);
}

static void refuse(const char *bytes, int status)
{
    struct br_error err = {0};
    struct br_migrate_report *r = calloc(1, sizeof *r);
    struct br_workspace_names names;
    struct br_home *home = e2e_home(in_scratch("refusing"), model);
    FILE *f = fopen(in_scratch("refused"), "w");
    fputs(bytes, f);
    fclose(f);
    const struct br_import_options o = {.name = "old"};
    assert_int_equal(br_migrate(home, in_scratch("refused"), NULL, &o, r, &err), status);
    assert_true(err.message[0] && !strchr(err.message, '\n'));
    assert_int_equal(br_home_workspaces(home, &names, &err), 0);
    assert_int_equal(names.count, 0);
    br_workspace_names_free(&names);
    br_home_close(home);
    free(r);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    refuse("", BR_STATUS_BAD_DATA);
    refuse("PGDMP", BR_STATUS_BAD_DATA);
    refuse("SQLite format 3", BR_STATUS_BAD_DATA);
    refuse("{\"a\": 1}", BR_STATUS_BAD_DATA);
    refuse("CREATE TABLE users (id int);", BR_STATUS_BAD_DATA);
    refuse("COPY messages (id, channel, ts, text) FROM stdin;\n1\tC1\t1.1\tcut", BR_STATUS_BAD_DATA);
    refuse("INSERT INTO messages (a, b) VALUES (1, 2);", BR_STATUS_BAD_DATA);
}

/* --- A hundred thousand --- */

#ifdef __SANITIZE_ADDRESS__
#define MANY 10000 /* the shadow memory makes it slow */
#else
#define MANY 100000
#endif
#define MANY_CHANNELS 20
#define MANY_THREAD 50 /* messages to a thread */
#define MEMORY_MAX_KIB (300 * 1024)

static void many_text(int i, char text[128])
{
    static const char *const words[] = {"road", "lake", "layer", "map", "query", "deploy", "lunch", "index"};
    if (i % 10 > 1) { /* nothing to embed: what is tested here is the way, and not the model */
        snprintf(text, 128, "... \\ !");
        return;
    }
    snprintf(text, 128, "%s %s %s, it's \\ line %d", words[i % 8], words[i / 8 % 8], words[i / 64 % 8], i % 5000);
}

static void write_many_sql(const char *path)
{
    FILE *f = fopen(path, "w");
    fputs("COPY public.reactions (id, message_id, user_id, emoji) FROM stdin;\n", f);
    for (int i = 0; i < MANY; i += 10)
        fprintf(f, "%d\t%d\t%d\ttada\n", i, i + 1, i % 50);
    fputs("\\.\nCOPY public.messages (id, channel_id, user_id, ts, thread_ts, text) FROM stdin;\n", f);
    for (int i = 0; i < MANY; i++) {
        char text[128], *slash, thread[40] = "\\N";
        many_text(i, text);
        slash = strchr(text, '\\');
        if (i % MANY_THREAD == 1)
            snprintf(thread, sizeof thread, "%d.000100", 1434000000 + i - 1);
        fprintf(f, "%d\t%d\t%d\t%d.000100\t%s\t%.*s\\%s\n", i + 1, i / MANY_THREAD % MANY_CHANNELS, i % 50, 1434000000 + i, thread, (int)(slash - text), text, slash);
    }
    fputs("\\.\nINSERT INTO public.channels (id, slack_id, name) VALUES\n", f);
    for (int i = 0; i < MANY_CHANNELS; i++)
        fprintf(f, "(%d, 'C0MANY%03d', 'channel-%d')%s\n", i, i, i, i + 1 < MANY_CHANNELS ? "," : ";");
    for (int i = 0; i < 50; i++)
        fprintf(f, "INSERT INTO public.users (id, slack_id, name) VALUES (%d, 'U0MANY%03d', 'user-%d');\n", i, i, i);
    fclose(f);
}

static void write_many_db(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "CREATE TABLE channels(id TEXT, name TEXT); CREATE TABLE users(id TEXT, name TEXT);"
                                  "CREATE TABLE messages(id INTEGER PRIMARY KEY, channel_id TEXT, user_id TEXT, ts TEXT, parent_id INTEGER, text TEXT);"
                                  "CREATE TABLE reactions(message_id INTEGER, user_id TEXT, emoji TEXT); BEGIN;"
                                  "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 49)"
                                  " INSERT INTO users SELECT printf('U0MANY%03d', i), printf('user-%d', i) FROM n;"
                                  "INSERT INTO channels SELECT replace(id, 'U', 'C'), replace(name, 'user', 'channel') FROM users LIMIT 20",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO messages VALUES(?1, printf('C0MANY%03d', ?2), printf('U0MANY%03d', ?3), ?4 || '.000100', ?5, ?6)",
                                        -1, &st, NULL),
                     SQLITE_OK);
    for (int i = 0; i < MANY; i++) {
        char text[128];
        many_text(i, text);
        sqlite3_reset(st);
        sqlite3_clear_bindings(st);
        sqlite3_bind_int(st, 1, i + 1);
        sqlite3_bind_int(st, 2, i / MANY_THREAD % MANY_CHANNELS);
        sqlite3_bind_int(st, 3, i % 50);
        sqlite3_bind_int(st, 4, 1434000000 + i);
        if (i % MANY_THREAD == 1)
            sqlite3_bind_int(st, 5, i);
        sqlite3_bind_text(st, 6, text, -1, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    }
    sqlite3_finalize(st);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO reactions SELECT id, user_id, 'tada' FROM messages WHERE id % 10 = 1; COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* In a process of its own, whose memory is then known. */
static void many_come_over(const char *file, const char *home_name)
{
    struct rusage usage;
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct br_home *home = e2e_home(in_scratch(home_name), model);
        struct br_migrate_report *r = calloc(1, sizeof *r);
        struct br_error err = {0};
        const struct br_import_options o = {.name = "many"};
        if (br_migrate(home, in_scratch(file), NULL, &o, r, &err)) {
            fprintf(stderr, "%s\n", err.message);
            _exit(1);
        }
        bool ok = r->import.messages_new == MANY && r->import.users == 50 && r->import.channels == 20 && r->import.threads == MANY / MANY_THREAD &&
                  r->import.reactions == MANY / 10 && r->unmapped == 0;
        if (!ok)
            fprintf(stderr, "%llu messages, %llu users, %llu channels, %llu threads, %llu reactions, %llu unmapped\n",
                    (unsigned long long)r->import.messages_new, (unsigned long long)r->import.users, (unsigned long long)r->import.channels,
                    (unsigned long long)r->import.threads, (unsigned long long)r->import.reactions, (unsigned long long)r->unmapped);
        printf("%s: %d messages in %.1f s\n", file, MANY, r->import.seconds);
        fflush(stdout);
        _exit(ok ? 0 : 2);
    }
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    printf("%s: %ld MiB at most\n", file, usage.ru_maxrss / 1024);
#ifndef __SANITIZE_ADDRESS__
    assert_true(usage.ru_maxrss < MEMORY_MAX_KIB);
#endif
}

static void a_hundred_thousand_come_over_in_bounded_memory(void **state)
{
    (void)state;
    write_many_sql(in_scratch("many.sql"));
    write_many_db(in_scratch("many.db"));
    many_come_over("many.sql", "many-sql");
    many_come_over("many.db", "many-db");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_eleven_come_over),
        cmocka_unit_test(sql_is_read_as_postgresql_does),
        cmocka_unit_test(random_values_survive_both_forms),
        cmocka_unit_test(moments_are_understood),
        cmocka_unit_test(what_is_left_behind_is_named),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(a_hundred_thousand_come_over_in_bounded_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
