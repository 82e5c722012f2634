/* store.h - one workspace on disk: lock, SQLite, content log, vector log, journal and commit.
 *
 * The store core knows slots, content records and the journal, not messages. SQLite is the only commit authority: content and
 * vectors are appended and synced first, then one SQLite transaction names them. What that transaction does not name does not
 * exist. A handle belongs to one thread at a time; open a second handle (same or other process) to read beside the writer.
 * After a failed sync, or a commit whose outcome is unknown, a writing handle is poisoned: every later write fails. */
#ifndef BR_STORE_H
#define BR_STORE_H

#include "base/base.h"
#include "base/buf.h"
#include "base/io.h"
#include "index.h"

struct br_store;

enum br_store_mode { BR_STORE_READ, BR_STORE_WRITE };

/* What a workspace is made of; strings are copied. */
struct br_store_spec {
    const char *workspace_id; /* [A-Za-z0-9_-]{1,64} */
    const char *name;         /* label, may be NULL */
    const char *domain;       /* for permalinks, may be NULL */
    const char *model_id;     /* of the embedding model; compared by the engine */
    uint32_t dim;
    uint64_t generation; /* of its logs; 0: the first */
};

struct br_store_info {
    uint8_t uuid[16];
    char workspace_id[65], name[256], domain[256], model_id[65];
    uint32_t dim;
    uint64_t generation;                              /* of the logs */
    uint64_t content_tail;                            /* bytes */
    uint64_t vector_tail;                             /* slots, gaps included */
    uint64_t next_content_id;                         /* those below exist or existed */
    uint64_t last_seq;                                /* newest journal row, 0 none */
    uint64_t commits;                                 /* that changed neither content nor slots: with generation and last_seq the state */
    uint64_t ckpt_seq;                                /* journal sequence of the valid checkpoint, 0 none */
    char ckpt_file[64];                               /* its name in the directory, "" none */
    uint64_t bytes_metadata, bytes_content, bytes_vectors, bytes_graph;
};

/* dir is made with mode 0700. BR_E_BUSY when another process writes. io is borrowed for the life of the store. */
BR_MUST_USE enum br_rc br_store_create(const struct br_io *io, const char *dir, const struct br_store_spec *spec,
                                       struct br_store **out, struct br_err *err);
/* Recovery is part of opening and writes nothing: whatever is past the committed tails is ignored. A read-only file system
 * works for BR_STORE_READ. Damage that concerns live data: BR_E_CORRUPT. */
BR_MUST_USE enum br_rc br_store_open(const struct br_io *io, const char *dir, enum br_store_mode mode,
                                     struct br_store **out, struct br_err *err);
void br_store_close(struct br_store *s); /* an open transaction is rolled back */
const char *br_store_dir(const struct br_store *s);
BR_MUST_USE enum br_rc br_store_info(struct br_store *s, struct br_store_info *info, struct br_err *err);
/* The same without bytes_*: one row is read, no file is asked. */
BR_MUST_USE enum br_rc br_store_now(struct br_store *s, struct br_store_info *info, struct br_err *err);
/* Label and domain, in a transaction of the caller's. NULL keeps. */
BR_MUST_USE enum br_rc br_store_set_label(struct br_store *s, const char *name, const char *domain, struct br_err *err);

/* --- Writing: begin, any number of puts, commit or rollback. --- */

BR_MUST_USE enum br_rc br_store_begin(struct br_store *s, struct br_err *err); /* BEGIN IMMEDIATE */
/* Appends one record. Bytes reach the file when a few MiB have gathered, at the latest in commit. */
BR_MUST_USE enum br_rc br_store_add_content(struct br_store *s, const void *bytes, size_t len, uint64_t *content_id,
                                            struct br_err *err);
/* A vector (dim floats, unit length) for a content record. */
BR_MUST_USE enum br_rc br_store_add_slot(struct br_store *s, uint64_t content_id, const float *vector, uint64_t *slot,
                                         struct br_err *err);
BR_MUST_USE enum br_rc br_store_kill_slot(struct br_store *s, uint64_t slot, struct br_err *err);       /* tombstone */
BR_MUST_USE enum br_rc br_store_kill_content(struct br_store *s, uint64_t content_id, struct br_err *err);
/* Writes what is left of the transaction while the disk works on the logs, syncs both (at the same time, one on a thread that ends before this
 * returns), then COMMIT. On BR_OK the batch survives power loss. On failure nothing of it exists and the transaction is over. *seq: the journal
 * row, or the last one when no slot or content changed. */
BR_MUST_USE enum br_rc br_store_commit(struct br_store *s, uint64_t *seq, struct br_err *err);
void br_store_rollback(struct br_store *s);

/* --- Reading: what is committed, and inside a transaction the transaction's own writes. --- */

/* A consistent snapshot for several reads; nested calls count. A handle for reading follows a compaction by itself, at the first read that
 * sees it: slots and maps got before are of use only within the snapshot they were got in. */
BR_MUST_USE enum br_rc br_store_read_begin(struct br_store *s, struct br_err *err);
void br_store_read_end(struct br_store *s);

/* Appends the record's bytes to out after checking its checksum. */
BR_MUST_USE enum br_rc br_store_content(struct br_store *s, uint64_t content_id, struct br_buf *out, struct br_err *err);
/* The vector log mapped up to the committed tail; valid until the next call or close. */
BR_MUST_USE enum br_rc br_store_rows(struct br_store *s, struct br_rows *rows, struct br_err *err);
/* The vector of a live slot whose content has exactly these bytes. Not found may also mean not found yet (text_slots.c): the vector is then
 * made once more. */
BR_MUST_USE enum br_rc br_store_vector_of_text(struct br_store *s, const void *bytes, size_t len, float *vector, bool *found,
                                               struct br_err *err);
/* Slots that came or went in journal rows (after_seq, last_seq], adds in increasing slot order, then kills. */
struct br_slot_change {
    uint64_t slot;
    bool added; /* else killed */
};
BR_MUST_USE enum br_rc br_store_changes(struct br_store *s, uint64_t after_seq, uint64_t *last_seq,
                                        enum br_rc (*cb)(void *ctx, const struct br_slot_change *c, struct br_err *err),
                                        void *ctx, struct br_err *err);
BR_MUST_USE enum br_rc br_store_slot_is_live(struct br_store *s, uint64_t slot, bool *live, struct br_err *err);
/* Points the store at a checkpoint file already synced and renamed into the directory; then removes checkpoints older than
 * the previous one. */
BR_MUST_USE enum br_rc br_store_set_checkpoint(struct br_store *s, const char *file, uint64_t seq, struct br_err *err);
/* Removes leftovers of crashes: graph.*.tmp, graph files no row names, logs of other generations, backup-*. Only for a writer;
 * writes a small transaction when the handle has written none yet. */
void br_store_sweep(struct br_store *s);

struct br_store_report {
    uint64_t contents, slots_live, orphan_vectors, missing_content, corrupt, checked_bytes;
    char first_problem[256];
};
/* Core part of verify: tails and files agree; slots name content; deep: every checksum of content and vectors. Damage is
 * counted, not an error; errors are for I/O. */
BR_MUST_USE enum br_rc br_store_verify(struct br_store *s, bool deep, struct br_store_report *report, struct br_err *err);

#endif
