/* hnsw_scan.c - answering a query by the codes of all nodes that pass, then by the exact rows of those that can be among the nearest.
 *
 * The scan is exact by proof. The distance of a code's high plane and the residuals of plane and query bound the exact
 * similarity from above; the most promising nodes are reranked, and when the k-th exact similarity is at least the
 * bound of every node not reranked, no better one exists. The bounds of half a code are loose: of the nodes whose bound
 * passes the k-th similarity the whole code is asked, and those that still pass are reranked too. Where a filter leaves
 * so many nearly alike that a proof would read thousands of rows (it leaves out all that is near), bounds of three
 * standard deviations take the place of the certain ones, and the answer is not called exhaustive.
 *
 * What such a scan costs is what memory gives. A filter that is the query's opposite (farthest pass, wholly or mostly) leaves answers that no walk
 * comes to: they lie on a shell around the query, as near as ten thousand others that do not pass, and not next to one another. So every
 * match is looked at: of a million with half passing, 96 MB of half codes, where a walk without filter reads .4. Smaller codes beside these would not
 * make it a walk: of one bit, 24 MB are read, and 4 to 8 in a hundred of the half codes as well, out of order, as their error (.03 of similarity) is
 * half as wide as all similarities are; of two bits, 48 MB and 3 in a thousand (measured, mostly the farthest passing). */
#include "hnsw_search_int.h"

#include <math.h>
#include <stdlib.h>

#define SCAN_ROWS_AHEAD 6
#define SCAN_FIRST_MIN 32 /* of which the k nearest so far are taken */
#define SCAN_BATCH 32
#define PROOF_MATCHES 2000 /* of a large graph, so few are worth a proof */
#define PROOF_MAX 512 /* nodes whose rows may be worth reading for a proof; past that, likelihood must do */
#define LIKELY_DEVIATIONS 3

static enum br_rc fit_scan(struct br_searcher *s, size_t bounds, size_t hits, struct br_err *err)
{
    if (bounds > s->bounds_alloc) {
        free(s->bounds);
        s->bounds_alloc = 0;
        s->bounds = malloc(bounds * sizeof(*s->bounds));
        if (!s->bounds)
            return br_fail_nomem(err);
        s->bounds_alloc = bounds;
    }
    if (hits > s->hits_alloc) {
        free(s->hits);
        s->hits_alloc = 0;
        s->hits = malloc(hits * sizeof(*s->hits));
        if (!s->hits)
            return br_fail_nomem(err);
        s->hits_alloc = hits;
    }
    return BR_OK;
}

/* What is lost is at most the product of the lengths of the query and of the residual. As a rule they point nowhere in
 * particular, seen from one another, and it is a normal variable with the dim-th part of that square as its variance. Stored vectors have
 * unit length. */
static struct br_bound bound_of(const struct br_search_query *q, uint32_t node, float estimate, float residual)
{
    float lost = q->quant.length * residual + q->quant.residual * (1.001f + residual);
    struct br_bound b = {.most = estimate + lost + 1e-4f, .likely = estimate + lost * q->likely_share + 1e-4f, .node = node};
    if (isnan(b.most) || isnan(b.likely)) /* a damaged residual: no bound */
        b.most = b.likely = INFINITY;
    return b;
}

/* The next nodes that are allowed, from *node on, up to SCAN_BATCH. */
static size_t take_allowed(const struct br_filter *f, uint32_t *node, uint32_t *out)
{
    size_t n = 0;
    while (!f->allow && n < SCAN_BATCH && *node < f->node_end)
        out[n++] = (*node)++;
    while (f->allow && n < SCAN_BATCH && *node < f->node_end) {
        uint64_t bits = f->allow[*node / 64] >> *node % 64;
        for (; bits && n < SCAN_BATCH; bits &= bits - 1)
            out[n++] = *node + (uint32_t)__builtin_ctzll(bits);
        *node += bits ? (uint32_t)__builtin_ctzll(bits) : 64 - *node % 64;
    }
    return n;
}

/* The bounds of the nodes that match. Of many, only of those that may still be among the nearest: s->hits collects the `first` best lower
 * bounds, and what is likely to be below all of them is let go, most of it by its dot alone: by the largest residual there is. */
struct scan_pass {
    const struct br_index *ix;
    struct br_searcher *s;
    const struct br_search_query *q;
    size_t first, n_first, n_bounds;
    float zero; /* what the dots are too large by */
    int32_t least_dot;
    bool all;
};

static void raise_least(struct scan_pass *p)
{
    const struct br_search_query *q = p->q;
    struct br_bound none = bound_of(q, 0, 0, p->ix->most_high_residual);
    float least = ((p->s->hits[0].similarity - none.likely) / q->quant.per_unit + p->zero) / 16 - 1;
    if (least > -1e9f && least < 1e9f) /* else it says nothing */
        p->least_dot = (int32_t)least;
}

/* Bounds by high planes; the low halves are taken for 7.5. */
static void bound_batch(struct scan_pass *p, const uint32_t *nodes, size_t n)
{
    const struct br_index *ix = p->ix;
    const uint8_t *rows[SCAN_BATCH];
    int32_t dots[SCAN_BATCH];
    for (size_t i = 0; i < n; i++)
        rows[i] = br_high(ix, nodes[i]);
    ix->kernels->dots(rows, n, p->s->query, ix->stride, dots);
    for (size_t i = 0; i < n; i++) {
        if (dots[i] < p->least_dot)
            continue;
        const struct br_node_meta *m = br_meta(ix, nodes[i]);
        float estimate = (16 * (float)dots[i] - p->zero) * p->q->quant.per_unit;
        struct br_bound b = bound_of(p->q, nodes[i], estimate, m->high_residual);
        b.dot = dots[i];
        bool full = p->n_first == p->first;
        if (m->flags & BR_NODE_DEAD || (!p->all && full && b.likely < p->s->hits[0].similarity))
            continue;
        p->s->bounds[p->n_bounds++] = b;
        float least = 2 * estimate - b.likely;
        if (full && least <= p->s->hits[0].similarity)
            continue;
        br_topk_push(p->s->hits, &p->n_first, p->first, nodes[i], least); /* a node number stands in for the slot */
        if (!p->all && p->n_first == p->first)
            raise_least(p);
    }
}

/* The rows of a batch are on their way while the batch before it is measured. */
static void bound_matches(struct scan_pass *p)
{
    uint32_t batch[2][SCAN_BATCH];
    size_t n[2] = {0};
    uint32_t node = 0;
    for (size_t turn = 0;; turn ^= 1) {
        n[turn] = take_allowed(&p->q->filter, &node, batch[turn]);
        for (size_t i = 0; i < n[turn]; i++)
            br_prefetch(br_high(p->ix, batch[turn][i]), p->ix->stride);
        bound_batch(p, batch[turn ^ 1], n[turn ^ 1]);
        n[turn ^ 1] = 0;
        if (!n[turn])
            return;
    }
}

static void prefetch_low(const struct br_index *ix, const struct br_bound *bounds, size_t first, size_t n)
{
    for (size_t i = first; i < BR_MIN(first + SCAN_BATCH, n); i++) {
        br_prefetch(br_low(ix, bounds[i].node), ix->stride);
        __builtin_prefetch(br_meta(ix, bounds[i].node));
    }
}

/* n bounds anew, by whole codes. The low rows of a batch are on their way while the batch before it is measured. */
static void bound_whole(const struct br_index *ix, struct br_searcher *s, const struct br_search_query *q, struct br_bound *bounds, size_t n)
{
    prefetch_low(ix, bounds, 0, n);
    for (size_t first = 0; first < n; first += SCAN_BATCH) {
        const uint8_t *low[SCAN_BATCH];
        int32_t low_dots[SCAN_BATCH];
        size_t m = BR_MIN(n - first, (size_t)SCAN_BATCH);
        struct br_bound *b = bounds + first;
        prefetch_low(ix, bounds, first + SCAN_BATCH, n);
        for (size_t i = 0; i < m; i++)
            low[i] = br_low(ix, b[i].node);
        ix->kernels->dots(low, m, s->query, ix->stride, low_dots);
        for (size_t i = 0; i < m; i++) {
            int32_t high = b[i].dot, dot = 16 * high + low_dots[i] - q->quant.bias;
            b[i] = bound_of(q, b[i].node, (float)dot * q->quant.per_unit, br_meta(ix, b[i].node)->residual);
            b[i].dot = high;
        }
    }
}

static int by_bound(const void *a, const void *b)
{
    float x = ((const struct br_bound *)a)->most, y = ((const struct br_bound *)b)->most;
    return (x < y) - (x > y);
}

static int by_node(const void *a, const void *b)
{
    uint32_t x = ((const struct br_bound *)a)->node, y = ((const struct br_bound *)b)->node;
    return (x > y) - (x < y);
}

/* The answer among a few that are very near: its k-th is reached by the k-th of all. The most promising are told apart by whole codes, and the
 * best of those by rows: they are left in scratch, by node. Returns how many. */
static size_t rerank_first(const struct br_index *ix, struct br_searcher *s, const struct br_search_query *q, size_t n_first, struct br_bound *scratch,
                           struct br_hit *out, size_t *n_out)
{
    for (size_t i = 0; i < n_first; i++) {
        const uint8_t *row = br_high(ix, (uint32_t)s->hits[i].slot);
        scratch[i].node = (uint32_t)s->hits[i].slot;
        ix->kernels->dots(&row, 1, s->query, ix->stride, &scratch[i].dot);
    }
    bound_whole(ix, s, q, scratch, n_first);
    qsort(scratch, n_first, sizeof *scratch, by_bound);
    size_t n = BR_MIN(n_first, q->k + RERANK_SPARE);
    for (size_t i = 0; i < n; i++)
        br_prefetch_row(ix, q, scratch[i].node, 128);
    *n_out = 0;
    for (size_t i = 0; i < n; i++)
        br_rerank(ix, q, scratch[i].node, out, n_out);
    qsort(scratch, n, sizeof *scratch, by_node);
    return n;
}

/* Those that can reach a similarity, or are likely to. */
static size_t keep_bounds(struct br_bound *b, size_t n, float kth, bool proof)
{
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        if ((proof ? b[i].most : b[i].likely) >= kth)
            b[left++] = b[i];
    return left;
}

enum br_rc br_scan(const struct br_index *ix, struct br_searcher *s, struct br_search_query *q, uint64_t matches, struct br_hit *out, size_t *n_out,
                       bool *exhaustive, struct br_err *err)
{
    size_t first = BR_MAX(2 * q->k, (size_t)SCAN_FIRST_MIN), possible = 0;
    enum br_rc rc = fit_scan(s, q->filter.node_end + first, first, err);
    if (rc != BR_OK)
        return rc;
    br_quant_query_facts(q->vector, ix->dim, ix->scale, s->query, &q->quant);
    q->likely_share = fminf(LIKELY_DEVIATIONS / sqrtf((float)ix->dim), 1);
    struct scan_pass pass = {.ix = ix, .s = s, .q = q, .first = first, .least_dot = INT32_MIN,
                             .all = ix->count <= ix->exact_nodes || matches <= PROOF_MATCHES};
    pass.zero = br_high_bias(&q->quant);
    bound_matches(&pass);
    size_t n = pass.n_bounds;
    struct br_bound *ranked = s->bounds + n;
    size_t n_ranked = rerank_first(ix, s, q, pass.n_first, ranked, out, n_out);
    float kth = *n_out == q->k ? out[0].similarity : -INFINITY; /* the heap has its worst on top */
    for (size_t i = 0; i < n; i++)
        possible += s->bounds[i].most >= kth;
    bool proof = pass.all && (ix->count <= ix->exact_nodes || possible <= PROOF_MAX);
    *exhaustive = proof;
    n = keep_bounds(s->bounds, n, kth, proof);
    bound_whole(ix, s, q, s->bounds, n);
    n = keep_bounds(s->bounds, n, kth, proof);
    for (size_t i = 0; i < n; i++) {
        if (i + SCAN_ROWS_AHEAD < n)
            br_prefetch_row(ix, q, s->bounds[i + SCAN_ROWS_AHEAD].node, SIZE_MAX);
        if (*n_out == q->k && out[0].similarity > kth)
            kth = out[0].similarity;
        if ((proof ? s->bounds[i].most : s->bounds[i].likely) >= kth && !bsearch(&s->bounds[i], ranked, n_ranked, sizeof *ranked, by_node))
            br_rerank(ix, q, s->bounds[i].node, out, n_out);
    }
    br_topk_sort(out, *n_out);
    return BR_OK;
}
