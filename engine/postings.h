/* postings.h - what the keyword index says of phrases and of conversations, remembered. */
#ifndef BR_POSTINGS_H
#define BR_POSTINGS_H

#include "engine_int.h"

#define BR_POSTINGS_BYTES ((size_t)32 << 20) /* are kept at most */

/* May be shared by handles of one workspace, on any threads: what is kept says of which state it is. NULL: nothing is kept. */
struct br_word_memory *br_word_memory_new(void); /* NULL without memory */
struct br_word_memory *br_word_memory_share(struct br_word_memory *m);
void br_word_memory_release(struct br_word_memory *m);
/* What was last read of a whole store. */
struct br_read_whole {
    struct br_conversations *conversations; /* conversations.c's; owned, a reference, as the next */
    struct br_all_docs *docs;               /* docs.c's */
};
/* For the caller alone until it lets go: others that want the same wait for it. NULL when m is. */
struct br_read_whole *br_word_memory_hold(struct br_word_memory *m);
void br_word_memory_let_go(struct br_word_memory *m);

struct br_phrase { /* as FTS5 wants it, quoted */
    const char *text;
    size_t len;
};
/* The documents of a kind, among contents (NULL: all), that have any of the phrases, with their counts; n at most BR_TERMS_MAX. state: of the
 * store, in the caller's snapshot. Caller frees out with br_term_counts_free. */
BR_MUST_USE enum br_rc br_postings_count(struct br_workspace *ws, const struct br_state *state, const struct br_phrase *phrases, size_t n,
                                         enum br_doc_kind kind, const struct br_bitmap *contents, struct br_term_counts *out, struct br_err *err);

/* The documents of a conversation that stand for it as a whole. */
struct br_thread_passage {
    uint64_t slot; /* UINT64_MAX: none */
    uint32_t content_id, length; /* bytes of text */
};
struct br_thread {
    uint64_t root_slot; /* of its first message; UINT64_MAX: it is not there, or has no vector */
    const struct br_thread_passage *passages; /* from its beginning */
    size_t n;
    struct br_blob *memory; /* private */
};
/* Caller releases out. */
BR_MUST_USE enum br_rc br_postings_thread(struct br_workspace *ws, const struct br_state *state, const char *channel_id, int64_t thread_ts,
                                          struct br_thread *out, struct br_err *err);
void br_thread_release(struct br_thread *t);

#endif
