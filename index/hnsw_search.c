/* hnsw_search.c - answering a query: choose between graph and scan, then rerank with the exact rows.
 *
 * The scan is exact by proof. The distance of a code's high plane and the residuals of plane and query bound the exact
 * similarity from above; the most promising nodes are reranked, and when the k-th exact similarity is at least the
 * bound of every node not reranked, no better one exists. The bounds of half a code are loose: of the nodes whose bound
 * passes the k-th similarity the whole code is asked, and those that still pass are reranked too. Where a filter leaves
 * so many nearly alike that a proof would read thousands of rows (it leaves out all that is near), bounds of three
 * standard deviations take the place of the certain ones, and the answer is not called exhaustive.
 *
 * Which of three ways, where a filter leaves some of more than 20,000 nodes (times relative to a walk without filter, on a hundred thousand real
 * vectors and a million synthetic ones; bench/index_filters.c, which can also force a way, measures them):
 *   Many pass, a third or more: the walk goes through all nodes, and the filter decides what enters the answer. The beam is as much wider as fewer
 *     pass, less what is met beside it: 1.2 to 2 times.
 *   Few pass: the scan of their codes. It costs by the match, whatever the graph, and is certain: it is taken up to some 5 times.
 *   In between: the walk goes through what passes alone (walk_body.inc), with a beam that hardly depends on the share: 2 to 5 times.
 * A walk can fail, and knows it. Through all: where too few of those that pass lie within its beam, it looks again with one that has room for them, if
 * that is cheaper than a scan. Within a filter: where fewer than k came back; where it met far fewer neighbours that pass than there are of all
 * (the filter leaves out what is near the query, and what passes there has no neighbours of its own kind), or far more, away from the query, and
 * what it found does not surround the query; where the k-th answer lies in a crowd. Then the scan answers after all: no filter hides matches.
 *
 * What such a scan costs is what memory gives. A filter that is the query's opposite (farthest pass, wholly or mostly) leaves answers that no walk
 * comes to: they lie on a shell around the query, as near as ten thousand others that do not pass, and not next to one another. So every
 * match is looked at: of a million with half passing, 96 MB of half codes, where a walk without filter reads .4. Smaller codes beside these would not
 * make it a walk: of one bit, 24 MB are read, and 4 to 8 in a hundred of the half codes as well, out of order, as their error (.03 of similarity) is
 * half as wide as all similarities are; of two bits, 48 MB and 3 in a thousand (measured, mostly the farthest passing). */
#include "hnsw_int.h"

#include "exact_int.h"

#include <math.h>
#include <stdlib.h>

#define PASSED_MIN 128
#define REFINE_MAX 512
#define RERANK_SPARE 2
#define ROWS_AHEAD 2
#define SCAN_ROWS_AHEAD 6
#define SCAN_FIRST_MIN 32 /* of which the k nearest so far are taken */
/* A walk through all, if one in so many passes: its beam holds fewer that pass than a plain one holds nodes, as they are met on the way to more;
 * but a quarter more than are wanted. */
#define THROUGH 3
#define FILTERED_NUM 3
#define FILTERED_DEN 5
#define WANTED_NUM 5
#define WANTED_DEN 4
#define ROWS_PER_EF 125
#define CACHED_NODES 250000u
/* Neighbours that passed, met on a walk within, relative to how many pass of all: it is not to be trusted where they were fewer than THIN; nor where
 * they were more than THICK, and among the nearest of all fewer than half of that pass: what was found lies together, and not where the query is. */
#define THIN 0.65
#define THICK 1.5
#define SAMPLE 128
#define SAMPLE_TRIES 4096
#define STARTS 4
#define CLEAR 20 /* a walk through all: so many more than are wanted lie within the beam, then it has all of the nearest */
#define LOOK_EARLY 4 /* a walk within: after so large a part of the beam it is seen whether it is where it should be */
#define LOOK_AGAIN 2 /* and where it may not, so much wider is the beam that makes sure */
#define BEAM_ABOVE 16 /* where a beam of four times as many follows */
#define BEAM_ABOVE_FILTERED 128
#define AMONG 2 /* times as far, squared */
#define CROWD 8 /* of a sample; a quarter of a standard deviation from the k-th answer, there are none else */
#define CROWD_NEAR 0.25f
#define SCAN_BATCH 32
#define PROOF_MATCHES 2000 /* of a large graph, so few are worth a proof */
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

/* What 16 dots with a high plane are too large by, whose low half is taken for 7.5. */
static float high_bias(const struct br_quant_query *q)
{
    return (float)q->bias * (120.5f / 128);
}

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
static void bound_whole(const struct br_index *ix, struct br_searcher *s, const struct query *q, struct br_bound *bounds, size_t n)
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
static size_t rerank_first(const struct br_index *ix, struct br_searcher *s, const struct query *q, size_t n_first, struct br_bound *scratch,
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
        prefetch_row(ix, q, scratch[i].node, 128);
    *n_out = 0;
    for (size_t i = 0; i < n; i++)
        rerank(ix, q, scratch[i].node, out, n_out);
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
                             .all = ix->count <= ix->exact_nodes || matches <= PROOF_MATCHES};
    pass.zero = high_bias(&q->quant);
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
            prefetch_row(ix, q, s->bounds[i + SCAN_ROWS_AHEAD].node, SIZE_MAX);
        if (*n_out == q->k && out[0].similarity > kth)
            kth = out[0].similarity;
        if ((proof ? s->bounds[i].most : s->bounds[i].likely) >= kth && !bsearch(&s->bounds[i], ranked, n_ranked, sizeof *ranked, by_node))
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

/* Some of what passes, met at random. A walk starts from the best of them too, as all others may be far from what passes; and they tell
 * whether it could succeed. */
struct sample {
    struct br_cand cands[SAMPLE]; /* nearest first */
    size_t n;
    float width; /* standard deviation of their distances */
};

static void take_sample(const struct br_index *ix, const struct br_searcher *s, const struct br_filter *f, struct sample *sample)
{
    const uint8_t *rows[SAMPLE];
    uint32_t nodes[SAMPLE], place = 0;
    int32_t dots[SAMPLE];
    double sum = 0, square = 0;
    size_t n = 0;
    for (size_t tries = 0; n < SAMPLE && tries < SAMPLE_TRIES; tries++) {
        place += UINT32_C(0x9e3779b9); /* evenly, by the golden section */
        nodes[n] = (uint32_t)((uint64_t)place * f->node_end >> 32);
        n += f->allow[nodes[n] / 64] >> nodes[n] % 64 & 1;
    }
    for (size_t i = 0; i < n; i++)
        rows[i] = br_high(ix, nodes[i]);
    ix->kernels->dots(rows, n, s->query, ix->stride, dots);
    for (size_t i = 0; i < n; i++) {
        struct br_cand c = {.id = nodes[i], .d = -dots[i]};
        size_t j = i;
        for (; j && c.d < sample->cands[j - 1].d; j--)
            sample->cands[j] = sample->cands[j - 1];
        sample->cands[j] = c;
        sum += c.d;
        square += (double)c.d * c.d;
    }
    sample->n = n;
    sample->width = n ? (float)sqrt(fmax(square / (double)n - sum / (double)n * (sum / (double)n), 0)) : 0;
}

/* The k nearest of many lie alone, far out on the tail of all distances. Where others are as near, or nearly, they form no neighbourhood
 * that a walk could come to (the filter leaves out the query's own): only the scan knows which of so many it is. */
static bool lies_in_a_crowd(const struct sample *sample, int32_t kth, int32_t margin, size_t k, uint64_t matches)
{
    float near = (float)kth + (float)margin + CROWD_NEAR * sample->width, expected = (float)sample->n * (float)k / (float)matches;
    size_t n = 0;
    while (n < sample->n && (float)sample->cands[n].d <= near)
        n++;
    return (float)n >= CROWD + 4 * expected;
}

/* Of the pool of a walk among what passes: without the dead, and the entry if it does not pass. */
static void drop_unwanted(const struct br_index *ix, struct br_searcher *s, const struct br_filter *f)
{
    size_t left = 0;
    for (size_t i = 0; i < s->pool_n; i++)
        if (br_node_passes(ix, f, s->pool[i].id & ~BR_CAND_EXPANDED))
            s->pool[left++] = s->pool[i];
    s->pool_n = left;
}

/* A walk among what passes. */
struct search_within {
    struct br_starts starts;
    size_t unwanted; /* of the starts: those that do not pass */
    size_t beam;
    double share;    /* of all nodes: what passes */
    double near;     /* the same of those that the way down ended at */
    int32_t nearest; /* and how near the nearest of them is */
};

/* It has fewer ways out of a region that is not the nearest. So it starts from more that a wider beam finds on the level above, whether they pass or
 * not. */
static void find_region(const struct br_index *ix, struct br_searcher *s, const struct query *q, struct search_within *w)
{
    size_t passing = 0;
    ix->kernels->descend(ix, s, 0, BEAM_ABOVE_FILTERED, &w->starts);
    for (size_t i = 0; i < w->starts.n; i++)
        passing += q->filter.allow[w->starts.node[i] / 64] >> w->starts.node[i] % 64 & 1;
    w->nearest = ix->max_level ? s->pool[0].d : INT32_MAX;
    w->near = (double)passing / (double)w->starts.n;
}

/* How many rows a scan may read for each entry of a beam; they take about three times as long as a walk within a filter takes for it: a scan is certain.
 * Twice as many where the graph has outgrown the caches: that slows a walk down more than a scan. */
static uint64_t rows_per_ef(const struct br_index *ix)
{
    return ix->count > CACHED_NODES ? 2 * ROWS_PER_EF : ROWS_PER_EF;
}

static enum br_rc fit_walk(const struct br_index *ix, struct br_searcher *s, size_t ef, size_t passed, struct br_err *err)
{
    return br_searcher_fit(s, ix->count, BR_MAX(ef, (size_t)BR_BEAM_ABOVE_MAX), passed, 2 * ix->stride) ? BR_OK : br_fail_nomem(err);
}

/* How far a node's nearer links lead: the lower quartile of the squared distances. INFINITY where it has none. */
static double link_length2(const struct br_index *ix, uint32_t node)
{
    _Alignas(64) int8_t code[2 * BR_DIM_MAX];
    struct br_link found[BR_LINKS_MAX];
    uint32_t cap, n = 0;
    const uint32_t *links = br_node_links(ix, node, 0, &cap);
    br_quant_to_signed(br_high(ix, node), br_low(ix, node), ix->stride, code);
    for (uint32_t i = 0; i < cap && links[i] != BR_NO_LINK; i++) {
        int32_t dot;
        if (links[i] >= ix->count || br_meta(ix, links[i])->flags & BR_NODE_DEAD)
            continue;
        const uint8_t *row = br_high(ix, links[i]);
        ix->kernels->dots(&row, 1, code, ix->stride, &dot);
        found[n++] = (struct br_link){.d = br_link_distance(ix, links[i], br_meta(ix, node), code, dot), .id = links[i]};
    }
    br_sort_links(found, n);
    return n ? (double)found[n / 4].d / ((double)ix->scale * (double)ix->scale) : INFINITY;
}

/* Does the query lie among what was found, not much farther from the k-th than what was found lies from its own neighbours? From outside, links do
 * not lead to what is nearest: a neighbourhood seen from afar is a crowd. */
static bool lies_among(const struct br_index *ix, const struct br_searcher *s, struct query *q, const struct br_cand *found)
{
    const size_t asked[] = {0, q->k / 2, q->k - 1};
    double length2 = INFINITY;
    for (size_t i = 0; i < BR_COUNT(asked); i++)
        length2 = fmin(length2, link_length2(ix, found[asked[i]].id & ~BR_CAND_EXPANDED));
    br_quant_query_facts(q->vector, ix->dim, ix->scale, s->query, &q->quant);
    double kth = (-16 * (double)found[q->k - 1].d - high_bias(&q->quant)) * (double)q->quant.per_unit;
    return 2 - 2 * kth <= AMONG * length2;
}

/* Did a walk within a filter stay where it met as many that pass as is to be expected? */
static bool met_as_expected(const struct br_searcher *s, const struct search_within *w, size_t k)
{
    double met = (double)s->met_passing / (double)s->met;
    return met >= THIN * w->share && !(met > THICK * w->share && w->near < met / 2 && s->pool[k - 1].d > w->nearest);
}

/* One stretch of the way: until so many of the beam are expanded. false: fewer than k were found. */
static bool walk_on(const struct br_index *ix, struct br_searcher *s, struct query *q, struct search_within *w, size_t expand)
{
    q->filter.expand = expand + w->unwanted;
    ix->kernels->walk(ix, s, &w->starts, 0, w->beam + w->unwanted, &q->filter);
    q->filter.go_on = true;
    drop_unwanted(ix, s, &q->filter); /* they are expanded by now, or far */
    return s->pool_n >= q->k;
}

/* K-NN-SEARCH, the paper's algorithm 5, among what passes. It is not to be trusted, and *n_out is 0, where it met far fewer or more of them than
 * there are of all, and the query does not lie among what it found. If it does, a wider beam looks again, unless a scan costs no more. */
static enum br_rc walk_within(const struct br_index *ix, struct br_searcher *s, struct query *q, const struct br_search_plan *plan,
                              struct br_hit *out, size_t *n_out, struct br_err *err)
{
    struct sample sample;
    struct search_within w = {.beam = plan->ef, .share = (double)plan->matches / (double)plan->nodes};
    uint64_t scan_instead = LOOK_AGAIN * plan->ef * rows_per_ef(ix);
    enum br_rc rc = fit_walk(ix, s, LOOK_AGAIN * plan->ef + BR_STARTS_MAX, 0, err);
    *n_out = 0;
    if (rc != BR_OK)
        return rc;
    find_region(ix, s, q, &w);
    take_sample(ix, s, &q->filter, &sample);
    for (size_t i = 0; i < BR_MIN(sample.n, (size_t)STARTS); i++)
        w.starts.node[w.starts.n++] = sample.cands[i].id;
    w.unwanted = w.starts.n; /* they take no place of what passes */
    for (size_t i = 0; i < w.starts.n; i++)
        w.unwanted -= br_node_passes(ix, &q->filter, w.starts.node[i]);
    q->filter.within = true;
    s->met = s->met_passing = 0;
    bool choice = ix->exact_matches > 0, found = walk_on(ix, s, q, &w, BR_MAX(plan->ef / LOOK_EARLY, q->k));
    if (choice && plan->matches <= scan_instead && found && !met_as_expected(s, &w, q->k))
        return BR_OK;
    if (!walk_on(ix, s, q, &w, plan->ef))
        return BR_OK;
    bool expected = met_as_expected(s, &w, q->k);
    if (!expected && (!choice || plan->matches > scan_instead) && lies_among(ix, s, q, s->pool)) {
        w.beam = LOOK_AGAIN * plan->ef;
        q->filter.go_on = false;
        expected = walk_on(ix, s, q, &w, w.beam);
    }
    if (!expected || lies_in_a_crowd(&sample, s->pool[q->k - 1].d, margin_of(ix, s), q->k, plan->matches))
        return BR_OK;
    refine(ix, s, q, s->pool, s->pool_n, out, n_out);
    return BR_OK;
}

/* How many of a walk's answers lie within its beam. What lies beyond was met by chance on the way there. */
static size_t within_beam(const struct br_searcher *s)
{
    size_t n = 0;
    while (n < s->passed_n && s->passed[n].d <= s->pool[s->pool_n - 1].d)
        n++;
    return n;
}

/* The same through all nodes, until the k nearest that pass, and some more, lie within the beam: it is where the walk looked with care. If they do
 * not, the filter leaves out most of the query's own neighbourhood; how many do tells which beam would be enough. *n_out is 0 where the widest
 * that a scan's price allows holds fewer than k, or they are a crowd. */
static enum br_rc walk_through(const struct br_index *ix, struct br_searcher *s, struct query *q, const struct br_search_plan *plan,
                               struct br_hit *out, size_t *n_out, struct br_err *err)
{
    bool filtering = plan->path == BR_PATH_FILTERED_WALK;
    size_t ef = plan->ef, widest = BR_MIN(plan->matches / rows_per_ef(ix), (size_t)BR_HNSW_EF_MAX), enough = q->k + BR_MIN(2 * q->k, (size_t)CLEAR);
    *n_out = 0;
    for (;;) {
        struct br_starts starts;
        s->passed_n = 0;
        s->passed_cap = BR_MAX(8 * q->k, (size_t)PASSED_MIN);
        enum br_rc rc = fit_walk(ix, s, ef, filtering ? s->passed_cap : 0, err);
        if (rc != BR_OK)
            return rc;
        ix->kernels->descend(ix, s, 0, q->filter.allow ? BEAM_ABOVE_FILTERED : BR_MIN(ef / 4, (size_t)BEAM_ABOVE), &starts);
        ix->kernels->walk(ix, s, &starts, 0, ef, filtering ? &q->filter : NULL);
        size_t n = filtering ? within_beam(s) : enough;
        bool last = 2 * ef > widest;
        if (n >= (last ? q->k : enough) || n >= plan->matches)
            break;
        if (last)
            return BR_OK;
        ef = n ? BR_MIN(ef * enough / n * 5 / 4 + 1, widest) : widest; /* always more */
    }
    if (ef == plan->ef || lies_among(ix, s, q, s->passed))
        refine(ix, s, q, filtering ? s->passed : s->pool, filtering ? s->passed_n : s->pool_n, out, n_out);
    return BR_OK;
}

/* How to answer: the path, the beam and, for a scan, why. */
static void make_plan(const struct br_index *ix, const struct query *q, size_t ef, struct br_search_plan *plan)
{
    uint64_t count = ix->count, matches = plan->matches, most = BR_MAX((uint64_t)BR_HNSW_EF_MAX, q->k), beam = BR_MIN(BR_MAX(ef, q->k), most);
    bool choice = q->filter.allow && ix->exact_matches; /* else walks are wished for */
    bool all = !q->filter.allow && ix->live == ix->count && q->filter.node_end == ix->count;
    bool through = !all && (!q->filter.allow || matches * THROUGH >= count); /* deaths alone: the filter has no bits to walk within */
    plan->path = BR_PATH_SCAN;
    if (count <= ix->exact_nodes) {
        plan->why = BR_SCAN_SMALL_INDEX;
        return;
    }
    if (matches <= q->k || (q->filter.allow && matches <= ix->exact_matches)) {
        plan->why = BR_SCAN_FEW_MATCHES;
        return;
    }
    if (through) {
        uint64_t filtered = beam * count / matches * FILTERED_NUM / FILTERED_DEN, wanted = q->k * count / matches * WANTED_NUM / WANTED_DEN;
        beam = BR_MIN(BR_MAX(beam, BR_MAX(filtered, wanted)), most);
        if (choice && beam * matches < q->k * count) {
            plan->why = BR_SCAN_NARROW_BEAM;
            return;
        }
    } else if (!all) {
        if (choice && matches <= beam * rows_per_ef(ix)) {
            plan->why = BR_SCAN_CHEAPER;
            return;
        }
    }
    plan->path = all ? BR_PATH_WALK : through ? BR_PATH_FILTERED_WALK : BR_PATH_WALK_WITHIN;
    plan->ef = (size_t)beam;
}

enum br_rc br_index_search(const struct br_index *ix, struct br_searcher *s, const struct br_rows *rows,
                           const float *query, const struct br_search_params *params, struct br_hit *out,
                           size_t *n_out, bool *exhaustive, struct br_err *err)
{
    struct query q = {.rows = rows, .vector = query};
    *n_out = 0;
    *exhaustive = true;
    q.filter.node_end = br_node_lower_bound(ix, rows->count);
    uint64_t matches = BR_MIN(ix->live, q.filter.node_end);
    if (params->allow) {
        if (!br_node_set_make(ix, params->allow, q.filter.node_end, &s->allowed))
            return br_fail_nomem(err);
        q.filter.allow = s->allowed.words;
        struct br_bitmap nodes = {s->allowed.words, q.filter.node_end};
        matches = BR_MIN(matches, br_bitmap_count(&nodes));
    }
    /* Damage can make `live` too small; k is cut by what cannot lie. */
    q.k = BR_MIN(params->k, (size_t)q.filter.node_end);
    struct br_search_plan unasked, *plan = params->plan ? params->plan : &unasked;
    *plan = (struct br_search_plan){.path = BR_PATH_SCAN, .why = BR_SCAN_FEW_MATCHES, .nodes = ix->count, .matches = matches};
    if (q.k == 0)
        return BR_OK;
    if (!br_searcher_fit(s, 0, 0, 0, 2 * ix->stride))
        return br_fail_nomem(err);
    if (!ix->kernels->encode_query(query, ix->dim, s->query))
        return br_fail(err, BR_E_DATA, "the query vector is not finite");

    make_plan(ix, &q, params->ef ? params->ef : BR_HNSW_EF_SEARCH_DEFAULT, plan);
    if (plan->path != BR_PATH_SCAN) {
        *exhaustive = false;
        enum br_rc rc = (plan->path == BR_PATH_WALK_WITHIN ? walk_within : walk_through)(ix, s, &q, plan, out, n_out, err);
        if (rc != BR_OK || *n_out == q.k)
            return rc;
        plan->path = BR_PATH_SCAN_AFTER_WALK; /* the filter and the walk miss each other */
        plan->why = BR_SCAN_WALK_TOO_FEW;
    }
    return scan(ix, s, &q, matches, out, n_out, exhaustive, err);
}
