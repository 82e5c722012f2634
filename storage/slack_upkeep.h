/* slack_upkeep.h - the upkeep of a workspace, as far as it is about messages. What writes needs an open transaction unless said otherwise. */
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
/* Deletes up to n matching messages, for good: a marker keeps every source from reviving them. Passages that held their words go with
 * them, and all of it is queued for erasure. Adds to *messages and *documents; *more: there may be further ones. */
BR_MUST_USE enum br_rc br_slack_forget_messages(struct br_store *s, struct br_slack_forget *what, size_t n, uint64_t *messages,
                                                uint64_t *documents, bool *more, struct br_err *err);
/* The person: profile, memberships, reactions to messages of others. A nameless row stays that no import fills again. */
BR_MUST_USE enum br_rc br_slack_forget_user(struct br_store *s, const char *user_id, uint64_t *reactions, struct br_err *err);
/* Is this message marked as deleted? Needs no transaction. */
BR_MUST_USE enum br_rc br_slack_is_deleted(struct br_store *s, const char *channel_id, int64_t ts, bool *deleted, struct br_err *err);
/* Merges the keyword indexes into one piece each: words of deleted documents leave the file. A transaction of its own. */
BR_MUST_USE enum br_rc br_slack_merge_words(struct br_store *s, struct br_err *err);

/* --- Compaction (slack_compact.c): br_store_compact with slots in the order of time. Outside a transaction. --- */
BR_MUST_USE enum br_rc br_slack_compact(struct br_store *s, void *ctx,
                                        enum br_rc (*step)(void *ctx, uint64_t done, uint64_t total, struct br_err *err),
                                        struct br_err *err);

#endif
