/* slack_filter_words.h - which messages have words, and which passages have such messages. */
#ifndef BR_SLACK_FILTER_WORDS_H
#define BR_SLACK_FILTER_WORDS_H

#include "slack_int.h"

#include "base/arena.h"

struct br_word_message {
    int64_t slot, content_id, thread_ts, ts; /* thread_ts of a message without thread: its ts */
    const char *channel_id;                  /* in the arena */
};
/* Zero: none. */
struct br_word_messages {
    struct br_word_message *items; /* malloc'ed */
    size_t n, alloc;
    struct br_arena arena;
};
/* The messages with a slot that an FTS5 expression matches. Caller frees out, after a failure too. */
BR_MUST_USE enum br_rc br_slack_word_messages(struct br_store *s, const char *match, struct br_word_messages *out, struct br_err *err);
void br_slack_word_messages_free(struct br_word_messages *w);
/* Drops those whose slots are not in slots. */
void br_slack_word_messages_keep(struct br_word_messages *w, const struct br_bitmap *slots);
/* fn for every passage with a slot that has one of the messages. Puts them into another order. */
BR_MUST_USE enum br_rc br_slack_word_passages(struct br_store *s, struct br_word_messages *w, void (*fn)(void *ctx, int64_t slot, int64_t content_id),
                                              void *ctx, struct br_err *err);

#endif
