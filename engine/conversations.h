/* conversations.h - which conversation a passage is of, and how many conversations there are. */
#ifndef BR_CONVERSATIONS_H
#define BR_CONVERSATIONS_H

#include <stdatomic.h>

#include "engine_int.h"

struct br_conversations { /* never changed once it is made */
    atomic_size_t refs;
    struct br_state state;      /* of the store when they were counted */
    uint64_t threads, threaded; /* conversations with passages; messages of threads */
    uint64_t alone;             /* of those with passages, messages so long that they have some and no replies */
    uint32_t *of_content;       /* owned; by content record: the conversation's number, from 1; 0 none */
    uint64_t n_contents;
};
/* Those of the caller's snapshot, whose state now is: counted once in each. Borrowed from the workspace until the next call. */
BR_MUST_USE enum br_rc br_conversations_of(struct br_workspace *ws, const struct br_store_info *now, const struct br_conversations **out,
                                           struct br_err *err);
void br_conversations_release(struct br_conversations *c); /* may be NULL */
/* Adds to with[term], for each term of counts of passages, the conversations that have it. */
BR_MUST_USE enum br_rc br_conversations_with(const struct br_conversations *c, const struct br_term_counts *passages, size_t n_terms,
                                             uint64_t *with, struct br_err *err);

#endif
