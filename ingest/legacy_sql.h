/* legacy_sql.h - the rows of a plain SQL dump (pg_dump), as a stream: COPY blocks and INSERT statements. */
#ifndef BR_LEGACY_SQL_H
#define BR_LEGACY_SQL_H

#include "base/base.h"

struct br_sql_value {
    const char *text; /* NUL-terminated, may hold NULs; NULL: SQL's NULL */
    size_t len;
};

struct br_sql_rows {
    void *ctx;
    /* Rows of this table come next. name: lower case unless quoted, without its schema. columns: NULL when no list was seen anywhere. line:
     * of the statement. *want false: its rows are only counted. */
    enum br_rc (*table)(void *ctx, const char *name, const char *const *columns, size_t n, uint64_t line, bool *want, struct br_err *err);
    /* Values are borrowed until it returns. */
    enum br_rc (*row)(void *ctx, const struct br_sql_value *values, size_t n, uint64_t line, struct br_err *err);
    /* A row, or a statement that would give rows, that is not understood. why: static. */
    enum br_rc (*bad)(void *ctx, const char *table, uint64_t line, const char *why, struct br_err *err);
};

/* BR_E_DATA: not a plain dump (and what to do), or cut off. */
BR_MUST_USE enum br_rc br_sql_read(const char *path, const struct br_sql_rows *rows, struct br_err *err);

#endif
