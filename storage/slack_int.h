/* slack_int.h - what the files that implement slack.h share; included only by storage/slack_*.c. */
#ifndef BR_SLACK_INT_H
#define BR_SLACK_INT_H

#include "slack.h"
#include "sql.h"
#include "store_int.h"

#include <stdlib.h>
#include <string.h>

#define BR_NO_SLOT INT64_MIN /* a slot column that is NULL */

/* --- slack_schema.c: small helpers over statements --- */

/* One step. *row: there is one; otherwise the statement is reset. On failure it is reset too. */
BR_MUST_USE enum br_rc br_slack_step(struct br_store *s, sqlite3_stmt *st, bool *row, struct br_err *err);
/* For a statement bound to channel and ts at ?2 and ?3: resolves, binds, runs to completion. */
BR_MUST_USE enum br_rc br_slack_run_key(struct br_store *s, const char *sql, const char *channel_id, int64_t ts,
                                        struct br_err *err);
/* The same, giving the first column of the first row, 0 when there is none. */
BR_MUST_USE enum br_rc br_slack_int_key(struct br_store *s, const char *sql, const char *channel_id, int64_t ts,
                                        int64_t *out, struct br_err *err);
/* Nothing but the workspace is bound. */
BR_MUST_USE enum br_rc br_slack_int(struct br_store *s, const char *sql, int64_t *out, struct br_err *err);
void br_slack_bind_text(sqlite3_stmt *st, int i, const char *text); /* borrowed until the reset */
void br_slack_bind_positive(sqlite3_stmt *st, int i, int64_t value); /* <= 0: NULL */
void br_slack_bind_slot(sqlite3_stmt *st, int i, int64_t slot);      /* BR_NO_SLOT: NULL */
int64_t br_slack_column_slot(sqlite3_stmt *st, int i);
const char *br_slack_column_text(sqlite3_stmt *st, int i); /* NULL when NULL */
const char *br_slack_column_key(sqlite3_stmt *st, int i);  /* of a key, which is never NULL: "" where a damaged row says so */
BR_MUST_USE enum br_rc br_slack_check_id(const char *id, const char *what, struct br_err *err); /* 1 to 63 bytes */

/* --- slack_compact.c --- */

struct br_slot_list {
    uint64_t *items; /* malloc'ed */
    size_t n, alloc;
};
/* Of all documents. Neighbours in time are asked for together, by date filters and by people: they should lie together. */
BR_MUST_USE enum br_rc br_slack_slots_by_time(struct br_store *s, struct br_slot_list *l, struct br_err *err);
/* The renumber of a br_compaction. */
BR_MUST_USE enum br_rc br_slack_renumber(struct br_store *s, struct br_err *err);

/* --- slack_document.c: text, slot and keyword row of one document --- */

enum br_fts { BR_FTS_NONE, BR_FTS_MESSAGES, BR_FTS_PASSAGES };
struct br_slack_document {
    int64_t content_id; /* 0 none */
    int64_t slot;       /* BR_NO_SLOT none */
    enum br_fts fts;    /* where its words are */
};
/* Stores text (not empty) and, with a vector, a slot. */
BR_MUST_USE enum br_rc br_slack_document_add(struct br_store *s, const char *text, size_t len, const float *vector,
                                             enum br_fts fts, struct br_slack_document *d, struct br_err *err);
/* Ends its life everywhere: keyword row, slot, content. */
BR_MUST_USE enum br_rc br_slack_document_drop(struct br_store *s, const struct br_slack_document *d,
                                              struct br_err *err);

/* --- slack_merge.c: which of two rows of one message wins --- */

/* Where a row stands in the orders of slack_merge.c: compared from the left, the larger wins. */
struct br_slack_rank {
    int64_t n[5];
};
/* The stored row, as far as merging needs it. */
struct br_slack_stored {
    bool exists;
    enum br_slack_class cls;
    int64_t thread_ts, edited_ts; /* 0 none */
    int64_t content_id, raw_id;   /* 0 none */
    int64_t slot;
    bool needs_vector;
    int64_t content_hash, counters_hash, author_hash;
    struct br_slack_rank content_rank, counters_rank;
    int64_t text_length;
    uint8_t text_hash[16];
};
struct br_slack_plan {
    struct br_slack_stored old;
    bool is_new;        /* nothing but perhaps a placeholder is stored */
    bool content_wins;  /* text, author, files, raw form are taken */
    bool counters_win;  /* reactions and counters are taken */
    bool older;         /* an older edit than the stored one, or content of a message that is gone */
    bool deleted;       /* a delete marker covers it: nothing at all is taken */
    bool same_text;     /* and the same class: content record and slot can stay */
    bool needs_vector;  /* of the row as it comes */
    int64_t content_hash, counters_hash, author_hash;
    struct br_slack_rank content_rank, counters_rank;
};
/* Reads only; also right in a reading handle. */
BR_MUST_USE enum br_rc br_slack_plan_put(struct br_store *s, const struct br_slack_message *m,
                                         struct br_slack_plan *plan, struct br_err *err);
BR_MUST_USE enum br_rc br_slack_load_stored(struct br_store *s, const char *channel_id, int64_t ts,
                                            struct br_slack_stored *row, struct br_err *err);
struct br_slack_document br_slack_stored_document(const struct br_slack_stored *row);

/* --- slack_thread.c: thread membership, placeholders, dirty marks --- */

/* Marks the thread, or the lone message if its text is long or it has passages. thread_ts 0: none. */
BR_MUST_USE enum br_rc br_slack_mark_dirty(struct br_store *s, const char *channel_id, int64_t ts, int64_t thread_ts,
                                           size_t text_len, struct br_err *err);
/* A reply's root exists and knows that it is one. */
BR_MUST_USE enum br_rc br_slack_ensure_root(struct br_store *s, const char *channel_id, int64_t ts, int64_t thread_ts,
                                            struct br_err *err);

/* --- slack_import.c --- */

BR_MUST_USE enum br_rc br_slack_import_note(struct br_store *s, const char *channel_id, int64_t ts,
                                            enum br_slack_outcome outcome, struct br_err *err);
BR_MUST_USE enum br_rc br_slack_import_note_delete(struct br_store *s, const char *channel_id, int64_t ts,
                                                   struct br_err *err);

/* --- slack_filter.c --- */

/* A statement with an FTS5 expression failed: the expression's fault, or the store's. */
enum br_rc br_slack_match_fail(struct br_store *s, struct br_err *err);

/* --- slack_view.c --- */

/* Calls fn with the message; BR_E_NOTFOUND without touching err when there is none. Safe when fn reads too. */
BR_MUST_USE enum br_rc br_slack_view_one(struct br_store *s, const char *channel_id, int64_t ts, br_slack_view_fn fn,
                                         void *ctx, struct br_err *err);

/* --- slack_reactions.c --- */
BR_MUST_USE enum br_rc br_slack_put_reactions(struct br_store *s, const struct br_slack_message *m, int64_t *total,
                                              struct br_err *err);
BR_MUST_USE enum br_rc br_slack_drop_reactions(struct br_store *s, const char *channel_id, int64_t ts,
                                               struct br_err *err);
/* Calls fn with each folded reaction, most first. */
BR_MUST_USE enum br_rc br_slack_each_folded(struct br_store *s, const char *channel_id, int64_t ts,
                                            enum br_rc (*fn)(void *ctx, const char *folded, int64_t count), void *ctx,
                                            struct br_err *err);

#endif
