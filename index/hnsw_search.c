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
#define SCAN_RERANK_MIN 128
/* What a beam entry of a filtered walk costs, in rows of a scan (measured); a scan that costs less is preferred. */
#define ROWS_PER_EF 6
/* A filtered beam holds fewer that pass than a plain one holds nodes: they are met on the way to more. */
#define FILTERED_NUM 3
#define FILTERED_DEN 5
#define SCAN_BATCH 32
#define PROOF_MAX 1024 /* nodes whose rows may be worth reading for a proof; past that, likelihood must do */
#define LIKELY_DEVIATIONS 4

struct query {
    const struct br_rows *rows;
    const float *vector;
    struct br_quant_query quant;
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

static void rerank(const struct br_index *ix, const struct query *q, uint32_t node, struct br_hit *out, size_t *n)
{
    const float *row = row_of(ix, q->rows, node);
    if (row)
        br_topk_push(out, n, q->k, *br_node_slot(ix, node), ix->kernels->inner(q->vector, row, ix->dim));
}

/* --- The scan. --- */

static float length_of(const struct br_index *ix, const struct br_node_meta *m)
{
    return sqrtf((float)m->sum2) / ix->scale;
}

/* What is lost is at most the product of the lengths of the query and of the residual. As a rule they point nowhere in
 * particular, seen from one another, and it is a normal variable with the dim-th part of that square as its variance. */
static struct br_bound bound_of(const struct br_index *ix, const struct query *q, uint32_t node, float estimate, float residual)
{
    const struct br_node_meta *m = br_meta(ix, node);
    float lost = q->quant.length * residual + q->quant.residual * (length_of(ix, m) + residual);
    float share = fminf(LIKELY_DEVIATIONS / sqrtf((float)ix->dim), 1);
    struct br_bound b = {.most = estimate + lost + 1e-4f, .likely = estimate + lost * share + 1e-4f, .node = node};
    if (isnan(b.most) || isnan(b.likely)) /* a damaged residual: no bound */
        b.most = b.likely = INFINITY;
    return b;
}

/* Bounds of a batch of nodes by their high planes; the low halves are taken for 7.5. */
static void bound_batch(const struct br_index *ix, struct br_searcher *s, const struct query *q,
                        const uint32_t *nodes, size_t n, size_t *n_bounds)
{
    const uint8_t *rows[SCAN_BATCH] = {0};
    int32_t dots[SCAN_BATCH];
    float zero = (float)q->quant.bias * (120.5f / 128);
    for (size_t i = 0; i < n; i++)
        rows[i] = br_high(ix, nodes[i]);
    ix->kernels->dots(rows, n, s->query, ix->stride, dots);
    for (size_t i = 0; i < n; i++) {
        const struct br_node_meta *m = br_meta(ix, nodes[i]);
        float estimate = (16 * (float)dots[i] - zero) * q->quant.per_unit;
        s->bounds[(*n_bounds)++] = bound_of(ix, q, nodes[i], estimate, m->residual + m->high_residual);
    }
}

/* The first n bounds anew, by whole codes. */
static void bound_whole(const struct br_index *ix, struct br_searcher *s, const struct query *q, size_t n)
{
    for (size_t first = 0; first < n; first += SCAN_BATCH) {
        const uint8_t *high[SCAN_BATCH], *low[SCAN_BATCH];
        int32_t high_dots[SCAN_BATCH], low_dots[SCAN_BATCH];
        size_t m = BR_MIN(n - first, (size_t)SCAN_BATCH);
        struct br_bound *b = s->bounds + first;
        for (size_t i = 0; i < m; i++) {
            high[i] = br_high(ix, b[i].node);
            low[i] = br_low(ix, b[i].node);
        }
        ix->kernels->dots(low, m, s->query, ix->stride, low_dots);
        ix->kernels->dots(high, m, s->query, ix->stride, high_dots);
        for (size_t i = 0; i < m; i++) {
            int32_t dot = 16 * high_dots[i] + low_dots[i] - q->quant.bias;
            b[i] = bound_of(ix, q, b[i].node, (float)dot * q->quant.per_unit, br_meta(ix, b[i].node)->residual);
        }
    }
}

/* The next node at or after `node` whose slot is allowed. Slots and nodes grow together and gaps are few: the node
 * of a slot is at most as far on as the slot is, and mostly exactly there. */
static uint32_t next_allowed(const struct br_index *ix, const struct br_bitmap *allow, uint32_t node, uint32_t end)
{
    while (node < end) {
        uint64_t slot = *br_node_slot(ix, node);
        if (slot >= allow->n_bits)
            return end;
        if (br_bitmap_test(allow, slot))
            return node;
        uint64_t word = slot / 64, left = allow->words[word] & (~UINT64_C(0) << slot % 64);
        uint64_t words = (allow->n_bits + 63) / 64;
        while (!left && ++word < words)
            left = allow->words[word];
        if (!left)
            return end;
        uint64_t target = word * 64 + (uint64_t)__builtin_ctzll(left);
        /* target > slot; nodes before the returned one have slots below target */
        uint64_t guess = node + (target - slot);
        if (guess < end && *br_node_slot(ix, (uint32_t)guess) == target) {
            node = (uint32_t)guess;
            continue;
        }
        uint32_t low = node + 1, high = (uint32_t)BR_MIN(guess, (uint64_t)end);
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (*br_node_slot(ix, middle) < target)
                low = middle + 1;
            else
                high = middle;
        }
        node = low;
    }
    return end;
}

static size_t bound_matches(const struct br_index *ix, struct br_searcher *s, const struct query *q)
{
    uint32_t batch[SCAN_BATCH];
    size_t n = 0, n_bounds = 0;
    for (uint32_t node = 0; node < q->filter.node_end; node++) {
        if (q->filter.allow) {
            node = next_allowed(ix, q->filter.allow, node, q->filter.node_end);
            if (node >= q->filter.node_end)
                break;
        }
        if (br_meta(ix, node)->flags & BR_NODE_DEAD)
            continue;
        batch[n++] = node;
        if (n == SCAN_BATCH) {
            bound_batch(ix, s, q, batch, n, &n_bounds);
            n = 0;
        }
    }
    bound_batch(ix, s, q, batch, n, &n_bounds);
    return n_bounds;
}

/* The exact answer among the most promising of n bounds. Returns the similarity that any further one must reach:
 * INFINITY when none can. */
static float rerank_first(const struct br_index *ix, struct br_searcher *s, const struct query *q, size_t n, size_t first,
                          struct br_hit *out, size_t *n_out)
{
    size_t n_first = 0;
    for (size_t i = 0; i < n; i++) /* a node number stands in for the slot */
        br_topk_push(s->hits, &n_first, first, s->bounds[i].node, s->bounds[i].most);
    for (size_t i = 0; i < n_first; i++) {
        const float *row = row_of(ix, q->rows, (uint32_t)s->hits[i].slot);
        if (row)
            __builtin_prefetch(row);
    }
    *n_out = 0;
    for (size_t i = 0; i < n_first; i++)
        rerank(ix, q, (uint32_t)s->hits[i].slot, out, n_out);
    /* Both heaps have their worst on top. */
    if (n_first == n || (*n_out == q->k && s->hits[0].similarity < out[0].similarity))
        return INFINITY;
    return *n_out == q->k ? out[0].similarity : -INFINITY;
}

/* Those that can reach a similarity, or are likely to. */
static size_t keep_bounds(struct br_searcher *s, size_t n, float kth, bool proof)
{
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        if ((proof ? s->bounds[i].most : s->bounds[i].likely) >= kth)
            s->bounds[left++] = s->bounds[i];
    return left;
}

static enum br_rc scan(const struct br_index *ix, struct br_searcher *s, struct query *q, struct br_hit *out,
                       size_t *n_out, bool *exhaustive, struct br_err *err)
{
    size_t first = BR_MAX(2 * q->k, (size_t)SCAN_RERANK_MIN), possible = 0;
    enum br_rc rc = fit_scan(s, q->filter.node_end, first, err);
    if (rc != BR_OK)
        return rc;
    br_quant_query_facts(q->vector, ix->dim, ix->scale, s->query, &q->quant);
    size_t n = bound_matches(ix, s, q);
    float kth = rerank_first(ix, s, q, n, first, out, n_out);
    *exhaustive = true;
    if (kth != INFINITY) {
        for (size_t i = 0; i < n; i++)
            possible += s->bounds[i].most >= kth;
        bool proof = ix->count <= BR_EXACT_NODES || possible <= PROOF_MAX;
        *exhaustive = proof;
        n = keep_bounds(s, n, kth, proof);
        bound_whole(ix, s, q, n);
        kth = rerank_first(ix, s, q, n, first, out, n_out);
        if (kth != INFINITY) {
            n = keep_bounds(s, n, kth, proof);
            *n_out = 0;
            for (size_t i = 0; i < n; i++) {
                if (*n_out == q->k && out[0].similarity > kth)
                    kth = out[0].similarity;
                if ((proof ? s->bounds[i].most : s->bounds[i].likely) >= kth)
                    rerank(ix, q, s->bounds[i].node, out, n_out);
            }
        }
    }
    br_topk_sort(out, *n_out);
    return BR_OK;
}

/* --- The graph. --- */

/* Moves a row that will be reranked nearer. */
static void prefetch_row(const struct br_index *ix, const struct query *q, const struct br_cand *c, size_t bytes)
{
    const float *row = row_of(ix, q->rows, c->id & ~BR_CAND_EXPANDED);
    if (row)
        br_prefetch(row, BR_MIN(bytes, ix->dim * sizeof(float)));
}

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
            prefetch_row(ix, q, &found[i], 64);
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
        prefetch_row(ix, q, &found[i], SIZE_MAX);
    for (size_t i = 0; i < n; i++) {
        if (i + ROWS_AHEAD < n)
            prefetch_row(ix, q, &found[i + ROWS_AHEAD], SIZE_MAX);
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
    return scan(ix, s, &q, out, n_out, exhaustive, err);
}
