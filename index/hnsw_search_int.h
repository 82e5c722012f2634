/* hnsw_search_int.h - one query under way: what the ways to answer it share (hnsw_search.c chooses, hnsw_scan.c and hnsw_walk.c answer). */
#ifndef BR_HNSW_SEARCH_INT_H
#define BR_HNSW_SEARCH_INT_H

#include "hnsw_int.h"

#include "exact_int.h"

#define RERANK_SPARE 2
#define ROWS_PER_EF 125
#define CACHED_NODES 250000u

struct br_search_query {
    const struct br_rows *rows;
    const float *vector;
    struct br_quant_query quant;
    float likely_share; /* of what can be lost, what is likely to be */
    struct br_filter filter;
    size_t k;
};

/* The row of a node; NULL where a damaged slot table points past the rows. */
static inline const float *br_row_of(const struct br_index *ix, const struct br_rows *rows, uint32_t node)
{
    uint64_t slot = *br_node_slot(ix, node);
    return slot < rows->count ? rows->base + slot * rows->stride_floats : NULL;
}

/* Moves a row that will be reranked nearer. */
static inline void br_prefetch_row(const struct br_index *ix, const struct br_search_query *q, uint32_t node, size_t bytes)
{
    const float *row = br_row_of(ix, q->rows, node);
    if (row)
        br_prefetch(row, BR_MIN(bytes, ix->dim * sizeof(float)));
}

static inline void br_rerank(const struct br_index *ix, const struct br_search_query *q, uint32_t node, struct br_hit *out, size_t *n)
{
    const float *row = br_row_of(ix, q->rows, node);
    if (row)
        br_topk_push(out, n, q->k, *br_node_slot(ix, node), ix->kernels->inner(q->vector, row, ix->dim));
}

/* What 16 dots with a high plane are too large by, whose low half is taken for 7.5. */
static inline float br_high_bias(const struct br_quant_query *q)
{
    return (float)q->bias * (120.5f / 128);
}

/* How many rows a scan may read for each entry of a beam; they take about three times as long as a walk within a filter takes for it: a scan is certain.
 * Twice as many where the graph has outgrown the caches: that slows a walk down more than a scan. */
static inline uint64_t br_rows_per_ef(const struct br_index *ix)
{
    return ix->count > CACHED_NODES ? 2 * ROWS_PER_EF : ROWS_PER_EF;
}

/* --- hnsw_scan.c: every node that passes --- */
BR_MUST_USE enum br_rc br_scan(const struct br_index *ix, struct br_searcher *s, struct br_search_query *q, uint64_t matches, struct br_hit *out,
                               size_t *n_out, bool *exhaustive, struct br_err *err);

/* --- hnsw_walk.c: the graph. *n_out is 0 where a walk is not to be trusted --- */
/* Among what passes alone. */
BR_MUST_USE enum br_rc br_walk_within(const struct br_index *ix, struct br_searcher *s, struct br_search_query *q, const struct br_search_plan *plan,
                                      struct br_hit *out, size_t *n_out, struct br_err *err);
/* Through all nodes. */
BR_MUST_USE enum br_rc br_walk_through(const struct br_index *ix, struct br_searcher *s, struct br_search_query *q, const struct br_search_plan *plan,
                                       struct br_hit *out, size_t *n_out, struct br_err *err);

#endif
