/* page.h - what part of an answer is wanted, and how the next part is asked for. */
#ifndef BR_PAGE_H
#define BR_PAGE_H

#include "engine_int.h"

/* What the archive holds, as BM25 wants it. 0 where no document of the kind has a word of the query. */
struct br_word_totals {
    uint64_t documents[2], tokens[2]; /* by enum br_doc_kind */
    uint64_t threads;                 /* with passages */
    uint64_t lone;                    /* messages outside of threads */
};

/* A page of a search. All pages rank among as many candidates as the first, so that they are parts of one ranking. */
struct br_page {
    size_t base_n;  /* hits on the first page: decides how deep candidates go */
    size_t offset;  /* hits before this page */
    size_t n;       /* hits on this page */
    bool pinned;    /* documents from these numbers on are newer than the first page: left out */
    uint64_t slots, contents;
    uint64_t generation;
    struct br_word_totals words; /* at the first page, whose search fills it in */
    char last_channel[64]; /* the last hit before this page, "" none */
    int64_t last_ts;
};
static inline bool br_page_is_first(const struct br_page *p)
{
    return !p->offset;
}
/* Hits to find: one more than shown, to know whether there is another page. */
static inline size_t br_page_end(const struct br_page *p)
{
    return p->offset + p->n + 1;
}
/* cursor NULL: the first page. fingerprint: of the question, without the page. BR_E_USAGE. */
BR_MUST_USE enum br_rc br_page_of(const char *cursor, uint64_t fingerprint, size_t n, const struct br_store_info *now, struct br_page *page,
                                  struct br_err *err);
/* Cuts the page out of the first br_page_end hits, and says how to go on. */
BR_MUST_USE enum br_rc br_page_cut(const struct br_page *page, uint64_t fingerprint, struct br_search_results *r, struct br_err *err);

#endif
