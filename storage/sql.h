/* sql.h - what storage/ needs from SQLite beyond its own interface: opening, error mapping, a statement cache. */
#ifndef BR_SQL_H
#define BR_SQL_H

#include "base/base.h"
#include "base/io.h"
#include "index.h"
#include "term_counts.h"

#include <sqlite3.h>

#define BR_SQL_CACHE_SIZE "-16384" /* of every connection; negative: KiB */
#define BR_SQL_BUSY_MS 5000 /* readers wait this long for another connection's recovery or last checkpoint */

enum br_sql_mode {
    BR_SQL_READ,
    BR_SQL_IMMUTABLE, /* read without locks or WAL: only for media nobody can write */
    BR_SQL_ALONE,     /* read with the WAL index in memory, which shuts every other connection out meanwhile: for a full disk */
    BR_SQL_WRITE,
    BR_SQL_CREATE
};

/* Opens path and sets what every connection of ours has. The file may turn out unreadable only at its first use. */
BR_MUST_USE enum br_rc br_sql_open(const struct br_io *io, const char *path, enum br_sql_mode mode, sqlite3 **out,
                                   struct br_err *err);
/* For the SQL function in_bitmap(n, ?i) that every connection has; borrowed until the reset. */
void br_sql_bind_bitmap(sqlite3_stmt *st, int i, const struct br_bitmap *b);
/* The same with an authorizer (authorizer.h) from before the first statement to the end; for the reading modes. guard lives on. */
struct br_guard;
BR_MUST_USE enum br_rc br_sql_open_guarded(const struct br_io *io, const char *path, enum br_sql_mode mode,
                                           struct br_guard *guard, sqlite3 **out, struct br_err *err);
/* An empty database in memory, touching no file. */
BR_MUST_USE enum br_rc br_sql_open_memory(sqlite3 **out, struct br_err *err);
/* From the connection's last error; path may be NULL. */
enum br_rc br_sql_fail(sqlite3 *db, struct br_err *err, const char *path, const char *what);
BR_MUST_USE enum br_rc br_sql_exec(sqlite3 *db, const char *sql, const char *path, struct br_err *err);
/* VACUUM. The plain statement is refused on every connection of ours: it attaches its copy, and nothing else may attach anything. */
BR_MUST_USE enum br_rc br_sql_vacuum(sqlite3 *db, const char *path, struct br_err *err);
/* The first column of the first row; 0 when there is no row. */
BR_MUST_USE enum br_rc br_sql_int(sqlite3 *db, const char *sql, const char *path, int64_t *out, struct br_err *err);

/* SQLite's own check of the whole file; quick: without indexes against their tables. What it finds is no error: problem (256 bytes) tells, in one
 * line, and is "" when the file is sound. An error is what says nothing of the file: no memory, a read that failed, somebody else's lock. */
BR_MUST_USE enum br_rc br_sql_check(sqlite3 *db, bool quick, const char *path, char problem[256], struct br_err *err);

/* --- term_counts.c --- */
/* Gives a connection the FTS5 function term_counts(table, ?), to be selected from a MATCH: each row is added to what is bound. */
BR_MUST_USE enum br_rc br_term_counts_install(sqlite3 *db, struct br_err *err);
void br_term_counts_bind(sqlite3_stmt *st, int i, struct br_term_counts *c); /* borrowed until the reset */
/* The same, to learn at the first row how rare the phrases are. */
void br_term_rarity_bind(sqlite3_stmt *st, int i, struct br_term_rarity *r);
/* The same, of a MATCH of one phrase, until p is complete or there are no more rows. */
void br_postings_bind(sqlite3_stmt *st, int i, struct br_postings *p);

/* Prepared statements by the address of their SQL text. */
struct br_stmt_cache {
    struct br_stmt_entry {
        const char *sql;
        sqlite3_stmt *st;
    } *entries;  /* open addressing */
    size_t n, alloc; /* alloc: a power of two */
};
BR_MUST_USE enum br_rc br_stmt_cache_get(struct br_stmt_cache *c, sqlite3 *db, const char *sql, const char *path,
                                         sqlite3_stmt **out, struct br_err *err);
void br_stmt_cache_free(struct br_stmt_cache *c);

#endif
