/* store_core.h - the store handle, for the files that implement store.h. */
#ifndef BR_STORE_CORE_H
#define BR_STORE_CORE_H

#include "content_log.h"
#include "sql.h"
#include "store_int.h"
#include "text_slots.h"
#include "vector_log.h"

#define BR_PATH_MAX 4096
#define BR_STORE_APPLICATION_ID 0x42726431 /* "Brd1" */
#define BR_STORE_USER_VERSION 4 /* of the schema; see store_migrate.c */
#define BR_STORE_USER_VERSION_MAX 1000 /* no version from a file is believed past it: that is damage, for repair */
#define BR_REGISTRY_APPLICATION_ID 0x42725231 /* "BrR1" */

/* The batch between begin and its end. */
struct br_txn {
    bool open, failed; /* failed: only rollback is left */
    bool erasing;      /* what it kills is queued for erasure */
    uint64_t seq;      /* the journal row it will write */
    uint64_t next_content_id;
    uint64_t vector_tail, content_tail;     /* committed, at begin */
    uint64_t content_size, vectors_size;    /* of the files, at begin */
    uint64_t n_contents, n_kills;
    int rows_changed; /* sqlite3_total_changes when nothing of the store was changed yet */
};

/* Of metadata.db-wal, as a writer knows it (wal_ahead.c); bytes. */
struct br_wal {
    uint64_t page;        /* of the database */
    uint64_t end, last;   /* of its frames, and what the last commit added */
    uint64_t total;       /* through this handle */
    uint64_t grown;       /* the file's size when it was grown last; 0 not yet */
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
    int schema_version; /* of metadata.db: in a reader, and in a writer that is being opened, it may be older than BR_STORE_USER_VERSION */
    bool logs_open;
    bool poisoned; /* a sync failed or a commit's outcome is unknown */
    bool fenced;   /* see commit.c */
    unsigned read_depth;
    bool in_snapshot;          /* read_depth > 0, and not within a transaction of our own */
    struct br_store_info seen; /* the row of table store in that snapshot */
    struct br_txn txn;
    struct br_wal wal;
    struct br_text_slots texts;
};

/* Whatever transaction or snapshot is open on the connection ends, undone. Made ready before one begins: ending must not need memory. */
BR_MUST_USE enum br_rc br_store_ready_to_end(struct br_store *s, struct br_err *err);
void br_store_end_sql(struct br_store *s);

bool br_workspace_id_ok(const char *id);
/* dir + "/" + name into out; BR_E_TOOBIG when it does not fit. */
BR_MUST_USE enum br_rc br_path(char out[BR_PATH_MAX], const char *dir, const char *name, struct br_err *err);
/* store_read.c: no transaction of an earlier writer can come to life any more (the fence, commit.c). Writes one where that is open. */
bool br_store_settled(struct br_store *s);
/* 1 or 0, or a negative errno. Without a store row beside them: it was lost (1), or the workspace is being made (0). */
int br_store_logs_have_content(const struct br_io *io, const char *dir);
/* The row of table store as it is now, or in the snapshot. next_content_id may be NULL. */
BR_MUST_USE enum br_rc br_store_state(struct br_store *s, struct br_store_info *info, uint64_t *next_content_id,
                                      struct br_err *err);
/* Lock and metadata.db only; a handle without logs, whose schema may be an older one also in a writer: br_store_bring_up_to_date. */
BR_MUST_USE enum br_rc br_store_open_db(const struct br_io *io, const char *dir, enum br_store_mode mode, struct br_store **out,
                                        struct br_store_info *info, struct br_err *err);
/* Both logs of a generation, in place of those that are open. Nothing changes on failure. */
BR_MUST_USE enum br_rc br_store_open_logs(struct br_store *s, uint64_t generation, struct br_err *err);
/* What the header of a log of this store says. */
struct br_log_identity br_store_log_identity(const struct br_store *s, enum br_log_kind kind, uint64_t generation);
/* store_read.c: may a graph file be called so? Names from rows are opened and removed only then. */
bool br_checkpoint_name_ok(const char *file);
/* store_journal.c: is what was committed last in the logs? BR_E_CORRUPT. For a writer that opens. */
BR_MUST_USE enum br_rc br_store_check_last_batch(struct br_store *s, const struct br_store_info *info, struct br_err *err);
/* Rows of the journal that are at odds with each other; deep: and batches that fail their checksums. In a read transaction. */
BR_MUST_USE enum br_rc br_store_verify_journal(struct br_store *s, const struct br_store_info *info, bool deep, struct br_store_report *report,
                                               struct br_err *err);
/* store_read.c: br_store_sweep that says when something stays. */
BR_MUST_USE enum br_rc br_store_clean(struct br_store *s, struct br_err *err);
/* wslock.c: the writer's lock; *fd is held until closed. create: make the file. */
BR_MUST_USE enum br_rc br_wslock(const struct br_io *io, const char *dir, bool create, int *fd, struct br_err *err);
/* store_erase.c: a row of the queue, in the open transaction. content_id 0, slot -1: none. */
BR_MUST_USE enum br_rc br_store_queue_erasure(struct br_store *s, uint64_t content_id, int64_t slot, struct br_err *err);
/* commit.c: cuts what an interrupted commit may have left behind the WAL's end. Before a handle's first transaction, whatever it writes. */
BR_MUST_USE enum br_rc br_store_fence(struct br_store *s, struct br_err *err);
/* wal_ahead.c. For a writer, once metadata.db is open; then before each commit: zeros where its frames will lie. Best effort. */
BR_MUST_USE enum br_rc br_store_watch_wal(struct br_store *s, const char *path, struct br_err *err);
void br_store_wal_ahead(struct br_store *s);
/* store_migrate.c. Is this version of the schema one we can use? */
BR_MUST_USE enum br_rc br_store_version_check(int64_t version, bool writable, const char *path, struct br_err *err);
/* Brings a writable metadata.db up to date, in one transaction; nothing to do is BR_OK. */
BR_MUST_USE enum br_rc br_store_migrate(sqlite3 *db, const char *path, struct br_err *err);
/* The same for a writer's handle, before its first transaction, once what it holds has been looked at. */
BR_MUST_USE enum br_rc br_store_bring_up_to_date(struct br_store *s, struct br_err *err);
/* Are these exactly the tables of a fresh store? BR_E_CORRUPT. */
BR_MUST_USE enum br_rc br_store_schema_check(sqlite3 *db, const char *path, struct br_err *err);
/* A content row's columns first.. : offset, length, hash. */
BR_MUST_USE enum br_rc br_content_ref_of(struct br_store *s, sqlite3_stmt *st, int first, struct br_content_ref *ref,
                                         struct br_err *err);

#endif
