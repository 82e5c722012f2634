/* retrieve.h - the two sides of a search, each giving documents best first. */
#ifndef BR_RETRIEVE_H
#define BR_RETRIEVE_H

#include "engine_int.h"
#include "explain.h"
#include "page.h"
#include "postings.h"

struct br_semantic_hit {
    struct br_doc doc;
    float similarity;
};
struct br_semantic_hits {
    struct br_semantic_hit *items; /* owned */
    size_t count;
    bool exhaustive;
};

/* The vector of a query, remembered or made; room for BR_DIM_MAX numbers. x: told how it went, NULL not wanted. */
BR_MUST_USE enum br_rc br_query_vector(struct br_workspace *ws, const char *text, size_t len, struct br_explain *x, float *out, struct br_err *err);
/* The `want` nearest live documents among allow (NULL: all): graph and fresh tail, or every vector with exact. Fewer only when fewer exist. */
BR_MUST_USE enum br_rc br_retrieve_nearest(struct br_workspace *ws, const float *vector, const struct br_bitmap *allow, size_t want, bool exact,
                                           struct br_explain *x, struct br_semantic_hits *out, struct br_err *err);
void br_semantic_hits_free(struct br_semantic_hits *h);

/* How near a conversation is to a vector. NAN: it has none of these. */
struct br_nearness {
    double passage; /* its nearest */
    double root, first_passage; /* how it begins */
};
/* Of what is in allow (NULL: all). listed: of its passage in the list of the nearest documents, which is taken for its nearest (a walk may have missed
 * a nearer one, as it may any document); NAN: none is there, and all are compared. */
void br_thread_nearness(const struct br_rows *rows, uint32_t dim, const float *vector, const struct br_thread *t, const struct br_bitmap *allow,
                        double listed, struct br_nearness *out);

/* --- retrieve_words.c: the words of a query in messages and conversations --- */
struct br_word_counts {
    struct br_term_counts of[2]; /* by enum br_doc_kind */
    struct br_word_totals totals;
    double idf[BR_TERMS_MAX];
    double message_tokens, thread_tokens; /* mean lengths */
    char *match;                          /* owned; the expression that was counted */
};
struct br_word_hit {
    struct br_doc doc;
    double score;
};
/* Counts the query's alternatives in the documents of contents (NULL: all); of many only the rarest. totals: those of an earlier page, to
 * score as it did; NULL: those of now. Caller frees out. */
BR_MUST_USE enum br_rc br_words_count(struct br_workspace *ws, const struct br_query *q, const struct br_bitmap *contents,
                                      const struct br_word_totals *totals, struct br_word_counts *out, struct br_err *err);
void br_word_counts_free(struct br_word_counts *w);
/* The best documents of a kind, best first, at most n. Messages are scored by BM25; passages too, as if all had one length. */
BR_MUST_USE enum br_rc br_words_best(struct br_workspace *ws, const struct br_word_counts *w, enum br_doc_kind kind, size_t n,
                                     struct br_word_hit *out, size_t *n_out, struct br_err *err);
/* BM25 of a whole conversation: the counts of its passages together, against their length together. 0 without any of the words.
 * *has_passages: it has some in contents (NULL: at all). */
double br_words_thread(const struct br_word_counts *w, const struct br_thread *t, const struct br_bitmap *contents, bool *has_passages);

#endif
