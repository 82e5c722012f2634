/* fusion.h - what both sides found, gathered by conversation, and the score that ranks it. */
#ifndef BR_FUSION_H
#define BR_FUSION_H

#include "retrieve.h"

/* A message that a list named. */
struct br_candidate {
    int64_t ts;
    double semantic, keyword; /* NAN: not in that list */
    uint32_t ranks[2];        /* semantic, keyword; 0: not in that list */
};

struct br_conversation {
    char channel_id[64];
    int64_t thread_ts;
    double message, passage_similarity; /* highest cosines in the lists, NAN absent */
    struct br_nearness near;            /* once it is scored in full */
    double message_words, passage_words; /* BM25 of the best message and passage, 0 absent */
    double words;                        /* BM25 of the conversation; until it is scored in full, of its best document */
    bool lone;                           /* has no passages that meet the conditions; until it is scored in full: that we know of */
    double score;
    struct br_doc passage; /* the best one; ts 0 none */
    uint32_t ranks[2][2]; /* of the best by enum br_doc_kind: semantic, keyword; 0 absent */
    uint32_t next; /* in the hash chain, index + 1 */
    struct br_candidate *candidates; /* owned */
    size_t n_candidates, alloc;
};

#define BR_FUSION_CHAINS 4096
struct br_fusion {
    struct br_conversation *items;
    size_t count, alloc;
    uint32_t chains[BR_FUSION_CHAINS];
    double floor; /* similarity of the last semantic candidate; 0 without any */
    double opening_weight;
    double most_words, most_message_words;
};

/* Nothing is found by a fusion of zeros. */
void br_fusion_clear(struct br_fusion *f);
/* A list's rank-th document, from 1, and its BM25 (keyword) or cosine. The semantic list comes first, lists best first. */
BR_MUST_USE enum br_rc br_fusion_note(struct br_fusion *f, bool keyword, const struct br_doc *d, double value, size_t rank, struct br_err *err);
/* n_words of the query (br_query.length): how much the beginning of a conversation counts. */
void br_fusion_weigh(struct br_fusion *f, size_t n_words);
/* Scores and orders all conversations by what the lists say of them. words is then that of one document. */
void br_fusion_order_roughly(struct br_fusion *f);
/* Scores and orders the first n, whose words, near and lone are known in full; they stay before the others. */
void br_fusion_order(struct br_fusion *f, size_t n);
/* Messages the candidates can show. */
size_t br_fusion_showable(const struct br_fusion *f);

/* What the score is made of: cosines as they are scored, the semantic part of the sum, and both for a message by itself. */
double br_message_near(const struct br_fusion *f, const struct br_conversation *c);
double br_passage_near(const struct br_fusion *f, const struct br_conversation *c);
double br_opening_near(const struct br_fusion *f, const struct br_conversation *c);
double br_meaning_of(const struct br_fusion *f, const struct br_conversation *c);
double br_candidate_near(const struct br_fusion *f, const struct br_candidate *m);
double br_candidate_meaning(const struct br_fusion *f, const struct br_candidate *m);
double br_message_score(const struct br_fusion *f, const struct br_candidate *m);
/* For qsort_r with the fusion: the best message of a conversation first. */
int br_better_candidate(const void *a, const void *b, void *fusion);

#endif
