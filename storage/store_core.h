/* store_core.h - the store handle, for the files that implement store.h. */
#ifndef BR_STORE_CORE_H
#define BR_STORE_CORE_H

#include "content_log.h"
#include "sql.h"
#include "store_int.h"
#include "vector_log.h"

#define BR_PATH_MAX 4096
#define BR_STORE_APPLICATION_ID 0x42726431 /* "Brd1" */
#define BR_STORE_USER_VERSION 1
#define BR_REGISTRY_APPLICATION_ID 0x42725231 /* "BrR1" */

/* The batch between begin and its end. */
struct br_txn {
    bool open, failed; /* failed: only rollback is left */
    uint64_t seq;      /* the journal row it will write */
    uint64_t next_content_id;
    uint64_t vector_tail, content_tail;     /* committed, at begin */
    uint64_t content_size, vectors_size;    /* of the files, at begin */
    uint64_t n_contents, n_kills;
};

struct br_store {
    const struct br_io *io;
    char *dir;
    enum br_store_mode mode;
    int lock_fd; /* -1 in a reader */
    sqlite3 *db;
    struct br_stmt_cache stmts;
    struct br_content_log content;
    struct br_vector_log vectors;
    char workspace_id[65];
    uint8_t uuid[16];
    uint32_t dim;
    uint64_t generation;
    bool logs_open;
    bool poisoned; /* a sync failed or a commit's outcome is unknown */
    bool fenced;   /* see commit.c */
    unsigned read_depth;
    struct br_txn txn;
};

bool br_workspace_id_ok(const char *id);
/* dir + "/" + name into out; BR_E_TOOBIG when it does not fit. */
BR_MUST_USE enum br_rc br_path(char out[BR_PATH_MAX], const char *dir, const char *name, struct br_err *err);
/* The row of table store as it is now. next_content_id may be NULL. */
BR_MUST_USE enum br_rc br_store_state(struct br_store *s, struct br_store_info *info, uint64_t *next_content_id,
                                      struct br_err *err);
/* store_read.c: may a graph file be called so? Names from rows are opened and removed only then. */
bool br_checkpoint_name_ok(const char *file);
/* wslock.c: the writer's lock; *fd is held until closed. create: make the file. */
BR_MUST_USE enum br_rc br_wslock(const struct br_io *io, const char *dir, bool create, int *fd, struct br_err *err);
/* A content row's columns first.. : offset, length, hash. */
BR_MUST_USE enum br_rc br_content_ref_of(struct br_store *s, sqlite3_stmt *st, int first, struct br_content_ref *ref,
                                         struct br_err *err);

#endif
