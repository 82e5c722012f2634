/* hnsw_search.c - answering a query: choose between graph and scan, then rerank with the exact rows.
 *
 * The scan is exact by proof. The distance of a code's high plane and the residuals of plane and query bound the exact
 * similarity from above; the most promising nodes are reranked, and when the k-th exact similarity is at least the
 * bound of every node not reranked, no better one exists. The bounds of half a code are loose: of the nodes whose bound
 * passes the k-th similarity the whole code is asked, and those that still pass are reranked too. Where a filter leaves
 * so many nearly alike that a proof would read thousands of rows (it leaves out all that is near), bounds of four
 * standard deviations take the place of the certain ones, and the answer is not called exhaustive.
 *
 * The graph is asked only where it pays: sets of more than 20,000 nodes, filters that leave more than 10,000 slots.
 * There a filter decides what enters the answer, not where the search walks, and the beam grows with the share that
 * is filtered out. If fewer than k come back, the scan answers instead, so a filter never hides matches. */
#include "hnsw_int.h"

#include "exact_int.h"

#include <math.h>
#include <stdlib.h>

#define PASSED_MIN 128
#define REFINE_MAX 512
#define RERANK_SPARE 2
#define ROWS_AHEAD 2
#define SCAN_FIRST_MIN 32 /* of which the k nearest so far are taken */
/* What a beam entry of a filtered walk costs, in rows of a scan (measured); a scan that costs less is preferred. */
#define ROWS_PER_EF 6
/* A filtered beam holds fewer that pass than a plain one holds nodes: they are met on the way to more. */
#define FILTERED_NUM 3
#define FILTERED_DEN 5
#define SCAN_BATCH 32
#define PROOF_MATCHES 2000 /* of a large graph, so few are worth a proof */
#define RUN_MAX 4096
#define PROOF_MAX 512 /* nodes whose rows may be worth reading for a proof; past that, likelihood must do */
#define LIKELY_DEVIATIONS 3

struct query {
    const struct br_rows *rows;
    const float *vector;
    struct br_quant_query quant;
    float likely_share; /* of what can be lost, what is likely to be */
    struct br_filter filter;
    size_t k;
};

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

/* The row of a node; NULL where a damaged slot table points past the rows. */
static const float *row_of(const struct br_index *ix, const struct br_rows *rows, uint32_t node)
{
    uint64_t slot = *br_node_slot(ix, node);
    return slot < rows->count ? rows->base + slot * rows->stride_floats : NULL;
}

/* Moves a row that will be reranked nearer. */
static void prefetch_row(const struct br_index *ix, const struct query *q, uint32_t node, size_t bytes)
{
    const float *row = row_of(ix, q->rows, node);
    if (row)
        br_prefetch(row, BR_MIN(bytes, ix->dim * sizeof(float)));
}

static void rerank(const struct br_index *ix, const struct query *q, uint32_t node, struct br_hit *out, size_t *n)
{
    const float *row = row_of(ix, q->rows, node);
    if (row)
        br_topk_push(out, n, q->k, *br_node_slot(ix, node), ix->kernels->inner(q->vector, row, ix->dim));
}

/* --- The scan. --- */

/* What is lost is at most the product of the lengths of the query and of the residual. As a rule they point nowhere in
 * particular, seen from one another, and it is a normal variable with the dim-th part of that square as its variance. Stored vectors have
 * unit length. */
static struct br_bound bound_of(const struct query *q, uint32_t node, float estimate, float residual)
{
    float lost = q->quant.length * residual + q->quant.residual * (1.001f + residual);
    struct br_bound b = {.most = estimate + lost + 1e-4f, .likely = estimate + lost * q->likely_share + 1e-4f, .node = node};
    if (isnan(b.most) || isnan(b.likely)) /* a damaged residual: no bound */
        b.most = b.likely = INFINITY;
    return b;
}

/* Where a pass over the nodes is. Slots and nodes grow together and gaps are few: nodes up to run_end have the slots node + shift. */
struct cursor {
    uint32_t node, run_end;
    uint64_t shift;
};

static void find_run(const struct br_index *ix, struct cursor *c, uint32_t node_end)
{
    uint64_t slot = *br_node_slot(ix, c->node);
    uint32_t low = 0, high = BR_MIN(node_end - c->node, (uint32_t)RUN_MAX) - 1;
    if (*br_node_slot(ix, c->node + high) - slot == high)
        low = high;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (*br_node_slot(ix, c->node + middle) - slot == middle)
            low = middle;
        else
            high = middle - 1;
    }
    c->shift = slot - c->node;
    c->run_end = c->node + low + 1;
}

/* The next nodes that are allowed, up to SCAN_BATCH. */
static size_t take_allowed(const struct br_index *ix, const struct br_filter *f, struct cursor *c, uint32_t *out)
{
    size_t n = 0;
    while (n < SCAN_BATCH && c->node < f->node_end) {
        if (!f->allow) {
            out[n++] = c->node++;
            continue;
        }
        if (c->node >= c->run_end)
            find_run(ix, c, f->node_end);
        uint64_t slot = c->node + c->shift, bits;
        if (slot >= f->allow->n_bits) {
            c->node = f->node_end;
            break;
        }
        uint32_t valid = (uint32_t)BR_MIN(BR_MIN(64 - slot % 64, f->allow->n_bits - slot), (uint64_t)(c->run_end - c->node));
        bits = f->allow->words[slot / 64] >> slot % 64 & ~UINT64_C(0) >> (64 - valid);
        for (; bits && n < SCAN_BATCH; bits &= bits - 1)
            out[n++] = c->node + (uint32_t)__builtin_ctzll(bits);
        c->node += bits ? (uint32_t)__builtin_ctzll(bits) : valid;
    }
    return n;
}

/* The bounds of the nodes that match. Of many, only of those that may still be among the nearest: s->hits collects the `first` best lower
 * bounds, and what is likely to be below all of them is let go, most of it by its dot alone: by the largest residual there is. */
struct scan_pass {
    const struct br_index *ix;
    struct br_searcher *s;
    const struct query *q;
    size_t first, n_first, n_bounds;
    float zero; /* what the dots are too large by */
    int32_t least_dot;
    bool all;
};

static void raise_least(struct scan_pass *p)
{
    const struct query *q = p->q;
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
    struct cursor cursor = {0};
    for (size_t turn = 0;; turn ^= 1) {
        n[turn] = take_allowed(p->ix, &p->q->filter, &cursor, batch[turn]);
        for (size_t i = 0; i < n[turn]; i++)
            br_prefetch(br_high(p->ix, batch[turn][i]), p->ix->stride);
        bound_batch(p, batch[turn ^ 1], n[turn ^ 1]);
        n[turn ^ 1] = 0;
        if (!n[turn])
            return;
    }
}

/* n bounds anew, by whole codes. */
static void bound_whole(const struct br_index *ix, struct br_searcher *s, const struct query *q, struct br_bound *bounds, size_t n)
{
    for (size_t first = 0; first < n; first += SCAN_BATCH) {
        const uint8_t *high[SCAN_BATCH], *low[SCAN_BATCH];
        int32_t high_dots[SCAN_BATCH], low_dots[SCAN_BATCH];
        size_t m = BR_MIN(n - first, (size_t)SCAN_BATCH);
        struct br_bound *b = bounds + first;
        for (size_t i = 0; i < m; i++) {
            high[i] = br_high(ix, b[i].node);
            low[i] = br_low(ix, b[i].node);
        }
        ix->kernels->dots(low, m, s->query, ix->stride, low_dots);
        ix->kernels->dots(high, m, s->query, ix->stride, high_dots);
        for (size_t i = 0; i < m; i++) {
            int32_t dot = 16 * high_dots[i] + low_dots[i] - q->quant.bias;
            b[i] = bound_of(q, b[i].node, (float)dot * q->quant.per_unit, br_meta(ix, b[i].node)->residual);
        }
    }
}

static int by_bound(const void *a, const void *b)
{
    float x = ((const struct br_bound *)a)->most, y = ((const struct br_bound *)b)->most;
    return (x < y) - (x > y);
}

/* The k-th exact similarity of some that are very near, which the k-th of all reaches too; -INFINITY where there are not as many. The most promising
 * are told apart by whole codes, and the best of those by rows. */
static float reachable(const struct br_index *ix, struct br_searcher *s, const struct query *q, size_t n_first, struct br_bound *scratch,
                       struct br_hit *out, size_t *n_out)
{
    for (size_t i = 0; i < n_first; i++)
        scratch[i].node = (uint32_t)s->hits[i].slot;
    bound_whole(ix, s, q, scratch, n_first);
    qsort(scratch, n_first, sizeof *scratch, by_bound);
    size_t n = BR_MIN(n_first, q->k + RERANK_SPARE);
    for (size_t i = 0; i < n; i++)
        prefetch_row(ix, q, scratch[i].node, 128);
    *n_out = 0;
    for (size_t i = 0; i < n; i++)
        rerank(ix, q, scratch[i].node, out, n_out);
    return *n_out == q->k ? out[0].similarity : -INFINITY; /* the heap has its worst on top */
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

static enum br_rc scan(const struct br_index *ix, struct br_searcher *s, struct query *q, uint64_t matches, struct br_hit *out, size_t *n_out,
                       bool *exhaustive, struct br_err *err)
{
    size_t first = BR_MAX(2 * q->k, (size_t)SCAN_FIRST_MIN), possible = 0;
    enum br_rc rc = fit_scan(s, q->filter.node_end + first, first, err);
    if (rc != BR_OK)
        return rc;
    br_quant_query_facts(q->vector, ix->dim, ix->scale, s->query, &q->quant);
    q->likely_share = fminf(LIKELY_DEVIATIONS / sqrtf((float)ix->dim), 1);
    struct scan_pass pass = {.ix = ix, .s = s, .q = q, .first = first, .least_dot = INT32_MIN,
                             .all = ix->count <= BR_EXACT_NODES || matches <= PROOF_MATCHES};
    pass.zero = (float)q->quant.bias * (120.5f / 128);
    bound_matches(&pass);
    size_t n = pass.n_bounds;
    float kth = reachable(ix, s, q, pass.n_first, s->bounds + n, out, n_out);
    for (size_t i = 0; i < n; i++)
        possible += s->bounds[i].most >= kth;
    bool proof = pass.all && (ix->count <= BR_EXACT_NODES || possible <= PROOF_MAX);
    *exhaustive = proof;
    n = keep_bounds(s->bounds, n, kth, proof);
    bound_whole(ix, s, q, s->bounds, n);
    n = keep_bounds(s->bounds, n, kth, proof);
    *n_out = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + ROWS_AHEAD < n)
            prefetch_row(ix, q, s->bounds[i + ROWS_AHEAD].node, SIZE_MAX);
        if (*n_out == q->k && out[0].similarity > kth)
            kth = out[0].similarity;
        if ((proof ? s->bounds[i].most : s->bounds[i].likely) >= kth)
            rerank(ix, q, s->bounds[i].node, out, n_out);
    }
    br_topk_sort(out, *n_out);
    return BR_OK;
}

/* --- The graph. --- */

/* How far the distances of two codes may be off from one another, in units of what rounding a component loses: three standard
 * deviations of the difference of two sums, over the components, of query times rounding error (variance 1/12). */
static int32_t margin_of(const struct br_index *ix, const struct br_searcher *s)
{
    int64_t length2 = 0;
    for (size_t i = 0; i < 2 * ix->stride; i++)
        length2 += s->query[i] * s->query[i];
    return (int32_t)(3 * sqrtf((float)length2 / 6));
}

/* How many of a sorted list may be among the k nearest. */
static size_t contenders(const struct br_cand *found, size_t n, size_t k, int32_t margin)
{
    if (n <= k)
        return n;
    int64_t most = (int64_t)found[k - 1].d + margin;
    size_t m = k;
    while (m < n && found[m].d <= most)
        m++;
    return m;
}

/* The walk's distances are of half codes. Those that may be among the nearest are told apart by whole codes, and what is still too
 * close to call by the rows. */
static void refine(const struct br_index *ix, struct br_searcher *s, const struct query *q, struct br_cand *found, size_t n,
                   struct br_hit *out, size_t *n_out)
{
    int32_t dots[REFINE_MAX], margin = margin_of(ix, s);
    n = BR_MAX(contenders(found, n, q->k, margin), BR_MIN(n, q->k + RERANK_SPARE)); /* a high plane's unit is 16, and so is what it loses */
    if (n <= REFINE_MAX) { /* for more, the rows alone */
        for (size_t i = 0; i < BR_MIN(n, q->k); i++) /* most of these will be among them */
            prefetch_row(ix, q, found[i].id & ~BR_CAND_EXPANDED, 64);
        br_full_dots(ix, s->query, found, n, dots);
        for (size_t i = 0; i < n; i++) {
            struct br_cand c = {.id = found[i].id & ~BR_CAND_EXPANDED, .d = -dots[i]};
            size_t j = i;
            for (; j && br_cand_key(c) < br_cand_key(found[j - 1]); j--)
                found[j] = found[j - 1];
            found[j] = c;
        }
        n = contenders(found, n, q->k, margin);
    }
    *n_out = 0;
    for (size_t i = 0; i < BR_MIN(n, (size_t)ROWS_AHEAD); i++)
        prefetch_row(ix, q, found[i].id & ~BR_CAND_EXPANDED, SIZE_MAX);
    for (size_t i = 0; i < n; i++) {
        if (i + ROWS_AHEAD < n)
            prefetch_row(ix, q, found[i + ROWS_AHEAD].id & ~BR_CAND_EXPANDED, SIZE_MAX);
        rerank(ix, q, found[i].id & ~BR_CAND_EXPANDED, out, n_out);
    }
    br_topk_sort(out, *n_out);
}

/* K-NN-SEARCH, the paper's algorithm 5. */
static enum br_rc walk(const struct br_index *ix, struct br_searcher *s, const struct query *q, size_t ef,
                       bool filtering, struct br_hit *out, size_t *n_out, struct br_err *err)
{
    size_t most = BR_MAX(8 * q->k, (size_t)PASSED_MIN);
    if (!br_searcher_fit(s, ix->count, ef, filtering ? most : 0, 2 * ix->stride))
        return br_fail_nomem(err);
    uint32_t entry = ix->kernels->descend(ix, s, 0);
    s->passed_n = 0;
    s->passed_cap = most;
    ix->kernels->walk(ix, s, entry, 0, ef, filtering ? &q->filter : NULL);
    *n_out = 0;
    /* The beam is where the walk looked with care. A k-th answer beyond it was met by chance on the way there: the filter leaves out the
     * query's own neighbourhood, and only the scan knows what is nearest elsewhere. */
    if (filtering && (s->passed_n < q->k || s->passed[q->k - 1].d > s->pool[s->pool_n - 1].d))
        return BR_OK;
    refine(ix, s, q, filtering ? s->passed : s->pool, filtering ? s->passed_n : s->pool_n, out, n_out);
    return BR_OK;
}

/* Allowed slots below end: no fewer than there are matches. */
static uint64_t count_allowed(const struct br_bitmap *allow, uint64_t end)
{
    struct br_bitmap prefix = {.words = allow->words, .n_bits = BR_MIN(allow->n_bits, end)};
    return br_bitmap_count(&prefix);
}

/* Is a scan to answer at once, and why? */
static bool scan_pays(const struct br_index *ix, bool filtered, uint64_t matches, size_t k, size_t ef, enum br_scan_why *why)
{
    bool small = ix->count <= ix->exact_nodes, few = matches <= k || (filtered && matches <= ix->exact_matches);
    bool choice = filtered && ix->exact_matches; /* 0: walks are wished for */
    bool narrow = choice && ef * matches < (uint64_t)k * ix->count; /* a beam of which too few will pass */
    bool cheaper = choice && matches <= (uint64_t)ef * ROWS_PER_EF;
    *why = small ? BR_SCAN_SMALL_INDEX : few ? BR_SCAN_FEW_MATCHES : narrow ? BR_SCAN_NARROW_BEAM : BR_SCAN_CHEAPER;
    return small || few || narrow || cheaper;
}

enum br_rc br_index_search(const struct br_index *ix, struct br_searcher *s, const struct br_rows *rows,
                           const float *query, const struct br_search_params *params, struct br_hit *out,
                           size_t *n_out, bool *exhaustive, struct br_err *err)
{
    struct query q = {.rows = rows, .vector = query, .filter = {.allow = params->allow}};
    *n_out = 0;
    *exhaustive = true;
    q.filter.node_end = br_node_lower_bound(ix, rows->count);
    uint64_t matches = BR_MIN(ix->live, q.filter.node_end);
    if (params->allow)
        matches = BR_MIN(matches, count_allowed(params->allow, ix->slot_end));
    /* Damage can make `live` too small; k is cut by what cannot lie. */
    q.k = BR_MIN(params->k, (size_t)q.filter.node_end);
    if (q.k == 0)
        return BR_OK;
    if (!br_searcher_fit(s, 0, 0, 0, 2 * ix->stride))
        return br_fail_nomem(err);
    if (!ix->kernels->encode_query(query, ix->dim, s->query))
        return br_fail(err, BR_E_DATA, "the query vector is not finite");

    bool filtering = params->allow || ix->live < ix->count || q.filter.node_end < ix->count;
    size_t most = BR_MAX((size_t)BR_HNSW_EF_MAX, q.k);
    size_t ef = BR_MIN(BR_MAX(params->ef ? params->ef : BR_HNSW_EF_SEARCH_DEFAULT, q.k), most);
    if (filtering && matches)
        ef = (size_t)BR_MIN(BR_MAX((uint64_t)ef, (uint64_t)ef * ix->count / matches * FILTERED_NUM / FILTERED_DEN), (uint64_t)most);
    struct br_search_plan unasked, *plan = params->plan ? params->plan : &unasked;
    *plan = (struct br_search_plan){.nodes = ix->count, .matches = matches};
    if (scan_pays(ix, params->allow, matches, q.k, ef, &plan->why)) {
        plan->path = BR_PATH_SCAN;
    } else {
        plan->path = filtering ? BR_PATH_FILTERED_WALK : BR_PATH_WALK;
        plan->ef = ef;
        *exhaustive = false;
        enum br_rc rc = walk(ix, s, &q, ef, filtering, out, n_out, err);
        if (rc != BR_OK || *n_out == q.k)
            return rc;
        /* Too few: the filter and the walk miss each other. */
        plan->path = BR_PATH_SCAN_AFTER_WALK;
        plan->why = BR_SCAN_WALK_TOO_FEW;
    }
    return scan(ix, s, &q, matches, out, n_out, exhaustive, err);
}
