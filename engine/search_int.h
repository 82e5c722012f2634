/* search_int.h - one search under way: what its parts share. */
#ifndef BR_SEARCH_INT_H
#define BR_SEARCH_INT_H

#include "engine_int.h"
#include "explain.h"
#include "fusion.h"
#include "page.h"

struct br_searching {
    struct br_workspace *ws;
    const struct br_search_options *opt;
    struct br_slack_tokenizer *tokenizer; /* the workspace's */
    struct br_tokens tokens; /* of the text looked at */
    struct br_query query;
    struct br_slack_set allowed;
    bool filtered;
    struct br_page *page;
    size_t n; /* of the first page */
    size_t depth;     /* candidates are taken so many times over */
    bool more_exist;  /* a list of candidates came out full */
    struct br_fusion *fusion;
    float vector[BR_DIM_MAX]; /* of the query, if has_vector */
    bool has_vector;
    bool exhaustive;
    struct br_search_results results;
    struct br_message_list list;
    size_t hits_alloc;
    struct br_explain *x; /* in the list's arena; NULL: not wanted */
};

/* --- search_hits.c --- */
/* A message becomes a hit, of no list. */
BR_MUST_USE enum br_rc br_search_add_plain(struct br_searching *s, const struct br_message *m, struct br_err *err);
/* The conversations, in their order, as hits up to the end of the page; after them, where there are too few, their other messages. */
BR_MUST_USE enum br_rc br_search_add_hits(struct br_searching *s, struct br_err *err);

#endif
