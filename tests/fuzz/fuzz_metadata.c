/* fuzz_metadata.c - a workspace whose metadata.db tells lies: rows with values no program wrote, rows that are gone, and bytes of the file changed.
 * Opened for reading, verified, searched, listed; the journal is followed; then written to.
 *
 * Input: u8 flags, u8 number of changed rows, then for each {u8 table, u8 column, u8 row, u8 kind, value}; the rest changes bytes of the file
 * (fuzz_change). Statements are made from the tables the database itself has, so they go on to work when the schema grows. */
#include "fuzz.h"

#include "engine_int.h"
#include "sim/disk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define METADATA "home/workspaces/" FUZZ_WORKSPACE "/metadata.db"
#define TABLES_MAX 64
#define COLUMNS_MAX 40
#define ROWS_CHANGED_MAX 12
#define BYTES_CHANGED_MAX 24

struct table {
    char name[64];
    char columns[COLUMNS_MAX][40];
    size_t n_columns;
    char key[400]; /* "a, b, c" */
};

/* ---- the tables there are, the shadow tables of FTS5 among them ---- */

static void read_columns(sqlite3 *db, struct table *t)
{
    sqlite3_stmt *st;
    BR_ASSERT(sqlite3_prepare_v2(db, "SELECT name, pk FROM pragma_table_info(?1)", -1, &st, NULL) == SQLITE_OK);
    sqlite3_bind_text(st, 1, t->name, -1, SQLITE_STATIC);
    while (sqlite3_step(st) == SQLITE_ROW && t->n_columns < COLUMNS_MAX) {
        const char *column = (const char *)sqlite3_column_text(st, 0);
        snprintf(t->columns[t->n_columns++], sizeof *t->columns, "%s", column);
        if (sqlite3_column_int(st, 1)) {
            size_t len = strlen(t->key);
            snprintf(t->key + len, sizeof t->key - len, "%s\"%s\"", len ? ", " : "", column);
        }
    }
    sqlite3_finalize(st);
    if (!t->key[0])
        strcpy(t->key, "rowid");
}

static const struct table *tables_of(sqlite3 *db, size_t *n)
{
    static struct table tables[TABLES_MAX];
    static size_t count;
    sqlite3_stmt *st;
    if (!count) {
        BR_ASSERT(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name", -1,
                                     &st, NULL) == SQLITE_OK);
        while (sqlite3_step(st) == SQLITE_ROW && count < TABLES_MAX) {
            struct table *t = &tables[count++];
            snprintf(t->name, sizeof t->name, "%s", (const char *)sqlite3_column_text(st, 0));
            read_columns(db, t);
        }
        sqlite3_finalize(st);
        BR_ASSERT(count < TABLES_MAX);
        tables[count] = (struct table){.name = "sqlite_schema"}; /* what the tables are is in a table, too */
        read_columns(db, &tables[count++]);
    }
    *n = count;
    return tables;
}

static void bind_value(sqlite3_stmt *st, struct fuzz_input *in)
{
    uint8_t kind = (uint8_t)fuzz_number(in, 1);
    struct fuzz_input piece;
    switch (kind % 6) {
    case 0:
        sqlite3_bind_int64(st, 1, fuzz_edge((uint8_t)fuzz_number(in, 1)));
        break;
    case 1:
        sqlite3_bind_int64(st, 1, (int64_t)fuzz_number(in, 8));
        break;
    case 2:
        sqlite3_bind_null(st, 1);
        break;
    case 3:
        sqlite3_bind_int64(st, 1, (int64_t)fuzz_number(in, 1));
        break;
    default:
        piece = fuzz_take(in, fuzz_number(in, 1));
        if (kind % 6 == 4)
            sqlite3_bind_text(st, 1, (const char *)piece.at, (int)piece.left, SQLITE_TRANSIENT);
        else
            sqlite3_bind_blob(st, 1, piece.at, (int)piece.left, SQLITE_TRANSIENT);
    }
}

/* A value of one row of one table, or the row itself. Whatever SQLite refuses does not happen. */
static void change_row(sqlite3 *db, struct fuzz_input *in)
{
    size_t n;
    const struct table *tables = tables_of(db, &n), *t = &tables[fuzz_number(in, 1) % n];
    size_t column = fuzz_number(in, 1) % (t->n_columns + 1), row = fuzz_number(in, 1);
    char sql[1400];
    sqlite3_stmt *st = NULL;
    if (column == t->n_columns)
        snprintf(sql, sizeof sql, "DELETE FROM \"%s\" WHERE (%s) IN (SELECT %s FROM \"%s\" LIMIT 1 OFFSET ?2) AND ?1 IS ?1", t->name, t->key, t->key,
                 t->name);
    else
        snprintf(sql, sizeof sql, "UPDATE OR REPLACE \"%s\" SET \"%s\" = ?1 WHERE (%s) IN (SELECT %s FROM \"%s\" LIMIT 1 OFFSET ?2)", t->name,
                 t->columns[column], t->key, t->key, t->name);
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK) {
        bind_value(st, in);
        sqlite3_bind_int64(st, 2, (int64_t)(row % 64));
        sqlite3_step(st);
    }
    sqlite3_finalize(st);
}

static void change(const struct fuzz_home *h, struct fuzz_input *in)
{
    char path[300];
    sqlite3 *db;
    size_t n, rows = fuzz_number(in, 1) % (ROWS_CHANGED_MAX + 1);
    snprintf(path, sizeof path, "%s/metadata.db", h->dir);
    if (rows) {
        BR_ASSERT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, sim_vfs_name()) == SQLITE_OK);
        sqlite3_exec(db, "PRAGMA ignore_check_constraints=ON; PRAGMA writable_schema=ON; BEGIN", NULL, NULL, NULL);
        for (size_t i = 0; i < rows && in->left; i++)
            change_row(db, in);
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        sqlite3_close(db);
    }
    if (!in->left)
        return;
    uint8_t *bytes = fuzz_home_read(h, METADATA, 4096, &n);
    size_t alloc = n + 4096;
    for (int i = 0; i < BYTES_CHANGED_MAX && in->left; i++)
        fuzz_change(in, bytes, &n, alloc);
    fuzz_home_write(h, METADATA, bytes, n);
    free(bytes);
}

/* ---- what is done with it ---- */

static void messages_free(struct br_messages *m, int status, const struct br_error *error)
{
    if (status)
        BR_ASSERT(error->message[0] && !strchr(error->message, '\n'));
    else
        br_messages_free(m);
}

static void list(struct br_workspace *ws)
{
    struct br_messages m;
    struct br_workspace_status st;
    struct br_error e = {0};
    int r = br_workspace_status(ws, &st, &e);
    if (r == 0)
        br_workspace_status_free(&st);
    messages_free(&m, br_channel_messages(ws, "general", 50, 0, 0, &m, &e), &e);
    messages_free(&m, br_top_messages(ws, NULL, 0, 0, 10, &m, &e), &e);
    messages_free(&m, br_thread_messages(ws, "C0GENERAL1:1704103208.000100", &m, &e), &e);
    messages_free(&m, br_context_messages(ws, "C0GENERAL1:1704103208.000100", 3, &m, &e), &e);
}

static void search(struct br_workspace *ws)
{
    static const struct {
        const char *query;
        enum br_search_mode mode;
    } searches[] = {{"build broke", BR_SEARCH_KEYWORD},
                    {"server data", BR_SEARCH_HYBRID},
                    {"in:general from:ada has::tada:", BR_SEARCH_KEYWORD},
                    {"lunch -server in:@ada", BR_SEARCH_HYBRID}};
    for (size_t i = 0; i < BR_COUNT(searches); i++) {
        const struct br_search_options o = {.mode = searches[i].mode, .n = 20};
        struct br_search_results r;
        struct br_error e = {0};
        if (br_search(ws, searches[i].query, &o, &r, &e) == 0)
            br_search_results_free(&r);
        else
            BR_ASSERT(e.message[0]);
    }
}

struct following {
    bool kills;
    uint64_t last, n;
};

static enum br_rc follow(void *ctx, const struct br_slot_change *c, struct br_err *err)
{
    struct following *f = ctx;
    (void)err;
    BR_ASSERT(f->n == 0 || c->added != f->kills || c->added == false);
    if (c->added && f->n)
        BR_ASSERT((int64_t)c->slot > (int64_t)f->last);
    f->kills = !c->added;
    f->last = c->slot;
    f->n++;
    return BR_OK;
}

static void read_changes(struct br_store *s)
{
    for (uint64_t after = 0; after < 8; after++) {
        struct following f = {0};
        struct br_err err = {0};
        uint64_t last;
        if (br_store_changes(s, after, &last, follow, &f, &err) != BR_OK)
            BR_ASSERT(err.msg[0]);
    }
}

static void verify(struct br_home *home, bool deep)
{
    struct br_verify_report report;
    struct br_error e = {0};
    if (br_verify(home, FUZZ_WORKSPACE, deep, &report, &e) == 0)
        BR_ASSERT(report.ok || report.first_problem[0]); /* what is wrong is said */
    else
        BR_ASSERT(e.message[0] && !strchr(e.message, '\n'));
}

static void read_all(struct br_home *home, bool deep)
{
    struct br_workspace *ws;
    struct br_error e = {0};
    verify(home, deep);
    if (br_workspace_open(home, FUZZ_WORKSPACE, &ws, &e) != 0)
        return;
    list(ws);
    search(ws);
    read_changes(ws->store);
    br_workspace_close(ws);
}

static float vector[FUZZ_DIM] = {1};

static enum br_rc put_passages(struct br_store *s, struct br_err *err)
{
    struct br_slack_thread_key keys[3];
    struct br_slack_passage p[] = {{.text = "ada: changed", .text_len = 12, .vector = vector}, {.text = "bob: other", .text_len = 10, .vector = vector}};
    size_t n;
    enum br_rc rc = br_slack_dirty_threads(s, keys, BR_COUNT(keys), &n, err);
    for (size_t i = 0; i < n && rc == BR_OK; i++) {
        p[0].first_ts = p[0].last_ts = p[1].first_ts = p[1].last_ts = keys[i].thread_ts;
        rc = br_slack_put_passages(s, &keys[i], p, 1 + i % 2, err);
    }
    return rc;
}

/* The next import: new messages, edits, replies, a tombstone, a deletion, passages, the graph. Refused or done, but never more. */
static void write_some(const struct fuzz_home *h)
{
    static const char *const reactors[] = {"U0BOB00001"};
    static const struct br_slack_reaction reaction = {.name = "eyes", .folded = "eyes", .count = 1, .users = reactors, .n_users = 1};
    static const struct br_slack_file file = {.id = "F2", .name = "b"};
    static const struct br_slack_channel channel = {.id = "C0GENERAL1", .name = "renamed", .freshness = 9};
    struct br_store *s;
    struct br_graph g = {0};
    struct br_err err = {0};
    enum br_slack_outcome outcome;
    enum br_rc rc = br_store_open(h->home->io, h->dir, BR_STORE_WRITE, &s, &err);
    bool deleted, wants, found;
    float copy[BR_DIM_MAX]; /* dim is what the row says */
    if (rc != BR_OK)
        return;
    br_store_sweep(s);
    for (int i = 0; i < 4; i++) {
        struct br_slack_message m = {.channel_id = "C0GENERAL1",
                                     .ts = 1704103200000100 + i * 4000000,
                                     .user_id = "U0ADA00001",
                                     .edited_ts = 1704203200000100,
                                     .thread_ts = i % 2 ? 1704103200000100 + i : 0,
                                     .cls = i == 3 ? BR_MSG_TOMBSTONE : BR_MSG_CONTENT,
                                     .reactions = &reaction,
                                     .n_reactions = (size_t)i % 2,
                                     .files = &file,
                                     .n_files = i == 2,
                                     .freshness = 1705000000000000,
                                     .text = i ? "changed" : "the build broke again 0",
                                     .text_len = i ? 7 : 23,
                                     .raw = "{}",
                                     .raw_len = 2,
                                     .needs_vector = i != 3};
        BR_TRY(br_store_begin(s, &err));
        BR_TRY(br_slack_put_channel(s, &channel, &err));
        BR_TRY(br_slack_wants_vector(s, &m, &wants, &err));
        BR_TRY(br_slack_put_message(s, &m, m.needs_vector ? vector : NULL, &outcome, &err));
        BR_TRY(br_slack_delete_message(s, "C0RANDOM01", m.ts + 2000000, m.ts + 9000000, &deleted, &err));
        BR_TRY(put_passages(s, &err));
        BR_TRY(br_store_vector_of_text(s, m.text, m.text_len, copy, &found, &err));
        BR_TRY(br_store_commit(s, NULL, &err));
    }
    br_graph_open(&g, h->home->io, s, NULL);
    BR_TRY(br_graph_follow(&g, s, &err));
    BR_TRY(br_graph_checkpoint(&g, h->home->io, s, &err));
err:
    br_store_rollback(s);
    br_graph_close(&g);
    br_store_close(s);
}

/* A file beside the others that nothing may touch, whatever a row names. */
static bool bystander_is_there(const struct fuzz_home *h)
{
    char path[300];
    struct br_io_stat st;
    snprintf(path, sizeof path, "%s/bystander", h->dir);
    return h->home->io->stat(h->home->io->ctx, path, &st) == 0 && st.size == 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t flags = (uint8_t)fuzz_number(&in, 1);
    struct fuzz_home h = fuzz_home_new();
    fuzz_home_write(&h, "home/workspaces/" FUZZ_WORKSPACE "/bystander", "alive", 5);
    change(&h, &in);
    read_all(h.home, flags & 2);
    if (flags & 1) {
        write_some(&h);
        verify(h.home, flags & 2);
    }
    BR_ASSERT(bystander_is_there(&h));
    fuzz_home_free(&h);
    return 0;
}
