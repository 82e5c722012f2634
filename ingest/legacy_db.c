/* legacy_db.c - finds the four tables of the old design, and brings a dump's rows to where they can be joined.
 *
 * The old file is attached read-only, its schema untrusted. A dump's tables come in any order (reactions before what they are about), so its
 * rows are first put into a temporary database: on disk, not in memory, and without a name. All of their columns are text. */
#include "legacy_db.h"

#include "base/buf.h"
#include "legacy_sql.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_COLUMN "line of the dump" /* no column of theirs is called this */

static const char *const synonyms[BR_OLD_TABLES] = {
    [BR_OLD_USERS] = " users user slack_users slack_user members ",
    [BR_OLD_CHANNELS] = " channels channel slack_channels slack_channel conversations ",
    [BR_OLD_MESSAGES] = " messages message slack_messages slack_message ",
    [BR_OLD_REACTIONS] = " reactions reaction message_reactions slack_reactions slack_message_reactions ",
};

static enum br_old_table table_of(const char *name)
{
    char word[72];
    int n = snprintf(word, sizeof word, " %s ", name);
    for (int i = 0; i < n && i < (int)sizeof word; i++)
        word[i] = (char)tolower((unsigned char)word[i]);
    for (int t = 0; t < BR_OLD_TABLES && n < (int)sizeof word && !strchr(name, ' '); t++)
        if (strstr(synonyms[t], word))
            return (enum br_old_table)t;
    return BR_OLD_TABLES;
}

/* A query is aborted for what failed elsewhere (memory, the disk), never for what the file holds. */
enum br_rc br_legacy_db_fail(struct br_legacy_db *d, struct br_err *err)
{
    int code = sqlite3_errcode(d->db) & 0xff;
    enum br_rc rc = code == SQLITE_NOMEM ? BR_E_NOMEM : code == SQLITE_FULL ? BR_E_NOSPC : code == SQLITE_BUSY ? BR_E_BUSY
                    : code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_ABORT ? BR_E_IO : BR_E_DATA;
    return br_fail(err, rc, "cannot read %s: %s", d->path, sqlite3_errmsg(d->db));
}

/* One statement after the other. */
static enum br_rc run(struct br_legacy_db *d, const char *sql, struct br_err *err)
{
    while (*sql) {
        sqlite3_stmt *st = NULL;
        int r = sqlite3_prepare_v2(d->db, sql, -1, &st, &sql);
        while (r == SQLITE_OK && st && sqlite3_step(st) == SQLITE_ROW)
            ;
        int end = sqlite3_finalize(st); /* the step's error */
        if (r != SQLITE_OK || end != SQLITE_OK)
            return br_legacy_db_fail(d, err);
    }
    return BR_OK;
}

enum br_rc br_legacy_db_prepare(struct br_legacy_db *d, sqlite3_stmt **out, struct br_err *err, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    char *sql = sqlite3_vmprintf(format, ap);
    va_end(ap);
    *out = NULL;
    if (!sql)
        return br_fail_nomem(err);
    int r = sqlite3_prepare_v2(d->db, sql, -1, out, NULL);
    sqlite3_free(sql);
    return r == SQLITE_OK ? BR_OK : br_legacy_db_fail(d, err);
}

/* --- Notes --- */

enum br_rc br_legacy_db_note(struct br_legacy_db *d, enum br_warning w, uint64_t n, const char *table, uint64_t at, const char *why,
                             struct br_err *err)
{
    sqlite3_stmt *st;
    char where[400];
    int len = snprintf(where, sizeof where, "%.120s", d->file);
    if (table)
        len += snprintf(where + len, sizeof where - (size_t)len, ": %.80s", table);
    if (at)
        len += snprintf(where + len, sizeof where - (size_t)len, ", %s %llu", d->place, (unsigned long long)at);
    snprintf(where + len, sizeof where - (size_t)len, ": %.100s", why);
    enum br_rc rc = br_legacy_db_prepare(d, &st, err, "INSERT INTO main.notes VALUES(?1, ?2, ?3)");
    if (rc != BR_OK)
        return rc;
    sqlite3_bind_int(st, 1, (int)w);
    sqlite3_bind_int64(st, 2, (int64_t)n);
    sqlite3_bind_text(st, 3, where, -1, SQLITE_STATIC);
    if (sqlite3_step(st) != SQLITE_DONE)
        rc = br_legacy_db_fail(d, err);
    sqlite3_finalize(st);
    return rc;
}

enum br_rc br_legacy_db_notes(struct br_legacy_db *d, void (*fn)(void *ctx, enum br_warning w, uint64_t n, const char *where), void *ctx,
                              struct br_err *err)
{
    sqlite3_stmt *st;
    int r;
    enum br_rc rc = br_legacy_db_prepare(d, &st, err, "SELECT code, n, place FROM main.notes ORDER BY rowid");
    if (rc != BR_OK)
        return rc;
    while ((r = sqlite3_step(st)) == SQLITE_ROW)
        fn(ctx, (enum br_warning)sqlite3_column_int(st, 0), (uint64_t)sqlite3_column_int64(st, 1), (const char *)sqlite3_column_text(st, 2));
    if (r != SQLITE_DONE)
        rc = br_legacy_db_fail(d, err);
    sqlite3_finalize(st);
    return rc;
}

/* --- A dump --- */

struct staging {
    struct br_legacy_db *d;
    enum br_old_table to; /* of the rows that come; BR_OLD_TABLES: they are only counted */
    char from[64];        /* their table's name in the dump */
    char source[BR_OLD_TABLES][64]; /* the name in the dump of what is staged */
    struct br_buf list;   /* the columns the statement was made for */
    enum br_old_table list_of;
    size_t n_columns;
    sqlite3_stmt *insert;
    uint64_t first_line, skipped; /* of rows that are only counted */
};

/* Rows of a table nobody knows: one note for all that stand together. */
static enum br_rc end_skipped(struct staging *s, struct br_err *err)
{
    enum br_rc rc = BR_OK;
    if (s->skipped)
        rc = br_legacy_db_note(s->d, BR_WARN_UNMAPPED_TABLE, s->skipped, s->from, s->first_line, "rows of a table that is not taken over", err);
    s->skipped = 0;
    return rc;
}

static enum br_rc has_column(struct br_legacy_db *d, const char *table, const char *column, bool *has, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc =
        br_legacy_db_prepare(d, &st, err, "SELECT 1 FROM pragma_table_info(%Q) WHERE name = %Q COLLATE NOCASE", table, column);
    int r = rc == BR_OK ? sqlite3_step(st) : SQLITE_DONE;
    *has = r == SQLITE_ROW;
    if (r != SQLITE_ROW && r != SQLITE_DONE)
        rc = br_legacy_db_fail(d, err);
    sqlite3_finalize(st);
    return rc;
}

static enum br_rc run_format(struct br_legacy_db *d, struct br_err *err, const char *format, const char *a, const char *b)
{
    char *sql = sqlite3_mprintf(format, a, b);
    enum br_rc rc = sql ? run(d, sql, err) : br_fail_nomem(err);
    sqlite3_free(sql);
    return rc;
}

/* The staged table with at least these columns, and the statement that fills it. */
static enum br_rc make_insert(struct staging *s, const char *const *columns, size_t n, struct br_err *err)
{
    static const char *const staged[BR_OLD_TABLES] = {"users", "channels", "messages", "reactions"};
    const char *table = staged[s->to];
    struct br_buf sql;
    enum br_rc rc = BR_OK;
    br_buf_init(&sql, 1 << 20);
    if (!s->d->names[s->to][0]) {
        BR_TRY(run_format(s->d, err, "CREATE TABLE main.\"%w\"(\"" LINE_COLUMN "\" INTEGER%s)", table, ""));
        snprintf(s->d->names[s->to], sizeof s->d->names[s->to], "%s", table);
    }
    for (size_t i = 0; i < n; i++) {
        bool has;
        BR_TRY(has_column(s->d, table, columns[i], &has, err));
        if (!has)
            BR_TRY(run_format(s->d, err, "ALTER TABLE main.\"%w\" ADD COLUMN \"%w\" TEXT", table, columns[i]));
    }
    br_buf_addf(&sql, "INSERT INTO main.\"%s\"(\"" LINE_COLUMN "\"", table);
    for (size_t i = 0; i < n; i++) {
        char *quoted = sqlite3_mprintf(", \"%w\"", columns[i]);
        if (!quoted)
            BR_TRY(br_fail_nomem(err));
        br_buf_adds(&sql, quoted);
        sqlite3_free(quoted);
    }
    br_buf_adds(&sql, ") VALUES(?");
    for (size_t i = 0; i < n; i++)
        br_buf_adds(&sql, ",?");
    br_buf_adds(&sql, ")");
    BR_TRY(br_buf_status(&sql, err));
    sqlite3_finalize(s->insert);
    s->insert = NULL;
    BR_TRY(br_legacy_db_prepare(s->d, &s->insert, err, "%s", br_buf_str(&sql)));
err:
    br_buf_free(&sql);
    return rc;
}

static enum br_rc on_table(void *ctx, const char *name, const char *const *columns, size_t n, uint64_t line, bool *want, struct br_err *err)
{
    struct staging *s = ctx;
    struct br_buf list;
    enum br_rc rc = BR_OK;
    if (strcmp(s->from, name) != 0) {
        rc = end_skipped(s, err);
        s->first_line = line;
    }
    if (rc != BR_OK)
        return rc;
    snprintf(s->from, sizeof s->from, "%s", name);
    s->to = table_of(name);
    if (s->to != BR_OLD_TABLES && s->source[s->to][0] && strcmp(s->source[s->to], name) != 0)
        s->to = BR_OLD_TABLES; /* a second table of that kind */
    *want = s->to != BR_OLD_TABLES;
    if (!*want)
        return BR_OK;
    if (!columns) {
        *want = false;
        s->to = BR_OLD_TABLES;
        return br_legacy_db_note(s->d, BR_WARN_UNMAPPED_ROW, 0, name, line, "columns whose names the dump does not tell", err);
    }
    snprintf(s->source[s->to], sizeof s->source[s->to], "%s", name);
    br_buf_init(&list, 1 << 20);
    for (size_t i = 0; i < n; i++)
        br_buf_addf(&list, "%s\n", columns[i]);
    BR_TRY(br_buf_status(&list, err));
    if (s->list_of != s->to || strcmp(br_buf_str(&list), br_buf_str(&s->list)) != 0) {
        s->list_of = BR_OLD_TABLES;
        BR_TRY(make_insert(s, columns, n, err));
        br_buf_reset(&s->list);
        br_buf_add(&s->list, list.data, list.len);
        BR_TRY(br_buf_status(&s->list, err));
        s->list_of = s->to;
        s->n_columns = n;
    }
err:
    br_buf_free(&list);
    return rc;
}

static enum br_rc on_row(void *ctx, const struct br_sql_value *values, size_t n, uint64_t line, struct br_err *err)
{
    struct staging *s = ctx;
    if (s->to == BR_OLD_TABLES) {
        s->skipped++;
        return BR_OK;
    }
    if (n != s->n_columns)
        return br_legacy_db_note(s->d, BR_WARN_UNMAPPED_ROW, 1, s->from, line, "a row with more or fewer values than columns", err);
    sqlite3_reset(s->insert);
    sqlite3_bind_int64(s->insert, 1, (int64_t)line);
    for (size_t i = 0; i < n; i++)
        if (values[i].text)
            sqlite3_bind_text64(s->insert, (int)i + 2, values[i].text, values[i].len, SQLITE_STATIC, SQLITE_UTF8);
        else
            sqlite3_bind_null(s->insert, (int)i + 2);
    return sqlite3_step(s->insert) == SQLITE_DONE ? BR_OK : br_legacy_db_fail(s->d, err);
}

static enum br_rc on_bad(void *ctx, const char *table, uint64_t line, const char *why, struct br_err *err)
{
    struct staging *s = ctx;
    return br_legacy_db_note(s->d, BR_WARN_UNMAPPED_ROW, 1, table, line, why, err);
}

static enum br_rc stage_dump(struct br_legacy_db *d, struct br_err *err)
{
    struct staging s = {.d = d, .to = BR_OLD_TABLES, .list_of = BR_OLD_TABLES};
    const struct br_sql_rows rows = {.ctx = &s, .table = on_table, .row = on_row, .bad = on_bad};
    enum br_rc rc;
    br_buf_init(&s.list, 1 << 20);
    BR_TRY(run(d, "BEGIN", err));
    BR_TRY(br_sql_read(d->path, &rows, err));
    BR_TRY(end_skipped(&s, err));
    sqlite3_finalize(s.insert);
    s.insert = NULL;
    BR_TRY(run(d, "COMMIT", err));
err:
    sqlite3_finalize(s.insert);
    br_buf_free(&s.list);
    return rc;
}

/* --- A SQLite file --- */

static enum br_rc attach(struct br_legacy_db *d, bool immutable, struct br_err *err)
{
    struct br_buf uri;
    sqlite3_stmt *st = NULL;
    enum br_rc rc;
    br_buf_init(&uri, 1 << 16);
    br_buf_adds(&uri, "file:");
    for (const unsigned char *p = (const unsigned char *)d->path; *p; p++)
        br_buf_addf(&uri, isalnum(*p) || strchr("/._-", *p) ? "%c" : "%%%02X", *p);
    br_buf_adds(&uri, immutable ? "?mode=ro&immutable=1" : "?mode=ro");
    BR_TRY(br_buf_status(&uri, err));
    BR_TRY(br_legacy_db_prepare(d, &st, err, "ATTACH %Q AS old", br_buf_str(&uri)));
    if (sqlite3_step(st) != SQLITE_DONE)
        BR_TRY(br_legacy_db_fail(d, err));
    sqlite3_finalize(st);
    st = NULL;
    rc = run(d, "SELECT count(*) FROM old.sqlite_master", err);
    if (rc != BR_OK)
        sqlite3_exec(d->db, "DETACH old", NULL, NULL, NULL);
err:
    sqlite3_finalize(st);
    br_buf_free(&uri);
    return rc;
}

static enum br_rc note_other_table(struct br_legacy_db *d, const char *name, struct br_err *err)
{
    sqlite3_stmt *st;
    enum br_rc rc = br_legacy_db_prepare(d, &st, err, "SELECT count(*) FROM old.\"%w\"", name);
    if (rc != BR_OK)
        return rc;
    uint64_t n = sqlite3_step(st) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return n ? br_legacy_db_note(d, BR_WARN_UNMAPPED_TABLE, n, name, 0, "rows of a table that is not taken over", err) : BR_OK;
}

static enum br_rc find_tables(struct br_legacy_db *d, struct br_err *err)
{
    sqlite3_stmt *st;
    int r = SQLITE_DONE;
    enum br_rc rc = br_legacy_db_prepare(d, &st, err,
                                         "SELECT name FROM old.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%%' ESCAPE '\\'"
                                         " AND sql NOT LIKE 'CREATE VIRTUAL%%' ORDER BY name");
    if (rc != BR_OK)
        return rc;
    while (rc == BR_OK && (r = sqlite3_step(st)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(st, 0);
        enum br_old_table t = table_of(name);
        if (t != BR_OLD_TABLES && !d->names[t][0])
            snprintf(d->names[t], sizeof d->names[t], "%s", name);
        else
            rc = note_other_table(d, name, err);
    }
    if (rc == BR_OK && r != SQLITE_DONE)
        rc = br_legacy_db_fail(d, err);
    sqlite3_finalize(st);
    return rc;
}

static enum br_rc open_file(struct br_legacy_db *d, struct br_err *err)
{
    struct br_err first = {0};
    enum br_rc rc = attach(d, false, &first);
    if (rc != BR_OK) { /* a write-ahead log that cannot be made here: only when there is none to be overlooked */
        char wal[4200];
        int n = snprintf(wal, sizeof wal, "%s-wal", d->path);
        if (n < 0 || (size_t)n >= sizeof wal || access(wal, F_OK) == 0 || attach(d, true, NULL) != BR_OK)
            return br_fail(err, rc, "%s", first.msg);
    }
    d->schema = "old";
    d->place = "row";
    return find_tables(d, err);
}

/* --- Opening --- */

static enum br_rc is_sqlite(const char *path, bool *is, struct br_err *err)
{
    char head[16];
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) /* it is read twice: a pipe's beginning would be gone */
        return br_fail(err, BR_E_DATA, "%s is no regular file: write the dump into one", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return br_fail_errno(err, errno, "cannot open %s", path);
    ssize_t n = read(fd, head, sizeof head);
    int e = errno;
    close(fd);
    if (n < 0)
        return br_fail_errno(err, e, "cannot read %s", path);
    *is = n == sizeof head && memcmp(head, "SQLite format 3", 16) == 0;
    return BR_OK;
}

enum br_rc br_legacy_db_open(const char *path, struct br_legacy_db *out, struct br_err *err)
{
    struct br_legacy_db d = {.schema = "main", .place = "line"};
    bool sqlite = false;
    enum br_rc rc;
    if (!(d.path = strdup(path)))
        return br_fail_nomem(err);
    d.file = strrchr(d.path, '/') ? strrchr(d.path, '/') + 1 : d.path;
    BR_TRY(is_sqlite(path, &sqlite, err));
    int r = sqlite3_open_v2("", &d.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
    if (!d.db)
        BR_TRY(br_fail_nomem(err));
    if (r != SQLITE_OK)
        BR_TRY(br_legacy_db_fail(&d, err));
    sqlite3_db_config(d.db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(d.db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(d.db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_busy_timeout(d.db, 5000);
    BR_TRY(run(&d,
               "PRAGMA main.journal_mode=OFF; PRAGMA main.synchronous=OFF; PRAGMA temp_store=FILE; PRAGMA main.cache_size=-16384;"
               "CREATE TABLE main.notes(code INTEGER, n INTEGER, place TEXT)",
               err));
    BR_TRY(sqlite ? open_file(&d, err) : stage_dump(&d, err));
    if (!d.names[BR_OLD_MESSAGES][0])
        BR_TRY(br_fail(err, BR_E_DATA, "%s has no table of messages: migrate takes a plain SQL dump or a SQLite file of the earlier design",
                       path));
    *out = d;
    return BR_OK;
err:
    br_legacy_db_close(&d);
    return rc;
}

void br_legacy_db_close(struct br_legacy_db *d)
{
    sqlite3_close(d->db);
    free(d->path);
    *d = (struct br_legacy_db){0};
}
