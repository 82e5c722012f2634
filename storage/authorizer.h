/* authorizer.h - what a reading connection may ask of SQLite: exactly the columns of our own schema, and no more. */
#ifndef BR_AUTHORIZER_H
#define BR_AUTHORIZER_H

#include "base/base.h"

#include <sqlite3.h>

struct br_rule {
    const char *table, *column; /* of a READ; a FUNCTION has table "" and its name as column */
};

/* The rules of one schema. Static storage, all zero but schemas; made once per process, then shared by its connections. */
struct br_guard {
    const char *const *const *schemas; /* NULL-terminated list of NULL-terminated lists of DDL statements */
    struct br_rule *rules;             /* sorted; never freed once made */
    char *names;                       /* what the rules point into */
    size_t n;
    bool ready;
};

/* Makes the rules if no one has yet. Any thread. */
BR_MUST_USE enum br_rc br_guard_prepare(struct br_guard *g, struct br_err *err);
/* Installs them on a connection that has prepared nothing yet. g is ready and outlives db. */
void br_guard_install(const struct br_guard *g, sqlite3 *db);
/* Bounds of every connection of ours, and the narrower ones of a guarded reader. */
void br_guard_limits(sqlite3 *db, bool reader);

#endif
