/* slack_upkeep.h - the upkeep of a workspace, as far as it is about messages. What writes needs an open transaction
 * unless said otherwise. */
#ifndef BR_SLACK_UPKEEP_H
#define BR_SLACK_UPKEEP_H

#include "slack.h"
#include "store_upkeep.h"

/* --- Forgetting (slack_forget.c) --- */

struct br_slack_forget { /* one of them: the others NULL or 0 */
    const char *user_id;
    const char *channel_id; /* with ts: one message; without: all of the channel */
    int64_t ts;
    int64_t before; /* exclusive */
    /* Where the next call goes on; zero at first. */
    char last_channel[64];
    int64_t last_ts;
};
/* Deletes up to n matching messages, for good: a marker keeps every source from reviving them. Passages that held
 * their words go with them, and all of it is queued for erasure. Adds to *messages and *documents; *more: there may be
 * further ones. */
BR_MUST_USE enum br_rc br_slack_forget_messages(struct br_store *s, struct br_slack_forget *what, size_t n,
                                                uint64_t *messages, uint64_t *documents, bool *more,
                                                struct br_err *err);
/* The person: profile, memberships, reactions to messages of others. A nameless row stays that no import fills again. */
BR_MUST_USE enum br_rc br_slack_forget_user(struct br_store *s, const char *user_id, uint64_t *reactions,
                                            struct br_err *err);
/* Is this message marked as deleted? Needs no transaction. */
BR_MUST_USE enum br_rc br_slack_is_deleted(struct br_store *s, const char *channel_id, int64_t ts, bool *deleted,
                                           struct br_err *err);
/* Merges the keyword indexes into one piece each: words of deleted documents leave the file. A transaction of its own. */
BR_MUST_USE enum br_rc br_slack_merge_words(struct br_store *s, struct br_err *err);

/* --- Compaction (slack_compact.c): br_store_compact with slots in the order of time. Outside a transaction. --- */
BR_MUST_USE enum br_rc
br_slack_compact(struct br_store *s, void *ctx,
                 enum br_rc (*step)(void *ctx, uint64_t done, uint64_t total, struct br_err *err), struct br_err *err);

/* --- Another model (slack_reembed.c). Outside a transaction. --- */

struct br_slack_reembed_report {
    uint64_t documents; /* with a vector */
    uint64_t embedded;  /* texts now; equal ones once */
    uint64_t kept;      /* documents done by a run before, which was stopped */
    uint64_t threads;   /* to be cut again: passages of theirs are too long for the model */
};
struct br_slack_reembed {
    const char *model_id;
    uint32_t dim;
    void *ctx;
    /* Stored texts to unit vectors of dim floats, deterministic. */
    enum br_rc (*embed)(void *ctx, const char *const *texts, const size_t *lens, size_t n, float *out, struct br_err *err);
    bool (*fits)(void *ctx, const char *text, size_t len); /* does a passage fit the model? NULL: all do */
    enum br_rc (*step)(void *ctx, const char *phase, uint64_t done, uint64_t total, struct br_err *err); /* its error ends it; may be NULL */
    struct br_slack_reembed_report *report; /* filled as far as it comes */
};
/* All vectors are of the new model afterwards, or nothing has changed; what was embedded is kept for the next run. Then there is no checkpoint of
 * the graph. BR_E_CORRUPT: a text is damaged. */
BR_MUST_USE enum br_rc br_slack_reembed(struct br_store *s, const struct br_slack_reembed *how, struct br_err *err);

/* --- Repair (slack_repair.c) --- */

enum br_slack_owner_kind { BR_OWNER_NONE, BR_OWNER_TEXT, BR_OWNER_RAW, BR_OWNER_PASSAGE };
struct br_slack_owner { /* of a content record */
    enum br_slack_owner_kind kind;
    char channel_id[64];
    int64_t ts, thread_ts; /* thread_ts: its passages' key */
    uint64_t raw_id;       /* of a message: its raw form, 0 none */
    int64_t slot;          /* -1 none */
};
/* Both need no transaction; the first once before the others. */
BR_MUST_USE enum br_rc br_slack_owners_begin(struct br_store *s, struct br_err *err);
BR_MUST_USE enum br_rc br_slack_owner_of(struct br_store *s, uint64_t content_id, struct br_slack_owner *o,
                                         struct br_err *err);
/* The record is lost: a message stays without text or without raw form (an import that has it brings it back), a
 * passage goes and its thread is cut again. Keyword rows of lost texts stay until br_slack_rebuild_words. */
BR_MUST_USE enum br_rc br_slack_lose_content(struct br_store *s, uint64_t content_id, const struct br_slack_owner *o,
                                             struct br_err *err);
/* A message's text was made anew and is not what it was: vector and passages are due again. */
BR_MUST_USE enum br_rc br_slack_text_changed(struct br_store *s, const struct br_slack_owner *o, struct br_err *err);
/* The slot dies; its document is without a vector. */
BR_MUST_USE enum br_rc br_slack_lose_vector(struct br_store *s, uint64_t slot, struct br_err *err);
/* Documents that need a vector and have none. Needs no transaction. */
struct br_slack_vectorless {
    bool is_passage;
    char channel_id[64];
    int64_t ts; /* of a passage: its thread_ts */
    int64_t position;
    uint64_t content_id;
};
BR_MUST_USE enum br_rc br_slack_vectorless(struct br_store *s, struct br_slack_vectorless *out, size_t n, size_t *n_out,
                                           struct br_err *err);
BR_MUST_USE enum br_rc br_slack_fill_vector(struct br_store *s, const struct br_slack_vectorless *d,
                                            const float *vector, struct br_err *err);
/* Both keyword indexes made anew from the texts. A transaction of its own. */
BR_MUST_USE enum br_rc br_slack_rebuild_words(struct br_store *s, struct br_err *err);
/* In a transaction: whatever archive has a message as it is stored, or newer, wins: its names are better than those of
 * a rebuilt store. */
BR_MUST_USE enum br_rc br_slack_lower_ranks(struct br_store *s, struct br_err *err);
/* What a damaged metadata.db still tells: users, channels, memberships, delete markers, label and domain, as far as
 * its pages can be read. Never fails for the damage. */
struct br_slack_salvage {
    uint64_t users, channels, deletions;
};
BR_MUST_USE enum br_rc br_slack_salvage(struct br_store *s, const char *db_path, struct br_slack_salvage *found,
                                        struct br_err *err);

/* --- Monitoring (slack_consistency.c) --- */

struct br_slack_consistency {
    uint64_t slots_live, slots_dead, slots_named; /* named: by messages and passages */
    uint64_t slots_unindexed;                     /* live, at or past slot_end */
    uint64_t vectors_missing;                     /* documents that need one and name none */
    uint64_t content_live, content_dead, content_named;
    uint64_t dirty_threads, erase_queue;
};
/* Counts of one snapshot. slot_end: where the graph ends. For a reader or a writer. */
BR_MUST_USE enum br_rc br_slack_consistency(struct br_store *s, uint64_t slot_end, struct br_slack_consistency *c,
                                            struct br_err *err);

#endif
