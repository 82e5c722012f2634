/* hnsw_walk.c - answering a query by a walk over the graph that may fail, and knows it.
 *
 * Through all: where too few of those that pass lie within its beam, it looks again with one that has room for them, if
 * that is cheaper than a scan. Within a filter: where fewer than k came back; where it met far fewer neighbours that pass than there are of all
 * (the filter leaves out what is near the query, and what passes there has no neighbours of its own kind), or far more, away from the query, and
 * what it found does not surround the query; where the k-th answer lies in a crowd. Then the scan answers after all: no filter hides matches. */
#include "hnsw_search_int.h"

#include <math.h>
#include <stdlib.h>

#define PASSED_MIN 128
#define REFINE_MAX 512
#define ROWS_AHEAD 2
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
static void refine(const struct br_index *ix, struct br_searcher *s, const struct br_search_query *q, struct br_cand *found, size_t n,
                   struct br_hit *out, size_t *n_out)
{
    int32_t dots[REFINE_MAX], margin = margin_of(ix, s);
    n = BR_MAX(contenders(found, n, q->k, margin), BR_MIN(n, q->k + RERANK_SPARE)); /* a high plane's unit is 16, and so is what it loses */
    if (n <= REFINE_MAX) { /* for more, the rows alone */
        for (size_t i = 0; i < BR_MIN(n, q->k); i++) /* most of these will be among them */
            br_prefetch_row(ix, q, found[i].id & ~BR_CAND_EXPANDED, 64);
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
        br_prefetch_row(ix, q, found[i].id & ~BR_CAND_EXPANDED, SIZE_MAX);
    for (size_t i = 0; i < n; i++) {
        if (i + ROWS_AHEAD < n)
            br_prefetch_row(ix, q, found[i + ROWS_AHEAD].id & ~BR_CAND_EXPANDED, SIZE_MAX);
        br_rerank(ix, q, found[i].id & ~BR_CAND_EXPANDED, out, n_out);
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
static void find_region(const struct br_index *ix, struct br_searcher *s, const struct br_search_query *q, struct search_within *w)
{
    size_t passing = 0;
    ix->kernels->descend(ix, s, 0, BEAM_ABOVE_FILTERED, &w->starts);
    for (size_t i = 0; i < w->starts.n; i++)
        passing += q->filter.allow[w->starts.node[i] / 64] >> w->starts.node[i] % 64 & 1;
    w->nearest = ix->max_level ? s->pool[0].d : INT32_MAX;
    w->near = (double)passing / (double)w->starts.n;
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
static bool lies_among(const struct br_index *ix, const struct br_searcher *s, struct br_search_query *q, const struct br_cand *found)
{
    const size_t asked[] = {0, q->k / 2, q->k - 1};
    double length2 = INFINITY;
    for (size_t i = 0; i < BR_COUNT(asked); i++)
        length2 = fmin(length2, link_length2(ix, found[asked[i]].id & ~BR_CAND_EXPANDED));
    br_quant_query_facts(q->vector, ix->dim, ix->scale, s->query, &q->quant);
    double kth = (-16 * (double)found[q->k - 1].d - br_high_bias(&q->quant)) * (double)q->quant.per_unit;
    return 2 - 2 * kth <= AMONG * length2;
}

/* Did a walk within a filter stay where it met as many that pass as is to be expected? */
static bool met_as_expected(const struct br_searcher *s, const struct search_within *w, size_t k)
{
    double met = (double)s->met_passing / (double)s->met;
    return met >= THIN * w->share && !(met > THICK * w->share && w->near < met / 2 && s->pool[k - 1].d > w->nearest);
}

/* One stretch of the way: until so many of the beam are expanded. false: fewer than k were found. */
static bool walk_on(const struct br_index *ix, struct br_searcher *s, struct br_search_query *q, struct search_within *w, size_t expand)
{
    q->filter.expand = expand + w->unwanted;
    ix->kernels->walk(ix, s, &w->starts, 0, w->beam + w->unwanted, &q->filter);
    q->filter.go_on = true;
    drop_unwanted(ix, s, &q->filter); /* they are expanded by now, or far */
    return s->pool_n >= q->k;
}

/* K-NN-SEARCH, the paper's algorithm 5, among what passes. It is not to be trusted, and *n_out is 0, where it met far fewer or more of them than
 * there are of all, and the query does not lie among what it found. If it does, a wider beam looks again, unless a scan costs no more. */
enum br_rc br_walk_within(const struct br_index *ix, struct br_searcher *s, struct br_search_query *q, const struct br_search_plan *plan,
                              struct br_hit *out, size_t *n_out, struct br_err *err)
{
    struct sample sample;
    struct search_within w = {.beam = plan->ef, .share = (double)plan->matches / (double)plan->nodes};
    uint64_t scan_instead = LOOK_AGAIN * plan->ef * br_rows_per_ef(ix);
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
enum br_rc br_walk_through(const struct br_index *ix, struct br_searcher *s, struct br_search_query *q, const struct br_search_plan *plan,
                               struct br_hit *out, size_t *n_out, struct br_err *err)
{
    bool filtering = plan->path == BR_PATH_FILTERED_WALK;
    size_t ef = plan->ef, widest = BR_MIN(plan->matches / br_rows_per_ef(ix), (size_t)BR_HNSW_EF_MAX), enough = q->k + BR_MIN(2 * q->k, (size_t)CLEAR);
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
