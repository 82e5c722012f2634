/* term_counts.h - how often each phrase of an FTS5 expression occurs in each document it matches: what BM25 is made of, unranked.
 *
 * FTS5's own ranking looks the length of each matching document up, which is nearly all that a search then costs, and it can only rank rows.
 * Here a row costs little more than finding it, and whoever asks may add rows up. */
#ifndef BR_TERM_COUNTS_H
#define BR_TERM_COUNTS_H

#include "base/base.h"

#define BR_TERMS_MAX 128 /* phrases of an expression; further ones are not counted */

struct br_term_count {
    uint16_t term;  /* the phrase's place in the expression, from 0 */
    uint16_t count; /* > 0; 65535: or more */
};
struct br_term_row {
    int64_t content_id;
    size_t first; /* of its counts */
    uint32_t n;   /* > 0 */
};
struct br_term_counts {
    struct br_term_row *rows; /* owned; by content_id, ascending */
    struct br_term_count *counts; /* owned */
    size_t n_rows, n_counts, rows_alloc, counts_alloc;
    uint64_t n_documents, n_tokens; /* of the whole index, whatever the expression; 0 when nothing matched */
    uint64_t documents_with[BR_TERMS_MAX]; /* of the rows */
    bool failed; /* no memory */
};
void br_term_counts_free(struct br_term_counts *c);
/* In how many documents each phrase occurs, rarer ones exactly. */
struct br_term_rarity {
    uint32_t documents[BR_TERMS_MAX]; /* counted up to BR_RARITY_MAX */
    size_t n;                         /* phrases of the expression; 0 when nothing matched */
};
#define BR_RARITY_MAX 4096
/* A document that has a phrase, and how often. */
struct br_posting {
    uint32_t content_id;
    uint32_t count; /* > 0; 65535: or more */
};
/* All documents of a phrase. */
struct br_postings {
    struct br_posting *items; /* owned; by content_id, ascending */
    size_t n, alloc;
    uint64_t n_documents, n_tokens; /* as in br_term_counts */
    bool complete;                  /* no further row is to be stepped to */
    bool failed;                    /* no memory */
};
void br_postings_free(struct br_postings *p);
/* NULL: content_id has none of the terms. */
const struct br_term_row *br_term_counts_find(const struct br_term_counts *c, int64_t content_id);

#endif
